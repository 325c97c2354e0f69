"""The outbox: events that are to be told, read lane by lane behind a cursor, and messages that are to be sent."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final

import msgspec

from engine.core.answers import EventKind, Remembered
from engine.core.ids import AgencyId
from engine.core.webhooks import TOLD_KINDS, EndpointState, MessageState, Subscription
from engine.store.connection import AnyConnection
from engine.store.faults import translated
from engine.store.participants import Source
from engine.store.rows import remembered_of
from engine.store.sql import load_queries

_LOCK: Final = 7_216_000_001  # of the advisory locks; any number that nothing else here uses
_KINDS: Final = [int(kind) for kind in TOLD_KINDS]


class OutboxEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event that may be told, and where the journal has it."""

    business_date: date
    lane: int
    seq: int
    n: int
    kind: EventKind
    at: datetime
    body: bytes

    def remembered(self) -> Remembered:
        """What was asked and answered."""
        return remembered_of(self.body)


class OutboxPage(msgspec.Struct, frozen=True, kw_only=True):
    """What comes next of all lanes, in order of time, and how far each lane was read."""

    events: tuple[OutboxEvent, ...]
    passed: dict[int, int]  # lane to sequence


class TakenMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message that this worker is to send. `remembered` is None for a test."""

    endpoint: bytes
    id: bytes
    sequence: int | None
    type: str
    happened_at: datetime
    attempt: int
    give_up_at: datetime
    remembered: Remembered | None


async def lock_spooling(connection: AnyConnection) -> bool:
    """True if this transaction is the one that spools; the others leave it to that one."""
    with translated():
        is_mine: bool = await connection.fetchval(load_queries("webhooks")["lock_spooling"], _LOCK)
    return is_mine


async def load_lanes_ahead(source: Source) -> dict[int, int]:
    """Lanes with batches that nobody has looked at, and the last of these."""
    with translated():
        rows = await source.fetch(load_queries("webhooks")["lanes_ahead"])
    return {row["lane"]: row["seq"] for row in rows}


async def load_page(source: Source, *, batches_max: int, events_max: int) -> OutboxPage:
    """What comes next. Bounds: about *events_max* events, of at most *batches_max* batches a lane."""
    with translated():
        rows = await source.fetch(load_queries("webhooks")["next_batches"], batches_max, events_max, _KINDS)
    events = tuple(
        OutboxEvent(
            business_date=row["business_date"],
            lane=row["lane"],
            seq=row["seq"],
            n=row["n"],
            kind=EventKind(row["kind"]),
            at=row["at"],
            body=row["body"],
        )
        for row in rows
        if row["n"] is not None
    )
    return OutboxPage(events=events, passed={row["lane"]: row["seq"] for row in rows})


async def pass_batches(connection: AnyConnection, passed: dict[int, int]) -> None:
    """Nobody has to look at these lanes' batches up to the given ones again."""
    with translated():
        await connection.execute(load_queries("webhooks")["pass_batches"], list(passed), list(passed.values()))


async def load_subscriptions(source: Source) -> list[Subscription]:
    """Every endpoint that is enabled."""
    with translated():
        rows = await source.fetch(load_queries("webhooks")["subscriptions"], EndpointState.ENABLED)
    return [Subscription(row["id"], row["owner"], frozenset(row["types"]), row["created_at"]) for row in rows]


async def load_agencies_of_bills(source: Source, numbers: Sequence[str]) -> dict[str, AgencyId]:
    """Whose bills these are."""
    with translated():
        rows = await source.fetch(load_queries("webhooks")["agencies_of_bills"], numbers)
    return {row["bill_no"]: AgencyId(row["agency"]) for row in rows}


async def load_due_endpoints(source: Source, *, now: datetime, count: int) -> list[bytes]:
    """Enabled endpoints for which something is due, whoever has waited longest first."""
    with translated():
        rows = await source.fetch(load_queries("webhooks")["due_endpoints"], EndpointState.ENABLED, now, count)
    return [row["id"] for row in rows]


async def take_messages(
    source: Source, endpoint: bytes, *, now: datetime, until: datetime, count: int
) -> list[TakenMessage]:
    """Messages that are due, for this worker alone until *until*: then they are due again.

    Order: of messages about one payment only the first that is pending is given out.
    """
    with translated():
        rows = await source.fetch(
            load_queries("webhooks")["take_messages"], endpoint, now, until, count, EndpointState.ENABLED
        )
    return [
        TakenMessage(
            endpoint=row["endpoint"],
            id=row["id"],
            sequence=row["sequence"],
            type=row["type"],
            happened_at=row["happened_at"],
            attempt=row["attempt"],
            give_up_at=row["give_up_at"],
            remembered=remembered_of(row["body"]) if row["body"] is not None else None,
        )
        for row in rows
    ]


async def note_delivered(source: Source, message: TakenMessage, *, now: datetime, status: int) -> None:
    """The receiver has it."""
    with translated():
        await source.execute(
            load_queries("webhooks")["note_delivered"],
            message.endpoint,
            message.id,
            MessageState.DELIVERED,
            now,
            status,
        )


async def note_failed(
    source: Source, message: TakenMessage, *, next_at: datetime, status: int | None, fault: str | None
) -> None:
    """It is tried again at *next_at*, and so is what waits for it."""
    with translated():
        await source.execute(
            load_queries("webhooks")["note_failed"],
            message.endpoint,
            message.id,
            message.attempt,
            next_at,
            status,
            fault,
        )


async def note_dead(
    source: Source, message: TakenMessage, *, now: datetime, status: int | None, fault: str | None
) -> None:
    """It is not tried again unless somebody asks for it."""
    with translated():
        await source.execute(
            load_queries("webhooks")["note_dead"],
            message.endpoint,
            message.id,
            message.attempt,
            MessageState.DEAD,
            now,
            status,
            fault,
        )


async def disable_gone(source: Source, endpoint: bytes) -> None:
    """The receiver has said that it is gone for good."""
    with translated():
        await source.execute(
            load_queries("webhooks")["disable_gone"], endpoint, EndpointState.DISABLED, EndpointState.ENABLED
        )


async def drop_old_messages(source: Source, *, delivered_until: datetime, dead_until: datetime, count: int) -> None:
    """Messages that were kept for long enough are gone, and those of removed endpoints. Bounds: *count* of each."""
    queries = load_queries("webhooks")
    with translated():
        await source.execute(queries["drop_done"], MessageState.DELIVERED, delivered_until, dead_until, count)
        await source.execute(queries["drop_removed_messages"], EndpointState.REMOVED, count)
