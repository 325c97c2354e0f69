"""Clearing files that a bank was given, its statements about them, and what a comparison of both finds."""

import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta

import asyncpg
import msgspec

from engine.core.bank_lines import Direction, UploadKind
from engine.core.calendar import cycle_number
from engine.core.clearing_lines import ClearingItem, FileKind, ItemType
from engine.core.differences import Cause, DifferenceClass, DifferenceState
from engine.core.ids import BankId, IdKind, id_text
from engine.flows.clock import IdSource
from engine.flows.receive_upload import Receipt, Rejected, UploadSource, receive_upload
from engine.flows.reconcile_statement import ReturnedLines, Statements, none_returned
from engine.formats import bank_file_formats
from engine.formats.bank_file import FileHeading
from engine.store.connection import open_pool
from engine.store.reconciliation import DifferenceRecord, Reconciliation, Reconciliations
from tests.builders import an_id

DAY = date(2026, 11, 19)  # a Thursday before the open business date of any run
OWN, OTHER = "102100000000", "102100000001"
AT = datetime(2026, 11, 19, 15, 0, tzinfo=UTC)
CHUNK_BYTES = 65_536


class Line(msgspec.Struct, frozen=True):
    """One line of a statement."""

    ref: str
    payment_id: str
    direction: Direction
    amount: int
    booked_on: date


def an_item(
    n: int,
    *,
    amount: int = 0,
    direction: Direction = Direction.DEBIT,
    payment_id: str | None = None,
    order_no: str | None = None,
    leg: str = "BANK",
) -> ClearingItem:
    """The *n*-th item between this bank and another, of the payment of that number."""
    is_debit = direction is Direction.DEBIT
    return ClearingItem(
        payment_id=payment_id if payment_id is not None else a_payment(n),
        order_no=order_no if order_no is not None else f"A-{n}",
        merchant_id="mer-1",
        type=ItemType.PAY,
        leg=leg,
        debit_bank=OWN if is_debit else OTHER,
        debit_account=f"card-{n}",
        credit_bank=OTHER if is_debit else OWN,
        credit_account=f"shop-{n}",
        amount=amount or 100 + n,
        occurred_at=AT,
        original_payment_id="",
        remark="",
    )


_payments: dict[int, str] = {}


def a_payment(n: int) -> str:
    """A payment id, the same one for the same number."""
    return _payments.setdefault(n, id_text(an_id(IdKind.PAYMENT)))


def line_of(item: ClearingItem, *, booked_on: date = DAY, ref: str | None = None) -> Line:
    """What a bank says that has booked the item as it should."""
    direction = Direction.DEBIT if item.debit_bank == OWN else Direction.CREDIT
    bank_ref = ref if ref is not None else f"R{item.order_no}{item.leg}"
    return Line(bank_ref, item.payment_id, direction, item.amount, booked_on)


def changed(line: Line, **changes: object) -> Line:
    """The same line with *changes*."""
    return msgspec.structs.replace(line, **changes)


async def give_files(
    sql: asyncpg.Connection,
    bank: BankId,
    items: Sequence[ClearingItem],
    *,
    business_date: date = DAY,
    sequence: int = 1,
    first_sequence: int | None = None,
) -> dict[str, str]:
    """The bank has its published flat files over *items*. Returns their names by kind."""
    cycle = cycle_number(business_date, sequence)
    first_cycle = cycle_number(business_date, first_sequence or sequence)
    names: dict[str, str] = {}
    for kind in (FileKind.COLLECT, FileKind.CREDIT):
        own = [item for item in items if (item.debit_bank if kind is FileKind.COLLECT else item.credit_bank) == OWN]
        file_id = f"{OWN}-{business_date:%Y%m%d}-{sequence:02d}-{kind}-01"
        heading = FileHeading(
            file_id=file_id,
            receiver_bank=OWN,
            business_date=business_date,
            cycle=sequence,
            kind=kind,
            created_at=AT,
        )
        content = b"".join(bank_file_formats()["flat"].encode(heading, own))
        name = names[kind] = f"SSC_{OWN}_{business_date:%Y%m%d}_{sequence:02d}_{kind}_v1.txt"
        parts = [content[at : at + CHUNK_BYTES] for at in range(0, len(content), CHUNK_BYTES)]
        await sql.copy_records_to_table("clearing_chunk", records=[(name, n, part) for n, part in enumerate(parts)])
        total = sum(item.amount for item in own)
        await sql.execute(
            "INSERT INTO clearing_file (name, bank, cycle, first_cycle, kind, form, version, business_date, item_count,"
            " debit_total, credit_total, size, sha256, range_from, range_to, root, key_id, signature, created_at,"
            " published_at) VALUES ($1, $2, $3, $4, $5, 'flat', 1, $6, $7, $8, $9, $10, $11, '', '', '', '', '', $12,"
            " $12)",
            *(name, bank, cycle, first_cycle, kind, business_date, len(own)),
            *(total if kind is FileKind.COLLECT else 0, total if kind is FileKind.CREDIT else 0),
            *(len(content), hashlib.sha256(content).digest(), AT),
        )
    return names


