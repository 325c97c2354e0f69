"""Files of participants between upload and approval: staged, compared with what is registered, brought in at once."""

from collections.abc import Sequence
from datetime import datetime

import asyncpg
import msgspec

from engine.codes.keys import FIELD_KEY_ID
from engine.core.approvals import ApprovalId
from engine.store.connection import AnyConnection
from engine.store.faults import translated
from engine.store.participants import Source
from engine.store.rows import Row
from engine.store.sql import load_queries

UNWANTED_AT_ONCE = 20


class StagedLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a file, in the order of the table's columns but for the file's id."""

    line: int
    kind: str
    code: str
    name_zh: str
    name_en: str
    region: int
    bank: int | None
    scenarios: tuple[int, ...]
    terminals: tuple[str, ...]
    item: int | None
    participant: bytes | None
    keyid: str | None
    alg: str | None
    secret: bytes | None
    is_known: bool = False  # that is found out once all lines are there
    level: int | None  # None: nothing is said of it


class LineFault(msgspec.Struct, frozen=True):
    """What is wrong with a line, and where."""

    line: int
    field: str
    reason: str


class ImportCounts(msgspec.Struct, frozen=True):
    """How many lines are new, by kind, and how many say what is registered already."""

    fresh: dict[str, int]
    unchanged: int


async def begin_file(source: Source, file: bytes, *, now: datetime) -> None:
    """Make room for the lines of a file."""
    with translated():
        await source.execute(load_queries("participant_imports")["insert_file"], file, now)


async def stage_lines(source: Source, file: bytes, lines: Sequence[StagedLine]) -> None:
    """Keep some lines, in a transaction of their own."""
    rows: list[Row] = [(file, *msgspec.structs.astuple(line)) for line in lines]
    with translated():
        await source.execute(load_queries("participant_imports")["insert_lines"], rows)


async def compare_file(connection: AnyConnection, file: bytes, *, faults_max: int) -> list[LineFault]:
    """Find out which lines are known already, and what is wrong with the others, in their order."""
    queries = load_queries("participant_imports")
    with translated():
        await connection.execute(queries["mark_known"], file)
        rows = await connection.fetch(queries["faults"], file, faults_max)
    return [LineFault(row["line"], row["field"], row["reason"]) for row in rows]


async def count_file(source: Source, file: bytes) -> ImportCounts:
    """What the lines of a compared file add up to."""
    with translated():
        rows = await source.fetch(load_queries("participant_imports")["counts"], file)
    return ImportCounts(
        {row["kind"]: row["fresh"] for row in rows if row["fresh"]},
        sum(row["known"] for row in rows),
    )


async def set_approval_of_file(connection: AnyConnection, file: bytes, approval: ApprovalId) -> None:
    """Let a file wait for a second operator."""
    with translated():
        await connection.execute(load_queries("participant_imports")["set_approval"], file, approval)


async def import_file(
    connection: AnyConnection, file: bytes, *, now: datetime, wall: datetime, operator: bytes
) -> None:
    """Let everybody take part whom a compared file names and who does not yet."""
    queries = load_queries("participant_imports")
    with translated():
        await connection.execute(queries["import_banks"], file)
        await connection.execute(queries["import_merchants"], file)
        await connection.execute(queries["import_agencies"], file)
        await connection.execute(queries["import_terminals"], file)
        await connection.execute(queries["import_participants"], file, now)
        await connection.execute(queries["import_keys"], file, FIELD_KEY_ID)
        await connection.execute(queries["record_keys"], file, wall, operator)
        await connection.execute(queries["drop_file"], file)


async def drop_file(source: Source, file: bytes) -> None:
    """Forget a file."""
    with translated():
        await source.execute(load_queries("participant_imports")["drop_file"], file)


async def load_unwanted_files(pool: asyncpg.Pool, *, started_before: datetime) -> list[bytes]:
    """Files that were given up, or whose approval will not come any more."""
    with translated():
        rows = await pool.fetch(load_queries("participant_imports")["unwanted_files"], started_before, UNWANTED_AT_ONCE)
    return [row["id"] for row in rows]
