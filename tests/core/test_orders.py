"""Orders that are shown: where one stands, and what a merchant is told whose number is claimed."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from engine.core.ids import MerchantId, OrderId, PaymentId
from engine.core.orders import Claim, OrderItem, OrderStatus, ShownOrder, judge_claim, says_the_same, status_of
from engine.core.payments import State
from engine.core.refusals import Refusal
from tests.core.medical import a_bill

NOW = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
ORDER = ShownOrder(
    id=OrderId(bytes(16)),
    merchant=MerchantId(bytes(16)),
    order_no="A-1",
    token=bytes(16),
    version=1,
    amount=500,
    scenario=2,
    terminal_id="T-01",
    description=None,
    items=(),
    return_url=None,
    lives_s=900,
    expires_at=NOW + timedelta(seconds=900),
    created_at=NOW,
)
PAYMENT = PaymentId(bytes(16))
PAID, CANCELLED, OPEN = OrderStatus.PAID, OrderStatus.CANCELLED, OrderStatus.OPEN
USED, ALREADY_PAID = Refusal.ORDER_NUMBER_USED, Refusal.ORDER_ALREADY_PAID
BY_STATE = {
    State.AUTHORIZED: (PAID, ALREADY_PAID),
    State.CAPTURED: (PAID, ALREADY_PAID),
    State.PARTIALLY_REFUNDED: (PAID, ALREADY_PAID),
    State.REFUNDED: (CANCELLED, USED),
    State.VOIDED: (CANCELLED, USED),
    State.EXPIRED: (CANCELLED, USED),
    State.AWAITING_USER: (OPEN, ALREADY_PAID),
}


def test_every_state_in_which_a_payment_claims_a_number_is_judged() -> None:
    assert set(State) - {State.DECLINED} == set(BY_STATE)


@pytest.mark.parametrize("state", BY_STATE)
@pytest.mark.parametrize("late_s", [0, 10_000])
def test_what_claims_the_number_decides_whatever_the_time(state: State, late_s: int) -> None:
    status, _ = BY_STATE[state]
    assert status_of(ORDER, Claim(PAYMENT, state, None), now=NOW + timedelta(seconds=late_s)) is status


@pytest.mark.parametrize("state", BY_STATE)
def test_claimed_number_is_refused_as_a_payment_for_it_would_be(state: State) -> None:
    _, refusal = BY_STATE[state]
    assert judge_claim(Claim(PAYMENT, state, None), now=NOW) is refusal


def test_cancelled_number_is_told_apart_from_a_used_one() -> None:
    tombstone = Claim(None, None, None)
    assert status_of(ORDER, tombstone, now=NOW) is CANCELLED
    assert judge_claim(tombstone, now=NOW) is Refusal.ORDER_CANCELLED


@pytest.mark.parametrize(("late_s", "refusal"), [(-1, ALREADY_PAID), (0, USED), (1, USED)])
def test_hold_that_has_lapsed_pays_nothing_even_before_it_is_swept(late_s: int, refusal: Refusal) -> None:
    claim = Claim(PAYMENT, State.AUTHORIZED, NOW)
    assert judge_claim(claim, now=NOW + timedelta(seconds=late_s)) is refusal


@pytest.mark.parametrize(("after_s", "status"), [(0, OPEN), (899, OPEN), (900, OrderStatus.EXPIRED)])
def test_unclaimed_order_is_open_until_its_time_is_over(after_s: int, status: OrderStatus) -> None:
    assert status_of(ORDER, None, now=NOW + timedelta(seconds=after_s)) is status


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": 501},
        {"scenario": 1},
        {"terminal_id": "T-02"},
        {"description": "x"},
        {"items": (OrderItem("a", 1, 500),)},
        {"return_url": "https://a.example/"},
        {"bill_no": "B-1"},
        {"bill": a_bill()},
        {"lives_s": 60},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_whatever_the_merchant_changes_makes_another_version(changes: dict[str, object]) -> None:
    assert not says_the_same(ORDER, msgspec.structs.replace(ORDER, **changes))


def test_what_the_engine_stamps_makes_no_other_version() -> None:
    stamped = {"version": 2, "token": bytes(range(16)), "expires_at": NOW, "created_at": NOW - timedelta(days=1)}
    assert says_the_same(ORDER, msgspec.structs.replace(ORDER, **stamped))
