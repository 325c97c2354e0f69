"""Lists: newest first, page by page, only what is the caller's own, and every parameter is read strictly."""

import asyncio

import pytest

from engine.core.ids import IdKind
from engine.web.lists import FILTER_CHARS_MAX, LIMIT_DEFAULT, LIMIT_MAX
from tests.web.api import Api, a_key, nobodys_id

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIST = "/v1/payments"


async def ids_of(api: Api, query: str, *, caller: str = "merchant-0") -> list[object]:
    """The ids in one page."""
    reply = await api.get(f"{LIST}?{query}", caller=caller)
    assert reply.status == 200, reply.body
    return [payment["id"] for payment in reply.items]


@pytest.mark.parametrize("limit", ["0", "-1", "201", "1.0", "x", "", "1e1", "%EF%BC%91", "99999", "+1", "%201"])
async def test_limit_out_of_its_bounds_is_refused(city: Api, limit: str) -> None:
    reply = await city.get(f"{LIST}?limit={limit}")
    assert (reply.refused, reply.pointers) == ((400, "field-invalid"), ["/limit"])


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "%00",
        nobodys_id(IdKind.REFUND),
        nobodys_id(IdKind.PAYMENT).upper(),
        nobodys_id(IdKind.PAYMENT)[:-1],
    ],
)
async def test_cursor_of_something_else_is_refused(city: Api, cursor: str) -> None:
    reply = await city.get(f"{LIST}?cursor={cursor}")
    assert (reply.refused, reply.pointers) == ((400, "field-invalid"), ["/cursor"])


@pytest.mark.parametrize(
    ("query", "slug", "pointer"),
    [
        ("surprise=1", "unknown-field", "/surprise"),
        ("Limit=1", "unknown-field", "/Limit"),
        ("limit=1&limit=1", "duplicate-field", "/limit"),
        ("order_no=a&order_no=b", "duplicate-field", "/order_no"),
        ("order_no=%00", "field-invalid", "/order_no"),
        ("order_no=%0A", "field-invalid", "/order_no"),
        (f"order_no={'x' * (FILTER_CHARS_MAX + 1)}", "field-invalid", "/order_no"),
        ("status=paid", "field-invalid", "/status"),
        ("status=CAPTURED", "field-invalid", "/status"),
        ("status=", "field-invalid", "/status"),
        ("business_date=24.11.2026", "field-invalid", "/business_date"),
        ("business_date=2026-02-30", "field-invalid", "/business_date"),
        ("business_date=20261124", "field-invalid", "/business_date"),
        ("business_date=2026-W48-2", "field-invalid", "/business_date"),
        ("business_date=2026-11-24T", "field-invalid", "/business_date"),
        ("business_date=", "field-invalid", "/business_date"),
        ("a/b~c=1", "unknown-field", "/a~1b~0c"),
        (f"{'k' * 200}=1", "unknown-field", "/" + "k" * 64),
        ("%ED%A0%80=1", "unknown-field", None),
        ("=1", "unknown-field", "/"),
    ],
)
async def test_parameter_is_read_strictly(city: Api, query: str, slug: str, pointer: str | None) -> None:
    reply = await city.get(f"{LIST}?{query}")
    assert reply.refused == (400, slug)
    assert pointer is None or reply.pointers == [pointer]


async def test_pages_hold_each_payment_once_newest_first(city: Api) -> None:
    made = [(await city.pay(caller="merchant-1"))["id"] for _ in range(7)]
    pages: list[list[object]] = []
    cursor: object = ""
    while cursor is not None:
        query = f"?limit=3&cursor={cursor}" if cursor else "?limit=3"
        page = await city.get(LIST + query, caller="merchant-1")
        pages.append([payment["id"] for payment in page.items])
        cursor = page["next_cursor"]
    assert pages == [made[:3:-1], made[3:0:-1], made[:1]]


async def test_what_comes_meanwhile_does_not_shift_the_pages(city: Api) -> None:
    made = [(await city.pay())["id"] for _ in range(4)]
    first = await city.get(f"{LIST}?limit=2")
    await city.pay()
    assert await ids_of(city, f"limit=2&cursor={first['next_cursor']}") == made[1::-1]


async def test_full_last_page_has_no_next(city: Api) -> None:
    order_no = a_key()
    await city.pay(order_no=order_no)
    assert (await city.get(f"{LIST}?limit=1&order_no={order_no}"))["next_cursor"] is None


async def test_page_has_fifty_unless_said_otherwise(city: Api) -> None:
    await asyncio.gather(*(city.pay(amount=1, card=n % 8) for n in range(LIMIT_DEFAULT + 1)))
    assert len(await ids_of(city, "")) == LIMIT_DEFAULT
    assert len(await ids_of(city, f"limit={LIMIT_MAX}")) > LIMIT_DEFAULT


async def test_filters_hold_together(city: Api) -> None:
    today = str((await city.node.reads.business_now()).control.business_date)
    order_no = a_key()
    declined = (await city.pay(order_no=order_no, amount=10_000_000))["payment_id"]
    held = (await city.pay(order_no=order_no, capture=False))["id"]
    for query, found in (
        (f"order_no={order_no}", [held, declined]),
        (f"order_no={order_no}&status=authorized", [held]),
        (f"order_no={order_no}&status=declined", [declined]),
        (f"order_no={order_no}&status=captured", []),
        (f"order_no={order_no}&business_date={today}", [held, declined]),
        (f"order_no={order_no}&business_date=2020-01-01", []),
        (f"order_no={order_no}&cursor={held}", [declined]),
        (f"order_no={order_no.lower()}x", []),
        ("order_no=%E4%B8%AD", []),
        (f"business_date={today}&status=authorized&limit=1", [held]),
    ):
        assert await ids_of(city, query) == found, query


async def test_merchant_sees_only_its_own(city: Api) -> None:
    mine = (await city.pay())["id"]
    assert mine in await ids_of(city, "")
    assert mine not in await ids_of(city, f"limit={LIMIT_MAX}", caller="merchant-1")
    theirs = await ids_of(city, "limit=1", caller="merchant-1")
    assert not set(theirs) & set(await ids_of(city, f"limit={LIMIT_MAX}"))


async def test_listed_payment_is_the_payment(city: Api) -> None:
    payment = await city.paid()
    listed = (await city.get(f"{LIST}?limit=1")).items
    assert listed == [(await city.get(payment)).json]
