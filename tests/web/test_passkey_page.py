"""The page for passkeys as a person has it: on the engine's own address, by keyboard, and asking nobody else."""

import asyncio
import base64
import html
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from engine.core.passkeys import LINK_S, USED_LINK_S
from engine.settings import WrongSetting, rp_id
from tests.authenticator import Authenticator
from tests.web.api import Api, Reply, open_api
from tests.web.browser import PROGRAMS, Page, find_browser, open_page
from tests.web.register import Carried, give_password, issued, open_register, sealed
from tests.web.test_passkeys import INVALID, PATH, creation, passkeys_of, register, waiting

BROWSER = find_browser()
SAID = "document.querySelector('[role=status] h1').textContent"
TOLD = """new Promise((done) => {
    const said = document.getElementById("said");
    new MutationObserver(() => done(said.textContent)).observe(said, { attributes: true });
    if (!said.hidden) { done(said.textContent); }
})"""
needs_browser = pytest.mark.skipif(BROWSER is None, reason=f"no browser found: install one of {', '.join(PROGRAMS)}")


@pytest.fixture
async def desk(dsn: str, tmp_path: Path) -> AsyncIterator[Api]:
    """A node with a register."""
    async with open_api(dsn, tmp_path) as opened:
        await open_register(opened)
        yield opened


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[Page]:
    """A new browser's tab, whose device has seen who uses it."""
    assert BROWSER is not None
    async with open_page(BROWSER, tmp_path / "profile") as opened:
        await opened.command("WebAuthn.enable")
        options = {
            "protocol": "ctap2",
            "transport": "internal",
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": True,
            "automaticPresenceSimulation": True,
        }
        await opened.command("WebAuthn.addVirtualAuthenticator", options=options)
        yield opened


async def opened_link(api: Api, who: Carried, **body: object) -> str:
    """The link that a channel opens to the person."""
    reply = await api.post(f"{PATH}/links", {"card_id": who.id, **body}, caller="channel")
    assert reply.status == 201, reply.body
    return str(reply["url"])


async def link_to_register(api: Api, who: Carried) -> str:
    """The link to register a passkey, which the person has agreed to."""
    return await opened_link(api, who, label="我的手机", password_block=await sealed(api, f"{who.id}/register_passkey"))


async def options_of(api: Api, link: str) -> dict[str, Any]:
    """What the page asks the person's device for."""
    page = (await api.send("GET", link)).body.decode()
    (found,) = re.findall(r'data-options="([^"]*)"', page)
    options: dict[str, Any] = json.loads(html.unescape(found))
    return options


async def answered(api: Api, link: str, credential: object, *, kind: str = "application/json") -> Reply:
    """The device's answer, as the page sends it."""
    return await api.send("POST", link, headers={"Content-Type": kind}, body=json.dumps(credential).encode())


async def seen(browser: Page, width: int, picture: Path) -> None:
    """What is seen at this width is kept, and fits."""
    await browser.command(
        "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600
    )
    taken = await browser.command("Page.captureScreenshot", captureBeyondViewport=True)
    await asyncio.to_thread(picture.write_bytes, base64.b64decode(taken["data"]))
    assert await browser.value("document.documentElement.scrollWidth <= innerWidth")


async def press_the_button(browser: Page) -> None:
    """By keyboard: past the two languages."""
    for expected in ("A", "A", "use"):
        await browser.press("Tab", 9)
        assert await browser.value("document.activeElement.id || document.activeElement.tagName") == expected
    await browser.press("Enter", 13, "\r")
    await browser.until("Page.loadEventFired")


@needs_browser
async def test_person_registers_a_passkey_and_confirms_a_payment_by_it(
    desk: Api, browser: Page, tmp_path: Path
) -> None:
    who = await issued(desk, 1, level=2)
    await give_password(desk, who)
    await browser.visit(f"{await link_to_register(desk, who)}?lang=zh")
    for width in (1280, 390):
        await seen(browser, width, tmp_path / f"register-zh-{width}.png")
    await press_the_button(browser)
    assert await browser.value(SAID) == "通行密钥已登记"
    await seen(browser, 390, tmp_path / "registered-zh-390.png")
    assert [(one["label"], one["status"]) for one in await passkeys_of(desk, who)] == [("我的手机", "active")]

    payment = await waiting(desk, who)
    await browser.visit(f"{await opened_link(desk, who, payment_id=payment)}?lang=en")
    for width in (1280, 390):
        await seen(browser, width, tmp_path / f"confirm-en-{width}.png")
    assert "¥1.01" in await browser.value("document.getElementById('use').textContent")
    await press_the_button(browser)
    assert await browser.value(SAID) == "The payment is confirmed"
    await seen(browser, 390, tmp_path / "confirmed-en-390.png")
    assert (await desk.get(f"/v1/payments/{payment}"))["status"] == "captured"
    assert (await passkeys_of(desk, who))[0]["used_at"] is not None

    assert await browser.value("violations") == []
    assert browser.reported("Log.entryAdded") == browser.reported("Runtime.exceptionThrown") == []
    asked = [sent["request"]["url"] for sent in browser.reported("Network.requestWillBeSent")]
    assert not [url for url in asked if not url.startswith((f"http://localhost:{desk.base_url.port}/", "data:"))]


