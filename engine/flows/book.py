"""Booking what was decided outside the lanes: once for each occasion, however often it is asked."""

import asyncio
from collections.abc import Iterable
from typing import Final

from engine.core.calendar import CycleNumber
from engine.core.commands import Book, Entry
from engine.core.ids import NO_ID, CallerId
from engine.core.postings import PostingKind
from engine.ledger.queue import Overloaded
from engine.ledger.router import KeyInProgress, Ledger
from engine.store.faults import StoreUnavailable

BOOKER: Final = CallerId(NO_ID)
"""The engine itself: its keys name occasions."""

AT_ONCE: Final = 128


def occasion(key: str, *, about: bytes, kind: PostingKind, entries: Iterable[Entry]) -> Book:
    """The command that posts *entries* about *about* for the occasion that *key* names."""
    return Book(caller=BOOKER, key=key, about=about, kind=kind, entries=tuple(entries))


async def book(ledger: Ledger, command: Book) -> CycleNumber:
    """The entries are in the books, perhaps since an earlier time. Returns the cycle that they are in.

    Raises:
        StoreUnavailable: the ledger cannot say so now; asking again is safe.
    """
    try:
        outcome = await ledger.submit(command)
    except (Overloaded, KeyInProgress) as busy:
        raise StoreUnavailable("the ledger is busy") from busy
    assert outcome.answer.refusal is None, f"{command.key} was booked with other entries"
    assert outcome.answer.booked_in is not None, "a booking tells its cycle"
    return outcome.answer.booked_in


async def book_all(ledger: Ledger, commands: Iterable[Book]) -> list[CycleNumber]:
    """The same for many commands; those that are decided together share a batch. Each is booked or not by itself.

    Raises:
        StoreUnavailable: some are perhaps not booked.
    """
    waiting = list(commands)
    cycles: list[CycleNumber] = []
    for at in range(0, len(waiting), AT_ONCE):
        done = await asyncio.gather(
            *(book(ledger, command) for command in waiting[at : at + AT_ONCE]), return_exceptions=True
        )
        for booked in done:
            if isinstance(booked, BaseException):
                raise booked
            cycles.append(booked)
    return cycles
