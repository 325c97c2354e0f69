"""An upload counts whole or not at all, once, and every fault of it is named by line and field."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from engine.core.bank_lines import Direction, UploadKind
from engine.core.refusals import Refusal
from engine.flows import receive_upload as receiving
from engine.flows.clock import IdSource
from engine.flows.receive_upload import Receipt, Rejected, UploadSource, UploadTooLarge, receive_upload
from engine.store.faults import Fault
from engine.store.reads import Reads
from tests.builders import World, a_world
from tests.flows.statement_books import (
    OTHER,
    Desk,
    Line,
    a_payment,
    an_item,
    changed,
    chunks_of,
    days,
    give_files,
    line_of,
    open_desk,
    statement,
)

TABLES = ("upload", "upload_chunk", "reconciliation", "difference", "reconciliation_match")
ITEMS = [an_item(n) for n in range(4)]
LINES = [line_of(item) for item in ITEMS]


@pytest.fixture
async def desk(dsn: str) -> AsyncIterator[Desk]:
    """A desk on this test's database."""
    async with open_desk(dsn) as opened:
        yield opened


@pytest.fixture
async def world(sql: asyncpg.Connection) -> World:
    """Some banks, of which the first has files."""
    world = await a_world(sql)
    await give_files(sql, world.banks[0], ITEMS)
    return world


async def rows(sql: asyncpg.Connection) -> dict[str, int]:
    """How much is stored."""
    return {table: await sql.fetchval(f"SELECT count(*) FROM {table}") for table in TABLES}  # noqa: S608  names from above


NOTHING = dict.fromkeys(TABLES, 0)


def refused(outcome: Receipt | Rejected) -> tuple[Refusal, list[str]]:
    """Why, and where the faults are."""
    assert isinstance(outcome, Rejected)
    return outcome.refusal, [fault.pointer for fault in outcome.faults]


async def test_the_same_bytes_are_answered_with_the_same_receipt(
    desk: Desk, sql: asyncpg.Connection, world: World
) -> None:
    content = statement([LINES[0]])
    first = await desk.receive(world.banks[0], content)
    before = await rows(sql)
    again = await desk.receive(world.banks[0], content, chunk_bytes=7)
    assert isinstance(first, Receipt)
    assert isinstance(again, Receipt)
    assert (first.is_replay, again.is_replay, again.upload) == (False, True, first.upload)
    assert await rows(sql) == before
    assert before["upload"] == before["reconciliation"] == 1


async def test_other_bytes_under_the_same_file_id_are_refused(
    desk: Desk, sql: asyncpg.Connection, world: World
) -> None:
    await desk.receive(world.banks[0], statement(LINES))
    before = await rows(sql)
    outcome = await desk.receive(world.banks[0], statement(LINES[:1]))
    assert refused(outcome) == (Refusal.FILE_DUPLICATE, ["/heading/file_id"])
    assert await rows(sql) == before


async def test_two_banks_may_use_the_same_file_id(desk: Desk, sql: asyncpg.Connection, world: World) -> None:
    await desk.receive(world.banks[0], statement(LINES))
    assert refused(await desk.receive(world.banks[1], statement(LINES, sender=OTHER)))[0] is not Refusal.FILE_DUPLICATE


@pytest.mark.parametrize("is_same", [True, False])
async def test_of_uploads_of_one_file_id_at_once_one_counts(
    desk: Desk, sql: asyncpg.Connection, world: World, is_same: bool
) -> None:
    contents = [statement(LINES[: 1 if is_same else n]) for n in range(1, 5)]
    outcomes = await asyncio.gather(*(desk.receive(world.banks[0], content) for content in contents))
    receipts = [outcome for outcome in outcomes if isinstance(outcome, Receipt)]
    assert sum(not receipt.is_replay for receipt in receipts) == 1
    assert len({receipt.upload.id for receipt in receipts}) == 1
    assert len(receipts) == (4 if is_same else 1)
    assert {refused(outcome)[0] for outcome in outcomes if isinstance(outcome, Rejected)} == (
        set() if is_same else {Refusal.FILE_DUPLICATE}
    )
    stored = await rows(sql)
    assert (stored["upload"], stored["reconciliation"]) == (1, 1)


