"""Events that are to be told become messages, each once for each endpoint that wants it."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

import asyncpg

from engine.core.ids import AgencyId
from engine.core.payments import Payment
from engine.core.webhooks import GIVE_UP_AFTER, Subscription, event_id, event_type
from engine.store.faults import translated
from engine.store.rows import Row
from engine.store.webhook_outbox import (
    OutboxEvent,
    load_agencies_of_bills,
    load_lanes_ahead,
    load_page,
    load_subscriptions,
    lock_spooling,
    pass_batches,
)
from engine.store.webhooks import insert_messages

BATCHES_MAX: Final = 256
EVENTS_MAX: Final = 1_000
"""Of one transaction: a few milliseconds, in which the loop does nothing else than read what was answered."""

Told = tuple[OutboxEvent, Payment]


async def spool_webhooks(pool: asyncpg.Pool, *, now: datetime) -> int:
    """Make messages of everything that has happened and was not looked at. Returns how many.

    *now* is wall time. Several nodes may do it at once; one of them does it.

    Raises:
        Fault: the database cannot do it; the next call goes on where this one stopped.
    """
    made = 0
    while True:
        spooled = await _spool_page(pool, now=now)
        if spooled is None:
            return made
        made += spooled


async def _spool_page(pool: asyncpg.Pool, *, now: datetime) -> int | None:
    """Spool what comes next, in one transaction. None if there is nothing, or somebody else is at it.

    Endpoints are read after the events: one that was registered meanwhile is told what happened after it was, and that
    is what comes with the next page.
    """
    with translated():
        if not await load_lanes_ahead(pool):
            return None
        async with pool.acquire() as connection, connection.transaction():
            if not await lock_spooling(connection):
                return None
            ahead = await load_lanes_ahead(connection)
            subscriptions = await load_subscriptions(connection)
            if not subscriptions:
                await pass_batches(connection, ahead)
                return None
            page = await load_page(connection, batches_max=BATCHES_MAX, events_max=EVENTS_MAX)
            if not page.passed:
                return None
            subscriptions = await load_subscriptions(connection)
            told = list(_moves(page.events))
            bills = sorted({payment.bill_no for _, payment in told if payment.bill_no is not None})
            agencies = await load_agencies_of_bills(connection, bills) if bills else {}
            rows = list(_messages(told, subscriptions, agencies))
            if rows:
                await insert_messages(connection, rows, now=now, give_up_at=now + GIVE_UP_AFTER)
            await pass_batches(connection, page.passed)
            return len(rows)


def _moves(events: Sequence[OutboxEvent]) -> Iterator[Told]:
    """The events that move a payment, with the payment as it then stood."""
    for event in events:
        payment = event.remembered().answer.payment
        if payment is not None:
            yield event, payment


def _messages(
    told: Sequence[Told], subscriptions: Sequence[Subscription], agencies: dict[str, AgencyId]
) -> Iterator[Row]:
    """`new_webhook_message` rows: for each event, one for each endpoint that wants it."""
    by_owner: defaultdict[bytes, list[Subscription]] = defaultdict(list)
    for subscription in subscriptions:
        by_owner[subscription.owner].append(subscription)
    for event, payment in told:
        for owner in _owners(payment, agencies):
            name = event_type(event.kind, payment)
            for subscription in by_owner.get(owner, ()):
                if subscription.wants(name, event.at):
                    yield _row(subscription.endpoint, event, payment, name)


def _owners(payment: Payment, agencies: dict[str, AgencyId]) -> Iterator[bytes]:
    """Whose business a payment is: its merchant's, the agency's whose bill it pays, the app's that confirmed it."""
    yield payment.merchant
    if payment.bill_no is not None and payment.bill_no in agencies:
        yield agencies[payment.bill_no]
    if payment.details is not None and payment.details.channel is not None:
        yield payment.details.channel


def _row(endpoint: bytes, event: OutboxEvent, payment: Payment, name: str) -> Row:
    return (
        endpoint,
        event_id(lane=event.lane, seq=event.seq, n=event.n, at=event.at, payment=payment.id),
        payment.id,
        payment.sequence,
        name,
        event.business_date,
        event.lane,
        event.seq,
        event.n,
        event.at,
    )
