"""A door to PostgreSQL that knows which statement of a lane passes, and fails there as a test has planned."""

import asyncio
import enum
from collections import Counter, defaultdict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final
from urllib.parse import parse_qs, urlsplit

from engine.store.sql import load_queries

_NAMES: Final[dict[str, str]] = {statement: name for name, statement in load_queries("lane").items()}
_FAILING: Final = b"SELECT 1 / 0\0"
_WARNING: Final = b"SWARNING\0VWARNING\0C01000\0Mcanceling wait for synchronous replication\0\0"


class Act(enum.Enum):
    """What happens to one statement."""

    CUT = "the connection ends at both sides, and the statement is not delivered"
    ANSWER_LOST = "it is carried out, and the connection ends before the answer"
    ABANDONED = "only the client's side ends; the server waits for a statement that never comes"
    ABANDONED_AFTER = "it is delivered, then only the client's side ends"
    SWALLOWED = "it is not delivered, and nobody is told: the network is dead"
    WARNED = "it is carried out, and its answer comes with a warning 01000"
    FAILED_BEFORE = "another statement of the transaction fails first, and nobody is told"


class Gate:
    """One statement waits here until the test lets it go on."""

    def __init__(self, then: Act | None) -> None:
        """A closed gate that nothing has reached; *then* is what happens to the statement behind it."""
        self.then = then
        self.reached = asyncio.Event()
        self._opened = asyncio.Event()

    def open(self) -> None:
        """Let it go on."""
        self._opened.set()

    async def pass_through(self) -> None:
        """Say that it is here, and wait."""
        self.reached.set()
        await self._opened.wait()


class Wire:
    """Statements are called by their names in `lane.sql`. A plan is for the next statement of a name only."""

    def __init__(self, dsn: str) -> None:
        """Use `open_wire`."""
        address = urlsplit(dsn)
        query = parse_qs(address.query)
        self._user = address.username
        self._database = address.path
        self._socket = f"{query['host'][0]}/.s.PGSQL.{query['port'][0]}"
        self._plans: defaultdict[str, deque[Act | Gate]] = defaultdict(deque)
        self.dsn = ""
        self.delivered: Counter[str] = Counter()
        self.is_shut = False
        self.refused = asyncio.Event()  # somebody came while it was shut
        self._ends: list[asyncio.StreamWriter] = []
        self._passages: set[asyncio.Task[None]] = set()

    def at(self, statement: str, act: Act) -> None:
        """Plan what happens to the next *statement*."""
        self._plans[statement].append(act)

    def hold(self, statement: str, *, then: Act | None = None) -> Gate:
        """Let the next *statement* wait."""
        gate = Gate(then)
        self._plans[statement].append(gate)
        return gate

    def next_plan(self, statement: str) -> Act | Gate | None:
        """What is planned for the statement that is here now."""
        plans = self._plans[statement]
        return plans.popleft() if plans else None

    @asynccontextmanager
    async def opened(self) -> AsyncIterator["Wire"]:
        """Listen until the block ends."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        self.dsn = f"postgresql://{self._user}@127.0.0.1:{port}{self._database}?sslmode=disable"
        try:
            yield self
        finally:
            server.close()
            for passage in self._passages:
                passage.cancel()
            await asyncio.gather(*self._passages, return_exceptions=True)
            for end in self._ends:
                end.close()
                with suppress(OSError):
                    await end.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._passages.add(task)
        self._ends.append(writer)
        if self.is_shut:
            self.refused.set()
            writer.close()
            return
        try:
            server_reader, server_writer = await asyncio.open_unix_connection(self._socket)
        except OSError:
            writer.close()
            return
        self._ends.append(server_writer)
        passage = _Passage(self, client=(reader, writer), server=(server_reader, server_writer))
        with suppress(asyncio.CancelledError):
            await passage.run()


class _Passage:
    """One connection through the wire."""

    def __init__(
        self,
        wire: Wire,
        *,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        server: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        self._wire = wire
        self._client, self._to_client = client
        self._server, self._to_server = server
        self._prepared: dict[bytes, str] = {}
        self._loses_answer = False
        self._warns = False
        self._muted_until_ready: asyncio.Event | None = None

    async def run(self) -> None:
        answers = asyncio.create_task(self._carry_answers())
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                await self._carry_statements()
            self._to_server.close()
            await answers
        finally:
            answers.cancel()

    async def _carry_statements(self) -> None:
        size = await self._client.readexactly(4)
        self._to_server.write(size + await self._client.readexactly(int.from_bytes(size, "big") - 4))
        while True:
            kind, message = await _read(self._client)
            statement = self._statement_of(kind, message[5:])
            if statement is not None and not await self._goes_on(statement, message):
                await asyncio.Future()  # what is left of this connection ends with the wire
            self._to_server.write(message)
            await self._to_server.drain()

    async def _goes_on(self, statement: str, message: bytes) -> bool:
        """Carry out what is planned. False when nothing more comes from this client."""
        plan = self._wire.next_plan(statement)
        if isinstance(plan, Gate):
            await plan.pass_through()
            plan = plan.then
        match plan:
            case Act.CUT:
                self._to_client.close()
                self._to_server.close()
                return False
            case Act.ABANDONED | Act.ABANDONED_AFTER:
                if plan is Act.ABANDONED_AFTER:
                    self._to_server.write(message)
                    self._wire.delivered[statement] += 1
                self._to_client.close()
                return False
            case Act.SWALLOWED:
                return False
            case Act.ANSWER_LOST:
                self._loses_answer = True
            case Act.WARNED:
                self._warns = True
            case Act.FAILED_BEFORE:
                self._muted_until_ready = asyncio.Event()
                self._to_server.write(_message(b"Q", _FAILING))
                await self._muted_until_ready.wait()
                self._muted_until_ready = None
            case None:
                pass
        self._wire.delivered[statement] += 1
        return True

    async def _carry_answers(self) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                kind, message = await _read(self._server)
                if self._loses_answer:
                    if kind == b"Z":
                        self._to_server.close()
                        break
                elif self._muted_until_ready is not None:
                    if kind == b"Z":
                        self._muted_until_ready.set()
                else:
                    if self._warns:
                        self._warns = False
                        self._to_client.write(_message(b"N", _WARNING))
                    self._to_client.write(message)
        self._to_client.close()

    def _statement_of(self, kind: bytes, body: bytes) -> str | None:
        """The name of the statement that this message runs."""
        if kind == b"P":
            name, text = body.split(b"\0")[:2]
            self._prepared[name] = _NAMES.get(text.decode(), "")
        elif kind == b"B":
            return self._prepared.get(body.split(b"\0")[1]) or None
        elif kind == b"Q":
            text = body.rstrip(b"\0")
            return _NAMES.get(text.decode())
        return None


async def _read(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readexactly(5)
    return head[:1], head + await reader.readexactly(int.from_bytes(head[1:], "big") - 4)


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + (len(body) + 4).to_bytes(4, "big") + body
