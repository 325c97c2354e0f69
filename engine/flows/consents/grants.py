"""What departments and channels may look at: two operators let them, one stops them."""

from datetime import date

import msgspec

from engine.core.approvals import Approval, ApprovalKind
from engine.core.consents import (
    FIRST_VERSION,
    GRANT_HOLDERS,
    GRANT_LASTS_MAX,
    Grant,
    Scope,
    why_no_purpose,
    wrong_period,
)
from engine.core.ids import IdKind, id_text, kind_number, parse_id
from engine.core.participants import Right, WrongField, is_region
from engine.core.refusals import Refusal
from engine.flows.answer_once import NotDone
from engine.flows.approve import Asking, CarriedOut, ask_approval
from engine.flows.clock import IdSource
from engine.store.connection import AnyConnection
from engine.store.consents import insert_grant, is_caller_known, load_grant, revoke_grant
from engine.store.participants import load_clocks


class WantedGrant(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody is to be let look at. `holder` is the id of a department or a channel; each scope is a grant."""

    holder: str
    scopes: tuple[Scope, ...]
    purpose: str
    region: str
    valid_from: date
    valid_until: date


async def ask_grant(asked: Asking, wanted: WantedGrant, *, today: date, reason: str) -> Approval | NotDone:
    """Ask for a department or a channel to be let look at something, of the persons of a region."""
    refused = asked.why_not(Right.REQUEST, int(wanted.region))
    if refused is not None:
        return refused
    if not is_region(int(wanted.region)):
        return NotDone(Refusal.REGION_UNKNOWN, (WrongField("region", "not a region of GB/T 2260"),))
    if why_no_purpose(wanted.purpose) is not None:
        return NotDone(Refusal.PURPOSE_REQUIRED)
    wrong = wrong_period(wanted.valid_from, wanted.valid_until, today=today, lasts_max=GRANT_LASTS_MAX)
    if wrong is not None:
        return NotDone(Refusal.FIELD_INVALID, (WrongField(*wrong),))
    if not await is_caller_known(asked.connection, parse_holder(wanted.holder)):
        return NotDone(Refusal.FIELD_INVALID, (WrongField("holder", "no such department or channel"),))
    return await ask_approval(
        asked,
        kind=ApprovalKind.GRANT_ACCESS,
        region=int(wanted.region),
        subject=wanted.holder,
        payload=wanted,
        reason=reason,
    )


class GrantAccess:
    """The effect of GRANT_ACCESS: looks are let in by the grants from the commit on."""

    def __init__(self, ids: IdSource) -> None:
        """Grants get their ids from there."""
        self._ids = ids

    async def __call__(self, connection: AnyConnection, approval: Approval, /) -> CarriedOut | NotDone:
        """One grant a scope."""
        wanted = msgspec.json.decode(approval.payload, type=WantedGrant)
        now = (await load_clocks(connection)).business
        made = []
        for scope in wanted.scopes:
            grant = Grant(
                id=self._ids.new(IdKind.GRANT, shard=0, region=int(wanted.region)),
                holder=parse_holder(wanted.holder),
                scope=scope,
                purpose=wanted.purpose,
                region=int(wanted.region),
                valid_from=wanted.valid_from,
                valid_until=wanted.valid_until,
                version=FIRST_VERSION,
                approval=id_text(approval.id),
                granted_at=now,
            )
            made.append(id_text((await insert_grant(connection, grant)).id))
        return CarriedOut({"grants": made})


async def end_grant(asked: Asking, grant: bytes, *, reason: str) -> Grant | NotDone:
    """End a grant, at once and by one operator. Doing it again changes nothing."""
    found = await load_grant(asked.connection, grant)
    if found is None or not asked.operator.may(Right.READ, found.region):
        return NotDone(Refusal.NOT_FOUND)
    refused = asked.why_not(Right.STOP, found.region)
    if refused is not None:
        return refused
    await revoke_grant(asked.connection, grant, by=asked.operator.id, reason=reason, now=asked.now)
    ended = await load_grant(asked.connection, grant)
    assert ended is not None, "grants are never deleted"
    return ended


def parse_holder(text: str) -> bytes:
    """The id of a department or a channel.

    Raises:
        MalformedId: it is neither's.
    """
    kind = IdKind.CHANNEL if text.startswith("chan_") else IdKind.AGENCY
    holder = parse_id(text, kind)
    assert kind_number(holder) in GRANT_HOLDERS, "one of the two"
    return holder
