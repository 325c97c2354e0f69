"""Work that takes tens of milliseconds of a processor: done beside the event loop, and only so much of it at once."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, TypeVar

from engine.core.refusals import Refusal

T = TypeVar("T")

THREADS: Final = 2
JOBS_MAX: Final = 64
"""Done and waiting together: the last one waits for about 1.2 seconds. Each that runs takes 19 MiB."""


class HashingPool:
    """A few threads with a bounded queue."""

    def __init__(self, *, threads: int = THREADS, jobs_max: int = JOBS_MAX) -> None:
        """Threads begin when there is something to do."""
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="passwords")
        self._jobs_max = jobs_max
        self._jobs = 0
        self._lock = threading.Lock()

    async def run(self, work: Callable[[], T]) -> T | Refusal:
        """What *work* returns, OVERLOADED at once if too much waits already.

        A caller that goes away takes its job with it, unless it has begun.
        """
        with self._lock:
            if self._jobs >= self._jobs_max:
                return Refusal.OVERLOADED
            self._jobs += 1
        job = self._executor.submit(work)
        job.add_done_callback(self._end)
        return await asyncio.wrap_future(job)

    def close(self) -> None:
        """Nothing new is begun; what has begun is waited for."""
        self._executor.shutdown(cancel_futures=True)

    def _end(self, _job: "Future[T]") -> None:
        """Called by the thread that did the job, or by whoever gave it up."""
        with self._lock:
            self._jobs -= 1
