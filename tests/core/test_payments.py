"""The life of a payment: a total table of moves, and what a payment says of itself."""

import msgspec
import pytest

from engine.core.accounts import bank_payable, bank_receivable, personal_account
from engine.core.payments import TERMINAL, TRANSITIONS, Move, Payment, State, Tender, TenderKind
from tests.core.books_builders import BANK, CARD, FUND, captured, held, some_books

# Every state beside every move; what is not listed is refused.
ALLOWED = {
    State.AWAITING_USER: {
        Move.CONFIRM: State.AUTHORIZED,
        Move.CAPTURE_FINAL: State.CAPTURED,
        Move.VOID: State.VOIDED,
        Move.LAPSE: State.VOIDED,
    },
    State.AUTHORIZED: {
        Move.RAISE: State.AUTHORIZED,
        Move.CAPTURE_PART: State.AUTHORIZED,
        Move.CAPTURE_FINAL: State.CAPTURED,
        Move.VOID: State.VOIDED,
        Move.LAPSE: State.EXPIRED,
        Move.RELEASE_REST: State.CAPTURED,
    },
    State.CAPTURED: {Move.REFUND_PART: State.PARTIALLY_REFUNDED, Move.REFUND_REST: State.REFUNDED},
    State.PARTIALLY_REFUNDED: {Move.REFUND_PART: State.PARTIALLY_REFUNDED, Move.REFUND_REST: State.REFUNDED},
    State.REFUNDED: {},
    State.VOIDED: {},
    State.EXPIRED: {},
    State.DECLINED: {},
}


@pytest.mark.parametrize("move", Move)
@pytest.mark.parametrize("state", State)
def test_move_leads_where_the_table_says_or_is_refused(state: State, move: Move) -> None:
    assert TRANSITIONS.get((state, move)) is ALLOWED[state].get(move)


def test_what_is_over_never_changes() -> None:
    assert {State.REFUNDED, State.VOIDED, State.EXPIRED, State.DECLINED} == TERMINAL


def test_every_state_is_reached() -> None:
    begun = {State.AUTHORIZED, State.AWAITING_USER, State.CAPTURED, State.DECLINED}
    assert begun | set(TRANSITIONS.values()) == set(State)


def test_every_move_is_used() -> None:
    assert {move for _, move in TRANSITIONS} == set(Move)


def test_hold_is_on_hold() -> None:
    payment = held(some_books(), amount=500)
    assert (payment.captured_amount, payment.refunded_amount, payment.held_amount) == (0, 0, 500)


def test_captured_payment_holds_nothing() -> None:
    payment = captured(some_books(), amount=500)
    assert (payment.captured_amount, payment.refunded_amount, payment.held_amount) == (500, 0, 0)


@pytest.mark.parametrize("state", State)
def test_only_what_is_authorized_or_waits_holds_anything(state: State) -> None:
    payment: Payment = msgspec.structs.replace(held(some_books(), amount=500), state=state)
    assert payment.held_amount == (500 if state in (State.AUTHORIZED, State.AWAITING_USER) else 0)


@pytest.mark.parametrize(
    ("tender", "account"),
    [
        (Tender(TenderKind.POOL_FUND, FUND, 5, 5, 0, 310100), FUND),
        (Tender(TenderKind.PERSONAL_ACCOUNT, personal_account(CARD), 5, 5, 0), personal_account(CARD)),
        (Tender(TenderKind.BANK_CARD, bank_receivable(BANK), 5, 5, 0), bank_payable(BANK)),
    ],
)
def test_what_a_bank_gets_back_is_kept_apart_from_what_it_owes(tender: Tender, account: bytes) -> None:
    assert tender.refund_account == account
