"""The one place that builds things: a node from its settings, everything opened and closed in order."""

import asyncio
import os
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Final

import asyncpg
import msgspec
import structlog
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from redis import asyncio as aioredis

from engine.codes.keys import FIELD_KEY_ID, Keyring, SigningKey, signing_key_of
from engine.core.bank_lines import UploadKind
from engine.core.risk import RULES, Rule, lifted
from engine.flows.assess_risk import RiskDesk
from engine.flows.await_payment import open_payment_watch
from engine.flows.callbacks import Callbacks
from engine.flows.check_password import PasswordDesk
from engine.flows.clock import Clock, IdSource
from engine.flows.hashing_pool import HashingPool
from engine.flows.identity.certify import CertifiedOnly
from engine.flows.identity.face import open_faces
from engine.flows.ledger_clearing import LedgerClearing
from engine.flows.password_keys import BlockKeys
from engine.flows.personal_data.sealing import adopt_sealing
from engine.flows.receive_upload import UploadHandlers
from engine.flows.reconcile_statement import Statements
from engine.flows.returned_lines import LinesGivenBack
from engine.flows.review_payment import LedgerReviews
from engine.flows.sandbox_time import SandboxTime
from engine.flows.take_acknowledgement import AcknowledgementUploads
from engine.flows.take_returns import ReturnUploads
from engine.heap import settle_heap, share_interpreter
from engine.hints.attempts import WrongCodes
from engine.hints.connection import open_valkey
from engine.hints.nonces import NonceGuard
from engine.hints.outcomes import Outcomes
from engine.hints.page_attempts import PageAttempts
from engine.hints.read_limits import ReadLimits
from engine.hints.risk_counters import RiskCounters
from engine.ledger.lane import BATCH_COMMANDS_MAX, BatchDone
from engine.ledger.router import Ledger
from engine.settings import CROWD, Settings, crypto_profile, master_secret, public_url, rp_id
from engine.store.card_numbers import CardNumbers
from engine.store.connection import READ_SETTINGS, connect, open_pool
from engine.store.faults import translated
from engine.store.lane_session import LaneSessions
from engine.store.migrations import migrate
from engine.store.passwords import Passwords
from engine.store.reads import Reads
from engine.store.rules import RulesShelf
from engine.store.sftp_access import SftpAccess
from engine.store.sql import load_queries
from engine.telemetry import Metrics
from engine.web.app import build_app
from engine.web.banks import manifest_view
from engine.web.callers import CallerDirectory
from engine.web.node import Node
from engine.web.problems import PROBLEMS
from engine.web.render import encode_json
from engine.workers.holds import sweep_holds
from engine.workers.risk import open_risk_desk
from engine.workers.sealing import open_sealing
from engine.workers.timetable import close_due_cycles

if TYPE_CHECKING:
    from engine.sftp.server import SftpAddress

POOL_SIZE_MAX: Final = 8
SIGNING_KEY_PLACE: Final = "engine_key.secret"
_FIRST_KEY_ID: Final = "engine-1"
_DRAIN_S: Final = 30.0

log = structlog.get_logger("engine.node")


class Addresses(msgspec.Struct, frozen=True):
    """Where a node's services are."""

    database_url: str
    redis_url: str | None


def node_name() -> str:
    """A name that no other node has, not even in another container of the same host name and process id."""
    return f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(4)}"


async def prepare_database(database_url: str) -> tuple[str, ...]:
    """Bring the database to the newest schema. Returns the migrations that were applied.

    Raises:
        Fault: it cannot be reached, or cannot be migrated.
    """
    connection = await connect(database_url, READ_SETTINGS | {"statement_timeout": "0"}, application_name="migrate")
    try:
        return await migrate(connection)
    finally:
        await connection.close()


async def engine_keys(pool: asyncpg.Pool, keyring: Keyring, ids: IdSource, *, now: datetime) -> tuple[SigningKey, ...]:
    """The engine's own keys, newest first; a database without one gets one.

    Raises:
        Fault: the database cannot answer.
        SealBroken: they were sealed with another master secret.
    """
    reads = Reads(pool)
    if not await reads.engine_keys():
        fresh = SigningKey(_FIRST_KEY_ID, Ed25519PrivateKey.generate())
        sealed = keyring.seal(fresh.to_der(), place=SIGNING_KEY_PLACE, nonce=ids.nonce())
        with translated():
            await pool.execute(load_queries("reads")["insert_engine_key"], fresh.key_id, sealed, FIELD_KEY_ID, now)
    return tuple(
        signing_key_of(key_id, keyring.unseal(sealed, place=SIGNING_KEY_PLACE))
        for key_id, sealed in await reads.engine_keys()
    )


class Books(msgspec.Struct, frozen=True):
    """What the commands work with that need no lanes."""

    database_url: str
    pool: asyncpg.Pool
    signing_keys: tuple[SigningKey, ...]
    valkey: "aioredis.Redis | None"
    keyring: Keyring