async def test_an_idempotency_key_is_good_for_one_file(desk: Desk, sql: asyncpg.Connection, world: World) -> None:
    bank = world.banks[0]
    first = await desk.receive(bank, statement(LINES), key="k")
    again = await desk.receive(bank, statement(LINES), key="k")
    other_key = await desk.receive(bank, statement(LINES), key="l")
    assert isinstance(first, Receipt)
    assert all(isinstance(one, Receipt) and one.is_replay for one in (again, other_key))
    outcome = await desk.receive(bank, statement(LINES, file_id="ST-2"), key="k")
    assert refused(outcome) == (Refusal.IDEMPOTENCY_KEY_REUSED, ["/body"])


async def test_a_file_that_is_cut_at_any_byte_has_no_effect(desk: Desk, sql: asyncpg.Connection, world: World) -> None:
    content = statement(LINES[:2])
    for length in range(len(content)):
        outcome = await desk.receive(world.banks[0], content[:length])
        assert refused(outcome)[0] in {Refusal.FILE_MALFORMED, Refusal.CONTROL_TOTAL_MISMATCH}, length
    assert await rows(sql) == NOTHING
    assert isinstance(await desk.receive(world.banks[0], content), Receipt)


def replaced(content: bytes, old: bytes, new: bytes) -> bytes:
    """The content with one place changed."""
    assert content.count(old) == 1
    return content.replace(old, new)


GOOD = statement(
    [Line("REF-1", a_payment(1), Direction.DEBIT, 101, days(0)), Line("REF-2", "", Direction.CREDIT, 7, days(0))]
)
TOTALS = b"T|2|101|7|"


@pytest.mark.parametrize(
    ("content", "refusal", "pointers"),
    [
        (replaced(GOOD, TOTALS, b"T|3|101|7|"), Refusal.CONTROL_TOTAL_MISMATCH, ["/lines/4/count"]),
        (replaced(GOOD, TOTALS, b"T|2|102|7|"), Refusal.CONTROL_TOTAL_MISMATCH, ["/lines/4/debit_total"]),
        (replaced(GOOD, TOTALS, b"T|2|101|8|"), Refusal.CONTROL_TOTAL_MISMATCH, ["/lines/4/credit_total"]),
        (
            replaced(GOOD, b"|101|20261119", b"|102|20261119"),
            Refusal.CONTROL_TOTAL_MISMATCH,
            ["/lines/4/debit_total", "/lines/4/hash_total", "/lines/4/sha256"],
        ),
        (replaced(GOOD, b"REF-1", b"REF-9"), Refusal.FILE_MALFORMED, ["/lines/4/sha256"]),
        (
            replaced(replaced(GOOD, b"|101|20261119", b"|1x1|20261119"), b"REF-2", b""),
            Refusal.FILE_MALFORMED,
            ["/lines/2/amount", "/lines/3/bank_ref", "/lines/4/sha256"],
        ),
        (replaced(GOOD, b"|156|", b"|840|"), Refusal.FILE_MALFORMED, ["/lines/1/currency"]),
        (replaced(GOOD, b"D|2|", b"D|1|"), Refusal.FILE_MALFORMED, ["/lines/3/seq", "/lines/4/sha256"]),
        (b"", Refusal.FILE_MALFORMED, ["/lines/1/record"]),
        (b"%PDF-1.7", Refusal.FILE_MALFORMED, ["/lines/1/record"]),
        (statement([], sender=OTHER), Refusal.FILE_MALFORMED, ["/heading/sender"]),
        (replaced(GOOD, b"|STATEMENT|", b"|ACK|"), Refusal.FILE_MALFORMED, None),
        (statement([], business_date=days(-400)), Refusal.FILE_MALFORMED, ["/heading/business_date"]),
        (statement([], cycle=9), Refusal.FILE_MALFORMED, ["/heading/cycle"]),
    ],
)
async def test_every_fault_is_named_by_line_and_field(
    desk: Desk,
    sql: asyncpg.Connection,
    world: World,
    content: bytes,
    refusal: Refusal,
    pointers: list[str] | None,
) -> None:
    found, where = refused(await desk.receive(world.banks[0], content))
    assert found is refusal
    assert pointers is None or where == pointers
    assert await rows(sql) == NOTHING


