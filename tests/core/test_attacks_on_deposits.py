"""A merchant that may not take new money: a deposit that it holds is no way to take more."""

import msgspec
import pytest

from engine.core.refusals import Refusal
from tests.core.books_builders import MERCHANT, a_capture, a_payer, carry_out, refusal_of, some_books
from tests.core.ways import a_deposit, a_raise


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [({"is_suspended": True}, Refusal.MERCHANT_SUSPENDED), ({"scenarios": ()}, Refusal.SCENARIO_NOT_ENABLED)],
)
def test_merchant_that_was_stopped_does_not_raise_a_deposit_and_may_bill_what_is_held(
    changes: dict[str, object], refusal: Refusal
) -> None:
    books = some_books(a_payer(personal=0, allowance=1_000))
    payment = a_deposit(books, amount=500)
    books.seen.merchants[MERCHANT] = msgspec.structs.replace(books.seen.merchants[MERCHANT], **changes)
    assert refusal_of(carry_out(books, a_raise(payment.id, amount=1))) is refusal
    assert refusal_of(carry_out(books, a_capture(payment.id))) is None
