"""What the insurance makes of a payment's bill, decided on the payer's live accumulators."""

import msgspec

from engine.core.benefits import BillFault, MedicalBill, Plan, Split, split
from engine.core.books import Books, Merchant
from engine.core.commands import Quoted
from engine.core.payer import Payer
from engine.core.payments import Claim
from engine.core.refusals import Refusal


class Settled(msgspec.Struct, frozen=True, gc=False):
    """A bill that was split: its figures, and what of them a payment keeps."""

    split: Split
    claim: Claim


def plan_of(books: Books, payer: Payer) -> Plan | None:
    """The plan that pays for this cardholder today."""
    if not payer.insured_region:
        return None
    return books.seen.rules.plans.plan_for(payer.insured_region, payer.insurance, books.control.business_date)


def settle_bill(
    books: Books, payer: Payer, merchant: Merchant, bill: MedicalBill, *, amount: int | None, quoted: Quoted | None
) -> Settled | BillFault:
    """Split a bill with what the payer has used of the year until now.

    *amount*: what the bill has to come to, in fen; None: whatever it comes to. *quoted*: what it has to be split into.
    """
    plan = plan_of(books, payer)
    if plan is None:
        return BillFault("", "no plan", Refusal.PLAN_MISSING)
    # Years of two plans may begin in different months: what is used counts in the newest, so it is given back there.
    year = max(plan.benefit_year(books.control.business_date), payer.benefit_year)
    deductible_used, fund_paid = payer.used_in(year)
    found = split(
        plan,
        bill,
        hospital_level=merchant.level,
        person_type=payer.person_type,
        deductible_used=deductible_used,
        fund_paid=fund_paid,
    )
    if isinstance(found, BillFault):
        # What was right when it was quoted can only have been changed by another plan.
        is_quoted = quoted is not None and found.refusal is not Refusal.PLAN_MISSING
        return BillFault("/quote_id", found.reason, Refusal.PRESETTLEMENT_CHANGED) if is_quoted else found
    if amount is not None and found.total != amount:
        return BillFault("/amount", f"the bill comes to {found.total} fen", Refusal.AMOUNT_NOT_BALANCED)
    if quoted is not None and found != quoted.split:
        return BillFault("/quote_id", "its split has changed", Refusal.PRESETTLEMENT_CHANGED)
    claim = Claim(
        plan=plan.id,
        year=year,
        total=found.total,
        own_pay=found.own_pay,
        over_limit=found.over_limit,
        pre_self=found.pre_self,
        in_scope=found.in_scope,
        deductible=found.deductible,
        pool=found.pool,
        visit_no=bill.visit_no,
    )
    return Settled(found, claim)
