"""A node behind HTTP, on a database of the test's own, and callers that sign."""

import base64
import secrets
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import asyncpg
import msgspec
import pytest
from aiohttp.test_utils import TestServer
from yarl import URL

from engine.client.credentials import Credentials
from engine.codes.http_signature import CoveredRequest, content_digest, sign
from engine.codes.keys import FIELD_KEY_ID, Keyring
from engine.codes.pay_code import device_key, pay_code_at
from engine.core.ids import CallerId, IdKind, id_text
from engine.settings import Settings, master_secret
from engine.web.app import build_app
from engine.web.callers import KEY_PLACE
from engine.web.node import Node
from engine.wiring import Addresses, open_node
from tests.builders import World, a_world, an_id

SECRET = base64.b64encode(bytes(range(32))).decode()
PERSONAL_ACCOUNT = 100_000


class Reply(msgspec.Struct, frozen=True):
    """An answer, read to its end."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, object]:
        """The body as JSON."""
        read: dict[str, object] = msgspec.json.decode(self.body)
        return read

    @property
    def code(self) -> object:
        """The slug of a refusal."""
        return self.json.get("code")

    def __getitem__(self, name: str) -> object:
        """A field of the body."""
        return self.json[name]


class Api:
    """The engine as its callers see it, and what a test needs to know of its insides."""

    def __init__(self, node: Node, world: World, session: aiohttp.ClientSession, base_url: URL) -> None:
        """Callers by name: merchant-0, merchant-1, …, bank-0, …, operator, channel."""
        self.node = node
        self.world = world
        self._session = session
        self._base_url = base_url
        self._refresh = 0

    async def send(
        self, method: str, target: str, *, headers: dict[str, str] | None = None, body: bytes = b""
    ) -> Reply:
        """A request exactly as given."""
        url = URL(str(self._base_url).rstrip("/") + target, encoded=True)
        async with self._session.request(method, url, data=body or None, headers=headers) as response:
            return Reply(response.status, dict(response.headers), await response.read())

    async def get(self, target: str, *, caller: str = "merchant-0", **headers: str) -> Reply:
        """A signed GET."""
        return await self.send("GET", target, headers=self.signed("GET", target, caller=caller) | headers)

    async def post(
        self,
        target: str,
        body: object = None,
        *,
        caller: str = "merchant-0",
        key: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Reply:
        """A signed POST with an idempotency key; *body* may be bytes, as they are."""
        content = body if isinstance(body, bytes) else msgspec.json.encode(body if body is not None else {})
        key = key if key is not None else secrets.token_urlsafe(9)
        signed = self.signed("POST", target, caller=caller, body=content, key=key)
        return await self.send("POST", target, headers=signed | (headers or {}), body=content)

    def signed(
        self,
        method: str,
        target: str,
        *,
        caller: str,
        body: bytes = b"",
        key: str | None = None,
        created: int | None = None,
        nonce: str | None = None,
    ) -> dict[str, str]:
        """The headers of a signed request."""
        covered = CoveredRequest(
            method=method,
            target=target,
            content_digest=content_digest(body) if body else None,
            idempotency_key=f'"{key}"' if key is not None else None,
        )
        credentials = Credentials.load(keyid=caller, alg="hmac-sha256", key=SECRET)
        return sign(
            covered,
            credentials.key,
            keyid=caller,
            created=created if created is not None else int(time.time()),
            nonce=nonce if nonce is not None else secrets.token_urlsafe(12),
        )

    def pay_code(self, *, card: int = 0, age_s: float = 0.0, refresh: int | None = None) -> str:
        """A genuine code of a card's phone; a new one each time unless *refresh* is given."""
        if refresh is None:
            refresh = self._refresh % 10
            self._refresh += 1
        device_no = self.world.device_no(card)
        key = device_key(self.node.keyring.device_master, 1, device_no)
        return pay_code_at(key, device_no, refresh, self.node.clock.business_s() - age_s)

    def payment(self, **changes: object) -> dict[str, object]:
        """The body of a valid payment, with *changes*."""
        body: dict[str, object] = {
            "pay_code": self.pay_code() if "pay_code" not in changes else None,
            "order_no": secrets.token_urlsafe(9),
            "amount": 500,
            "scenario": "pharmacy",
            "terminal_id": "T-01",
        }
        return body | changes

    def card_path(self, card: int = 0) -> str:
        """The path of a card."""
        return f"/v1/cards/{id_text(self.world.cards[card])}"


@pytest.fixture
async def api(dsn: str, sql: asyncpg.Connection, tmp_path: Path) -> AsyncIterator[Api]:
    """A sandbox node with a small world: personal accounts of 100,000 fen, bank cards of 100,000 a day."""
    settings = Settings(data_dir=tmp_path, environ={}, is_sandbox=True, lane_count=2)
    world = await a_world(sql)
    keyring = Keyring(master_secret(tmp_path, {}))
    callers = {
        **{f"merchant-{n}": CallerId(merchant) for n, merchant in enumerate(world.merchants)},
        **{f"bank-{n}": CallerId(bank) for n, bank in enumerate(world.banks)},
        "operator": CallerId(an_id(IdKind.OPERATOR)),
        "channel": CallerId(an_id(IdKind.CHANNEL)),
    }
    await sql.copy_records_to_table(
        "caller_key",
        records=[
            (
                name,
                caller,
                "hmac-sha256",
                keyring.seal(SECRET.encode(), place=KEY_PLACE, nonce=secrets.token_bytes(12)),
                FIELD_KEY_ID,
                False,
            )
            for name, caller in callers.items()
        ],
    )
    async with open_node(settings, Addresses(dsn, None)) as node:
        for card in range(len(world.cards)):
            await node.ledger.submit(world.open_account(card=card, amount=PERSONAL_ACCOUNT))
        async with TestServer(build_app(node)) as server, aiohttp.ClientSession() as session:
            yield Api(node, world, session, server.make_url(""))
