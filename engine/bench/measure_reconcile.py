"""`engine bench reconcile`: P6, a statement of a million lines from its first byte to what differs.

The bank has published files of as many lines, and its statement has them in another order, with a known list of faults
among them: what is found must be exactly those. Time and memory are those of a process that does nothing else.
"""

import hashlib
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

import asyncpg
import msgspec

from engine.bench import statement_side
from engine.bench.children import ChildFailed, running
from engine.bench.cluster import Cluster
from engine.bench.figures import Figure, figure
from engine.bench.statement_side import StatementRun
from engine.bench.world import REGION
from engine.core.bank_lines import Direction
from engine.core.calendar import cycle_number
from engine.core.clearing_lines import ClearingItem, FileKind, ItemType
from engine.core.differences import DifferenceClass
from engine.core.id_texts import id_texts
from engine.core.ids import SHARD_COUNT, BankId, IdKind
from engine.flows.clock import IdSource
from engine.formats import bank_file_formats
from engine.formats.bank_file import FileHeading
from engine.store.clearing_reads import CHUNK_BYTES

TURNS: Final = 3
LIMIT_S: Final = 60.0  # of a million lines
LIMIT_ROWS: Final = 1_000_000
LIMIT_MB: Final = 300.0
ROWS_MIN: Final = 1_000
DAY: Final = date(2026, 11, 19)
AT: Final = datetime(2026, 11, 19, 15, 30, tzinfo=UTC)
OWN, OTHER = "102100009000", "102100009001"
DATABASE: Final = "reconcile"
_MATCHED: Final = DifferenceClass.MATCHED.name


class ReconcileResult(msgspec.Struct, frozen=True):
    """What was measured, and by how much what was found is not what was planted."""

    figures: tuple[Figure, ...]
    failures: Mapping[str, int]


class BankLine(msgspec.Struct):
    """One line of the statement, before it is written."""

    ref: str
    payment_id: str
    direction: Direction
    amount: int
    booked_on: date


async def measure_reconcile(
    cluster: Cluster, folder: Path, *, rows: int, turns: int = TURNS, say: Callable[[str], None]
) -> ReconcileResult:
    """Receive and compare a statement of *rows* lines, in as many processes as *turns*.

    Raises:
        ChildFailed: such a process has failed.
        ProgramFailed: PostgreSQL's own programs cannot do their part.
        Fault: the database cannot.
    """
    assert rows >= ROWS_MIN, "the planted faults need some lines"
    say(f"writing files of {rows:,} lines")
    ids = IdSource()
    await cluster.create_migrated(DATABASE)
    async with cluster.connected(DATABASE) as connection:
        banks = [BankId(ids.new(IdKind.BANK, shard=0, region=REGION)) for _ in (OWN, OTHER)]
        await connection.copy_records_to_table(
            "bank",
            records=[(bank, int(cnaps), cnaps, cnaps, False) for bank, cnaps in zip(banks, (OWN, OTHER), strict=True)],
            columns=["id", "cnaps", "name_zh", "name_en", "is_settlement_bank"],
        )
        payments = id_texts(
            [ids.new(IdKind.PAYMENT, shard=n % SHARD_COUNT, region=REGION) for n in range(rows)], IdKind.PAYMENT
        )
        await _publish(connection, banks[0], payments)
    path = folder / "statement.txt"
    await cluster.checkpoint()
    runs: list[StatementRun] = []
    failures: Counter[str] = Counter()
    for turn in range(1, turns + 1):
        expected = _write_statement(path, payments, file_id=f"BENCH-{turn}")
        run = await _measured(cluster.dsn(DATABASE), path, folder)
        say(f"turn {turn} of {turns}: {run.took_s:.1f} s, {run.peak_mb:.0f} MB")
        runs.append(run)
        found = Counter(run.counts) + Counter({_MATCHED: run.matched})
        failures += (found - expected) + (expected - found)
    return ReconcileResult(_figures(runs, rows), failures)


async def _publish(connection: asyncpg.Connection, bank: BankId, payments: Sequence[str]) -> None:
    """The bank has flat files: what is taken from it, and what is given to it."""
    cycle = cycle_number(DAY, 1)
    for kind in (FileKind.COLLECT, FileKind.CREDIT):
        name = f"SSC_{OWN}_{DAY:%Y%m%d}_01_{kind}_v1.txt"
        heading = FileHeading(
            file_id=f"{OWN}-{DAY:%Y%m%d}-01-{kind}-01",
            receiver_bank=OWN,
            business_date=DAY,
            cycle=1,
            kind=kind,
            created_at=AT,
        )
        items = (_item(n, payment) for n, payment in enumerate(payments) if _kind_of(n) is kind)
        digest, buffer, part, size = hashlib.sha256(), bytearray(), 0, 0
        for piece in bank_file_formats()["flat"].encode(heading, items):
            digest.update(piece)
            buffer += piece
            size += len(piece)
            if len(buffer) >= 32 * CHUNK_BYTES:
                part = await _store(connection, name, buffer, part, is_last=False)
        await _store(connection, name, buffer, part, is_last=True)
        amounts = [_amount_of(n) for n in range(len(payments)) if _kind_of(n) is kind]
        is_debit = kind is FileKind.COLLECT
        manifest = {
            "name": name,
            "bank": bank,
            "cycle": cycle,
            "first_cycle": cycle,
            "kind": kind,
            "form": "flat",
            "version": 1,
            "business_date": DAY,
            "item_count": len(amounts),
            "size": size,
            "debit_total": sum(amounts) if is_debit else 0,
            "credit_total": 0 if is_debit else sum(amounts),
            "sha256": digest.digest(),
            "range_from": "",
            "range_to": "",
            "root": b"",
            "key_id": "",
            "signature": b"",
            "created_at": AT,
            "published_at": AT,
        }
        await connection.copy_records_to_table(
            "clearing_file", records=[tuple(manifest.values())], columns=list(manifest)
        )


