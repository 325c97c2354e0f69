"""Deciding a command: one pure function for each, and the way in for all of them.

Each decision sees the books as the decisions before it left them, names the first rule that forbids the command, or
returns everything that follows from allowing it. Nothing here waits, reads a clock or draws a random number.
"""

from datetime import timedelta
from itertools import zip_longest
from typing import Final, assert_never

import msgspec

from engine.core import effects
from engine.core.accounts import opening, personal_account, pooling_area
from engine.core.answers import Answer, CancelOutcome, CardState, EventKind, Remembered
from engine.core.authorization import decide_authorize
from engine.core.books import Books, Decision, Order, answer_with, refuse
from engine.core.commands import (
    AnyCommand,
    Authorize,
    Book,
    CancelOrder,
    Capture,
    Expire,
    OpenAccount,
    RefundPayment,
    Reinstate,
    ReportLoss,
    Void,
)
from engine.core.ids import PaymentId, region_of
from engine.core.payer import CardStatus, Payer, give_back
from engine.core.payments import Move, Payment, Refund, State
from engine.core.postings import Phase, Posting, PostingKind, is_kept_on_payer
from engine.core.refusals import Refusal
from engine.core.scenarios import BY_NUMBER

CANCEL_REFUND_NO: Final = "$cancel"
"""The refund number of the refund that cancelling an order makes; no merchant can send this one."""


def decide(books: Books, command: AnyCommand) -> Decision:
    """Decide a command whose key is new. A refusal remembers the trace of the request that it refused."""
    decision = _decide(books, command)
    if decision.answer.refusal is None:
        return decision
    answer = msgspec.structs.replace(decision.answer, trace_id=command.trace_id)
    return msgspec.structs.replace(decision, answer=answer)


def _decide(books: Books, command: AnyCommand) -> Decision:
    if type(command) is Authorize:  # nine in ten, and a class pattern costs a microsecond
        return decide_authorize(books, command)
    match command:
        case Authorize():
            return decide_authorize(books, command)
        case Capture():
            return decide_capture(books, command)
        case Void():
            return decide_void(books, command)
        case Expire():
            return decide_expire(books, command)
        case RefundPayment():
            return decide_refund(books, command)
        case CancelOrder():
            return decide_cancel(books, command)
        case ReportLoss():
            return _decide_status(books, command, CardStatus.LOST, EventKind.CARD_REPORTED_LOST)
        case Reinstate():
            return _decide_status(books, command, CardStatus.ACTIVE, EventKind.CARD_REINSTATED)
        case OpenAccount():
            return decide_open_account(books, command)
        case Book():
            return decide_book(books, command)
        case _:
            assert_never(command)


def decide_repeat(earlier: Remembered, command: AnyCommand) -> Answer:
    """The answer to a key that was used before: the same, or a refusal naming the first field that differs.

    A fact that was not told is None.
    """
    for name, was, now in zip_longest(command.facts_named, earlier.facts, command.facts()):
        if was != now:
            return Answer(refusal=Refusal.IDEMPOTENCY_KEY_REUSED.value, field=name, trace_id=command.trace_id)
    return earlier.answer


def decide_capture(books: Books, command: Capture) -> Decision:
    """Take some or all of a hold; a final capture releases the rest."""
    payment = _own_payment(books, command.payment, command.caller)
    if payment is None:
        return refuse(Refusal.PAYMENT_NOT_FOUND)
    if payment.state is not State.AUTHORIZED or _has_lapsed(books, payment):
        return refuse(Refusal.PAYMENT_STATE_CONFLICT)
    amount = payment.held_amount if command.amount is None else command.amount
    if amount > payment.held_amount:
        return refuse(Refusal.CAPTURE_EXCEEDS_AUTHORIZATION, field="amount")

    # From here on the capture must succeed.
    made = effects.capture(
        payment,
        books.seen.payers[payment.payer],
        amount=amount,
        is_final=command.final,
        control=books.control,
        now=books.now,
    )
    kind = EventKind.CAPTURED if command.final else EventKind.PART_CAPTURED
    return _decision(books, kind, made)


def decide_void(books: Books, command: Void) -> Decision:
    """Let go of a hold; what was captured of it before stands."""
    payment = _own_payment(books, command.payment, command.caller)
    if payment is None:
        return refuse(Refusal.PAYMENT_NOT_FOUND)
    if payment.state is not State.AUTHORIZED or _has_lapsed(books, payment):
        return refuse(Refusal.PAYMENT_STATE_CONFLICT)

    made = effects.release(payment, books.seen.payers[payment.payer], move=Move.VOID)
    return _decision(books, EventKind.VOIDED, made)


def decide_expire(books: Books, command: Expire) -> Decision:
    """Let go of a hold whose time is over, unless it was resolved meanwhile."""
    payment = books.seen.payments.get(command.payment)
    if payment is None or payment.state is not State.AUTHORIZED or not _has_lapsed(books, payment):
        return refuse(Refusal.PAYMENT_STATE_CONFLICT)

    made = effects.release(payment, books.seen.payers[payment.payer], move=Move.LAPSE)
    return _decision(books, EventKind.EXPIRED, made)