@asynccontextmanager
async def open_books(settings: Settings, addresses: Addresses) -> AsyncIterator[Books]:
    """The books and the engine's keys, without lanes.

    Raises:
        Fault: a service cannot be reached.
        SealBroken: the database belongs to another master secret.
    """
    keyring = Keyring(master_secret(settings.data_dir, settings.environ))
    async with AsyncExitStack() as stack:
        pool = await open_pool(addresses.database_url, size_max=POOL_SIZE_MAX)
        stack.push_async_callback(pool.close)
        valkey = _open_hints(stack, addresses.redis_url)
        now = (await Reads(pool).business_now()).clock
        await adopt_sealing(pool, keyring, crypto_profile(settings.environ), now=now)
        keys = await engine_keys(pool, keyring, IdSource(), now=now)
        yield Books(addresses.database_url, pool, keys, valkey, keyring)


@asynccontextmanager
async def open_lane(database_url: str) -> AsyncIterator[Ledger]:
    """A ledger of one lane, beside those of the nodes that run, for a command that posts something.

    Raises:
        Fault: the database cannot be reached.
    """
    ledger = Ledger(LaneSessions(database_url, node=node_name()), lane_count=1)
    await ledger.open()
    running = asyncio.create_task(ledger.run())
    try:
        yield ledger
    finally:
        await _finish(ledger, running)


@asynccontextmanager
async def open_node(settings: Settings, addresses: Addresses) -> AsyncIterator[Node]:
    """A node with its lanes running; on the way out the lanes finish what is queued, then everything closes.

    Raises:
        Fault: a service cannot be reached.
        SealBroken: the database belongs to another master secret.
    """
    clock, ids, metrics = Clock(), IdSource(), Metrics()
    keyring = Keyring(master_secret(settings.data_dir, settings.environ))

    def on_batch(batch: BatchDone) -> None:
        clock.offset_s = batch.business_offset_s
        metrics.observe_batch(batch)
        for payment in batch.ended:
            payment_watch.announce(payment)

    async with AsyncExitStack() as stack:
        pool = await open_pool(addresses.database_url, size_max=POOL_SIZE_MAX)
        stack.push_async_callback(pool.close)
        valkey = _open_hints(stack, addresses.redis_url)
        reads = Reads(pool)
        now = await _set_clock(clock, reads)
        keys = await _open_keys(stack, settings, pool, keyring, metrics, now=now)
        passwords = await _open_passwords(stack, pool, keyring, ids, now=now)
        ledger = await _open_ledger(settings, addresses.database_url, on_batch)
        clearing = LedgerClearing(pool, ledger, addresses.database_url)
        catch_up = partial(_catch_up, ledger, reads, clearing, addresses.database_url, keys[0])
        stopping = asyncio.Event()
        payment_watch = await stack.enter_async_context(open_payment_watch(pool, Outcomes(valkey), stopping))
        desk = RiskDesk(pool, RiskCounters(valkey, process=node_name()), ids, rules=_risk_rules(settings))
        await stack.enter_async_context(open_risk_desk(desk, stopping, on_fault=partial(metrics.count_fault, "risk")))
        faces = await stack.enter_async_context(open_faces(settings.environ))
        _start(stack, ledger, stopping)
        yield Node(
            database_url=addresses.database_url,
            ledger=ledger,
            pool=pool,
            reads=reads,
            rules=RulesShelf(),
            callers=CallerDirectory(reads, keyring),
            nonces=_nonce_guard(stack, valkey),
            wrong_codes=WrongCodes(),
            keyring=keyring,
            signing_keys=keys,
            passwords=passwords,
            card_numbers=CardNumbers(pool, keyring),
            clock=clock,
            ids=ids,
            metrics=metrics,
            uploads=_upload_handlers(pool, addresses.database_url, ids, clearing),
            clearing=clearing,
            eligibility=CertifiedOnly(pool),
            sandbox_time=SandboxTime(pool, reads, clock, catch_up=catch_up) if settings.is_sandbox else None,
            stopping=stopping,
            payment_watch=payment_watch,
            page_attempts=PageAttempts(),
            read_limits=ReadLimits(settings.reads_a_second),
            risk=desk,
            reviewed=LedgerReviews(ledger),
            callbacks=Callbacks(is_loopback_allowed=settings.is_sandbox),
            public_url=public_url(settings.environ),
            rp_id=rp_id(settings.environ),
            faces=faces,
        )


async def _set_clock(clock: Clock, reads: Reads) -> datetime:
    """Let *clock* tell business time; returns what the clock on the wall says."""
    business = await reads.business_now()
    clock.offset_s = business.offset_us / 1e6
    return business.clock


async def _catch_up(
    ledger: Ledger, reads: Reads, clearing: LedgerClearing, database_url: str, signing_key: SigningKey
) -> None:
    """A sandbox's clock was moved: do what has become due."""
    await sweep_holds(ledger, reads)
    await close_due_cycles(database_url, signing_key, books=clearing)


