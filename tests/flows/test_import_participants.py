"""Participants from a file: nothing before all of it is right and approved, everything then, and once."""

import tracemalloc
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from engine.codes.keys import Keyring
from engine.core.approvals import Approval, ApprovalKind, ApprovalMove
from engine.core.ids import IdKind
from engine.core.participants import OperatorRole
from engine.core.refusals import Refusal
from engine.flows.answer_once import NotDone
from engine.flows.approve import Decided, Decision, Executors, decide
from engine.flows.import_participants import (
    CHECKING_LASTS,
    FAULTS_MAX,
    Imported,
    ask_import,
    bring_in,
    drop_unwanted_files,
)
from tests.builders import an_id
from tests.flows.operators import IDS, a_pool, an_operator, at_work

EXAMPLE = (Path(__file__).parents[2] / "schemas" / "participants.csv").read_text()
HEADER, *LINES = EXAMPLE.splitlines()
KEYRING = Keyring(bytes(range(32)))
EXECUTORS = Executors(effects={ApprovalKind.IMPORT_PARTICIPANTS: bring_in})
TABLES = ("bank", "merchant", "agency", "terminal", "participant", "caller_key", "key_record")
BANK = "103100099997"


@pytest.fixture
async def pool(dsn: str) -> AsyncIterator[asyncpg.Pool]:
    """Connections to this test's database, in which two operators work."""
    async with a_pool(dsn) as opened:
        yield opened


@pytest.fixture
async def operators(pool: asyncpg.Pool) -> tuple[bytes, bytes]:
    """Who asks, and who decides."""
    return await an_operator(pool, "a"), await an_operator(pool, "b", role=OperatorRole.REVIEW)


async def ask(pool: asyncpg.Pool, operator: bytes, *lines: str) -> Imported:
    """Give a file of these lines."""
    content = "\n".join((HEADER, *lines)).encode() + b"\n"
    chunks = (content[start : start + 1_000] for start in range(0, len(content), 1_000))
    imported = await ask_import(pool, KEYRING, IDS, operator, chunks, reason="roll-out")
    assert isinstance(imported, Imported), imported
    return imported


async def decided(pool: asyncpg.Pool, operator: bytes, imported: Imported, move: ApprovalMove) -> Decided | NotDone:
    """What a second operator decides on a file."""
    assert isinstance(imported.approval, Approval)
    async with at_work(pool, operator) as asked:
        return await decide(asked, Decision(approval=imported.approval.id, move=move, note=None), EXECUTORS)


async def counts(pool: asyncpg.Pool) -> dict[str, int]:
    """How many take part."""
    return {table: await pool.fetchval(f"SELECT count(*) FROM {table}") for table in TABLES}  # noqa: S608  # names from above


async def staged(pool: asyncpg.Pool) -> tuple[int, int]:
    """Files and lines that wait."""
    return (
        await pool.fetchval("SELECT count(*) FROM import_file"),
        await pool.fetchval("SELECT count(*) FROM import_line"),
    )


def faults(imported: Imported) -> list[tuple[int, str]]:
    """Line and field of everything that is wrong with a file."""
    assert imported.approval is None
    return [(fault.line, fault.field) for fault in imported.faults]


async def test_file_is_brought_in_when_it_is_approved(pool: asyncpg.Pool, operators: tuple[bytes, bytes]) -> None:
    imported = await ask(pool, operators[0], *LINES)
    assert imported.counts is not None
    assert imported.counts.fresh == {"bank": 1, "merchant": 2, "agency": 1, "terminal": 1}
    assert set((await counts(pool)).values()) == {0}
    assert isinstance(await decided(pool, operators[1], imported, ApprovalMove.APPROVE), Decided)
    assert await counts(pool) == {
        "bank": 1,
        "merchant": 2,
        "agency": 1,
        "terminal": 5,
        "participant": 4,
        "caller_key": 1,
        "key_record": 1,
    }
    merchant = await pool.fetchrow("SELECT bank, scenarios, region FROM every_participant WHERE code = 'H11010100007'")
    assert merchant is not None
    assert tuple(merchant) == (int(BANK), [1, 2], 110101)
    assert await staged(pool) == (0, 0)


