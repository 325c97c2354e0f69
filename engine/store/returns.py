"""What banks give back: which of their items there are, what they have given back, and what became of it."""

import asyncio
import zlib
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Final

import asyncpg
import msgspec

from engine.core.accounts import AccountId
from engine.core.bank_lines import Direction
from engine.core.calendar import CycleNumber
from engine.core.clearing import CLEARED_KINDS, CLEARED_PHASE, AccountNotRouted, bank_of, has_own_bank, route_account
from engine.core.clearing_lines import FILE_DIRECTIONS, FileKind
from engine.core.ids import BankId, CardId
from engine.core.postings import PostingKind
from engine.core.returns import CoveredCycles, Item, ReturnedClaim, ReturnState
from engine.store.connection import READ_SETTINGS, AnyConnection, connect
from engine.store.faults import Fault, translated
from engine.store.settlement import DIRECTIONS, NUMBERS
from engine.store.sql import load_queries

LOCK_POLL_S: Final = 0.05
SESSION_SETTINGS: Final = {**READ_SETTINGS, "plan_cache_mode": "force_custom_plan", "enable_seqscan": "off"}

_LOCKS: Final = 7_209 << 32  # one for each bank, of the advisory locks
_QUERIES: Final = load_queries("returns")
_COLUMNS: Final = (
    *("batch", "n", "line", "bank", "item", "direction", "payment", "cycle", "leg", "amount", "account", "stand_in"),
    *("file", "seq", "reason", "return_ref"),
)


class ReturnsBusy(Fault):
    """Something else of the same bank's is being taken for too long."""


class ReturnRow(msgspec.Struct, frozen=True, kw_only=True):
    """An item that a bank has given back, and what was decided about it: None before. Units: fen."""

    batch: bytes
    n: int
    line: int
    bank: BankId
    item: str
    direction: Direction
    payment: bytes
    cycle: CycleNumber
    leg: str
    amount: int
    account: AccountId
    stand_in: AccountId
    file: str | None
    seq: int | None
    reason: str
    return_ref: str
    original: str | None = None
    kind: PostingKind | None = None
    place: int | None = None


class BatchRow(msgspec.Struct, frozen=True, kw_only=True):
    """What a bank has given back at once."""

    id: bytes
    bank: BankId
    rejected_file: str | None  # every item of which is given back; None: the items are named
    accepted_at: datetime
    reason: str = ""  # for all of it; empty: each item has its own
    done_at: datetime | None = None