async def test_files_that_are_not_out_yet_can_be_waited_for(desk: Desk, sql: asyncpg.Connection, world: World) -> None:
    today = (await Reads(desk.pool).business_now()).control.business_date
    outcome = await desk.receive(world.banks[0], statement([], business_date=today))
    assert refused(outcome) == (Refusal.CLEARING_FILE_NOT_READY, [])


async def test_a_payment_with_too_many_lines_is_no_statement(
    desk: Desk, sql: asyncpg.Connection, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.flows.reconcile_statement.LINES_PER_PAYMENT_MAX", 3)
    lines = [changed(LINES[0], ref=f"R-{n}") for n in range(4)]
    outcome = await desk.receive(world.banks[0], statement(lines))
    assert refused(outcome) == (Refusal.FILE_MALFORMED, ["/lines/5/payment_id"])
    assert await rows(sql) == NOTHING


async def test_a_kind_that_is_not_taken_here_is_refused(desk: Desk, sql: asyncpg.Connection, world: World) -> None:
    outcome = await receive_upload(
        desk.pool,
        chunks_of(statement(LINES), 100),
        UploadSource(bank=world.banks[0], kind=UploadKind.RETURN),
        handlers={UploadKind.STATEMENT: desk.statements},
        ids=IdSource(),
    )
    assert refused(outcome) == (Refusal.FILE_MALFORMED, ["/heading/kind"])
    assert await rows(sql) == NOTHING


async def test_what_is_too_large_leaves_nothing(
    desk: Desk, sql: asyncpg.Connection, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiving, "UPLOAD_BYTES_MAX", 100)
    with pytest.raises(UploadTooLarge):
        await desk.receive(world.banks[0], statement(LINES))
    assert await rows(sql) == NOTHING


async def test_a_sender_that_goes_away_leaves_nothing(desk: Desk, sql: asyncpg.Connection, world: World) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield statement(LINES)[:-10]
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await receive_upload(
            desk.pool,
            broken(),
            UploadSource(bank=world.banks[0]),
            handlers={UploadKind.STATEMENT: desk.statements},
            ids=IdSource(),
        )
    assert await rows(sql) == NOTHING


async def test_what_a_crash_has_left_is_taken_away_later(desk: Desk, sql: asyncpg.Connection, world: World) -> None:
    for name, hours in (("old", 3), ("young", 1)):
        await sql.execute(
            "INSERT INTO upload (id, bank, started_at)"
            " VALUES (md5($1)::uuid, $2, now() - $3::integer * interval '1 hour')",
            *(name, world.banks[0], hours),
        )
        await sql.execute("INSERT INTO upload_chunk VALUES (md5($1)::uuid, 0, 'x')", name)
    await desk.receive(world.banks[0], statement(LINES))
    assert (await rows(sql))["upload"] == 2
    assert await sql.fetchval("SELECT count(*) FROM upload_chunk WHERE upload = md5('old')::uuid") == 0


async def test_a_statement_that_was_accepted_and_not_compared_is_compared_when_it_comes_again(
    desk: Desk, sql: asyncpg.Connection, world: World
) -> None:
    await sql.execute("ALTER TABLE difference ADD CONSTRAINT none CHECK (n < 0)")
    with pytest.raises(Fault):
        await desk.receive(world.banks[0], statement(LINES[:2]))
    assert await sql.fetchval("SELECT state FROM reconciliation") == 1
    await sql.execute("ALTER TABLE difference DROP CONSTRAINT none")
    outcome = await desk.receive(world.banks[0], statement(LINES[:2]))
    assert isinstance(outcome, Receipt)
    assert outcome.is_replay
    found = await desk.reads.of_upload(outcome.upload.id)
    assert found is not None
    assert (await desk.found(found))[0] == 2
    assert len(await desk.differences(found)) == 2
