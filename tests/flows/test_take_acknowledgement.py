"""What a bank says of a file: all of it, none of it, or all but some lines; once, for good."""

import asyncpg
import msgspec
import pytest

from engine.core.bank_lines import AckStatus
from engine.core.calendar import CycleNumber
from engine.core.clearing_lines import FileKind
from engine.core.refusals import Refusal
from engine.flows.receive_upload import Receipt, Rejected
from engine.flows.returned_lines import LinesGivenBack
from engine.flows.take_acknowledgement import Judged, Misjudged, RejectedLine, Said, judge_acknowledgement
from engine.store.returns import open_returns
from tests.flows.clearing_books import ReadFile
from tests.flows.return_books import Day, a_day
from tests.flows.test_other_postings import AREA
from tests.flows.test_take_returns import accepted, faults, states


async def status_of(sql: asyncpg.Connection, file: ReadFile) -> str:
    """What a file's manifest says of it."""
    found: str = await sql.fetchval("SELECT status FROM clearing_file WHERE name = $1", file.name)
    return found


async def collected(day: Day, bank: int = 3) -> tuple[CycleNumber, ReadFile]:
    """A published cycle, and a bank's file of what it is to collect: four lines of the fund bank's."""
    cycle = await day.publish()
    return cycle, await day.file(cycle, bank, FileKind.COLLECT)


async def judged(day: Day, bank: int, name: str, **said: object) -> Judged | Misjudged:
    """What follows from what a bank says."""
    words = msgspec.structs.replace(Said(status=AckStatus.ACTC, count=None, total=None), **said)
    async with open_returns(day.dsn, day.bank(bank)) as session:
        await session.lock(wait_s=1.0)
        return await judge_acknowledgement(day.clearing.returns, session, name, words)


async def test_a_file_that_is_taken(dsn: str, sql: asyncpg.Connection) -> None:
    async with a_day(dsn, sql) as day:
        _, file = await collected(day)
        accepted(await day.send(3, await day.acknowledgement(3, file, [])))
        assert await status_of(sql, file) == "acknowledged"
        assert await sql.fetchval("SELECT acknowledged_at FROM file_receipt WHERE name = $1", file.name) is not None
        assert await sql.fetchval("SELECT count(*) FROM posting WHERE kind > 3") == 0
        assert await sql.fetchval("SELECT count(*) FROM return_batch WHERE done_at IS NULL") == 0


async def test_a_file_that_is_rejected_is_kept_out_of_the_settlement(dsn: str, sql: asyncpg.Connection) -> None:
    async with a_day(dsn, sql) as day:
        cycle, file = await collected(day)
        accepted(await day.send(3, await day.acknowledgement(3, file, [(0, "AM10")])))
        assert await status_of(sql, file) == "rejected"
        cases = await sql.fetch("SELECT subject, reason FROM clearing_case WHERE kind = 'rejected'")
        assert [tuple(case) for case in cases] == [(file.name, "AM10")]
        count = len(file.items)
        assert len(await states(day)) == count > 3
        assert await LinesGivenBack(dsn)(sql, file.name) == set(range(1, count + 1))
        await day.settle(cycle)
        left = await day.left()
        total = sum(item.amount for item in file.items)
        assert (left["suspense:short:bank-3"], left["settlement:bank-3"]) == (-total, total)
        assert not [name for name in left if name.startswith(("merchant", "bank", f"fund:{AREA}:310100"))]
        await day.verify()


async def test_named_lines_are_kept_out_and_no_others(dsn: str, sql: asyncpg.Connection) -> None:
    async with a_day(dsn, sql) as day:
        cycle, file = await collected(day)
        await day.settle(cycle)
        accepted(await day.send(3, await day.acknowledgement(3, file, [(2, "AC04"), (3, "AC06")])))
        assert await status_of(sql, file) == "part"
        rows = await sql.fetch("SELECT seq, reason, amount FROM item_return ORDER BY seq")
        assert [tuple(row) for row in rows] == [
            (2, "AC04", file.items[1].amount),
            (3, "AC06", file.items[2].amount),
        ]
        following = await day.publish()
        reversals = (await day.file(following, 3, FileKind.CREDIT)).items
        assert sorted(line.amount for line in reversals if line.credit_account.startswith("fund")) == sorted(
            item.amount for item in file.items[1:3]
        )
        await day.verify()


