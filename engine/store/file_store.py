"""What building files reads and writes: the cycles that they cover, their postings, their bytes and manifests."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, cast

import asyncpg
import msgspec

from engine.core.accounts import AccountId
from engine.core.calendar import CycleNumber, cycle_date
from engine.core.clearing import CLEARED_KINDS, CLEARED_PHASE
from engine.core.clearing_lines import ClearingFile, FileKind, FileStatus
from engine.core.deliveries import ClearedCycle
from engine.core.ids import NO_ID, BankId, CardId, PaymentId, RefundId
from engine.core.line_columns import ClearedPostings
from engine.core.postings import PostingKind
from engine.store.clearing_session import ClearingSession
from engine.store.clearing_store import LaneRange, load_lane_ranges, position_of
from engine.store.rows import Row, remembered_of

_USUAL: Final = frozenset({int(PostingKind.PAY), int(PostingKind.REFUND)})
PAGE_POSTINGS: Final = 2_000  # their lines take some ten milliseconds, in which nothing else of this process runs

ID_BYTES: Final = len(NO_ID)

Chunk = tuple[str, int, bytes]
"""A part of a file: the file's name, the part's number from zero, its bytes."""


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """What the files are made of that are delivered at the end of a cycle, beside the postings."""

    cycle: CycleNumber
    cycles: Mapping[CycleNumber, ClearedCycle]  # those whose items are in the files, this one included
    lanes: Mapping[CycleNumber, tuple[LaneRange, ...]]  # where the batches of each of them are
    delivers_from: Mapping[BankId, CycleNumber]  # only of banks that get files now
    cnaps: Mapping[BankId, str]
    root: bytes
    previous_sha256: Mapping[tuple[BankId, FileKind, str], bytes]  # by bank, kind and form


async def load_delivery(session: ClearingSession, cycle: CycleNumber) -> Delivery:
    """What is delivered at the end of a netted cycle, as it was when the cycles were netted."""
    cycles: dict[CycleNumber, ClearedCycle] = {}
    lanes: dict[CycleNumber, tuple[LaneRange, ...]] = {}
    cnaps: dict[BankId, str] = {}
    delivers_from: dict[BankId, CycleNumber] = {}
    for run in await session.fetch("delivered_cycles", cycle):
        number = CycleNumber(run["cycle"])
        rows = await session.fetch("positions_of_cycle", number)
        cycles[number] = ClearedCycle(
            cycle=number,
            closed_at=run["closed_at"],
            settlement_bank=BankId(run["settlement_bank"]),
            positions=tuple(position_of(row) for row in rows),
        )
        lanes[number] = await load_lane_ranges(session, number)
        cnaps |= {BankId(row["bank"]): f"{row['cnaps']:012d}" for row in rows}
        delivers_from = {BankId(row["bank"]): row["delivers_from"] for row in rows if row["delivers_from"] is not None}
    previous = await session.fetch("previous_digests", cycle)
    (seal,) = await session.fetch("root_of_cycle", cycle)
    return Delivery(
        cycle=cycle,
        cycles=cycles,
        lanes=lanes,
        delivers_from=delivers_from,
        cnaps=cnaps,
        root=seal["root"],
        previous_sha256={(BankId(row["bank"]), FileKind(row["kind"]), row["form"]): row["sha256"] for row in previous},
    )


async def load_routes(session: ClearingSession, cycle: CycleNumber) -> dict[AccountId, BankId]:
    """The banks that accounts cleared through in a netted cycle."""
    return {AccountId(row["account"]): BankId(row["bank"]) for row in await session.fetch("routes_of_cycle", cycle)}


async def load_cleared_postings(
    session: ClearingSession, cycle: CycleNumber, lanes: Iterable[LaneRange]
) -> AsyncIterator[ClearedPostings]:
    """A cycle's cleared postings, page by page. Order: by lane, sequence and n."""
    for lane in lanes:
        after = (lane.first_seq, -1)
        while True:
            (row,) = await session.fetch(
                "cleared_postings",
                cycle_date(cycle),
                lane.lane,
                *after,
                lane.last_seq,
                CLEARED_PHASE,
                CLEARED_KINDS,
                PostingKind.REFUND,
                PAGE_POSTINGS,
            )
            seqs: Sequence[int] = row["seqs"] or ()
            if seqs:
                batches = await session.fetch("batch_instants", lane.lane, seqs[0], seqs[-1])
                yield _postings_of(row, lane.lane, {batch["seq"]: batch["at"] for batch in batches})
            if len(seqs) < PAGE_POSTINGS:
                break
            after = (seqs[-1], row["ns"][-1])


async def drop_chunks(session: ClearingSession, name: str) -> None:
    """Take away what an attempt that did not end has left of a file."""
    await session.execute("drop_chunks", name)


