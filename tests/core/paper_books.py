"""Books on paper: tables in dictionaries that take what a batch wants written, and nothing that does not fit.

They interpret the effects of a batch as strictly as the database does: a row is inserted once, and only what is there
is changed or deleted.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

import msgspec

from engine.core.accounts import AccountId
from engine.core.answers import Remembered
from engine.core.books import AnswerKey, Books, CodeUse, Control, Hold, Order, OrderKey, Seen
from engine.core.calendar import CycleNumber, cut_over_of, cycle_number
from engine.core.commands import AnyCommand
from engine.core.decide import decide, decide_repeat
from engine.core.ids import PaymentId
from engine.core.payments import Payment, Refund
from engine.core.postings import Posting, Totals, fold, is_kept_on_payer
from engine.ledger.queue import Outcome
from tests.core.books_builders import NOON, TODAY
from tests.core.city import City
from tests.core.steps import CloseCycle, Wait

Key = TypeVar("Key")
Value = TypeVar("Value")
NO_TOTALS: Final = Totals()


class PaperBooks:
    """The tables of one city."""

    def __init__(self, city: City) -> None:
        """Nothing has happened yet; it is noon."""
        self.city = city
        self.now: datetime = NOON
        self.control = _first_cycle()
        self.payers = {payer.id: payer for payer in city.payers}
        self.payments: dict[PaymentId, Payment] = {}
        self.orders: dict[OrderKey, Order] = {}
        self.codes: set[CodeUse] = set()
        self.refunds: dict[tuple[PaymentId, str], Refund] = {}
        self.holds: set[Hold] = set()
        self.postings: list[Posting] = []
        self.balances: dict[AccountId, Totals] = {}
        self.answers: dict[AnswerKey, Remembered] = {}

    def submit(self, commands: Sequence[AnyCommand]) -> list[tuple[AnyCommand, Outcome]]:
        """Decide the commands in as few batches as there can be: a key is in a batch once."""
        outcomes: list[tuple[AnyCommand, Outcome]] = []
        left = list(commands)
        while left:
            batch, later = _one_of_each_key(left)
            outcomes.extend(self._decide_batch(batch))
            left = later
        return outcomes

    def wait(self, wait: Wait) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=wait.seconds)

    def close_cycle(self, closing: CloseCycle) -> None:
        """Close the open cycle, and open the next."""
        day = self.control.business_date
        cycle = CycleNumber(self.control.cycle + 1)
        if closing.is_next_day:
            day += timedelta(days=1)
            cycle = cycle_number(day, 1)
        self.control = msgspec.structs.replace(self.control, business_date=day, cycle=cycle)

    def seen(self) -> Seen:
        """A copy of everything, as a batch reads it."""
        return Seen(
            control=self.control,
            now=self.now,
            payers=dict(self.payers),
            payments=dict(self.payments),
            orders=dict(self.orders),
            codes_used=set(self.codes),
            devices=self.city.devices,
            merchants=self.city.merchants,
            terminals=self.city.terminals,
            refund_numbers=set(self.refunds),
            rules=self.city.rules,
        )

    def _decide_batch(self, commands: Sequence[AnyCommand]) -> list[tuple[AnyCommand, Outcome]]:
        books = Books(self.seen())
        outcomes = []
        for n, command in enumerate(commands):
            key = _answer_key(command)
            earlier = self.answers.get(key) if key is not None else None
            if earlier is not None:
                answer = decide_repeat(earlier, command)
                outcomes.append((command, Outcome(answer, answer is earlier.answer)))
                continue
            decision = decide(books, command)
            books.apply(n, command, decision)
            outcomes.append((command, Outcome(decision.answer, False)))
            if key is not None:
                self.answers[key] = Remembered(command.facts(), decision.answer)
        self._write(books)
        return outcomes

    def _write(self, books: Books) -> None:
        _insert(self.orders, books.orders_new)
        _update(self.payments, books.payments_changed)  # first: a statement does not see the rows that it inserts
        _insert(self.payments, books.payments_new)
        _update(self.payers, books.payers_changed)
        _insert(self.refunds, {(refund.payment, refund.refund_no): refund for refund in books.refunds_new})
        assert len(books.codes_new) == len(set(books.codes_new) - self.codes), "a code is used once"
        self.codes |= set(books.codes_new)
        assert not books.holds_opened & self.holds, "a hold is opened once"
        assert books.holds_closed <= self.holds, "only an open hold is closed"
        self.holds = (self.holds | books.holds_opened) - books.holds_closed
        new = [posting[-1] for posting in books.postings]
        self.postings.extend(new)
        for account, change in fold(new).items():
            if not is_kept_on_payer(account):
                self.balances[account] = added(self.balances.get(account, NO_TOTALS), change)


def added(one: Totals, other: Totals) -> Totals:
    """The sums of four totals."""
    return Totals(*(getattr(one, name) + getattr(other, name) for name in Totals.__struct_fields__))


def _first_cycle() -> Control:
    cycle = cycle_number(TODAY, 1)
    return Control(
        business_date=TODAY, cycle=cycle, cutoff_at=cut_over_of(TODAY).astimezone(UTC), published_cycle=CycleNumber(0)
    )


def _answer_key(command: AnyCommand) -> AnswerKey | None:
    return (command.caller, command.operation, command.key) if command.key is not None else None


def _one_of_each_key(commands: Sequence[AnyCommand]) -> tuple[list[AnyCommand], list[AnyCommand]]:
    batch: list[AnyCommand] = []
    later: list[AnyCommand] = []
    keys = set()
    for command in commands:
        key = _answer_key(command)
        (later if key is not None and key in keys else batch).append(command)
        keys.add(key)
    return batch, later


def _insert(table: dict[Key, Value], rows: Mapping[Key, Value]) -> None:
    assert not table.keys() & rows.keys(), "a row is inserted once"
    table.update(rows)


def _update(table: dict[Key, Value], rows: Mapping[Key, Value]) -> None:
    assert rows.keys() <= table.keys(), "only what is there is changed"
    table.update(rows)
