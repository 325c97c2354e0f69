"""What a payment is paid from: the funds' shares as the plan gives them, then the cardholder's own sources in turn."""

import msgspec

from engine.core.accounts import AccountId, bank_receivable, personal_account, pool_fund, pooling_area
from engine.core.benefits import Split
from engine.core.books import Books
from engine.core.payer import CardStatus, LimitClass, Payer, Spending, TenderOrder
from engine.core.payments import Claim, Tender, TenderKind
from engine.core.scenarios import Scenario


def funded(split: Split, payer: Payer) -> tuple[Tender, ...]:
    """The tenders that the funds pay of a bill; nothing of them is captured yet."""
    area = pooling_area(payer.insured_region)
    return tuple(
        Tender(TenderKind.POOL_FUND, pool_fund(area, fund_pay_type), amount, 0, 0, fund_pay_type)
        for fund_pay_type, amount in split.fund_shares
    )


def own_tenders(
    books: Books, payer: Payer, scenario: Scenario, amount: int, *, split: Split | None
) -> tuple[Tender, ...] | None:
    """The tenders that the cardholder pays *amount* from, in the cardholder's order; None if they have not enough.

    Nothing of them is captured yet.
    Of a medical bill the personal accounts pay only what the plan lets them.
    """
    rest = amount
    left_for_accounts = amount if split is None else min(amount, split.account_eligible)
    tenders = []
    for kind, account, available in _own_sources(books, payer, scenario, has_bill=split is not None):
        taken = min(rest, available)
        if kind is not TenderKind.BANK_CARD:
            taken = min(taken, left_for_accounts)
            left_for_accounts -= max(taken, 0)
        if taken > 0:
            rest -= taken
            tenders.append(Tender(kind, account, taken, 0, 0))
    return tuple(tenders) if rest == 0 else None


def shown_tenders(books: Books, payer: Payer, scenario: Scenario, split: Split) -> tuple[Tender, ...]:
    """What would pay a bill now. What the accounts leave is shown as the bank card's, whether or not it has so much."""
    rest = split.person_part
    left_for_accounts = min(rest, split.account_eligible)
    tenders = list(funded(split, payer))
    for kind, account, available in _own_sources(books, payer, scenario, has_bill=True):
        taken = min(left_for_accounts, available) if kind is not TenderKind.BANK_CARD else 0
        if taken > 0:
            left_for_accounts -= taken
            rest -= taken
            tenders.append(Tender(kind, account, taken, 0, 0))
    if rest:
        tenders.append(Tender(TenderKind.BANK_CARD, bank_receivable(payer.bank), rest, 0, 0))
    return tuple(tenders)


def _own_sources(
    books: Books, payer: Payer, scenario: Scenario, *, has_bill: bool
) -> tuple[tuple[TenderKind, AccountId, int], ...]:
    """What the cardholder can spend, in the cardholder's order, with what each still holds."""
    sources: tuple[tuple[TenderKind, AccountId, int], ...] = ()
    order = payer.tender_order
    if order is not TenderOrder.BANK_CARD_ONLY and TenderKind.PERSONAL_ACCOUNT in scenario.tenders:
        sources = ((TenderKind.PERSONAL_ACCOUNT, personal_account(payer.id), payer.personal_account_available),)
        relative = family_of(books, payer) if has_bill and TenderKind.FAMILY_ACCOUNT in scenario.tenders else None
        if relative is not None:
            available = relative.personal_account_available
            sources += ((TenderKind.FAMILY_ACCOUNT, personal_account(relative.id), available),)
    if order is not TenderOrder.PERSONAL_ACCOUNT_ONLY and TenderKind.BANK_CARD in scenario.tenders:
        left = max(0, payer.bank_allowance - payer.spent_on(books.control.business_date))
        sources += ((TenderKind.BANK_CARD, bank_receivable(payer.bank), left),)
    return sources


def family_of(books: Books, payer: Payer) -> Payer | None:
    """The relative whose personal account helps, if that card is in use and locked by this batch."""
    has_relative = payer.family is not None and payer.family != payer.id
    relative = books.seen.payers.get(payer.family) if has_relative and payer.family is not None else None
    return relative if relative is not None and relative.status is CardStatus.ACTIVE else None


def amount_from(tenders: tuple[Tender, ...], kind: TenderKind) -> int:
    """What the tenders of one kind add up to, in fen."""
    total = 0
    for tender in tenders:
        if tender.kind is kind:
            total += tender.amount
    return total


def spending_of(tenders: tuple[Tender, ...], limit: LimitClass, claim: Claim | None) -> Spending:
    """What tenders and claim take of what is kept on the payer's row."""
    personal = amount_from(tenders, TenderKind.PERSONAL_ACCOUNT)
    bank = amount_from(tenders, TenderKind.BANK_CARD)
    if claim is None:
        return Spending(personal=personal, bank=bank, limit=limit)
    return Spending(
        personal=personal, bank=bank, limit=limit, year=claim.year, deductible=claim.deductible, fund=claim.pool
    )


class Limits(msgspec.Struct, frozen=True, gc=False):
    """What the day's limits say to an amount from the bank card."""

    is_over: bool  # more than the day allows, however it is confirmed
    is_over_unconfirmed: bool  # more than the day allows without a confirmation


def judge_limits(books: Books, payer: Payer, bank: int) -> Limits:
    """Hold an amount from the bank card against what is left of the day's limits."""
    day = books.control.business_date
    return Limits(
        is_over=bank > payer.left_in(LimitClass.CONFIRMED, day),
        is_over_unconfirmed=bank > payer.left_in(LimitClass.UNCONFIRMED, day),
    )
