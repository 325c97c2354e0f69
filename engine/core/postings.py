"""Double entry: a posting moves an amount from one account's debit to another's credit, and is never changed."""

import enum
from collections.abc import Iterable

import msgspec

from engine.core.accounts import AccountId, AccountKind
from engine.core.ids import kind_number


class Phase(enum.IntEnum):
    """What a posting does to the totals of both its accounts."""

    HOLD = 1  # pending + amount
    RELEASE = 2  # pending - amount: the hold was captured, voided, or lapsed
    POST = 3  # posted + amount; stamped with the open cycle, and cleared in it


class PostingKind(enum.IntEnum):
    """The business reason; clearing files write its name."""

    PAY = 1
    REFUND = 2
    OPENING = 3  # a balance brought in; not cleared
    RETURN = 4  # a bank sent an item back after it was settled: the opposite, in the open cycle
    RETURN_UNSETTLED = 5  # before it was settled: the item leaves its own cycle's net, and is not cleared again
    REPRESENT = 6  # a returned collection is presented to the bank again
    SETTLE = 7  # net positions become the settlement bank's; not cleared
    BENEFIT_APPROVED = 8  # a benefit is owed; not cleared
    BENEFIT = 9  # a benefit is sent to the payee's bank
    ADJUST = 10  # a person's correction, under four eyes; not cleared


class Posting(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One debit, one credit, one amount. Units: fen, above zero."""

    payment: bytes
    phase: Phase
    kind: PostingKind
    debit: AccountId
    credit: AccountId
    amount: int


class Totals(msgspec.Struct, gc=False):
    """The four totals of an account. The posted ones only grow; a balance is computed from them."""

    debits_pending: int = 0
    debits_posted: int = 0
    credits_pending: int = 0
    credits_posted: int = 0


def is_kept_on_payer(account: AccountId) -> bool:
    """True for the accounts whose totals are on the payer's row: they have a limit and must be exact."""
    return kind_number(account) == AccountKind.PERSONAL_ACCOUNT


def fold(postings: Iterable[Posting]) -> dict[AccountId, Totals]:
    """What the postings change, one entry an account."""
    totals: dict[AccountId, Totals] = {}
    for posting in postings:
        debit = totals.get(posting.debit)
        if debit is None:
            debit = totals[posting.debit] = Totals()
        credit = totals.get(posting.credit)
        if credit is None:
            credit = totals[posting.credit] = Totals()
        if posting.phase == Phase.POST:
            debit.debits_posted += posting.amount
            credit.credits_posted += posting.amount
        elif posting.phase == Phase.HOLD:
            debit.debits_pending += posting.amount
            credit.credits_pending += posting.amount
        else:
            debit.debits_pending -= posting.amount
            credit.credits_pending -= posting.amount
    return totals
