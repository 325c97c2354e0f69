"""What each step of closing, netting and publishing a cycle reads and writes; every write is one short transaction."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

import asyncpg
import msgspec

from engine.core.accounts import AccountId, merchant_payable, owner_of, pool_fund
from engine.core.calendar import CycleNumber, cut_over_of, cycle_date
from engine.core.clearing import CLEARED_KINDS, CLEARED_PHASE, LaneEnd, NetPosition
from engine.core.clearing_lines import ClearedPosting, ClearingFile, FileKind
from engine.core.ids import BankId, MerchantId
from engine.core.postings import PostingKind
from engine.store.clearing_session import ClearingSession
from engine.store.rows import Row, remembered_of

RANGE_BATCHES: Final = 1_000  # at 500 postings a batch well under a second
PAGE_POSTINGS: Final = 1_000  # their lines take a few milliseconds, in which nothing else of this process runs

_encode: Final = msgspec.msgpack.Encoder().encode


class LaneRange(msgspec.Struct, frozen=True):
    """One lane's batches of a cycle, both ends included."""

    lane: int
    first_seq: int
    last_seq: int


class Turnover(msgspec.Struct, frozen=True):
    """What moved from one account to another, personal accounts of a region taken as one. Units: fen."""

    debit: AccountId
    credit: AccountId
    count: int
    amount: int


class Bank(msgspec.Struct, frozen=True):
    """A bank that takes part. `cnaps` has twelve digits."""

    id: BankId
    cnaps: str
    is_settlement_bank: bool


class NettedCycle(msgspec.Struct, frozen=True, kw_only=True):
    """What the files of a cycle are made of, beside its postings."""

    positions: tuple[NetPosition, ...]
    banks: Mapping[BankId, Bank]
    routes: Mapping[AccountId, BankId]
    lanes: tuple[LaneRange, ...]
    root: bytes
    previous_sha256: Mapping[tuple[BankId, FileKind, str], bytes]  # by bank, kind and form


Chunk = tuple[str, int, bytes]
"""A part of a file: the file's name, the part's number from zero, its bytes."""


async def open_next_cycle(
    session: ClearingSession, *, cycle: CycleNumber, following: CycleNumber, closed_at: datetime
) -> None:
    """Close *cycle* by opening *following*, whose partitions are made before. Does nothing if it is closed."""
    business_date = cycle_date(following)
    await session.ensure_day(business_date)
    await session.execute("open_next_cycle", cycle, business_date, following, cut_over_of(business_date), closed_at)


async def pass_all_lanes(session: ClearingSession) -> None:
    """The barrier: when this returns, every batch that read the control row as it was before has ended.

    A batch locks its lane before it reads the control row, so whoever gets the lane's lock after a change was made
    knows that later batches see the change. A lane that is registered meanwhile reads it too.
    """
    for row in await session.fetch("lanes"):
        await session.execute("pass_lane", row["id"])


async def load_lane_ends(session: ClearingSession, cycle: CycleNumber) -> tuple[LaneEnd, ...]:
    """Where each lane's chain stood at the end of *cycle*, by lane."""
    return tuple(LaneEnd(*row) for row in await session.fetch("lane_ends", cycle))


async def insert_seal(
    session: ClearingSession,
    *,
    cycle: CycleNumber,
    at: datetime,
    ends: Sequence[LaneEnd],
    root: bytes,
    key_id: str,
    signature: bytes,
) -> None:
    """Keep the seal; the first one stays."""
    await session.execute("insert_seal", cycle, at, _encode(ends), root, key_id, signature)


async def load_banks(session: ClearingSession) -> tuple[Bank, ...]:
    """Every bank, by id."""
    return tuple(_bank_of(row) for row in await session.fetch("banks"))


async def load_lane_ranges(session: ClearingSession, cycle: CycleNumber) -> tuple[LaneRange, ...]:
    """Where a cycle's batches are, by lane."""
    return tuple(LaneRange(*row) for row in await session.fetch("lane_ranges", cycle))


async def load_turnover(session: ClearingSession, cycle: CycleNumber) -> AsyncIterator[list[Turnover]]:
    """What a cycle moved between accounts, range by range of its batches: no statement takes long."""
    for lane in await load_lane_ranges(session, cycle):
        for first_seq in range(lane.first_seq, lane.last_seq + 1, RANGE_BATCHES):
            last_seq = min(first_seq + RANGE_BATCHES - 1, lane.last_seq)
            rows = await session.fetch(
                "turnover", cycle_date(cycle), lane.lane, first_seq, last_seq, CLEARED_PHASE, CLEARED_KINDS
            )
            yield [Turnover(*row) for row in rows]


