"""Power cuts under load: engine and database are killed at random, and no acknowledged payment is lost or doubled."""

import asyncio
import random
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.processes import EngineProcess, run_engine
from tests.e2e.tills import Day

TILLS = 24
PAYMENTS_A_ROUND = 150


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A folder that goes with the test."""
    with tempfile.TemporaryDirectory(prefix="engine-kill-") as folder:
        yield Path(folder) / "data"


@pytest.mark.timeout(3_600)
def test_no_acknowledged_payment_is_lost_or_doubled(data_dir: Path, request: pytest.FixtureRequest) -> None:
    seed = request.config.getoption("--seed")
    seed = secrets.randbelow(2**31) if seed is None else seed
    kills = 50 if request.config.getoption("--full") else 5
    print(f"seed {seed}, {kills} kills")  # noqa: T201  the seed is what makes a failure repeatable
    engine = EngineProcess(data_dir)
    try:
        day = Day(engine.guide, seed)
        chance = random.Random(seed)
        for number in range(kills):
            engine = asyncio.run(_round(engine, day, chance, kills_database=number % 2 == 1))
            verified = run_engine("verify", "--data-dir", str(data_dir))
            assert verified.returncode == 0, verified.stdout + verified.stderr
        captured = asyncio.run(day.captured(engine.guide))
        assert engine.stop() == 0
    finally:
        engine.end()
    assert {order_no: [payment] for order_no, payment in day.acknowledged.items()} == captured
    assert day.asked == day.acknowledged.keys() | day.refused
    verified = run_engine("verify", "--data-dir", str(data_dir))
    assert verified.returncode == 0, verified.stdout + verified.stderr
    print(f"{len(day.acknowledged)} payments acknowledged, {len(day.refused)} refused")  # noqa: T201  for the record


@pytest.mark.timeout(300)
def test_a_stop_under_load_answers_what_it_took(data_dir: Path) -> None:
    engine = EngineProcess(data_dir)
    try:
        day = Day(engine.guide, 1)
        assert asyncio.run(_stopped_under_load(engine, day)) == 0
        engine.end()
        engine = EngineProcess(data_dir)
        captured = asyncio.run(day.captured(engine.guide))
        assert engine.stop() == 0
    finally:
        engine.end()
    acknowledged = {order_no: [payment] for order_no, payment in day.acknowledged.items()}
    assert acknowledged.items() <= captured.items()
    assert all(len(payments) == 1 for payments in captured.values())
    assert captured.keys() <= day.asked


async def _round(engine: EngineProcess, day: Day, chance: random.Random, *, kills_database: bool) -> EngineProcess:
    """Tills pay; at a random payment the engine or its database is killed; each till asks until it is told."""
    killed_at = chance.randrange(20, PAYMENTS_A_ROUND - 40)
    started = day.answered
    running = [engine]
    is_due, enough = asyncio.Event(), asyncio.Event()

    async def till(number: int) -> None:
        while not enough.is_set():
            order_no, code = day.order_no(), day.code()
            while not await day.is_answered(running[0].guide, number, order_no, code):
                continue  # asked again, with the same key; the client paces itself
            if day.answered - started >= killed_at:
                is_due.set()
            if day.answered - started >= PAYMENTS_A_ROUND:
                enough.set()

    async def killer() -> None:
        await is_due.wait()
        if kills_database:
            running[0].kill_database()
            return
        running[0].kill()
        running[0].end()
        running[0] = await asyncio.to_thread(EngineProcess, engine.data_dir)

    async with asyncio.TaskGroup() as tasks:
        for number in range(TILLS):
            tasks.create_task(till(number))
        tasks.create_task(killer())
    return running[0]


async def _stopped_under_load(engine: EngineProcess, day: Day) -> int:
    """Tills pay until the engine has gone; it is asked to stop in the middle. Returns its exit code."""
    is_due, gone = asyncio.Event(), asyncio.Event()

    async def till(number: int) -> None:
        while not gone.is_set():
            asking = asyncio.create_task(day.is_answered(engine.guide, number, day.order_no(), day.code()))
            over = asyncio.create_task(gone.wait())
            await asyncio.wait((asking, over), return_when=asyncio.FIRST_COMPLETED)
            over.cancel()
            if not asking.done():
                asking.cancel()
            if day.answered >= PAYMENTS_A_ROUND:
                is_due.set()

    async def stopper() -> int:
        await is_due.wait()
        code = await asyncio.to_thread(engine.stop)
        gone.set()
        return code

    async with asyncio.TaskGroup() as tasks:
        for number in range(TILLS):
            tasks.create_task(till(number))
        stopping = tasks.create_task(stopper())
    return stopping.result()
