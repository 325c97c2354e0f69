"""Reconciliations and what they found: written by the session that compares, read by banks and operators."""

from bisect import bisect_left
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from struct import Struct
from typing import Final

import asyncpg
import msgspec

from engine.core.bank_lines import Direction
from engine.core.calendar import CycleNumber
from engine.core.differences import (
    Cause,
    DifferenceClass,
    DifferenceState,
    Effect,
    Handling,
    ReconciliationState,
)
from engine.core.ids import PREFIXES, BankId, IdKind
from engine.core.loose_ends import Finding, Place
from engine.core.side_by_side import MatchRow
from engine.store.connection import AnyConnection
from engine.store.faults import translated
from engine.store.reconciliation_session import DIRECTIONS
from engine.store.sql import load_queries

MATCHES_A_ROW: Final = 2_000
_PREFIX: Final = PREFIXES[IdKind.PAYMENT]
_RECORD: Final = Struct(">26sHII")


class FileOfDay(msgspec.Struct, frozen=True):
    """A published flat file that tells a bank to take or to give."""

    name: str
    first_cycle: CycleNumber  # it covers all from this one
    cycle: CycleNumber  # to this one, at whose end the bank got it


class Reconciliation(msgspec.Struct, frozen=True, kw_only=True):
    """One statement beside the files that it is about. Units: fen. What is not known before it is compared is None."""

    id: bytes
    upload: bytes
    bank: BankId
    cnaps: str
    business_date: date
    cycle_from: CycleNumber
    cycle_to: CycleNumber
    is_whole_day: bool
    files: tuple[str, ...]
    state: ReconciliationState
    created_at: datetime
    reconciled_at: datetime | None
    form: str
    file_id: str
    sha256: bytes
    line_count: int
    debit_total: int
    credit_total: int
    our_count: int | None
    our_debits: int | None
    our_credits: int | None
    matched_count: int | None
    superseded_by: bytes | None


class DifferenceRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One difference as it stands. Units: fen. A side that is not there is None."""

    reconciliation: bytes
    n: int
    bank: BankId
    kind: DifferenceClass
    effect: Effect
    cause: Cause
    payment_id: str
    leg: str
    our_direction: Direction | None
    our_amount: int | None
    our_date: date | None
    our_file: str | None
    our_seq: int | None
    order_no: str
    direction: Direction | None
    amount: int | None
    booked_on: date | None
    line: int | None
    bank_ref: str
    account: str
    tied_to: Place | None
    is_loose: bool
    state: DifferenceState
    first_seen_at: datetime
    first_seen_on: date
    owner: str
    handling: Handling | None
    resolution: str
    settled_at: datetime | None

    @property
    def place(self) -> Place:
        """Where it is."""
        return self.reconciliation, self.n


class ClassCount(msgspec.Struct, frozen=True):
    """How many differences of one class are in one state."""

    kind: DifferenceClass
    state: DifferenceState
    count: int


class MatchedLine(msgspec.Struct, frozen=True, kw_only=True):
    """One of a payment's lines that a bank's statement agrees with."""

    reconciliation: bytes
    bank: BankId
    business_date: date
    file: str
    seq: int
    line: int


class Reconciliations:
    """The store of reconciliations. Every method raises `Fault` when the database cannot answer."""

    def __init__(self, connection: "AnyConnection | asyncpg.Pool") -> None:
        """Through one connection, or a pool of them."""
        self._connection = connection
        self._queries = load_queries("reconciliation")

    async def files_of_day(self, bank: BankId, cycle_from: CycleNumber, cycle_to: CycleNumber) -> list[FileOfDay]:
        """The newest version of each published flat COLLECT and CREDIT file, by cycle and kind."""
        rows = await self._fetch("files_of_day", bank, cycle_from, cycle_to)
        return [FileOfDay(row["name"], CycleNumber(row["first_cycle"]), CycleNumber(row["cycle"])) for row in rows]

    async def load_file_parts(self, name: str, *, first_part: int, count: int) -> list[bytes]:
        """Some parts of a clearing file; none after the last one."""
        return [row["bytes"] for row in await self._fetch("file_chunks", name, first_part, first_part + count)]

    async def load(self, reconciliation: bytes) -> Reconciliation | None:
        """One reconciliation."""
        rows = await self._fetch("reconciliation", reconciliation)
        return _reconciliation_of(rows[0]) if rows else None

    async def of_upload(self, upload: bytes) -> bytes | None:
        """The reconciliation that an upload has made."""
        rows = await self._fetch("reconciliation_of_upload", upload)
        return rows[0]["id"] if rows else None

    async def pending(self, *, since: timedelta) -> list[bytes]:
        """Those that are accepted and not compared yet, oldest first, as far as their uploads began so long ago."""
        return [row["id"] for row in await self._fetch("pending", since)]

    async def page(
        self,
        *,
        bank: BankId | None,
        business_date: date | None,
        state: ReconciliationState | None,
        before: bytes | None,
        count: int,
    ) -> list[Reconciliation]:
        """Reconciliations, newest first; what is None is not looked at."""
        rows = await self._fetch("reconciliations", bank, business_date, state, before, count)
        return [_reconciliation_of(row) for row in rows]

    async def counts(self, reconciliations: Sequence[bytes]) -> dict[bytes, list[ClassCount]]:
        """How many differences each of these has, by class and state."""
        found: dict[bytes, list[ClassCount]] = {reconciliation: [] for reconciliation in reconciliations}
        for row in await self._fetch("counts", reconciliations):
            count = ClassCount(DifferenceClass(row["kind"]), DifferenceState(row["state"]), row["count"])
            found[row["reconciliation"]].append(count)
        return found

    async def differences(
        self,
        reconciliation: bytes,
        *,
        after: int = 0,
        kind: DifferenceClass | None = None,
        state: DifferenceState | None = None,
        count: int,
    ) -> list[DifferenceRecord]:
        """Differences by number, from the one after *after*; what is None is not looked at."""
        rows = await self._fetch("differences", reconciliation, after, kind, state, count)
        return [_difference_of(row) for row in rows]

    async def differences_of_payment(self, payment_id: str) -> list[DifferenceRecord]:
        """What standing statements say of a payment that does not agree, or agrees by another date."""
        return [_difference_of(row) for row in await self._fetch("differences_of_payment", payment_id)]

    async def matches_of_payment(self, payment_id: str, *, dates: Sequence[date]) -> list[MatchedLine]:
        """The lines of standing statements of those business dates that agree with a payment's items."""
        rows = await self._fetch("matches_of_payment", dates, _key_of(payment_id))
        return [matched for row in rows for matched in _matched_of(row, _key_of(payment_id))]

    async def alike(self, bank: BankId, accounts: Sequence[str], *, count: int) -> list[DifferenceRecord]:
        """A bank's open loose ends of these accounts, the newest statement's first."""
        return [_difference_of(row) for row in await self._fetch("alike", bank, accounts, count)]

    async def assign(self, place: Place, *, owner: str) -> bool:
        """The difference is *owner*'s to settle. False if there is none that is not settled."""
        return bool(await self._fetch("assign_difference", *place, owner))

    async def settle(
        self,
        place: Place,
        *,
        from_states: Sequence[DifferenceState],
        state: DifferenceState,
        handling: Handling,
        resolution: str,
        at: datetime,
    ) -> bool:
        """The difference is in *state*, by what *resolution* names. False if it was in none of *from_states*: whoever
        settles it at the same time, one of them does.
        """
        settled_at = at if state is not DifferenceState.SUSPENDED else None
        found = await self._fetch("settle_difference", *place, from_states, state, handling, resolution, settled_at)
        return bool(found)

    async def _fetch(self, query: str, *values: object) -> list[asyncpg.Record]:
        with translated():
            rows: list[asyncpg.Record] = await self._connection.fetch(self._queries[query], *values)
        return rows


