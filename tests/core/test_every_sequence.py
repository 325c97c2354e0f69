"""Everything that can happen to one order of two tenders, in every sequence, beside a model that was written apart.

What follows a command that changes nothing is what follows without it, and that is walked anyway: so every sequence of
the length below is covered, and far fewer are walked.
"""

import copy
from datetime import timedelta
from typing import Final

import msgspec

from engine.core.accounts import merchant_payable
from engine.core.authorization import CONFIRM_WITHIN_S
from engine.core.books import Books, Hold
from engine.core.commands import AnyCommand, Concern
from engine.core.payments import Payment
from engine.core.postings import Posting, Totals, fold
from tests.core.books_builders import (
    HOLD_S,
    MERCHANT,
    NOON,
    TODAY,
    UNKNOWN_PAYMENT,
    a_cancel,
    a_capture,
    a_payer,
    a_refund,
    a_void,
    an_authorize,
    an_expire,
    carry_out,
    later,
    payer_in,
    snapshot_of,
    some_books,
)
from tests.core.ways import a_confirm

LENGTH, LENGTH_IN_FULL = 7, 10
ORDER: Final = "A"
AMOUNT, PART, BACK = 600, 250, 150
PERSONAL, BANK = 400, 200  # what the two tenders pay of it
TIME_OUT: Final = "time out"
ACTIONS: Final = (
    "hold",
    "pay late",
    "ask to hold",
    "ask to pay",
    "confirm",
    "capture part",
    "capture rest",
    "void",
    "expire",
    "refund part",
    "refund rest",
    "cancel",
    TIME_OUT,
)


class Model:
    """One order, in plain numbers. A part of the money is a pair: of the personal account, of the bank card."""

    def __init__(self) -> None:
        self.now, self.ends, self.order, self.state, self.after = 0, 0, "free", "none", ""
        self.captured, self.refunded, self.events = [0, 0], [0, 0], 0

    def do(self, action: str) -> str | None:
        """Let it happen. Returns why not."""
        before = (self.state, self.captured, self.refunded)
        why_not = self.happen(action)
        self.events += before != (self.state, self.captured, self.refunded)
        return why_not

    def happen(self, action: str) -> str | None:
        is_late, is_held, was = self.now >= self.ends, self.state in ("authorized", "awaiting_user"), self.state
        if action in ("hold", "pay late", "ask to hold", "ask to pay"):
            if self.order != "free":
                paid = (is_held and not is_late) or self.state in ("captured", "partially_refunded")
                return (
                    "order_cancelled" if self.order == "gone" else f"order_{'already_paid' if paid else 'number_used'}"
                )
            self.order, self.state = "paid", "authorized"
            self.ends = self.now + (CONFIRM_WITHIN_S if action.startswith("ask") else HOLD_S)
            if action.startswith("ask"):
                self.state, self.after = "awaiting_user", action
            elif action == "pay late":
                self.take(AMOUNT, is_final=True)
        elif action == "cancel":
            self.order = "gone" if self.order == "free" else self.order
            if is_held:
                self.state = "captured" if sum(self.captured) else "voided"
            if self.state in ("captured", "partially_refunded"):
                self.give(sum(self.captured) - sum(self.refunded))
        elif self.order != "paid":
            return "payment_state_conflict" if action == "expire" else "payment_not_found"
        elif action == "confirm":
            if self.state == "timed out" or (self.state == "awaiting_user" and is_late):
                return "confirmation_timeout"
            if self.state != "awaiting_user":
                return "payment_state_conflict"
            self.state, self.ends = "authorized", self.now + HOLD_S
            if self.after == "ask to pay":
                self.take(AMOUNT, is_final=True)
        elif action.startswith("refund"):
            left, amount = sum(self.captured) - sum(self.refunded), BACK
            if self.state not in ("captured", "partially_refunded"):
                return "payment_state_conflict"
            if action == "refund part" and left < BACK:
                return "refund_exceeds_payment"
            self.give(left if action == "refund rest" else amount)
        elif not is_held or is_late != (action == "expire"):
            return "payment_state_conflict"
        elif action in ("void", "expire"):
            ends_as = {"void": "voided", "expire": "expired" if was == "authorized" else "timed out"}
            self.state = "captured" if sum(self.captured) else ends_as[action]
        elif self.state == "awaiting_user":
            return "payment_state_conflict"
        else:
            held = AMOUNT - sum(self.captured)
            if action == "capture part" and held < PART:
                return "capture_exceeds_authorization"
            self.take(PART if action == "capture part" else held, is_final=action == "capture rest")
        return None

    def take(self, amount: int, *, is_final: bool) -> None:
        total = sum(self.captured) + amount
        self.captured = [min(total, PERSONAL), max(0, total - PERSONAL)]
        self.state = "captured" if is_final else self.state

    def give(self, amount: int) -> None:
        total = sum(self.refunded) + amount
        self.refunded = [max(0, total - self.captured[1]), min(total, self.captured[1])]
        self.state = "refunded" if self.refunded == self.captured else "partially_refunded"

    def picture(self) -> dict[str, object]:
        """What the books have to show."""
        is_held = self.state in ("authorized", "awaiting_user")
        held = [PERSONAL - self.captured[0], BANK - self.captured[1]] if is_held else [0, 0]
        return {
            "state": {"timed out": "voided"}.get(self.state, self.state),
            "is too late": self.state == "timed out",
            "captured": self.captured,
            "refunded": self.refunded,
            "sequence": self.events,
            "left in the account": PERSONAL - self.captured[0] - held[0] + self.refunded[0],
            "spent of the allowance": self.captured[1] + held[1],
            "merchant": (sum(held), sum(self.captured) - sum(self.refunded)),
            "holds": [self.ends] if is_held else [],
        }


