"""Bringing in participants, changing them, and giving funds to banks: two operators each; terminals: one."""

from typing import Final

import msgspec

from engine.codes.http_signature import Algorithm
from engine.codes.keys import Keyring
from engine.core.accounts import pooling_area
from engine.core.approvals import Approval, ApprovalKind
from engine.core.ids import BankId, id_text
from engine.core.participants import (
    ID_KINDS,
    TERMINALS_MAX,
    Change,
    Participant,
    ParticipantKind,
    Registration,
    Right,
    WrongField,
    changed,
    is_region,
    parse_participant_id,
    wrong_fields,
    wrong_terminals,
)
from engine.core.refusals import Refusal
from engine.flows.answer_once import NotDone
from engine.flows.approve import Asking, CarriedOut, ask_approval
from engine.flows.clock import IdSource
from engine.flows.participant_keys import issue_key
from engine.store.connection import AnyConnection
from engine.store.participant_writes import (
    add_terminals,
    assign_fund,
    insert_registration,
    update_participant,
)
from engine.store.participants import (
    Fund,
    ParticipantsWanted,
    count_terminals,
    find_bank,
    has_settlement_bank,
    load_clocks,
    load_participant,
    load_participants,
    lock_participant,
)

PAY_TYPES: Final = range(100_000, 1_000_000)


class NewParticipant(msgspec.Struct, frozen=True, kw_only=True):
    """A registration that waits for a second operator, with the id that the participant will have."""

    id: str
    registration: Registration


async def ask_registration(asked: Asking, registration: Registration, *, reason: str) -> Approval | NotDone:
    """Ask for a participant to be brought in."""
    refused = asked.why_not(Right.REQUEST, registration.region)
    if refused is not None:
        return refused
    wrong = tuple(wrong_fields(registration))
    if wrong:
        return NotDone(Refusal.FIELD_INVALID, wrong)
    refused = await _why_not_now(asked.connection, registration)
    if refused is not None:
        return refused
    identifier = asked.ids.new(ID_KINDS[registration.kind], shard=0, region=registration.region)
    return await ask_approval(
        asked,
        kind=ApprovalKind.REGISTER_PARTICIPANT,
        region=registration.region,
        subject=id_text(identifier),
        payload=NewParticipant(id=id_text(identifier), registration=registration),
        reason=reason,
    )


class Register:
    """The effect of REGISTER_PARTICIPANT: the participant can call and be paid from the commit on."""

    def __init__(self, keyring: Keyring, ids: IdSource) -> None:
        """Seal keys with *keyring*."""
        self._keyring = keyring
        self._ids = ids

    async def __call__(self, connection: AnyConnection, approval: Approval, /) -> CarriedOut | NotDone:
        wanted = msgspec.json.decode(approval.payload, type=NewParticipant)
        registration = wanted.registration
        identifier = parse_participant_id(wanted.id)
        refused = await _why_not_now(connection, registration)
        if refused is not None:
            return refused
        now = (await load_clocks(connection)).business
        bank = await _bank_of(connection, registration)
        if not await insert_registration(connection, identifier, registration, bank=bank, now=now):
            return NotDone(Refusal.PARTICIPANT_EXISTS, (WrongField("code", "taken"),))
        result: dict[str, object] = {"id": wanted.id}
        if not registration.alg:
            return CarriedOut(result)
        participant = await lock_participant(connection, identifier, now=now)
        assert participant is not None, "it was just brought in"
        key = await issue_key(
            connection,
            self._keyring,
            self._ids,
            participant,
            alg=Algorithm(registration.alg),
            public_key=registration.public_key,
            operator=approval.requested_by,
        )
        return CarriedOut({**result, "keyid": key.keyid, "alg": key.alg.value}, key.secret)


async def ask_change(asked: Asking, participant: Participant, change: Change, *, reason: str) -> Approval | NotDone:
    """Ask for a participant to be changed: its names, bank, scenarios, grade, delivery, item or role."""
    wanted = changed(participant, change)
    # What stays is not judged again: it may be older than today's rules.
    wrong = tuple(found for found in wrong_fields(wanted) if getattr(change, found.field, None) is not None)
    if wrong:
        return NotDone(Refusal.FIELD_INVALID, wrong)
    if wanted == changed(participant, Change(id=change.id, version=change.version)):
        return NotDone(Refusal.FIELD_INVALID, (WrongField("", "nothing is to be different"),))
    if change.bank is not None and await find_bank(asked.connection, change.bank) is None:
        return NotDone(Refusal.FIELD_INVALID, (_UNKNOWN_BANK,))
    return await ask_approval(
        asked,
        kind=ApprovalKind.CHANGE_PARTICIPANT,
        region=participant.region,
        subject=change.id,
        payload=change,
        reason=reason,
    )


