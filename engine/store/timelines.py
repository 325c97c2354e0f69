"""What a payment's timeline is read from, outside the lanes."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime

import asyncpg
import msgspec

from engine.core.accounts import AccountId
from engine.core.answers import EventKind, Remembered
from engine.core.bank_lines import Direction
from engine.core.calendar import CycleNumber, cycle_date
from engine.core.clearing_lines import FileKind, FileStatus
from engine.core.ids import BankId, PaymentId
from engine.core.payments import Payment
from engine.core.postings import Phase, PostingKind
from engine.store.faults import translated
from engine.store.reconciliation import Reconciliations
from engine.store.rows import payment_of, remembered_of
from engine.store.settlement import DIRECTIONS
from engine.store.sql import load_queries


class TimelineEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was decided about a payment, and where the journal has it."""

    business_date: date
    lane: int
    seq: int
    n: int
    kind: EventKind
    at: datetime
    remembered: Remembered

    @property
    def place(self) -> str:
        """As it is written outside."""
        return f"{self.lane}.{self.seq}.{self.n}"


class TimelinePosting(msgspec.Struct, frozen=True, kw_only=True):
    """A posting about a payment. Units: fen."""

    business_date: date
    lane: int
    seq: int
    n: int
    event: int
    cycle: CycleNumber
    phase: Phase
    kind: PostingKind
    debit: AccountId
    credit: AccountId
    amount: int

    @property
    def place(self) -> str:
        """What names it in the banks' files: lane, sequence and n."""
        return f"{self.lane}.{self.seq}.{self.n}"


class TimelineRun(msgspec.Struct, frozen=True, kw_only=True):
    """How far a closed cycle is."""

    cycle: CycleNumber
    closed_at: datetime
    published_at: datetime | None
    settlement_date: date | None
    settled_at: datetime | None
    reference: str | None  # the settlement bank's own


class TimelineFile(msgspec.Struct, frozen=True, kw_only=True):
    """A published file in which a bank got its items of a cycle. Units: bytes."""

    bank: BankId
    item_cycle: CycleNumber
    name: str
    cycle: CycleNumber
    first_cycle: CycleNumber
    kind: FileKind
    form: str
    version: int
    size: int
    published_at: datetime
    status: FileStatus
    pulled_at: datetime | None
    acknowledged_at: datetime | None


class DroppedItem(msgspec.Struct, frozen=True, kw_only=True):
    """An item that is not settled with its cycle. Units: fen."""

    cycle: CycleNumber
    item: str
    direction: Direction
    bank: BankId
    amount: int
    reason: str
    dropped_at: datetime


class GivenBack(msgspec.Struct, frozen=True, kw_only=True):
    """An item that a bank has given back. Units: fen."""

    bank: BankId
    item: str
    direction: Direction
    cycle: CycleNumber
    amount: int
    reason: str
    return_ref: str
    file: str | None
    place: int | None  # the how manieth return of what was presented first
    batch: bytes  # of the upload, if it was one
    accepted_at: datetime


class Timelines:
    """Reads about payments. Every method raises `Fault` when the database cannot answer."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        """Read through *pool*; a connection is held for one query at a time."""
        self._pool = pool
        self._queries = load_queries("timelines")
        self._files = Reconciliations(pool)

    async def payment(self, payment: PaymentId) -> Payment | None:
        """A payment, whoever's it is."""
        rows = await self._fetch("payment", payment)
        return payment_of(rows[0]) if rows else None

    async def events(self, payment: PaymentId, *, count: int) -> list[TimelineEvent]:
        """The first *count* events about a payment."""
        return [
            TimelineEvent(
                business_date=row["business_date"],
                lane=row["lane"],
                seq=row["seq"],
                n=row["n"],
                kind=EventKind(row["kind"]),
                at=row["at"],
                remembered=remembered_of(row["body"]),
            )
            for row in await self._fetch("events", payment, count)
        ]

    async def postings(self, payment: PaymentId, events: Sequence[TimelineEvent]) -> list[TimelinePosting]:
        """What some events of a payment have posted about it, in the order of the banks' files."""
        places = zip(*((event.business_date, event.lane, event.seq, event.n) for event in events), strict=True)
        rows = await self._fetch("postings", payment, *map(list, places)) if events else []
        return [
            TimelinePosting(**{**row, "phase": Phase(row["phase"]), "kind": PostingKind(row["kind"])}) for row in rows
        ]

    async def runs(self, cycles: Iterable[CycleNumber]) -> dict[CycleNumber, TimelineRun]:
        """How far each closed one of some cycles is."""
        return {CycleNumber(row["cycle"]): TimelineRun(**row) for row in await self._fetch("runs", sorted(cycles))}

    async def routes(
        self, cycles: Iterable[CycleNumber], accounts: Iterable[AccountId]
    ) -> Mapping[CycleNumber, Mapping[AccountId, BankId]]:
        """The banks that accounts cleared through in each netted one of some cycles."""
        routes: dict[CycleNumber, dict[AccountId, BankId]] = defaultdict(dict)
        for row in await self._fetch("routes", sorted(cycles), sorted(accounts)):
            routes[CycleNumber(row["cycle"])][AccountId(row["account"])] = BankId(row["bank"])
        return routes

    async def bank_numbers(self, banks: Iterable[BankId]) -> dict[BankId, str]:
        """The twelve digits of each bank's number."""
        return {BankId(row["id"]): f"{row['cnaps']:012d}" for row in await self._fetch("bank_numbers", sorted(banks))}

    async def files(self, wanted: Iterable[tuple[BankId, CycleNumber]]) -> list[TimelineFile]:
        """The published files, of all versions and forms, in which banks got their items of these cycles."""
        pairs = sorted(wanted)
        rows = await self._fetch("files", [bank for bank, _ in pairs], [cycle for _, cycle in pairs])
        return [
            TimelineFile(**{**row, "kind": FileKind(row["kind"]), "status": FileStatus(row["status"])}) for row in rows
        ]

    async def batch_of_line(
        self, payment: PaymentId, at: datetime, cycle: CycleNumber
    ) -> tuple[CycleNumber, int, int] | None:
        """Cycle, lane and sequence of the batch that made a payment's line of that instant; *cycle* is of its date."""
        rows = await self._fetch("batch_of_line", payment, at, cycle_date(cycle))
        return (CycleNumber(rows[0]["cycle"]), rows[0]["lane"], rows[0]["seq"]) if rows else None

    async def content(self, name: str, *, first_part: int, count: int) -> bytes:
        """Some parts of a file; nothing after the last one."""
        return b"".join(await self._files.load_file_parts(name, first_part=first_part, count=count))

    async def dropped(self, items: Iterable[tuple[CycleNumber, str]]) -> list[DroppedItem]:
        """Which of these items, by cycle and name, are not settled with their cycle; each is given once."""
        named = sorted(items)
        rows = await self._fetch("dropped", [cycle for cycle, _ in named], [item for _, item in named])
        return [DroppedItem(**{**row, "direction": DIRECTIONS[row["direction"]]}) for row in rows]

    async def returns(self, payment: PaymentId) -> list[GivenBack]:
        """What of a payment banks have given back."""
        rows = await self._fetch("returns", payment)
        return [GivenBack(**{**row, "direction": DIRECTIONS[row["direction"]]}) for row in rows]

    async def _fetch(self, query: str, *values: object) -> list[asyncpg.Record]:
        with translated():
            rows: list[asyncpg.Record] = await self._pool.fetch(self._queries[query], *values)
        return rows
