"""The sample city's plans in a database: there from the first start on, and never in the way of somebody's own."""

from datetime import date

import asyncpg
import msgspec

from engine.codes.keys import Keyring
from engine.flows.load_plans import load_plans
from engine.sandbox.city import sample_city
from engine.sandbox.city_plans import has_city_plans, load_city_plans
from engine.sandbox.city_state import is_loaded
from engine.sandbox.load import CityLoader
from engine.sandbox.plans import PLANS, insured
from engine.store.plans import load_plan_book
from tests.core.medical import a_plan
from tests.flows.busy_books import a_ledger

MASTER = bytes(range(32))
CARDS = 60


async def test_city_is_filled_with_plans_and_insured_people(dsn: str, sql: asyncpg.Connection) -> None:
    city = sample_city()
    loader = CityLoader(city, Keyring(MASTER), master=MASTER, card_count=CARDS)
    cards = loader.describe().cards
    assert not await is_loaded(sql, cards)
    async with a_ledger(dsn, lane_count=1) as ledger:
        await loader.load(sql, ledger, progress=lambda _: None)
    assert await is_loaded(sql, cards)
    version, book = await load_plan_book(sql)
    assert (version, book.plans) == (1, PLANS)

    today = await sql.fetchval("SELECT business_date FROM control")
    rows = await sql.fetch(
        "SELECT insured_region, insurance, person_type, benefit_year, deductible_used, fund_paid FROM payer"
    )
    people = [(holder.region, insured(holder, seed=city.seed)) for holder in city.cardholders(CARDS)]
    expected = [
        (region, who.insurance, who.person_type, today.year, who.deductible_used, who.fund_paid)
        for region, who in people
    ]
    assert sorted(tuple(row) for row in rows) == sorted(expected)
    for region, insurance in people:
        plan = book.plan_for(region, insurance.insurance, today)
        assert plan is not None
        assert insurance.person_type in plan.rates_e4
    funds = {row["pay_type"] for row in await sql.fetch("SELECT pay_type FROM fund")}
    assert funds >= {pay_type for plan in PLANS for pay_type in (plan.fund_pay_type, plan.layers[0].fund_pay_type)}
    levels = await sql.fetch("SELECT left(code, 1) AS kind, level, count(*) FROM merchant GROUP BY 1, 2")
    assert {row["level"] for row in levels if row["kind"] == "H"} == {1, 2, 3}


async def test_plans_are_loaded_once(sql: asyncpg.Connection) -> None:
    assert not await has_city_plans(sql)
    await load_city_plans(sql)
    await load_city_plans(sql)
    assert await has_city_plans(sql)
    assert (await load_plan_book(sql))[0] == 1


async def test_plan_that_was_ended_stays_ended(sql: asyncpg.Connection) -> None:
    await load_city_plans(sql)
    ended = msgspec.structs.replace(PLANS[0], valid_to=date(2030, 1, 1))
    await load_plans(sql, [ended])
    await load_city_plans(sql)
    assert ended in (await load_plan_book(sql))[1].plans


async def test_somebodys_own_plan_for_the_city_stays(sql: asyncpg.Connection) -> None:
    own = a_plan(id="own", valid_from=date(2000, 1, 1), valid_to=None)
    await load_plans(sql, [own])
    await load_city_plans(sql)
    assert await has_city_plans(sql)
    assert (await load_plan_book(sql))[1].plans == (own, PLANS[1])