async def test_file_again_asks_for_nothing_and_a_longer_one_for_the_rest(
    pool: asyncpg.Pool, operators: tuple[bytes, bytes]
) -> None:
    await decided(pool, operators[1], await ask(pool, operators[0], *LINES), ApprovalMove.APPROVE)
    before = await counts(pool)
    again = await ask(pool, operators[0], *LINES)
    assert (again.approval, again.counts and again.counts.unchanged) == (None, len(LINES))
    more = await ask(pool, operators[0], *LINES, f"agency,new,新,New,110100,{BANK},,,,exam_fee,")
    assert more.counts is not None
    assert (more.counts.fresh, more.counts.unchanged) == ({"agency": 1}, len(LINES))
    await decided(pool, operators[1], more, ApprovalMove.APPROVE)
    assert await counts(pool) == before | {"agency": 2, "participant": 5}


async def test_file_that_was_given_twice_is_brought_in_once(pool: asyncpg.Pool, operators: tuple[bytes, bytes]) -> None:
    first, second = [await ask(pool, operators[0], *LINES) for _ in range(2)]
    assert isinstance(await decided(pool, operators[1], first, ApprovalMove.APPROVE), Decided)
    before = await counts(pool)
    assert isinstance(await decided(pool, operators[1], second, ApprovalMove.APPROVE), Decided)
    assert await counts(pool) == before


async def test_grade_is_brought_in_and_a_line_that_says_nothing_of_it_leaves_it(
    pool: asyncpg.Pool, operators: tuple[bytes, bytes]
) -> None:
    await decided(pool, operators[1], await ask(pool, operators[0], *LINES), ApprovalMove.APPROVE)
    levels = await pool.fetch("SELECT code, level FROM every_participant WHERE level IS NOT NULL ORDER BY code")
    assert [tuple(row) for row in levels] == [("H11010100007", 3), ("P11010100042", 0)]
    silent = LINES[2].replace("T-01,3,", "T-01,,")
    assert silent != LINES[2]
    again = await ask(pool, operators[0], silent)
    assert (again.faults, again.counts is not None and again.counts.unchanged) == ((), 1)
    for level in ("2", "0"):
        other = LINES[2].replace("T-01,3,", f"T-01,{level},")
        assert faults(await ask(pool, operators[0], other)) == [(2, "code")]


MERCHANT = f"merchant,P11010100050,店,Shop,110101,{BANK},pharmacy,T-01,,,"


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        ((LINES[0], MERCHANT, MERCHANT), [(4, "code")]),
        ((MERCHANT,), [(2, "bank")]),
        ((LINES[0], "terminal,P11010100099,,,,,,T-01,,,"), [(3, "code")]),
        ((LINES[0], MERCHANT.replace(",110101,", ",110102,")), [(3, "region")]),
        ((LINES[0], MERCHANT.replace("T-01,,,", "T-01,,,AAAA")), [(3, "public_key")]),
        ((MERCHANT, "nonsense", LINES[0], LINES[0]), [(3, "record"), (5, "code")]),
        (("",), [(2, "record")]),
    ],
)
async def test_every_fault_is_named_and_nothing_is_kept(
    pool: asyncpg.Pool, operators: tuple[bytes, bytes], lines: tuple[str, ...], wanted: list[tuple[int, str]]
) -> None:
    assert faults(await ask(pool, operators[0], *lines)) == wanted
    assert set((await counts(pool)).values()) == {0}
    assert await staged(pool) == (0, 0)
    assert await pool.fetchval("SELECT count(*) FROM approval") == 0


