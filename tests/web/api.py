"""A node behind HTTP with a small world, and callers that sign: the engine as it is seen from outside."""

import asyncio
import base64
import itertools
import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import aiohttp
import asyncpg
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from yarl import URL

from engine.client.credentials import Credentials
from engine.codes.http_signature import CoveredRequest, HmacKey, SigningKey, content_digest, sign
from engine.codes.keys import CALLER_KEY_PLACE, FIELD_KEY_ID, Keyring
from engine.codes.pay_code import device_key, pay_code_at
from engine.core.calendar import CycleNumber
from engine.core.ids import CallerId, IdKind, id_text, make_id, shard_of
from engine.flows.clock import Clock
from engine.ledger.router import Ledger
from engine.settings import Settings, master_secret
from engine.store.connection import READ_SETTINGS, connect
from engine.web.node import Node
from engine.wiring import Addresses, open_node, open_server
from engine.workers.timetable import close_and_publish
from tests.builders import REGION, World, a_world, an_id
from tests.channels import add_channel, add_signs
from tests.leaks import leaks

SECRET = base64.b64encode(bytes(range(32))).decode()
ED25519_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
ED25519_PUBLIC = ED25519_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
PERSONAL_ACCOUNT = 100_000
BANK_ALLOWANCE = 100_000
CARD_COUNT = 8
PHONES_A_CARD = 50
FIRST_SPARE_PHONE = 1_000_000
FIRST_BANK = 102_100_000_000  # as `a_world` numbers them

Json = dict[str, object]


class Blame(msgspec.Struct, frozen=True):
    """One entry of a problem's `errors`."""

    pointer: str
    reason: str


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
    def refused(self) -> tuple[int, object]:
        """Status and slug."""
        return (self.status, self.code)

    @property
    def pointers(self) -> list[str]:
        """The fields that a refusal blames."""
        return [error.pointer for error in msgspec.convert(self.json.get("errors", []), list[Blame])]

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


class HeldClock(Clock):
    """A clock that a test can hold still, or move."""

    def __init__(self) -> None:
        """It runs until it is held."""
        super().__init__()
        self.held_at_s: float | None = None
        self.ahead_s = 0.0

    @contextmanager
    def held(self, at_s: float) -> Iterator[None]:
        """Wall time stands still until the block ends."""
        self.held_at_s = at_s
        try:
            yield
        finally:
            self.held_at_s = None

    def wall_s(self) -> float:
        """Seconds since 1970, or what the test says."""
        return self.held_at_s if self.held_at_s is not None else super().wall_s()

    def business_s(self) -> float:
        """The same, moved as the sandbox is."""
        return self.wall_s() + self.offset_s

    def steady_s(self) -> float:
        """Seconds of a clock that only the test can set."""
        return super().steady_s() + self.ahead_s


