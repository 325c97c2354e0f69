"""Returned items: which item a bank gives back, what stands in for its amount, and what becomes of it.

An item is one end of a cleared posting: what a bank was to take from an account (a debit), or to give to one. Whoever
is at the other end is not touched: a merchant keeps its money though the cardholder's bank gives its part back.

| what is given back | what holds the amount | then |
|---|---|---|
| a bank card's part of a payment | the cardholder's debt | presented again in two cycles, then in suspense |
| a benefit | the benefits that are owed | whoever sent it decides |
| anything else | suspense: short of what the bank was to pay, long of what it was to give | a person decides |
"""

import enum
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from engine.core.accounts import (
    PERSONAL_ACCOUNT_PAY_TYPE,
    AccountId,
    AccountKind,
    account_kind,
    card_receivable,
    fund_pay_type_of,
    suspense_long,
    suspense_short,
)
from engine.core.bank_lines import Direction
from engine.core.calendar import CycleNumber
from engine.core.clearing import STAND_INS, route_account
from engine.core.clearing_lines import BANK_LEG
from engine.core.commands import Entry
from engine.core.ids import BankId, CardId
from engine.core.postings import PostingKind

PRESENTATIONS_MAX: Final = 2
UNKNOWN: Final = "unknown reference"
"""What is said of an item of another bank, and of one that does not exist: they must not be told apart."""


class ReturnState(enum.IntEnum):
    """Where an item is that was given back. Stored."""

    RETURNED = 1
    REPRESENTED = 2  # presented again, and not given back since
    COLLECTED = 3  # the cycle in which it was presented again is settled
    SUSPENDED = 4  # a person decides


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One end of a cleared posting, at the bank that speaks of it. Units: fen."""

    item: str  # lane.seq.n of the posting
    direction: Direction
    payment: bytes  # or what else it is about
    payer: CardId  # sixteen zeros if it is about no payment
    cycle: CycleNumber
    kind: PostingKind
    debit: AccountId
    credit: AccountId
    amount: int
    is_published: bool
    is_returned: bool

    @property
    def account(self) -> AccountId:
        """The account at the bank's end; for personal accounts, the fund that pays for them."""
        own = self.debit if self.direction is Direction.DEBIT else self.credit
        return route_account(own) if account_kind(own) is AccountKind.PERSONAL_ACCOUNT else own

    @property
    def leg(self) -> str:
        """As in the clearing file."""
        return leg_of(self.credit if self.kind is PostingKind.REFUND else self.debit)

    @property
    def is_returnable(self) -> bool:
        """False for what itself undoes a return, or is only advanced by the bank."""
        own = self.debit if self.direction is Direction.DEBIT else self.credit
        return self.kind is not PostingKind.RETURN and account_kind(own) not in STAND_INS


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """What a bank says of an item that it gives back; empty, None or zero: it does not say."""

    line: int  # of the upload
    payment_id: str
    item_id: str = ""
    direction: Direction | None = None
    leg: str = ""
    amount: int = 0
    file_name: str = ""
    reason: str = ""
    return_ref: str = ""


class CoveredCycles(NamedTuple):
    """What a named clearing file holds: items of one direction (None: of both), of some cycles."""

    direction: Direction | None
    first_cycle: CycleNumber
    cycle: CycleNumber


class ReturnedClaim(msgspec.Struct, frozen=True):
    """A claim, and the item that it is about."""

    claim: Claim
    item: Item


class ClaimFault(msgspec.Struct, frozen=True):
    """What is wrong with a claim."""

    line: int
    field: str
    reason: str


def leg_of(account: AccountId) -> str:
    """The leg of a line whose money comes from *account*, or goes back to it."""
    match account_kind(account):
        case AccountKind.POOL_FUND | AccountKind.BENEFIT_PAYABLE:
            return str(fund_pay_type_of(account))
        case AccountKind.PERSONAL_ACCOUNT:
            return str(PERSONAL_ACCOUNT_PAY_TYPE)
        case _:
            return BANK_LEG


