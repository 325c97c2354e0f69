"""The rules of a payment: its row and what its events and postings add up to go in, the first violation comes out."""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from operator import attrgetter
from typing import Final, NamedTuple

import msgspec

from engine.core.ids import PaymentId
from engine.core.payments import HELD, Details, Payment, State, Tender, TenderKind
from engine.core.refusals import Refusal
from engine.core.violations import Violation, ViolationKind, Where, name_of


class PaymentFold(NamedTuple):
    """What a payment's events and postings add up to. Units: fen; counts are of events, by their kind."""

    opened: int
    captures: int  # final ones, those at once included
    parts: int
    declined: int
    voided: int
    lapsed: int
    refunds: int
    held: int
    released: int
    captured: int
    refunded: int
    first_cycle: int | None  # of what was captured
    last_cycle: int | None
    captured_on: date | None
    first_refund_cycle: int | None
    last_refund_cycle: int | None
    captured_at: datetime | None
    opened_on: date | None


class RefundFold(NamedTuple):
    """What a payment's refund rows add up to. Units: fen."""

    number: int
    amount: int
    first_cycle: int | None
    last_cycle: int | None


class PaymentSeen(NamedTuple):
    """One payment as it is stored, with everything that must agree with it."""

    id: PaymentId
    is_stored: bool
    payment: Payment | None  # None as well when the row cannot be read
    captured: int
    refunded: int
    fold: PaymentFold
    refunds: RefundFold
    original: Payment | None  # as its first event remembers it
    hold_due: datetime | None
    order_payment: bytes | None  # what claims its order number


def payment_violation(seen: PaymentSeen) -> Violation | None:
    """The first rule that a payment breaks."""
    payment = seen.payment
    if payment is None:
        if seen.is_stored:
            return _of_payment(ViolationKind.PAYMENT_UNREADABLE, seen, "a payment", "something else")
        return _of_payment(ViolationKind.PAYMENT_MISSING, seen, "a payment", "its events and postings only")
    for rule in _PAYMENT_RULES:
        violation = rule(seen, payment)
        if violation is not None:
            return violation
    return None


def _authorized_once(seen: PaymentSeen, _: Payment) -> Violation | None:
    """Something that was never on hold was captured by the event that authorized it."""
    fold = seen.fold
    count = fold.opened + fold.declined + (0 if fold.held else fold.captures)
    if count == 1:
        return None
    return _of_payment(ViolationKind.PAYMENT_NOT_AUTHORIZED_ONCE, seen, "one authorization", str(count))


def _captured_in_one_cycle(seen: PaymentSeen, _: Payment) -> Violation | None:
    """Only a payment that is captured in parts may be in several cycles, one for each part."""
    fold = seen.fold
    if fold.first_cycle == fold.last_cycle or fold.parts:
        return None
    return _of_payment(ViolationKind.PAYMENT_IN_TWO_CYCLES, seen, str(fold.first_cycle), str(fold.last_cycle))


def _captured_once(seen: PaymentSeen, _: Payment) -> Violation | None:
    if seen.fold.captures <= 1:
        return None
    return _of_payment(ViolationKind.PAYMENT_CAPTURED_TWICE, seen, "one final capture at most", str(seen.fold.captures))


def _sums_are_its_postings(seen: PaymentSeen, payment: Payment) -> Violation | None:
    fold = seen.fold
    authorized = 0 if payment.state is State.DECLINED else payment.amount
    pending = payment.amount - seen.captured if payment.state in HELD else 0
    expected = (fold.held or fold.captured, fold.captured, fold.refunded, fold.held - fold.released)
    actual = (authorized, seen.captured, seen.refunded, pending)
    if expected == actual:
        return None
    form = "authorized {}, captured {}, refunded {}, on hold {}"
    return _of_payment(ViolationKind.PAYMENT_SUMS_WRONG, seen, form.format(*expected), form.format(*actual))


def _cycle_is_its_first_capture(seen: PaymentSeen, payment: Payment) -> Violation | None:
    fold = seen.fold
    expected = (fold.first_cycle, fold.captured_on or fold.opened_on, fold.captured_at)
    actual = (payment.cycle, payment.business_date, payment.captured_at)
    if expected == actual:
        return None
    return _of_payment(ViolationKind.PAYMENT_CYCLE_WRONG, seen, _texts(*expected), _texts(*actual))


