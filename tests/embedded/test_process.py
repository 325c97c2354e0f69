"""A server counts as there as long as it has a listening socket, however busy it is."""

import socket
from contextlib import ExitStack
from pathlib import Path

from engine.embedded.process import is_listening


def test_socket_without_a_listener_or_without_a_file_is_not_listening(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tmp_path / "socket"))
    assert not is_listening(tmp_path / "socket")
    assert not is_listening(tmp_path / "no-socket")


def test_listener_with_a_full_queue_is_listening(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with ExitStack() as opened:
        listener = opened.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(str(path))
        listener.listen(0)
        assert is_listening(path)
        queue_is_full = False
        while not queue_is_full:
            waiting = opened.enter_context(socket.socket(socket.AF_UNIX))
            waiting.setblocking(False)
            queue_is_full = waiting.connect_ex(str(path)) != 0
        assert is_listening(path)
