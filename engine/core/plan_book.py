"""All plans that are in force at some time, and which of them is whose."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date

import msgspec

from engine.core.benefits import Plan


class PlanBook:
    """Every plan by region, insurance and date. Never changed once made."""

    __slots__ = ("_plans", "plans")

    def __init__(self, plans: Iterable[Plan] = ()) -> None:
        """A book of plans of which no two contradict each other."""
        self.plans = tuple(sorted(plans, key=lambda plan: (plan.region, plan.insurance, plan.valid_from)))
        assert next(contradictions(self.plans), None) is None, "plans are checked before they are loaded"
        self._plans: dict[tuple[int, int], list[Plan]] = {}
        for plan in self.plans:
            self._plans.setdefault((plan.region, plan.insurance), []).append(plan)

    def plan_for(self, region: int, insurance: int, on: date) -> Plan | None:
        """The plan of a person insured in *region* on that day: the region's own, else its city's, else its province's.

        Source: GB/T 2260, two digits each of province, city and district.
        """
        for area in (region, region // 100 * 100, region // 10_000 * 10_000):
            for plan in self._plans.get((area, insurance), ()):
                if plan.holds_on(on):
                    return plan
        return None


def contradictions(plans: Iterable[Plan]) -> Iterator[tuple[Plan, Plan]]:
    """Each plan that begins while an earlier one of its region and insurance still holds, after that earlier one."""
    holding: dict[tuple[int, int], Plan] = {}  # of those so far, the one that holds longest
    for plan in sorted(plans, key=lambda plan: (plan.valid_from, plan.id)):
        earlier = holding.get((plan.region, plan.insurance))
        if earlier is not None and plan.valid_from < (earlier.valid_to or date.max):
            yield earlier, plan
        if earlier is None or (earlier.valid_to or date.max) < (plan.valid_to or date.max):
            holding[plan.region, plan.insurance] = plan


class PlanProblem(msgspec.Struct, frozen=True):
    """Why a plan cannot be loaded beside the others."""

    plan: str
    reason: str


class PlanChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What loading plans changes."""

    added: tuple[Plan, ...]
    ended: tuple[Plan, ...]  # known ones whose end is another now
    unchanged: tuple[Plan, ...]


def plan_changes(known: Iterable[Plan], given: Sequence[Plan]) -> PlanChanges | tuple[PlanProblem, ...]:
    """What is new of the plans that are given, or everything that forbids it.

    Payments name the plan that they were split by, so a plan that is known keeps its terms: only its end may be moved.
    What is given is looked at together, so that one plan can end and its successor begin in one go.
    """
    plans = {plan.id: plan for plan in known}
    added, ended, unchanged, problems = [], [], [], []
    for plan in given:
        earlier = plans.get(plan.id)
        if earlier is None:
            added.append(plan)
        elif plan == earlier:
            unchanged.append(plan)
        elif plan == msgspec.structs.replace(earlier, valid_to=plan.valid_to) and earlier not in added:
            ended.append(plan)
        else:
            problems.append(PlanProblem(plan.id, "this id is a plan's with other terms"))
            continue
        plans[plan.id] = plan
    problems += [
        PlanProblem(later.id, f"begins while {earlier.id} holds, for the same region and insurance")
        for earlier, later in contradictions(plans.values())
    ]
    if problems:
        return tuple(problems)
    return PlanChanges(added=tuple(added), ended=tuple(ended), unchanged=tuple(unchanged))
