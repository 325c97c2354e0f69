"""Waiting for an outcome: whoever asks is answered the moment there is one, whichever process it came about in.

A process that ends something announces it; those in which somebody waits for it look, and answer. An announcement is a
hint and may be lost, so everything that is waited for is also looked at once a second, all of it by one query.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from typing import Final

import asyncpg

from engine.core.ids import IdKind, kind_number
from engine.hints.outcomes import Outcomes
from engine.ledger.queue import Overloaded
from engine.store.faults import Fault
from engine.store.orders import closed_orders, settled_payments
from engine.store.participants import load_clocks

WAITERS_MAX: Final = 4_096
WAITERS_OF_ONE_MAX: Final = 64
"""For one payment or order: the link of an order is all that waiting for it takes, and must not keep others out."""

LOOK_EVERY_S: Final = 1.0


class _Waiter:
    """Somebody who waits, and how to know that he has gone."""

    __slots__ = ("is_gone", "woken")

    def __init__(self, is_gone: Callable[[], bool]) -> None:
        self.is_gone = is_gone
        self.woken = asyncio.Event()


class PaymentWatch:
    """Who waits in this process for which payment, or for which order to be closed."""

    def __init__(
        self, pool: asyncpg.Pool, outcomes: Outcomes, stopping: asyncio.Event, *, waiters_max: int = WAITERS_MAX
    ) -> None:
        """Nobody waits yet. Once *stopping* is set nobody is kept waiting."""
        self._pool = pool
        self._outcomes = outcomes
        self._stopping = stopping
        self._waiters_max = waiters_max
        self._waiters: dict[bytes, set[_Waiter]] = {}
        self._is_wanted = asyncio.Event()
        self._count = 0

    @property
    def waiter_count(self) -> int:
        """How many wait."""
        return self._count

    def announce(self, identifier: bytes) -> None:
        """A payment may be final, or an order closed: to be told once that is committed. Waits for nothing."""
        self._wake(identifier)
        self._outcomes.tell(identifier)

    async def wait(self, identifier: bytes, timeout_s: float, *, is_gone: Callable[[], bool] = lambda: False) -> bool:
        """True as soon as a payment is final, or an order cannot be paid any more; False if the time is over first.

        Final is everything that holds nothing which somebody may still take, and does not wait for its cardholder.
        False, too, within a second after *is_gone* says that nobody wants to know any more, or the node has to stop.

        Raises:
            Overloaded: too many wait already.
            Fault: the database cannot be asked.
        """
        if self._count >= self._waiters_max or len(self._waiters.get(identifier, ())) >= WAITERS_OF_ONE_MAX:
            raise Overloaded
        waiter = _Waiter(is_gone)
        # First wait, then look: what happens in between wakes.
        self._waiters.setdefault(identifier, set()).add(waiter)
        self._count += 1
        self._is_wanted.set()
        try:
            async with asyncio.timeout(timeout_s):
                while not await self._over([identifier]):
                    await waiter.woken.wait()
                    waiter.woken.clear()
                    if self._stopping.is_set() or is_gone():
                        return False
                return True
        except TimeoutError:
            return False
        finally:
            self._leave(identifier, waiter)

    async def run(self) -> None:
        """Hear what other processes announce, and look once a second; until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._outcomes.listen(self._wake))
            tasks.create_task(self._look_again_and_again())

    async def _look_again_and_again(self) -> None:
        while True:
            await self._is_wanted.wait()
            await asyncio.sleep(LOOK_EVERY_S)
            for identifier in await self._unwanted_or_over():
                self._wake(identifier)
            if not self._waiters:
                self._is_wanted.clear()

    async def _unwanted_or_over(self) -> Collection[bytes]:
        if self._stopping.is_set():
            return list(self._waiters)
        unwanted = {
            identifier for identifier, waiters in self._waiters.items() if any(waiter.is_gone() for waiter in waiters)
        }
        try:
            return unwanted.union(await self._over(list(self._waiters)))
        except Fault:
            return unwanted  # whoever is woken, or asks anew, is told what the matter is

    async def _over(self, identifiers: list[bytes]) -> list[bytes]:
        """Which of these nobody has to wait for any more."""
        orders = [one for one in identifiers if kind_number(one) == IdKind.ORDER]
        payments = [one for one in identifiers if kind_number(one) != IdKind.ORDER]
        over = await settled_payments(self._pool, payments) if payments else []
        if orders:
            over += await closed_orders(self._pool, orders, now=(await load_clocks(self._pool)).business)
        return over

    def _wake(self, identifier: bytes) -> None:
        for waiter in self._waiters.get(identifier, ()):
            waiter.woken.set()

    def _leave(self, identifier: bytes, waiter: _Waiter) -> None:
        self._count -= 1
        waiters = self._waiters[identifier]
        waiters.remove(waiter)
        if not waiters:
            del self._waiters[identifier]


@asynccontextmanager
async def open_payment_watch(
    pool: asyncpg.Pool, outcomes: Outcomes, stopping: asyncio.Event
) -> AsyncIterator[PaymentWatch]:
    """A watch that hears and looks until the block ends. If it ends by itself it has met a bug, and the node stops."""
    watch = PaymentWatch(pool, outcomes, stopping)
    running = asyncio.create_task(watch.run())
    running.add_done_callback(lambda _: stopping.set())
    try:
        yield watch
    finally:
        running.cancel()
        await asyncio.wait({running})
        await outcomes.close()
