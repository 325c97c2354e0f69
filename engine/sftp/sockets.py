"""Where the SFTP server listens: a socket is bound before anything is opened, so that its port is known."""

import socket


def listening_socket(host: str, port: int, *, or_any: bool = False) -> socket.socket:
    """A socket bound to the address; with *or_any* to another port if that one is taken.

    Raises:
        OSError: the address cannot be bound.
    """
    for wanted in (port, 0) if or_any else (port,):
        bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((host, wanted))
        except OSError:
            bound.close()
            if wanted == 0 or not or_any:
                raise
        else:
            return bound
    raise AssertionError("the last address is bound or raises")
