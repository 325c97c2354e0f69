"""Clearing: the bank that each account clears through, and what the banks owe each other when a cycle is closed.

Every posting of a closed cycle that moves money for good is collected from the debtor's bank and credited to the
creditor's. Over all banks what is collected is what is credited, so their net positions sum to zero.
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import msgspec

from engine.core.accounts import (
    PERSONAL_ACCOUNT_PAY_TYPE,
    AccountId,
    AccountKind,
    account_text,
    card_receivable,
    fund_pay_type_of,
    owner_of,
    pool_fund,
    pooling_area,
)
from engine.core.ids import NO_ID, BankId, CardId, id_text, kind_number, region_of
from engine.core.journal import lane_leaf, merkle_root
from engine.core.postings import Phase, PostingKind

CLEARED_PHASE: Final = Phase.POST
CLEARED_KINDS: Final = (
    PostingKind.PAY,
    PostingKind.REFUND,
    PostingKind.RETURN,
    PostingKind.REPRESENT,
    PostingKind.BENEFIT,
)

STOOD_IN_FOR: Final = card_receivable(CardId(NO_ID))
"""The route of what the settlement bank stands in for: one for all cards and banks, so that routes stay few."""

STAND_INS: Final = frozenset({AccountKind.CARD_RECEIVABLE, AccountKind.SUSPENSE_LONG, AccountKind.SUSPENSE_SHORT})
"""What holds the amount of a returned item. The settlement bank advances it, so settlement does not clear these."""

_BANK_ACCOUNTS: Final = frozenset({AccountKind.BANK_RECEIVABLE, AccountKind.BANK_PAYABLE})


class Movement(msgspec.Struct, frozen=True):
    """What one bank's accounts have paid to another's. Units: fen."""

    debtor: BankId
    creditor: BankId
    count: int
    amount: int


class NetPosition(msgspec.Struct, frozen=True, kw_only=True):
    """What a cycle takes from a bank and gives to it. Units: fen."""

    bank: BankId
    debits: int
    credits: int
    debit_count: int
    credit_count: int

    @property
    def net(self) -> int:
        """What the bank gets (above zero) or pays (below)."""
        return self.credits - self.debits


class LaneEnd(NamedTuple):
    """Where a lane's chain stood when a cycle ended."""

    lane: int
    seq: int
    head: bytes


class AccountNotRouted(LookupError):
    """No bank is known for a merchant, an agency or a fund, so its cycle cannot be cleared yet."""


def route_account(account: AccountId) -> AccountId:
    """The account that decides the bank: for a personal account, its pooling area's fund of personal accounts; for
    benefits, the fund that they come from; for what was returned, one that stands for all of it.
    """
    kind = kind_number(account)
    if kind == AccountKind.PERSONAL_ACCOUNT:
        return pool_fund(pooling_area(region_of(account)), PERSONAL_ACCOUNT_PAY_TYPE)
    if kind == AccountKind.BENEFIT_PAYABLE:
        return pool_fund(pooling_area(region_of(account)), fund_pay_type_of(account))
    return STOOD_IN_FOR if kind in STAND_INS else account


def has_own_bank(account: AccountId) -> bool:
    """True for the accounts that are a bank's: they clear through it, and need no route."""
    return kind_number(account) in _BANK_ACCOUNTS


def bank_of(account: AccountId, routes: Mapping[AccountId, BankId]) -> BankId:
    """The bank that *account* clears through. *routes* gives the banks of merchants, agencies and funds, and the one
    that stands in, by `route_account`.

    Raises:
        AccountNotRouted: the merchant, the agency or the fund is not in *routes*.
    """
    if has_own_bank(account):
        return BankId(owner_of(account))
    route = route_account(account)
    bank = routes.get(route)
    if bank is None:
        raise AccountNotRouted(account_text(route))
    return bank


def net_positions(movements: Iterable[Movement], banks: Iterable[BankId]) -> tuple[NetPosition, ...]:
    """What each of *banks* pays and gets over all the movements: multilateral netting.

    Order: by bank id. Every bank has a position, one of zero included; the nets sum to zero.

    Raises:
        AccountNotRouted: a movement names a bank that is not one of *banks*.
    """
    debits: dict[BankId, list[int]] = {bank: [0, 0] for bank in banks}
    credits_: dict[BankId, list[int]] = {bank: [0, 0] for bank in debits}
    for movement in movements:
        for side, bank in ((debits, movement.debtor), (credits_, movement.creditor)):
            if bank not in side:
                raise AccountNotRouted(id_text(bank))
            side[bank][0] += movement.count
            side[bank][1] += movement.amount
    positions = tuple(
        NetPosition(
            bank=bank,
            debits=debits[bank][1],
            credits=credits_[bank][1],
            debit_count=debits[bank][0],
            credit_count=credits_[bank][0],
        )
        for bank in sorted(debits)
    )
    assert sum(position.net for position in positions) == 0, "what one bank pays, another gets"
    return positions


def seal_root(ends: Iterable[LaneEnd]) -> bytes:
    """The Merkle root that ties the lanes' chains together at a cycle's end; *ends* by lane."""
    return merkle_root(lane_leaf(end.lane, end.seq, end.head) for end in ends)
