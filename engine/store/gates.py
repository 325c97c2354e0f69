"""Gates as the engine knows them: their terminals' keys, and up to which number their tickets have come in."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from engine.codes.http_signature import Ed25519Key
from engine.codes.ride_ticket import TerminalKey
from engine.core.ids import CardId, MerchantId
from engine.store.connection import AnyConnection
from engine.store.faults import translated
from engine.store.participants import Source
from engine.store.sql import load_queries


class GateState(msgspec.Struct, frozen=True):
    """A terminal's keys, oldest first, and the number of its last ticket that came in."""

    keys: tuple[TerminalKey, ...]
    last_sequence: int


class Span(msgspec.Struct, frozen=True):
    """Tickets of one terminal from one number to another, both included, all of which have been answered."""

    terminal_id: str
    first: int
    last: int


async def closed_scenarios(source: Source, card: CardId) -> int:
    """The scenarios that are closed to a card's holder until an unpaid ride is paid: bit n for number n."""
    with translated():
        closed: int | None = await source.fetchval(load_queries("gates")["closed_scenarios"], card)
    return closed if closed is not None else 0


async def set_terminal_key(
    connection: AnyConnection, merchant: MerchantId, terminal_id: str, public_key: bytes, *, now: datetime
) -> bool:
    """From *now* on the terminal signs with this Ed25519 key of 32 bytes, and no more with the one before.

    The same key again changes nothing. False: there is no such terminal.
    Locks: the terminal, until the caller's transaction ends.
    """
    queries = load_queries("gates")
    with translated():
        if await connection.fetchval(queries["lock_terminal"], merchant, terminal_id) is None:
            return False
        await connection.execute(queries["retire_terminal_key"], merchant, terminal_id, public_key, now)
        await connection.execute(queries["insert_terminal_key"], merchant, terminal_id, public_key, now)
        await connection.execute(queries["begin_gate_progress"], merchant, terminal_id)
    return True


async def retire_terminal_key(
    connection: AnyConnection, merchant: MerchantId, terminal_id: str, *, now: datetime
) -> None:
    """What the terminal has signed for *now* or later does not count; what it took before does."""
    with translated():
        await connection.execute(load_queries("gates")["retire_terminal_key"], merchant, terminal_id, None, now)


async def load_gates(source: Source, merchant: MerchantId, terminals: Iterable[str]) -> Mapping[str, GateState]:
    """Those of the merchant's terminals that have ever had a key, by terminal."""
    with translated():
        rows = await source.fetch(load_queries("gates")["gates"], merchant, sorted(set(terminals)))
    keys: dict[str, list[TerminalKey]] = {}
    last: dict[str, int] = {}
    for row in rows:
        retired = row["retired_at"]
        key = TerminalKey(
            key=Ed25519Key(Ed25519PublicKey.from_public_bytes(row["public_key"])),
            valid_from_s=row["valid_from"].timestamp(),
            retired_s=retired.timestamp() if retired is not None else None,
        )
        keys.setdefault(row["terminal_id"], []).append(key)
        last[row["terminal_id"]] = row["last_sequence"]
    return {terminal: GateState(tuple(found), last[terminal]) for terminal, found in keys.items()}


async def claim_sequences(source: Source, merchant: MerchantId, spans: Sequence[Span]) -> frozenset[str]:
    """The terminals whose tickets now count as come in up to their span's end; one span a terminal.

    A terminal is not among them if its span would leave a gap, or if another upload has come as far. What has come in
    never becomes less. Call it once the tickets are answered: until then they may be brought in again.
    """
    assert len({span.terminal_id for span in spans}) == len(spans), "one span a terminal"
    with translated():
        rows = await source.fetch(
            load_queries("gates")["claim_sequences"],
            merchant,
            [span.terminal_id for span in spans],
            [span.first for span in spans],
            [span.last for span in spans],
        )
    return frozenset(row["terminal_id"] for row in rows)
