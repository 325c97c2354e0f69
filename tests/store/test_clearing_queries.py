"""What the database knows beside Python, and the plans that clearing depends on."""

import asyncpg
import pytest

from engine.core.accounts import bank_receivable, merchant_payable, personal_account, pool_fund
from engine.core.clearing import route_account
from engine.core.ids import REGION_MAX, BankId, CardId, IdKind, MerchantId, region_of
from engine.store.clearing_session import CLEARING_SETTINGS
from engine.store.connection import connect
from engine.store.sql import load_queries
from tests.builders import an_id


@pytest.mark.parametrize("region", [0, 110101, 659004, REGION_MAX])
async def test_personal_accounts_of_a_region_fold_into_one_with_the_same_route(
    sql: asyncpg.Connection, region: int
) -> None:
    cards = [CardId(an_id(IdKind.CARD, shard=shard, region=region)) for shard in (0, 17, 255)]
    accounts = [personal_account(card) for card in cards]
    folded = {await sql.fetchval("SELECT folded_account($1)", account) for account in accounts}
    assert len(folded) == 1
    (one,) = folded
    assert region_of(one) == region
    assert route_account(one) == route_account(accounts[0])


async def test_every_other_account_stays_as_it_is(sql: asyncpg.Connection) -> None:
    accounts = [
        merchant_payable(MerchantId(an_id(IdKind.MERCHANT))),
        bank_receivable(BankId(an_id(IdKind.BANK))),
        pool_fund(110100, 310200),
    ]
    assert [await sql.fetchval("SELECT folded_account($1)", account) for account in accounts] == accounts


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("cleared_postings", "{day}, 1, 0, 0, 9, 3, '{{1,2}}', 2, 500"),
        ("turnover", "{day}, 1, 0, 9, 3, '{{1,2}}'"),
        ("lane_ranges", "1"),
        ("lane_ends", "1"),
        ("files_of_bank", "'{bank}', 0, 9, NULL, NULL, 9, 'a', 10"),
        ("chunks", "'f', 0, 4"),
        ("positions_of_bank", "'{bank}', 0, 9"),
    ],
)
async def test_no_step_reads_a_table_through(dsn: str, name: str, values: str) -> None:
    """Neither rows of other cycles are read, nor are rows sorted that an index has in order."""
    connection = await connect(dsn, CLEARING_SETTINGS, application_name="test")
    day = await connection.fetchval("SELECT business_date FROM control")
    given = values.format(day=f"'{day}'", bank="00000000-0000-0000-0000-000000000000")
    await connection.execute(f"PREPARE wanted AS {load_queries('clearing')[name]}")
    plan = "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN EXECUTE wanted({given})"))
    await connection.close()
    assert "Index" in plan
    assert "Seq Scan" not in plan, plan
    if name in ("cleared_postings", "chunks", "files_of_bank"):
        assert "Sort" not in plan, plan
    if name in ("cleared_postings", "turnover"):
        assert plan.count(" on posting_") == 1, plan
        assert plan.count(" on event_") <= 1, plan
