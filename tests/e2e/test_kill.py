"""Power cuts under load: engine and database are killed at random, and no acknowledged payment is lost or doubled."""

import asyncio
import base64
import itertools
import random
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from engine.client import Credentials, EngineClient, Refused, Unreachable
from engine.codes.pay_code import pay_code_at
from engine.flows.clock import Clock
from engine.sandbox.guide import SandboxGuide
from tests.e2e.processes import EngineProcess, run_engine

TILLS = 24
HOSPITALS = 6
PAYMENTS_A_ROUND = 150


class Day:
    """What the tills asked for, and what they were told."""

    def __init__(self, guide: SandboxGuide, seed: int) -> None:
        """Tills of one hospital, cards that can pay."""
        self._cards = [(int(card.device_no), base64.b64decode(card.totp_key)) for card in guide.cards[:5_000]]
        self._turn = itertools.count(seed % 5_000)
        self._clock = Clock()
        self._orders = itertools.count()
        self.run = f"K{seed}"
        self.acknowledged: dict[str, str] = {}  # order number -> payment id
        self.refused: set[str] = set()
        self.asked: set[str] = set()

    @property
    def answered(self) -> int:
        """How many orders have their answer."""
        return len(self.acknowledged) + len(self.refused)

    def code(self) -> str:
        """A code that nobody else gets."""
        turn = next(self._turn)
        device_no, key = self._cards[turn % len(self._cards)]
        return pay_code_at(key, device_no, turn // len(self._cards) % 10, self._clock.business_s())

    def order_no(self) -> str:
        """A new order number."""
        order_no = f"{self.run}-{next(self._orders)}"
        self.asked.add(order_no)
        return order_no


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A folder that goes with the test."""
    with tempfile.TemporaryDirectory(prefix="engine-kill-") as folder:
        yield Path(folder) / "data"


@pytest.mark.timeout(3_600)
def test_no_acknowledged_payment_is_lost_or_doubled(data_dir: Path, request: pytest.FixtureRequest) -> None:
    seed = request.config.getoption("--seed")
    seed = secrets.randbelow(2**31) if seed is None else seed
    rounds = 50 if request.config.getoption("--full") else 5
    print(f"seed {seed}, {rounds} kills")  # noqa: T201  the seed is what makes a failure repeatable
    engine = EngineProcess(data_dir)
    try:
        day = Day(engine.guide, seed)
        chance = random.Random(seed)
        for number in range(rounds):
            engine = asyncio.run(_round(engine, day, chance, kills_database=number % 2 == 1))
        asyncio.run(_compare(engine.guide, day))
        assert engine.stop() == 0
    finally:
        engine.end()
    verified = run_engine("verify", "--data-dir", str(data_dir))
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert "books balance" in verified.stdout


async def _round(engine: EngineProcess, day: Day, chance: random.Random, *, kills_database: bool) -> EngineProcess:
    """Tills pay; at a random payment the engine or its database is killed; each till asks until it is told."""
    killed_at = chance.randrange(20, PAYMENTS_A_ROUND - 40)
    started = day.answered
    running = [engine]
    is_due, enough = asyncio.Event(), asyncio.Event()

    async def till(name: str) -> None:
        while not enough.is_set():
            order_no, code = day.order_no(), day.code()
            while not await _is_answered(running[0].guide, name, order_no, code, day):
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
            tasks.create_task(till(f"hospital-{number % HOSPITALS + 1:02d}"))
        tasks.create_task(killer())
    return running[0]


async def _is_answered(guide: SandboxGuide, name: str, order_no: str, code: str, day: Day) -> bool:
    """Ask once. A refusal is an answer; only the two that this day can bring are expected."""
    refusal = None
    try:
        day.acknowledged[order_no] = await _pay(guide, name, order_no, code)
    except Refused as refused:
        refusal = refused.problem.code
        day.refused.add(order_no)
    except Unreachable:
        return False
    assert refusal in (None, "insufficient-funds", "pay-code-expired")
    return True


async def _pay(guide: SandboxGuide, name: str, order_no: str, code: str) -> str:
    caller = guide.caller(name)
    credentials = Credentials.load(keyid=caller.keyid, alg=caller.alg, key=caller.key)
    async with EngineClient(guide.base_url, credentials) as client:
        payment = await client.pay(
            pay_code=code,
            order_no=order_no,
            amount=100,
            scenario="outpatient",
            terminal_id=(caller.terminals or ("",))[0],
            key=order_no,
        )
    return payment.id


async def _compare(guide: SandboxGuide, day: Day) -> None:
    """Every acknowledged payment is there as it was acknowledged; no order has more than one."""
    found: dict[str, list[str]] = {}
    async with aiohttp.ClientSession() as session:
        for number in range(1, HOSPITALS + 1):
            caller = guide.caller(f"hospital-{number:02d}")
            credentials = Credentials.load(keyid=caller.keyid, alg=caller.alg, key=caller.key)
            client = EngineClient(guide.base_url, credentials, session=session)
            cursor: dict[str, str] = {}
            while True:
                page = await client.payments(limit="200", status="captured", **cursor)
                for payment in page.items:
                    found.setdefault(payment.order_no, []).append(payment.id)
                if page.next_cursor is None:
                    break
                cursor = {"cursor": page.next_cursor}
    ours = {order_no: ids for order_no, ids in found.items() if order_no.startswith(day.run)}
    assert {order_no: [payment] for order_no, payment in day.acknowledged.items()} == ours
    assert day.asked == day.acknowledged.keys() | day.refused