async def test_line_that_says_otherwise_than_what_is_registered(
    pool: asyncpg.Pool, operators: tuple[bytes, bytes]
) -> None:
    await decided(pool, operators[1], await ask(pool, operators[0], *LINES), ApprovalMove.APPROVE)
    changed = [line.replace("Example", "Renamed") for line in LINES]
    assert faults(await ask(pool, operators[0], *changed)) == [(2, "code"), (3, "code"), (4, "code"), (5, "code")]


async def test_what_was_registered_meanwhile_is_seen_when_it_is_approved(
    pool: asyncpg.Pool, operators: tuple[bytes, bytes]
) -> None:
    imported = await ask(pool, operators[0], *LINES)
    other = await ask(pool, operators[0], LINES[0].replace("Example", "Other"))
    await decided(pool, operators[1], other, ApprovalMove.APPROVE)
    before = await counts(pool)
    late = await decided(pool, operators[1], imported, ApprovalMove.APPROVE)
    assert isinstance(late, NotDone)
    assert (late.refusal, [wrong.field for wrong in late.fields]) == (
        Refusal.PARTICIPANT_STATE_CONFLICT,
        ["lines/2/code"],
    )
    assert await counts(pool) == before


async def test_operator_brings_in_its_own_region_only(pool: asyncpg.Pool) -> None:
    local = await an_operator(pool, "local", region=310000)
    found = faults(await ask(pool, local, *LINES))
    assert found == [(2, "region"), (3, "region"), (4, "region"), (5, "region"), (6, "code")]


async def test_who_may_not_ask_leaves_nothing(pool: asyncpg.Pool, operators: tuple[bytes, bytes]) -> None:
    refused = await ask_import(pool, KEYRING, IDS, operators[1], [EXAMPLE.encode()], reason="r")
    assert isinstance(refused, NotDone)
    assert refused.refusal is Refusal.SCOPE_NOT_AUTHORIZED
    assert await staged(pool) == (0, 0)


async def test_file_that_nobody_wants_any_more_is_forgotten(pool: asyncpg.Pool, operators: tuple[bytes, bytes]) -> None:
    rejected = await ask(pool, operators[0], *LINES)
    waiting = await ask(pool, operators[0], *LINES)
    assert waiting.approval is not None
    await decided(pool, operators[1], rejected, ApprovalMove.REJECT)
    await pool.execute("INSERT INTO import_file VALUES ($1, now() - $2::interval)", an_id(IdKind.EVENT), CHECKING_LASTS)
    assert await staged(pool) == (3, 2 * len(LINES))
    assert await drop_unwanted_files(pool) == 2
    assert await staged(pool) == (1, len(LINES))
    assert isinstance(await decided(pool, operators[1], waiting, ApprovalMove.APPROVE), Decided)


async def test_faults_are_told_up_to_a_maximum(pool: asyncpg.Pool, operators: tuple[bytes, bytes]) -> None:
    assert len(faults(await ask(pool, operators[0], *["nonsense"] * 300))) == FAULTS_MAX


async def test_large_file_takes_little_memory(pool: asyncpg.Pool, operators: tuple[bytes, bytes]) -> None:
    def content(count: int) -> Iterator[bytes]:
        yield f"{HEADER}\n{LINES[0]}\n".encode()
        for n in range(count):
            yield f"merchant,P110101{n:05d},店,Shop {n},110101,{BANK},pharmacy,T-01 T-02,,,\n".encode()

    async def peak(count: int) -> tuple[int, Imported | NotDone]:
        tracemalloc.start()
        asked = await ask_import(pool, KEYRING, IDS, operators[0], content(count), reason="r")
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most, asked

    (few, _), (many, imported) = [await peak(count) for count in (2_000, 12_000)]
    assert many < 1.5 * few + 1_000_000
    assert isinstance(imported, Imported)
    assert isinstance(await decided(pool, operators[1], imported, ApprovalMove.APPROVE), Decided)
    assert await pool.fetchval("SELECT count(*) FROM terminal") == 24_000
