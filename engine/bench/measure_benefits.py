"""`engine bench benefits`: P11, medical bills split by the pure calculator on one core.

The bills are made before the clock starts: hospitals' and pharmacies' as the sample city has them, and bills of twenty
lines each. The yardstick is a limit: a hundred thousand bills in ten seconds.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from engine.bench.figures import Figure, figure
from engine.core.benefits import BillFault, MedicalBill, Plan, split
from engine.core.plan_book import PlanBook
from engine.sandbox.city import SEED_DEFAULT
from engine.sandbox.draws import Draws, Series
from engine.sandbox.medical_bills import sample_bill
from engine.sandbox.people import cardholders
from engine.sandbox.plans import PLANS, Insured, insured

LIMIT_S: Final = 10.0
LIMIT_BILLS: Final = 100_000
LONG_LINES: Final = 20
DISTINCT_MAX: Final = 10_000  # split again and again: making a bill costs ten times what splitting it does


class BenefitsResult(msgspec.Struct, frozen=True):
    """What was measured, and which bills were refused (none should be)."""

    figures: tuple[Figure, ...]
    refusals: Mapping[str, int]


class _Visit(msgspec.Struct, frozen=True, gc=False):
    plan: Plan
    bill: MedicalBill
    level: int
    person: Insured


def measure_benefits(*, bills: int, turns: int, say: Callable[[str], None]) -> BenefitsResult:
    """Split as many bills as are asked for, of both kinds in turns."""
    refusals: Counter[str] = Counter()
    sides = {
        "P11": tuple(_visits(min(bills, DISTINCT_MAX), line_count=None)),
        "P11.long": tuple(_visits(min(bills, DISTINCT_MAX), line_count=LONG_LINES)),
    }
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for visits in sides.values():
        _split_all(visits, len(visits), refusals)  # off the record
    for turn in range(1, turns + 1):
        for name, visits in sides.items():
            seconds[name].append(_split_all(visits, bills, refusals))
            say(f"turn {turn} of {turns}: {name} {seconds[name][-1]:.2f} s")
    limit = LIMIT_S * bills / LIMIT_BILLS
    return BenefitsResult(
        tuple(
            figure(
                name,
                f"{bills:,} medical bills split, {_line_mean(visits):.1f} lines each on average",
                "s",
                seconds[name],
                yardstick="the limit",
                yardstick_values=[limit],
            )
            for name, visits in sides.items()
        ),
        refusals,
    )


def _split_all(visits: Sequence[_Visit], count: int, refusals: Counter[str]) -> float:
    """Split *count* bills; returns how many seconds it took."""
    left = count
    start = time.perf_counter()
    while left > 0:
        for visit in visits[:left]:
            person = visit.person
            found = split(
                visit.plan,
                visit.bill,
                hospital_level=visit.level,
                person_type=person.person_type,
                deductible_used=person.deductible_used,
                fund_paid=person.fund_paid,
            )
            if isinstance(found, BillFault):
                refusals[found.reason] += 1
        left -= len(visits)
    return time.perf_counter() - start


def _visits(count: int, *, line_count: int | None) -> Iterator[_Visit]:
    book = PlanBook(PLANS)
    for holder in cardholders(count, seed=SEED_DEFAULT):
        person = insured(holder, seed=SEED_DEFAULT)
        plan = book.plan_for(holder.region, person.insurance, PLANS[0].valid_from)
        assert plan is not None, "the city insures its people"
        is_hospital = holder.index % 2 == 0
        draws = Draws(SEED_DEFAULT, Series.BILLS, holder.index)
        bill = sample_bill(draws, "hospital" if is_hospital else "pharmacy", line_count=line_count)
        yield _Visit(plan, bill, 3 if is_hospital else 0, person)


def _line_mean(visits: Sequence[_Visit]) -> float:
    return sum(len(visit.bill.lines) for visit in visits) / len(visits)
