"""Records from a file that a region sends: what is right comes in, what is not is told with line and field.

Each page of lines is a transaction of its own, so a file of any length needs the memory of a page. A record that is
there already is as the file says it now; the same lines again change nothing.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

import msgspec

from engine.codes.keys import FIELD_KEY_ID
from engine.core.inquiry import Topic
from engine.core.participants import covers
from engine.flows.import_cards import FAULTS_KEPT_MAX, LINES_AT_ONCE, Importing
from engine.formats.inquiry_csv import RecordFault, RecordLine, read
from engine.store.connection import AnyConnection
from engine.store.faults import RunAgain, translated
from engine.store.inquiry import (
    CONTENT_PLACE,
    SealedRecord,
    keep_import_report,
    load_import_report,
    put_records,
    record_key_index,
)
from engine.store.persons import ID_NUMBER_PLACE, index_of

_RUNS_MAX: Final = 3


class RecordsReport(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a file: how many lines it has, what became of them, and the first of its faults."""

    sha256: str
    topic: str
    lines: int = 0
    taken: int = 0
    faulty: int = 0
    faults: tuple[RecordFault, ...] = ()


async def import_records(
    connection: AnyConnection,
    importing: Importing,
    topic: Topic,
    sha256: bytes,
    chunks: Iterable[bytes],
    *,
    on_fault: Callable[[RecordFault], None] = lambda _: None,
) -> RecordsReport:
    """Bring a file in. *sha256* is that of its bytes; one that came to its end is answered as it was
    the first time for the same region.

    Raises:
        Fault: the database cannot do it now; what came before stands, and the file may be brought in again.
    """
    earlier = await load_import_report(connection, sha256, topic.name, importing.region)
    if earlier is not None:
        report = msgspec.msgpack.decode(earlier, type=RecordsReport)
        for fault in report.faults:
            on_fault(fault)
        return report
    lines = read(topic, chunks, today=importing.today)
    taken = faulty = 0
    kept: list[RecordFault] = []
    while page := await asyncio.to_thread(_next_page, lines, importing):
        good = [one for one in page if isinstance(one, RecordLine)]
        await _bring_in(connection, importing, topic, good)
        taken += len(good)
        for faults in (one for one in page if not isinstance(one, RecordLine)):
            faulty += 1
            kept += faults[: FAULTS_KEPT_MAX - len(kept)]
            for fault in faults:
                on_fault(fault)
    report = RecordsReport(
        sha256=sha256.hex(), topic=topic.name, lines=taken + faulty, taken=taken, faulty=faulty, faults=tuple(kept)
    )
    await keep_import_report(
        connection,
        sha256,
        topic.name,
        importing.region,
        msgspec.msgpack.encode(report),
        operator=importing.operator,
        now=importing.now,
    )
    return report


async def _bring_in(connection: AnyConnection, importing: Importing, topic: Topic, lines: Sequence[RecordLine]) -> None:
    """Bring a page in, in one transaction, again if it has met another file about the same records."""
    if not lines:
        return
    records = await asyncio.to_thread(_sealed, importing, topic, lines)
    for left in reversed(range(_RUNS_MAX)):
        try:
            with translated():
                async with connection.transaction():
                    await put_records(connection, topic.name, records, field_key_id=FIELD_KEY_ID, now=importing.now)
            return
        except RunAgain:
            if not left:
                raise


def _sealed(importing: Importing, topic: Topic, lines: Sequence[RecordLine]) -> list[SealedRecord]:
    """The records of a page; of two about the same thing the later one."""
    keyring = importing.keyring
    records = {}
    for line in lines:
        record = SealedRecord(
            region=int(line.record.region),
            person_index=index_of(keyring, ID_NUMBER_PLACE, line.id_number),
            key_index=record_key_index(keyring, topic, line.record),
            content=keyring.seal(msgspec.json.encode(line.record), place=CONTENT_PLACE, nonce=importing.ids.nonce()),
        )
        records[record.person_index, record.region, record.key_index] = record
    return list(records.values())


def _next_page(
    lines: Iterator[RecordLine | tuple[RecordFault, ...]], importing: Importing
) -> list[RecordLine | tuple[RecordFault, ...]]:
    return [_judged(one, importing) for one in islice(lines, LINES_AT_ONCE)]


def _judged(one: RecordLine | tuple[RecordFault, ...], importing: Importing) -> RecordLine | tuple[RecordFault, ...]:
    if isinstance(one, RecordLine) and not covers(importing.region, int(one.record.region)):
        return (RecordFault(one.line, "region", "outside the operator's region"),)
    return one