async def change_participant(connection: AnyConnection, approval: Approval, /) -> CarriedOut | NotDone:
    """The effect of CHANGE_PARTICIPANT. Lanes see scenarios and grade with their next batch, netting a new bank."""
    change = msgspec.json.decode(approval.payload, type=Change)
    now = (await load_clocks(connection)).business
    participant = await lock_participant(connection, parse_participant_id(change.id), now=now)
    assert participant is not None, "participants are never deleted"
    if participant.version != change.version:
        return NotDone(Refusal.PARTICIPANT_STATE_CONFLICT, (WrongField("version", f"now {participant.version}"),))
    wanted = changed(participant, change)
    bank = await _bank_of(connection, wanted)
    await update_participant(connection, participant, wanted, bank=bank, now=now)
    return CarriedOut({"id": change.id, "version": change.version + 1})


async def register_terminals(asked: Asking, identifier: bytes, terminals: tuple[str, ...]) -> Participant | NotDone:
    """Give a merchant more terminals. One operator is enough: a terminal names a till and moves no money by itself."""
    participant = await load_participant(asked.connection, identifier)
    if participant is None or participant.kind is not ParticipantKind.MERCHANT:
        return NotDone(Refusal.NOT_FOUND)
    refused = asked.why_not(Right.REQUEST, participant.region)
    if refused is not None:
        return refused
    reason = wrong_terminals(terminals)
    if reason is not None or not terminals:
        return NotDone(Refusal.FIELD_INVALID, (WrongField("terminal_ids", reason or "none"),))
    await lock_participant(asked.connection, identifier, now=asked.now)
    await add_terminals(asked.connection, identifier, terminals)
    if await count_terminals(asked.connection, identifier) > TERMINALS_MAX:
        return NotDone(Refusal.FIELD_INVALID, (WrongField("terminal_ids", f"more than {TERMINALS_MAX} in all"),))
    return participant


async def ask_fund(asked: Asking, fund: Fund, *, reason: str) -> Approval | NotDone:
    """Ask for a bank to hold a pooling area's money of one pay type."""
    wrong = []
    if not is_region(fund.region) or pooling_area(fund.region) != fund.region:
        wrong.append(WrongField("region", "not a pooling area: its last two digits are zero"))
    if fund.pay_type not in PAY_TYPES:
        wrong.append(WrongField("fund_pay_type", "six digits"))
    if await find_bank(asked.connection, fund.bank) is None:
        wrong.append(_UNKNOWN_BANK)
    if wrong:
        return NotDone(Refusal.FIELD_INVALID, tuple(wrong))
    return await ask_approval(
        asked,
        kind=ApprovalKind.ASSIGN_FUND,
        region=fund.region,
        subject=f"fund:{fund.region:06d}:{fund.pay_type}",
        payload=fund,
        reason=reason,
    )


async def give_fund(connection: AnyConnection, approval: Approval, /) -> CarriedOut | NotDone:
    """The effect of ASSIGN_FUND, from the next netting on."""
    fund = msgspec.json.decode(approval.payload, type=Fund)
    bank = await find_bank(connection, fund.bank)
    assert bank is not None, "banks are never deleted"
    await assign_fund(connection, region=fund.region, pay_type=fund.pay_type, bank=bank)
    return CarriedOut({"fund": approval.subject, "bank": fund.bank})


_UNKNOWN_BANK: Final = WrongField("bank", "no bank of this number takes part")


async def _why_not_now(connection: AnyConnection, registration: Registration) -> NotDone | None:
    """What the other participants forbid, now."""
    wanted = ParticipantsWanted(
        regions=(0, 999_999), before=None, kind=registration.kind, code=registration.code, is_suspended=None, count=1
    )
    if await load_participants(connection, wanted):
        return NotDone(Refusal.PARTICIPANT_EXISTS, (WrongField("code", "taken"),))
    if registration.is_settlement_bank and await has_settlement_bank(connection):
        return NotDone(Refusal.PARTICIPANT_EXISTS, (WrongField("settlement_bank", "there is one already"),))
    if registration.bank and await find_bank(connection, registration.bank) is None:
        return NotDone(Refusal.FIELD_INVALID, (_UNKNOWN_BANK,))
    return None


async def _bank_of(connection: AnyConnection, registration: Registration) -> BankId | None:
    return await find_bank(connection, registration.bank) if registration.bank else None
