"""The payer: everything that a payment must check and change for one cardholder, in one record."""

import enum
from datetime import date

import msgspec

from engine.core.ids import BankId, CardId
from engine.core.refusals import Refusal


class CardStatus(enum.IntEnum):
    """The state of the card, physical and electronic alike."""

    ACTIVE = 1
    LOST = 2
    SUSPENDED = 3
    CANCELLED = 4
    EXPIRED = 5


class IssueLevel(enum.IntEnum):
    """How far the electronic card is issued; paying needs the second level."""

    QUERY = 1
    PAYMENT = 2


class TenderOrder(enum.IntEnum):
    """The cardholder's own setting: what pays first, what the insurance does not."""

    PERSONAL_ACCOUNT_FIRST = 1
    BANK_CARD_ONLY = 2
    PERSONAL_ACCOUNT_ONLY = 3


class Payer(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One cardholder's row. Units: fen."""

    id: CardId
    status: CardStatus
    issue_level: IssueLevel
    bank: BankId
    bank_allowance: int  # what the bank lets the card spend in one business date
    tender_order: TenderOrder
    debits_pending: int = 0  # the personal account's four totals
    debits_posted: int = 0
    credits_pending: int = 0
    credits_posted: int = 0
    limit_day: date = date.min  # the business date that `spent` belongs to; never goes backwards
    spent: int = 0

    @property
    def personal_account_available(self) -> int:
        """What the personal account can still pay: posted less everything reserved."""
        return self.credits_posted - self.debits_posted - self.debits_pending

    def spent_on(self, business_date: date) -> int:
        """What the bank card has spent of its allowance on *business_date*."""
        return self.spent if self.limit_day >= business_date else 0


def why_not_usable(payer: Payer) -> Refusal | None:
    """The first reason for which this card may not pay."""
    if payer.status is CardStatus.LOST:
        return Refusal.CARD_REPORTED_LOST
    if payer.status is not CardStatus.ACTIVE:
        return Refusal.CARD_NOT_USABLE
    if payer.issue_level is not IssueLevel.PAYMENT:
        return Refusal.PAYMENT_NOT_ENABLED
    return None


def hold_funds(payer: Payer, *, personal: int, bank: int, business_date: date) -> Payer:
    """The payer after an authorization: both shares are reserved."""
    return msgspec.structs.replace(
        payer,
        debits_pending=payer.debits_pending + personal,
        limit_day=max(payer.limit_day, business_date),
        spent=payer.spent_on(business_date) + bank,
    )


def pay_at_once(payer: Payer, *, personal: int, bank: int, business_date: date) -> Payer:
    """The payer after an authorization that is captured in the same instant."""
    return msgspec.structs.replace(
        payer,
        debits_posted=payer.debits_posted + personal,
        limit_day=max(payer.limit_day, business_date),
        spent=payer.spent_on(business_date) + bank,
    )


def settle_hold(
    payer: Payer, *, personal_released: int, personal_posted: int, bank_returned: int, limit_day: date
) -> Payer:
    """The payer after some of a hold was captured or let go.

    The allowance gets back what was reserved on the same day only: a later day's figure never counted it.
    """
    is_same_day = payer.limit_day == limit_day
    return msgspec.structs.replace(
        payer,
        debits_pending=payer.debits_pending - personal_released,
        debits_posted=payer.debits_posted + personal_posted,
        spent=payer.spent - bank_returned if is_same_day else payer.spent,
    )


def give_back(payer: Payer, *, personal: int) -> Payer:
    """The payer after a refund: the personal account's share is back at once."""
    return msgspec.structs.replace(payer, credits_posted=payer.credits_posted + personal)
