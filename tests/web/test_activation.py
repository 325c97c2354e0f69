"""Regions as a tree, and how far each has come with the electronic card, counted once a business date."""

import asyncio
from datetime import date, timedelta
from urllib.parse import quote

import asyncpg

from engine.store.connection import READ_SETTINGS, connect
from engine.store.territory import count_activation
from engine.workers.territory import keep_territory
from tests.web.api import Api, Json
from tests.web.register import bring_in, issue, issued, open_register

BEIJING, SHANGHAI = "110100", "310100"


def path(region: str, *, history: bool = False) -> str:
    """Where a region's figures are."""
    return f"/v1/regions/{region}/activation{'/history' if history else ''}"


async def keep(api: Api) -> None:
    """What the loop behind the node does in a turn."""
    node = api.node
    await keep_territory(node.database_url, node.pool, node.ledger, node.reads)


def counted(view: object) -> tuple[object, ...]:
    """Region and figures."""
    assert isinstance(view, dict)
    return tuple(view[name] for name in ("region", "holders", "activated", "level_2"))


async def fill(api: Api) -> None:
    """Six who hold a card in one city, of whom one can look, one can pay, one has let it go; one in another."""
    await open_register(api)
    await bring_in(api, 1)
    await issued(api, 2)
    await issued(api, 3, level=2)
    cancelled = await issued(api, 4)
    done = await api.post(f"{cancelled.path}/cancel", {"reason": "died"}, caller="alpha")
    assert done.status == 200, done.body
    unlinked = await bring_in(api, 5)
    sign = await issue(api, unlinked)
    await api.sql.execute("UPDATE card_sign SET unlinked_at = now() WHERE card = $1", unlinked.card)
    assert sign.status == 201
    twice = await bring_in(api, 6)
    await issue(api, twice)
    await issue(api, twice, channel="channel-2")
    await bring_in(api, 7, region="310115")


async def test_figures_are_counted_once_a_business_date(api: Api) -> None:
    await fill(api)
    empty = await api.get(path("000000"), caller="alpha")
    assert (empty.status, empty.items, empty["total"]) == (200, [], None)
    await asyncio.gather(keep(api), keep(api))
    listed = await api.get(path("000000"), caller="alpha")
    assert [counted(item) for item in listed.items] == [(BEIJING, 5, 3, 1), (SHANGHAI, 1, 0, 0)]
    assert counted(listed["total"]) == ("000000", 6, 3, 1)
    first = listed.items[0]
    assert first["share"] == 6_000
    assert first["targets"] == [
        {"percent": 10, "is_reached": True, "missing": 0},
        {"percent": 25, "is_reached": True, "missing": 0},
    ]
    assert listed.items[1]["targets"] == [
        {"percent": 10, "is_reached": False, "missing": 1},
        {"percent": 25, "is_reached": False, "missing": 1},
    ]

    # What comes later on the same day is the next day's.
    await issued(api, 8)
    await keep(api)
    assert (await api.get(path("000000"), caller="alpha")).body == listed.body
    today = date.fromisoformat(str(first["business_date"]))
    await count_days(api, *(today + timedelta(days=n) for n in (1, 1, 2)))
    newest = await api.get(path("110000"), caller="beijing")
    assert counted(newest["total"]) == ("110000", 6, 4, 1)
    then = await api.get(f"{path('110000')}?business_date={today}", caller="beijing")
    assert counted(then["total"]) == ("110000", 5, 3, 1)
    never = await api.get(f"{path('110000')}?business_date={today - timedelta(days=1)}", caller="beijing")
    assert (never.status, never.items, never["total"]) == (200, [], None)

    # Day by day, newest first, a page at a time; a region without holders has nought of each.
    assert [counted(item) for item in await history(api, "000000")] == [
        ("000000", 7, 4, 1),
        ("000000", 7, 4, 1),
        ("000000", 6, 3, 1),
    ]
    assert [item["business_date"] for item in await history(api, BEIJING)] == [
        (today + timedelta(days=n)).isoformat() for n in (2, 1, 0)
    ]
    assert [counted(item) for item in await history(api, "330100")] == [("330100", 0, 0, 0)] * 3
    wrong = await api.get(f"{path(BEIJING, history=True)}?cursor=x", caller="alpha")
    assert (wrong.refused, wrong.pointers) == ((400, "field-invalid"), ["/cursor"])


async def count_days(api: Api, *days: date) -> None:
    """Each day is counted as it begins."""
    connection: asyncpg.Connection = await connect(api.node.database_url, READ_SETTINGS, application_name="test")
    now = (await api.node.reads.business_now()).now
    for day in days:
        await count_activation(connection, day, now=now)
    await connection.close()


async def history(api: Api, region: str) -> list[Json]:
    """All of it, two days at a time."""
    target = f"{path(region, history=True)}?limit=2"
    first = await api.get(target, caller="alpha")
    assert first["next_cursor"] is not None
    rest = await api.get(f"{target}&cursor={first['next_cursor']}", caller="alpha")
    assert rest["next_cursor"] is None
    return first.items + rest.items


async def test_tree_is_for_everybody_and_figures_for_operators_of_the_region(api: Api) -> None:
    await open_register(api)
    tree = (await api.get("/v1/regions", caller="channel")).items
    assert tree[:3] == [
        {"region": "000000", "parent": None, "level": "country", "name_zh": "全国"},
        {"region": "110000", "parent": "000000", "level": "province", "name_zh": "北京市"},
        {"region": "110100", "parent": "110000", "level": "city", "name_zh": "北京市"},
    ]
    below = (await api.get("/v1/regions?parent=330000", caller="merchant-0")).items
    assert {item["parent"] for item in below} == {"330000"}
    assert (below[0]["name_zh"], len(below)) == ("杭州市", 11)
    for parent in ("999999", "11", quote("١١٠٠٠٠")):
        assert (await api.get(f"/v1/regions?parent={parent}")).refused == (422, "region-unknown")
    for history in (False, True):
        target = path(BEIJING, history=history)
        assert (await api.get(target, caller="beijing")).status == 200
        assert (await api.get(target, caller="shanghai")).refused == (403, "region-not-permitted")
        assert (await api.get(path("000000", history=history), caller="beijing")).refused == (
            403,
            "region-not-permitted",
        )
        assert (await api.get(target, caller="channel")).refused == (404, "not-found")
        assert (await api.get(path("110001", history=history), caller="alpha")).refused == (422, "region-unknown")


async def test_card_that_can_pay_is_activated_without_an_issue(api: Api) -> None:
    """The cards of a sandbox have phones, and were issued by nobody."""
    await open_register(api)
    await bring_in(api, 1)
    who = await bring_in(api, 2)
    await api.sql.execute("UPDATE payer SET issue_level = 2 WHERE id = $1", who.card)
    await keep(api)
    (city,) = (await api.get(path(BEIJING), caller="alpha")).items
    assert counted(city) == (BEIJING, 2, 1, 1)
