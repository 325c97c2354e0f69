"""One keep-alive connection of the load generator: writes prepared bytes, reads status lines and lengths."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final, TypeAlias, cast

OnAnswer: TypeAlias = "Callable[[Connection, float, int, int], None]"
"""Is told of each answer: its connection, when the request was to start, its status and the bytes of its body."""

NO_ANSWER: Final = 0
"""The status of a request that will not be answered: the connection was cut, or what came is not HTTP."""

_HEAD_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"\r\ncontent-length:"


class Connection(asyncio.Protocol):
    """Answers come in the order of the requests, of which several may be under way."""

    def __init__(self, on_answer: OnAnswer) -> None:
        """Tell *on_answer* exactly once of every request that is sent."""
        self._on_answer = on_answer
        self._under_way: deque[float] = deque()
        self._read = b""
        self._transport: asyncio.Transport | None = None
        self.is_open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection can be used."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance
        self.is_open = True

    def send(self, request: bytes, intended_at: float) -> None:
        """Send a request that was to start at *intended_at*."""
        if not self.is_open or self._transport is None:
            self._on_answer(self, intended_at, NO_ANSWER, 0)
            return
        self._under_way.append(intended_at)
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Tell of every answer that is whole."""
        self._read = self._read + data if self._read else data
        while self._read and self.is_open:
            answer = read_answer(self._read)
            if answer is None:
                return
            status, body_start, length = answer
            if status == NO_ANSWER or not self._under_way:
                self.close()
                return
            end = body_start + length
            if len(self._read) < end:
                return
            self._read = self._read[end:]
            self._on_answer(self, self._under_way.popleft(), status, length)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  the protocol's own signature
        """What is under way will not be answered."""
        self.is_open = False
        while self._under_way:
            self._on_answer(self, self._under_way.popleft(), NO_ANSWER, 0)

    def close(self) -> None:
        """Send nothing more and read nothing more."""
        self.is_open = False
        if self._transport is not None:
            self._transport.close()


def read_answer(read: bytes) -> tuple[int, int, int] | None:
    """Status, where the body starts and its length; None while the head is not whole, `NO_ANSWER` if it is not HTTP."""
    head_end = read.find(_HEAD_END)
    if head_end < 0:
        return None
    head = read[:head_end].lower()
    at = head.find(_LENGTH)
    status, length = head[9:12], head[at + len(_LENGTH) :].partition(b"\r\n")[0].strip()
    if not head.startswith(b"http/1.1 ") or at < 0 or not status.isdigit() or not length.isdigit():
        return NO_ANSWER, 0, 0
    return int(status), head_end + len(_HEAD_END), int(length)
