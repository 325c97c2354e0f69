"""A card's password is compared beside the event loop; what does not fit the occasion is not compared at all."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar

import asyncpg
import msgspec
import pytest

from engine.client.passwords import NoSealingKey, PasswordSealer
from engine.codes.field_keys import SealBroken
from engine.codes.keys import Keyring
from engine.codes.password_block import AGE_S_MAX, BoundTo
from engine.codes.password_hash import COST, hash_password, is_password
from engine.core.commands import PasswordProof
from engine.core.ids import NO_ID, CardId, IdKind
from engine.core.passwords import Weakness
from engine.core.payer import PASSWORD_TRIES_MAX
from engine.core.refusals import Refusal
from engine.flows.check_password import PasswordDesk
from engine.flows.clock import Clock, IdSource
from engine.flows.hashing_pool import HashingPool
from engine.flows.password_keys import ROTATE_AFTER, BlockKeys
from engine.store.connection import open_pool
from engine.store.passwords import Passwords
from tests.builders import an_id
from tests.cards import a_card, take_into_use

T = TypeVar("T")

KEYRING = Keyring(bytes(32))
NOW = datetime(2026, 11, 24, tzinfo=UTC)
NOW_S = NOW.timestamp()
SALT = bytes(16)
PASSWORD, WRONG = "704192", "704193"
ORDER = BoundTo(order_no="A-1001", merchant_id="mer_1")


class HeldClock(Clock):
    """Wall time that stands still."""

    def wall_s(self) -> float:
        """Always the same."""
        return NOW_S


class WatchedPool(HashingPool):
    """A pool that keeps what it was given to do, and where it was done."""

    def __init__(self) -> None:
        """Nothing was done."""
        super().__init__()
        self.done: list[object] = []
        self.threads: set[int] = set()

    async def run(self, work: Callable[[], T]) -> T | Refusal:
        """As any pool, and remembered."""
        asked: object = work
        assert isinstance(asked, partial)
        assert asked.keywords.get("cost", COST) == COST
        self.done.append(asked.func)

        def seen() -> T:
            self.threads.add(threading.get_ident())
            return work()

        return await super().run(seen)


class Desk:
    """A desk, the pool that it works with, and a sealer for its key."""

    def __init__(self, pool: asyncpg.Pool, sql: asyncpg.Connection, keys: BlockKeys) -> None:
        """Use `a_desk`."""
        self.store = Passwords(pool)
        self.sql = sql
        self.pool = WatchedPool()
        self.keys = keys
        self.desk = PasswordDesk(self.store, keys, self.pool, keyring=KEYRING)
        self.sealer = sealer_of(keys)

    def block(self, password: str = PASSWORD) -> str:
        """A password sealed for ORDER."""
        return self.sealer.seal(password, order_no="A-1001", merchant_id="mer_1")

    async def check(
        self, card: CardId | None, block: str | None = None, bound_to: BoundTo = ORDER, *, late_s: float = 0
    ) -> PasswordProof | Refusal:
        """A check of the right password, or another block."""
        sent = block if block is not None else self.block()
        return await self.desk.check_password(card, sent, bound_to, now_s=NOW_S + late_s)

    async def card(self, password: str = PASSWORD) -> CardId:
        """A card with a password."""
        card = await a_card(self.sql)
        version = await self.desk.write_password(card, password, salt=SALT)
        assert version == 1
        await take_into_use(self.sql, card, version)
        self.pool.done.clear()
        return card


def sealer_of(keys: BlockKeys) -> PasswordSealer:
    """What a terminal makes of the published keys."""
    signing = {"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": "engine-1", "x": "AAAA"}
    document = msgspec.json.encode({"keys": [signing, keys.published]})
    return PasswordSealer(document, clock=HeldClock())


async def opened_keys(pool: asyncpg.Pool, *, now: datetime = NOW) -> BlockKeys:
    """The keys of a node that starts at *now*."""
    keys = BlockKeys(Passwords(pool), KEYRING)
    await keys.open(IdSource(), now=now)
    return keys


@pytest.fixture
async def pool(dsn: str) -> AsyncIterator[asyncpg.Pool]:
    """Connections to the test's database."""
    pool = await open_pool(dsn, size_max=8)
    yield pool
    await pool.close()