async def test_the_same_words_are_a_replay_and_others_are_refused(dsn: str, sql: asyncpg.Connection) -> None:
    async with a_day(dsn, sql) as day:
        _, file = await collected(day)
        lines = [(1, "AC04")]
        accepted(await day.send(3, await day.acknowledgement(3, file, lines)))
        accepted(await day.send(3, await day.acknowledgement(3, file, lines)))  # another file, the same words
        other = await day.send(3, await day.acknowledgement(3, file, []))
        assert isinstance(other, Rejected)
        assert other.refusal is Refusal.FILE_ACKNOWLEDGED
        assert await sql.fetchval("SELECT count(*) FROM item_return") == 1
        assert await status_of(sql, file) == "part"


async def test_a_return_stays_whatever_is_acknowledged(dsn: str, sql: asyncpg.Connection) -> None:
    async with a_day(dsn, sql) as day:
        _, file = await collected(day)
        accepted(await day.give_back(3, [file.items[0]]))
        accepted(await day.send(3, await day.acknowledgement(3, file, [(1, "AC04"), (2, "AC04")])))
        assert await sql.fetchval("SELECT count(*) FROM item_return") == 2
        assert await sql.fetchval("SELECT count(*) FROM posting WHERE kind > 3") == 2
        before = ("/lines/2/payment_id", "given back before")
        assert faults(await day.give_back(3, [file.items[1]])) == {before}


@pytest.mark.parametrize(
    ("said", "refusal", "fields"),
    [
        ({"count": 3}, Refusal.CONTROL_TOTAL_MISMATCH, {"count"}),
        ({"total": 2_401}, Refusal.CONTROL_TOTAL_MISMATCH, {"total"}),
        ({"count": 9, "total": 0}, Refusal.CONTROL_TOTAL_MISMATCH, {"count", "total"}),
        ({"status": AckStatus.PART}, Refusal.FILE_MALFORMED, {"status"}),
        ({"lines": (RejectedLine(line=1, seq=1, code="AC04"),)}, Refusal.FILE_MALFORMED, {"status"}),
    ],
)
async def test_what_does_not_fit_the_file_is_refused(
    dsn: str, sql: asyncpg.Connection, said: dict[str, object], refusal: Refusal, fields: set[str]
) -> None:
    async with a_day(dsn, sql) as day:
        _, file = await collected(day)
        found = await judged(day, 3, file.name, **said)
        assert isinstance(found, Misjudged)
        assert (found.refusal, {fault.field for fault in found.faults}) == (refusal, fields)


async def test_lines_that_are_not_in_the_file_are_named(dsn: str, sql: asyncpg.Connection) -> None:
    async with a_day(dsn, sql) as day:
        _, file = await collected(day)
        beyond = len(file.items) + 1
        outcome = await day.send(3, await day.acknowledgement(3, file, [(1, "AC04"), (beyond, "AC04")]))
        assert faults(outcome) == {("/lines/3/line", "the file has no such line")}
        assert await status_of(sql, file) == "published"
        twice = tuple(RejectedLine(line=n, seq=1, code="AC04") for n in (1, 2))
        found = await judged(day, 3, file.name, status=AckStatus.PART, lines=twice)
        assert isinstance(found, Misjudged)
        assert {fault.reason for fault in found.faults} == {"named twice"}


async def test_another_banks_file_does_not_exist(dsn: str, sql: asyncpg.Connection) -> None:
    async with a_day(dsn, sql) as day:
        _, file = await collected(day)
        outcome = await day.send(2, await day.acknowledgement(2, file, []))
        assert faults(outcome) == {("/heading/previous_sha256", "unknown")}
        found = await judged(day, 2, file.name)
        assert isinstance(found, Misjudged)
        assert found.refusal is Refusal.NOT_FOUND


async def test_rejecting_net_positions_only_opens_a_case(dsn: str, sql: asyncpg.Connection) -> None:
    async with a_day(dsn, sql) as day:
        cycle, _ = await collected(day)
        file = await day.file(cycle, 0, FileKind.NET)
        outcome = await day.send(0, await day.acknowledgement(0, file, [(0, "AM10")]))
        assert isinstance(outcome, Receipt)
        assert await status_of(sql, file) == "rejected"
        assert await sql.fetchval("SELECT count(*) FROM clearing_case") == 1
        assert await sql.fetchval("SELECT count(*) FROM item_return") == 0
