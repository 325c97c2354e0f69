"""Who takes which applications where: let in by two operators, stopped by one."""

import msgspec

from engine.core.applications import ApplicationKind, Office
from engine.core.approvals import Approval, ApprovalKind
from engine.core.ids import IdKind, MalformedId, parse_id
from engine.core.participants import ParticipantKind, Right, WrongField, covers, is_region
from engine.core.refusals import Refusal
from engine.flows.answer_once import NotDone
from engine.flows.approve import Asking, CarriedOut, ask_approval
from engine.store.applications import close_office, open_office
from engine.store.connection import AnyConnection
from engine.store.participants import Source, load_clocks, load_participant


class OfficeWish(msgspec.Struct, frozen=True, kw_only=True):
    """Who is to take applications of a kind in a region, and below it."""

    kind: str
    region: str
    office_id: str

    @property
    def application_kind(self) -> ApplicationKind:
        """The family."""
        return ApplicationKind[self.kind.upper()]


async def ask_office(asked: Asking, wish: OfficeWish, *, reason: str) -> Approval | NotDone:
    """Ask for an agency, or of the family finance a bank, to be handed applications."""
    refused = asked.why_not(Right.REQUEST, int(wish.region)) or await _why_not(asked.connection, wish)
    if refused is not None:
        return refused
    return await ask_approval(
        asked,
        kind=ApprovalKind.OPEN_OFFICE,
        region=int(wish.region),
        subject=f"{wish.kind} {wish.region} {wish.office_id}",
        payload=wish,
        reason=reason,
    )


async def let_in_office(connection: AnyConnection, approval: Approval, /) -> CarriedOut | NotDone:
    """The effect of OPEN_OFFICE. Applications that are open stay with whom they were handed to."""
    wish = msgspec.json.decode(approval.payload, type=OfficeWish)
    refused = await _why_not(connection, wish)
    if refused is not None:
        return refused
    new = Office(
        kind=wish.application_kind,
        region=int(wish.region),
        office=_office_in(wish),
        opened_at=(await load_clocks(connection)).business,
    )
    if not await open_office(connection, new, by=approval.requested_by):
        return NotDone(Refusal.PARTICIPANT_STATE_CONFLICT, (WrongField("office_id", "one takes them already"),))
    return CarriedOut({"kind": wish.kind, "region": wish.region, "office_id": wish.office_id})


async def stop_office(asked: Asking, wish: OfficeWish) -> NotDone | None:
    """It is handed no more applications; those that it has it goes on with."""
    refused = asked.why_not(Right.STOP, int(wish.region))
    if refused is not None:
        return refused
    closed = await close_office(
        asked.connection,
        wish.application_kind,
        int(wish.region),
        _office_in(wish),
        by=asked.operator.id,
        now=asked.now,
    )
    return None if closed else NotDone(Refusal.NOT_FOUND)


async def _why_not(source: Source, wish: OfficeWish) -> NotDone | None:
    """Why it cannot take these applications: not the right kind of participant, or not of the region."""
    region = int(wish.region)
    if not is_region(region):
        return NotDone(Refusal.REGION_UNKNOWN, (WrongField("region", "not a region of GB/T 2260"),))
    participant = await load_participant(source, _office_in(wish))
    is_finance = wish.application_kind is ApplicationKind.FINANCE
    if participant is None:
        return NotDone(Refusal.FIELD_INVALID, (WrongField("office_id", "not registered"),))
    if participant.kind is ParticipantKind.AGENCY and not covers(participant.region, region):
        return NotDone(Refusal.FIELD_INVALID, (WrongField("region", "not the agency's, nor below it"),))
    if participant.is_suspended:
        return NotDone(Refusal.PARTICIPANT_STATE_CONFLICT, (WrongField("office_id", "suspended"),))
    assert (participant.kind is ParticipantKind.BANK) is is_finance, "the id's kind was looked at"
    return None


def office_id_fault(wish: OfficeWish) -> WrongField | None:
    """What is wrong with the id of an office as it is written."""
    try:
        _office_in(wish)
    except MalformedId:
        wanted = "bank" if wish.application_kind is ApplicationKind.FINANCE else "agency"
        return WrongField("office_id", f"not the id of a participant of kind {wanted}")
    return None


def _office_in(wish: OfficeWish) -> bytes:
    kind = IdKind.BANK if wish.application_kind is ApplicationKind.FINANCE else IdKind.AGENCY
    return parse_id(wish.office_id, kind)