_AGREES: Final[Mapping[State, Callable[[PaymentFold], bool]]] = {
    State.AWAITING_USER: lambda f: f.opened == 1 and not (f.captured or f.voided or f.lapsed),
    State.AUTHORIZED: lambda f: f.opened == 1 and not (f.captures or f.voided or f.lapsed or f.refunded),
    State.CAPTURED: lambda f: f.captured > 0 and not f.refunded,
    State.PARTIALLY_REFUNDED: lambda f: 0 < f.refunded < f.captured,
    State.REFUNDED: lambda f: 0 < f.refunded == f.captured,
    State.VOIDED: lambda f: f.voided == 1 and not f.captured,
    State.EXPIRED: lambda f: f.lapsed == 1 and not f.captured,
    State.DECLINED: lambda f: f.declined == 1 and not (f.held or f.captured or f.refunded),
}


def _state_agrees(seen: PaymentSeen, payment: Payment) -> Violation | None:
    is_refused = payment.refusal is not None and payment.refusal != Refusal.CONFIRMATION_TIMEOUT.value
    is_late = payment.refusal == Refusal.CONFIRMATION_TIMEOUT.value
    is_told = is_refused is (payment.state is State.DECLINED) and not (is_late and payment.state is not State.VOIDED)
    if is_told and _AGREES[payment.state](seen.fold):
        return None
    expected = f"a state that captured {seen.fold.captured}, refunded {seen.fold.refunded} and its events lead to"
    return _of_payment(ViolationKind.PAYMENT_STATE_WRONG, seen, expected, payment.state.name)


_FIXED: Final = (
    "id",
    "region",
    "merchant",
    "payer",
    "order_no",
    "scenario",
    "mode",
    "terminal_id",
    "description",
    "limit_day",
    "created_at",
    "bill_no",
    "limit",
    "family",
)
_fixed: Final = attrgetter(*_FIXED)


def _is_as_authorized(seen: PaymentSeen, payment: Payment) -> Violation | None:
    original = seen.original
    if original is None:
        return _of_payment(ViolationKind.PAYMENT_ALTERED, seen, "an event that shows it", "none")
    if _fixed(payment) != _fixed(original):
        name = next(field for field in _FIXED if getattr(payment, field) != getattr(original, field))
        # The values themselves may say what somebody bought: the column's name is enough to find them.
        return _of_payment(ViolationKind.PAYMENT_ALTERED, seen, f"{name} as authorized", "another")
    if not payment.tenders and payment.amount != original.amount:  # else it is what the tenders sum to
        return _of_payment(ViolationKind.PAYMENT_ALTERED, seen, "amount as authorized", "another")
    if original.refusal is not None and payment.refusal != original.refusal:
        return _of_payment(ViolationKind.PAYMENT_ALTERED, seen, "refusal as authorized", "another")
    if payment.refusal == Refusal.CONFIRMATION_TIMEOUT.value and original.state is not State.AWAITING_USER:
        return _of_payment(ViolationKind.PAYMENT_ALTERED, seen, "refusal as authorized", "another")
    if not _has_details_of(payment, original):
        return _of_payment(ViolationKind.PAYMENT_ALTERED, seen, "details as authorized, raised and billed", "others")
    # The hold of what was confirmed is counted from the confirmation: the open hold says until when.
    if original.state is not State.AWAITING_USER and payment.expires_at not in (None, original.expires_at):
        return _of_payment(ViolationKind.PAYMENT_ALTERED, seen, "expires_at as authorized", "another")
    return None


def _has_details_of(payment: Payment, original: Payment) -> bool:
    """As authorized, but for how much was raised, which the tenders tell, and for a claim that comes with a capture.

    The figures of such a claim have to be those that the payment has captured.
    """
    if payment.details == original.details:
        return True
    was, now = original.details or Details(), payment.details or Details()
    if was.claim is None and now.claim is not None:
        funded = sum(tender.captured for tender in payment.tenders if tender.kind is TenderKind.POOL_FUND)
        if now.claim.total != payment.captured_amount or now.claim.pool > funded:
            return False
        now = msgspec.structs.replace(now, claim=None)
    return msgspec.structs.replace(now, raised=was.raised) == was


