"""The page of an order: whoever has its link sees it and may pay it, in two languages, and nobody learns more."""

import asyncio
import re
from html.parser import HTMLParser
from urllib.parse import urlencode

import pytest

from engine.core.refusals import Refusal
from engine.hints.page_attempts import ADDRESS_MAX, ORDER_MAX, WINDOW_S, PageAttempts
from engine.web.cashier_html import TEXTS, amount_text
from engine.web.docs import LANGUAGES
from engine.web.problems import PROBLEMS
from tests.web.api import Api, Json, Reply, a_key

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
FOREIGN_CODE = "134567890123456789"  # of another scheme
VOID_ELEMENTS = frozenset({"meta", "link", "input", "path"})


class Outline(HTMLParser):
    """What a page is built of; an element left open is an error."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID_ELEMENTS:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert tag == self._open.pop()

    def values(self, attribute: str) -> list[str]:
        """An attribute's values on all elements."""
        return [value for _, attributes in self.elements if (value := attributes.get(attribute)) is not None]


def an_order(**changes: object) -> Json:
    """The body of a valid order, with *changes*."""
    body: Json = {"order_no": a_key(), "amount": 500, "scenario": "pharmacy", "terminal_id": "T-01"}
    return body | changes


async def link(api: Api, **changes: object) -> str:
    """The path of the page of an order that was shown."""
    reply = await api.post("/v1/orders", an_order(**changes))
    assert reply.status == 201, reply.body
    return "/q/o/" + str(reply["cashier_url"]).rpartition("/")[2]


async def page(api: Api, path: str, *, headers: dict[str, str] | None = None) -> str:
    """The page as a browser gets it; what is wrong with its shape is an error."""
    reply = await api.send("GET", path, headers=headers)
    assert reply.status == 200, reply.body
    Outline(reply.body.decode())
    return reply.body.decode()


async def pay(
    api: Api, path: str, *, code: str | None = None, amount: int = 500, headers: dict[str, str] | None = None
) -> Reply:
    """The page's form is sent; the answer leads back to the page."""
    body = urlencode({"pay_code": code if code is not None else api.pay_code(), "amount": amount}).encode()
    url = api.base_url.join(api.base_url.with_path(f"{path}/pay"))
    sent = {**FORM, **(headers or {})}
    async with api.session.post(url, data=body, headers=sent, allow_redirects=False) as answer:
        return Reply(answer.status, answer.headers, await answer.read())


def led_back(reply: Reply, path: str) -> str:
    """What the page will say, by the refusal's slug; nothing if it was paid."""
    assert reply.status == 303
    back = re.fullmatch(
        rf"\.\./{re.escape(path.rpartition('/')[2])}\?lang=(?:zh|en)(?:&refused=([a-z-]+))?", reply.headers["Location"]
    )
    assert back is not None
    return back[1] or ""


async def test_page_shows_what_is_to_be_paid_and_keeps_it_to_itself(api: Api) -> None:
    items = [{"name": "<b>阿莫西林</b>", "quantity": 2, "amount": 1_234_500}]
    path = await link(api, amount=1_234_500, items=items, description="a & b", order_no="A-1")
    reply = await api.send("GET", path, headers={"Accept-Language": "zh-CN,zh;q=0.9"})
    text = reply.body.decode()
    outline = Outline(text)
    assert "药店0" in text
    assert text.count("¥12,345.00") == 3
    assert "&lt;b&gt;阿莫西林&lt;/b&gt;" in text
    assert "a &amp; b" in text
    assert "<svg" in text
    assert outline.values("lang")[0] == "zh-CN"
    assert [tag for tag, _ in outline.elements].count("h1") == 1
    assert set(outline.values("aria-labelledby")) | set(outline.values("aria-describedby")) <= set(outline.values("id"))
    assert outline.values("for") == ["pay_code"]
    assert not [value for name in ("src", "href", "action") for value in outline.values(name) if "//" in value]
    assert reply.headers["Cache-Control"] == "no-store"
    assert reply.headers["Referrer-Policy"] == "same-origin"
    policy = reply.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert outline.values("style") == outline.values("onclick") == []


@pytest.mark.parametrize(
    ("asked", "accepted", "shown"),
    [("", "zh", "zh-CN"), ("", "en", "en"), ("", "fr", "en"), ("?lang=en", "zh", "en"), ("?lang=zh", "en", "zh-CN")],
)
async def test_language_is_the_readers_or_the_one_asked_for(api: Api, asked: str, accepted: str, shown: str) -> None:
    text = await page(api, await link(api) + asked, headers={"Accept-Language": accepted})
    assert Outline(text).values("lang")[0] == shown


