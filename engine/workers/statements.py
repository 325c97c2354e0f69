"""Compares the statements whose comparison was cut short: their banks have been told that they count."""

import asyncio
from datetime import timedelta
from typing import Final

import structlog

from engine.core.ids import id_text
from engine.flows.reconcile_statement import Statements
from engine.store.faults import Fault
from engine.workers.pauses import OnFault, pause, uncounted

PAUSE_S: Final = 10.0
CUT_SHORT_AFTER: Final = timedelta(minutes=10)
"""Since the upload began: what is younger, whoever received it is most likely still at work on it."""

log = structlog.get_logger("engine.workers")


async def compare_cut_short(statements: Statements, *, after: timedelta = CUT_SHORT_AFTER) -> int:
    """Compare what was cut short. Returns how many statements. Several nodes may do it at once: one of them does it.

    Raises:
        Fault: something cannot be compared now.
    """
    compared = await statements.reconcile_pending(since=after)
    for one in compared:
        log.info("statement.compared_late", reconciliation=id_text(one.id), state=one.state.name)
    return len(compared)


async def run_statement_keeper(
    statements: Statements, stopping: asyncio.Event, *, on_fault: OnFault = uncounted
) -> None:
    """Compare what was cut short until *stopping*. What fails is tried again after a pause."""
    while not stopping.is_set():
        try:
            await compare_cut_short(statements)
        except Fault as fault:
            log.warning("statements.failed", fault=str(fault) or type(fault).__name__)
            on_fault()
        await pause(stopping, PAUSE_S)
