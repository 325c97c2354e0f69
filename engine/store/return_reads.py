"""What is known of all banks' returns, and of what banks have said of their files."""

from collections.abc import Sequence
from typing import Final

import asyncpg
import msgspec

from engine.core.accounts import AccountId, AccountKind
from engine.core.bank_lines import Direction
from engine.core.calendar import CycleNumber
from engine.core.clearing_lines import FileKind
from engine.core.commands import Operation
from engine.core.ids import BankId, CallerId
from engine.core.returns import PRESENTATIONS_MAX
from engine.store.connection import AnyConnection
from engine.store.faults import translated
from engine.store.returns import item_name
from engine.store.settlement import DIRECTIONS, NUMBERS
from engine.store.sql import load_queries

_QUERIES: Final = load_queries("returns")


class DueAgain(msgspec.Struct, frozen=True, kw_only=True):
    """An item that is to be presented again."""

    item: str
    direction: Direction
    payment: bytes
    amount: int
    account: AccountId
    stand_in: AccountId
    present_count: int


class NamedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A bank's published file, as far as an acknowledgement needs it. Units: fen."""

    name: str
    kind: FileKind
    first_cycle: CycleNumber
    cycle: CycleNumber
    item_count: int
    total: int
    flat_name: str | None  # of the file with the same lines in the flat form


class Returns:
    """What is known of all banks' returns. Every method raises `Fault` when the database cannot answer."""

    def __init__(self, pool: "asyncpg.Pool | AnyConnection") -> None:
        """Through *pool*; a connection is held for one query at a time."""
        self._pool = pool

    async def open_batches(self) -> list[tuple[bytes, BankId]]:
        """What has still to be posted, oldest first, with its bank."""
        with translated():
            return [(row["id"], BankId(row["bank"])) for row in await self._pool.fetch(_QUERIES["open_batches"])]

    async def due_again(self, after: tuple[str, Direction | None], *, count: int) -> list[DueAgain]:
        """Items that are to be presented again, after one, in order."""
        item, direction = after
        with translated():
            rows = await self._pool.fetch(
                _QUERIES["due_again"],
                item,
                NUMBERS[direction] if direction is not None else 0,
                PRESENTATIONS_MAX,
                AccountKind.CARD_RECEIVABLE,
                count,
            )
        return [due_of(row) for row in rows]

    async def note_presented(self, due: DueAgain, *, key: str, caller: CallerId) -> None:
        """An item is with its bank again, as the item that the booking under *key* made."""
        with translated():
            made = await self._pool.fetchrow(_QUERIES["posting_of_key"], caller, Operation.BOOK, key)
            assert made is not None, "what is booked has its posting"
            await self._pool.execute(
                _QUERIES["note_presented"],
                due.item,
                NUMBERS[due.direction],
                due.present_count + 1,
                item_name(made),
                made["cycle"],
            )

    async def note_collected(self) -> None:
        """What was presented again and is settled counts as collected."""
        with translated():
            await self._pool.execute(_QUERIES["note_collected"])

    async def returned_payments(self, payments: Sequence[bytes]) -> set[bytes]:
        """Those of some payments of which something is given back and not collected."""
        with translated():
            return {row["payment"] for row in await self._pool.fetch(_QUERIES["returned_payments"], payments)}

    async def file_of_digest(self, bank: BankId, sha256: bytes) -> str | None:
        """The bank's published file that has these bytes."""
        with translated():
            name: str | None = await self._pool.fetchval(_QUERIES["file_of_digest"], bank, sha256)
        return name

    async def file(self, bank: BankId, name: str) -> NamedFile | None:
        """A bank's published file."""
        with translated():
            row = await self._pool.fetchrow(_QUERIES["file_to_acknowledge"], bank, name)
        if row is None:
            return None
        return NamedFile(
            name=row["name"],
            kind=FileKind(row["kind"]),
            first_cycle=CycleNumber(row["first_cycle"]),
            cycle=CycleNumber(row["cycle"]),
            item_count=row["item_count"],
            total=row["debit_total"] + row["credit_total"],
            flat_name=row["flat_name"],
        )

    async def acknowledgement(self, file: str) -> tuple[bytes, bytes] | None:
        """The digest of what was said of a file, and the batch of what was not taken."""
        with translated():
            row = await self._pool.fetchrow(_QUERIES["acknowledgement_of"], file)
        return (row["content"], row["batch"]) if row is not None else None

    async def returned_lines(self, file: str) -> list[tuple[str, Direction, int | None]]:
        """The items of a flat file that its bank has given back, each with its place if that is known."""
        with translated():
            rows = await self._pool.fetch(_QUERIES["returned_lines"], file)
        return [(row["item"], DIRECTIONS[row["direction"]], row["seq"]) for row in rows]


def due_of(row: asyncpg.Record) -> DueAgain:
    """The item of a row that is, or was, to be presented again."""
    return DueAgain(**{**row, "direction": DIRECTIONS[row["direction"]]})
