"""Terminals' keys and the progress of their tickets: one key in use, and numbers that never go back."""

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from engine.core.ids import IdKind, MerchantId
from engine.store.connection import READ_SETTINGS, connect, open_pool
from engine.store.faults import PoisonedBatch
from engine.store.gates import (
    Span,
    claim_sequences,
    load_gates,
    retire_terminal_key,
    set_terminal_key,
)
from tests.builders import an_id

NOON = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
PRIVATE = tuple(Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in range(3))
PUBLIC = tuple(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw) for key in PRIVATE)
MERCHANT, OTHER = (MerchantId(an_id(IdKind.MERCHANT)) for _ in range(2))
TERMINALS = ("T-01", "T-02", "T-03")


@pytest.fixture
async def gates(sql: asyncpg.Connection) -> asyncpg.Connection:
    """Two merchants with three terminals of the same names; the first one's all have a key."""
    for merchant in (MERCHANT, OTHER):
        for terminal in TERMINALS:
            await sql.execute("INSERT INTO terminal VALUES ($1, $2)", merchant, terminal)
    for terminal in TERMINALS:
        assert await set_terminal_key(sql, MERCHANT, terminal, PUBLIC[0], now=NOON)
    return sql


async def progress(gates: asyncpg.Connection) -> list[int]:
    found = await load_gates(gates, MERCHANT, TERMINALS)
    return [found[terminal].last_sequence for terminal in TERMINALS]


async def test_key_is_read_as_it_was_given(gates: asyncpg.Connection) -> None:
    found = await load_gates(gates, MERCHANT, ["T-02", "T-02", "T-99"])
    assert found.keys() == {"T-02"}
    (key,) = found["T-02"].keys
    assert key.key.verify(b"ticket", PRIVATE[0].sign(b"ticket"))
    assert (key.valid_from_s, key.retired_s, found["T-02"].last_sequence) == (NOON.timestamp(), None, 0)
    assert await load_gates(gates, OTHER, TERMINALS) == {}


async def test_new_key_takes_over_where_the_old_one_ends(gates: asyncpg.Connection) -> None:
    later = NOON + timedelta(days=1)
    await claim_sequences(gates, MERCHANT, [Span("T-01", 1, 9)])
    assert await set_terminal_key(gates, MERCHANT, "T-01", PUBLIC[1], now=later)
    state = (await load_gates(gates, MERCHANT, ["T-01"]))["T-01"]
    assert [(key.valid_from_s, key.retired_s) for key in state.keys] == [
        (NOON.timestamp(), later.timestamp()),
        (later.timestamp(), None),
    ]
    assert [key.key.verify(b"x", PRIVATE[1].sign(b"x")) for key in state.keys] == [False, True]
    assert state.last_sequence == 9  # the numbers go on: they are the terminal's, whatever it signs with


async def test_same_key_again_changes_nothing(gates: asyncpg.Connection) -> None:
    before = (await load_gates(gates, MERCHANT, ["T-01"]))["T-01"].keys[0]
    assert await set_terminal_key(gates, MERCHANT, "T-01", PUBLIC[0], now=NOON + timedelta(hours=1))
    (after,) = (await load_gates(gates, MERCHANT, ["T-01"]))["T-01"].keys
    assert (after.valid_from_s, after.retired_s) == (before.valid_from_s, None)


async def test_key_may_change_twice_in_an_instant_and_come_back(gates: asyncpg.Connection) -> None:
    for public in (PUBLIC[1], PUBLIC[0]):
        assert await set_terminal_key(gates, MERCHANT, "T-01", public, now=NOON)
    state = (await load_gates(gates, MERCHANT, ["T-01"]))["T-01"]
    assert [key.signs_at(NOON.timestamp()) for key in state.keys] == [False, False, True]
    assert state.keys[2].key.verify(b"x", PRIVATE[0].sign(b"x"))


