"""Every way to pay by the card of `books_builders`: passwords, confirmations, deposits, gates, relatives."""

import itertools
from typing import Final

import msgspec

from engine.core.benefits import MedicalBill
from engine.core.books import Books, OrderKey
from engine.core.commands import Authorize, Capture, Concern, Confirm, PasswordProof, PresentedCode, Raise
from engine.core.ids import NO_ID, CallerId, CardId, IdKind, MerchantId, PaymentId
from engine.core.payer import LIMIT_A_DAY_FEN, LIMIT_UNCONFIRMED_A_DAY_FEN, NO_PASSWORD_UP_TO_FEN, Payer
from engine.core.payments import Payment
from engine.core.scenarios import INPATIENT, TRANSIT
from tests.core.books_builders import (
    DEVICE_NO,
    MERCHANT,
    STEP,
    a_payer,
    an_authorize,
    an_id,
    carry_out,
)

RIGHT: Final = PasswordProof(True, 1)
WRONG: Final = PasswordProof(False, 1)
RELATIVE: Final = CardId(an_id(IdKind.CARD, 2))
_numbers = itertools.count(1)


def a_limited_payer(**settings: object) -> Payer:
    """A cardholder with the limits that everybody has, nothing in the personal account, and a bank that pays all."""
    payer = msgspec.structs.replace(
        a_payer(personal=0, allowance=10**9),
        limit_a_day=LIMIT_A_DAY_FEN,
        limit_unconfirmed=LIMIT_UNCONFIRMED_A_DAY_FEN,
        no_password_up_to=NO_PASSWORD_UP_TO_FEN,
    )
    return msgspec.structs.replace(payer, **settings)


def a_confirm(
    payment: PaymentId, *, password: PasswordProof | None = RIGHT, merchant: MerchantId | None = MERCHANT
) -> Confirm:
    """The cardholder enters the password at the merchant's terminal; without one an operator agrees."""
    return Confirm(
        caller=CallerId(merchant if merchant is not None else NO_ID),
        key=f"confirm-{next(_numbers)}",
        payment=payment,
        merchant=merchant,
        password=password,
    )


def waiting(
    books: Books, *, amount: int = 500, capture: bool = True, insured: int = 0, order_no: str | None = None
) -> Payment:
    """A payment that waits for its cardholder."""
    asked = an_authorize(amount=amount, capture=capture, insured=insured, order_no=order_no, concern=Concern.CHALLENGE)
    made = carry_out(books, asked).payment
    assert made is not None
    return made


def a_deposit(books: Books, *, amount: int) -> Payment:
    """A hospital's deposit on hold."""
    made = carry_out(books, an_authorize(amount=amount, capture=False, scenario=INPATIENT.number)).payment
    assert made is not None
    return made


def a_raise(
    payment: PaymentId, *, amount: int, device_no: int | None = DEVICE_NO, merchant: MerchantId = MERCHANT
) -> Raise:
    """Put *amount* more on hold, by a new code."""
    number = next(_numbers)
    return Raise(
        caller=CallerId(merchant),
        key=f"raise-{number}",
        payment=payment,
        code=PresentedCode(digest=f"raise-{number}", refusal=None, device_no=device_no, step=STEP + number, refresh=0),
        amount=amount,
    )


def a_final_bill(payment: PaymentId, bill: MedicalBill, *, amount: int | None = None, final: bool = True) -> Capture:
    """Bill a stay for which a deposit is on hold."""
    return Capture(
        caller=CallerId(MERCHANT),
        key=f"bill-{next(_numbers)}",
        payment=payment,
        amount=amount,
        final=final,
        bill=bill,
        bill_digest=f"bill-{next(_numbers)}",
    )


def a_ride(*, amount: int = 500, order_no: str | None = None, scenario: int = TRANSIT.number) -> Authorize:
    """What a gate asks for somebody that it has let in."""
    return an_authorize(amount=amount, order_no=order_no, scenario=scenario, ticket=f"ticket-{next(_numbers)}")


def with_a_relative(books: Books, *, personal: int) -> Payer:
    """Let a relative help with *personal* fen of the personal account."""
    relative = msgspec.structs.replace(a_payer(personal=personal), id=RELATIVE)
    books.seen.payers[RELATIVE] = relative
    for card, payer in books.seen.payers.items():
        if card != RELATIVE:
            books.seen.payers[card] = msgspec.structs.replace(payer, family=RELATIVE)
    return relative


def order_of(payment: Payment) -> OrderKey:
    """What a payment claims."""
    return (payment.merchant, payment.order_no)
