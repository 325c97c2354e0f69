"""Moving a local platform to the one model: declared, let in by two, proven by the books, switched on by two."""

from typing import Final

import msgspec

from engine.core.approvals import Approval, ApprovalKind
from engine.core.ids import IdKind
from engine.core.local_platforms import (
    PLATFORM_TRANSITIONS,
    LocalPlatform,
    LocalPlatformId,
    PlatformMove,
    PlatformState,
    is_equal,
)
from engine.core.participants import Right, WrongField
from engine.core.refusals import Refusal
from engine.core.rollout import Switch
from engine.core.scenarios import SCENARIOS
from engine.core.territory import REGIONS, Level
from engine.flows.answer_once import NotDone
from engine.flows.approve import Asking, CarriedOut, ask_approval
from engine.store.connection import AnyConnection
from engine.store.local_platforms import (
    declare_platform,
    let_balances_in,
    load_found,
    load_platform,
    lock_platform,
    mark_switched_on,
)
from engine.store.participants import load_clocks
from engine.store.rollouts import lock_rollout, set_switch

_STATE: Final = Refusal.LOCAL_PLATFORM_STATE_CONFLICT
_REASON: Final = "the local platform of the region moves"


class Declaration(msgspec.Struct, frozen=True, kw_only=True):
    """What a local platform says it has. Units: fen."""

    name: str
    cards: int
    balance: int


class ToOpen(msgspec.Struct, frozen=True, kw_only=True):
    """Balances that are to be let in; a file or a declaration that came later is not meant."""

    region: str
    sha256: str
    cards: int
    balance: int


class ToSwitchOn(msgspec.Struct, frozen=True, kw_only=True):
    """A region that is to work with the one model from now on."""

    region: str


async def declare(asked: Asking, region: int, given: Declaration) -> LocalPlatform | NotDone:
    """Begin the move of a city's local platform, or correct what it declares while no balance is let in.

    Every scenario is off in the region from then on. That is strict once the transaction is committed and
    `pass_all_lanes` has returned, and must not be answered before.
    """
    known = REGIONS.get(region)
    if known is None or known.level is not Level.CITY:
        return NotDone(Refusal.REGION_UNKNOWN)
    refused = asked.why_not(Right.REQUEST, region)
    if refused is not None:
        return refused
    rollout = await lock_rollout(asked.connection)
    platform = await lock_platform(asked.connection, region)
    if platform is not None and not platform.may(PlatformMove.DECLARE):
        return NotDone(_STATE)
    fresh = LocalPlatform(
        id=LocalPlatformId(asked.ids.new(IdKind.LOCAL_PLATFORM, shard=0, region=region)),
        region=region,
        name=given.name,
        state=PlatformState.PREPARED,
        declared_cards=given.cards,
        declared_balance=given.balance,
        prepared_by=asked.operator.id,
        prepared_at=asked.now,
    )
    await declare_platform(asked.connection, fresh)
    if platform is None:
        for scenario in SCENARIOS:
            nearest = rollout.nearest(region, scenario.number)
            if nearest is None or nearest.is_on or nearest.region != region:
                switch = Switch(
                    region=region,
                    scenario=scenario.number,
                    is_on=False,
                    operator=fresh.prepared_by,
                    at=fresh.prepared_at,
                    reason=_REASON,
                )
                await set_switch(asked.connection, switch)
    declared = await load_platform(asked.connection, region)
    assert declared is not None, "it was just written"
    return declared


async def ask_let_in(asked: Asking, region: int, *, reason: str) -> Approval | NotDone:
    """Ask for the balances to be posted. Refused unless cards and balances are those that were declared."""
    refused = asked.why_not(Right.REQUEST, region)
    if refused is not None:
        return refused
    platform = await lock_platform(asked.connection, region)
    not_yet = await _why_not_let_in(asked.connection, platform)
    if not_yet is not None:
        return not_yet
    assert platform is not None, "judged above"
    return await ask_approval(
        asked,
        kind=ApprovalKind.OPEN_BALANCES,
        region=region,
        subject=f"{region:06d} {platform.name}",
        payload=_to_open(platform),
        reason=reason,
    )


async def let_in(connection: AnyConnection, approval: Approval, /) -> CarriedOut | NotDone:
    """The effect of OPEN_BALANCES: the lines are those of the file that was approved, and are posted from now on.

    Cards that came in or went since it was asked for are judged again.
    """
    wanted = msgspec.json.decode(approval.payload, type=ToOpen)
    platform = await lock_platform(connection, int(wanted.region))
    not_yet = await _why_not_let_in(connection, platform)
    if not_yet is not None:
        return not_yet
    assert platform is not None, "judged above"
    if _to_open(platform) != wanted:
        return NotDone(_STATE, (WrongField("", "declared or sent anew since it was asked for"),))
    state = PLATFORM_TRANSITIONS[platform.state, PlatformMove.LET_IN]
    await let_balances_in(connection, platform.id, state)
    return CarriedOut({"region": wanted.region, "cards": wanted.cards, "balance": wanted.balance})


async def ask_region_on(asked: Asking, region: int, *, reason: str) -> Approval | NotDone:
    """Ask for a region whose books are proven to be switched on."""
    refused = asked.why_not(Right.REQUEST, region)
    if refused is not None:
        return refused
    platform = await load_platform(asked.connection, region)
    if platform is None:
        return NotDone(Refusal.NOT_FOUND)
    if not platform.may(PlatformMove.SWITCH_ON):
        return NotDone(_STATE)
    return await ask_approval(
        asked,
        kind=ApprovalKind.SWITCH_REGION_ON,
        region=region,
        subject=f"{region:06d} {platform.name}",
        payload=ToSwitchOn(region=f"{region:06d}"),
        reason=reason,
    )


async def region_on(connection: AnyConnection, approval: Approval, /) -> CarriedOut | NotDone:
    """The effect of SWITCH_REGION_ON. Lanes see it with their next batch."""
    wanted = msgspec.json.decode(approval.payload, type=ToSwitchOn)
    await lock_rollout(connection)  # before the local platform, as when it was declared
    platform = await lock_platform(connection, int(wanted.region))
    if platform is None or not platform.may(PlatformMove.SWITCH_ON):
        return NotDone(_STATE)
    state = PLATFORM_TRANSITIONS[platform.state, PlatformMove.SWITCH_ON]
    await mark_switched_on(connection, platform, state, now=(await load_clocks(connection)).business)
    return CarriedOut({"region": wanted.region, "is_on": True})


async def _why_not_let_in(connection: AnyConnection, platform: LocalPlatform | None) -> NotDone | None:
    if platform is None:
        return NotDone(Refusal.NOT_FOUND)
    if not platform.may(PlatformMove.LET_IN):
        return NotDone(_STATE)
    if not is_equal(platform, await load_found(connection, platform)):
        return NotDone(Refusal.LOCAL_PLATFORM_NOT_EQUAL)
    return None


def _to_open(platform: LocalPlatform) -> ToOpen:
    assert platform.sha256 is not None, "a file was taken"
    return ToOpen(
        region=f"{platform.region:06d}",
        sha256=platform.sha256.hex(),
        cards=platform.declared_cards,
        balance=platform.declared_balance,
    )
