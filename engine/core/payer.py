"""The payer: everything that a payment must check and change for one cardholder, in one record."""

import enum
from datetime import date
from typing import Final

import msgspec

from engine.core.ids import BankId, CardId
from engine.core.refusals import Refusal

PASSWORD_TRIES_MAX: Final = 5
"""Wrong passwords in a row; then the password is locked until it is set anew."""

NO_PASSWORD_UP_TO_FEN: Final = 100_000
"""What one payment may take without a password unless the cardholder has chosen otherwise; cardholders choose among
nothing, 200, 500, 800, 1,000 and 2,000 yuan."""

LIMIT_A_DAY_FEN: Final = 500_000
LIMIT_UNCONFIRMED_A_DAY_FEN: Final = 100_000
LIMIT_OFFLINE_A_DAY_FEN: Final = 50_000
"""What a bank card pays in a day with two factors, with fewer, and by what was not checked at all: 5,000, 1,000 and 500
yuan, the central bank's levels B, C and D for bar code payments. Insured parts and personal accounts do not count."""


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


class LimitClass(enum.IntEnum):
    """Which daily limit a payment's bank card part counts against, by how well the cardholder was verified. Stored."""

    CONFIRMED = 1  # two factors: the device or the card, and the password
    UNCONFIRMED = 2  # the device alone
    OFFLINE = 3  # a gate let the cardholder through, and asked nobody


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
    limit_day: date = date.min  # the business date that what was spent belongs to; never goes backwards
    spent: int = 0  # from the bank card, in all classes
    spent_unconfirmed: int = 0
    spent_offline: int = 0
    limit_a_day: int = LIMIT_A_DAY_FEN
    limit_unconfirmed: int = LIMIT_UNCONFIRMED_A_DAY_FEN
    limit_offline: int = LIMIT_OFFLINE_A_DAY_FEN
    no_password_up_to: int = NO_PASSWORD_UP_TO_FEN  # the cardholder's own setting
    password_version: int = 0  # grows each time the password is set; 0: there is none
    password_tries: int = 0  # wrong ones in a row
    insured_region: int = 0  # whose plan pays; 0: not insured
    insurance: int = 0  # kind of insurance, such as 310
    person_type: int = 0  # of the insurance, such as 11 working and 12 retired
    benefit_year: int = 0  # that the two figures below belong to; never goes backwards
    deductible_used: int = 0
    fund_paid: int = 0  # what counts against the year's cap
    family: CardId | None = None  # the relative whose personal account helps
    blocked_scenarios: int = 0  # bit n: scenario n is closed until an unpaid ride is paid

    @property
    def personal_account_available(self) -> int:
        """What the personal account can still pay: posted less everything reserved."""
        return self.credits_posted - self.debits_posted - self.debits_pending

    def spent_on(self, business_date: date) -> int:
        """What the bank card has spent of its allowance on *business_date*."""
        return self.spent if self.limit_day >= business_date else 0

    def left_in(self, limit: LimitClass, business_date: date) -> int:
        """What the bank card may still spend on *business_date* in a class of payments, never below zero.

        What is spent in any class counts against the limit of all of them. The bank's allowance is another matter.
        """
        is_same_day = self.limit_day >= business_date
        left = self.limit_a_day - (self.spent if is_same_day else 0)
        if limit is LimitClass.UNCONFIRMED:
            left = min(left, self.limit_unconfirmed - (self.spent_unconfirmed if is_same_day else 0))
        elif limit is LimitClass.OFFLINE:
            left = min(left, self.limit_offline - (self.spent_offline if is_same_day else 0))
        return max(left, 0)

    @property
    def is_password_locked(self) -> bool:
        """Too many wrong ones in a row."""
        return self.password_tries >= PASSWORD_TRIES_MAX

    @property
    def password_tries_left(self) -> int:
        """How often it may still be wrong."""
        return max(0, PASSWORD_TRIES_MAX - self.password_tries)

    def used_in(self, year: int) -> tuple[int, int]:
        """The deductible used and the fund's payments of a benefit year that is not over. A new year starts anew."""
        return (self.deductible_used, self.fund_paid) if self.benefit_year >= year else (0, 0)


