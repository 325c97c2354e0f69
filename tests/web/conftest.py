"""A node behind HTTP on a database of its own, and callers that sign: `api` for one test, `city` for a module's."""

import asyncio
import base64
import itertools
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import asyncpg
import msgspec
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from yarl import URL

from engine.client.credentials import Credentials
from engine.codes.http_signature import CoveredRequest, HmacKey, SigningKey, content_digest, sign
from engine.codes.keys import FIELD_KEY_ID, Keyring
from engine.codes.pay_code import device_key, pay_code_at
from engine.core.calendar import CycleNumber
from engine.core.ids import CallerId, IdKind, id_text, shard_of
from engine.embedded.postgres import EmbeddedPostgres
from engine.flows.clock import Clock
from engine.settings import Settings, master_secret
from engine.store.connection import READ_SETTINGS, connect
from engine.web.callers import KEY_PLACE
from engine.web.node import Node
from engine.wiring import Addresses, open_node, open_server
from engine.workers.timetable import close_and_publish
from tests.builders import World, a_world, an_id
from tests.conftest import TEMPLATE, database_dsn

SECRET = base64.b64encode(bytes(range(32))).decode()
ED25519_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
ED25519_PUBLIC = ED25519_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
PERSONAL_ACCOUNT = 100_000
CARD_COUNT = 8
PHONES_A_CARD = 50
FIRST_SPARE_PHONE = 1_000_000
SUSPENDED = "suspended"

Json = dict[str, object]
_numbers = itertools.count(1)


class Reply(msgspec.Struct, frozen=True):
    """An answer, read to its end."""

    status: int
    headers: Mapping[str, str]  # names in any case
    body: bytes

    @property
    def json(self) -> Json:
        """The body as JSON."""
        read: Json = msgspec.json.decode(self.body)
        return read

    @property
    def code(self) -> object:
        """The slug of a refusal; None if there is none."""
        return self.json.get("code")

    @property
    def pointers(self) -> list[str]:
        """The fields that a refusal blames."""
        return [error.pointer for error in msgspec.convert(self.json.get("errors", []), list[Blame])]

    @property
    def refused(self) -> tuple[int, object]:
        """Status and slug."""
        return (self.status, self.code)

    @property
    def is_replay(self) -> bool:
        """Whether the answer says that it was given before."""
        return self.headers.get("Idempotent-Replayed") == "true"

    @property
    def items(self) -> list[Json]:
        """The items of a list."""
        return msgspec.convert(self.json["items"], list[Json])

    def __getitem__(self, name: str) -> object:
        """A field of the body."""
        return self.json[name]


class Blame(msgspec.Struct, frozen=True):
    """One entry of a problem's `errors`."""

    pointer: str
    reason: str


class HeldClock(Clock):
    """A clock that a test can hold still."""

    def __init__(self) -> None:
        """It runs until it is held."""
        super().__init__()
        self.held_at_s: float | None = None

    def wall_s(self) -> float:
        """Seconds since 1970, or what the test says."""
        return self.held_at_s if self.held_at_s is not None else super().wall_s()

    def business_s(self) -> float:
        """The same, moved as the sandbox is."""
        return self.wall_s() + self.offset_s


