"""Channels come in: an operator applies for one, it shows that it works, and two operators let it go live."""

import msgspec

from engine.codes.http_signature import Algorithm
from engine.codes.keys import Keyring
from engine.core.approvals import Approval, ApprovalKind
from engine.core.channels import (
    Channel,
    ChannelMove,
    ChannelState,
    ChannelTerms,
    OwnerClass,
    after,
    wrong_parent,
    wrong_terms,
)
from engine.core.ids import CallerId, IdKind, id_text, parse_id
from engine.core.participants import Right, WrongField
from engine.core.refusals import Refusal
from engine.flows.answer_once import NotDone
from engine.flows.approve import Asking, CarriedOut, ask_approval
from engine.flows.channels.keys import give_key
from engine.flows.participant_keys import IssuedKey
from engine.store.channels import (
    CONTACT_PLACE,
    insert_channel,
    lift_whole_stops,
    load_channel,
    load_channel_by_number,
    lock_channel,
    move_channel,
    record_move,
    set_terms,
)
from engine.store.connection import AnyConnection
from engine.store.participants import load_clocks
from engine.store.plans import advance_rules


class Application(msgspec.Struct, frozen=True, kw_only=True):
    """A channel that is to come in. `parent` is the number of the tier-1 channel of a tier-2 one."""

    channel_no: str
    owner_class: OwnerClass
    parent: str | None
    terms: ChannelTerms
    alg: Algorithm
    public_key: str  # PEM; empty for a shared secret


