"""Plans of insurances brought in: all of those given, at once, or none."""

from collections.abc import Sequence

import msgspec

from engine.core.benefits import Plan
from engine.core.plan_book import PlanProblem, plan_changes
from engine.store.connection import AnyConnection
from engine.store.faults import translated
from engine.store.participants import load_clocks
from engine.store.plans import advance_rules, end_plans, insert_plans, load_plan_book, lock_rules


class LoadedPlans(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the plans given, by their ids, and the version of the rules that holds now."""

    version: int
    added: tuple[str, ...]
    ended: tuple[str, ...]
    unchanged: tuple[str, ...]


async def load_plans(connection: AnyConnection, plans: Sequence[Plan]) -> LoadedPlans | tuple[PlanProblem, ...]:
    """Let plans hold from the days that they name, or say why they cannot.

    Given again they change nothing, not even the version. Two loads at once come one after the other.

    Raises:
        Fault: the database cannot do it; nothing was loaded.
    """
    with translated():
        async with connection.transaction():
            await lock_rules(connection)
            version, book = await load_plan_book(connection)
            changes = plan_changes(book.plans, plans)
            if isinstance(changes, tuple):
                return changes
            if changes.added or changes.ended:
                await end_plans(connection, changes.ended)
                await insert_plans(connection, changes.added, now=(await load_clocks(connection)).business)
                version = await advance_rules(connection)
    return LoadedPlans(
        version=version,
        added=tuple(plan.id for plan in changes.added),
        ended=tuple(plan.id for plan in changes.ended),
        unchanged=tuple(plan.id for plan in changes.unchanged),
    )