def decide_refund(books: Books, command: RefundPayment) -> Decision:
    """Give back some of what was captured, never more than there is."""
    payment = _own_payment(books, command.payment, command.caller)
    if payment is None:
        return refuse(Refusal.PAYMENT_NOT_FOUND)
    if (payment.id, command.refund_no) in books.seen.refund_numbers:
        return refuse(Refusal.ORDER_NUMBER_USED, field="refund_no")
    if payment.state not in (State.CAPTURED, State.PARTIALLY_REFUNDED):
        return refuse(Refusal.PAYMENT_STATE_CONFLICT)
    if command.amount > payment.captured_amount - payment.refunded_amount:
        return refuse(Refusal.REFUND_EXCEEDS_PAYMENT, field="amount")
    if _is_past_refund_window(books, payment):
        return refuse(Refusal.REFUND_WINDOW_CLOSED)

    made, record = effects.refund(
        payment,
        books.seen.payers[payment.payer],
        refund_id=command.refund,
        refund_no=command.refund_no,
        amount=command.amount,
        reason=command.reason,
        payee=books.payee_of(payment),
        control=books.control,
        now=books.now,
    )
    return _decision(books, EventKind.REFUNDED, made, refund=record)


def decide_cancel(books: Books, command: CancelOrder) -> Decision:
    """Make sure that an order is not paid, whatever became of it; one that comes later finds a tombstone."""
    key = (command.merchant, command.order_no)
    order = books.seen.orders.get(key)
    payment = books.seen.payments[order.payment] if order is not None and order.payment else None
    if payment is None:
        answer = Answer(cancelled=CancelOutcome.NOTHING_TO_CANCEL)
        return Decision(
            kind=EventKind.ORDER_CANCELLED,
            answer=answer,
            order=(key, Order(None)) if order is None else None,
        )
    payer = books.seen.payers[payment.payer]
    made = effects.Effects(payment=payment, payer=payer, postings=())
    kind = EventKind.ORDER_CANCELLED
    outcome = CancelOutcome.NOTHING_TO_CANCEL
    record = None
    if payment.state is State.AUTHORIZED:
        made = effects.release(payment, payer, move=Move.VOID)
        kind, outcome = EventKind.VOIDED, CancelOutcome.VOIDED
    if made.payment.state in (State.CAPTURED, State.PARTIALLY_REFUNDED):
        back, record = effects.refund(
            made.payment,
            made.payer,
            refund_id=command.refund,
            refund_no=CANCEL_REFUND_NO,
            amount=payment.captured_amount - payment.refunded_amount,
            reason=None,
            payee=books.payee_of(payment),
            control=books.control,
            now=books.now,
        )
        made = msgspec.structs.replace(back, postings=made.postings + back.postings)
        kind, outcome = EventKind.REFUNDED, CancelOutcome.REFUNDED
    return _decision(books, kind, made, refund=record, cancelled=outcome)


def decide_open_account(books: Books, command: OpenAccount) -> Decision:
    """Bring in the balance of a personal account, against its pooling area's opening account."""
    payer = books.seen.payers.get(command.card)
    if payer is None:
        return refuse(Refusal.NOT_FOUND)
    posting = Posting(
        command.card,
        Phase.POST,
        PostingKind.OPENING,
        opening(pooling_area(region_of(command.card))),
        personal_account(command.card),
        command.amount,
    )
    return Decision(
        kind=EventKind.ACCOUNT_OPENED,
        answer=Answer(),
        payer=give_back(payer, personal=command.amount),
        postings=(posting,),
    )


def decide_book(books: Books, command: Book) -> Decision:
    """Post what was decided elsewhere. Personal accounts are on their payers' rows, which this does not lock."""
    assert command.key is not None, "what is asked again must be known again"
    assert not any(is_kept_on_payer(account) for entry in command.entries for account in (entry.debit, entry.credit)), (
        "a personal account changes under its payer's lock only"
    )
    return Decision(
        kind=EventKind.BOOKED,
        answer=Answer(booked_in=books.control.cycle),
        postings=tuple(
            Posting(command.about, Phase.POST, command.kind, entry.debit, entry.credit, entry.amount)
            for entry in command.entries
        ),
        about=command.about,
    )


def _decide_status(books: Books, command: ReportLoss | Reinstate, status: CardStatus, kind: EventKind) -> Decision:
    """Stop or reinstate a card. Doing it twice is no mistake; a card that is neither active nor lost stays as it is."""
    payer: Payer | None = books.seen.payers.get(command.card)
    if payer is None:
        return refuse(Refusal.NOT_FOUND)
    if payer.status not in (CardStatus.ACTIVE, CardStatus.LOST):
        return refuse(Refusal.CARD_NOT_USABLE)
    card = CardState(payer.id, status, payer.issue_level, books.now)
    return Decision(kind=kind, answer=Answer(card=card), payer=msgspec.structs.replace(payer, status=status))


def _decision(
    books: Books,
    kind: EventKind,
    made: effects.Effects,
    *,
    refund: Refund | None = None,
    cancelled: CancelOutcome | None = None,
) -> Decision:
    return Decision(
        kind=kind,
        answer=answer_with(books, made.payment, refund=refund, cancelled=cancelled),
        payment=made.payment,
        payer=made.payer,
        postings=made.postings,
        refund=refund,
    )


def _own_payment(books: Books, payment_id: PaymentId, merchant: bytes) -> Payment | None:
    """Another merchant's payment does not exist for this one."""
    payment = books.seen.payments.get(payment_id)
    return payment if payment is not None and payment.merchant == merchant else None


def _has_lapsed(books: Books, payment: Payment) -> bool:
    """A hold ends at its instant, whether or not the sweeper has come by."""
    return payment.expires_at is not None and books.now >= payment.expires_at


def _is_past_refund_window(books: Books, payment: Payment) -> bool:
    assert payment.captured_at is not None, "only what was captured is refunded"
    window = timedelta(days=BY_NUMBER[payment.scenario].refund_window_days)
    return books.now >= payment.captured_at + window
