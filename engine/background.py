"""The loops that run behind a node: what becomes due by itself, and what is told to others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from engine.core.channel_risk import CHANNEL_RULES, lifted
from engine.flows.deliver_webhooks import WebhookParts
from engine.flows.disburse_send import Sender
from engine.flows.reconcile_statement import Statements
from engine.flows.returned_lines import LinesGivenBack
from engine.web.executors import executors_of
from engine.web.node import Node
from engine.web.wire_webhooks import webhook_body
from engine.workers.approvals import run_approval_keeper
from engine.workers.cards import run_card_keeper
from engine.workers.channels import run_channel_watch
from engine.workers.disbursements import run_disbursement_sender
from engine.workers.holds import run_hold_sweeper
from engine.workers.partitions import run_partition_keeper
from engine.workers.publisher import PublisherProcess
from engine.workers.risk import run_review_keeper
from engine.workers.statements import run_statement_keeper
from engine.workers.territory import run_territory_keeper
from engine.workers.timetable import run_timetable
from engine.workers.webhooks import run_webhooks


@asynccontextmanager
async def open_workers(node: Node) -> AsyncIterator[None]:
    """The background loops: holds that lapse, the timetable, benefits to be sent, partitions ahead of time, and what
    owners of webhook endpoints are told.
    """
    stopping = asyncio.Event()
    count = node.metrics.count_fault
    loops = [
        asyncio.create_task(running)
        for running in (
            run_hold_sweeper(node.ledger, node.reads, stopping, on_fault=partial(count, "holds")),
            run_timetable(
                node.database_url,
                node.signing_keys[0],
                stopping,
                books=node.clearing,
                publish=PublisherProcess(node.database_url, node.signing_keys[0], stopping),
                on_fault=partial(count, "timetable"),
                on_alarms=node.metrics.show_alarms,
            ),
            run_partition_keeper(node.pool, node.reads, stopping, on_fault=partial(count, "partitions")),
            run_approval_keeper(node.pool, executors_of(node), stopping, on_fault=partial(count, "approvals")),
            run_disbursement_sender(
                node.pool,
                Sender(node.pool, node.ledger, node.eligibility),
                stopping,
                on_fault=partial(count, "disbursements"),
            ),
            run_statement_keeper(_statements_of(node), stopping, on_fault=partial(count, "statements")),
            run_review_keeper(node.pool, node.reviewed, stopping, on_fault=partial(count, "reviews")),
            run_card_keeper(node.pool, node.ledger, node.reads, stopping, on_fault=partial(count, "cards")),
            run_territory_keeper(
                node.database_url,
                node.pool,
                node.ledger,
                node.reads,
                stopping,
                on_fault=partial(count, "territory"),
            ),
            run_webhooks(webhook_parts(node), stopping, on_fault=partial(count, "webhooks")),
        )
    ]
    for loop in loops:
        # A loop that ends by itself has met a bug: the node stops rather than go on without it.
        loop.add_done_callback(lambda _: node.stopping.set())
    try:
        yield
    finally:
        stopping.set()
        await asyncio.gather(*loops)


@asynccontextmanager
async def open_channel_watch(node: Node) -> AsyncIterator[None]:
    """The loop of each process that serves HTTP: it writes down what it has counted of channels, and acts on it."""
    if node.sandbox_time is not None:
        node.channels.rules = lifted(CHANNEL_RULES)  # wrong requests are tried there on purpose
    stopping = asyncio.Event()
    on_fault = partial(node.metrics.count_fault, "channels")
    loop = asyncio.create_task(run_channel_watch(node.pool, node.channels, node.ids, stopping, on_fault=on_fault))
    loop.add_done_callback(lambda _: node.stopping.set())
    try:
        yield
    finally:
        stopping.set()
        await loop


def webhook_parts(node: Node) -> WebhookParts:
    """What the node tells owners of endpoints with."""
    return WebhookParts(
        pool=node.pool,
        keyring=node.keyring,
        callbacks=node.callbacks,
        clock=node.clock,
        write=webhook_body,
        draw=lambda: int.from_bytes(node.ids.token()) / 2**128,
    )


def _statements_of(node: Node) -> Statements:
    """Compares banks' statements with what they were told."""
    returned = LinesGivenBack(node.database_url)
    return Statements(node.pool, node.database_url, node.ids, returned=returned)
