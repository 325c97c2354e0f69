"""The keys that fields and persons have, and walks through what is sealed."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import msgspec

from engine.codes.field_keys import FieldCipher, FieldKey
from engine.codes.hashes import HashAlgorithm
from engine.core.payer import CardStatus
from engine.core.personal_data import SealedColumn
from engine.store.connection import AnyConnection
from engine.store.faults import translated
from engine.store.participants import Source
from engine.store.sql import load_queries


class SealedText(msgspec.Struct, frozen=True):
    """A sealed text in its row; `owner` is the person of whom it is, where it is a person's."""

    place: str
    sealed: bytes
    owner: bytes | None


class SealingInUse(msgspec.Struct, frozen=True):
    """What the database is sealed with from now on; no `index_hash`: nothing was indexed yet."""

    key: FieldKey
    index_hash: HashAlgorithm | None


async def load_sealing(source: Source) -> SealingInUse:
    """The newest field key, and the hash of the blind indexes."""
    with translated():
        row = await source.fetchrow(load_queries("personal_data")["newest_field_key"])
    assert row is not None, "the first key comes with the table"
    index_hash = HashAlgorithm(row["index_hash"]) if row["index_hash"] is not None else None
    return SealingInUse(FieldKey(row["id"], FieldCipher(row["cipher"])), index_hash)


async def make_field_key(source: Source, key: FieldKey, *, now: datetime) -> None:
    """*key*, one more than the newest, is in use; or one that somebody else has made at the same moment."""
    with translated():
        await source.execute(load_queries("personal_data")["make_field_key"], key.id, key.cipher.value, now)


async def fix_index_hash(source: Source, algorithm: HashAlgorithm) -> None:
    """Blind indexes have a hash: *algorithm*, if they had none."""
    with translated():
        await source.execute(load_queries("personal_data")["fix_index_hash"], algorithm.value)


async def count_pages(source: Source, table: str) -> int:
    """How many pages a table has."""
    with translated():
        count: int = await source.fetchval(load_queries("personal_data")["pages"], table)
    return count


async def load_sealed_texts(
    source: Source, column: SealedColumn, header: bytes, *, after: str, until_page: int, count: int
) -> list[SealedText]:
    """The next *count* texts that do not begin with *header*, behind the place *after* and before a page."""
    with translated():
        rows = await source.fetch(
            load_queries("personal_data")["sealed_texts"],
            column.table,
            column.column,
            header,
            after,
            start_of_page(until_page),
            count,
        )
    return [SealedText(row["place"], row["sealed"], row["owner"]) for row in rows]


def start_of_page(page: int) -> str:
    """The place before the first row of a page."""
    return f"({page},0)"


async def seal_anew(
    source: Source, column: SealedColumn, work: Sequence[tuple[SealedText, bytes]], *, key_id: int
) -> int:
    """Put new texts in place of the earlier ones, but not of those that were changed meanwhile. Returns how many are.

    Locks: their rows, until it returns.
    """
    with translated():
        count: int = await source.fetchval(
            load_queries("personal_data")["seal_anew"],
            column.table,
            column.column,
            [text.place for text, _ in work],
            [text.sealed for text, _ in work],
            [sealed for _, sealed in work],
            key_id,
        )
    return count


async def load_person_keys(source: Source, persons: Collection[bytes]) -> dict[bytes, bytes | None]:
    """The sealed keys of those who have one; None where it was destroyed."""
    with translated():
        rows = await source.fetch(load_queries("personal_data")["person_keys"], list(persons))
    return {row["person"]: row["secret"] for row in rows}


async def insert_person_keys(source: Source, keys: Mapping[bytes, bytes], *, key_id: int, now: datetime) -> None:
    """Give persons keys, sealed; who has one, or had one, keeps it so."""
    with translated():
        await source.execute(
            load_queries("personal_data")["insert_person_keys"], list(keys), list(keys.values()), key_id, now
        )


class CardOfPerson(msgspec.Struct, frozen=True):
    """One of a person's cards, as far as it matters to whether the person may be erased."""

    id: bytes
    status: CardStatus
    has_key: bool
    changed_at: datetime


async def load_cards_of_same_person(source: Source, card: bytes) -> list[CardOfPerson]:
    """Every card that the person of *card* has or had."""
    with translated():
        rows = await source.fetch(load_queries("personal_data")["cards_of_same_person"], card)
    return [CardOfPerson(row["id"], CardStatus(row["status"]), row["has_key"], row["changed_at"]) for row in rows]


class InPlace(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in place of what was erased: `marker` for what was sealed under the person's own key, `index` for
    that of the ID number, and `label`, sealed under the field key `field_key`, for what passkeys were called.
    """

    marker: bytes
    index: bytes
    label: bytes
    field_key: int


async def destroy_person(connection: AnyConnection, card: bytes, in_place: InPlace, *, now: datetime) -> bool:
    """True if the card's person had a key that is gone now, and something else is in place of everything sealed.

    Locks: the person's rows.
    """
    queries = load_queries("personal_data")
    with translated():
        person: bytes | None = await connection.fetchval(queries["destroy_person_key"], card, now)
        if person is None:
            return False
        await connection.execute(queries["erase_inquiry_records"], person)
        await connection.execute(queries["erase_person"], person, in_place.marker, in_place.index)
        await connection.execute(queries["erase_passkeys"], person, in_place.label, in_place.field_key)
        await connection.execute(queries["erase_passkey_links"], person)
        for name in (
            "erase_cards",
            "erase_physical_cards",
            "erase_applications",
            "erase_application_notes",
            "erase_attachments",
        ):
            await connection.execute(queries[name], person, in_place.marker)
    return True
