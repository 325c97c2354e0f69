"""Orders that were shown: paid as they were shown, in time, by the app that was asked or by the card itself."""

from datetime import timedelta

import msgspec
import pytest

from engine.core.books import Books
from engine.core.commands import Authorize
from engine.core.ids import NO_ID, CallerId, CardId, IdKind
from engine.core.pay_orders import PayOrder
from engine.core.payments import Details, Mode, State
from engine.core.refusals import Refusal
from engine.core.rollout import Rollout, Switch
from engine.core.rules import Rules
from tests.core.books_builders import (
    CARD,
    MERCHANT,
    MOMENT,
    NOON,
    a_cancel,
    an_authorize,
    an_id,
    carry_out,
    later,
    outcome_of,
    payer_in,
    refusal_of,
    snapshot_of,
    some_books,
)
from tests.core.ways import RIGHT

CHANNEL = CallerId(an_id(IdKind.CHANNEL, 1))
SHOWN, NEWER = an_id(IdKind.ORDER, 1), an_id(IdKind.ORDER, 2)
EXPIRES_AT = NOON + timedelta(minutes=15)


def books_with_an_order(**changes: object) -> Books:
    books = some_books()
    order = PayOrder(id=SHOWN, amount=500, expires_at=EXPIRES_AT)
    books.seen.pay_orders[MERCHANT, "A"] = msgspec.structs.replace(order, **changes)
    return books


def by_app(*, amount: int = 500, card: CardId = CARD) -> Authorize:
    """The app of a channel scanned the order, and its holder agreed."""
    return msgspec.structs.replace(
        an_authorize(amount=amount, order_no="A"),
        caller=CHANNEL,
        code=None,
        card=card,
        mode=Mode.SCAN_ORDER,
        pay_order=SHOWN,
        password=RIGHT,
    )


def test_order_is_paid_by_the_app_for_the_merchant() -> None:
    decision = carry_out(books_with_an_order(), by_app())
    payment = decision.payment
    assert payment is not None
    assert (payment.state, payment.merchant, payment.mode) == (State.CAPTURED, MERCHANT, Mode.SCAN_ORDER)
    assert payment.details == Details(pay_order=SHOWN, channel=CHANNEL)
    assert decision.code_use is None


@pytest.mark.parametrize(
    ("changes", "amount", "refusal", "field"),
    [
        ({"id": NEWER}, 500, Refusal.ORDER_AMOUNT_CHANGED, "amount"),
        ({"id": NEWER, "amount": 501}, 501, Refusal.ORDER_AMOUNT_CHANGED, "amount"),
        ({"amount": 501}, 500, Refusal.ORDER_AMOUNT_CHANGED, "amount"),
        ({}, 501, Refusal.ORDER_AMOUNT_CHANGED, "amount"),
        ({"expires_at": NOON, "id": NEWER}, 500, Refusal.ORDER_EXPIRED, None),
        ({"expires_at": NOON + MOMENT}, 500, None, None),
    ],
)
def test_order_is_paid_as_it_was_shown_and_in_time(
    changes: dict[str, object], amount: int, refusal: Refusal | None, field: str | None
) -> None:
    books = books_with_an_order(**changes)
    before = snapshot_of(books)
    decision = carry_out(books, by_app(amount=amount))
    assert (refusal_of(decision), decision.answer.field) == (refusal, field)
    if refusal is not None:
        assert (decision.payment, snapshot_of(books)) == (None, before)


def test_order_that_nobody_has_posted_is_not_found() -> None:
    assert refusal_of(carry_out(some_books(), by_app())) is Refusal.NOT_FOUND


def test_cancellation_beats_an_order_that_is_shown_and_not_yet_paid() -> None:
    books = books_with_an_order()
    carry_out(books, a_cancel("A"))
    assert outcome_of(carry_out(books, by_app())) == ("order_cancelled", "order_no")


def test_order_is_paid_once_by_whatever_way() -> None:
    books = books_with_an_order()
    carry_out(books, by_app())
    assert outcome_of(carry_out(books, by_app())) == ("order_already_paid", "order_no")
    assert outcome_of(carry_out(books, an_authorize(order_no="A"))) == ("order_already_paid", "order_no")


def card_read(*, amount: int, card: CardId = CARD) -> Authorize:
    """The card itself at a terminal."""
    return msgspec.structs.replace(
        an_authorize(amount=amount), code=None, card=card, mode=Mode.CARD_READ, password=RIGHT
    )


def test_card_that_nobody_has_is_refused_and_stores_nothing() -> None:
    books = some_books()
    decision = carry_out(books, card_read(amount=500, card=CardId(NO_ID)))
    assert (outcome_of(decision), decision.payment) == (("not_found", "card_no"), None)


def test_card_and_phone_spend_from_one_row() -> None:
    books = some_books()
    left = payer_in(books).personal_account_available + payer_in(books).bank_allowance
    assert refusal_of(carry_out(books, card_read(amount=left - 100))) is None
    assert refusal_of(carry_out(later(books), an_authorize(amount=101))) is Refusal.INSUFFICIENT_FUNDS
    assert refusal_of(carry_out(books, an_authorize(amount=100))) is None
    assert refusal_of(carry_out(books, card_read(amount=1))) is Refusal.INSUFFICIENT_FUNDS


@pytest.mark.parametrize(
    ("region", "is_on", "refusal"),
    [
        (110101, False, Refusal.SCENARIO_NOT_ENABLED),
        (110100, False, Refusal.SCENARIO_NOT_ENABLED),
        (310000, False, None),
        (110000, True, None),
    ],
)
def test_scenario_that_is_off_in_the_merchants_region_is_refused(
    region: int, is_on: bool, refusal: Refusal | None
) -> None:
    books = some_books()
    asked = an_authorize()
    switch = Switch(region=region, scenario=asked.scenario, is_on=is_on, operator=NO_ID, at=NOON, reason="a test")
    books.seen.rules = Rules(version=2, plans=books.seen.rules.plans, rollout=Rollout([switch]))
    assert refusal_of(carry_out(books, asked)) is refusal