class ReturnsSession:
    """One bank's returns on one connection. Every method raises `Fault` when the database cannot do it."""

    def __init__(self, connection: asyncpg.Connection, bank: BankId) -> None:
        """Use `open_returns`."""
        self.connection = connection
        self.bank = bank

    async def lock(self, *, wait_s: float) -> None:
        """Become the only one that takes or posts returns of this bank, until the session ends.

        Raises:
            ReturnsBusy: another one is at work after *wait_s*.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + wait_s
        while True:
            with translated():
                if await self.connection.fetchval(_QUERIES["try_lock"], _LOCKS + zlib.crc32(self.bank)):
                    return
            if loop.time() >= until:
                raise ReturnsBusy("something else of the bank's is being taken")
            await asyncio.sleep(LOCK_POLL_S)

    async def items(self, about: Sequence[bytes]) -> dict[bytes, list[tuple[Item, str | None]]]:
        """The bank's items about each payment or other thing, in the order of files, each with its flat file."""
        with translated():
            rows = await self.connection.fetch(
                _QUERIES["items_of_payments"], about, CLEARED_PHASE, CLEARED_KINDS, self.bank
            )
        returned = await self.returned_before(about)
        routes = await self._routes(rows)
        found: dict[bytes, list[tuple[Item, str | None]]] = defaultdict(list)
        for row in rows:
            files = {Direction.DEBIT: row["collect_file"], Direction.CREDIT: row["credit_file"]}
            for direction, file in files.items():
                key = (item_name(row), direction)
                item = item_of(row, direction, is_published=file is not None, is_returned=key in returned)
                if self._is_its(item, routes[row["cycle"]]):
                    found[row["payment"]].append((item, file))
        return dict(found)

    async def returned_before(self, about: Sequence[bytes]) -> set[tuple[str, Direction]]:
        """The items about some payments or other things that were given back."""
        with translated():
            rows = await self.connection.fetch(_QUERIES["returned_of_payments"], about)
        return {(row["item"], DIRECTIONS[row["direction"]]) for row in rows}

    async def files(self, names: Sequence[str]) -> dict[str, CoveredCycles]:
        """What the bank's published files of these names cover."""
        with translated():
            rows = await self.connection.fetch(_QUERIES["files_of_names"], self.bank, names)
        return {
            row["name"]: CoveredCycles(
                FILE_DIRECTIONS.get(FileKind(row["kind"])), CycleNumber(row["first_cycle"]), CycleNumber(row["cycle"])
            )
            for row in rows
        }

    async def batch(self, batch: bytes) -> BatchRow | None:
        """What was given back at once."""
        with translated():
            row = await self.connection.fetchrow(_QUERIES["batch"], batch)
        return BatchRow(**dict(row)) if row is not None else None

    async def unposted(self, batch: bytes, *, count: int) -> list[ReturnRow]:
        """The next items of a batch that are not posted, in order of n."""
        with translated():
            rows = await self.connection.fetch(_QUERIES["unposted"], batch, count)
        return [return_of(row) for row in rows]

    async def mark_posted(self, rows: Iterable[ReturnRow]) -> None:
        """The postings of some items of one batch are in the books."""
        numbers = [(row.batch, row.n) for row in rows]
        with translated():
            await self.connection.execute(_QUERIES["mark_posted"], numbers[0][0], [n for _, n in numbers])

    async def finish_batch(self, batch: bytes, *, at: datetime) -> None:
        """All of a batch is posted."""
        with translated():
            await self.connection.execute(_QUERIES["finish_batch"], batch, at)

    async def insert_rejected(self, rows: Sequence[ReturnRow]) -> None:
        """Keep items of a file that is rejected whole; those that were given back before stay as they are."""
        with translated():
            await self.connection.executemany(_QUERIES["insert_rejected"], [_row_of(row) for row in rows])

    async def _routes(self, rows: Sequence[asyncpg.Record]) -> dict[int, dict[AccountId, BankId]]:
        """The banks that the accounts of some postings cleared through, by cycle; those of open cycles are missing."""
        cycles = sorted({row["cycle"] for row in rows})
        accounts = {
            route_account(AccountId(account))
            for row in rows
            for account in (row["debit"], row["credit"])
            if not has_own_bank(AccountId(account))
        }
        with translated():
            found = await self.connection.fetch(_QUERIES["routes_of_cycles"], cycles, sorted(accounts))
        routes: dict[int, dict[AccountId, BankId]] = {cycle: {} for cycle in cycles}
        for row in found:
            routes[row["cycle"]][AccountId(row["account"])] = BankId(row["bank"])
        return routes

    def _is_its(self, item: Item, routes: dict[AccountId, BankId]) -> bool:
        own = item.debit if item.direction is Direction.DEBIT else item.credit
        with suppress(AccountNotRouted):
            return bank_of(own, routes) == self.bank
        return False


@asynccontextmanager
async def open_returns(dsn: str, bank: BankId) -> AsyncIterator[ReturnsSession]:
    """A session that has no lock yet. What it locked is free again when this ends.

    Raises:
        Fault: the database cannot be reached.
    """
    connection = await connect(dsn, SESSION_SETTINGS, application_name="returns")
    try:
        yield ReturnsSession(connection, bank)
    finally:
        connection.terminate()


async def insert_batch(connection: AnyConnection, batch: BatchRow, rows: Sequence[ReturnRow]) -> None:
    """Keep what a bank gives back at once. Needs a transaction."""
    await connection.execute(
        _QUERIES["insert_batch"], batch.id, batch.bank, batch.rejected_file, batch.reason, batch.accepted_at
    )
    await connection.copy_records_to_table("item_return", records=map(_row_of, rows), columns=_COLUMNS)