def test_both_languages_say_the_same_things() -> None:
    chinese, english = (TEXTS[language] for language in LANGUAGES)
    assert set(chinese) == set(english)
    assert all(re.search(r"[一-鿿]", text) for text in chinese.values())
    assert not any(re.search(r"[一-鿿]", text) for text in english.values())


@pytest.mark.parametrize(("amount", "text"), [(1, "¥0.01"), (100, "¥1.00"), (10_000_000_000, "¥100,000,000.00")])
def test_amounts_are_written_to_the_fen(amount: int, text: str) -> None:
    assert amount_text(amount) == text


async def test_order_is_paid_by_a_code_and_the_page_says_so(api: Api) -> None:
    path = await link(api, order_no="A-1", return_url="https://shop.example/a?b=1&c=2")
    assert led_back(await pay(api, path), path) == ""
    (paid,) = (await api.get("/v1/payments?order_no=A-1")).items
    assert (paid["status"], paid["mode"], paid["amount"]) == ("captured", "cashier", 500)
    text = await page(api, path + "?lang=en")
    assert TEXTS["en"]["paid"] in text
    assert 'href="https://shop.example/a?b=1&amp;c=2"' in text
    assert "<form" not in text
    assert (await api.send("GET", f"{path}/status")).json == {"status": "paid"}


async def test_form_that_is_sent_twice_pays_once(api: Api) -> None:
    path = await link(api, order_no="A-1")
    code = api.pay_code(refresh=7)
    replies = await asyncio.gather(*(pay(api, path, code=code) for _ in range(5)))
    assert [led_back(reply, path) for reply in replies] == [""] * 5
    assert len((await api.get("/v1/payments?order_no=A-1")).items) == 1


async def test_digits_may_be_typed_in_groups(api: Api) -> None:
    path = await link(api)
    code = api.pay_code()
    grouped = " ".join(code[at : at + 4] for at in range(0, 24, 4))
    assert led_back(await pay(api, path, code=f"  {grouped}\r\n"), path) == ""


async def test_second_payer_is_told_that_it_is_paid(api: Api) -> None:
    path = await link(api)
    await pay(api, path)
    assert led_back(await pay(api, path, code=api.pay_code(card=1)), path) == "order-already-paid"


async def test_refusal_is_shown_in_the_readers_words_and_the_order_stays_open(api: Api) -> None:
    path = await link(api)
    refused = await pay(api, path, code=FOREIGN_CODE)
    slug = led_back(refused, path)
    assert slug == "pay-code-foreign"
    problem = PROBLEMS[Refusal.PAY_CODE_FOREIGN]
    for language, words in (("zh", problem.zh), ("en", problem.en)):
        text = await page(api, f"{path}?lang={language}&refused={slug}")
        assert words in text
        assert "<form" in text
    assert "refused" not in await page(api, f"{path}?refused=%3Cscript%3E")
    assert led_back(await pay(api, path), path) == ""


async def test_amount_that_has_changed_since_it_was_shown_is_not_paid(api: Api) -> None:
    path = await link(api, order_no="A-1")
    assert await link(api, order_no="A-1", amount=600) == path
    assert led_back(await pay(api, path, amount=500), path) == "order-amount-changed"
    assert led_back(await pay(api, path, amount=600), path) == ""


@pytest.mark.parametrize(
    ("body", "refused"),
    [
        (b"", "pay-code-malformed"),
        (b"pay_code=&amount=500", "pay-code-malformed"),
        (b"pay_code=1&amount=x", "pay-code-malformed"),
        (b"pay_code=%FF%00&amount=500", "pay-code-malformed"),
    ],
)
async def test_form_without_its_fields_pays_nothing(api: Api, body: bytes, refused: str) -> None:
    path = await link(api)
    async with api.session.post(
        api.base_url.with_path(f"{path}/pay"), data=body, headers=FORM, allow_redirects=False
    ) as answer:
        reply = Reply(answer.status, answer.headers, await answer.read())
    assert led_back(reply, path) == refused


async def test_only_a_small_form_is_read(api: Api) -> None:
    path = await link(api)
    assert (await pay(api, path, code="1" * 5_000)).status == 413
    json = await api.send("POST", f"{path}/pay", headers={"Content-Type": "application/json"}, body=b"{}")
    assert json.status == 415


