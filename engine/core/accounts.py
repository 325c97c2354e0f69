"""The chart of accounts: which accounts exist, how an account id is made, and how it is written.

An account id is its owner's id with the kind replaced, so it needs no table and carries its owner's region and
shard. A fund has no owner: its id is made of its region and its fund pay type.
"""

import enum
from typing import Final, NewType

from engine.core.ids import (
    ENTROPY_BITS,
    BankId,
    CardId,
    IdKind,
    MerchantId,
    id_text,
    kind_number,
    region_of,
    with_kind_number,
)


class AccountKind(enum.IntEnum):
    """What an account stands for; the number is in its id, above every `IdKind`."""

    PERSONAL_ACCOUNT = 0x80  # what the insurance owes a cardholder; never below zero
    POOL_FUND = 0x81  # a region's pooled fund of one pay type
    BANK_RECEIVABLE = 0x82  # what is to be collected from a cardholder's bank
    BANK_PAYABLE = 0x83  # what is to be paid to a cardholder's bank
    MERCHANT_PAYABLE = 0x84  # what is to be paid to a hospital or pharmacy
    OPENING = 0x85  # the other side of balances brought in when a card is opened


AccountId = NewType("AccountId", bytes)
"""Sixteen bytes that name one account."""


PERSONAL_ACCOUNT_PAY_TYPE: Final = 310200
"""The fund pay type under which personal accounts are cleared: the region's fund bank holds that money."""


def personal_account(card: CardId) -> AccountId:
    """The personal account of a card's holder."""
    return AccountId(with_kind_number(card, AccountKind.PERSONAL_ACCOUNT))


def bank_receivable(bank: BankId) -> AccountId:
    """What a bank's cardholders have spent and the bank has still to pay."""
    return AccountId(with_kind_number(bank, AccountKind.BANK_RECEIVABLE))


def bank_payable(bank: BankId) -> AccountId:
    """What a bank's cardholders have been given back."""
    return AccountId(with_kind_number(bank, AccountKind.BANK_PAYABLE))


def merchant_payable(merchant: MerchantId) -> AccountId:
    """What a merchant has earned."""
    return AccountId(with_kind_number(merchant, AccountKind.MERCHANT_PAYABLE))


def pool_fund(region: int, fund_pay_type: int) -> AccountId:
    """The pooled fund of one pooling area and pay type, such as ``fund:110100:310100``."""
    value = (fund_pay_type << 80) | (AccountKind.POOL_FUND << 64) | (region << ENTROPY_BITS)
    return AccountId(value.to_bytes(16, "big"))


def opening(region: int) -> AccountId:
    """The account against which a pooling area's balances were brought in."""
    value = (AccountKind.OPENING << 64) | (region << ENTROPY_BITS)
    return AccountId(value.to_bytes(16, "big"))


def pooling_area(region: int) -> int:
    """The prefecture-level region that pools the funds of a district: its last two digits are zero."""
    return region // 100 * 100


def account_kind(account: bytes) -> AccountKind:
    """What the account stands for."""
    return AccountKind(kind_number(account))


def owner_of(account: bytes) -> bytes:
    """The id of the card, bank or merchant that the account belongs to."""
    return with_kind_number(account, _OWNER_KINDS[account_kind(account)])


_OWNER_KINDS: Final = {
    AccountKind.PERSONAL_ACCOUNT: IdKind.CARD,
    AccountKind.BANK_RECEIVABLE: IdKind.BANK,
    AccountKind.BANK_PAYABLE: IdKind.BANK,
    AccountKind.MERCHANT_PAYABLE: IdKind.MERCHANT,
}
_PATTERNS: Final = {
    AccountKind.PERSONAL_ACCOUNT: "payer:{owner}:personal_account",
    AccountKind.POOL_FUND: "fund:{region:06d}:{pay_type}",
    AccountKind.BANK_RECEIVABLE: "bank:{owner}:receivable",
    AccountKind.BANK_PAYABLE: "bank:{owner}:payable",
    AccountKind.MERCHANT_PAYABLE: "merchant:{owner}:payable",
    AccountKind.OPENING: "opening:{region:06d}",
}


def fund_pay_type_of(account: bytes) -> int:
    """The pay type of a pooled fund's account."""
    return int.from_bytes(account[:6], "big")


def account_text(account: bytes) -> str:
    """The account as people write it, such as ``merchant:mer_…:payable``."""
    kind = account_kind(account)
    owner = id_text(owner_of(account)) if kind in _OWNER_KINDS else ""
    return _PATTERNS[kind].format(owner=owner, region=region_of(account), pay_type=fund_pay_type_of(account))
