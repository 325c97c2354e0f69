"""Which bank an account clears through, and what the banks owe each other."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.accounts import (
    PERSONAL_ACCOUNT_PAY_TYPE,
    AccountId,
    bank_payable,
    bank_receivable,
    merchant_payable,
    personal_account,
    pool_fund,
)
from engine.core.clearing import (
    AccountNotRouted,
    LaneEnd,
    Movement,
    NetPosition,
    bank_of,
    has_own_bank,
    net_positions,
    route_account,
    seal_root,
)
from engine.core.ids import BankId, CardId, IdKind, MerchantId, make_id
from engine.core.journal import lane_leaf, merkle_root


def _id(kind: IdKind, entropy: int, *, region: int = 110101) -> bytes:
    return make_id(kind, at_ms=1_700_000_000_000, shard=7, region=region, entropy=entropy)


A, B, C = (BankId(_id(IdKind.BANK, n)) for n in range(3))
MERCHANT = MerchantId(_id(IdKind.MERCHANT, 9))
CARD = CardId(_id(IdKind.CARD, 8))


def _moved(debtor: BankId, creditor: BankId, amount: int) -> Movement:
    return Movement(debtor, creditor, 1, amount)


def _nets(movements: Sequence[Movement], banks: Sequence[BankId] = (A, B, C)) -> dict[BankId, int]:
    return {position.bank: position.net for position in net_positions(movements, banks)}


def test_three_banks_net_to_what_is_left() -> None:
    movements = [_moved(A, B, 100), _moved(B, C, 70), _moved(C, A, 40), _moved(B, A, 30), _moved(A, C, 10)]
    assert _nets(movements) == {A: -40, B: 0, C: 40}


def test_one_insured_payment_is_paid_by_two_banks() -> None:
    cardholder_bank, fund_bank, hospital_bank = A, B, C
    movements = [
        _moved(cardholder_bank, hospital_bank, 23_735),
        _moved(fund_bank, hospital_bank, 16_236),
        _moved(fund_bank, hospital_bank, 40_000),
    ]
    assert {cardholder_bank: -23_735, fund_bank: -56_236, hospital_bank: 79_971} == _nets(movements)


def test_a_bank_that_nets_to_nothing_keeps_its_gross_totals() -> None:
    (position,) = net_positions([Movement(A, A, 3, 50)], [A])
    assert NetPosition(bank=A, debits=50, credits=50, debit_count=3, credit_count=3) == position


def test_a_bank_without_movements_has_a_position_of_zero() -> None:
    positions = net_positions([_moved(A, B, 5)], [C, B, A])
    assert [position.bank for position in positions] == [A, B, C]
    assert NetPosition(bank=C, debits=0, credits=0, debit_count=0, credit_count=0) == positions[2]


def test_a_movement_of_a_bank_that_takes_no_part_is_refused() -> None:
    with pytest.raises(AccountNotRouted):
        net_positions([_moved(A, C, 5)], [A, B])


movements_of_banks = st.lists(
    st.builds(Movement, st.sampled_from([A, B, C]), st.sampled_from([A, B, C]), st.just(1), st.integers(1, 10**12))
)


@given(movements_of_banks)
def test_nets_sum_to_zero_and_totals_to_what_moved(movements: list[Movement]) -> None:
    positions = net_positions(movements, [A, B, C])
    moved = sum(movement.amount for movement in movements)
    assert sum(position.net for position in positions) == 0
    assert moved == sum(position.debits for position in positions) == sum(position.credits for position in positions)
    assert len(movements) == sum(position.debit_count for position in positions)
    assert len(movements) == sum(position.credit_count for position in positions)


@given(movements_of_banks)
def test_the_order_of_movements_does_not_matter(movements: list[Movement]) -> None:
    assert net_positions(movements, [A, B, C]) == net_positions(movements[::-1], [C, B, A])


PERSONAL_FUND = pool_fund(110100, PERSONAL_ACCOUNT_PAY_TYPE)
POOL = pool_fund(110100, 310100)


@pytest.mark.parametrize(
    ("account", "routes", "bank"),
    [
        (bank_receivable(A), {}, A),
        (bank_payable(B), {}, B),
        (merchant_payable(MERCHANT), {merchant_payable(MERCHANT): C}, C),
        (POOL, {POOL: B, PERSONAL_FUND: C}, B),
        (personal_account(CARD), {POOL: B, PERSONAL_FUND: C}, C),
    ],
)
def test_an_account_clears_through_its_bank(account: AccountId, routes: dict[AccountId, BankId], bank: BankId) -> None:
    assert bank == bank_of(account, routes)


def test_personal_accounts_of_a_pooling_area_take_one_route() -> None:
    elsewhere = CardId(_id(IdKind.CARD, 3, region=110115))
    assert PERSONAL_FUND == route_account(personal_account(CARD)) == route_account(personal_account(elsewhere))
    assert route_account(personal_account(CardId(_id(IdKind.CARD, 3, region=120101)))) != PERSONAL_FUND


def test_only_a_banks_own_accounts_need_no_route() -> None:
    assert [
        has_own_bank(account)
        for account in (
            bank_receivable(A),
            bank_payable(A),
            merchant_payable(MERCHANT),
            POOL,
            personal_account(CARD),
        )
    ] == [True, True, False, False, False]


@pytest.mark.parametrize("account", [merchant_payable(MERCHANT), POOL, personal_account(CARD)])
def test_an_account_without_a_bank_stops_its_cycle_and_is_named(account: AccountId) -> None:
    with pytest.raises(AccountNotRouted, match=r"merchant:mer_|fund:110100:"):
        bank_of(account, {})


def test_a_seal_ties_every_lanes_end() -> None:
    ends = [LaneEnd(1, 5, b"a" * 32), LaneEnd(2, 9, b"b" * 32)]
    root = seal_root(ends)
    assert merkle_root([lane_leaf(1, 5, b"a" * 32), lane_leaf(2, 9, b"b" * 32)]) == root
    others = (ends[:1], [ends[0]._replace(seq=6), ends[1]], [ends[0], ends[1]._replace(head=b"c" * 32)])
    assert root not in [seal_root(other) for other in others]