@pytest.mark.parametrize(
    ("headers", "is_refused"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, True),
        ({"Sec-Fetch-Site": "same-site"}, True),
        ({"Origin": "https://evil.example"}, True),
        ({"Origin": "null"}, True),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "https://pay.example"}, False),
        ({}, False),
    ],
    ids=str,
)
async def test_form_of_another_site_pays_nothing(api: Api, headers: dict[str, str], is_refused: bool) -> None:
    path = await link(api, order_no="A-1")
    reply = await pay(api, path, headers=headers)
    assert reply.status == (403 if is_refused else 303)
    assert len((await api.get("/v1/payments?order_no=A-1")).items) == (0 if is_refused else 1)


async def test_guessing_ends_after_a_few_attempts(api: Api) -> None:
    path = await link(api)
    for _ in range(ORDER_MAX):
        assert led_back(await pay(api, path, code=FOREIGN_CODE), path) == "pay-code-foreign"
    assert led_back(await pay(api, path), path) == "too-many-attempts"
    assert led_back(await pay(api, other := await link(api)), other) == ""
    api.clock.ahead_s += WINDOW_S
    assert led_back(await pay(api, path), path) == ""


def test_attempts_are_counted_by_order_and_by_address_for_a_minute() -> None:
    attempts = PageAttempts()
    assert [attempts.may_try(b"a", str(n), now_s=n) for n in range(ORDER_MAX + 1)] == [True] * ORDER_MAX + [False]
    assert attempts.may_try(b"a", "x", now_s=WINDOW_S)
    assert not attempts.may_try(b"a", "x", now_s=WINDOW_S)
    one_address = [attempts.may_try(bytes([n, 1]), "y", now_s=0.0) for n in range(ADDRESS_MAX + 1)]
    assert one_address == [True] * ADDRESS_MAX + [False]


async def test_status_waits_until_the_order_is_paid(api: Api) -> None:
    path = await link(api, order_no="A-1")
    waiting = asyncio.create_task(api.send("GET", f"{path}/status"))
    while api.node.payment_watch.waiter_count == 0:  # noqa: ASYNC110  # nobody tells
        await asyncio.sleep(0)
    await pay(api, path)
    assert (await waiting).json == {"status": "paid"}


async def test_status_waits_until_the_order_is_cancelled(api: Api) -> None:
    path = await link(api, order_no="A-1")
    waiting = asyncio.create_task(api.send("GET", f"{path}/status"))
    while api.node.payment_watch.waiter_count == 0:  # noqa: ASYNC110  # nobody tells
        await asyncio.sleep(0)
    await api.post("/v1/payments/cancel", {"order_no": "A-1"})
    assert (await waiting).json == {"status": "cancelled"}
    assert TEXTS["en"]["cancelled"] in await page(api, path)


async def test_expired_order_says_so_and_takes_nothing(api: Api) -> None:
    path = await link(api, expires_in_s=60)
    assert (await api.post("/v1/sandbox/clock", {"advance_s": 60}, caller="operator")).status == 200
    assert (await api.send("GET", f"{path}/status")).json == {"status": "expired"}
    assert TEXTS["en"]["expired"] in await page(api, path)
    assert led_back(await pay(api, path), path) == "order-expired"


async def test_whoever_goes_away_is_not_kept_waiting(api: Api) -> None:
    path = await link(api)
    reader, writer = await asyncio.open_connection(api.base_url.host, api.base_url.port)
    writer.write(f"GET {path}/status HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    while api.node.payment_watch.waiter_count == 0:  # noqa: ASYNC110  # nobody tells
        await asyncio.sleep(0)
    writer.close()
    while api.node.payment_watch.waiter_count == 1:  # noqa: ASYNC110  # nobody tells
        await asyncio.sleep(0)
    assert not await reader.read()


@pytest.mark.parametrize("token", ["A" * 22, "A" * 21, "%00", "..%2F..", "A" * 21 + "x"])
async def test_link_that_leads_to_no_order_says_so(api: Api, token: str) -> None:
    reply = await api.send("GET", f"/q/o/{token}", headers={"Accept-Language": "zh"})
    assert reply.status == 404
    assert TEXTS["zh"]["unknown"] in reply.body.decode()
    assert (await api.send("GET", f"/q/o/{token}/status")).json == {"status": "unknown"}


@pytest.mark.parametrize("name", ["cashier.css", "cashier.js"])
async def test_files_of_the_page_are_served_and_ask_nobody_else(api: Api, name: str) -> None:
    reply = await api.send("GET", f"/q/{name}")
    assert reply.status == 200
    assert b"//" not in reply.body.replace(b"// ", b"")
    assert (await api.send("GET", "/q/docs.css")).refused == (404, "not-found")
