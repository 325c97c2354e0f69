"""Notifications: what is told, what it is called, and when it is tried again."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.answers import EventKind
from engine.core.ids import CardId, IdKind, MerchantId, PaymentId, at_ms_of, id_text, parse_id, region_of
from engine.core.payments import Mode, Payment, State
from engine.core.webhooks import (
    EVENT_TYPES,
    GIVE_UP_AFTER,
    TOLD_KINDS,
    Subscription,
    event_id,
    event_type,
    next_attempt,
    pause_after,
    unknown_types,
)
from tests.builders import REGION, an_id

NOW = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
PAYMENT = PaymentId(an_id(IdKind.PAYMENT, shard=7))


def a_payment(state: State) -> Payment:
    """A payment in a state."""
    return Payment(
        id=PAYMENT,
        region=REGION,
        merchant=MerchantId(an_id(IdKind.MERCHANT)),
        payer=CardId(an_id(IdKind.CARD)),
        order_no="A-1",
        amount=500,
        scenario=2,
        mode=Mode.SHOW_CODE,
        terminal_id="T-01",
        description=None,
        state=state,
        refusal=None,
        tenders=(),
        business_date=NOW.date(),
        cycle=None,
        limit_day=NOW.date(),
        created_at=NOW,
        expires_at=None,
        captured_at=None,
    )


def test_pauses_grow_to_four_hours() -> None:
    pauses = [pause_after(attempt, draw=0.5).total_seconds() for attempt in range(1, 12)]
    assert pauses[:4] == [5, 15, 45, 135]
    assert pauses == sorted(pauses)
    assert pauses[-1] == 4 * 3_600
    assert pause_after(10**9, draw=0.5) == timedelta(hours=4)


@given(attempt=st.integers(1, 100), draw=st.floats(0, 1))
def test_draw_moves_a_pause_by_a_fifth_at_most(attempt: int, draw: float) -> None:
    plain = pause_after(attempt, draw=0.5)
    assert plain * 0.799 <= pause_after(attempt, draw=draw) <= plain * 1.201
    assert pause_after(attempt, draw=0) < pause_after(attempt, draw=1)


@given(draw=st.floats(0, 1))
def test_attempts_end_after_three_days_with_one_at_the_very_end(draw: float) -> None:
    now, attempt, give_up_at = NOW, 1, NOW + GIVE_UP_AFTER
    while (again := next_attempt(attempt, now=now, give_up_at=give_up_at, draw=draw)) is not None:
        assert now < again <= give_up_at
        now, attempt = again, attempt + 1
    assert now == give_up_at
    assert 20 <= attempt <= 40


def test_moves_of_payments_are_told_and_nothing_else_is() -> None:
    assert set(EventKind) - set(TOLD_KINDS) == {
        EventKind.ORDER_CANCELLED,
        EventKind.CARD_REPORTED_LOST,
        EventKind.CARD_REINSTATED,
        EventKind.ACCOUNT_OPENED,
        EventKind.REFUSED,
        EventKind.BOOKED,
        EventKind.PASSWORD_SET,
        EventKind.SETTINGS_CHANGED,
        EventKind.CARD_CHANGED,
        EventKind.FAMILY_CHANGED,
        EventKind.PASSWORD_CHECKED,
    }
    assert len(set(EVENT_TYPES)) == len(EVENT_TYPES)
    assert all(name.startswith("payment.") for name in EVENT_TYPES)


@pytest.mark.parametrize(
    ("kind", "state", "name"),
    [
        (EventKind.AUTHORIZED, State.AUTHORIZED, "payment.authorized"),
        (EventKind.AUTHORIZED, State.AWAITING_USER, "payment.awaiting_user"),
        (EventKind.CAPTURED, State.CAPTURED, "payment.captured"),
        (EventKind.REFUNDED, State.PARTIALLY_REFUNDED, "payment.refunded"),
    ],
)
def test_event_is_called_after_what_happened(kind: EventKind, state: State, name: str) -> None:
    assert event_type(kind, a_payment(state)) == name
    assert name in EVENT_TYPES


def test_id_of_an_event_follows_from_its_place() -> None:
    made = event_id(lane=3, seq=70, n=5, at=NOW, payment=PAYMENT)
    assert made == event_id(lane=3, seq=70, n=5, at=NOW, payment=PAYMENT)
    assert parse_id(id_text(made), IdKind.EVENT) == made
    assert (at_ms_of(made), region_of(made)) == (round(NOW.timestamp() * 1_000), REGION)


@given(
    places=st.lists(
        st.tuples(st.integers(1, 1_000), st.integers(1, 2**20), st.integers(0, 128)),
        min_size=2,
        max_size=20,
        unique=True,
    )
)
def test_events_of_one_millisecond_have_ids_of_their_own(places: list[tuple[int, int, int]]) -> None:
    made = {event_id(lane=lane, seq=seq, n=n, at=NOW, payment=PAYMENT) for lane, seq, n in places}
    assert len(made) == len(places)


@pytest.mark.parametrize(
    ("types", "at", "wants"),
    [
        ((), NOW, True),
        (("payment.captured",), NOW, True),
        (("payment.refunded",), NOW, False),
        ((), NOW - timedelta(microseconds=1), False),
    ],
)
def test_endpoint_wants_its_types_from_its_registration_on(types: tuple[str, ...], at: datetime, wants: bool) -> None:
    subscription = Subscription(b"endpoint", b"owner", frozenset(types), NOW)
    assert subscription.wants("payment.captured", at) is wants


def test_types_are_known_and_given_once() -> None:
    assert unknown_types(EVENT_TYPES) == []
    assert unknown_types(("payment.captured", "payment.captured")) == ["payment.captured"]
    assert unknown_types(("payment.*", "webhook.test")) == ["payment.*", "webhook.test"]