async def test_stolen_terminal_signs_nothing_more(gates: asyncpg.Connection) -> None:
    later = NOON + timedelta(hours=3)
    await retire_terminal_key(gates, MERCHANT, "T-01", now=later)
    await retire_terminal_key(gates, MERCHANT, "T-01", now=later + timedelta(hours=1))
    state = await load_gates(gates, MERCHANT, TERMINALS)
    (key,) = state["T-01"].keys
    assert [key.signs_at(later.timestamp() + s) for s in (-1, 0)] == [True, False]
    assert state["T-02"].keys[0].retired_s is None
    await retire_terminal_key(gates, MERCHANT, "T-02", now=NOON - timedelta(hours=1))  # a clock that went back
    assert (await load_gates(gates, MERCHANT, TERMINALS))["T-02"].keys[0].retired_s == NOON.timestamp()


async def test_terminal_that_does_not_exist_gets_no_key(gates: asyncpg.Connection) -> None:
    assert not await set_terminal_key(gates, MERCHANT, "T-99", PUBLIC[0], now=NOON)
    assert await load_gates(gates, MERCHANT, ["T-99"]) == {}


async def test_what_is_no_key_is_not_kept(gates: asyncpg.Connection) -> None:
    with pytest.raises(PoisonedBatch):
        await set_terminal_key(gates, MERCHANT, "T-01", b"short", now=NOON)


async def test_two_keys_at_once_leave_one_in_use(dsn: str, gates: asyncpg.Connection) -> None:
    async def replace(public: bytes) -> None:
        connection = await connect(dsn, READ_SETTINGS, application_name="test")
        async with connection.transaction():
            assert await set_terminal_key(connection, MERCHANT, "T-01", public, now=NOON)
        await connection.close()

    await asyncio.gather(*(replace(public) for public in (PUBLIC * 4)))
    state = (await load_gates(gates, MERCHANT, ["T-01"]))["T-01"]
    assert [key.retired_s is None for key in state.keys].count(True) == 1


async def test_spans_of_several_terminals_are_claimed_in_one_statement(gates: asyncpg.Connection) -> None:
    spans = [Span("T-01", 1, 5), Span("T-02", 2, 9), Span("T-03", 1, 1), Span("T-99", 1, 3)]
    assert await claim_sequences(gates, MERCHANT, spans) == {"T-01", "T-03"}
    assert await progress(gates) == [5, 0, 1]
    assert await claim_sequences(gates, MERCHANT, []) == frozenset()


async def test_numbers_never_go_back_and_leave_no_gap(gates: asyncpg.Connection) -> None:
    await claim_sequences(gates, MERCHANT, [Span("T-01", 1, 5)])
    for first, last, reached in (
        (7, 9, 5),  # a gap
        (1, 5, 5),  # all of them again
        (2, 4, 5),  # some of them again
        (6, 5, 5),  # none
        (6, 8, 8),  # the next ones
        (1, 9, 9),  # all of them again, and more
        (9, 12, 12),  # the last one again, and more
    ):
        before = (await progress(gates))[0]
        claimed = await claim_sequences(gates, MERCHANT, [Span("T-01", first, last)])
        assert await progress(gates) == [reached, 0, 0]
        assert claimed == ({"T-01"} if reached > before else set())


async def test_same_terminal_of_another_merchant_is_another_one(gates: asyncpg.Connection) -> None:
    await set_terminal_key(gates, OTHER, "T-01", PUBLIC[0], now=NOON)
    assert await claim_sequences(gates, OTHER, [Span("T-01", 1, 7)]) == {"T-01"}
    assert await progress(gates) == [0, 0, 0]


async def test_uploads_at_once_claim_each_number_once_and_do_not_deadlock(dsn: str, gates: asyncpg.Connection) -> None:
    pool = await open_pool(dsn, size_max=6)
    spans = [
        [Span(terminal, 1, last) for terminal in order]
        for last in range(1, 31)
        for order in (TERMINALS, TERMINALS[::-1])
    ]
    claimed = await asyncio.gather(*(claim_sequences(pool, MERCHANT, span) for span in spans))
    await pool.close()
    assert await progress(gates) == [30, 30, 30]
    for terminal in TERMINALS:
        reached = [span[0].last for span, won in zip(spans, claimed, strict=True) if terminal in won]
        assert len(reached) == len(set(reached))
