"""A bank whose client is broken or hostile: it gets an answer or is cut off, and nobody else notices."""

import random
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncssh
import msgspec
import pytest

from engine.core.calendar import CycleNumber
from engine.sftp.packets import PACKET_BYTES_MAX, READ_BYTES_MAX, Answer, Ask, Mode, Status, string
from engine.sftp.requests import HANDLES_MAX
from engine.sftp.server import CHANNELS_MAX
from tests.sftp.harbour import Harbour, told

pytestmark = pytest.mark.asyncio(loop_scope="module")

NO_ATTRIBUTES = struct.pack(">I", 0)
MEMORY_BYTES_MAX = 64 << 20


class Said(msgspec.Struct, frozen=True):
    """An answer: its kind, its request, and what follows."""

    kind: int
    request: int
    rest: bytes

    @property
    def status(self) -> int:
        """The code of a STATUS."""
        assert self.kind == Answer.STATUS
        code: int = struct.unpack(">I", self.rest[:4])[0]
        return code

    @property
    def handle(self) -> bytes:
        """The handle of a HANDLE."""
        assert self.kind == Answer.HANDLE
        return self.rest[4:]


class Wire:
    """An SFTP session without a client in between."""

    def __init__(self, writer: "asyncssh.SSHWriter[bytes]", reader: "asyncssh.SSHReader[bytes]") -> None:
        self.writer = writer
        self._reader = reader

    def send(self, kind: int, *fields: bytes, request: int = 7) -> None:
        """Send a request, and do not wait for its answer."""
        body = bytes((kind,)) + struct.pack(">I", request) + b"".join(fields)
        self.writer.write(struct.pack(">I", len(body)) + body)

    async def answer(self) -> Said:
        """The next answer."""
        (length,) = struct.unpack(">I", await self._reader.readexactly(4))
        body = await self._reader.readexactly(length)
        return Said(body[0], struct.unpack(">I", body[1:5])[0], body[5:])

    async def ask(self, kind: int, *fields: bytes) -> Said:
        """Send a request and read its answer."""
        self.send(kind, *fields)
        return await self.answer()

    async def is_over(self) -> bool:
        """True once the server has ended the session."""
        return await self._reader.read(1) == b""


@asynccontextmanager
async def wire(harbour: Harbour, bank: int = 0) -> AsyncIterator[Wire]:
    """A bank's bare session."""
    async with harbour.connection(bank) as connection:
        writer, reader, _ = await connection.open_session(subsystem="sftp", encoding=None)
        yield Wire(writer, reader)


async def is_served(harbour: Harbour) -> bool:
    """Whether another bank finds everything in order."""
    async with harbour.client(1) as client:
        return await client.exists("/outbox")


@pytest.mark.parametrize("length", [0, PACKET_BYTES_MAX + 1, 1 << 31, (1 << 32) - 1])
async def test_a_packet_of_no_sensible_length_ends_its_session_only(harbour: Harbour, length: int) -> None:
    async with wire(harbour) as open_wire:
        open_wire.writer.write(struct.pack(">I", length))
        assert await open_wire.is_over()
    assert await is_served(harbour)


@pytest.mark.parametrize("kind", [0, 2, 19, 20, 21, 22, 101, 199, 255])
async def test_unknown_requests_are_not_supported(harbour: Harbour, kind: int) -> None:
    async with wire(harbour) as open_wire:
        said = await open_wire.ask(kind, string(b"/a"), string(b"/b"))
        assert (said.status, said.request) == (Status.OP_UNSUPPORTED, 7)


async def test_a_packet_that_ends_within_a_field_is_a_bad_message(harbour: Harbour) -> None:
    async with wire(harbour) as open_wire:
        for kind in (Ask.OPEN, Ask.CLOSE, Ask.READ, Ask.WRITE, Ask.STAT, Ask.OPENDIR, Ask.RENAME, Ask.EXTENDED):
            for rest in (b"", b"\0\0\0", struct.pack(">I", 100) + b"short", struct.pack(">I", 1 << 31)):
                assert (await open_wire.ask(kind, rest)).status == Status.BAD_MESSAGE
        for kind in (Ask.STAT, Ask.REALPATH, Ask.OPENDIR):
            assert (await open_wire.ask(kind, string(b"/"), b"more")).status == Status.BAD_MESSAGE
        assert (await open_wire.ask(Ask.STAT, string(b"/"))).kind == Answer.ATTRS