@pytest.fixture
async def desk(pool: asyncpg.Pool, sql: asyncpg.Connection) -> AsyncIterator[Desk]:
    """A desk of a node that has just started."""
    desk = Desk(pool, sql, await opened_keys(pool))
    yield desk
    desk.pool.close()


async def test_password_is_right_or_wrong_and_of_a_version(desk: Desk) -> None:
    card = await desk.card()
    assert await desk.check(card) == PasswordProof(is_right=True, version=1)
    assert await desk.check(card, desk.block(WRONG)) == PasswordProof(is_right=False, version=1)
    version = await desk.desk.write_password(card, "918273", salt=SALT)
    assert await desk.check(card) == PasswordProof(is_right=True, version=1)
    assert version == 2
    await take_into_use(desk.sql, card, 2)
    assert await desk.check(card) == PasswordProof(is_right=False, version=2)
    assert await desk.check(card, desk.block("918273")) == PasswordProof(is_right=True, version=2)


async def test_hash_of_another_card_is_nothing_worth(desk: Desk) -> None:
    card, other = await desk.card(), await desk.card("918273")
    await desk.sql.execute(
        "UPDATE card_password SET hash = (SELECT hash FROM card_password WHERE card = $2) WHERE card = $1", other, card
    )
    assert await desk.check(other) == PasswordProof(is_right=False, version=1)


async def test_card_that_there_is_not_costs_what_any_other_costs(desk: Desk) -> None:
    known, without = await desk.card(), await a_card(desk.sql)
    assert await desk.check(known) == PasswordProof(is_right=True, version=1)
    for card in (None, CardId(NO_ID), without, CardId(an_id(IdKind.CARD))):
        assert await desk.check(card) == PasswordProof(is_right=False, version=0)
    # Making a hash and comparing with one are the same work.
    assert desk.pool.done == [is_password, *[hash_password] * 4]


async def test_event_loop_does_none_of_it(desk: Desk) -> None:
    await desk.check(await desk.card())
    await desk.check(None)
    assert desk.pool.threads
    assert threading.get_ident() not in desk.pool.threads


@pytest.mark.parametrize(
    "bound_to",
    [
        BoundTo(order_no="A-1002", merchant_id="mer_1"),
        BoundTo(order_no="A-1001", merchant_id="mer_2"),
        BoundTo(payment_id="A-1001"),
    ],
)
async def test_block_for_something_else_is_not_compared(desk: Desk, bound_to: BoundTo) -> None:
    card = await desk.card()
    assert await desk.check(card, bound_to=bound_to) is Refusal.PASSWORD_BLOCK_INVALID
    assert desk.pool.done == []


async def test_old_block_is_not_compared(desk: Desk) -> None:
    card = await desk.card()
    assert await desk.check(card, late_s=AGE_S_MAX + 1) is Refusal.PASSWORD_BLOCK_EXPIRED
    assert desk.pool.done == []
    assert await desk.check(card, late_s=AGE_S_MAX) == PasswordProof(is_right=True, version=1)


@pytest.mark.parametrize("block", ["", "704192", "a..b.c.d"])
async def test_what_is_no_block_is_not_compared(desk: Desk, block: str) -> None:
    assert await desk.check(await desk.card(), block) is Refusal.PASSWORD_BLOCK_INVALID
    assert desk.pool.done == []


async def test_guesses_at_one_card_do_not_fill_the_queue(desk: Desk) -> None:
    card, other = await desk.card(), await desk.card()
    guesses = [asyncio.create_task(desk.check(card, desk.block(f"70420{n}"))) for n in range(10)]
    assert await desk.check(other) == PasswordProof(is_right=True, version=1)
    answers = await asyncio.gather(*guesses)
    assert answers.count(PasswordProof(is_right=False, version=1)) == PASSWORD_TRIES_MAX
    assert answers.count(Refusal.TOO_MANY_ATTEMPTS) == len(answers) - PASSWORD_TRIES_MAX
    assert await desk.check(card) == PasswordProof(is_right=True, version=1)


@pytest.mark.parametrize(
    ("password", "weakness"),
    [("12345", Weakness.NOT_SIX_DIGITS), ("111111", Weakness.ONE_DIGIT), ("307704", Weakness.OF_ID_NUMBER)],
)
async def test_weak_password_is_not_written(desk: Desk, password: str, weakness: Weakness) -> None:
    card = await a_card(desk.sql)
    written = await desk.desk.write_password(card, password, salt=SALT, id_number="11010119900307704X")
    assert written is weakness
    assert await desk.sql.fetchval("SELECT count(*) FROM card_password") == 0


