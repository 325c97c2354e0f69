"""The load generator against toy servers: what arrives in pieces, together, or not at all."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress

import pytest

from engine.bench.connection import NO_ANSWER, Connection, read_answer
from engine.bench.generator import CREATED, Load, run_closed, run_open

REQUEST = b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"
LONG_S = 60.0  # no test waits for it

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def an_answer(status: int = CREATED, body: bytes = b"paid", length_name: str = "Content-Length") -> bytes:
    return f"HTTP/1.1 {status} X\r\n{length_name}: {len(body)}\r\nServer: toy\r\n\r\n".encode() + body


@asynccontextmanager
async def toy_server(serve: Serve) -> AsyncIterator[int]:
    """A server that does *serve* with every connection until the generator closes it."""
    connections: list[asyncio.Task[None]] = []

    async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await serve(reader, writer)
        writer.close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(asyncio.create_task(guarded(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await asyncio.gather(*connections)


def answering(*pieces: bytes) -> Serve:
    """Answer every request with *pieces*, each in a segment of its own."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await reader.readexactly(len(REQUEST))
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)

    return serve


async def test_every_request_is_answered_once() -> None:
    async with toy_server(answering(an_answer())) as port:
        load = await run_closed(port, [REQUEST] * 100, seconds=LONG_S, connections=7)
    assert load.statuses == {CREATED: 100}
    assert (len(load.latencies_s), load.answer_bytes, load.failures) == (100, 4, {})
    assert load.took_s > 0


async def test_a_closed_run_ends_with_its_time() -> None:
    async with toy_server(answering(an_answer())) as port:
        load = await run_closed(port, itertools.repeat(REQUEST), seconds=0.05, connections=2)
    assert load.statuses[CREATED] > 0
    assert load.failures == {}


async def test_an_answer_may_come_in_pieces() -> None:
    whole = an_answer()
    async with toy_server(answering(*(whole[n : n + 1] for n in range(len(whole))))) as port:
        load = await run_closed(port, [REQUEST] * 4, seconds=LONG_S, connections=2)
    assert load.statuses == {CREATED: 4}


async def test_what_is_not_created_is_a_failure() -> None:
    async with toy_server(answering(an_answer(402, b"no"))) as port:
        load = await run_closed(port, [REQUEST] * 3, seconds=LONG_S, connections=1)
    assert load.failures == {"status 402": 3}
    assert load.per_second == 0


async def test_a_cut_connection_is_a_failure() -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(len(REQUEST))
        writer.write(an_answer()[:-1])

    async with toy_server(cut) as port:
        load = await run_closed(port, [REQUEST] * 10, seconds=LONG_S, connections=3)
    assert load.failures == {"no answer": 3}  # nobody was left to send the others


async def test_what_is_not_http_is_a_failure() -> None:
    async with toy_server(answering(b"220 mail\r\n\r\n")) as port:
        load = await run_closed(port, [REQUEST], seconds=LONG_S, connections=1)
    assert load.failures == {"no answer": 1}


async def test_an_answer_that_does_not_come_is_a_failure() -> None:
    async with toy_server(answering(b"")) as port:
        load = await run_closed(port, [REQUEST] * 5, seconds=0.01, connections=2, give_up_s=0.01)
    assert load.failures == {"no answer": 2}


async def test_latencies_count_from_the_intended_start() -> None:
    rate, count = 200.0, 6
    may_answer = asyncio.Event()

    def arriving() -> Iterator[bytes]:
        yield from [REQUEST] * (count - 1)
        may_answer.set()  # the one before the last has arrived, and all of them wait for the only connection
        yield REQUEST

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await reader.readexactly(len(REQUEST))
            await may_answer.wait()
            writer.write(an_answer())

    async with toy_server(serve) as port:
        load = await run_open(port, arriving(), rate=rate, connections=1)
    assert load.statuses == {CREATED: count}
    for n, latency_s in enumerate(load.latencies_s[:-1]):
        assert latency_s >= (count - 2 - n) / rate, f"request {n} waited at least this long to be sent"


async def test_an_open_run_without_a_server_ends() -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(len(REQUEST))

    async with toy_server(cut) as port:
        load = await run_open(port, [REQUEST] * 5, rate=1e6, connections=1, give_up_s=0.05)
    assert load.statuses == {NO_ANSWER: 5}


class Wire(asyncio.Transport):
    """A transport that leads nowhere."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent.append(bytes(data))


def test_answers_that_come_together_are_told_apart() -> None:
    told: list[tuple[float, int, int]] = []
    connection = Connection(lambda _, at, status, length: told.append((at, status, length)))
    wire = Wire()
    connection.connection_made(wire)
    connection.send(REQUEST, 1.0)
    connection.send(REQUEST, 2.0)
    connection.data_received(an_answer() + an_answer(503, b"")[:20])
    assert told == [(1.0, 201, 4)]
    connection.data_received(an_answer(503, b"")[20:])
    assert told == [(1.0, 201, 4), (2.0, 503, 0)]
    assert wire.sent == [REQUEST, REQUEST]


@pytest.mark.parametrize(
    ("read", "expected"),
    [
        (an_answer()[:30], None),
        (an_answer(), (201, len(an_answer()) - 4, 4)),
        (an_answer(length_name="content-length"), (201, len(an_answer()) - 4, 4)),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", (NO_ANSWER, 0, 0)),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", (NO_ANSWER, 0, 0)),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", (NO_ANSWER, 0, 0)),
    ],
)
def test_heads(read: bytes, expected: tuple[int, int, int] | None) -> None:
    assert read_answer(read) == expected


def test_only_payments_count_as_speed() -> None:
    load = Load(took_s=2.0)
    load.statuses.update({CREATED: 10, 402: 5})
    assert load.per_second == 5.0
