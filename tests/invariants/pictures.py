"""The engine's answers and books in the words of the reference, so that the two can be compared."""

from collections.abc import Iterable, Mapping
from datetime import date

import msgspec

from engine.core.accounts import AccountId, account_text, personal_account
from engine.core.books import Order, OrderKey
from engine.core.ids import PaymentId, id_text
from engine.core.payer import LimitClass, Payer
from engine.core.payments import Payment
from engine.core.postings import Totals
from engine.ledger.queue import Outcome
from tests.invariants.reference_sales import Words


class Tables(msgspec.Struct, frozen=True, kw_only=True):
    """What a city's books hold."""

    day: date
    payers: Iterable[Payer]
    payments: Iterable[Payment]
    orders: Mapping[OrderKey, Order]
    holds: Iterable[PaymentId]
    balances: Mapping[AccountId, Totals]
    refunds: Iterable[tuple[PaymentId, str]]


def words_of(outcome: Outcome) -> Words:
    """An outcome, as the reference would say it."""
    answer = outcome.answer
    words: Words = {}
    if answer.refusal is not None:
        words["refusal"] = answer.refusal
    if answer.field is not None:
        words["field"] = answer.field
    if answer.payment is not None:
        words["payment"] = payment_words(answer.payment)
    if answer.refund is not None:
        words["refund"] = answer.refund.amount
    if answer.cancelled is not None:
        words["outcome"] = answer.cancelled.name.lower()
    if answer.card is not None:
        words["card"] = answer.card.status.name.lower()
    if answer.tries_left is not None:
        words["tries_left"] = answer.tries_left
    if outcome.is_replay:
        words["again"] = True
    return words


def payment_words(payment: Payment) -> Words:
    """A payment, as the reference would say it."""
    return {
        "order": payment.order_no,
        "amount": payment.amount,
        "state": payment.state.name.lower(),
        "refusal": payment.refusal,
        "parts": [
            (part.kind.name.lower(), account_text(part.source), part.amount, part.captured, part.refunded)
            for part in payment.tenders
        ],
        "booked": (payment.business_date, payment.cycle),
        "confirmed": payment.limit is LimitClass.CONFIRMED,
        "fund": payment.claim.pool if payment.claim is not None else None,
        "sequence": payment.sequence,
    }


def picture_of(tables: Tables) -> Words:
    """A city's books, as the reference would show them."""
    totals = dict(tables.balances)
    for payer in tables.payers:
        totals[personal_account(payer.id)] = Totals(
            payer.debits_pending, payer.debits_posted, payer.credits_pending, payer.credits_posted
        )
    moved = {
        account_text(account): {name: amount for name, amount in msgspec.structs.asdict(four).items() if amount}
        for account, four in totals.items()
    }
    return {
        "cards": {
            id_text(payer.id): (
                payer.status.name.lower(),
                payer.spent_on(tables.day),
                payer.spent_unconfirmed if payer.limit_day >= tables.day else 0,
                payer.used_in(tables.day.year)[1],
                payer.password_tries,
            )
            for payer in tables.payers
        },
        "accounts": {account: four for account, four in moved.items() if four},
        "sales": {payment.id.hex(): payment_words(payment) for payment in tables.payments},
        "orders": {
            (merchant.hex(), order_no): order.payment.hex() if order.payment is not None else None
            for (merchant, order_no), order in tables.orders.items()
        },
        "holds": {payment.hex() for payment in tables.holds},
        "refunds": {(payment.hex(), number) for payment, number in tables.refunds},
    }