def _grown(payment: Payment, original: Payment) -> list[Tender]:
    """What a deposit has beyond what was authorized: what was put on hold later, and the funds of its final bill."""
    was = {tender.source: tender.amount for tender in original.tenders}
    grown = []
    for tender in payment.tenders:
        more = tender.amount - was.get(tender.source, 0)
        if more:
            grown.append(Tender(tender.kind, tender.source, more, 0, 0))
    return grown


def _has_grown_rightly(payment: Payment, original: Payment) -> bool:
    """Own money as far as it was raised, and the funds' of a bill that came with the capture; nothing else."""
    details, grown = payment.details, _grown(payment, original)
    raised = sum(tender.amount for tender in grown if tender.kind is not TenderKind.POOL_FUND)
    funded = sum(tender.amount for tender in grown if tender.kind is TenderKind.POOL_FUND)
    has_bill = details is not None and details.claim is not None and original.claim is None
    kept = {tender.source for tender in payment.tenders}
    return (
        all(tender.amount > 0 for tender in grown)
        and raised == (details.raised if details is not None else 0)
        and (has_bill or not funded)
        and all(tender.source in kept for tender in original.tenders)
    )


def _tenders_sum(seen: PaymentSeen, payment: Payment) -> Violation | None:
    """What each tender takes, and from where, never changes; what it captured and gave back sums to the payment's."""
    assert seen.original is not None, "an earlier rule wants it"
    authorized = captured = refunded = 0
    kinds = {tender.source: tender.kind for tender in seen.original.tenders}
    is_sound = _has_grown_rightly(payment, seen.original)
    for tender in payment.tenders:
        authorized += tender.amount
        captured += tender.captured
        refunded += tender.refunded
        is_sound &= 0 <= tender.refunded <= tender.captured <= tender.amount
        is_sound &= kinds.get(tender.source, tender.kind) is tender.kind
    expected = (0 if payment.state is State.DECLINED else payment.amount, seen.captured, seen.refunded)
    actual = (authorized, captured, refunded)
    if expected == actual and is_sound:
        return None
    form = "the tenders authorized, summing to {}, captured {}, refunded {}"
    return _of_payment(ViolationKind.TENDERS_WRONG, seen, form.format(*expected), "{}, {}, {}".format(*actual))


def _refunds_sum(seen: PaymentSeen, _: Payment) -> Violation | None:
    fold = seen.fold
    expected = RefundFold(fold.refunds, fold.refunded, fold.first_refund_cycle, fold.last_refund_cycle)
    if expected == seen.refunds:
        return None
    return _of_payment(ViolationKind.REFUNDS_WRONG, seen, _texts(*expected), _texts(*seen.refunds))


def _hold_is_open(seen: PaymentSeen, payment: Payment) -> Violation | None:
    due = payment.expires_at if payment.state in HELD else None
    if due == seen.hold_due and (due is not None or payment.state not in HELD):
        return None
    return _of_payment(ViolationKind.HOLD_WRONG, seen, _texts(due), _texts(seen.hold_due))


def _order_is_claimed(seen: PaymentSeen, payment: Payment) -> Violation | None:
    is_claimed = seen.order_payment == payment.id
    if is_claimed is not (payment.state is State.DECLINED):
        return None
    expected = "no order number of a declined payment" if is_claimed else "its order number"
    return _of_payment(ViolationKind.ORDER_WRONG, seen, expected, "claimed" if is_claimed else "not claimed")


_PAYMENT_RULES: Final = (
    _authorized_once,
    _captured_in_one_cycle,
    _captured_once,
    _sums_are_its_postings,
    _cycle_is_its_first_capture,
    _state_agrees,
    _is_as_authorized,
    _tenders_sum,
    _refunds_sum,
    _hold_is_open,
    _order_is_claimed,
)


def _of_payment(kind: ViolationKind, seen: PaymentSeen, expected: str, actual: str) -> Violation:
    return Violation(kind, Where(payment=name_of(seen.id)), expected, actual)


def _texts(*values: object) -> str:
    return ", ".join("none" if value is None else str(value) for value in values)