async def load_fund_routes(session: ClearingSession) -> dict[AccountId, BankId]:
    """The bank of every fund's account."""
    rows = await session.fetch("fund_banks")
    return {pool_fund(row["region"], row["pay_type"]): BankId(row["bank"]) for row in rows}


async def load_merchant_routes(session: ClearingSession, accounts: Iterable[AccountId]) -> dict[AccountId, BankId]:
    """The banks of merchants' accounts, as they are now."""
    rows = await session.fetch("merchant_banks", [owner_of(account) for account in accounts])
    return {merchant_payable(MerchantId(row["id"])): BankId(row["bank"]) for row in rows}


async def insert_net(
    session: ClearingSession,
    *,
    cycle: CycleNumber,
    netted_at: datetime,
    positions: Sequence[NetPosition],
    routes: Mapping[AccountId, BankId],
) -> None:
    """Keep what netting found, and the routes that it found it with. Does nothing if the cycle is netted."""
    rows = [(cycle, p.bank, p.debits, p.credits, p.debit_count, p.credit_count) for p in positions]
    await session.execute(
        "insert_net", cycle, netted_at, rows, [(cycle, account, bank) for account, bank in sorted(routes.items())]
    )


async def load_netted_cycle(session: ClearingSession, cycle: CycleNumber) -> NettedCycle:
    """What the files of a netted cycle are made of, as it was when the cycle was netted."""
    rows = await session.fetch("positions_of_cycle", cycle)
    routes = await session.fetch("routes_of_cycle", cycle)
    previous = await session.fetch("previous_digests", cycle)
    (seal,) = await session.fetch("root_of_cycle", cycle)
    return NettedCycle(
        positions=tuple(position_of(row) for row in rows),
        banks={
            BankId(row["bank"]): Bank(BankId(row["bank"]), _cnaps_text(row["cnaps"]), row["is_settlement_bank"])
            for row in rows
        },
        routes={AccountId(row["account"]): BankId(row["bank"]) for row in routes},
        lanes=await load_lane_ranges(session, cycle),
        root=seal["root"],
        previous_sha256={(BankId(row["bank"]), FileKind(row["kind"]), row["form"]): row["sha256"] for row in previous},
    )


async def load_cleared_postings(session: ClearingSession, cycle: CycleNumber) -> AsyncIterator[list[ClearedPosting]]:
    """A cycle's cleared postings, page by page. Order: by lane, sequence and n."""
    for lane in await load_lane_ranges(session, cycle):
        after = (lane.first_seq, -1)
        while True:
            rows = await session.fetch(
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
            if rows:
                yield [ClearedPosting(*row) if row[-1] is None else _refund_of(row) for row in rows]
            if len(rows) < PAGE_POSTINGS:
                break
            after = (rows[-1]["seq"], rows[-1]["n"])


async def drop_chunks(session: ClearingSession, name: str) -> None:
    """Take away what an attempt that did not end has left of a file."""
    await session.execute("drop_chunks", name)


async def insert_chunks(session: ClearingSession, chunks: Sequence[Chunk]) -> None:
    """Store parts of files that nobody sees yet."""
    await session.execute_many("insert_chunk", chunks)


async def insert_files(
    session: ClearingSession, *, cycle: CycleNumber, built_at: datetime, files: Sequence[ClearingFile]
) -> None:
    """Keep the manifests of all files of a cycle. Does nothing if its files are made."""
    await session.execute("insert_files", cycle, built_at, [_file_row(file) for file in files])


async def publish_files(session: ClearingSession, *, cycle: CycleNumber, published_at: datetime) -> None:
    """Show all files of a cycle at once. Does nothing if they are published."""
    await session.execute("publish_files", cycle, published_at)


def position_of(row: asyncpg.Record) -> NetPosition:
    """The position of a `net_position` row."""
    return NetPosition(
        bank=BankId(row["bank"]),
        debits=row["debits"],
        credits=row["credits"],
        debit_count=row["debit_count"],
        credit_count=row["credit_count"],
    )


def _bank_of(row: asyncpg.Record) -> Bank:
    return Bank(BankId(row["id"]), _cnaps_text(row["cnaps"]), row["is_settlement_bank"])


def _cnaps_text(cnaps: int) -> str:
    return f"{cnaps:012d}"


def _refund_of(row: asyncpg.Record) -> ClearedPosting:
    """The posting of a `cleared_postings` row, whose last column is the body of a refund's event."""
    *columns, body = row
    refund = remembered_of(body).answer.refund
    assert refund is not None, "a refund's postings and its record are one event's"
    return ClearedPosting(*columns, refund.id)  # type: ignore[call-arg]  # a row has the struct's fields in order


def _file_row(file: ClearingFile) -> Row:
    return (
        file.name,
        file.bank,
        file.cycle,
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
        file.replaces,
        file.published_at,
    )
