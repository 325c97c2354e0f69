"""The books check on books that are right."""

import asyncpg

from engine.flows.verify_books import verify_books
from tests.flows.busy_books import PUBLIC_KEYS, busy_books


async def test_busy_books_are_right(dsn: str, sql: asyncpg.Connection) -> None:
    await busy_books(dsn, sql)
    report = await verify_books(dsn, public_keys=PUBLIC_KEYS, progress=lambda *_: None)
    assert report.violation is None, report.violation.text
    print(report.counts)
    for r in await sql.fetch("select state, count(*) from payment group by 1 order by 1"): print(r)
