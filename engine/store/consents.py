"""Consents and grants: what is agreed to, what is granted, and whether both are there for a look."""

from datetime import date, datetime

import asyncpg
import msgspec

from engine.core.consents import Authorizations, Consent, Grant, Scope
from engine.core.ids import CardId
from engine.core.participants import regions_of
from engine.store.connection import AnyConnection
from engine.store.faults import translated
from engine.store.participants import Source
from engine.store.sql import load_queries


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants to see: of whom, through which channel, for which department, and what for."""

    card: CardId
    region: int  # the person's
    department: bytes | None
    channel: bytes
    scope: Scope
    purpose: str
    today: date


class RecordsWanted(msgspec.Struct, frozen=True):
    """A page of records, older than *before*."""

    topic: str
    before: int
    count: int


class StoredRecord(msgspec.Struct, frozen=True):
    """One record, sealed, and its place in the order of pages."""

    n: int
    region: int
    content: bytes


class Looked(msgspec.Struct, frozen=True):
    """What there was to see. Without all three authorizations there are no records."""

    held: Authorizations
    records: tuple[StoredRecord, ...]


class GrantsWanted(msgspec.Struct, frozen=True, kw_only=True):
    """A page of grants; what is None does not matter."""

    regions: tuple[int, int]
    holder: bytes | None
    scope: Scope | None
    before: bytes | None
    count: int


async def look(source: Source, asked: Look, wanted: RecordsWanted | None = None) -> Looked:
    """Authorizations and, if all three are there, a page of records, both as of the same instant."""
    page = wanted or RecordsWanted("", 0, 0)
    with translated():
        rows = await source.fetch(
            load_queries("consents")["authorized_records"],
            asked.card,
            asked.region,
            asked.department,
            asked.channel,
            asked.scope,
            asked.purpose,
            asked.today,
            page.topic,
            page.before,
            page.count,
        )
    first = rows[0]
    held = Authorizations(
        has_consent=first["has_consent"], has_department=first["has_department"], has_channel=first["has_channel"]
    )
    records = tuple(StoredRecord(row["n"], row["region"], row["content"]) for row in rows if row["n"] is not None)
    return Looked(held, records)


async def is_caller_known(source: Source, holder: bytes) -> bool:
    """True if there is such a department, or a channel that can call."""
    with translated():
        found: bool = await source.fetchval(load_queries("consents")["is_caller_known"], holder)
    return found


async def insert_consent(connection: AnyConnection, consent: Consent) -> Consent:
    """The consent with its version. One to the same thing that was in force ends with it. Its card is held."""
    queries = load_queries("consents")
    with translated():
        version = await connection.fetchval(
            queries["replace_consent"],
            consent.id,
            consent.card,
            consent.channel,
            consent.department,
            consent.scope,
            consent.purpose,
            consent.given_at,
        )
        kept = msgspec.structs.replace(consent, version=version)
        await connection.execute(
            queries["insert_consent"],
            kept.id,
            kept.card,
            kept.channel,
            kept.department,
            kept.scope,
            kept.purpose,
            kept.valid_from,
            kept.valid_until,
            kept.version,
            kept.evidence_kind,
            kept.evidence_digest,
            kept.given_at,
        )
    return kept


async def load_consent(source: Source, consent: bytes) -> Consent | None:
    """One consent."""
    with translated():
        row = await source.fetchrow(load_queries("consents")["consent"], consent)
    return _consent_of(row) if row is not None else None


async def load_consents(
    source: Source, card: CardId, *, channel: bytes | None, before: bytes | None, count: int
) -> list[Consent]:
    """A card's consents, newest first: those that a channel has asked for, or with None all of them."""
    with translated():
        rows = await source.fetch(load_queries("consents")["consents_of_card"], card, channel, before, count)
    return [_consent_of(row) for row in rows]


async def revoke_consent(connection: AnyConnection, consent: bytes, *, by: bytes, now: datetime) -> None:
    """No look is let in by the consent once this is committed. Doing it twice changes nothing."""
    with translated():
        await connection.execute(load_queries("consents")["revoke_consent"], consent, by, now)


async def insert_grant(connection: AnyConnection, grant: Grant) -> Grant:
    """The grant with its version."""
    queries = load_queries("consents")
    with translated():
        version = await connection.fetchval(
            queries["next_grant_version"], grant.holder, grant.scope, grant.purpose, grant.region
        )
        kept = msgspec.structs.replace(grant, version=version)
        await connection.execute(
            queries["insert_grant"],
            kept.id,
            kept.holder,
            kept.scope,
            kept.purpose,
            *regions_of(kept.region),
            kept.valid_from,
            kept.valid_until,
            kept.version,
            kept.approval,
            kept.granted_at,
        )
    return kept


async def load_grant(source: Source, grant: bytes) -> Grant | None:
    """One grant."""
    with translated():
        row = await source.fetchrow(load_queries("consents")["grant"], grant)
    return _grant_of(row) if row is not None else None


async def load_grants(source: Source, wanted: GrantsWanted) -> list[Grant]:
    """Grants, newest first."""
    with translated():
        rows = await source.fetch(
            load_queries("consents")["grants"],
            *wanted.regions,
            wanted.holder,
            wanted.scope,
            wanted.before,
            wanted.count,
        )
    return [_grant_of(row) for row in rows]


async def revoke_grant(connection: AnyConnection, grant: bytes, *, by: bytes, reason: str, now: datetime) -> None:
    """No look is let in by the grant once this is committed. Doing it twice changes nothing."""
    with translated():
        await connection.execute(load_queries("consents")["revoke_grant"], grant, by, reason, now)


def _consent_of(row: asyncpg.Record) -> Consent:
    values = dict(row)
    return Consent(**values | {"scope": Scope(values["scope"])})


def _grant_of(row: asyncpg.Record) -> Grant:
    values = dict(row)
    return Grant(**values | {"scope": Scope(values["scope"])})