class Api:
    """The engine as its callers see it, and what a test needs to know of its insides.

    Callers by name: merchant-0, merchant-1, bank-0 to bank-2, bank-0-ed25519, operator, agency, channel, and suspended,
    which is a suspended key of merchant-0.
    """

    def __init__(
        self, node: Node, world: World, sql: asyncpg.Connection, session: aiohttp.ClientSession, base_url: URL
    ) -> None:
        """Use `open_api`."""
        assert isinstance(node.clock, HeldClock)
        self.node = node
        self.clock = node.clock
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
            reply = Reply(response.status, response.headers, await response.read())
        assert reply.status < 400 or not leaks(reply.body.decode(errors="replace")), "personal data in a refusal"
        return reply

    async def exchange(self, *pieces: bytes) -> bytes:
        """What comes back on a bare connection for these bytes, sent one piece after the other."""
        reader, writer = await asyncio.open_connection(self.base_url.host, self.base_url.port)
        try:
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
            return await reader.read(65_536)
        finally:
            writer.close()
            await writer.wait_closed()

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
        key_header: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """A signed POST with an idempotency key, or *key_header* as it is; *body* may be bytes, as they are."""
        content = body if isinstance(body, bytes) else msgspec.json.encode(body if body is not None else {})
        header = key_header if key_header is not None else f'"{key if key is not None else a_key()}"'
        signed = self.signed("POST", target, caller=caller, body=content, key_header=header)
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

    async def paid(self, **changes: object) -> str:
        """The path of a payment that merchant-0 has made."""
        reply = await self.pay(self.payment(**changes))
        assert reply.status == 201, reply.body
        return f"/v1/payments/{reply['id']}"

    def signed(
        self,
        method: str,
        target: str,
        *,
        caller: str = "merchant-0",
        body: bytes = b"",
        key_header: str | None = None,
        digest: str | None = None,
        created: int | None = None,
        nonce: str | None = None,
        signing_key: SigningKey | None = None,
    ) -> dict[str, str]:
        """The headers of a signed request."""
        covered = CoveredRequest(
            method=method,
            target=target,
            content_digest=digest or (content_digest(body) if body else None),
            idempotency_key=key_header,
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
        """The body of a valid payment, with *changes*; `card` among them is the number of the card that pays."""
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
        return await close_and_publish(self.node.database_url, self.node.signing_keys[0], books=self.node.clearing)

    async def books(self) -> list[tuple[object, ...]]:
        """Everything that money moves in, without the payments themselves."""
        rows: list[tuple[object, ...]] = []
        for table in ("payer", "balance", "posting", "hold", "code_use", "order_ref", "refund"):
            rows += [(table, *row) for row in await self.sql.fetch(f"SELECT * FROM {table} t ORDER BY t")]  # noqa: S608  # names from the line above
        return rows


def credentials(caller: str) -> Credentials:
    """What a caller of `open_api` signs with."""
    return Credentials(keyid=caller, key=ED25519_KEY if _has_ed25519(caller) else HmacKey(base64.b64decode(SECRET)))


def a_key() -> str:
    """An idempotency key that nobody has used."""
    return secrets.token_urlsafe(9)


def nobodys_id(kind: IdKind) -> str:
    """A well-formed id that names nothing; always the same, for it may be part of a test's name."""
    return id_text(make_id(kind, at_ms=1_795_000_000_000, shard=7, region=REGION, entropy=2**43 + kind))


def bank_number(bank: int) -> str:
    """The twelve digits of a world's bank."""
    return str(FIRST_BANK + bank)


@asynccontextmanager
async def open_api(
    dsn: str,
    folder: Path,
    *,
    node_dsn: str | None = None,
    redis_url: str | None = None,
    is_sandbox: bool = True,
    public_url: str = "",
    make_ledger: Callable[[str], AbstractAsyncContextManager[Ledger]] | None = None,
) -> AsyncIterator[Api]:
    """A node with a small world: personal accounts of 100,000 fen, bank cards of 100,000 a day.

    *node_dsn* is another way to the same database; *make_ledger* makes a ledger to put in place of the node's own.
    """
    environ = {"ENGINE_PUBLIC_URL": public_url}
    settings = Settings(data_dir=folder, environ=environ, is_sandbox=is_sandbox, lane_count=2, port=0)
    async with AsyncExitStack() as stack:
        sql = await connect(dsn, READ_SETTINGS, application_name="test")
        stack.push_async_callback(sql.close)
        world = await a_world(sql, card_count=CARD_COUNT, bank_allowance=BANK_ALLOWANCE)
        await _settle(sql, world, Keyring(master_secret(folder, {})))
        opened = await stack.enter_async_context(open_node(settings, Addresses(node_dsn or dsn, redis_url)))
        opening = (world.open_account(card=card, amount=PERSONAL_ACCOUNT) for card in range(CARD_COUNT))
        await asyncio.gather(*map(opened.ledger.submit, opening))
        node = msgspec.structs.replace(opened, clock=HeldClock())
        if make_ledger is not None:
            ledger = await stack.enter_async_context(make_ledger(node_dsn or dsn))
            node = msgspec.structs.replace(node, ledger=ledger)
        port = await stack.enter_async_context(open_server(node, settings))
        session = await stack.enter_async_context(
            aiohttp.ClientSession(auto_decompress=False, headers={"Accept-Encoding": "identity"})
        )
        yield Api(node, world, sql, session, URL(f"http://127.0.0.1:{port}"))


async def _settle(sql: asyncpg.Connection, world: World, keyring: Keyring) -> None:
    """Give everybody a key, and every card more phones than a test can use up."""
    callers = {
        **{f"merchant-{n}": CallerId(merchant) for n, merchant in enumerate(world.merchants)},
        **{f"bank-{n}": CallerId(bank) for n, bank in enumerate(world.banks)},
        "bank-0-ed25519": CallerId(world.banks[0]),
        "operator": CallerId(an_id(IdKind.OPERATOR)),
        "agency": CallerId(an_id(IdKind.AGENCY)),
        "channel": CallerId(an_id(IdKind.CHANNEL)),
        "suspended": CallerId(world.merchants[0]),
    }
    records = []
    for name, caller in callers.items():
        alg, secret = ("ed25519", ED25519_PUBLIC) if _has_ed25519(name) else ("hmac-sha256", SECRET.encode())
        sealed = keyring.seal(secret, place=CALLER_KEY_PLACE, nonce=secrets.token_bytes(12))
        records.append((name, caller, alg, sealed, FIELD_KEY_ID, name == "suspended"))
    await sql.copy_records_to_table("caller_key", records=records)
    await add_channel(sql, callers["channel"])
    await add_signs(sql, world.cards, callers["channel"])
    phones = [
        (_spare_phone(world, card, phone), world.cards[card], 1, False)
        for card in range(len(world.cards))
        for phone in range(PHONES_A_CARD)
    ]
    await sql.copy_records_to_table("device", records=phones)


def _has_ed25519(caller: str) -> bool:
    return caller.endswith("-ed25519")


def _spare_phone(world: World, card: int, phone: int) -> int:
    return shard_of(world.cards[card]) * 10**8 + FIRST_SPARE_PHONE + card * PHONES_A_CARD + phone