@needs_browser
async def test_device_that_does_not_know_who_uses_it_is_told_so(desk: Api, browser: Page, tmp_path: Path) -> None:
    who = await issued(desk, 1, level=2)
    payment = await waiting(desk, who)
    await browser.visit(f"{await opened_link(desk, who, payment_id=payment)}?lang=en")
    await browser.value("document.getElementById('use').click()")  # it has no passkey of the card
    assert await browser.value(TOLD) == "It was cancelled, or took too long. Try again."
    await seen(browser, 390, tmp_path / "cancelled-en-390.png")
    assert not await browser.value("document.getElementById('use').disabled")


async def test_link_is_good_once_and_for_its_own_thing(desk: Api, capfd: pytest.CaptureFixture[str]) -> None:
    who, other = await issued(desk, 1, level=2), await issued(desk, 2, level=2)
    for one in (who, other):
        await give_password(desk, one)
    origin = f"http://localhost:{desk.base_url.port}"
    payment = await waiting(desk, who)
    link = (await link_to_register(desk, who)).removeprefix(origin)
    page = await desk.send("GET", link)
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert page.headers["Cache-Control"] == "no-store"

    device = Authenticator(origin)
    asked = await options_of(desk, link)
    assert (await answered(desk, link, device.create(asked), kind="text/plain")).status == 415
    assert (await answered(desk, link, Authenticator("http://elsewhere").create(asked))).refused == INVALID
    made = device.create(await options_of(desk, link))
    replies = await asyncio.gather(*(answered(desk, link, made) for _ in range(4)))
    assert sorted(reply.status for reply in replies) == [200, 404, 404, 404]
    assert "data-options" not in (await desk.send("GET", link)).body.decode()
    assert len(await passkeys_of(desk, who)) == 1

    confirming = (await opened_link(desk, who, payment_id=payment)).removeprefix(origin)
    signed = device.sign(await options_of(desk, confirming))
    other_payment = await waiting(desk, who)
    elsewhere = (await opened_link(desk, who, payment_id=other_payment)).removeprefix(origin)
    assert (await answered(desk, elsewhere, signed)).refused == INVALID
    done = [await answered(desk, confirming, signed) for _ in range(2)]  # the first answer was lost
    assert [reply.status for reply in done] == [200, 200]
    assert (await desk.get(f"/v1/payments/{payment}"))["status"] == "captured"
    await desk.post(f"/v1/payments/{other_payment}/void")
    assert "The payment has ended" in (await desk.send("GET", f"{elsewhere}?lang=en")).body.decode()
    foreign = {"card_id": other.id, "payment_id": payment}
    assert (await desk.post(f"{PATH}/links", foreign, caller="channel")).refused == (404, "payment-not-found")
    for late in (elsewhere, "/q/k/" + "A" * 22, "/q/k/x"):
        with desk.clock.held(desk.clock.wall_s() + 601):
            missing = await desk.send("GET", late)
            assert (missing.status, "data-options" in missing.body.decode()) == (404, False)
            assert (await answered(desk, late, signed)).refused == (404, "not-found")
    assert "/q/k/" not in "".join(capfd.readouterr())  # whoever reads the log cannot use a link


async def test_used_link_tells_its_end_for_an_hour_and_goes(desk: Api) -> None:
    origin, start_s = f"http://localhost:{desk.base_url.port}", desk.clock.wall_s()
    who = await issued(desk, 1, level=2)
    await give_password(desk, who)
    links = [(await link_to_register(desk, who)).removeprefix(origin) for _ in range(2)]
    used = links[0]
    made = Authenticator(origin).create(await options_of(desk, used))
    assert (await answered(desk, used, made)).status == 200
    with desk.clock.held(start_s + LINK_S + 60):
        assert [(await desk.send("GET", link)).status for link in links] == [200, 404]
    with desk.clock.held(start_s + LINK_S + USED_LINK_S + 60):
        assert [(await desk.send("GET", link)).status for link in links] == [404, 404]
    long_ago = "UPDATE passkey_link SET expires_at = expires_at - make_interval(secs => $1)"
    await desk.sql.execute(long_ago, LINK_S + USED_LINK_S + 60)
    await link_to_register(desk, who)
    assert await desk.sql.fetchval("SELECT count(*) FROM passkey_link") == 1


async def test_passkeys_are_made_for_the_public_address(dsn: str, tmp_path: Path) -> None:
    async with open_api(dsn, tmp_path, public_url="https://pay.example:8443") as api:
        await open_register(api)
        who = await issued(api, 1, level=2)
        await give_password(api, who)
        assert (await link_to_register(api, who)).startswith("https://pay.example:8443/q/k/")
        options = await creation(api, who)
        assert options["rp"]["id"] == "pay.example"
        for origin, status in (("https://pay.example", 422), ("https://pay.example:8443", 201)):
            device = Authenticator(origin, rp_id="pay.example")
            assert (await register(api, who, device.create(options))).status == status


@pytest.mark.parametrize(
    ("address", "given", "wanted"),
    [
        ("", "", "localhost"),
        ("https://pay.example:8443", "", "pay.example"),
        ("https://pay.example", "pay.example", "pay.example"),
        ("https://cards.pay.example", "pay.example", "pay.example"),
    ],
)
def test_name_is_the_public_addresss_or_one_above(address: str, given: str, wanted: str) -> None:
    assert rp_id({"ENGINE_PUBLIC_URL": address, "ENGINE_RP_ID": given}) == wanted


@pytest.mark.parametrize(
    ("address", "given"),
    [("", "pay.example"), ("https://pay.example", "y.example"), ("https://pay.example", "cards.pay.example")],
)
def test_name_that_is_not_is_a_wrong_setting(address: str, given: str) -> None:
    with pytest.raises(WrongSetting):
        rp_id({"ENGINE_PUBLIC_URL": address, "ENGINE_RP_ID": given})
