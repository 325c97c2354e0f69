"""``python -m engine.workers.publisher``: cycles are published by a process of its own, which all others outrank.

Writing the files of a cycle is seconds of computing. In the process that answers payments it held the interpreter, and
payments waited; at a lower priority beside it, it takes what they leave.
"""

import asyncio
import os
import sys
from typing import Final

import msgspec
import structlog
import uvloop

from engine.codes.keys import SigningKey, signing_key_of
from engine.core.calendar import CycleNumber
from engine.store.clearing_session import ClearingBusy, ClearingSession, open_clearing
from engine.store.faults import Fault
from engine.telemetry import configure_logs
from engine.workers.publishing import Publication, look_at_due, publish_due

NICENESS: Final = 19  # whatever the load, a wake-up for a payment goes first
LOCK_WAIT_S: Final = 2.0
BUSY_EXIT: Final = 75  # EX_TEMPFAIL of sysexits.h
_FAULT_EXIT: Final = 1

log = structlog.get_logger("engine.workers")


class PublisherFailed(Fault):
    """The process that publishes has ended before its work did; the next one goes on where it stopped."""


class _Order(msgspec.Struct, frozen=True):
    """What the process is told, on its standard input: nothing of it belongs on a command line."""

    dsn: str
    key_id: str
    key_der: bytes


class PublisherProcess:
    """Publishes what is due in a process that is started for it, and ends with this one."""

    def __init__(self, dsn: str, signing_key: SigningKey, stopping: asyncio.Event) -> None:
        """Of the books at *dsn*; files and seals are signed with *signing_key*. Once *stopping* is set nothing is
        waited for: what was not done is done after the next start.
        """
        self._stopping = stopping
        self._order = _Order(dsn, signing_key.key_id, signing_key.to_der())

    async def __call__(self, session: ClearingSession) -> Publication:
        """Publish what may be published by now. The closers' lock is the other process's meanwhile.

        Raises:
            ClearingBusy: another closer is at work.
            PublisherFailed: the process could not do it.
            Fault: the database cannot answer.
        """
        is_due, held = await look_at_due(session)
        if not is_due:
            return Publication(held=held)
        await session.unlock()
        published = await self._run()
        _, held = await look_at_due(session)
        return Publication(published=published, held=held)

    async def _run(self) -> tuple[CycleNumber, ...]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", __spec__.name, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        stopping = asyncio.create_task(self._stopping.wait())
        ending = asyncio.create_task(_told(process, self._order))
        try:
            await asyncio.wait((stopping, ending), return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            if process.returncode is None:
                process.kill()
            told = await ending
        if process.returncode == BUSY_EXIT:
            raise ClearingBusy("another closer is at work")
        if process.returncode != 0 and not self._stopping.is_set():
            raise PublisherFailed(f"the process that publishes has ended with {process.returncode}")
        return msgspec.json.decode(told, type=tuple[CycleNumber, ...]) if told else ()


async def _told(process: asyncio.subprocess.Process, order: _Order) -> bytes:
    """What the process says before it ends. Its standard input stays open until then: its end would end it."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(msgspec.json.encode(order) + b"\n")
    told = await process.stdout.read()
    await process.wait()
    return told


def main() -> None:
    """Publish what is due, and tell which cycles that were. Ends with the process that has started this one."""
    os.nice(NICENESS)
    configure_logs()
    order = msgspec.json.decode(sys.stdin.buffer.readline(), type=_Order)
    try:
        published = uvloop.run(_publish(order))
    except ClearingBusy:
        sys.exit(BUSY_EXIT)
    except Fault as fault:
        log.warning("publisher.failed", fault=str(fault) or type(fault).__name__)
        sys.exit(_FAULT_EXIT)
    sys.stdout.buffer.write(msgspec.json.encode(published))


async def _publish(order: _Order) -> tuple[CycleNumber, ...]:
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), _end)
    async with open_clearing(order.dsn) as session:
        done = await publish_due(session, signing_key_of(order.key_id, order.key_der), lock_wait_s=LOCK_WAIT_S)
    return done.published


def _end() -> None:
    os._exit(_FAULT_EXIT)  # every step that is done is kept, and one that is not is taken back by the database


if __name__ == "__main__":
    main()
