"""A dishonest merchant and an agency's bill: whatever is paid, given up and cancelled again, it is paid once."""

import msgspec
import pytest

from engine.core.bills import BillState
from engine.core.commands import Concern
from engine.core.refusals import Refusal
from tests.core.books_builders import a_cancel, a_payer, a_void, an_authorize, carry_out, outcome_of
from tests.core.test_bills import BILL, books_with


@pytest.mark.parametrize("given_up", ["voided", "cancelled"])
def test_cancelling_what_was_given_up_before_does_not_open_the_bill_that_another_has_paid(given_up: str) -> None:
    books = books_with(payer=a_payer(personal=0, allowance=10_000))
    waits = an_authorize(bill_no="B-1", order_no="A", concern=Concern.CHALLENGE)
    carry_out(books, waits)
    carry_out(books, a_void(waits.payment) if given_up == "voided" else a_cancel(order_no="A"))
    paid = carry_out(books, an_authorize(bill_no="B-1", order_no="B")).payment
    assert paid is not None
    carry_out(books, a_cancel(order_no="A"))
    assert books.seen.bills["B-1"] == msgspec.structs.replace(BILL, state=BillState.PAID, payment=paid.id)
    again = carry_out(books, an_authorize(bill_no="B-1", order_no="C"))
    assert outcome_of(again) == (Refusal.BILL_ALREADY_PAID.value, "bill_no")


def test_cancelling_what_was_given_up_before_does_not_bring_back_what_the_agency_has_taken_back() -> None:
    books = books_with()
    waits = an_authorize(bill_no="B-1", order_no="A", concern=Concern.CHALLENGE)
    carry_out(books, waits)
    carry_out(books, a_void(waits.payment))
    withdrawn = books.seen.bills["B-1"] = msgspec.structs.replace(BILL, state=BillState.WITHDRAWN)
    carry_out(books, a_cancel(order_no="A"))
    assert books.seen.bills["B-1"] == withdrawn
