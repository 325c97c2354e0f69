"""What the reference keeps in mind: cardholders, sales and their parts, in plain numbers that change in place."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from engine.core.commands import Authorize
from engine.core.payer import TenderOrder

HELD: Final = ("authorized", "awaiting_user")
REFUND_WINDOW_S: Final = 365 * 86_400
CONFIRM_S, REVIEW_S = 120, 86_400
NO_PASSWORD_UP_TO: Final = 100_000  # in a pharmacy
PASSWORD_VERSION, TRIES_MAX = 1, 5
SOURCES: Final = {
    TenderOrder.PERSONAL_ACCOUNT_FIRST: ("personal_account", "bank_card"),
    TenderOrder.BANK_CARD_ONLY: ("bank_card",),
    TenderOrder.PERSONAL_ACCOUNT_ONLY: ("personal_account",),
}

Words = dict[str, object]


class RefusedError(Exception):
    """A rule says no."""

    def __init__(self, refusal: str, about: str | None = None, **more: object) -> None:
        """The rule, the field that it is about, and what else is told."""
        super().__init__(refusal)
        self.words: Words = {"refusal": refusal, **({"field": about} if about else {}), **more}


@dataclass
class Cardholder:
    """One card."""

    bank: str
    order: TenderOrder
    may_pay: bool
    no_password_up_to: int
    status: str = "active"
    tries: int = 0


@dataclass
class Part:
    """One tender."""

    kind: str
    source: str
    back_to: str
    amount: int
    captured: int = 0
    refunded: int = 0

    @property
    def is_fund(self) -> bool:
        """Paid by the insurance."""
        return self.kind == "pool_fund"

    @property
    def held(self) -> int:
        """Fen that are neither captured nor let go of."""
        return self.amount - self.captured


@dataclass
class Sale:
    """One payment."""

    asked: Authorize
    card: str
    day: date
    ends_at: int
    state: str = "authorized"
    refusal: str | None = None
    parts: list[Part] = field(default_factory=list)
    booked: tuple[date, int] | None = None
    captured_at: int = 0
    is_confirmed: bool = False
    is_review: bool = False
    fund: int = 0
    sequence: int = 1

    def sum(self, what: str) -> int:
        """Fen of all parts."""
        return sum(getattr(part, what) for part in self.parts)

    def words(self) -> Words:
        """The payment as anybody sees it."""
        return {
            "order": self.asked.order_no,
            "amount": self.asked.amount,
            "state": self.state,
            "refusal": self.refusal,
            "parts": [(part.kind, part.source, part.amount, part.captured, part.refunded) for part in self.parts],
            "booked": self.booked or (self.day, None),
            "confirmed": self.is_confirmed,
            "fund": self.fund if self.asked.bill is not None and self.state != "declined" else None,
            "sequence": self.sequence,
        }


def moved(totals: Counter[str]) -> dict[str, int]:
    """The totals of an account that are anything."""
    return {name: amount for name, amount in totals.items() if amount}