async def test_every_version_is_answered_with_the_third(harbour: Harbour) -> None:
    for version in (0, 3, 6, (1 << 32) - 1):
        async with wire(harbour) as open_wire:
            open_wire.writer.write(struct.pack(">IBI", 5, Ask.INIT, version))
            said = await open_wire.answer()
            assert (said.kind, said.request) == (Answer.VERSION, 3)


@pytest.mark.parametrize(
    "path",
    [
        "/outbox/../outbox",
        "/outbox/..",
        "..",
        "../../etc/passwd",
        "/etc/passwd",
        "/inbox/../../etc/passwd",
        "/outbox/{day}/../{day}/{name}",
        "/outbox/{day}/{name}\0",
        "/outbox/{day}/{name}\0.json",
        "/outbox/{day}/{name}/",
        "/outbox/{day}/{name}/x",
        "/outbox/{day}\n",
        "/inbox/\0",
        "/inbox/a/b",
        "/inbox/a b",
        "/inbox/-a",
        "/inbox/.a",
        "/inbox/a\\b",
        "/inbox/a\u202eb",
        "/inbox/" + "a" * 101,
        "/" * 1_025,
        "/inbox/" + "a/" * 500,
        "/outbox/２０２６１１２４",
        "C:\\outbox",
        "~",
        "*",
    ],
)
async def test_a_path_leads_nowhere_but_into_the_tree(harbour: Harbour, cycle: CycleNumber, path: str) -> None:
    file = await told(harbour.api, cycle, bank=0)
    encoded = string(path.replace("{day}", file.day).replace("{name}", file.name).encode())
    is_only_a_slash_too_many = path.endswith("{name}/")
    async with wire(harbour) as open_wire:
        reading, writing = (struct.pack(">I", mode) for mode in (Mode.READ, Mode.WRITE | Mode.CREATE))
        answers = [
            await open_wire.ask(Ask.STAT, encoded),
            await open_wire.ask(Ask.OPEN, encoded, reading, NO_ATTRIBUTES),
        ]
        if is_only_a_slash_too_many:
            assert [said.kind for said in answers] == [Answer.ATTRS, Answer.HANDLE]
            return
        answers += [
            await open_wire.ask(Ask.OPEN, encoded, writing, NO_ATTRIBUTES),
            await open_wire.ask(Ask.OPENDIR, encoded),
            await open_wire.ask(Ask.REMOVE, encoded),
            await open_wire.ask(Ask.RENAME, encoded, string(b"/inbox/x")),
            await open_wire.ask(Ask.RENAME, string(b"/inbox/x"), encoded),
        ]
        assert {said.status for said in answers} == {Status.NO_SUCH_FILE}


async def test_the_real_path_of_anything_is_below_the_root(harbour: Harbour) -> None:
    async with harbour.client() as client:
        for path, real in (
            (".", "/"),
            ("", "/"),
            ("../../..", "/"),
            ("/outbox/../inbox", "/inbox"),
            ("outbox//./x", "/outbox/x"),
            ("/../etc", "/etc"),
        ):
            assert await client.realpath(path) == real


async def test_there_are_no_links(harbour: Harbour) -> None:
    async with harbour.client() as client:
        for link in (
            client.symlink("/outbox", "/inbox/link"),
            client.link("/outbox", "/inbox/link"),
            client.readlink("/inbox/link"),
            client.statvfs("/"),
        ):
            with pytest.raises((asyncssh.SFTPOpUnsupported, asyncssh.SFTPPermissionDenied)):
                await link


async def test_ten_thousand_open_files_are_a_few(harbour: Harbour, cycle: CycleNumber) -> None:
    file = await told(harbour.api, cycle, bank=0)
    async with wire(harbour) as open_wire:
        handles = []
        for n in range(10_000):
            if n % 2:
                said = await open_wire.ask(Ask.OPENDIR, string(b"/outbox"))
            else:
                mode = struct.pack(">I", Mode.READ)
                said = await open_wire.ask(Ask.OPEN, string(file.path.encode()), mode, NO_ATTRIBUTES)
            if said.kind == Answer.HANDLE:
                handles.append(said.handle)
            else:
                assert said.status == Status.FAILURE
        assert len(set(handles)) == HANDLES_MAX
        for handle in handles:
            assert (await open_wire.ask(Ask.CLOSE, string(handle))).status == Status.OK
            assert (await open_wire.ask(Ask.CLOSE, string(handle))).status == Status.FAILURE
        assert (await open_wire.ask(Ask.OPENDIR, string(b"/outbox"))).kind == Answer.HANDLE


