"""What each step of closing, netting and publishing a cycle reads and writes; every write is one short transaction."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Final

import asyncpg
import msgspec

from engine.core.accounts import AccountId, owner_of, pool_fund
from engine.core.calendar import CycleNumber, cycle_date
from engine.core.clearing import CLEARED_KINDS, CLEARED_PHASE, STOOD_IN_FOR, LaneEnd, NetPosition
from engine.core.ids import BankId
from engine.store.clearing_session import ClearingSession

RANGE_BATCHES: Final = 1_000  # at 500 postings a batch well under a second

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


class BankDelivery(msgspec.Struct, frozen=True):
    """When a bank gets its files, and since which cycle it has to get them; None: nothing has waited."""

    bank: BankId
    places: tuple[int, ...]  # of cycles in the day; none: every cycle
    waiting_since: CycleNumber | None


async def open_next_cycle(
    session: ClearingSession,
    *,
    cycle: CycleNumber,
    following: CycleNumber,
    cutoff_at: datetime,
    closed_at: datetime,
    settlement_date: date,
) -> None:
    """Close *cycle* by opening *following*, whose partitions are made before. Does nothing if it is closed.

    *cutoff_at* is when the following one is due; *settlement_date* is the closed one's.
    """
    business_date = cycle_date(following)
    await session.ensure_day(business_date)
    await session.execute("open_next_cycle", cycle, business_date, following, cutoff_at, closed_at, settlement_date)


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


async def load_standing_routes(session: ClearingSession) -> dict[AccountId, BankId]:
    """The bank of every fund's account, and the one that stands in for what was returned."""
    rows = await session.fetch("fund_banks")
    routes = {pool_fund(row["region"], row["pay_type"]): BankId(row["bank"]) for row in rows}
    for bank in await load_banks(session):
        if bank.is_settlement_bank:
            routes[STOOD_IN_FOR] = bank.id
    return routes


async def load_payee_routes(session: ClearingSession, accounts: Iterable[AccountId]) -> dict[AccountId, BankId]:
    """The banks of merchants' and agencies' accounts, as they are now."""
    by_owner = {owner_of(account): account for account in accounts}
    rows = await session.fetch("payee_banks", list(by_owner))
    return {by_owner[row["id"]]: BankId(row["bank"]) for row in rows}


async def load_following(session: ClearingSession, cycle: CycleNumber) -> CycleNumber:
    """The cycle that was opened when *cycle* was closed."""
    (row,) = await session.fetch("following_cycle", cycle)
    return CycleNumber(row["cycle"])


async def load_deliveries(session: ClearingSession, cycle: CycleNumber) -> tuple[BankDelivery, ...]:
    """What each bank has asked for, and what has waited for it before *cycle*."""
    return tuple(
        BankDelivery(BankId(row["bank"]), tuple(row["delivery"] or ()), row["waiting_since"])
        for row in await session.fetch("bank_deliveries", cycle)
    )


async def insert_net(
    session: ClearingSession,
    *,
    cycle: CycleNumber,
    netted_at: datetime,
    positions: Sequence[NetPosition],
    routes: Mapping[AccountId, BankId],
    settlement_bank: BankId,
    delivers_from: Mapping[BankId, CycleNumber | None],
) -> None:
    """Keep what netting found, and what it found it with. Does nothing if the cycle is netted."""
    rows = [(p.bank, p.debits, p.credits, p.debit_count, p.credit_count, delivers_from.get(p.bank)) for p in positions]
    await session.execute("insert_net", cycle, netted_at, rows, sorted(routes.items()), settlement_bank)


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
