"""The chart of accounts: which accounts exist, how an account id is made, and how it is written.

An account id is its owner's id with the kind replaced, so it needs no table and carries its owner's region and
shard. A fund has no owner: its id is made of its region and its fund pay type.
"""

import enum
import re
from functools import cache
from typing import Final, NewType

from engine.core.ids import (
    ENTROPY_BITS,
    AgencyId,
    BankId,
    CardId,
    IdKind,
    MerchantId,
    id_text,
    kind_number,
    parse_id,
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
    CARD_RECEIVABLE = 0x86  # what a cardholder owes since the bank returned a collection
    AGENCY_PAYABLE = 0x87  # what is to be paid to an agency: premiums and fees
    BENEFIT_PAYABLE = 0x88  # benefits that are approved and not yet sent, of one region and fund
    SETTLEMENT = 0x89  # a bank's side of the settlement of net positions
    SUSPENSE_LONG = 0x8A  # money that a bank has and the books cannot explain
    SUSPENSE_SHORT = 0x8B  # money that the books expect and a bank does not have
    WRITE_OFF = 0x8C  # what nobody will pay for, or ask back


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


def card_receivable(card: CardId) -> AccountId:
    """What a cardholder owes since a collection from the bank card was returned."""
    return AccountId(with_kind_number(card, AccountKind.CARD_RECEIVABLE))


def agency_payable(agency: AgencyId) -> AccountId:
    """What an agency has been paid in premiums and fees."""
    return AccountId(with_kind_number(agency, AccountKind.AGENCY_PAYABLE))


def benefit_payable(region: int, fund_pay_type: int) -> AccountId:
    """Benefits of one pooling area and fund that are approved and not yet sent."""
    value = (fund_pay_type << 80) | (AccountKind.BENEFIT_PAYABLE << 64) | (region << ENTROPY_BITS)
    return AccountId(value.to_bytes(16, "big"))


def settlement(bank: BankId) -> AccountId:
    """A bank's side of the settlement of net positions."""
    return AccountId(with_kind_number(bank, AccountKind.SETTLEMENT))


def suspense_long(bank: BankId) -> AccountId:
    """Money that *bank* has and the books cannot explain, until a person decides."""
    return AccountId(with_kind_number(bank, AccountKind.SUSPENSE_LONG))


def suspense_short(bank: BankId) -> AccountId:
    """Money that the books expect of *bank* and it does not have, until a person decides."""
    return AccountId(with_kind_number(bank, AccountKind.SUSPENSE_SHORT))


def write_off(bank: BankId) -> AccountId:
    """What nobody will pay for, or ask back, of the differences with *bank*."""
    return AccountId(with_kind_number(bank, AccountKind.WRITE_OFF))


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
    AccountKind.CARD_RECEIVABLE: IdKind.CARD,
    AccountKind.AGENCY_PAYABLE: IdKind.AGENCY,
    AccountKind.SETTLEMENT: IdKind.BANK,
    AccountKind.SUSPENSE_LONG: IdKind.BANK,
    AccountKind.SUSPENSE_SHORT: IdKind.BANK,
    AccountKind.WRITE_OFF: IdKind.BANK,
}
_PATTERNS: Final = {
    AccountKind.PERSONAL_ACCOUNT: "payer:{owner}:personal_account",
    AccountKind.POOL_FUND: "fund:{region:06d}:{pay_type}",
    AccountKind.BANK_RECEIVABLE: "bank:{owner}:receivable",
    AccountKind.BANK_PAYABLE: "bank:{owner}:payable",
    AccountKind.MERCHANT_PAYABLE: "merchant:{owner}:payable",
    AccountKind.OPENING: "opening:{region:06d}",
    AccountKind.CARD_RECEIVABLE: "receivable:{owner}",
    AccountKind.AGENCY_PAYABLE: "agency:{owner}:payable",
    AccountKind.BENEFIT_PAYABLE: "benefit:{region:06d}:{pay_type}:payable",
    AccountKind.SETTLEMENT: "settlement:{owner}",
    AccountKind.SUSPENSE_LONG: "suspense:long:{owner}",
    AccountKind.SUSPENSE_SHORT: "suspense:short:{owner}",
    AccountKind.WRITE_OFF: "write_off:{owner}",
}


def parse_account(text: str) -> AccountId:
    """Read an account as `account_text` writes it.

    Raises:
        ValueError: no account is written so.
    """
    for kind, pattern in _PATTERNS.items():
        read = re.fullmatch(_readable(pattern), text)
        if read is None:
            continue
        found = read.groupdict()
        if "owner" in found:
            owner = parse_id(found["owner"], _OWNER_KINDS[kind])
            return AccountId(with_kind_number(owner, kind))
        value = (int(found.get("pay_type", 0)) << 80) | (kind << 64) | (int(found["region"]) << ENTROPY_BITS)
        return AccountId(value.to_bytes(16, "big"))
    raise ValueError("not an account, such as merchant:mer_…:payable or fund:110100:310100")


@cache
def _readable(pattern: str) -> str:
    places = {"{owner}": r"(?P<owner>[a-z0-9_]{1,31})", "{region:06d}": r"(?P<region>[0-9]{6})"}
    for place, readable in places.items():
        pattern = pattern.replace(place, readable)
    return pattern.replace("{pay_type}", r"(?P<pay_type>0|[1-9][0-9]{0,5})")


def fund_pay_type_of(account: bytes) -> int:
    """The pay type of a pooled fund's account."""
    return int.from_bytes(account[:6], "big")


def account_text(account: bytes) -> str:
    """The account as people write it, such as ``merchant:mer_…:payable``."""
    kind = account_kind(account)
    owner = id_text(owner_of(account)) if kind in _OWNER_KINDS else ""
    return _PATTERNS[kind].format(owner=owner, region=region_of(account), pay_type=fund_pay_type_of(account))
