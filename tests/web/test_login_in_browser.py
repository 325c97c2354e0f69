"""The page of a login in a browser: it fits, works by keyboard, notices what happens, and asks nobody else."""

import asyncio
import base64
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import zxingcpp
from PIL import Image

from tests.web.api import Api
from tests.web.browser import PROGRAMS, Page, find_browser, open_page
from tests.web.register import open_register
from tests.web.test_oidc import Browser, Going, confirmed, holder, portal_of, registered, scanned

BROWSER = find_browser()

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(BROWSER is None, reason=f"no browser found: install one of {', '.join(PROGRAMS)}"),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(city: Api) -> Api:
    """The city with a register."""
    await open_register(city)
    return city


@pytest_asyncio.fixture(loop_scope="module")
async def browser(tmp_path: Path) -> AsyncIterator[Page]:
    """A new browser's tab."""
    assert BROWSER is not None
    async with open_page(BROWSER, tmp_path / "profile") as opened:
        yield opened


# Time runs fifty times as fast, and the test says whether somebody looks at the tab.
WATCHED = """
    const wait = window.setTimeout;
    window.waits = 0;
    window.asked = 0;
    window.unseen = true;
    Object.defineProperty(document, "hidden", { get: () => unseen });
    window.setTimeout = (then, ms) => wait(() => { waits += ms === 1000; then(); }, ms / 50);
    const ask = window.fetch;
    window.fetch = (...what) => { asked += 1; return ask(...what); };
    window.until = async (is) => { while (!is()) { await new Promise((then) => wait(then, 10)); } return asked; };
"""


async def sent(api: Api, browser: Page, *, language: str) -> Going:
    """A browser that a portal has sent here, and that will be sent back to this machine."""
    back = f"{api.base_url}/healthz"
    names = {"name_zh": "北京市人力资源和社会保障局网上服务大厅", "name_en": "Beijing HRSS " + "no-space-" * 8}
    portal: Any = portal_of(api, await registered(api, redirect_uris=[back], **names))
    went = await portal.create_authorization_url(back, nonce="n", ui_locales=language)
    await browser.visit(went["url"])
    page = str(await browser.value("location.href"))
    return Going(portal, Browser(), page, went["code_verifier"], went["nonce"], went["state"])


async def picture(browser: Page, width: int, kept: Path) -> Image.Image:
    """What is seen at this width; kept for whoever wants to look at it."""
    await browser.command(
        "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600
    )
    taken = await browser.command("Page.captureScreenshot", captureBeyondViewport=True)
    content = base64.b64decode(taken["data"])
    await asyncio.to_thread(kept.write_bytes, content)
    return Image.open(io.BytesIO(content))


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_page_fits_shows_the_code_and_goes_back_by_itself(
    desk: Api, browser: Page, tmp_path: Path, language: str
) -> None:
    who = await holder(desk, 1 if language == "zh" else 2)
    going = await sent(desk, browser, language=language)
    assert await browser.value("document.documentElement.lang") == {"zh": "zh-CN", "en": "en"}[language]
    for width in (1280, 390, 320):
        shot = await picture(browser, width, tmp_path / f"created-{language}-{width}.png")
        assert await browser.value("document.documentElement.scrollWidth <= innerWidth")
        (code,) = await asyncio.to_thread(zxingcpp.read_barcodes, shot)
        assert code.text == going.page.partition("?")[0]
    assert await browser.value("/^0[12]:[0-5][0-9]$/.test(document.getElementById('countdown').textContent)")

    await scanned(desk, going, who)
    await browser.until("Page.loadEventFired")
    assert await browser.value("document.getElementById('login').dataset.status") == "scanned"
    shot = await picture(browser, 390, tmp_path / f"scanned-{language}-390.png")
    assert not await asyncio.to_thread(zxingcpp.read_barcodes, shot)
    await confirmed(desk, going, who)
    await browser.until("Page.loadEventFired")
    assert (await browser.value("location.href")).startswith(f"{desk.base_url}/healthz?code=")
    assert f"state={going.state}" in await browser.value("location.search")
    asked_for = [one["request"]["url"] for one in browser.reported("Network.requestWillBeSent")]
    assert not [url for url in asked_for if not url.startswith((str(desk.base_url), "data:"))]
    assert browser.reported("Runtime.exceptionThrown") == []


async def test_page_is_used_by_keyboard_and_needs_no_script(desk: Api, browser: Page) -> None:
    await browser.command("Emulation.setScriptExecutionDisabled", value=True)
    await sent(desk, browser, language="zh")
    for expected in ("zh-CN", "en"):
        await browser.press("Tab", 9)
        assert await browser.value("document.activeElement.lang") == expected
    assert await browser.value("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    await browser.press("Enter", 13, "\r")
    await browser.until("Page.loadEventFired")
    assert await browser.value("document.documentElement.lang") == "en"
    assert await browser.value("document.querySelector('noscript meta').httpEquiv") == "refresh"
    assert await browser.value("document.querySelectorAll('.qr svg').length") == 1
    assert await browser.value("violations") == []


async def test_page_asks_for_nothing_while_nobody_looks(desk: Api, browser: Page) -> None:
    await browser.command("Page.addScriptToEvaluateOnNewDocument", source=WATCHED)
    await sent(desk, browser, language="en")
    assert await browser.value("until(() => waits >= 10)") == 0  # it counts down, and asks nobody
    await browser.value("unseen = false, document.dispatchEvent(new Event('visibilitychange'))")
    assert await browser.value("until(() => asked > 1)") > 1
    await desk.sql.execute("DELETE FROM login WHERE state = 1")
    await browser.until("Page.loadEventFired")  # which says so, and asks no more
    assert await browser.value("document.getElementById('login')") is None
    assert browser.reported("Runtime.exceptionThrown") == []


async def test_code_that_ran_out_leads_back(desk: Api, browser: Page, tmp_path: Path) -> None:
    going = await sent(desk, browser, language="en")
    await desk.sql.execute("UPDATE login SET expires_at = expires_at - interval '120 s' WHERE state = 1")
    await browser.until("Page.loadEventFired")  # the page notices by itself
    await picture(browser, 390, tmp_path / "expired-390.png")
    back = await browser.value("document.querySelector('.return').href")
    assert back.startswith(f"{desk.base_url}/healthz?error=access_denied")
    assert f"state={going.state}" in back
    assert await browser.value("violations") == []
