"""The page of an order as whoever pays has it: by keyboard, at every width, live, and asking nobody else."""

import asyncio
import base64
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.web.api import Api, a_key
from tests.web.browser import PROGRAMS, Page, find_browser, open_page

BROWSER = find_browser()
FOCUSED = "document.activeElement.id || document.activeElement.tagName"
IS_COUNTING = r"/^1[45]:[0-5][0-9]$/.test(document.getElementById('countdown').textContent)"

pytestmark = pytest.mark.skipif(BROWSER is None, reason=f"no browser found: install one of {', '.join(PROGRAMS)}")


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[Page]:
    """A new browser's tab."""
    assert BROWSER is not None
    async with open_page(BROWSER, tmp_path / "profile") as opened:
        yield opened


async def shown(api: Api, **changes: object) -> str:
    """The link of an order that was shown."""
    items = [{"name": "阿莫西林胶囊 0.25g×24", "quantity": 2, "amount": 300}, {"name": "维生素C片", "amount": 200}]
    body: dict[str, object] = {
        "order_no": a_key(),
        "amount": 500,
        "scenario": "pharmacy",
        "terminal_id": "T-01",
        "items": items,
        "return_url": "https://shop.example/",
    }
    reply = await api.post("/v1/orders", body | changes)
    assert reply.status == 201, reply.body
    return str(reply["cashier_url"])


async def at_width(browser: Page, width: int, *, picture: Path | None = None) -> None:
    """The window has this width; with *picture* what is seen is kept there."""
    await browser.command(
        "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600
    )
    if picture is not None:
        taken = await browser.command("Page.captureScreenshot", captureBeyondViewport=True)
        await asyncio.to_thread(picture.write_bytes, base64.b64decode(taken["data"]))


@pytest.mark.parametrize("width", [1280, 390, 320])
@pytest.mark.parametrize("language", ["zh", "en"])
async def test_page_fits_and_asks_nobody_else(
    api: Api, browser: Page, tmp_path: Path, width: int, language: str
) -> None:
    link = await shown(api, description="no-space-" * 15, order_no="A-" * 32)
    await at_width(browser, width)
    await browser.visit(f"{link}?lang={language}")
    await at_width(browser, width, picture=tmp_path / f"open-{language}-{width}.png")
    assert await browser.value("document.documentElement.scrollWidth <= innerWidth")
    assert await browser.value(IS_COUNTING)
    assert await browser.value("document.querySelector('.qr svg').getBoundingClientRect().width >= 200")
    assert await browser.value("violations") == []
    asked = [sent["request"]["url"] for sent in browser.reported("Network.requestWillBeSent")]
    assert not [url for url in asked if not url.startswith((str(api.base_url), "data:"))]
    assert browser.reported("Log.entryAdded") == browser.reported("Runtime.exceptionThrown") == []


async def test_order_is_paid_by_keyboard(api: Api, browser: Page, tmp_path: Path) -> None:
    link = await shown(api, order_no="A-1")
    await at_width(browser, 390)
    await browser.visit(f"{link}?lang=en")
    for expected in ("A", "A", "pay_code"):
        await browser.press("Tab", 9)
        assert await browser.value(FOCUSED) == expected
    assert await browser.value("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    await browser.command("Input.insertText", text=api.pay_code())
    await browser.press("Enter", 13, "\r")
    await browser.until("Page.loadEventFired")
    assert await browser.value("document.querySelector('[role=status] h1').textContent") == "Paid"
    await at_width(browser, 390, picture=tmp_path / "paid-390.png")
    assert await browser.value("document.querySelector('.return').href") == "https://shop.example/"
    assert [one["status"] for one in (await api.get("/v1/payments?order_no=A-1")).items] == ["captured"]
    assert await browser.value("violations") == []


async def test_page_notices_by_itself_that_it_was_paid_elsewhere(api: Api, browser: Page) -> None:
    await browser.visit(f"{await shown(api, order_no='A-1')}?lang=en&refused=pay-code-used")
    assert await browser.value("document.querySelectorAll('[role=alert]').length") == 1
    assert (await api.pay(order_no="A-1")).status == 201
    await browser.until("Page.loadEventFired")
    assert await browser.value("document.querySelector('[role=status] h1').textContent") == "Paid"
    assert await browser.value("location.search") == "?lang=en"


async def test_refusal_is_said_and_the_code_can_be_entered_again(api: Api, browser: Page, tmp_path: Path) -> None:
    await at_width(browser, 390)
    await browser.visit(f"{await shown(api)}?lang=zh")
    await browser.value("document.getElementById('pay_code').focus()")
    await browser.command("Input.insertText", text="134567890123456789")
    await browser.press("Enter", 13, "\r")
    await browser.until("Page.loadEventFired")
    assert "这不是电子社保卡付款码" in await browser.value("document.querySelector('[role=alert]').textContent")
    assert await browser.value("document.documentElement.scrollWidth <= innerWidth")
    await at_width(browser, 390, picture=tmp_path / "refused-390.png")
    assert await browser.value("document.getElementById('pay_code') !== null")


async def test_page_needs_no_script(api: Api, browser: Page) -> None:
    await browser.command("Emulation.setScriptExecutionDisabled", value=True)
    await browser.visit(f"{await shown(api, order_no='A-1')}?lang=en")
    await browser.value("document.getElementById('pay_code').focus()")
    await browser.command("Input.insertText", text=api.pay_code())
    await browser.press("Enter", 13, "\r")
    await browser.until("Page.loadEventFired")
    assert await browser.value("document.querySelector('[role=status] h1').textContent") == "Paid"
