"""Deciding what becomes of a payment that waits: its cardholder agrees, an operator does, or nobody does in time."""

from datetime import timedelta

import msgspec

from engine.core import effects
from engine.core.answers import EventKind
from engine.core.authorization import judge_password, refuse_password
from engine.core.books import Books, Decision, answer_with, refuse
from engine.core.channel_stops import why_stopped
from engine.core.commands import Confirm
from engine.core.moves import decision_of, has_lapsed, parties_of
from engine.core.payer import why_not_usable
from engine.core.payments import TRANSITIONS, Move, Payment, State
from engine.core.refusals import Refusal
from engine.core.rides import after_paying


def decide_confirm(books: Books, command: Confirm) -> Decision:
    """Let a payment go on as it was asked for, once its cardholder has agreed, or an operator has in his place.

    The card is judged again: it may have been reported lost while the payment waited.
    """
    payment = books.seen.payments.get(command.payment)
    if payment is None or command.merchant not in (None, payment.merchant):
        return refuse(Refusal.PAYMENT_NOT_FOUND)
    awaiting = payment.awaiting
    if payment.refusal == Refusal.CONFIRMATION_TIMEOUT.value:
        return refuse(Refusal.CONFIRMATION_TIMEOUT)
    if (
        payment.state is not State.AWAITING_USER
        or awaiting is None
        or awaiting.is_review is not (command.password is None and command.passkey is None)
    ):
        return refuse(Refusal.PAYMENT_STATE_CONFLICT)
    if has_lapsed(books, payment):
        return refuse(Refusal.CONFIRMATION_TIMEOUT)
    parties = parties_of(books, payment)
    refusal = why_stopped(books, command.caller, payment) or why_not_usable(parties.payer)
    if refusal is not None:
        return refuse(refusal)
    if command.passkey is not None and command.passkey.refusal is not None:
        return refuse(command.passkey.refusal, field="passkey")
    if command.password is not None:
        wrong = judge_password(parties.payer, command.password)
        if wrong is not None:
            return refuse_password(wrong)
        parties = msgspec.structs.replace(parties, payer=msgspec.structs.replace(parties.payer, password_tries=0))

    # From here on the confirmation must succeed.
    if not awaiting.capture:
        held = msgspec.structs.replace(
            payment,
            state=TRANSITIONS[payment.state, Move.CONFIRM],
            expires_at=books.now + timedelta(seconds=awaiting.hold_s),
            sequence=payment.sequence + 1,
        )
        return Decision(kind=EventKind.CONFIRMED, answer=answer_with(books, held), payment=held, payer=parties.payer)
    made = effects.capture(
        payment,
        parties,
        shares=effects.in_order(payment, payment.amount),
        is_final=True,
        control=books.control,
        now=books.now,
    )
    payer, ride = after_paying(books, made.payer, payment.scenario, payment.ride)
    return decision_of(books, EventKind.CAPTURED, msgspec.structs.replace(made, payer=payer), ride_paid=ride)


def lapse(books: Books, payment: Payment) -> Decision:
    """Void a payment that nobody confirmed in time."""
    made = effects.release(
        payment,
        parties_of(books, payment),
        move=Move.LAPSE,
        refusal=Refusal.CONFIRMATION_TIMEOUT.value,
    )
    return decision_of(books, EventKind.VOIDED, made)