def _start(stack: AsyncExitStack, ledger: Ledger, stopping: asyncio.Event) -> None:
    running = asyncio.create_task(ledger.run())
    running.add_done_callback(lambda _: stopping.set())
    stack.push_async_callback(_finish, ledger, running)


def _nonce_guard(stack: AsyncExitStack, valkey: "aioredis.Redis | None") -> NonceGuard:
    nonces = NonceGuard(valkey)
    stack.push_async_callback(nonces.close)
    return nonces


async def _open_keys(
    stack: AsyncExitStack, settings: Settings, pool: asyncpg.Pool, keyring: Keyring, metrics: Metrics, *, now: datetime
) -> tuple[SigningKey, ...]:
    """The engine's own keys, and a keyring that seals as the database says, from now on."""
    await adopt_sealing(pool, keyring, crypto_profile(settings.environ), now=now)
    await stack.enter_async_context(open_sealing(pool, keyring, on_fault=partial(metrics.count_fault, "sealing")))
    return await engine_keys(pool, keyring, IdSource(), now=now)


def _open_hints(stack: AsyncExitStack, redis_url: str | None) -> "aioredis.Redis | None":
    if redis_url is None:
        return None
    valkey = open_valkey(redis_url)
    stack.push_async_callback(valkey.aclose)
    return valkey


def _risk_rules(settings: Settings) -> tuple[Rule, ...]:
    return lifted(RULES) if settings.is_sandbox else RULES  # load tests run in sandboxes


async def _open_ledger(settings: Settings, database_url: str, on_batch: Callable[[BatchDone], None]) -> Ledger:
    ledger = Ledger(
        LaneSessions(database_url, node=node_name()),
        lane_count=settings.lane_count,
        crowd=CROWD,
        batch_max=settings.batch_max or BATCH_COMMANDS_MAX,
        on_batch=on_batch,
    )
    await ledger.open()
    return ledger


def _upload_handlers(pool: asyncpg.Pool, database_url: str, ids: IdSource, clearing: LedgerClearing) -> UploadHandlers:
    return {
        UploadKind.STATEMENT: Statements(pool, database_url, ids, returned=LinesGivenBack(database_url)),
        UploadKind.RETURN: ReturnUploads(clearing.returns),
        UploadKind.ACK: AcknowledgementUploads(clearing.returns),
    }


async def _open_passwords(
    stack: AsyncExitStack, pool: asyncpg.Pool, keyring: Keyring, ids: IdSource, *, now: datetime
) -> PasswordDesk:
    passwords = Passwords(pool)
    block_keys = BlockKeys(passwords, keyring)
    await block_keys.open(ids, now=now)
    hashing = HashingPool()
    stack.callback(hashing.close)
    return PasswordDesk(passwords, block_keys, hashing, keyring=keyring)


@asynccontextmanager
async def open_server(node: Node, settings: Settings, *, listener: socket.socket | None = None) -> AsyncIterator[int]:
    """The node's HTTP server; yields its port. On the way out it takes nothing new and answers what it has.

    Raises:
        OSError: the address cannot be bound.
    """
    settle_heap()
    share_interpreter()
    runner = web.AppRunner(build_app(node), access_log=None, shutdown_timeout=_DRAIN_S)
    await runner.setup()
    try:
        site: web.BaseSite
        if listener is not None:
            site = web.SockSite(runner, listener)
        else:
            site = web.TCPSite(runner, settings.host, settings.port)
        await site.start()
        port: int = runner.addresses[0][1]
        yield port
    finally:
        await runner.cleanup()


@asynccontextmanager
async def open_sftp_server(node: Node, listener: socket.socket) -> AsyncIterator["SftpAddress"]:
    """The node's SFTP server on a bound socket. On the way out nobody new comes in, and what was begun is done.

    Raises:
        Fault: the database cannot answer.
        SealBroken: the database belongs to another master secret.
    """
    # Its library takes a quarter of a second to load, which most commands can do without.
    from engine.sftp.server import SftpParts, open_sftp

    parts = SftpParts(
        pool=node.pool,
        keyring=node.keyring,
        clock=node.clock,
        ids=node.ids,
        uploads=node.uploads,
        manifest=lambda file: msgspec.json.format(encode_json(manifest_view(file))),
        title=lambda refusal: PROBLEMS[refusal].en,
    )
    async with open_sftp(parts, listener) as address:
        yield address


async def sftp_host_key(node: Node) -> str:
    """The public key of the SFTP servers of the node's database, in one line.

    Raises:
        Fault: the database cannot answer.
    """
    from engine.sftp.host_key import host_key, public_key_line  # as above

    return public_key_line(await host_key(SftpAccess(node.pool), node.keyring, node.ids))


async def _finish(ledger: Ledger, running: "asyncio.Task[None]") -> None:
    ledger.close()
    await running
