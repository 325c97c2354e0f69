"""Whatever is paid, given back, presented again and settled in whatever order: in the end every account is even but for
what the settlement bank has advanced, and the books are right.
"""

import random

import asyncpg
import pytest

from engine.core.clearing_lines import ClearingItem, FileKind
from engine.flows.receive_upload import Receipt
from tests.flows.busy_books import insured
from tests.flows.clearing_books import read_files
from tests.flows.return_books import Day, a_day
from tests.flows.test_other_postings import AREA

CYCLES = 4


class Chance:
    """Draws what happens in a day."""

    def __init__(self, day: Day, *, seed: int) -> None:
        """The same seed draws the same."""
        self._day = day
        self._draw = random.Random(seed)
        self._paid: list[tuple[object, int, int]] = []
        self.given_back = 0

    async def pay(self) -> None:
        """Some payments, and refunds of some of them."""
        day, draw = self._day, self._draw
        for _ in range(draw.randrange(2, 6)):
            card, merchant, amount = draw.randrange(4), draw.randrange(2), draw.randrange(300, 900)
            outcome = await day.ledger.submit(
                insured(day.world.authorize(card=card, merchant=merchant, amount=amount), amount=100)
            )
            assert outcome.answer.payment is not None
            if draw.random() < 0.3:
                part = draw.randrange(1, amount)
                await day.ledger.submit(day.world.refund(outcome.answer.payment.id, amount=part, merchant=merchant))

    async def give_back(self, cycle: int) -> None:
        """Some banks give back some lines of their files of a cycle; what cannot be given back is refused."""
        day, draw = self._day, self._draw
        for n in range(4):
            own = await day.cnaps(n)
            for file in await read_files(day.sql, cycle):  # type: ignore[arg-type]  # a number of a cycle
                if file.heading.receiver_bank != own or file.heading.kind is FileKind.NET:
                    continue
                items: list[ClearingItem] = [item for item in file.items if draw.random() < 0.3]
                for item in items:
                    self.given_back += isinstance(await day.give_back(n, [item]), Receipt)

    def is_settled_now(self) -> bool:
        """Whether a cycle is settled before something is given back."""
        return self._draw.random() < 0.5


@pytest.mark.parametrize("seed", range(3))
async def test_every_account_ends_even_but_for_what_is_advanced(dsn: str, sql: asyncpg.Connection, seed: int) -> None:
    async with a_day(dsn, sql) as day:
        chance = Chance(day, seed=seed)
        for _ in range(CYCLES):
            await chance.pay()
            cycle = await day.publish()
            if chance.is_settled_now():
                await day.settle(cycle)
            await chance.give_back(cycle)
        await day.publish()
        for row in await sql.fetch("SELECT cycle FROM clearing_run WHERE settled_at IS NULL ORDER BY cycle"):
            await day.settle(row["cycle"])
        assert chance.given_back > CYCLES
        left = await day.left()
        opened = left.pop(f"opening:{AREA}") + left.pop(f"fund:{AREA}:310200")
        assert opened == 0  # what is left in personal accounts was brought in
        assert {name for name in left if name.startswith(("bank", "merchant", "fund", "benefit"))} == set()
        held = sum(amount for name, amount in left.items() if name.startswith(("receivable", "suspense")))
        assert {name: amount for name, amount in left.items() if name.startswith("settlement")} == (
            {"settlement:bank-3": -held} if held else {}
        )
        await day.verify()
