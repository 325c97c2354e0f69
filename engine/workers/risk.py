"""Keeps the rules of risk up to date in a process, writes down what they decided, and carries out reviews."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import asyncpg
import structlog

from engine.flows.assess_risk import RiskDesk
from engine.flows.review_payment import ReviewedPayments, carry_out_reviews
from engine.store.faults import Fault
from engine.workers.pauses import OnFault, pause, uncounted

PAUSE_S: Final = 1.0

log = structlog.get_logger("engine.workers")


@asynccontextmanager
async def open_risk_desk(
    desk: RiskDesk, stopping: asyncio.Event, *, on_fault: OnFault = uncounted
) -> AsyncIterator[RiskDesk]:
    """A process's desk at work; on the way out everything it has decided is written down. A bug sets *stopping*."""
    closing = asyncio.Event()
    running = asyncio.create_task(run_risk_desk(desk, closing, on_fault=on_fault))
    running.add_done_callback(lambda _: stopping.set())
    try:
        yield desk
    finally:
        closing.set()
        await running
        await desk.close()


async def run_risk_desk(desk: RiskDesk, stopping: asyncio.Event, *, on_fault: OnFault = uncounted) -> None:
    """Each process's own: read the rules, write down decisions, until *stopping*. What fails is tried again."""
    while not stopping.is_set():
        try:
            await desk.refresh()
            await desk.write_waiting()
        except Fault as fault:
            log.warning("risk.failed", fault=str(fault) or type(fault).__name__)
            on_fault()
        await pause(stopping, PAUSE_S)


async def run_review_keeper(
    pool: asyncpg.Pool, payments: ReviewedPayments, stopping: asyncio.Event, *, on_fault: OnFault = uncounted
) -> None:
    """Carry out what was decided on reviews until *stopping*. Several nodes may do it at once."""
    while not stopping.is_set():
        try:
            await carry_out_reviews(pool, payments)
        except Fault as fault:
            log.warning("reviews.failed", fault=str(fault) or type(fault).__name__)
            on_fault()
        await pause(stopping, PAUSE_S)
