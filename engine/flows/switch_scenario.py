"""Switching a scenario off in a region, at once and by one operator; switching it on by two."""

from datetime import datetime
from typing import Final

import msgspec

from engine.core.approvals import Approval, ApprovalKind
from engine.core.participants import Right, WrongField
from engine.core.refusals import Refusal
from engine.core.rollout import Rollout, Switch
from engine.core.scenarios import BY_NAME, Scenario
from engine.flows.answer_once import NotDone
from engine.flows.approve import Asking, CarriedOut, ask_approval
from engine.store.connection import AnyConnection
from engine.store.local_platforms import is_moving
from engine.store.participants import load_clocks
from engine.store.rollouts import load_rollout, lock_rollout, set_switch

_MOVING: Final = "the local platform of the region is not switched on yet"


class SwitchedOn(msgspec.Struct, frozen=True, kw_only=True):
    """A scenario that is to be on in a region. The other two say which switch had it off: a later one is not undone."""

    region: str
    scenario: str
    off_in: str
    off_since: datetime


async def switch_off(asked: Asking, region: int, scenario: Scenario, *, reason: str) -> Rollout | NotDone:
    """Switch *scenario* off in *region* and everywhere below it; doing it again changes nothing.

    It is strict once the transaction is committed and `pass_all_lanes` has returned, and must not be answered before:
    no payment for it succeeds there from then on.
    """
    refused = asked.why_not(Right.STOP, region)
    if refused is not None:
        return refused
    before = (await lock_rollout(asked.connection)).nearest(region, scenario.number)
    if before is None or before.is_on or before.region != region:
        switch = Switch(
            region=region,
            scenario=scenario.number,
            is_on=False,
            operator=asked.operator.id,
            at=asked.now,
            reason=reason,
        )
        await set_switch(asked.connection, switch)
    return await load_rollout(asked.connection)


async def ask_switch_on(asked: Asking, region: int, scenario: Scenario, *, reason: str) -> Approval | NotDone:
    """Ask for *scenario* to be on in *region* again, or as an exception from what holds above it."""
    off = (await load_rollout(asked.connection)).nearest(region, scenario.number)
    if off is None or off.is_on:
        # What nobody may see is refused by the same rule as everything else that is asked for.
        return asked.why_not(Right.REQUEST, region) or _conflict("already on")
    if await is_moving(asked.connection, region):
        return asked.why_not(Right.REQUEST, region) or _conflict(_MOVING)
    return await ask_approval(
        asked,
        kind=ApprovalKind.SWITCH_SCENARIO_ON,
        region=region,
        subject=f"{region:06d} {scenario.name}",
        payload=SwitchedOn(
            region=f"{region:06d}", scenario=scenario.name, off_in=f"{off.region:06d}", off_since=off.at
        ),
        reason=reason,
    )


async def switch_on(connection: AnyConnection, approval: Approval, /) -> CarriedOut | NotDone:
    """The effect of SWITCH_SCENARIO_ON. Lanes see it with their next batch."""
    wanted = msgspec.json.decode(approval.payload, type=SwitchedOn)
    region, scenario = int(wanted.region), BY_NAME[wanted.scenario]
    off = (await lock_rollout(connection)).nearest(region, scenario.number)
    if off is None or off.is_on or (off.region, off.at) != (int(wanted.off_in), wanted.off_since):
        return _conflict("switched meanwhile")
    if await is_moving(connection, region):
        return _conflict(_MOVING)
    switch = Switch(
        region=region,
        scenario=scenario.number,
        is_on=True,
        operator=approval.requested_by,
        at=(await load_clocks(connection)).business,
        reason=approval.reason,
    )
    await set_switch(connection, switch)
    return CarriedOut({"region": wanted.region, "scenario": wanted.scenario, "is_on": True})


def _conflict(reason: str) -> NotDone:
    return NotDone(Refusal.SCENARIO_STATE_CONFLICT, (WrongField("scenario", reason),))