async def test_full_queue_is_told_at_once_and_frees_itself() -> None:
    pool = HashingPool(threads=1, jobs_max=3)
    begun, going_on = threading.Event(), threading.Event()

    def work() -> int:
        begun.set()
        assert going_on.wait(60)
        return 7

    jobs = [asyncio.create_task(pool.run(work)) for _ in range(3)]
    assert await asyncio.to_thread(begun.wait, 60)
    assert await pool.run(work) is Refusal.OVERLOADED
    jobs[2].cancel()  # its caller has gone: it is never begun
    await asyncio.wait([jobs[2]])
    late = asyncio.create_task(pool.run(work))
    going_on.set()
    assert await asyncio.gather(*jobs[:2], late) == [7, 7, 7]
    assert await pool.run(lambda: 8) == 8
    pool.close()


async def test_job_that_fails_frees_its_place() -> None:
    pool = HashingPool(threads=1, jobs_max=1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            await pool.run(lambda: 1 // 0)
    pool.close()


async def test_nodes_that_start_at_once_have_one_key(pool: asyncpg.Pool, sql: asyncpg.Connection) -> None:
    nodes = [BlockKeys(Passwords(pool), KEYRING) for _ in range(6)]
    await asyncio.gather(*(node.open(IdSource(), now=NOW) for node in nodes))
    assert len({node.published for node in nodes}) == 1
    assert await sql.fetchval("SELECT count(*) FROM password_key") == 1


async def test_key_is_replaced_when_it_is_old_and_still_opens(pool: asyncpg.Pool, sql: asyncpg.Connection) -> None:
    first = await opened_keys(pool)
    same = await opened_keys(pool, now=NOW + ROTATE_AFTER - timedelta(seconds=1))
    later = await opened_keys(pool, now=NOW + ROTATE_AFTER)
    assert same.published == first.published
    assert later.published.kid == "password-2"
    assert later.published.x != first.published.x
    desk = Desk(pool, sql, later)
    card = await desk.card()
    kept = sealer_of(first).seal(PASSWORD, order_no="A-1001")
    for block in (kept, desk.block()):
        assert await desk.check(card, block) == PasswordProof(is_right=True, version=1)
    desk.pool.close()


async def test_key_that_another_node_has_made_is_known_here(desk: Desk, pool: asyncpg.Pool) -> None:
    newer = await opened_keys(pool, now=NOW + ROTATE_AFTER)
    block = sealer_of(newer).seal(PASSWORD, order_no="A-1001")
    assert await desk.check(await desk.card(), block) == PasswordProof(is_right=True, version=1)


async def test_names_of_keys_that_there_are_not_do_not_ask_the_database_again_and_again(pool: asyncpg.Pool) -> None:
    keys = await opened_keys(pool)
    assert await keys.key("password-9") is None
    await opened_keys(pool, now=NOW + ROTATE_AFTER)
    assert await keys.key("password-2") is None  # it would be found if the database were asked
    assert await keys.key("password-1") is not None


async def test_keys_of_another_master_secret_are_not_taken(pool: asyncpg.Pool) -> None:
    await opened_keys(pool)
    with pytest.raises(SealBroken):
        await BlockKeys(Passwords(pool), Keyring(b"x" * 32)).open(IdSource(), now=NOW)


@pytest.mark.parametrize(
    "document",
    [b"", b"{}", b'{"keys": []}', b'{"keys": [{"use": "sig"}]}', b'{"keys": [{"use": "enc", "kty": "RSA"}]}'],
)
def test_sealer_wants_a_key_to_seal_for(document: bytes) -> None:
    with pytest.raises(NoSealingKey):
        PasswordSealer(document)


@pytest.mark.parametrize("bound", [{}, {"order_no": "A", "payment_id": "pay_1"}])
async def test_sealer_wants_one_thing_to_confirm(desk: Desk, bound: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="either"):
        desk.sealer.seal(PASSWORD, **bound)


async def test_two_blocks_of_one_password_share_nothing(desk: Desk) -> None:
    first, second = desk.block().split("."), desk.block().split(".")
    assert [a == b for a, b in zip(first, second, strict=True)] == [False, True, False, False, False]
