"""The insurances of the sample city: a plan for employees, one for residents, and who of its people has which.

The figures are of a plausible size and no city's. Both plans hold from before the city's first payment until another is
decided.
"""

from datetime import date
from typing import Final

import msgspec

from engine.core.benefits import BillPart, CatalogueItem, Layer, LayerBase, Plan
from engine.core.payer import CardStatus, TenderOrder
from engine.sandbox.catalogue import CATALOGUE
from engine.sandbox.draws import Draws, Series
from engine.sandbox.people import Cardholder, cardholder
from engine.sandbox.regions import POOLING_AREA

EMPLOYEES: Final = 310
RESIDENTS: Final = 390
# psn_type
WORKING: Final = 11
RETIRED: Final = 12
CHILD: Final = 14
ADULT: Final = 15
OLD: Final = 16

_SINCE: Final = date(2020, 1, 1)
_ITEMS: Final[dict[str, CatalogueItem]] = {item.code: item.coverage for item in CATALOGUE}
_ACCOUNT_PAYS: Final = frozenset({BillPart.PRE_SELF, BillPart.DEDUCTIBLE, BillPart.SHARE})

PLANS: Final = (
    Plan(
        id="sandbox-employees",
        region=POOLING_AREA,
        insurance=EMPLOYEES,
        name="演示城市职工基本医疗保险",
        valid_from=_SINCE,
        valid_to=None,
        fund_pay_type=310100,
        deductible=180_000,
        annual_cap=2_000_000,
        rates_e4={WORKING: (7_500, 7_500, 6_500, 5_500), RETIRED: (8_000, 8_000, 7_000, 6_000)},
        layers=(Layer(330100, 6_000, LayerBase.OVER_CAP),),
        account_pays=_ACCOUNT_PAYS,
        items=_ITEMS,
    ),
    Plan(
        id="sandbox-residents",
        region=POOLING_AREA,
        insurance=RESIDENTS,
        name="演示城市城乡居民基本医疗保险",
        valid_from=_SINCE,
        valid_to=None,
        fund_pay_type=390100,
        deductible=55_000,
        annual_cap=450_000,
        rates_e4={
            CHILD: (5_500, 5_500, 5_000, 5_000),
            ADULT: (5_500, 5_500, 5_000, 4_500),
            OLD: (6_000, 6_000, 5_500, 5_000),
        },
        layers=(Layer(390200, 5_000, LayerBase.OVER_CAP),),
        account_pays=_ACCOUNT_PAYS,
        items=_ITEMS,
    ),
)
FUND_PAY_TYPES: Final = tuple(
    dict.fromkeys(
        pay_type for plan in PLANS for pay_type in (plan.fund_pay_type, *(layer.fund_pay_type for layer in plan.layers))
    )
)
"""Every fund that pays for somebody."""

# Of the people who could be employees, how many of a hundred are.
_EMPLOYEE_SHARES: Final = ((True, 70), (False, 30))
_CHILD_SINCE: Final = 2008  # year of birth
_RETIRED_UNTIL: Final = 1963
# What was used of the deductible before the sandbox began, in hundredths of it: a third nothing, a third all.
_USED_CURVE: Final = ((0, 0), (3_300, 0), (6_700, 100), (10_000, 100))
_HELPED_EVERY: Final = 4
# What the pool has paid to those who have used it up, in hundredths of the cap: a few are near it.
_PAID_CURVE: Final = ((0, 0), (2_000, 0), (8_000, 20), (9_800, 60), (9_900, 98), (10_000, 100))


class Insured(msgspec.Struct, frozen=True):
    """How a person is insured, and what they had used of their benefit year. Units: fen."""

    insurance: int
    person_type: int
    deductible_used: int
    fund_paid: int


def insured(holder: Cardholder, *, seed: int) -> Insured:
    """How a cardholder of the city is insured. The same person always has the same insurance."""
    draws = Draws(seed, Series.INSURED, holder.index)
    born = int(holder.id_number[6:10])
    is_employee = draws.by_share(_EMPLOYEE_SHARES) and born < _CHILD_SINCE
    plan = PLANS[0] if is_employee else PLANS[1]
    used = plan.deductible * draws.along(_USED_CURVE) // 100
    paid = plan.annual_cap * draws.along(_PAID_CURVE) // 100
    return Insured(plan.insurance, _person_type(born, is_employee), used, paid if used == plan.deductible else 0)


def relative_of(holder: Cardholder, *, seed: int) -> Cardholder | None:
    """The employee whose personal account helps with a resident's medical bills: the person before, for one in four."""
    if holder.index % _HELPED_EVERY != _HELPED_EVERY - 1 or insured(holder, seed=seed).insurance != RESIDENTS:
        return None
    relative = cardholder(holder.index - 1, seed=seed)
    helps = (
        relative.status is CardStatus.ACTIVE
        and relative.tender_order is not TenderOrder.PERSONAL_ACCOUNT_ONLY
        and insured(relative, seed=seed).insurance == EMPLOYEES
    )
    return relative if helps else None


def hospital_level(kind: str, n: int) -> int:
    """The grade of the *n*-th merchant of the city: half of the hospitals have the third, nobody else has one."""
    return (3, 2, 3, 1)[n % 4] if kind == "hospital" else 0


def _person_type(born: int, is_employee: bool) -> int:
    if is_employee:
        return RETIRED if born <= _RETIRED_UNTIL else WORKING
    return CHILD if born >= _CHILD_SINCE else OLD if born <= _RETIRED_UNTIL else ADULT
