"""One SSH channel as a stream of packets, in both directions no faster than either side can follow."""

import asyncio
from collections.abc import Callable
from typing import Final

import asyncssh

from engine.sftp.packets import PACKET_BYTES_MAX, BadPacket

SUBSYSTEM: Final = "sftp"
WAITING_BYTES_MAX: Final = 2 * PACKET_BYTES_MAX
_LENGTH_BYTES: Final = 4


class PacketChannel(asyncssh.SSHServerSession[bytes]):
    """A session that takes nothing but the SFTP subsystem."""

    def __init__(self, serve: "Callable[[PacketChannel], None]", leave: Callable[[], None]) -> None:
        """*serve* is told when packets may be read, *leave* when the channel is gone, whatever it was asked for."""
        self._serve = serve
        self._leave = leave
        self._waiting = bytearray()
        self._has_changed = asyncio.Event()
        self._may_write = asyncio.Event()
        self._may_write.set()
        self._is_over = False
        self._is_paused = False
        self._channel: asyncssh.SSHServerChannel[bytes] | None = None

    def connection_made(self, chan: "asyncssh.SSHServerChannel[bytes]") -> None:
        """The channel is open; nothing was asked for yet."""
        self._channel = chan

    def shell_requested(self) -> bool:
        """No shell."""
        return False

    def exec_requested(self, _command: str) -> bool:
        """No command."""
        return False

    def subsystem_requested(self, subsystem: str) -> bool:
        """SFTP, and nothing else."""
        return subsystem == SUBSYSTEM

    def session_started(self) -> None:
        """Packets may come."""
        self._serve(self)

    def data_received(self, data: bytes, _datatype: int | None) -> None:
        """More bytes; a client that does not wait for answers is stopped when there are too many."""
        self._waiting += data
        if len(self._waiting) > WAITING_BYTES_MAX and not self._is_paused and self._channel is not None:
            self._is_paused = True
            self._channel.pause_reading()
        self._has_changed.set()

    def eof_received(self) -> bool:
        """No more will come; what was asked for is still answered."""
        self._end()
        return True

    def connection_lost(self, _exc: Exception | None) -> None:
        """Nobody is there any more."""
        self._channel = None
        self._end()
        self._may_write.set()
        self._leave()

    def pause_writing(self) -> None:
        """The client does not read what it was sent."""
        self._may_write.clear()

    def resume_writing(self) -> None:
        """It reads again."""
        self._may_write.set()

    async def packet(self) -> bytes | None:
        """The next packet; None when there is none any more.

        Raises:
            BadPacket: the bytes are no packet, or one that is too long.
        """
        while True:
            if len(self._waiting) >= _LENGTH_BYTES:
                length = int.from_bytes(self._waiting[:_LENGTH_BYTES])
                if not 1 <= length <= PACKET_BYTES_MAX:
                    raise BadPacket(f"a packet of {length} bytes")
                end = _LENGTH_BYTES + length
                if len(self._waiting) >= end:
                    packet = bytes(self._waiting[_LENGTH_BYTES:end])
                    del self._waiting[:end]
                    self._take_more()
                    return packet
            if self._is_over:
                return None
            self._has_changed.clear()
            await self._has_changed.wait()

    async def send(self, packet: bytes) -> None:
        """Send an answer, once those before it are on their way; whoever has gone misses it."""
        await self._may_write.wait()
        if self._channel is not None and not self._channel.is_closing():
            self._channel.write(packet)

    def close(self) -> None:
        """The channel ends."""
        if self._channel is not None and not self._channel.is_closing():
            self._channel.exit(0)

    def _take_more(self) -> None:
        if self._is_paused and len(self._waiting) <= PACKET_BYTES_MAX and self._channel is not None:
            self._is_paused = False
            self._channel.resume_reading()

    def _end(self) -> None:
        self._is_over = True
        self._has_changed.set()
