"""A merchant reads its day as JSON or as CSV; operators read those of their region, and nobody else anything."""

import csv
import io
from datetime import date, timedelta

import pytest
import pytest_asyncio

from engine.core.ids import IdKind, id_text
from engine.web.statements import prefers_csv
from tests.web.api import Api, Json, nobodys_id
from tests.web.operators import add_operators

pytestmark = pytest.mark.asyncio(loop_scope="module")

CSV = {"Accept": "text/csv"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def day(city: Api) -> str:
    """The path of a date with three payments of merchant-0, a refund, and a payment of merchant-1."""
    await add_operators(city)
    assert (await city.pay(card=0, amount=500, caller="merchant-1")).status == 201
    for card, amount in ((0, 100_000), (1, 200)):  # more than is left on the first card's personal account
        assert (await city.pay(card=card, amount=amount)).status == 201
    payment = await city.paid(card=2, amount=1_000, order_no="-1-1")
    assert (await city.post(f"{payment}/refunds", {"refund_no": "R-1", "amount": 400})).status == 201
    assert (await city.pay(card=3, amount=77, caller="merchant-1")).status == 201
    return f"/v1/statements/{await open_date(city)}"


async def open_date(city: Api) -> date:
    """The business date that is open."""
    found: date = await city.sql.fetchval("SELECT business_date FROM control")
    return found


def merchant(city: Api, n: int = 0) -> str:
    """The id of a merchant."""
    return id_text(city.world.merchants[n])


async def test_totals_and_lines_of_a_date(city: Api, day: str) -> None:
    shown = (await city.get(day)).json
    totals = shown.pop("totals")
    items = shown.pop("items")
    assert shown == {
        "merchant_id": merchant(city),
        "business_date": day[-10:],
        "is_final": False,
        "currency": "CNY",
        "next_cursor": None,
    }
    assert isinstance(totals, dict)
    all_of_it = {"gross": 101_200, "refunds": 400, "net": 100_800, "payment_count": 3, "refund_count": 1}
    assert totals.items() >= all_of_it.items()
    assert totals["tenders"] == [
        {
            "kind": "personal_account",
            "gross": 100_700,
            "refunds": 400,
            "net": 100_300,
            "payment_count": 3,
            "refund_count": 1,
        },
        {"kind": "bank_card", "gross": 500, "refunds": 0, "net": 500, "payment_count": 1, "refund_count": 0},
    ]
    (cycle,) = totals["cycles"]
    assert cycle == all_of_it | {
        "cycle": f"{day[-10:].replace('-', '')}-01",
        "clearing_status": "uncleared",
        "settlement_date": None,
    }
    assert isinstance(items, list)
    assert [item["type"] for item in items] == ["payment"] * 3 + ["refund"]
    assert items[3]["refund_no"] == "R-1"
    assert items[3]["payment_id"] == items[2]["payment_id"]
    assert items[0]["tenders"] == [
        {"kind": "personal_account", "amount": 99_500},
        {"kind": "bank_card", "amount": 500},
    ]


async def test_pages_are_the_whole_and_only_the_first_has_totals(city: Api, day: str) -> None:
    whole = (await city.get(day)).items
    paged: list[Json] = []
    target, totals = f"{day}?limit=1", []
    while True:
        reply = await city.get(target)
        paged += reply.items
        totals.append(reply["totals"] is not None)
        if reply["next_cursor"] is None:
            break
        target = f"{day}?limit=1&cursor={reply['next_cursor']}"
    assert paged == whole
    assert totals[0]
    assert not any(totals[1:])


async def test_csv_has_all_lines_and_runs_nothing(city: Api, day: str) -> None:
    reply = await city.get(day, headers=CSV)
    assert reply.status == 200
    assert reply.headers["Content-Type"] == "text/csv; charset=utf-8; header=present"
    assert reply.headers["Content-Disposition"] == f'attachment; filename="statement-{merchant(city)}-{day[-10:]}.csv"'
    assert "traceparent" in reply.headers
    rows = list(csv.DictReader(io.StringIO(reply.body.decode(), newline=""), strict=True))
    items = (await city.get(day)).items
    assert [row["payment_id"] for row in rows] == [item["payment_id"] for item in items]
    assert [int(row["amount_fen"]) for row in rows] == [item["amount"] for item in items]
    assert rows[2]["order_no"] == "'-1-1"
    assert {row["clearing_status"] for row in rows} == {"uncleared"}


async def test_csv_takes_no_page(city: Api, day: str) -> None:
    assert (await city.get(f"{day}?limit=1", headers=CSV)).refused == (400, "unknown-field")


async def test_operator_names_the_merchant(city: Api, day: str) -> None:
    own = await city.get(day)
    seen = await city.get(f"{day}?merchant={merchant(city)}", caller="alpha")
    assert seen.body == own.body
    assert (await city.get(f"{day}?merchant={merchant(city, 1)}", caller="alpha")).json["merchant_id"] == merchant(
        city, 1
    )
    assert (await city.get(day, caller="alpha")).pointers == ["/merchant"]
    assert (await city.get(f"{day}?merchant={merchant(city)}", caller="alpha", headers=CSV)).body == (
        await city.get(day, headers=CSV)
    ).body


async def test_operator_of_another_region_finds_nothing(city: Api, day: str) -> None:
    target = f"{day}?merchant={merchant(city)}"
    assert (await city.get(target, caller="beijing")).status == 200
    assert (await city.get(target, caller="shanghai")).refused == (404, "not-found")
    assert (await city.get(f"{day}?merchant={nobodys_id(IdKind.MERCHANT)}", caller="alpha")).refused == (
        404,
        "not-found",
    )
    assert (await city.get(f"{day}?merchant=mer_1", caller="alpha")).pointers == ["/merchant"]


@pytest.mark.parametrize("caller", ["bank-0", "agency", "channel"])
async def test_statements_do_not_exist_for_others(city: Api, day: str, caller: str) -> None:
    assert (await city.get(day, caller=caller)).refused == (404, "not-found")
    assert (await city.get(f"{day}?merchant={merchant(city)}", caller=caller)).refused == (404, "not-found")


async def test_merchant_cannot_name_another(city: Api, day: str) -> None:
    reply = await city.get(f"{day}?merchant={merchant(city, 1)}")
    assert (reply.refused, reply.pointers) == ((400, "unknown-field"), ["/merchant"])


async def test_date_to_come_is_not_found(city: Api) -> None:
    day = await open_date(city)
    assert (await city.get(f"/v1/statements/{day + timedelta(days=1)}")).refused == (404, "not-found")
    assert (await city.get("/v1/statements/9999-12-31")).refused == (404, "not-found")


@pytest.mark.parametrize("text", ["2026-13-01", "20261124", "2026-W01-1", "today", "2026-11-24T00"])
async def test_what_is_no_date_is_not_found(city: Api, text: str) -> None:
    assert (await city.get(f"/v1/statements/{text}")).refused == (404, "not-found")


@pytest.mark.parametrize("text", ["2020-02-29", "0001-01-01"])
async def test_date_without_payments_has_zeros(city: Api, text: str) -> None:
    shown = (await city.get(f"/v1/statements/{text}")).json
    assert (shown["is_final"], shown["items"]) == (True, [])
    assert shown["totals"] == {
        **dict.fromkeys(("gross", "refunds", "net", "payment_count", "refund_count"), 0),
        "tenders": [],
        "cycles": [],
    }
    rows = (await city.get(f"/v1/statements/{text}", headers=CSV)).body
    assert rows.count(b"\r\n") == 1


@pytest.mark.parametrize("query", ["cursor=x", "cursor=1.2", "limit=0", "limit=201"])
async def test_what_is_no_page_is_refused(city: Api, day: str, query: str) -> None:
    assert (await city.get(f"{day}?{query}")).refused == (400, "field-invalid")


@pytest.mark.parametrize(
    ("accept", "is_csv"),
    [
        (None, False),
        ("*/*", False),
        ("application/json", False),
        ("text/csv", True),
        ("TEXT/CSV; charset=utf-8", True),
        ("application/json, text/csv;q=0.5", False),
        ("application/json;q=0.5, text/csv", True),
        ("text/csv;q=0", False),
        ("text/html, */*;q=0.1, text/csv;q=0.2", True),
    ],
)
async def test_csv_is_given_to_who_asks_for_it(accept: str | None, is_csv: bool) -> None:
    assert prefers_csv(accept) is is_csv