class Api:
    """The engine as its callers see it, and what a test needs to know of its insides."""

    def __init__(  # what a test may want to hold in its hands
        self,
        node: Node,
        clock: HeldClock,
        world: World,
        sql: asyncpg.Connection,
        session: aiohttp.ClientSession,
        base_url: URL,
    ) -> None:
        """Callers by name: merchant-0, merchant-1, …, bank-0, …, operator, agency, channel, suspended."""
        self.node = node
        self.clock = clock
        self.world = world
        self.sql = sql
        self.session = session
        self.base_url = base_url
        self._codes = itertools.count()

    async def send(
        self, method: str, target: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Reply:
        """A request exactly as given; the answer's bytes as they came."""
        url = URL(str(self.base_url).rstrip("/") + target, encoded=True)
        async with self.session.request(method, url, data=body or None, headers=headers) as response:
            return Reply(response.status, response.headers, await response.read())

    async def get(self, target: str, *, caller: str = "merchant-0", headers: Mapping[str, str] | None = None) -> Reply:
        """A signed GET."""
        return await self.send("GET", target, headers={**self.signed("GET", target, caller=caller), **(headers or {})})

    async def post(
        self,
        target: str,
        body: object = None,
        *,
        caller: str = "merchant-0",
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """A signed POST with an idempotency key; *body* may be bytes, as they are."""
        content = body if isinstance(body, bytes) else msgspec.json.encode(body if body is not None else {})
        signed = self.signed("POST", target, caller=caller, body=content, key=key if key is not None else a_key())
        return await self.send("POST", target, headers={**signed, **(headers or {})}, body=content)

    async def pay(
        self,
        body: Json | None = None,
        *,
        caller: str = "merchant-0",
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
        **changes: object,
    ) -> Reply:
        """A payment: *body*, or a valid one with *changes*."""
        sent = body if body is not None else self.payment(**changes)
        return await self.post("/v1/payments", sent, caller=caller, key=key, headers=headers)

    def signed(
        self,
        method: str,
        target: str,
        *,
        caller: str = "merchant-0",
        body: bytes = b"",
        key: str | None = None,
        created: int | None = None,
        nonce: str | None = None,
        signing_key: SigningKey | None = None,
    ) -> dict[str, str]:
        """The headers of a signed request."""
        covered = CoveredRequest(
            method=method,
            target=target,
            content_digest=content_digest(body) if body else None,
            idempotency_key=f'"{key}"' if key is not None else None,
        )
        return sign(
            covered,
            signing_key if signing_key is not None else credentials(caller).key,
            keyid=caller,
            created=created if created is not None else int(self.clock.wall_s()),
            nonce=nonce if nonce is not None else secrets.token_urlsafe(12),
        )

    def pay_code(self, *, card: int = 0, age_s: float = 0.0, refresh: int | None = None) -> str:
        """A genuine code of one of a card's phones; a new one each time unless *refresh* is given."""
        device_no = self.world.device_no(card)
        if refresh is None:
            serial = next(self._codes)
            refresh = serial % 10
            device_no = _spare_phone(self.world, card, serial // 10 % PHONES_A_CARD)
        key = device_key(self.node.keyring.device_master, 1, device_no)
        return pay_code_at(key, device_no, refresh, self.node.clock.business_s() - age_s)

    def payment(self, **changes: object) -> Json:
        """The body of a valid payment, with *changes*; `card` is whose code it is."""
        card = changes.pop("card", 0)
        assert isinstance(card, int)
        body: Json = {
            "pay_code": self.pay_code(card=card) if "pay_code" not in changes else None,
            "order_no": secrets.token_urlsafe(9),
            "amount": 500,
            "scenario": "pharmacy",
            "terminal_id": "T-01",
        }
        return body | changes

    def card_path(self, card: int = 0) -> str:
        """The path of a card."""
        return f"/v1/cards/{id_text(self.world.cards[card])}"

    async def publish(self) -> CycleNumber:
        """Close the open cycle and put its files out."""
        return await close_and_publish(self.node.database_url, self.node.signing_keys[0])

    async def books(self) -> list[tuple[object, ...]]:
        """Everything that money moves in: payers, balances, postings, holds, code uses, orders."""
        rows = []
        for table in ("payer", "balance", "posting", "hold", "code_use", "order_ref", "refund"):
            rows += [tuple(row) for row in await self.sql.fetch(f"SELECT '{table}', t.* FROM {table} t ORDER BY t")]  # noqa: S608  # names from this line
        return rows


def credentials(caller: str) -> Credentials:
    """What a caller of `open_api` signs with."""
    if caller.endswith("-ed25519"):
        return Credentials(keyid=caller, key=ED25519_KEY)
    return Credentials(keyid=caller, key=HmacKey(base64.b64decode(SECRET)))


def a_key() -> str:
    """An idempotency key that nobody has used."""
    return secrets.token_urlsafe(9)


@asynccontextmanager
async def open_api(
    dsn: str, folder: Path, *, redis_url: str | None = None, is_sandbox: bool = True, node_dsn: str | None = None
) -> AsyncIterator[Api]:
    """A node with a small world: personal accounts of 100,000 fen, bank cards of 100,000 a day.

    *node_dsn* is another way to the same database.
    """
    settings = Settings(data_dir=folder, environ={}, is_sandbox=is_sandbox, lane_count=2, port=0)
    sql = await connect(dsn, READ_SETTINGS, application_name="test")
    clock = HeldClock()
    try:
        world = await a_world(sql, card_count=CARD_COUNT)
        await _settle(sql, world, Keyring(master_secret(folder, {})))
        async with open_node(settings, Addresses(node_dsn or dsn, redis_url)) as opened:
            node = msgspec.structs.replace(opened, clock=clock)
            opening = (world.open_account(card=card, amount=PERSONAL_ACCOUNT) for card in range(CARD_COUNT))
            await asyncio.gather(*map(node.ledger.submit, opening))
            async with (
                open_server(node, settings) as port,
                aiohttp.ClientSession(auto_decompress=False, headers={"Accept-Encoding": "identity"}) as session,
            ):
                yield Api(node, clock, world, sql, session, URL(f"http://127.0.0.1:{port}"))
    finally:
        await sql.close()


async def _settle(sql: asyncpg.Connection, world: World, keyring: Keyring) -> None:
    """Give everybody a key, and every card more phones than a test can use up."""
    callers = {
        **{f"merchant-{n}": CallerId(merchant) for n, merchant in enumerate(world.merchants)},
        **{f"bank-{n}": CallerId(bank) for n, bank in enumerate(world.banks)},
        "bank-0-ed25519": CallerId(world.banks[0]),
        "operator": CallerId(an_id(IdKind.OPERATOR)),
        "agency": CallerId(an_id(IdKind.AGENCY)),
        "channel": CallerId(an_id(IdKind.CHANNEL)),
        SUSPENDED: CallerId(world.merchants[0]),
    }
    records = []
    for name, caller in callers.items():
        alg, secret = ("ed25519", ED25519_PUBLIC) if name.endswith("-ed25519") else ("hmac-sha256", SECRET.encode())
        sealed = keyring.seal(secret, place=KEY_PLACE, nonce=secrets.token_bytes(12))
        records.append((name, caller, alg, sealed, FIELD_KEY_ID, name == SUSPENDED))
    await sql.copy_records_to_table("caller_key", records=records)
    phones = [
        (_spare_phone(world, card, phone), world.cards[card], 1, False)
        for card in range(len(world.cards))
        for phone in range(PHONES_A_CARD)
    ]
    await sql.copy_records_to_table("device", records=phones)


def _spare_phone(world: World, card: int, phone: int) -> int:
    return shard_of(world.cards[card]) * 10**8 + FIRST_SPARE_PHONE + card * PHONES_A_CARD + phone


def bank_number(world: World, bank: int) -> str:
    """A bank's twelve digits."""
    assert 0 <= bank < len(world.banks)
    return str(102_100_000_000 + bank)


@pytest.fixture
async def api(dsn: str, tmp_path: Path) -> AsyncIterator[Api]:
    """A sandbox node of this test's own."""
    async with open_api(dsn, tmp_path) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def city(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    """A sandbox node that the tests of a module share: each pays its own orders, and leaves no card lost."""
    name = f"city_{next(_numbers)}"
    admin = await asyncpg.connect(database_dsn(postgres.dsn, "postgres"))
    await admin.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    async with open_api(database_dsn(postgres.dsn, name), tmp_path_factory.mktemp("city")) as opened:
        yield opened
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()


