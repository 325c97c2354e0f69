"""Cycles to close, and their files as banks see them."""

from collections.abc import Iterable

import asyncpg
import msgspec

from engine.core.calendar import CycleNumber
from engine.core.clearing_lines import ClearingItem, FileKind
from engine.core.deliveries import LineTotals
from engine.core.ids import PaymentId
from engine.flows.close_cycle import close_cycle
from engine.flows.publish_cycle import publish_cycle
from engine.formats import bank_file_formats
from engine.formats.bank_file import FileHeading
from engine.formats.file_names import parse_file_name
from engine.ledger.router import Ledger
from engine.store.clearing_session import open_clearing
from tests.builders import World
from tests.flows.busy_books import KEY, insured


class ReadFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file that was read without a fault."""

    name: str
    heading: FileHeading
    items: tuple[ClearingItem, ...]
    totals: LineTotals


async def close(dsn: str, cycle: CycleNumber | None = None) -> CycleNumber:
    """Close a cycle in a session of its own."""
    async with open_clearing(dsn) as session:
        return await close_cycle(session, signing_key=KEY, cycle=cycle)


async def publish(dsn: str, cycle: CycleNumber) -> tuple[CycleNumber, ...]:
    """Publish up to *cycle* in a session of its own."""
    async with open_clearing(dsn) as session:
        return await publish_cycle(session, cycle=cycle, signing_key=KEY)


async def pay_and_refund(ledger: Ledger, world: World) -> list[PaymentId]:
    """Two payments, each from a fund, a personal account and a bank card; some of the second is given back."""
    payments = []
    for card in range(2):
        await ledger.submit(world.open_account(card=card, amount=1_000))
        outcome = await ledger.submit(insured(world.authorize(card=card, merchant=card, amount=1_500)))
        assert outcome.answer.payment is not None
        payments.append(outcome.answer.payment.id)
    refunded = await ledger.submit(world.refund(payments[1], amount=350, merchant=1))
    assert refunded.answer.refund is not None
    return payments


async def stored_bytes(sql: asyncpg.Connection, cycle: CycleNumber) -> dict[str, bytes]:
    """The bytes of every file of a cycle, by name."""
    rows = await sql.fetch(
        "SELECT c.name, string_agg(c.bytes, ''::bytea ORDER BY c.part) AS content "
        "FROM clearing_file f JOIN clearing_chunk c ON c.name = f.name WHERE f.cycle = $1 GROUP BY c.name",
        cycle,
    )
    return {row["name"]: row["content"] for row in rows}


async def read_files(sql: asyncpg.Connection, cycle: CycleNumber) -> list[ReadFile]:
    """Every flat file of a cycle; each must be without a fault."""
    return [
        read_file(name, content)
        for name, content in sorted((await stored_bytes(sql, cycle)).items())
        if name.endswith(".txt")
    ]


async def read_all_files(sql: asyncpg.Connection, cycle: CycleNumber) -> list[ReadFile]:
    """Every file of a cycle in every form; each must be without a fault."""
    return [read_file(name, content) for name, content in sorted((await stored_bytes(sql, cycle)).items())]


def read_file(name: str, content: bytes) -> ReadFile:
    """Read one file that must be without a fault."""
    heading, *items, totals = bank_file_formats()[parse_file_name(name).form].decode([content])
    assert isinstance(heading, FileHeading)
    assert isinstance(totals, LineTotals)
    lines = tuple(item for item in items if isinstance(item, ClearingItem))
    assert len(lines) == len(items), f"{name}: {items}"
    return ReadFile(name=name, heading=heading, items=lines, totals=totals)


def of_kind(files: Iterable[ReadFile], kind: FileKind) -> list[ReadFile]:
    """The files of one kind."""
    return [file for file in files if file.heading.kind is kind]


def all_items(files: Iterable[ReadFile], kind: FileKind) -> list[ClearingItem]:
    """Every line of the files of one kind, in an order that does not depend on the bank."""
    return sorted(
        (item for file in of_kind(files, kind) for item in file.items), key=lambda item: msgspec.json.encode(item)
    )