class ChannelMoveWanted(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A move that two operators have to agree on. What was meant for another version of the channel is not made.

    `report` is the SHA-256 of the report of a sandbox's run, in hexadecimal digits, where the move rests on one.
    """

    id: str
    version: int
    move: str
    report: str = ""


class TermsWanted(msgspec.Struct, frozen=True, kw_only=True):
    """Terms that a channel is to have; `contact` is sealed, in hexadecimal digits."""

    id: str
    version: int
    terms: ChannelTerms
    contact: str


async def apply(
    asked: Asking, keyring: Keyring, application: Application, *, reason: str
) -> tuple[Channel, IssuedKey] | NotDone:
    """Take a channel in as one that has applied. Its key opens nothing but what it needs to show that it works."""
    terms = application.terms
    refused = asked.why_not(Right.REQUEST, terms.region)
    if refused is not None:
        return refused
    parent: Channel | None = None
    if application.parent is not None:
        parent = await load_channel_by_number(asked.connection, application.parent)
        wrong = wrong_parent(parent)
        if wrong is not None:
            return NotDone(Refusal.FIELD_INVALID, (wrong,))
    faults = tuple(wrong_terms(terms, parent))
    if faults:
        return NotDone(Refusal.FIELD_INVALID, faults)
    channel = Channel(
        id=CallerId(asked.ids.new(IdKind.CHANNEL, shard=0, region=terms.region)),
        channel_no=application.channel_no,
        owner_class=application.owner_class,
        parent=parent.id if parent is not None else None,
        name_zh=terms.name_zh,
        name_en=terms.name_en,
        contact=keyring.seal(terms.contact.encode(), place=CONTACT_PLACE, nonce=asked.ids.nonce()),
        region=terms.region,
        products=terms.products,
        regions=terms.regions,
        addresses=terms.addresses,
        callback_urls=terms.callback_urls,
        state=ChannelState.APPLIED,
        version=1,
        applied_at=asked.now,
        changed_at=asked.now,
    )
    if not await insert_channel(asked.connection, channel, operator=asked.operator.id):
        return NotDone(Refusal.PARTICIPANT_EXISTS, (WrongField("channel_no", "taken"),))
    await record_move(
        asked.connection,
        channel.id,
        ChannelMove.APPLY,
        version=1,
        operator=asked.operator.id,
        at=asked.now,
        reason=reason,
    )
    key = await give_key(
        asked.connection,
        keyring,
        asked.ids,
        channel.id,
        alg=application.alg,
        public_key=application.public_key,
        operator=asked.operator.id,
    )
    return channel, key


async def approve(asked: Asking, identifier: bytes, *, reason: str) -> Channel | NotDone:
    """Find that a channel's tests and papers are in order. It may still do nothing, so one operator is enough."""
    channel = await lock_channel(asked.connection, identifier)
    if channel is None:
        return NotDone(Refusal.NOT_FOUND)
    refused = asked.why_not(Right.REQUEST, channel.region)
    if refused is not None:
        return refused
    return await move_on(asked, channel, ChannelMove.APPROVE, reason=reason)


async def move_on(asked: Asking, channel: Channel, move: ChannelMove, *, reason: str) -> Channel | NotDone:
    """Make a move of a locked channel, as an operator."""
    state = after(channel.state, move)
    if isinstance(state, Refusal):
        return NotDone(state, (WrongField("state", channel.state.name.lower()),))
    await move_channel(
        asked.connection, channel.id, move, state, operator=asked.operator.id, at=asked.now, reason=reason
    )
    moved = await load_channel(asked.connection, channel.id)
    assert moved is not None, "channels are never deleted"
    return moved


async def ask_move(
    asked: Asking, identifier: bytes, move: ChannelMove, *, reason: str, report: str = ""
) -> Approval | NotDone:
    """Ask for a channel to go live, to go on after it was stopped, or to have what it has shown in a sandbox count."""
    channel = await load_channel(asked.connection, identifier)
    if channel is None:
        return NotDone(Refusal.NOT_FOUND)
    state = after(channel.state, move)
    if isinstance(state, Refusal):
        return asked.why_not(Right.REQUEST, channel.region) or NotDone(
            state, (WrongField("state", channel.state.name.lower()),)
        )
    return await ask_approval(
        asked,
        kind=ApprovalKind.CHANNEL_MOVE,
        region=channel.region,
        subject=id_text(channel.id),
        payload=ChannelMoveWanted(
            id=id_text(channel.id), version=channel.version, move=move.name.lower(), report=report
        ),
        reason=reason,
    )


async def make_move(connection: AnyConnection, approval: Approval, /) -> CarriedOut | NotDone:
    """The effect of CHANNEL_MOVE. What had stopped all of the channel is lifted; what stops parts of it stays."""
    wanted = msgspec.json.decode(approval.payload, type=ChannelMoveWanted)
    channel = await lock_channel(connection, parse_id(wanted.id, IdKind.CHANNEL))
    assert channel is not None, "channels are never deleted"
    move = ChannelMove[wanted.move.upper()]
    state = after(channel.state, move)
    if isinstance(state, Refusal) or channel.version != wanted.version:
        return NotDone(Refusal.CHANNEL_STATE_CONFLICT, (WrongField("version", f"now {channel.version}"),))
    now = (await load_clocks(connection)).business
    operator = approval.requested_by
    reason = f"{approval.reason} (report {wanted.report})" if wanted.report else approval.reason
    await move_channel(connection, channel.id, move, state, operator=operator, at=now, reason=reason)
    if move is ChannelMove.RESUME:
        await lift_whole_stops(connection, channel.id, now=now, operator=operator)
    await advance_rules(connection)
    return CarriedOut({"id": wanted.id, "status": state.name.lower()})


async def ask_terms(
    asked: Asking, keyring: Keyring, identifier: bytes, terms: ChannelTerms, *, reason: str
) -> Approval | NotDone:
    """Ask for a channel to have other products, regions, addresses or names."""
    channel = await load_channel(asked.connection, identifier)
    if channel is None:
        return NotDone(Refusal.NOT_FOUND)
    parent = await load_channel(asked.connection, channel.parent) if channel.parent is not None else None
    faults = tuple(wrong_terms(terms, parent))
    if faults:
        return NotDone(Refusal.FIELD_INVALID, faults)
    sealed = keyring.seal(terms.contact.encode(), place=CONTACT_PLACE, nonce=asked.ids.nonce())
    return await ask_approval(
        asked,
        kind=ApprovalKind.CHANNEL_TERMS,
        region=channel.region,
        subject=id_text(channel.id),
        payload=TermsWanted(
            id=id_text(channel.id),
            version=channel.version,
            terms=msgspec.structs.replace(terms, contact=""),
            contact=sealed.hex(),
        ),
        reason=reason,
    )


async def change_terms(connection: AnyConnection, approval: Approval, /) -> CarriedOut | NotDone:
    """The effect of CHANNEL_TERMS."""
    wanted = msgspec.json.decode(approval.payload, type=TermsWanted)
    channel = await lock_channel(connection, parse_id(wanted.id, IdKind.CHANNEL))
    assert channel is not None, "channels are never deleted"
    state = after(channel.state, ChannelMove.CHANGE)
    if isinstance(state, Refusal) or channel.version != wanted.version:
        return NotDone(Refusal.CHANNEL_STATE_CONFLICT, (WrongField("version", f"now {channel.version}"),))
    given = {name: value for name, value in msgspec.structs.asdict(wanted.terms).items() if name != "contact"}
    await set_terms(connection, msgspec.structs.replace(channel, contact=bytes.fromhex(wanted.contact), **given))
    now = (await load_clocks(connection)).business
    await move_channel(
        connection,
        channel.id,
        ChannelMove.CHANGE,
        state,
        operator=approval.requested_by,
        at=now,
        reason=approval.reason,
    )
    return CarriedOut({"id": wanted.id, "version": channel.version + 1})
