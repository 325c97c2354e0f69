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
from engine.core.authorization import decide_authorize, judge_password, refuse_password
from engine.core.books import Books, Decision, Order, refuse
from engine.core.card_decisions import decide_change_family, decide_check_password, decide_status
from engine.core.channel_stops import channel_refusal
from engine.core.commands import (
    AnyCommand,
    Authorize,
    Book,
    CancelOrder,
    Capture,
    ChangeCard,
    ChangeFamily,
    ChangeSettings,
    CheckPassword,
    Confirm,
    Expire,
    OpenAccount,
    Raise,
    RefundPayment,
    Reinstate,
    ReportLoss,
    SetPassword,
    Void,
)
from engine.core.confirmation import decide_confirm, lapse
from engine.core.deposits import decide_final_bill, decide_raise
from engine.core.ids import PaymentId, region_of
from engine.core.moves import decision_of, has_lapsed, parties_of
from engine.core.payer import give_back
from engine.core.payments import HELD, Move, Payment, State
from engine.core.postings import Phase, Posting, PostingKind, is_kept_on_payer
from engine.core.refusals import Refusal
from engine.core.rides import after_paying
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
        case Confirm():
            return decide_confirm(books, command)
        case Raise():
            return decide_raise(books, command)
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
        case ReportLoss() | Reinstate() | ChangeCard():
            return decide_status(books, command)
        case ChangeFamily():
            return decide_change_family(books, command)
        case CheckPassword():
            return decide_check_password(books, command)
        case SetPassword():
            return decide_set_password(books, command)
        case ChangeSettings():
            return decide_change_settings(books, command)
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
    """Take some or all of a hold; a final capture releases the rest. A medical bill is taken as a whole."""
    payment = _own_payment(books, command.payment, command.caller)
    if payment is None:
        return refuse(Refusal.PAYMENT_NOT_FOUND)
    if payment.state is not State.AUTHORIZED or has_lapsed(books, payment):
        return refuse(Refusal.PAYMENT_STATE_CONFLICT)
    if command.bill is not None:
        return decide_final_bill(books, command, payment)
    amount = payment.held_amount if command.amount is None else command.amount
    if amount > payment.held_amount:
        return refuse(Refusal.CAPTURE_EXCEEDS_AUTHORIZATION, field="amount")
    if payment.claim is not None and amount != payment.amount:
        return refuse(Refusal.AMOUNT_MISMATCH, field="amount")

    # From here on the capture must succeed.
    made = effects.capture(
        payment,
        parties_of(books, payment),
        shares=effects.in_order(payment, amount),
        is_final=command.final,
        control=books.control,
        now=books.now,
    )
    ride = None
    if made.payer.blocked_scenarios:
        payer, ride = after_paying(books, made.payer, payment.scenario, payment.ride)
        made = msgspec.structs.replace(made, payer=payer)
    kind = EventKind.CAPTURED if command.final else EventKind.PART_CAPTURED
    return decision_of(books, kind, made, ride_paid=ride)


def decide_void(books: Books, command: Void) -> Decision:
    """Let go of a hold; what was captured of it before stands."""
    payment = _own_payment(books, command.payment, command.caller)
    if payment is None:
        return refuse(Refusal.PAYMENT_NOT_FOUND)
    if payment.state not in HELD or has_lapsed(books, payment):
        return refuse(Refusal.PAYMENT_STATE_CONFLICT)
    if books.visits.has_newer(payment):
        return refuse(Refusal.NEWER_SETTLEMENT_EXISTS)

    made = effects.release(payment, parties_of(books, payment), move=Move.VOID)
    return decision_of(books, EventKind.VOIDED, made)


def decide_expire(books: Books, command: Expire) -> Decision:
    """Let go of a hold whose time is over, unless it was resolved meanwhile. One that nobody confirmed is void."""
    payment = books.seen.payments.get(command.payment)
    if payment is None or payment.state not in HELD or not has_lapsed(books, payment):
        return refuse(Refusal.PAYMENT_STATE_CONFLICT)

    if payment.state is State.AWAITING_USER:
        return lapse(books, payment)
    made = effects.release(payment, parties_of(books, payment), move=Move.LAPSE)
    return decision_of(books, EventKind.EXPIRED, made)


