"""Cards from a file: the right ones come in whatever is wrong beside them, once, and wherever it breaks."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import msgspec
import pytest

from engine.codes.keys import Keyring
from engine.core.ids import NO_ID, IdKind
from engine.core.participants import NATIONAL
from engine.core.refusals import Refusal
from engine.flows import import_cards as module
from engine.flows.clock import IdSource
from engine.flows.import_cards import FAULTS_KEPT_MAX, Importing, ImportReport, digest_of, import_cards
from engine.formats.cards_csv import CardFault
from engine.store.connection import READ_SETTINGS, connect
from tests.builders import an_id
from tests.e2e.processes import run_engine
from tests.people import BANK, HEADER, OTHER_BANK, TODAY, person

NOW = datetime(2026, 11, 24, 4, tzinfo=UTC)
IMPORTING = Importing(keyring=Keyring(bytes(32)), ids=IdSource(), operator=NO_ID, region=NATIONAL, today=TODAY, now=NOW)
TABLES = ("person", "person_key", "payer", "card", "physical_card", "card_number")
WAITING = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'other')"


@pytest.fixture
async def register(sql: asyncpg.Connection) -> asyncpg.Connection:
    """A connection to an empty register with two banks."""
    await sql.copy_records_to_table(
        "bank",
        records=[(an_id(IdKind.BANK), int(cnaps), cnaps, cnaps, False, None) for cnaps in (BANK, OTHER_BANK)],
    )
    return sql


def a_file(*lines: str) -> bytes:
    """A file of these lines."""
    return "\n".join((HEADER, *lines, "")).encode()


async def imported(
    sql: asyncpg.Connection, content: bytes, *, is_dry_run: bool = False, importing: Importing = IMPORTING
) -> ImportReport:
    """What comes of a file."""
    return await import_cards(sql, importing, digest_of([content]), [content], is_dry_run=is_dry_run)


async def counts(sql: asyncpg.Connection) -> list[int]:
    """How many rows the register's tables have."""
    return [await sql.fetchval(f"SELECT count(*) FROM {table}") for table in TABLES]  # noqa: S608  # names from a tuple


def told(report: ImportReport) -> list[tuple[int, str, Refusal]]:
    """Line, field and refusal of each fault."""
    return [(fault.line, fault.field, fault.refusal) for fault in report.faults]


async def test_right_lines_come_in_beside_wrong_ones(register: asyncpg.Connection) -> None:
    content = a_file(
        person(1).line(),
        person(2).line(id_number="110101199003079973"),
        person(3).line(bank="104100000004"),
        "nonsense",
        person(4).line(),
        person(5).line(card_no=person(4).card_no),
        person(4).line(card_no=person(6).card_no),
        person(7).line(),
    )
    report = await imported(register, content)
    assert told(report) == [
        (3, "id_number", Refusal.ID_NUMBER_INVALID),
        (4, "bank", Refusal.FIELD_INVALID),
        (5, "record", Refusal.FIELD_INVALID),
        (7, "card_no", Refusal.CARD_ALREADY_EXISTS),
        (8, "id_number", Refusal.CARD_ALREADY_EXISTS),
    ]
    assert (report.lines, report.fresh, report.unchanged, report.faulty) == (8, 3, 0, 5)
    assert await counts(register) == [3] * len(TABLES)


async def test_line_with_many_faults_is_one_line(register: asyncpg.Connection) -> None:
    report = await imported(register, a_file(person(1).line(id_number="1", region="1", bank="1"), person(2).line()))
    assert (len(report.faults), report.lines, report.faulty) == (3, 2, 1)


async def test_same_file_is_answered_as_it_was(register: asyncpg.Connection) -> None:
    content = a_file(person(1).line(), person(2).line(bank="104100000004"))
    first = await imported(register, content)
    await register.execute("INSERT INTO bank VALUES ($1, 104100000004, 'x', 'x', false, null)", an_id(IdKind.BANK))
    assert await imported(register, content) == first
    other = await imported(register, content + b"\n")  # other bytes, and by now the bank takes part
    assert (other.fresh, other.unchanged) == (1, 1)


async def test_lines_that_are_known_change_nothing(register: asyncpg.Connection) -> None:
    await imported(register, a_file(person(1).line()))
    before = [await register.fetch(f"SELECT * FROM {table}") for table in TABLES]  # noqa: S608  # names from a tuple
    report = await imported(
        register, a_file(person(1).line(), person(1).line(name="别名"), person(1).line(bank=OTHER_BANK))
    )
    assert (report.unchanged, report.fresh) == (1, 0)
    assert told(report) == [(3, "name", Refusal.IDENTITY_MISMATCH), (4, "id_number", Refusal.CARD_ALREADY_EXISTS)]
    assert before == [await register.fetch(f"SELECT * FROM {table}") for table in TABLES]  # noqa: S608  # as above


async def test_dry_run_says_the_same_and_leaves_nothing(register: asyncpg.Connection) -> None:
    content = a_file(person(1).line(), person(1).line(), person(2).line(region="990101"), person(3).line())
    dry = await imported(register, content, is_dry_run=True)
    assert await counts(register) == [0] * len(TABLES)
    assert await imported(register, content) == dry
    assert await counts(register) == [2] * len(TABLES)


