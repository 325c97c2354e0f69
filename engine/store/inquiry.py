"""What regions have sent in, and which regions are asked themselves."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import asyncpg
import msgspec

from engine.codes.keys import Keyring
from engine.core.inquiry import InquiryRecord, Topic
from engine.core.participants import NATIONAL
from engine.store.connection import AnyConnection
from engine.store.faults import translated
from engine.store.participants import Source
from engine.store.sql import load_queries

CONTENT_PLACE: Final = "inquiry_record.content"
_KEY_PLACE: Final = "inquiry_record.key_index"


class SealedRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A record as it is kept. Its repr shows nothing of the person."""

    region: int
    person_index: bytes
    key_index: bytes
    content: bytes

    def __repr__(self) -> str:
        return f"SealedRecord(region={self.region})"


class RegionalSource(msgspec.Struct, frozen=True, kw_only=True):
    """A region that is asked over HTTP about a topic, with all below it that has no source of its own."""

    region: int
    topic: str
    base_url: str
    approval: str
    at: datetime


def record_key_index(keyring: Keyring, topic: Topic, record: InquiryRecord) -> bytes:
    """What makes a record the same one when its region sends it again about the same person."""
    values = [str(getattr(record, field)) for field in topic.key]
    return keyring.blind_index(f"{_KEY_PLACE} {topic.name} {msgspec.json.encode(values).decode()}")


async def put_records(
    connection: AnyConnection, topic: str, records: Sequence[SealedRecord], *, field_key_id: int, now: datetime
) -> None:
    """The records are there; one that was there already is as it is sent now. No two of them are the same one."""
    with translated():
        await connection.execute(
            load_queries("inquiry")["put_records"],
            topic,
            [one.region for one in records],
            [one.person_index for one in records],
            [one.key_index for one in records],
            [one.content for one in records],
            field_key_id,
            now,
        )


async def load_import_report(source: Source, sha256: bytes, topic: str, region: int) -> bytes | None:
    """What came of a file that was brought in for a region; None if it has not come to its end."""
    with translated():
        report: bytes | None = await source.fetchval(load_queries("inquiry")["import_report"], sha256, topic, region)
    return report


async def keep_import_report(
    source: Source, sha256: bytes, topic: str, region: int, report: bytes, *, operator: bytes, now: datetime
) -> None:
    """Remember what came of a file."""
    with translated():
        await source.execute(
            load_queries("inquiry")["keep_import_report"], sha256, topic, region, operator, report, now
        )


async def load_source(source: Source, topic: str, region: int) -> RegionalSource | None:
    """The system that is asked about the persons of a region: its own, its city's, its province's or the country's."""
    above = sorted({region, region // 100 * 100, region // 10_000 * 10_000, NATIONAL})
    with translated():
        row = await source.fetchrow(load_queries("inquiry")["source_of_region"], topic, above)
    return _source_of(row) if row is not None else None


async def load_sources(
    source: Source, topic: str, *, regions: tuple[int, int], after: int, count: int
) -> list[RegionalSource]:
    """Systems that are asked about a topic, in order of their regions."""
    with translated():
        rows = await source.fetch(load_queries("inquiry")["sources"], topic, *regions, after, count)
    return [_source_of(row) for row in rows]


async def set_source(connection: AnyConnection, source: RegionalSource) -> None:
    """The region is asked there from the commit on."""
    with translated():
        await connection.execute(
            load_queries("inquiry")["set_source"],
            source.region,
            source.topic,
            source.base_url,
            source.approval,
            source.at,
        )


async def drop_source(connection: AnyConnection, region: int, topic: str) -> None:
    """The region is not asked any more; what it has sent in counts. Doing it twice changes nothing."""
    with translated():
        await connection.execute(load_queries("inquiry")["drop_source"], region, topic)


def _source_of(row: asyncpg.Record) -> RegionalSource:
    return RegionalSource(**dict(row))