async def test_a_connection_has_only_so_many_sessions(harbour: Harbour) -> None:
    async with harbour.connection(0) as connection:
        for _ in range(3):
            for _ in range(CHANNELS_MAX):
                with pytest.raises(asyncssh.ChannelOpenError):
                    await connection.open_session("ls")
        opened = [await connection.open_session(subsystem="sftp", encoding=None) for _ in range(CHANNELS_MAX)]
        with pytest.raises(asyncssh.ChannelOpenError):
            await connection.open_session(subsystem="sftp", encoding=None)
        assert len(opened) == CHANNELS_MAX


async def test_a_client_that_does_not_read_is_not_answered_on_and_on(harbour: Harbour, cycle: CycleNumber) -> None:
    """A hundred thousand requests whose answers nobody reads keep no more memory than a few of them."""
    file = await told(harbour.api, cycle, bank=0, kind="ADVICE", form="xml")
    async with wire(harbour) as open_wire:
        said = await open_wire.ask(Ask.OPEN, string(file.path.encode()), struct.pack(">I", Mode.READ), NO_ATTRIBUTES)
        before = resident_bytes()
        for n in range(100_000):
            open_wire.send(
                Ask.READ, string(said.handle), struct.pack(">Q", 0), struct.pack(">I", READ_BYTES_MAX), request=n
            )
        assert len(file.content) * 100_000 > 4 * MEMORY_BYTES_MAX
        assert await is_served(harbour)
        assert resident_bytes() - before < MEMORY_BYTES_MAX
        for n in range(1_000):
            told_again = await open_wire.answer()
            assert (told_again.kind, told_again.request) == (Answer.DATA, n)
            assert told_again.rest[4:] == file.content[:READ_BYTES_MAX]


async def test_handles_are_only_for_what_they_were_opened_for(harbour: Harbour, cycle: CycleNumber) -> None:
    file = await told(harbour.api, cycle, bank=0)
    at = struct.pack(">Q", 0)
    async with wire(harbour) as open_wire:
        listing = (await open_wire.ask(Ask.OPENDIR, string(b"/"))).handle
        modes = [struct.pack(">I", mode) for mode in (Mode.READ, Mode.WRITE | Mode.CREATE | Mode.TRUNCATE)]
        reading = (await open_wire.ask(Ask.OPEN, string(file.path.encode()), modes[0], NO_ATTRIBUTES)).handle
        writing = (await open_wire.ask(Ask.OPEN, string(b"/inbox/h.part"), modes[1], NO_ATTRIBUTES)).handle
        for handle, asks in (
            (listing, (Ask.READ, Ask.WRITE, Ask.FSTAT)),
            (reading, (Ask.WRITE, Ask.READDIR)),
            (writing, (Ask.READ, Ask.READDIR)),
            (b"", (Ask.READ, Ask.WRITE, Ask.FSTAT, Ask.READDIR, Ask.CLOSE)),
            (bytes(8), (Ask.READ, Ask.WRITE, Ask.FSTAT, Ask.READDIR, Ask.CLOSE)),
        ):
            for ask in asks:
                rest = {Ask.READ: (at, struct.pack(">I", 9)), Ask.WRITE: (at, string(b"x"))}.get(ask, ())
                said = await open_wire.ask(ask, string(handle), *rest)
                assert said.status in (Status.FAILURE, Status.PERMISSION_DENIED)
        far = await open_wire.ask(Ask.WRITE, string(writing), struct.pack(">Q", (1 << 64) - 1), string(b"x"))
        assert far.status == Status.FAILURE
        beyond = await open_wire.ask(
            Ask.READ, string(reading), struct.pack(">Q", (1 << 64) - 1), struct.pack(">I", (1 << 32) - 1)
        )
        assert beyond.status == Status.EOF


async def test_noise_is_answered_or_ends_the_session(harbour: Harbour) -> None:
    noise = random.Random(20_261_124)
    for _ in range(20):
        async with wire(harbour) as open_wire:
            for n in range(50):
                kind = noise.choice([int(ask) for ask in Ask if ask is not Ask.INIT])
                open_wire.send(kind, noise.randbytes(noise.randrange(60)), request=n)
            open_wire.writer.write_eof()
            answers = [await open_wire.answer() for _ in range(50)]
            assert [said.request for said in answers] == list(range(50))
            assert await open_wire.is_over()
    assert await is_served(harbour)


def resident_bytes() -> int:
    """The memory of this process, in which the server is too."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4_096