async def test_pages_end_anywhere(register: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LINES_AT_ONCE", 3)
    lines = [person(n).line(**({"id_number": "1", "region": "1"} if n % 4 == 0 else {})) for n in range(1, 31)]
    lines.append(person(1).line(card_no=person(90).card_no))  # many pages after the first
    report = await imported(register, a_file(*lines))
    assert (report.lines, report.fresh, report.faulty) == (31, 23, 8)
    assert told(report)[-1] == (32, "id_number", Refusal.CARD_ALREADY_EXISTS)


async def test_file_that_broke_off_is_brought_in_by_giving_it_again(
    register: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LINES_AT_ONCE", 3)
    content = a_file(*(person(n).line() for n in range(1, 11)))

    def broken() -> Iterator[bytes]:
        yield content[:600]
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="gone"):
        await import_cards(register, IMPORTING, digest_of([content]), broken())
    assert 0 < (await counts(register))[0] < 10
    report = await imported(register, content)
    assert (report.fresh + report.unchanged, report.faulty) == (10, 0)
    assert await counts(register) == [10] * len(TABLES)


async def test_two_who_bring_in_the_same_at_once_bring_it_in_once(dsn: str, register: asyncpg.Connection) -> None:
    lines = [person(n).line() for n in range(1, 200)]
    other = await connect(dsn, READ_SETTINGS, application_name="other")
    reports = await asyncio.gather(imported(register, a_file(*lines)), imported(other, a_file(*reversed(lines))))
    await other.close()
    assert sum(report.fresh for report in reports) == 199
    assert [report.faulty for report in reports] == [0, 0]
    assert await counts(register) == [199] * len(TABLES)


async def test_what_comes_in_between_two_looks_is_known_and_no_fault(dsn: str, register: asyncpg.Connection) -> None:
    lines = [person(n).line() for n in range(1, 4)]
    other = await connect(dsn, READ_SETTINGS, application_name="other")
    async with register.transaction():
        await register.execute("LOCK TABLE card_number")
        waiting = asyncio.create_task(imported(other, a_file(*lines)))
        while not await register.fetchval(WAITING):
            assert not waiting.done()
        await imported(register, a_file(*reversed(lines)))
    report = await waiting
    await other.close()
    assert (told(report), report.fresh, report.unchanged) == ([], 0, 3)


async def test_lines_of_other_regions_are_not_the_operators(register: asyncpg.Connection) -> None:
    importing = msgspec.structs.replace(IMPORTING, region=310000)
    report = await imported(register, a_file(person(1).line(), person(2).line(region="310101")), importing=importing)
    assert (told(report), report.fresh) == ([(2, "region", Refusal.REGION_NOT_PERMITTED)], 1)


async def test_every_fault_is_told_and_only_the_first_are_kept(register: asyncpg.Connection) -> None:
    content = a_file(*(person(n).line(region="990101") for n in range(1, FAULTS_KEPT_MAX + 51)))
    found: list[CardFault] = []
    report = await import_cards(register, IMPORTING, digest_of([content]), [content], on_fault=found.append)
    assert (len(found), len(report.faults), report.faulty) == (FAULTS_KEPT_MAX + 50, FAULTS_KEPT_MAX, len(found))
    assert [fault.line for fault in found] == list(range(2, FAULTS_KEPT_MAX + 52))


async def test_person_gets_another_card_after_a_cancelled_one(register: asyncpg.Connection) -> None:
    await imported(register, a_file(person(1).line()))
    await register.execute("UPDATE payer SET status = 4")
    again = await imported(register, a_file(person(1).line(), ""))
    assert (again.fresh, again.unchanged) == (0, 1)  # to say it again brings no card back
    report = await imported(register, a_file(person(1).line(card_no=person(2).card_no, region="310101")))
    assert report.fresh == 1
    assert await register.fetchval("SELECT count(*) FROM card WHERE ended_at IS NULL") == 1
    assert (await counts(register))[0] == 1
    assert await register.fetchval("SELECT count(*) FROM card_number") == 1


@pytest.mark.usefixtures("register")
def test_command_brings_cards_in_and_tells_each_fault(dsn: str, tmp_path: Path) -> None:
    file = tmp_path / "cards.csv"
    file.write_bytes(a_file(person(1).line(), person(2).line(id_number="1"), person(3).line(bank="104100000004")))
    told_of = ["line 3, id_number: not eighteen", "line 4, bank: no bank takes part"]
    for option in (["--dry-run"], []):
        done = run_engine("cards", "import", str(file), *option, "--data-dir", str(tmp_path), database_url=dsn)
        assert done.returncode == 1, done.stderr
        assert msgspec.json.decode(done.stdout)["fresh"] == 1
        assert all(fault in done.stderr for fault in told_of)
        assert not [secret for n in (1, 2, 3) for secret in person(n).secrets if secret in done.stdout + done.stderr]
    file.write_bytes(a_file(person(1).line()))
    again = run_engine("cards", "import", str(file), "--data-dir", str(tmp_path), database_url=dsn)
    assert (again.returncode, msgspec.json.decode(again.stdout)["unchanged"]) == (0, 1)
    missing = run_engine("cards", "import", str(tmp_path / "none.csv"), "--data-dir", str(tmp_path), database_url=dsn)
    assert missing.returncode == 2
