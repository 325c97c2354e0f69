"""Beneficiaries and their certifications, one query and one of our types each."""

from collections.abc import Sequence
from datetime import date, datetime

import asyncpg
import msgspec

from engine.core.certification import Dates, Method, Standing
from engine.core.ids import AgencyId, CardId
from engine.store.connection import AnyConnection
from engine.store.faults import translated
from engine.store.participants import Source
from engine.store.sql import load_queries


class Beneficiary(msgspec.Struct, frozen=True, kw_only=True):
    """One benefit of one person."""

    id: bytes
    card: CardId
    benefit_code: str
    agency: AgencyId
    region: int
    standing: Standing
    is_pending: bool  # nobody could say at the last attempt
    registered_at: datetime


class Certification(msgspec.Struct, frozen=True, kw_only=True):
    """One time that it was shown, or tried to be. `evidence` is a kind and a digest."""

    method: Method
    is_pending: bool
    certified_on: date
    certified_by: bytes
    evidence: str
    at: datetime


class BeneficiariesWanted(msgspec.Struct, frozen=True, kw_only=True):
    """A page of beneficiaries; what is None does not matter."""

    agency: AgencyId | None
    card: CardId | None
    regions: tuple[int, int]
    dates: Dates | None
    before: bytes | None
    count: int


async def insert_beneficiary(connection: AnyConnection, new: Beneficiary) -> bool:
    """True if the benefit was not registered, and is from now on."""
    with translated():
        done: bool | None = await connection.fetchval(
            load_queries("certifications")["insert_beneficiary"],
            new.id,
            new.card,
            new.benefit_code,
            new.agency,
            new.region,
            new.standing.cycle_months,
            new.standing.due_on,
            new.standing.last_certified_on,
            new.registered_at,
        )
    return done is not None


async def load_beneficiary(source: Source, beneficiary: bytes) -> Beneficiary | None:
    """The benefit of this id."""
    with translated():
        row = await source.fetchrow(load_queries("certifications")["beneficiary"], beneficiary)
    return _beneficiary_of(row) if row is not None else None


async def load_beneficiaries(source: Source, wanted: BeneficiariesWanted) -> list[Beneficiary]:
    """A page of them, newest first."""
    dates = wanted.dates
    with translated():
        rows = await source.fetch(
            load_queries("certifications")["beneficiaries"],
            wanted.agency,
            wanted.card,
            *wanted.regions,
            wanted.before,
            wanted.count,
            dates.due_from if dates is not None else None,
            dates.due_until if dates is not None else None,
            dates.was_certified if dates is not None else None,
            dates.is_restored if dates is not None else None,
        )
    return [_beneficiary_of(row) for row in rows]


async def hold_beneficiaries(
    connection: AnyConnection, *, cards: Sequence[CardId] = (), ids: Sequence[bytes] = ()
) -> list[Beneficiary]:
    """Every benefit of these cards and of these ids. Locks: their rows, in id order."""
    with translated():
        rows = await connection.fetch(load_queries("certifications")["hold_beneficiaries"], list(cards), list(ids))
    return [_beneficiary_of(row) for row in rows]


async def keep_certification(connection: AnyConnection, held: Beneficiary, one: Certification) -> None:
    """Write down what was shown of a benefit whose row is held."""
    with translated():
        await connection.execute(
            load_queries("certifications")["insert_certification"],
            held.id,
            one.method,
            one.is_pending,
            one.certified_on,
            one.certified_by,
            one.evidence,
            one.at,
        )


async def set_standing(connection: AnyConnection, held: Beneficiary, after: Standing) -> None:
    """A benefit whose row is held stands otherwise from now on."""
    with translated():
        await connection.execute(
            load_queries("certifications")["certify_beneficiary"],
            held.id,
            after.due_on,
            after.last_certified_on,
            after.is_restored,
        )


async def load_certifications(source: Source, beneficiary: bytes, *, count: int) -> list[Certification]:
    """Every time that it was shown, newest first."""
    with translated():
        rows = await source.fetch(load_queries("certifications")["certifications"], beneficiary, count)
    return [
        Certification(
            method=Method(row["method"]),
            is_pending=row["is_pending"],
            certified_on=row["certified_on"],
            certified_by=row["certified_by"],
            evidence=row["evidence"],
            at=row["at"],
        )
        for row in rows
    ]


async def load_standings(source: Source, benefits: Sequence[tuple[CardId, str]]) -> dict[tuple[CardId, str], Standing]:
    """Where benefits stand that are registered, by card and code; of others nothing is known."""
    with translated():
        rows = await source.fetch(
            load_queries("certifications")["due_of_payouts"],
            [card for card, _ in benefits],
            [code for _, code in benefits],
        )
    return {(CardId(row["card"]), row["benefit_code"]): _standing_of(row) for row in rows}


def _beneficiary_of(row: asyncpg.Record) -> Beneficiary:
    return Beneficiary(
        id=row["id"],
        card=CardId(row["card"]),
        benefit_code=row["benefit_code"],
        agency=AgencyId(row["agency"]),
        region=row["region"],
        standing=_standing_of(row),
        is_pending=row["is_pending"] or False,
        registered_at=row["registered_at"],
    )


def _standing_of(row: asyncpg.Record) -> Standing:
    return Standing(
        cycle_months=row["cycle_months"],
        due_on=row["due_on"],
        last_certified_on=row["last_certified_on"],
        is_restored=row["is_restored"],
    )
