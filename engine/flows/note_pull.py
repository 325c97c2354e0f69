"""Keeping that a bank has its file, for whoever watches who is late."""

from contextlib import suppress

import asyncpg

from engine.store.faults import Fault, translated
from engine.store.reads import Reads
from engine.store.settlement import note_pulled


async def note_pull(pool: asyncpg.Pool, name: str) -> None:
    """A file was pulled to its end; the first time is kept. What goes wrong costs an alarm too many, and never the bank
    its file.
    """
    with suppress(Fault), translated():
        await note_pulled(pool, name, at=(await Reads(pool).business_now()).now)
