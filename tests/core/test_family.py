"""A relative's personal account: both rows move together, and it is used for medical bills only."""

import msgspec
import pytest

from engine.core.accounts import personal_account
from engine.core.books import Books
from engine.core.commands import AnyCommand, Concern
from engine.core.payer import CardStatus, Payer, TenderOrder
from engine.core.payments import Payment, State, TenderKind
from engine.core.postings import fold
from engine.core.refusals import Refusal
from engine.core.scenarios import SMALL_PAYMENT
from tests.core.books_builders import (
    CARD,
    a_cancel,
    a_capture,
    a_loss_report,
    a_payer,
    a_refund,
    a_void,
    an_authorize,
    carry_out,
    later,
    payer_in,
    refusal_of,
    some_books,
)
from tests.core.ways import RELATIVE, a_confirm, with_a_relative

OWN, FUND_SHARE, OTHERS = 100, 200, 300  # of a bill of 700 fen; the bank card pays the last 100


def relative_in(books: Books) -> Payer:
    return books.seen.payers[RELATIVE]


def some_family(*, personal: int = OTHERS, allowance: int = 1_000) -> Books:
    books = some_books(a_payer(personal=OWN, allowance=allowance))
    with_a_relative(books, personal=personal)
    return books


def a_bill_paid(books: Books, *, capture: bool = True, concern: Concern = Concern.NONE) -> Payment:
    made = carry_out(books, an_authorize(amount=700, insured=FUND_SHARE, capture=capture, concern=concern)).payment
    assert made is not None
    return made


def moved(payer: Payer) -> tuple[int, int, int]:
    return payer.debits_pending, payer.debits_posted, payer.personal_account_available


def test_both_rows_move_and_every_posting_is_theirs() -> None:
    books = some_family()
    payment = a_bill_paid(books)
    assert [(tender.kind, tender.amount) for tender in payment.tenders] == [
        (TenderKind.POOL_FUND, FUND_SHARE),
        (TenderKind.PERSONAL_ACCOUNT, OWN),
        (TenderKind.FAMILY_ACCOUNT, OTHERS),
        (TenderKind.BANK_CARD, 100),
    ]
    assert payment.family == RELATIVE
    assert (moved(payer_in(books)), moved(relative_in(books))) == ((0, OWN, 0), (0, OTHERS, 0))
    totals = fold(posting for _, _, posting in books.postings)
    assert totals[personal_account(RELATIVE)].debits_posted == OTHERS
    assert relative_in(books).fund_paid == 0, "the year that is used is the patient's"
    assert relative_in(books).spent == 0


@pytest.mark.parametrize("how", ["captured", "voided", "cancelled"])
def test_hold_reserves_of_both_and_ends_with_both(how: str) -> None:
    books = some_family()
    hold = a_bill_paid(books, capture=False)
    assert (moved(payer_in(books)), moved(relative_in(books))) == ((OWN, 0, 0), (OTHERS, 0, 0))
    endings: dict[str, AnyCommand] = {
        "captured": a_capture(hold.id),
        "voided": a_void(hold.id),
        "cancelled": a_cancel(hold.order_no),
    }
    carry_out(books, endings[how])
    is_paid = how == "captured"
    assert moved(payer_in(books)) == ((0, OWN, 0) if is_paid else (0, 0, OWN))
    assert moved(relative_in(books)) == ((0, OTHERS, 0) if is_paid else (0, 0, OTHERS))


def test_confirmation_takes_of_both() -> None:
    books = some_family()
    payment = a_bill_paid(books, concern=Concern.CHALLENGE)
    assert moved(relative_in(books)) == (OTHERS, 0, 0)
    carry_out(books, a_confirm(payment.id))
    assert (moved(payer_in(books)), moved(relative_in(books))) == ((0, OWN, 0), (0, OTHERS, 0))


@pytest.mark.parametrize(
    ("amount", "back"), [(100, (0, 0)), (150, (0, 50)), (400, (0, OTHERS)), (450, (50, OTHERS)), (700, (OWN, OTHERS))]
)
def test_refund_gives_the_relative_back_after_the_bank_card_and_before_the_own_account(
    amount: int, back: tuple[int, int]
) -> None:
    books = some_family()
    payment = a_bill_paid(books)
    carry_out(books, a_refund(payment.id, amount=amount))
    available = (payer_in(books).personal_account_available, relative_in(books).personal_account_available)
    assert available == back
    assert relative_in(books).debits_posted == OTHERS, "no posted total goes down"


@pytest.mark.parametrize("status", [status for status in CardStatus if status is not CardStatus.ACTIVE])
def test_relative_whose_card_is_not_in_use_does_not_help(status: CardStatus) -> None:
    books = some_family()
    books.seen.payers[RELATIVE] = msgspec.structs.replace(relative_in(books), status=status)
    payment = a_bill_paid(books)
    assert [tender.kind for tender in payment.tenders][2:] == [TenderKind.BANK_CARD]
    assert (payment.family, moved(relative_in(books))) == (None, (0, 0, OTHERS))


def test_relative_whose_card_is_lost_meanwhile_still_pays_what_was_promised() -> None:
    books = some_family()
    hold = a_bill_paid(books, capture=False)
    carry_out(books, a_loss_report(RELATIVE))
    carry_out(books, a_capture(hold.id))
    assert (relative_in(books).status, moved(relative_in(books))) == (CardStatus.LOST, (0, OTHERS, 0))


def test_relative_that_this_batch_has_not_locked_does_not_help() -> None:
    books = some_family()
    del books.seen.payers[RELATIVE]
    assert a_bill_paid(books).family is None


def test_what_is_no_medical_bill_is_not_the_relatives_affair() -> None:
    books = some_family(allowance=0)
    assert refusal_of(carry_out(books, an_authorize(amount=101))) is Refusal.INSUFFICIENT_FUNDS
    assert refusal_of(carry_out(books, an_authorize(amount=101, scenario=SMALL_PAYMENT.number))) is not None


def test_who_pays_by_bank_card_only_asks_no_relative() -> None:
    books = some_family()
    only = msgspec.structs.replace(payer_in(books), tender_order=TenderOrder.BANK_CARD_ONLY)
    books = later(books, payer=only)
    assert a_bill_paid(books).family is None


def test_relative_with_nothing_left_is_no_part_of_it() -> None:
    payment = a_bill_paid(some_family(personal=0))
    assert (payment.family, len(payment.tenders)) == (None, 3)


def test_family_and_all_have_not_enough() -> None:
    books = some_family(allowance=99)
    decision = carry_out(books, an_authorize(amount=700, insured=FUND_SHARE))
    assert refusal_of(decision) is Refusal.INSUFFICIENT_FUNDS
    assert decision.payment is not None
    assert (decision.payment.state, decision.payment.family) == (State.DECLINED, None)
    assert (moved(payer_in(books)), moved(relative_in(books))) == ((0, 0, OWN), (0, 0, OTHERS))


def test_relative_whose_link_ended_meanwhile_gets_back_what_was_paid() -> None:
    books = some_family()
    payment = a_bill_paid(books)
    books.seen.payers[CARD] = msgspec.structs.replace(payer_in(books), family=None)
    carry_out(books, a_cancel(payment.order_no))
    assert relative_in(books).personal_account_available == OTHERS


def test_two_relatives_of_each_other_spend_one_account_once() -> None:
    books = some_family()
    for _ in range(2):
        a_bill_paid(books)
    assert relative_in(books).personal_account_available == 0
    assert relative_in(books).debits_posted == OTHERS
