"""Passwords and card numbers as they are kept: by version and by index, and never as they are."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import asyncpg
import pytest

from engine.codes.keys import Keyring
from engine.core.ids import CardId, IdKind
from engine.store.card_numbers import CardNumbers, card_number_index
from engine.store.connection import open_pool
from engine.store.passwords import Passwords, SealedKey
from tests.builders import an_id
from tests.cards import a_card, take_into_use

KEYRING = Keyring(bytes(32))
CARD_NO = "Z12345679"
NOW = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.fixture
async def pool(dsn: str) -> AsyncIterator[asyncpg.Pool]:
    """Connections to the test's database."""
    pool = await open_pool(dsn, size_max=8)
    yield pool
    await pool.close()


@pytest.fixture
async def cards(sql: asyncpg.Connection) -> tuple[CardId, CardId]:
    """Two cards that exist."""
    return await a_card(sql), await a_card(sql)


async def present(store: Passwords, card: CardId) -> tuple[int, str] | None:
    """Version and hash of a card's password."""
    stored = await store.password_of(card)
    return (stored.version, stored.phc) if stored is not None else None


async def test_password_is_good_from_when_the_payers_row_names_it(
    pool: asyncpg.Pool, sql: asyncpg.Connection, cards: tuple[CardId, CardId]
) -> None:
    store, card = Passwords(pool), cards[0]
    assert await present(store, card) is None
    assert await store.insert(card, "$argon2id$first") == 1
    assert await present(store, card) is None
    await take_into_use(sql, card, 1)
    assert await store.insert(card, "$argon2id$second") == 2
    assert await present(store, card) == (1, "$argon2id$first")
    await take_into_use(sql, card, 2)
    assert await present(store, card) == (2, "$argon2id$second")
    assert await present(store, cards[1]) is None


async def test_password_that_was_never_taken_into_use_does_not_stop_the_next_one(
    pool: asyncpg.Pool, sql: asyncpg.Connection, cards: tuple[CardId, CardId]
) -> None:
    store, card = Passwords(pool), cards[0]
    assert [await store.insert(card, f"$argon2id${n}") for n in range(3)] == [1, 2, 3]
    await take_into_use(sql, card, 3)
    assert await present(store, card) == (3, "$argon2id$2")


async def test_passwords_before_the_present_one_are_forgotten(
    pool: asyncpg.Pool, sql: asyncpg.Connection, cards: tuple[CardId, CardId]
) -> None:
    store, card, other = Passwords(pool), *cards
    await store.insert(other, "$argon2id$other")
    for version in (1, 2, 3):
        assert await store.insert(card, f"$argon2id${version}") == version
        await take_into_use(sql, card, version)
    kept = await sql.fetch("SELECT card, version FROM card_password ORDER BY version, card = $1", card)
    assert [tuple(row) for row in kept] == [(other, 1), (card, 2), (card, 3)]


async def test_of_two_passwords_that_are_set_at_once_the_slower_one_is_told(
    pool: asyncpg.Pool, sql: asyncpg.Connection, cards: tuple[CardId, CardId]
) -> None:
    store, card = Passwords(pool), cards[0]
    async with sql.transaction():
        await sql.execute("INSERT INTO card_password VALUES ($1, 1, '$argon2id$faster', now())", card)
        slower = asyncio.create_task(store.insert(card, "$argon2id$slower"))
        while not await pool.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
            continue
    assert await slower is None
    assert await store.insert(card, "$argon2id$again") == 2


async def test_of_passwords_that_are_set_at_once_each_has_its_own_version(
    pool: asyncpg.Pool, sql: asyncpg.Connection, cards: tuple[CardId, CardId]
) -> None:
    store, card = Passwords(pool), cards[0]
    written = await asyncio.gather(*(store.insert(card, f"$argon2id${n}") for n in range(20)))
    versions = [version for version in written if version is not None]
    assert sorted(versions) == list(range(1, len(versions) + 1))
    assert await sql.fetchval("SELECT count(*) FROM card_password") == len(versions)


async def test_only_hashes_are_kept(sql: asyncpg.Connection) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await sql.execute("INSERT INTO card_password VALUES ($1, 1, '123456', now())", an_id(IdKind.CARD))


async def test_hash_does_not_show(pool: asyncpg.Pool, sql: asyncpg.Connection, cards: tuple[CardId, CardId]) -> None:
    store = Passwords(pool)
    await store.insert(cards[0], "$argon2id$secret")
    await take_into_use(sql, cards[0], 1)
    assert "secret" not in repr(await store.password_of(cards[0]))


async def test_keys_come_newest_first_and_the_first_of_a_name_stays(pool: asyncpg.Pool) -> None:
    store = Passwords(pool)
    assert await store.keys() == []
    old = SealedKey("password-1", b"old", NOW)
    new = SealedKey("password-2", b"new", NOW.replace(year=2027))
    for key in (old, new, SealedKey("password-1", b"other", NOW)):
        await store.insert_key(key, field_key_id=1)
    assert await store.keys() == [new, old]


async def test_card_is_found_by_its_number(pool: asyncpg.Pool, sql: asyncpg.Connection) -> None:
    card = an_id(IdKind.CARD)
    await sql.execute("INSERT INTO card_number VALUES ($1, $2)", card_number_index(KEYRING, CARD_NO), card)
    assert await CardNumbers(pool, KEYRING).card_of(CARD_NO) == card
    assert await CardNumbers(pool, Keyring(b"x" * 32)).card_of(CARD_NO) is None


@pytest.mark.parametrize(
    "text", ["", "Z12345678", "z12345679", CARD_NO + "\n", " " + CARD_NO, CARD_NO * 100, "Ｚ12345679"]
)
async def test_nothing_else_finds_a_card(pool: asyncpg.Pool, sql: asyncpg.Connection, text: str) -> None:
    indices = {card_number_index(KEYRING, known) for known in (CARD_NO, text) if known != "Z12345678"}
    for index in indices:
        await sql.execute("INSERT INTO card_number VALUES ($1, $2)", index, an_id(IdKind.CARD))
    assert await CardNumbers(pool, KEYRING).card_of(text) is None


def test_index_does_not_show_the_number_and_is_no_other_registers() -> None:
    assert CARD_NO.encode() not in card_number_index(KEYRING, CARD_NO)
    assert card_number_index(KEYRING, CARD_NO) != KEYRING.blind_index(CARD_NO)