class Walk(msgspec.Struct, frozen=True, kw_only=True):
    """How far one sequence has come. Each command is in a batch of its own."""

    path: tuple[str, ...] = ()
    books: Books
    model: Model
    postings: tuple[Posting, ...] = ()
    holds: frozenset[Hold] = frozenset()


def test_every_sequence_is_as_the_model_says(is_full: bool) -> None:
    states: set[str] = set()
    begin = Walk(books=some_books(a_payer(personal=PERSONAL, allowance=10_000)), model=Model())
    explore(begin, LENGTH_IN_FULL if is_full else LENGTH, states)
    assert states == {
        "none",
        "authorized",
        "awaiting_user",
        "captured",
        "partially_refunded",
        "refunded",
        "voided",
        "expired",
        "timed out",
    }


def explore(walk: Walk, length: int, states: set[str]) -> None:
    """Let everything happen next, and after each everything again."""
    states.add(walk.model.state)
    if length == 0:
        return
    for action in ACTIONS:
        model = copy.deepcopy(walk.model)
        path = (*walk.path, action)
        if action == TIME_OUT:
            model.now += HOLD_S
            books = later(walk.books, timedelta(seconds=HOLD_S))
            explore(msgspec.structs.replace(walk, path=path, books=books, model=model), length - 1, states)
            continue
        books = later(walk.books)
        before = snapshot_of(books)
        decision = carry_out(books, command_of(action, books))
        expected = model.do(action)
        assert decision.answer.refusal == expected, path
        if snapshot_of(books) == before:
            continue
        assert expected is None, path
        after = Walk(
            path=path,
            books=books,
            model=model,
            postings=walk.postings + decision.postings,
            holds=(walk.holds | books.holds_opened) - books.holds_closed,
        )
        assert books.holds_closed <= walk.holds, path
        assert picture_of(after) == model.picture(), path
        explore(after, length - 1, states)


def payment_in(books: Books) -> Payment | None:
    return next(iter(books.seen.payments.values()), None)


def command_of(action: str, books: Books) -> AnyCommand:
    """The command that an action is, with everything that it needs to know of the books."""
    payment = payment_in(books)
    of = payment.id if payment is not None else UNKNOWN_PAYMENT
    left = payment.captured_amount - payment.refunded_amount if payment is not None else 0
    match action:
        case "hold" | "pay late":
            return an_authorize(amount=AMOUNT, order_no=ORDER, capture=action == "pay late")
        case "ask to hold" | "ask to pay":
            return an_authorize(
                amount=AMOUNT, order_no=ORDER, capture=action == "ask to pay", concern=Concern.CHALLENGE
            )
        case "confirm":
            return a_confirm(of)
        case "capture part":
            return a_capture(of, amount=PART, final=False)
        case "capture rest":
            return a_capture(of)
        case "void":
            return a_void(of)
        case "expire":
            return an_expire(of)
        case "refund part":
            return a_refund(of, amount=BACK)
        case "refund rest":
            return a_refund(of, amount=max(left, 1))
        case _:
            return a_cancel(ORDER)


def picture_of(walk: Walk) -> dict[str, object]:
    payment, payer = payment_in(walk.books), payer_in(walk.books)
    merchant = fold(walk.postings).get(merchant_payable(MERCHANT), Totals())
    return {
        "state": payment.state.name.lower() if payment is not None else "none",
        "is too late": payment is not None and payment.refusal == "confirmation_timeout",
        "captured": [tender.captured for tender in payment.tenders] if payment is not None else [0, 0],
        "refunded": [tender.refunded for tender in payment.tenders] if payment is not None else [0, 0],
        "sequence": payment.sequence if payment is not None else 0,
        "left in the account": payer.personal_account_available,
        "spent of the allowance": payer.spent_on(TODAY),
        "merchant": (
            merchant.credits_pending - merchant.debits_pending,
            merchant.credits_posted - merchant.debits_posted,
        ),
        "holds": sorted((due - NOON).total_seconds() for due, _ in walk.holds),
    }