async def insert_chunks(session: ClearingSession, chunks: Sequence[Chunk]) -> None:
    """Store parts of files that nobody sees yet, in one transaction.

    By COPY: measured, INSERT with a value for each part costs four times as much here and a third more over there.
    """
    async with session.transaction() as connection:
        await connection.copy_records_to_table("clearing_chunk", columns=("name", "part", "bytes"), records=chunks)


async def insert_files(
    session: ClearingSession,
    *,
    cycle: CycleNumber,
    built_at: datetime,
    files: Sequence[ClearingFile],
    forms: Iterable[str],
) -> None:
    """Keep the manifests of all files of a cycle, and in which *forms* there are any. Does nothing if they are made."""
    await session.execute("insert_files", cycle, built_at, [_manifest_row(file) for file in files], list(forms))


async def insert_correction(session: ClearingSession, file: ClearingFile) -> None:
    """Keep and show the manifest of a file that replaces another. Does nothing if that one is replaced."""
    await session.execute("insert_correction", [_manifest_row(file)])


async def load_file(session: ClearingSession, name: str) -> ClearingFile | None:
    """A published file, whoever's it is."""
    rows = await session.fetch("file_by_name", name)
    return file_of(rows[0]) if rows else None


async def load_files_of_cycle(session: ClearingSession, cycle: CycleNumber) -> list[ClearingFile]:
    """Every published file, of all versions, that was delivered at the end of a cycle."""
    return [file_of(row) for row in await session.fetch("files_of_cycle", cycle)]


async def next_published(session: ClearingSession, after: CycleNumber) -> tuple[CycleNumber, frozenset[str]] | None:
    """The next cycle whose files are out, and the forms that they were made in."""
    rows = await session.fetch("next_published_cycle", after)
    return (CycleNumber(rows[0]["cycle"]), frozenset(rows[0]["forms"])) if rows else None


def file_of(row: asyncpg.Record) -> ClearingFile:
    """The manifest of a `clearing_file` row that has `replaced_by` beside it."""
    return ClearingFile(
        name=row["name"],
        bank=BankId(row["bank"]),
        cycle=CycleNumber(row["cycle"]),
        first_cycle=CycleNumber(row["first_cycle"]),
        kind=FileKind(row["kind"]),
        form=row["form"],
        version=row["version"],
        item_count=row["item_count"],
        debit_total=row["debit_total"],
        credit_total=row["credit_total"],
        size=row["size"],
        sha256=row["sha256"],
        range_from=row["range_from"],
        range_to=row["range_to"],
        root=row["root"],
        key_id=row["key_id"],
        signature=row["signature"],
        created_at=row["created_at"],
        previous_sha256=row["previous_sha256"],
        status=FileStatus(row["status"]),
        replaces=row["replaces"],
        replaced_by=row["replaced_by"],
        published_at=row["published_at"],
    )


def _postings_of(row: asyncpg.Record, lane: int, instants: Mapping[int, datetime]) -> ClearedPostings:
    """The postings of a `cleared_postings` row; *instants* are those of their batches, few for many postings."""
    bodies, kinds = row["refund_bodies"], row["kinds"]
    refunds: Sequence[RefundId | None] = [None] * len(bodies)
    others: Mapping[int, PostingKind] = {}
    if any(bodies):
        refunds = [None if body is None else _refund_in(body) for body in bodies]
    if not _USUAL.issuperset(kinds):
        others = {place: PostingKind(kind) for place, kind in enumerate(kinds) if kind not in _USUAL}
    return ClearedPostings(
        lane=lane,
        seqs=row["seqs"],
        ns=row["ns"],
        payments=cast("list[PaymentId]", _ids_in(row["payments"])),
        debits=cast("list[AccountId]", _ids_in(row["debits"])),
        credits=cast("list[AccountId]", _ids_in(row["credits"])),
        amounts=row["amounts"],
        order_nos=row["order_nos"],
        payers=cast("list[CardId]", _ids_in(row["payers"])),
        instants=[instants[seq] for seq in row["seqs"]],
        refunds=refunds,
        others=others,
    )


def _ids_in(packed: bytes) -> list[bytes]:
    """The ids that stand one behind the other."""
    return [packed[at : at + ID_BYTES] for at in range(0, len(packed), ID_BYTES)]


def _refund_in(body: bytes) -> RefundId:
    """The refund that the event of a refund's posting is about."""
    refund = remembered_of(body).answer.refund
    assert refund is not None, "a refund's postings and its record are one event's"
    return refund.id


def _manifest_row(file: ClearingFile) -> Row:
    """A `file_manifest`."""
    return (
        file.name,
        file.bank,
        file.cycle,
        file.first_cycle,
        file.kind,
        file.form,
        file.version,
        cycle_date(file.cycle),
        file.item_count,
        file.debit_total,
        file.credit_total,
        file.size,
        file.sha256,
        file.range_from,
        file.range_to,
        file.root,
        file.key_id,
        file.signature,
        file.created_at,
        file.previous_sha256,
        file.replaces,
        file.published_at,
    )