def pack_matches(matches: Sequence[MatchRow]) -> tuple[bytes, bytes]:
    """The first payment, as in a record, and the records of some matches that are in order of their payments."""
    records = b"".join([_RECORD.pack(_key_of(payment), file, seq, line) for payment, file, seq, line in matches])
    return records[: len(_key_of(matches[0][0]))], records


def _key_of(payment_id: str) -> bytes:
    return payment_id.removeprefix(_PREFIX).encode()


def _matched_of(row: asyncpg.Record, key: bytes) -> list[MatchedLine]:
    """A payment's matches among the records of one row."""
    records: bytes = row["records"]
    keys = _Keys(records)
    found = []
    n = bisect_left(keys, key)
    while n < len(keys) and keys[n] == key:
        _, file, seq, line = _RECORD.unpack_from(records, n * _RECORD.size)
        found.append(
            MatchedLine(
                reconciliation=row["id"],
                bank=BankId(row["bank"]),
                business_date=row["business_date"],
                file=row["files"][file],
                seq=seq,
                line=line,
            )
        )
        n += 1
    return found


class _Keys(Sequence[bytes]):
    """The payments of packed records, read where they are."""

    def __init__(self, records: bytes) -> None:
        self._records = records

    def __len__(self) -> int:
        return len(self._records) // _RECORD.size

    def __getitem__(self, n: int) -> bytes:  # type: ignore[override]  # nobody slices it
        return self._records[n * _RECORD.size : n * _RECORD.size + 26]


def _reconciliation_of(row: asyncpg.Record) -> Reconciliation:
    return Reconciliation(
        **{
            **row,
            "cnaps": f"{row['cnaps']:012d}",
            "files": tuple(row["files"]),
            "state": ReconciliationState(row["state"]),
        }
    )


def _difference_of(row: asyncpg.Record) -> DifferenceRecord:
    finding = Finding(DifferenceClass(row["kind"]), Effect(row["effect"]), Cause(row["cause"]))
    return DifferenceRecord(
        reconciliation=row["reconciliation"],
        n=row["n"],
        bank=BankId(row["bank"]),
        kind=finding.kind,
        effect=finding.effect,
        cause=finding.cause,
        payment_id=row["payment_id"],
        leg=row["leg"],
        our_direction=DIRECTIONS.get(row["our_direction"]),
        our_amount=row["our_amount"],
        our_date=row["our_date"],
        our_file=row["our_file"],
        our_seq=row["our_seq"],
        order_no=row["order_no"],
        direction=DIRECTIONS.get(row["direction"]),
        amount=row["amount"],
        booked_on=row["booked_on"],
        line=row["line"],
        bank_ref=row["bank_ref"],
        account=row["account"],
        tied_to=(row["tied_to"], row["tied_n"]) if row["tied_to"] is not None else None,
        is_loose=row["is_loose"],
        state=DifferenceState(row["state"]),
        first_seen_at=row["first_seen_at"],
        first_seen_on=row["first_seen_on"],
        owner=row["owner"],
        handling=Handling(row["handling"]) if row["handling"] is not None else None,
        resolution=row["resolution"],
        settled_at=row["settled_at"],
    )