def decide_refund(books: Books, command: RefundPayment) -> Decision:
    """Give back some of what was captured, never more than there is."""
    payment = _own_payment(books, command.payment, command.caller)
    if payment is None:
        return refuse(Refusal.PAYMENT_NOT_FOUND)
    if (payment.id, command.refund_no) in books.seen.refund_numbers:
        return refuse(Refusal.ORDER_NUMBER_USED, field="refund_no")
    if payment.state not in (State.CAPTURED, State.PARTIALLY_REFUNDED):
        return refuse(Refusal.PAYMENT_STATE_CONFLICT)
    shares = effects.refundable(payment, command.amount)
    if shares is None:
        return refuse(Refusal.REFUND_EXCEEDS_PAYMENT, field="amount")
    if _is_past_refund_window(books, payment):
        return refuse(Refusal.REFUND_WINDOW_CLOSED)
    if command.amount == payment.captured_amount - payment.refunded_amount and books.visits.has_newer(payment):
        return refuse(Refusal.NEWER_SETTLEMENT_EXISTS)

    made, record = effects.refund(
        payment,
        parties_of(books, payment),
        refund_id=command.refund,
        refund_no=command.refund_no,
        shares=shares,
        reason=command.reason,
        control=books.control,
        now=books.now,
    )
    return decision_of(books, EventKind.REFUNDED, made, refund=record)


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
            orders=((key, Order(None)),) if order is None else (),
        )
    if books.visits.has_newer(payment):
        return refuse(Refusal.NEWER_SETTLEMENT_EXISTS)
    parties = parties_of(books, payment)
    made = effects.Effects(payment=payment, payer=parties.payer, family=parties.family, postings=())
    kind = EventKind.ORDER_CANCELLED
    outcome = CancelOutcome.NOTHING_TO_CANCEL
    record = None
    if payment.state in HELD:
        made = effects.release(payment, parties, move=Move.VOID)
        kind, outcome = EventKind.VOIDED, CancelOutcome.VOIDED
    if made.payment.state in (State.CAPTURED, State.PARTIALLY_REFUNDED):
        shares = effects.refundable(made.payment, made.payment.captured_amount - made.payment.refunded_amount)
        assert shares is not None, "all that is left can be given back"
        back, record = effects.refund(
            made.payment,
            effects.Parties(made.payer, made.family, parties.payee),
            refund_id=command.refund,
            refund_no=CANCEL_REFUND_NO,
            shares=shares,
            reason=None,
            control=books.control,
            now=books.now,
        )
        once = msgspec.structs.replace(back.payment, sequence=payment.sequence + 1)  # however much one event does
        made = msgspec.structs.replace(back, payment=once, postings=made.postings + back.postings)
        kind, outcome = EventKind.REFUNDED, CancelOutcome.REFUNDED
    return decision_of(books, kind, made, refund=record, cancelled=outcome)


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


def decide_set_password(books: Books, command: SetPassword) -> Decision:
    """Take a new password. Of two that were set at once the newer one counts, whichever comes first."""
    payer = books.seen.payers.get(command.card)
    if payer is None:
        return refuse(Refusal.NOT_FOUND)
    stopped = channel_refusal(books, command.caller, None, region_of(payer.id))
    if stopped is not None:
        return refuse(stopped)
    if command.is_first and payer.password_version:
        return refuse(Refusal.PASSWORD_INCORRECT, field="password_block")
    wrong = judge_password(payer, command.password) if command.password is not None else None
    if wrong is not None:
        return refuse_password(wrong)
    assert command.version, "what is taken into use was written down"
    after = msgspec.structs.replace(
        payer, password_version=max(payer.password_version, command.version), password_tries=0
    )
    card = CardState(payer.id, payer.status, payer.issue_level, books.now)
    return Decision(kind=EventKind.PASSWORD_SET, answer=Answer(card=card), payer=after)


def decide_change_settings(books: Books, command: ChangeSettings) -> Decision:
    """Take what the cardholder has chosen; what was not chosen stays."""
    payer = books.seen.payers.get(command.card)
    if payer is None:
        return refuse(Refusal.NOT_FOUND)
    stopped = channel_refusal(books, command.caller, None, region_of(payer.id))
    if stopped is not None:
        return refuse(stopped)
    after = msgspec.structs.replace(
        payer,
        no_password_up_to=payer.no_password_up_to if command.no_password_up_to is None else command.no_password_up_to,
        tender_order=payer.tender_order if command.tender_order is None else command.tender_order,
    )
    card = CardState(payer.id, payer.status, payer.issue_level, books.now)
    return Decision(kind=EventKind.SETTINGS_CHANGED, answer=Answer(card=card), payer=after)


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


def _own_payment(books: Books, payment_id: PaymentId, merchant: bytes) -> Payment | None:
    """Another merchant's payment does not exist for this one."""
    payment = books.seen.payments.get(payment_id)
    return payment if payment is not None and payment.merchant == merchant else None


def _is_past_refund_window(books: Books, payment: Payment) -> bool:
    assert payment.captured_at is not None, "only what was captured is refunded"
    window = timedelta(days=BY_NUMBER[payment.scenario].refund_window_days)
    return books.now >= payment.captured_at + window