def match_claims(
    claims: Iterable[Claim], items: Mapping[str, Sequence[Item]], files: Mapping[str, CoveredCycles]
) -> tuple[list[ReturnedClaim], list[ClaimFault]]:
    """The item of each claim, or what is wrong with it.

    *items* are the bank's own by payment id, in the order of their files; *files* the bank's own by name and file id.
    Of several items that a claim fits the first one is meant that was not given back before, here or earlier. If both
    ends of a posting are the bank's, the credit is meant only by a claim that says so, or names its file.
    """
    found: list[ReturnedClaim] = []
    faults: list[ClaimFault] = []
    taken: set[tuple[str, Direction]] = set()
    for claim in claims:
        judged = _match(claim, items.get(claim.payment_id, ()), files, taken)
        if isinstance(judged, ClaimFault):
            faults.append(judged)
        else:
            taken.add((judged.item, judged.direction))
            found.append(ReturnedClaim(claim, judged))
    return found, faults


def _match(
    claim: Claim,
    items: Sequence[Item],
    files: Mapping[str, CoveredCycles],
    taken: Collection[tuple[str, Direction]],
) -> Item | ClaimFault:
    left = [item for item in items if item.is_returnable]
    if not left:
        return ClaimFault(claim.line, "payment_id", UNKNOWN)
    left = [item for item in left if item.is_published]
    if not left:
        return ClaimFault(claim.line, "payment_id", "in no file that is published yet")
    covered = files.get(claim.file_name)
    if claim.file_name and covered is None:
        return ClaimFault(claim.line, "file_name", UNKNOWN)
    direction = claim.direction or (covered.direction if covered is not None else None)
    debits = {item.item for item in left if item.direction is Direction.DEBIT}
    if direction is None:
        left = [item for item in left if item.direction is Direction.DEBIT or item.item not in debits]
    rules: tuple[tuple[str, str, Callable[[Item], bool]], ...] = (
        ("item_id", UNKNOWN, lambda item: claim.item_id in ("", item.item)),
        ("direction", "no such item in this direction", lambda item: claim.direction in (None, item.direction)),
        ("file_name", "the item is not in this file", lambda item: covered is None or _covers(covered, item)),
        ("leg", "the payment has no such part", lambda item: claim.leg in ("", item.leg)),
        ("amount", "not the item's amount", lambda item: claim.amount in (0, item.amount)),
        ("payment_id", "given back before", lambda item: not item.is_returned),
        ("payment_id", "given back twice in this file", lambda item: (item.item, item.direction) not in taken),
    )
    for field, reason, fits in rules:
        left = [item for item in left if fits(item)]
        if not left:
            return ClaimFault(claim.line, field, reason)
    return left[0]


def _covers(covered: CoveredCycles, item: Item) -> bool:
    return covered.direction in (None, item.direction) and covered.first_cycle <= item.cycle <= covered.cycle


def stand_in_of(item: Item, bank: BankId) -> AccountId:
    """What holds the amount of an item that *bank* has given back."""
    if item.kind is PostingKind.BENEFIT and item.direction is Direction.CREDIT:
        return item.debit
    if item.direction is Direction.CREDIT:
        return suspense_long(bank)
    if account_kind(item.debit) is AccountKind.BANK_RECEIVABLE:
        return card_receivable(item.payer)
    return suspense_short(bank)


def entry_of_return(direction: Direction, account: AccountId, stand_in: AccountId, amount: int) -> Entry:
    """The posting by which *stand_in* takes the place of the bank's *account*."""
    if direction is Direction.DEBIT:
        return Entry(stand_in, account, amount)
    return Entry(account, stand_in, amount)


def is_presented_again(stand_in: AccountId) -> bool:
    """Only what a cardholder owes is: for anything else a person, or whoever sent it, decides."""
    return account_kind(stand_in) is AccountKind.CARD_RECEIVABLE


def state_after_return(stand_in: AccountId, *, place: int) -> ReturnState:
    """What becomes of an item that is given back for the *place*-th time, from one."""
    if account_kind(stand_in) is AccountKind.BENEFIT_PAYABLE:
        return ReturnState.RETURNED
    if is_presented_again(stand_in) and place <= PRESENTATIONS_MAX:
        return ReturnState.RETURNED
    return ReturnState.SUSPENDED
