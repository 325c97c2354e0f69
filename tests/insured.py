"""A benefit plan under which a test says what the fund pays: the line in scope is its, the rest is the cardholder's."""

from datetime import date
from typing import Final

from engine.core.benefits import HOSPITAL_LEVELS, BillLine, BillPart, CatalogueItem, ItemClass, MedicalBill, Plan
from engine.core.plan_book import PlanBook
from engine.core.rules import Rules

EMPLOYEES: Final = 310
WORKING: Final = 11
FUND_PAY_TYPE: Final = 310100
COVERED, UNCOVERED = "XA01", "ZZ01"


def plan_of_area(area: int) -> Plan:
    """The plan of one pooling area."""
    return Plan(
        id=f"plan-{area}",
        region=area,
        insurance=EMPLOYEES,
        name="测试职工医保",
        valid_from=date(2000, 1, 1),
        valid_to=None,
        fund_pay_type=FUND_PAY_TYPE,
        deductible=0,
        annual_cap=10**10,
        rates_e4={WORKING: (10_000,) * len(HOSPITAL_LEVELS)},
        account_pays=frozenset(BillPart),
        items={COVERED: CatalogueItem(ItemClass.A), UNCOVERED: CatalogueItem(ItemClass.C)},
    )


def rules_of(*areas: int) -> Rules:
    """The rules of these pooling areas."""
    return Rules(version=1, plans=PlanBook(plan_of_area(area) for area in areas))


def bill_of(amount: int, *, insured: int, visit_no: str | None = None) -> MedicalBill:
    """A bill of *amount* fen, *insured* fen of which the fund pays."""
    lines = [(item, fen) for item, fen in ((COVERED, insured), (UNCOVERED, amount - insured)) if fen]
    return MedicalBill(tuple(BillLine(item, 10_000, fen * 10_000, fen) for item, fen in lines), visit_no)
