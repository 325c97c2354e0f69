"""Where the SFTP server listens: one socket has a port, whether or not anybody serves on it yet."""

import pytest

from engine.sftp.sockets import listening_socket

HOST = "127.0.0.1"


def test_a_port_that_is_taken_is_not_had_twice() -> None:
    with listening_socket(HOST, 0) as first, pytest.raises(OSError, match="in use"):
        listening_socket(HOST, first.getsockname()[1])


def test_another_port_is_had_where_any_will_do() -> None:
    with listening_socket(HOST, 0) as first:
        taken = first.getsockname()[1]
        with listening_socket(HOST, taken, or_any=True) as second:
            assert second.getsockname()[1] not in (0, taken)
