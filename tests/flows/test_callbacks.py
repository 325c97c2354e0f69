"""Calls to addresses that others have named: what a name leads to counts at the moment of the connection."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from engine.flows.callbacks import Answered, Callbacks, post_once
from tests.web.webhook_receiver import Receiver, a_receiver

PUBLIC = "203.119.25.1"
REFUSED = Answered(None, "address_not_allowed")


class Names(AbstractResolver):
    """Leads every name to one list of addresses after the other, the last of them for ever."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = list(answers)

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_UNSPEC,  # noqa: ARG002  # the addresses say theirs
    ) -> list[ResolveResult]:
        """The next list."""
        addresses = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if not addresses:
            raise OSError("no such name")
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in addresses
        ]

    async def close(self) -> None:
        """Nothing to close."""


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver on this machine."""
    async with a_receiver() as opened:
        yield opened


async def posted(callbacks: Callbacks, url: str) -> Answered:
    """What came of a call."""
    async with callbacks.session(connections_max=4) as session:
        return await post_once(session, url, {}, b"{}")


async def test_name_that_turns_to_this_machine_after_it_was_judged_is_not_called(receiver: Receiver) -> None:
    port = receiver.base_url.rpartition(":")[2]
    url = f"http://rebound.example:{port}/hook"
    callbacks = Callbacks(is_loopback_allowed=False, resolver=Names([PUBLIC], ["127.0.0.1"]))
    assert await callbacks.why_not(url.replace("http://", "https://")) is None
    assert await posted(callbacks, url) == REFUSED
    assert receiver.received == []
    assert await posted(Callbacks(is_loopback_allowed=True, resolver=Names(["127.0.0.1"])), url) == Answered(204)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f.1", "0.0.0.0"])  # noqa: S104  # called, not bound
async def test_however_this_machine_is_written_it_is_not_called(receiver: Receiver, host: str) -> None:
    url = receiver.url().replace("127.0.0.1", host)
    answered = await posted(Callbacks(is_loopback_allowed=False), url)
    assert answered.status is None
    assert receiver.received == []


@pytest.mark.parametrize(
    ("addresses", "is_allowed"),
    [
        ([PUBLIC], True),
        ([PUBLIC, "10.0.0.1"], False),
        (["::ffff:10.0.0.1"], False),
        (["169.254.169.254"], False),
        (["127.0.0.1"], False),
        ([], False),
    ],
)
async def test_name_is_judged_by_every_address_that_it_has(addresses: list[str], is_allowed: bool) -> None:
    callbacks = Callbacks(is_loopback_allowed=False, resolver=Names(addresses))
    assert (await callbacks.why_not("https://hospital.example/hook") is None) is is_allowed


async def test_of_several_addresses_only_those_that_are_allowed_are_called(receiver: Receiver) -> None:
    port = receiver.base_url.rpartition(":")[2]
    callbacks = Callbacks(is_loopback_allowed=True, resolver=Names(["10.0.0.1", "127.0.0.1"]))
    assert await posted(callbacks, f"http://two.example:{port}/hook") == Answered(204)


async def test_sandbox_is_no_way_to_a_private_network() -> None:
    callbacks = Callbacks(is_loopback_allowed=True, resolver=Names(["192.168.0.1"]))
    assert await callbacks.why_not("https://hospital.example/hook") is not None
    assert await posted(callbacks, "http://192.168.0.1:9/hook") == REFUSED


async def test_answer_without_an_end_is_not_waited_for() -> None:
    server = socket.create_server(("127.0.0.1", 0))
    with server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        async with Callbacks(is_loopback_allowed=True).session(connections_max=1) as session:
            loop = asyncio.get_running_loop()
            server.setblocking(False)

            async def answer() -> socket.socket:
                connection, _ = await loop.sock_accept(server)
                await loop.sock_recv(connection, 65_536)
                await loop.sock_sendall(connection, b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nx")
                return connection

            answering = asyncio.create_task(answer())
            assert await post_once(session, url, {}, b"{}") == Answered(200)
            (await answering).close()
