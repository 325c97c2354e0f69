"""Bringing cards into the register, a page at a time: what is known already, and rows for everything that is new."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec

from engine.core.ids import BankId, CardId, PersonId
from engine.core.payer import CardStatus
from engine.store.connection import AnyConnection
from engine.store.faults import translated
from engine.store.participants import Source
from engine.store.rows import Row
from engine.store.sql import load_queries

TABLES: Final = ("person", "person_key", "payer", "card", "physical_card", "card_number")
"""In the order in which they are written: every writer takes its unique keys in this order."""


class KnownPerson(msgspec.Struct, frozen=True, kw_only=True):
    """A person of the register and the newest card; no card is None in all its fields. The name and the person's own
    key are sealed; who has no key yet came in before there were any.
    """

    person: PersonId
    name: bytes
    sealed_key: bytes | None
    card: CardId | None
    bank: BankId | None
    region: int | None
    status: CardStatus | None
    number_index: bytes | None

    def __repr__(self) -> str:
        return f"KnownPerson(person={self.person.hex()})"


async def load_banks(source: Source) -> Mapping[int, BankId]:
    """Every bank by its CNAPS number."""
    with translated():
        rows = await source.fetch(load_queries("persons")["banks"])
    return {row["cnaps"]: BankId(row["id"]) for row in rows}


async def load_known(source: Source, indexes: Collection[bytes]) -> dict[bytes, KnownPerson]:
    """Those of the persons that the register knows, by the index of their ID number."""
    with translated():
        rows = await source.fetch(load_queries("persons")["known_persons"], list(indexes))
    return {
        row["id_number_index"]: KnownPerson(
            person=PersonId(row["person"]),
            name=row["name"],
            sealed_key=row["sealed_key"],
            card=row["card"],
            bank=row["bank"],
            region=row["region"],
            status=CardStatus(row["status"]) if row["status"] is not None else None,
            number_index=row["number_index"],
        )
        for row in rows
    }


async def load_given_numbers(source: Source, indexes: Collection[bytes]) -> set[bytes]:
    """Those of the numbers that some card has or had."""
    with translated():
        rows = await source.fetch(load_queries("persons")["given_numbers"], list(indexes))
    return {row["number_index"] for row in rows}


async def write_cards(
    connection: AnyConnection, rows: Mapping[str, Sequence[Row]], *, ended: Sequence[CardId], now: datetime
) -> None:
    """Write a page. *ended* are cancelled cards whose persons get another one.

    Raises:
        PoisonedBatch: somebody has brought one of them in meanwhile.
    """
    queries = load_queries("persons")
    with translated():
        if ended:
            await connection.execute(queries["end_cancelled_cards"], list(ended), now)
            await connection.execute(queries["end_cancelled_numbers"], list(ended), now)
        for table in TABLES:
            if rows[table]:
                await connection.copy_records_to_table(table, records=rows[table])


async def load_import_report(source: Source, sha256: bytes, region: int) -> bytes | None:
    """What came of the file with this digest for an operator of *region*; None if it was not brought in to its end."""
    with translated():
        report: bytes | None = await source.fetchval(load_queries("persons")["import_report"], sha256, region)
    return report


async def keep_import_report(
    source: Source, sha256: bytes, region: int, report: bytes, *, operator: bytes, now: datetime
) -> None:
    """Keep what came of a file for whoever answers for *region*."""
    with translated():
        await source.execute(load_queries("persons")["keep_import_report"], sha256, region, operator, report, now)
