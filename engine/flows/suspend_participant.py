"""Suspending at once and by one operator; reinstating by two."""

import msgspec

from engine.core.approvals import Approval, ApprovalKind
from engine.core.ids import id_text
from engine.core.participants import Participant, ParticipantKind, Right, WrongField, parse_participant_id
from engine.core.refusals import Refusal
from engine.flows.answer_once import NotDone
from engine.flows.approve import Asking, CarriedOut, ask_approval
from engine.store.connection import AnyConnection
from engine.store.participant_writes import remove_terminals, set_suspension
from engine.store.participants import load_clocks, load_participant, lock_participant


class Reinstatement(msgspec.Struct, frozen=True, kw_only=True):
    """A participant that is to take part again. `version` is that of its suspension: a later one is not undone."""

    id: str
    version: int


async def suspend(asked: Asking, identifier: bytes, *, reason: str) -> Participant | NotDone:
    """Suspend a participant; suspending it again changes nothing.

    It is strict once the transaction is committed and `pass_all_lanes` has returned, and must not be answered before:
    no payment to a merchant succeeds from then on, and no operator's change. What others call each process refuses
    as soon as it reads their keys again.
    """
    seen = await load_participant(asked.connection, identifier)
    if seen is None:
        return NotDone(Refusal.NOT_FOUND)
    refused = asked.why_not(Right.STOP, seen.region)
    if refused is not None:
        return refused
    participant = await lock_participant(asked.connection, identifier, now=asked.now)
    assert participant is not None, "participants are never deleted"
    if not participant.is_suspended:
        await set_suspension(asked.connection, participant, is_suspended=True, reason=reason, now=asked.now)
    suspended = await load_participant(asked.connection, identifier)
    assert suspended is not None
    return suspended


async def take_terminals(asked: Asking, identifier: bytes, terminals: tuple[str, ...]) -> Participant | NotDone:
    """Take terminals from a merchant: after `pass_all_lanes` nothing is paid at them. One operator is enough."""
    participant = await load_participant(asked.connection, identifier)
    if participant is None or participant.kind is not ParticipantKind.MERCHANT:
        return NotDone(Refusal.NOT_FOUND)
    refused = asked.why_not(Right.STOP, participant.region)
    if refused is not None:
        return refused
    await lock_participant(asked.connection, identifier, now=asked.now)
    await remove_terminals(asked.connection, identifier, terminals)
    return participant


async def ask_reinstatement(asked: Asking, participant: Participant, *, reason: str) -> Approval | NotDone:
    """Ask for a suspended participant to take part again."""
    if not participant.is_suspended:
        return NotDone(Refusal.PARTICIPANT_STATE_CONFLICT, (WrongField("status", "not suspended"),))
    return await ask_approval(
        asked,
        kind=ApprovalKind.REINSTATE_PARTICIPANT,
        region=participant.region,
        subject=id_text(participant.id),
        payload=Reinstatement(id=id_text(participant.id), version=participant.version),
        reason=reason,
    )


async def reinstate(connection: AnyConnection, approval: Approval, /) -> CarriedOut | NotDone:
    """The effect of REINSTATE_PARTICIPANT."""
    wanted = msgspec.json.decode(approval.payload, type=Reinstatement)
    now = (await load_clocks(connection)).business
    participant = await lock_participant(connection, parse_participant_id(wanted.id), now=now)
    assert participant is not None, "participants are never deleted"
    if not participant.is_suspended or participant.version != wanted.version:
        return NotDone(Refusal.PARTICIPANT_STATE_CONFLICT, (WrongField("version", f"now {participant.version}"),))
    await set_suspension(connection, participant, is_suspended=False, reason=None, now=now)
    return CarriedOut({"id": wanted.id, "version": wanted.version + 1})
