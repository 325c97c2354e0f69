"""The guide as a reader has it: both languages, by keyboard, and not one request to anywhere else."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from engine.web import docs, meta
from engine.web.meta import CONTRACT
from tests.web.browser import PROGRAMS, Page, find_browser, open_page

BROWSER = find_browser()
CONTRACT_SAYS = json.loads(CONTRACT.read_bytes())
TAGS = [tag["name"] for tag in CONTRACT_SAYS["tags"]]
PAYMENTS = [
    operation
    for methods in CONTRACT_SAYS["paths"].values()
    for operation in methods.values()
    if operation["tags"] == ["payments"]
]
TAGS_SHOWN = f"""
    new Promise(resolve => {{
        const look = () => document.querySelectorAll(".opblock-tag").length === {len(TAGS)} && resolve(true);
        new MutationObserver(look).observe(document.body, {{childList: true, subtree: true}});
        look();
    }})
"""
OPERATIONS_SHOWN = f"""
    new Promise(resolve => {{
        const look = () => document.querySelectorAll(".opblock").length === {len(PAYMENTS)} && resolve(true);
        new MutationObserver(look).observe(document.body, {{childList: true, subtree: true}});
        document.querySelector("#operations-tag-payments button").click();
        look();
    }})
"""
EXPANDED = """
    new Promise(resolve => {
        const look = () => document.querySelector(".opblock .responses-table") && resolve(true);
        new MutationObserver(look).observe(document.body, {childList: true, subtree: true});
        document.querySelector("#operations-payments-post_payment .opblock-summary-control").click();
        look();
    })
"""
FOCUSED_BUTTON = """
    (button => (button.focus({focusVisible: true}), getComputedStyle(button).outlineStyle))(
        document.querySelector("#operations button.opblock-control-arrow"))
"""

pytestmark = pytest.mark.skipif(BROWSER is None, reason=f"no browser found: install one of {', '.join(PROGRAMS)}")


@pytest.fixture
async def address() -> AsyncIterator[str]:
    """Where the guide and the contract are served."""
    app = web.Application()
    app.router.add_get("/docs", docs.get_docs)
    app.router.add_get("/docs/{file}", docs.get_docs_file)
    app.router.add_get("/openapi.json", meta.get_openapi)
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/")


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Page]:
    """A new browser's tab."""
    assert BROWSER is not None
    async with open_page(BROWSER, tmp_path / "profile") as opened:
        yield opened


async def test_page_works_and_asks_nobody_else(page: Page, address: str) -> None:
    for language in docs.LANGUAGES:
        await page.visit(f"{address}/docs?lang={language}")
        assert await page.value(TAGS_SHOWN)
        if language == docs.LANGUAGES[0]:  # the contract is the same in both
            assert await page.value(OPERATIONS_SHOWN)
            assert await page.value(EXPANDED)
            assert await page.value(FOCUSED_BUTTON) == "solid"
        assert await page.value("violations") == []
        assert await page.value("document.documentElement.scrollWidth <= innerWidth")
        assert await page.value("document.querySelectorAll('.authorize, .try-out, .errors-wrapper').length") == 0
    asked = [sent["request"]["url"] for sent in page.reported("Network.requestWillBeSent")]
    assert f"{address}/openapi.json" in asked
    assert not [url for url in asked if not url.startswith((f"{address}/", "data:"))]
    assert page.reported("Log.entryAdded") == page.reported("Runtime.exceptionThrown") == []


async def test_language_is_switched_by_keyboard(page: Page, address: str) -> None:
    await page.visit(f"{address}/docs?lang=en")
    await page.press("Tab", 9)
    assert await page.value("document.activeElement.getAttribute('href')") == "#contract"
    await page.press("Tab", 9)
    assert await page.value("document.activeElement.lang") == "zh-CN"
    assert await page.value("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    await page.press("Enter", 13, "\r")
    await page.until("Page.loadEventFired")
    assert await page.value("document.documentElement.lang") == "zh-CN"


async def test_guide_needs_no_script(page: Page, address: str) -> None:
    await page.command("Emulation.setScriptExecutionDisabled", value=True)
    await page.visit(f"{address}/docs?lang=en")
    asked = [sent["request"]["url"] for sent in page.reported("Network.requestWillBeSent")]
    assert f"{address}/openapi.json" not in asked
    assert "openapi.json" in await page.value("document.querySelector('noscript').innerText")
