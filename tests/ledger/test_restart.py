"""PostgreSQL is killed while payments are under way, and comes back."""

import asyncio
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.embedded.postgres import EmbeddedPostgres
from engine.ledger.queue import Outcome
from engine.store.connection import READ_SETTINGS, connect
from engine.store.faults import Fault
from engine.store.migrations import migrate
from tests.builders import a_world
from tests.ledger.nodes import a_node, settle
from tests.ledger.proof import prove_books

IN_FLIGHT = 200


@pytest.fixture
def server() -> Iterator[EmbeddedPostgres]:
    """A server of this test's own."""
    with tempfile.TemporaryDirectory(prefix="engine-tests-", ignore_cleanup_errors=True) as folder:
        settings = {"fsync": "off", "shared_buffers": "32MB"}
        with EmbeddedPostgres(Path(folder), extra_settings=settings) as server:
            yield server


async def test_every_payment_under_way_when_the_server_is_killed_is_made_once(server: EmbeddedPostgres) -> None:
    """Each submission ends, and whoever repeats its key gets the truth: what was answered, again, or the payment."""
    sql = await connect(server.dsn, READ_SETTINGS, application_name="test")
    await migrate(sql)
    world = await a_world(sql, card_count=20)
    await sql.close()
    commands = [world.authorize(card=n % 20) for n in range(IN_FLIGHT)]
    async with a_node(server.dsn, lane_count=2, batch_max=8) as ledger:
        asked = [asyncio.create_task(ledger.submit(command)) for command in commands]
        await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        os.kill(server.pid, signal.SIGKILL)
        await asyncio.to_thread(server.restart)
        ends = await asyncio.gather(*asked, return_exceptions=True)
        assert all(isinstance(end, Outcome | Fault) for end in ends)
        settled = [await settle(ledger, command) for command in commands]
    for end, outcome in zip(ends, settled, strict=True):
        assert outcome.answer.refusal is None
        if isinstance(end, Outcome):
            assert outcome.is_replay
            assert end.answer == outcome.answer
    sql = await connect(server.dsn, READ_SETTINGS, application_name="test")
    assert await sql.fetchval("SELECT count(*) FROM payment") == IN_FLIGHT
    await prove_books(sql)
    await sql.close()