async def _store(connection: asyncpg.Connection, name: str, buffer: bytearray, part: int, *, is_last: bool) -> int:
    end = len(buffer) if is_last else len(buffer) // CHUNK_BYTES * CHUNK_BYTES
    chunks = [bytes(buffer[at : min(at + CHUNK_BYTES, end)]) for at in range(0, end, CHUNK_BYTES)]
    rows = [(name, part + n, chunk) for n, chunk in enumerate(chunks)]
    await connection.copy_records_to_table("clearing_chunk", records=rows)
    del buffer[:end]
    return part + len(chunks)


def _kind_of(n: int) -> FileKind:
    return FileKind.COLLECT if n % 5 < 3 else FileKind.CREDIT


def _amount_of(n: int) -> int:
    return 1_000 + n * 7_919 % 100_000


def _item(n: int, payment_id: str) -> ClearingItem:
    is_debit = _kind_of(n) is FileKind.COLLECT
    return ClearingItem(
        payment_id=payment_id,
        order_no=f"B{n:010d}",
        merchant_id="mer_01m86dqvwj000hnrag0000000f",
        type=ItemType.PAY,
        leg="BANK",
        debit_bank=OWN if is_debit else OTHER,
        debit_account=f"card_01m86dqvwj000hnrag{n:08d}",
        credit_bank=OTHER if is_debit else OWN,
        credit_account="mer_01m86dqvwj000hnrag0000000f",
        amount=_amount_of(n),
        occurred_at=AT,
        original_payment_id="",
        remark="",
    )


def _write_statement(path: Path, payments: Sequence[str], *, file_id: str) -> "Counter[str]":
    """The statement is a file, its lines in no order. Returns what has to be found, by class."""
    lines = [_line(n, payment) for n, payment in enumerate(payments)]
    expected = _plant(lines)
    random.Random(len(lines)).shuffle(lines)  # noqa: S311  the same order in each run
    digest, hash_total = hashlib.sha256(), 0
    totals = dict.fromkeys(Direction, 0)
    with path.open("wb") as file:
        for piece in _texts(lines, file_id):
            file.write(piece)
            digest.update(piece)
        for n, line in enumerate(lines, 1):
            hash_total += n * line.amount
            totals[line.direction] += line.amount
        sums = (len(lines), totals[Direction.DEBIT], totals[Direction.CREDIT], hash_total % 10**18, digest.hexdigest())
        file.write(f"T|{'|'.join(map(str, sums))}\n".encode())
    return expected


def _line(n: int, payment_id: str) -> BankLine:
    direction = Direction.DEBIT if _kind_of(n) is FileKind.COLLECT else Direction.CREDIT
    return BankLine(f"R{n:012d}", payment_id, direction, _amount_of(n), DAY)


def _plant(lines: list[BankLine]) -> "Counter[str]":
    """Of each thousand lines, change six, each in its way. Returns what has to be found, by class."""
    count = len(lines)
    thousands = range(0, count - count % 1_000, 1_000)
    for start in thousands:
        lines[start].amount += 1
        lines[start + 100].amount -= 1
        lines[start + 200].booked_on += timedelta(days=1)
        swapped = lines[start + 300]
        swapped.direction = Direction.DEBIT if swapped.direction is Direction.CREDIT else Direction.CREDIT
        lines[start + 400].payment_id = f"nobody-knows-{start}"
        lines.append(msgspec.structs.replace(lines[start + 500]))
    planted = {"AMOUNT_DIFF": 2, "DATE_DIFF": 1, "DIRECTION_DIFF": 1, "LONG": 1, "SHORT": 1, "DUPLICATE": 1}
    expected = Counter({name: number * len(thousands) for name, number in planted.items()})
    expected[_MATCHED] = count - 5 * len(thousands)
    return expected


def _texts(lines: Sequence[BankLine], file_id: str) -> Iterator[bytes]:
    yield f"H|1|{file_id}|{OWN}|SSC|{DAY:%Y%m%d}|01|STATEMENT|2026-11-20T02:00:00Z|156|\n".encode()
    days = {DAY + timedelta(days=n): f"{DAY + timedelta(days=n):%Y%m%d}" for n in range(2)}
    for start in range(0, len(lines), 1_000):
        yield "".join(
            f"D|{n}|{line.ref}|{line.payment_id}|{line.direction}|{line.amount}|{days[line.booked_on]}\n"
            for n, line in enumerate(lines[start : start + 1_000], start + 1)
        ).encode()


async def _measured(dsn: str, path: Path, folder: Path) -> StatementRun:
    log = folder / "reconcile.log"
    arguments = ("--dsn", dsn, "--bank", OWN, "--file", str(path))
    async with running("-m", statement_side.__name__, *arguments, log=log) as process:
        assert process.stdout is not None
        told = await process.stdout.read()
        await process.wait()
    try:
        return msgspec.json.decode(told, type=StatementRun)
    except msgspec.DecodeError as error:
        raise ChildFailed("the comparison told nothing") from error


def _figures(runs: Sequence[StatementRun], rows: int) -> tuple[Figure, ...]:
    limit_s = LIMIT_S * rows / LIMIT_ROWS
    return (
        figure(
            "P6",
            f"reconcile a statement of {rows:,} lines",
            "s",
            [run.took_s for run in runs],
            yardstick="limit",
            yardstick_values=[limit_s],
        ),
        figure(
            "P6.memory",
            f"peak memory of reconciling {rows:,} lines",
            "MB",
            [run.peak_mb for run in runs],
            yardstick="limit",
            yardstick_values=[LIMIT_MB],
        ),
    )
