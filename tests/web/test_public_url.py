"""Where links lead: to the node's public address if it has one, and a node with one that cannot be does not start."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine.settings import WrongSetting, public_url
from tests.e2e.processes import engine_environ, run_engine
from tests.web.api import Api, open_api
from tests.web.test_cashier import pay
from tests.web.test_orders import order, shown, token_of

PUBLIC = "https://pay.example"


@pytest.fixture
async def behind_a_proxy(dsn: str, tmp_path: Path) -> AsyncIterator[Api]:
    """A node that others reach by a name of its own."""
    async with open_api(dsn, tmp_path, public_url=PUBLIC) as opened:
        yield opened


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("", ""),
        ("https://pay.example", "https://pay.example"),
        ("https://pay.example/", "https://pay.example"),
        ("https://pay.example:8443", "https://pay.example:8443"),
        ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("http://localhost", "http://localhost"),
    ],
)
def test_address_as_links_begin(given: str, wanted: str) -> None:
    assert public_url({"ENGINE_PUBLIC_URL": given}) == wanted
    assert public_url({}) == ""


@pytest.mark.parametrize(
    "given",
    [
        "http://pay.example",
        "http://127.0.0.1.example",
        "http://10.0.0.1",
        "https://pay.example/base",
        "https://pay.example//",
        "https://pay.example?x=1",
        "https://pay.example#x",
        "https://user:word@pay.example",
        "https://pay.example:99999",
        "https://[::1",
        "https://[1]",
        "https://",
        "pay.example",
        "ftp://pay.example",
        "javascript:alert(1)",
        'https://pay.example"><script>',
        "https://pay.example\n",
        " https://pay.example",
    ],
)
def test_address_that_cannot_be_is_refused_without_being_repeated(given: str) -> None:
    with pytest.raises(WrongSetting, match=r"^ENGINE_PUBLIC_URL ") as refused:
        public_url({"ENGINE_PUBLIC_URL": given})
    assert "word" not in str(refused.value)


async def test_links_lead_to_the_public_address_whatever_the_host_of_a_request(behind_a_proxy: Api) -> None:
    reply = await shown(behind_a_proxy)
    assert reply["cashier_url"] == f"{PUBLIC}/q/o/{token_of(reply)}"
    assert reply["qr_svg"] == f"{PUBLIC}/v1/orders/{reply['id']}/qr.svg"
    assert (await order(behind_a_proxy, reply)).json == reply.json


async def test_page_is_sent_from_the_public_address(behind_a_proxy: Api) -> None:
    path = f"/q/o/{token_of(await shown(behind_a_proxy))}"
    assert (await pay(behind_a_proxy, path, headers={"Origin": "https://evil.example"})).status == 403
    assert (await pay(behind_a_proxy, path, headers={"Origin": PUBLIC})).status == 303
    assert len((await behind_a_proxy.get("/v1/payments")).items) == 1


@pytest.mark.parametrize("options", [(), ("--workers", "2")], ids=str)
def test_node_does_not_start_with_a_wrong_address(
    options: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environ = {**engine_environ(), "ENGINE_PUBLIC_URL": "http://pay.example"}
    monkeypatch.setattr("tests.e2e.processes.engine_environ", lambda: environ)
    folder = tmp_path / "data"
    started = run_engine("serve", "--port", "0", "--data-dir", str(folder), *options)
    assert started.returncode == 2
    assert "ENGINE_PUBLIC_URL is not https" in started.stderr
    assert "Traceback" not in started.stderr
    assert not folder.exists()  # nothing was begun