async def insert_acknowledgement(
    connection: AnyConnection, file: str, batch: BatchRow, *, status: str, content: bytes, file_status: str
) -> None:
    """Keep what a bank says of a file, and show it in the file's manifest. Needs a transaction."""
    await connection.execute(
        _QUERIES["insert_acknowledgement"],
        file,
        batch.bank,
        batch.id,
        status,
        content,
        batch.accepted_at,
        file_status,
    )


async def decide_return(
    connection: AnyConnection, row: ReturnRow, *, original: str, kind: PostingKind, place: int
) -> None:
    """Keep what a given back item is, and by which kind of posting. Needs a transaction."""
    await connection.execute(_QUERIES["decide_return"], row.batch, row.n, original, kind, place)


async def load_returned(connection: AnyConnection, row: ReturnRow) -> tuple[str, int]:
    """The item that was presented first, and how often it was given back before."""
    found = await connection.fetchrow(_QUERIES["returned_by_current"], row.item, NUMBERS[row.direction])
    return (found["item"], found["return_count"]) if found is not None else (row.item, 0)


async def keep_returned(
    connection: AnyConnection, row: ReturnRow, *, original: str, state: ReturnState, place: int, at: datetime
) -> None:
    """Keep where an item is that was given back. Needs a transaction."""
    await connection.execute(
        _QUERIES["keep_returned"],
        original,
        NUMBERS[row.direction],
        row.bank,
        row.payment,
        row.leg,
        row.amount,
        row.account,
        row.stand_in,
        row.file,
        row.seq,
        row.cycle,
        row.item,
        row.reason,
        state,
        place,
        at,
    )


async def load_stand_in_bank(connection: AnyConnection, cycle: CycleNumber, stand_in: AccountId) -> BankId:
    """The bank that stands in for what drops out of a cycle."""
    return BankId(await connection.fetchval(_QUERIES["stand_in_bank"], cycle, route_account(stand_in)))


async def open_case(
    connection: AnyConnection, *, kind: str, subject: str, bank: BankId, reason: str, at: datetime
) -> None:
    """A person has to take something up with a bank; once for each subject."""
    await connection.execute(_QUERIES["open_case"], kind, subject, bank, reason, at)


async def load_bank_of_file(connection: AnyConnection, name: str) -> BankId:
    """Whose file it is."""
    with translated():
        return BankId(await connection.fetchval(_QUERIES["bank_of_file"], name))


def return_row(
    returned: ReturnedClaim,
    *,
    batch: bytes,
    n: int,
    bank: BankId,
    stand_in: AccountId,
    file: str | None,
    seq: int | None,
) -> ReturnRow:
    """What is kept of an item that *bank* gives back."""
    item, claim = returned.item, returned.claim
    return ReturnRow(
        batch=batch,
        n=n,
        line=claim.line,
        bank=bank,
        item=item.item,
        direction=item.direction,
        payment=item.payment,
        cycle=item.cycle,
        leg=item.leg,
        amount=item.amount,
        account=item.account,
        stand_in=stand_in,
        file=file,
        seq=seq,
        reason=claim.reason,
        return_ref=claim.return_ref,
    )


def item_name(row: asyncpg.Record) -> str:
    """The item that is the posting of a row."""
    return f"{row['lane']}.{row['seq']}.{row['n']}"


def item_of(row: asyncpg.Record, direction: Direction, *, is_published: bool, is_returned: bool) -> Item:
    """One end of the posting of a row that has the payer beside it."""
    return Item(
        item=item_name(row),
        direction=direction,
        payment=row["payment"],
        payer=CardId(row["payer"]),
        cycle=CycleNumber(row["cycle"]),
        kind=PostingKind(row["kind"]),
        debit=AccountId(row["debit"]),
        credit=AccountId(row["credit"]),
        amount=row["amount"],
        is_published=is_published,
        is_returned=is_returned,
    )


def return_of(row: asyncpg.Record) -> ReturnRow:
    """The item that was given back of a row."""
    kind = PostingKind(row["kind"]) if row["kind"] is not None else None
    return ReturnRow(**{**row, "direction": DIRECTIONS[row["direction"]], "kind": kind})


def _row_of(row: ReturnRow) -> tuple[object, ...]:
    return tuple(NUMBERS[row.direction] if name == "direction" else getattr(row, name) for name in _COLUMNS)
