"""What a person agrees to, and takes back."""

from datetime import date, datetime

import msgspec

from engine.core.consents import FIRST_VERSION, Consent, EvidenceKind, Scope
from engine.core.ids import CardId, IdKind, region_of, shard_of
from engine.core.participants import WrongField
from engine.core.refusals import Refusal
from engine.flows.answer_once import NotDone
from engine.flows.clock import IdSource
from engine.store.connection import AnyConnection
from engine.store.consents import insert_consent, is_caller_known, load_consent, revoke_consent
from engine.store.persons import hold_card


class GivenConsent(msgspec.Struct, frozen=True, kw_only=True):
    """What a person agrees to by an act of their own. Each scope becomes a consent that can be withdrawn alone."""

    card: CardId
    channel: bytes
    department: bytes | None
    scopes: tuple[Scope, ...]
    purpose: str
    valid_from: date
    valid_until: date
    evidence_kind: EvidenceKind
    evidence_digest: str


async def record_consent(
    connection: AnyConnection, ids: IdSource, given: GivenConsent, *, now: datetime
) -> tuple[Consent, ...] | NotDone:
    """Keep what was agreed to, in the caller's transaction. One to the same thing that is in force ends with it.

    Locks: the row of the card in the register, so that two at once are one after the other.
    """
    if not await hold_card(connection, given.card):
        return NotDone(Refusal.NOT_FOUND)
    if given.department is not None and not await is_caller_known(connection, given.department):
        return NotDone(Refusal.FIELD_INVALID, (WrongField("department_id", "no such department"),))
    kept = []
    for scope in given.scopes:
        consent = Consent(
            id=ids.new(IdKind.CONSENT, shard=shard_of(given.card), region=region_of(given.card)),
            card=given.card,
            channel=given.channel,
            department=given.department,
            scope=scope,
            purpose=given.purpose,
            valid_from=given.valid_from,
            valid_until=given.valid_until,
            version=FIRST_VERSION,
            evidence_kind=given.evidence_kind,
            evidence_digest=given.evidence_digest,
            given_at=now,
        )
        kept.append(await insert_consent(connection, consent))
    return tuple(kept)


async def withdraw_consent(connection: AnyConnection, consent: bytes, *, by: bytes, now: datetime) -> Consent | NotDone:
    """End a consent: once the transaction is committed, it lets no look in. Doing it twice changes nothing."""
    await revoke_consent(connection, consent, by=by, now=now)
    ended = await load_consent(connection, consent)
    return ended if ended is not None else NotDone(Refusal.NOT_FOUND)