def statement(
    lines: Iterable[Line],
    *,
    business_date: date = DAY,
    cycle: int = 0,
    file_id: str = "ST-1",
    sender: str = OWN,
) -> bytes:
    """A statement in the flat form."""
    lines = list(lines)
    rows = [f"H|1|{file_id}|{sender}|SSC|{business_date:%Y%m%d}|{cycle:02d}|STATEMENT|2026-11-20T02:00:00Z|156|"]
    rows += [
        f"D|{n}|{line.ref}|{line.payment_id}|{line.direction}|{line.amount}|{line.booked_on:%Y%m%d}"
        for n, line in enumerate(lines, 1)
    ]
    body = "".join(f"{row}\n" for row in rows).encode()
    debits = sum(line.amount for line in lines if line.direction is Direction.DEBIT)
    credits_ = sum(line.amount for line in lines if line.direction is Direction.CREDIT)
    hash_total = sum(n * line.amount for n, line in enumerate(lines, 1)) % 10**18
    digest = hashlib.sha256(body).hexdigest()
    return body + f"T|{len(lines)}|{debits}|{credits_}|{hash_total}|{digest}\n".encode()


class Desk:
    """Where uploads come in, and what is found is looked at."""

    def __init__(self, pool: asyncpg.Pool, dsn: str, returned: ReturnedLines) -> None:
        """Use `open_desk`."""
        self.pool = pool
        self.statements = Statements(pool, dsn, IdSource(), returned=returned)
        self.reads = Reconciliations(pool)

    async def receive(
        self, bank: BankId, content: bytes, *, key: str | None = None, chunk_bytes: int = 50_000
    ) -> Receipt | Rejected:
        """What is said of an upload."""
        return await receive_upload(
            self.pool,
            chunks_of(content, chunk_bytes),
            UploadSource(bank=bank, kind=UploadKind.STATEMENT, idempotency_key=key),
            handlers={UploadKind.STATEMENT: self.statements},
            ids=IdSource(),
        )

    async def reconcile(self, bank: BankId, content: bytes) -> bytes:
        """The reconciliation that an upload makes."""
        receipt = await self.receive(bank, content)
        assert isinstance(receipt, Receipt), receipt
        found = await self.reads.of_upload(receipt.upload.id)
        assert found is not None
        return found

    async def load(self, reconciliation: bytes) -> Reconciliation:
        """A reconciliation as it is now."""
        loaded = await self.reads.load(reconciliation)
        assert loaded is not None
        return loaded

    async def differences(self, reconciliation: bytes) -> list[DifferenceRecord]:
        """All its differences as they are now."""
        return await self.reads.differences(reconciliation, count=100_000)

    async def found(
        self, reconciliation: bytes
    ) -> "tuple[int | None, Counter[tuple[DifferenceClass, Cause, DifferenceState]]]":
        """How many matched, and the classes of what differs."""
        loaded = await self.load(reconciliation)
        differences = await self.differences(reconciliation)
        return loaded.matched_count, Counter((d.kind, d.cause, d.state) for d in differences)


@asynccontextmanager
async def open_desk(dsn: str, *, returned: ReturnedLines = none_returned) -> AsyncIterator[Desk]:
    """A desk on a database."""
    pool = await open_pool(dsn, size_max=4)
    try:
        yield Desk(pool, dsn, returned)
    finally:
        await pool.close()


async def chunks_of(content: bytes, size: int) -> AsyncIterator[bytes]:
    """The bytes as they come over a wire."""
    for at in range(0, len(content), size):
        yield content[at : at + size]


def days(count: int) -> date:
    """So many days after `DAY`."""
    return DAY + timedelta(days=count)