def why_not_usable(payer: Payer) -> Refusal | None:
    """The first reason for which this card may not pay."""
    if payer.status is CardStatus.LOST:
        return Refusal.CARD_REPORTED_LOST
    if payer.status is not CardStatus.ACTIVE:
        return Refusal.CARD_NOT_USABLE
    if payer.issue_level is not IssueLevel.PAYMENT:
        return Refusal.PAYMENT_NOT_ENABLED
    return None


class Spending(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a payment takes of what is kept on its payer's row. Units: fen."""

    personal: int
    bank: int
    limit: LimitClass
    year: int = 0  # 0: no insurance pays
    deductible: int = 0
    fund: int = 0


def hold_funds(payer: Payer, spending: Spending, business_date: date) -> Payer:
    """The payer after an authorization: everything that it takes is reserved."""
    return _spend(payer, spending, business_date, pending=spending.personal, posted=0)


def pay_at_once(payer: Payer, spending: Spending, business_date: date) -> Payer:
    """The payer after an authorization that is captured in the same instant."""
    return _spend(payer, spending, business_date, pending=0, posted=spending.personal)


def _spend(payer: Payer, spending: Spending, business_date: date, *, pending: int, posted: int) -> Payer:
    is_same_day = payer.limit_day >= business_date
    unconfirmed = payer.spent_unconfirmed if is_same_day else 0
    offline = payer.spent_offline if is_same_day else 0
    spent = msgspec.structs.replace(
        payer,
        debits_pending=payer.debits_pending + pending,
        debits_posted=payer.debits_posted + posted,
        limit_day=max(payer.limit_day, business_date),
        spent=payer.spent_on(business_date) + spending.bank,
        spent_unconfirmed=unconfirmed + (spending.bank if spending.limit is LimitClass.UNCONFIRMED else 0),
        spent_offline=offline + (spending.bank if spending.limit is LimitClass.OFFLINE else 0),
    )
    return use_benefits(spent, spending.year, spending.deductible, spending.fund) if spending.year else spent


def use_benefits(payer: Payer, year: int, deductible: int, fund: int) -> Payer:
    """The payer after a bill used some of the year's deductible and cap."""
    deductible_used, fund_paid = payer.used_in(year)
    return msgspec.structs.replace(
        payer,
        benefit_year=max(payer.benefit_year, year),
        deductible_used=deductible_used + deductible,
        fund_paid=fund_paid + fund,
    )


def give_benefits_back(payer: Payer, year: int, deductible: int, fund: int) -> Payer:
    """The payer after a bill was given back: a later year's figures never counted it."""
    if payer.benefit_year != year:
        return payer
    return msgspec.structs.replace(
        payer,
        deductible_used=payer.deductible_used - deductible,
        fund_paid=payer.fund_paid - fund,
    )


def settle_hold(
    payer: Payer,
    *,
    personal_released: int,
    personal_posted: int,
    bank_returned: int,
    limit: LimitClass,
    limit_day: date,
) -> Payer:
    """The payer after some of a hold was captured or let go.

    The allowance gets back what was reserved on the same day only: a later day's figure never counted it.
    """
    returned = bank_returned if payer.limit_day == limit_day else 0
    return msgspec.structs.replace(
        payer,
        debits_pending=payer.debits_pending - personal_released,
        debits_posted=payer.debits_posted + personal_posted,
        spent=payer.spent - returned,
        spent_unconfirmed=payer.spent_unconfirmed - (returned if limit is LimitClass.UNCONFIRMED else 0),
        spent_offline=payer.spent_offline - (returned if limit is LimitClass.OFFLINE else 0),
    )


def help_family(payer: Payer, *, pending: int, posted: int) -> Payer:
    """The relative whose personal account helps, after it reserved or paid something."""
    return msgspec.structs.replace(
        payer, debits_pending=payer.debits_pending + pending, debits_posted=payer.debits_posted + posted
    )


def give_back(payer: Payer, *, personal: int) -> Payer:
    """The payer after a refund: the personal account's share is back at once."""
    return msgspec.structs.replace(payer, credits_posted=payer.credits_posted + personal)
