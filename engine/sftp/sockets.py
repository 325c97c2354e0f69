"""Where the SFTP server listens: a socket is there before anything is opened, so that its port is known and taken."""

import socket
from typing import Final

BACKLOG: Final = 100


def listening_socket(host: str, port: int, *, or_any: bool = False) -> socket.socket:
    """A socket that listens on the address; with *or_any* on another port if that one is taken.

    Whoever comes before there is a server waits. It must listen here: two sockets can be bound to one port, the second
    fails only when it listens, and uvloop would close that one without a word.

    Raises:
        OSError: the address cannot be had.
    """
    for wanted in (port, 0) if or_any else (port,):
        bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((host, wanted))
            bound.listen(BACKLOG)
        except OSError:
            bound.close()
            if wanted == 0 or not or_any:
                raise
        else:
            return bound
    raise AssertionError("the last address is bound or raises")
