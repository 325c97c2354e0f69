"""A machine that lets anything happen to some books and to the reference, and compares the two after every step."""

import itertools
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from hypothesis.stateful import RuleBasedStateMachine, rule
from hypothesis.strategies import sampled_from

from engine.core.books import OrderKey
from engine.core.commands import AnyCommand, Authorize, CancelOrder, Capture, Confirm, Expire, RefundPayment, Void
from engine.core.ids import PaymentId
from engine.ledger.queue import Outcome
from tests.core.city import City, a_city
from tests.core.paper_books import PaperBooks
from tests.core.steps import HAPPENINGS, BringIn, Clerk, CloseCycle, Step, Wait
from tests.invariants.pictures import Tables, picture_of, words_of
from tests.invariants.reference import Reference

DAYS_MAX: Final = 10  # partitions are made for so many days ahead, and a few more
FUNDED: Final = (BringIn(card=0, amount=450), BringIn(card=2, amount=300))
_city_numbers = itertools.count(1)


class ComparedBooks(Protocol):
    """Books that can be asked and looked at."""

    lane_count: int

    def submit(self, commands: Sequence[AnyCommand]) -> list[tuple[AnyCommand, Outcome]]:
        """Decide commands that come at once. Returns them in the order in which they were decided."""

    def wait(self, wait: Wait) -> None:
        """Let time pass."""

    def close_cycle(self, closing: CloseCycle) -> None:
        """Go on to the next cycle."""

    def tables(self) -> Tables:
        """What the books hold now."""


class ComparedPaperBooks(PaperBooks):
    """Paper books that can be looked at."""

    lane_count = 1

    def tables(self) -> Tables:
        """What the books hold now."""
        return Tables(
            day=self.control.business_date,
            payers=self.payers.values(),
            payments=self.payments.values(),
            orders=self.orders,
            holds={payment for _, payment in self.holds},
            balances=self.balances,
            refunds=self.refunds,
        )


class LedgerMachine(RuleBasedStateMachine):
    """Commands gather until one is the last; then all of them are submitted at once."""

    def __init__(self, open_books: Callable[[City], ComparedBooks]) -> None:
        """A new city in the books that *open_books* gives."""
        super().__init__()
        self._city = a_city(next(_city_numbers))
        self._books = open_books(self._city)
        self._clerk = Clerk(self._city)
        self._reference = Reference(self._city, self._books.tables().day)
        self._gathered: list[AnyCommand] = []
        self._orders: dict[PaymentId, OrderKey] = {}
        self._days = 0
        for step in FUNDED:
            self.happen(step, is_last=True)

    @rule(what=HAPPENINGS, is_last=sampled_from([False, False, True]))
    def happen(self, what: Step | Wait | CloseCycle, is_last: bool) -> None:
        """Something happens, and both books are the same afterwards."""
        match what:
            case Wait():
                self._submit()
                self._books.wait(what)
                self._reference.now += what.seconds
            case CloseCycle():
                self._submit()
                self._close_cycle(what)
            case _:
                command = self._clerk.make(what)
                if isinstance(command, Authorize):
                    self._orders[command.payment] = (command.merchant, command.order_no)
                if command.key is None or self._races_for_an_order(command):
                    self._submit()
                self._gathered.append(command)
                if is_last or command.key is None:  # the engine's own: nothing tells afterwards when it was decided
                    self._submit()

    def teardown(self) -> None:
        """Submit what has gathered."""
        self._submit()

    def _races_for_an_order(self, command: AnyCommand) -> bool:
        """True if two lanes could look at one order at once: then either may be first, whatever the clock says."""
        order, claims = self._order_of(command), isinstance(command, Authorize | CancelOrder)
        return self._books.lane_count > 1 and any(
            order == self._order_of(other) and (claims or isinstance(other, Authorize | CancelOrder))
            for other in self._gathered
        )

    def _order_of(self, command: AnyCommand) -> OrderKey | None:
        """The order that a command is about."""
        match command:
            case Authorize() | CancelOrder():
                return (command.merchant, command.order_no)
            case Confirm() | Capture() | Void() | RefundPayment() | Expire():
                return self._orders.get(command.payment)
            case _:
                return None

    def _close_cycle(self, closing: CloseCycle) -> None:
        if self._days + closing.is_next_day <= DAYS_MAX:
            self._days += closing.is_next_day
            self._books.close_cycle(closing)
            self._reference.close_cycle(is_next_day=closing.is_next_day)

    def _submit(self) -> None:
        gathered, self._gathered = self._gathered, []
        if not gathered:
            return
        for command, outcome in self._books.submit(gathered):
            self._clerk.hear(command, outcome)
            assert words_of(outcome) == self._reference.ask(command)
        assert picture_of(self._books.tables()) == self._reference.picture()
