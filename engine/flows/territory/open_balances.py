"""Posting the balances of a local platform that were let in, and proving that the books have them all."""

import asyncio
from datetime import datetime
from typing import Final, Protocol

import asyncpg

from engine.core.commands import AnyCommand, OpenAccount
from engine.core.ids import NO_ID, CallerId
from engine.core.local_platforms import PLATFORM_TRANSITIONS, LocalPlatform, PlatformMove, PlatformState, is_proven
from engine.ledger.queue import Outcome
from engine.store.connection import AnyConnection
from engine.store.local_platforms import (
    LineToOpen,
    load_lines_to_open,
    load_opened,
    load_platforms_of_state,
    mark_opened,
    mark_proven,
)

LINES_AT_ONCE: Final = 100  # so many wait at once, beside the payments of everybody else


class Posting(Protocol):
    """Who decides what the ledger is asked."""

    async def submit(self, command: AnyCommand, /) -> Outcome:
        """What became of it.

        Raises:
            Fault: not now.
        """


async def open_balances(pool: asyncpg.Pool, ledger: Posting, platform: LocalPlatform) -> int:
    """Every balance that was let in is posted, each once however often this runs. Returns how many were new.

    A line is marked after its posting is in the books; one whose mark was lost is replayed under its key.

    Raises:
        Fault: not now; the next run goes on.
    """
    count, after = 0, b""
    while lines := await load_lines_to_open(pool, platform.id, after=after, count=LINES_AT_ONCE):
        outcomes = await asyncio.gather(*(ledger.submit(_command(platform, line)) for line in lines if line.amount))
        assert all(outcome.answer.refusal is None for outcome in outcomes), "cards stay, and so do lines from here on"
        await mark_opened(pool, platform.id, (line.number_index for line in lines))
        count += sum(not outcome.is_replay for outcome in outcomes)
        after = lines[-1].number_index
    return count


async def prove(connection: AnyConnection, platform: LocalPlatform, *, now: datetime) -> bool:
    """The platform is proven if the journal has what was declared: so many cards, so much, and of each what its line
    says. True if it does.

    Raises:
        Fault: the database cannot say now.
    """
    if not is_proven(platform, await load_opened(connection, platform)):
        return False
    state = PLATFORM_TRANSITIONS[platform.state, PlatformMove.PROVE]
    await mark_proven(connection, platform.id, state, now=now)
    return True


async def load_opening(pool: asyncpg.Pool) -> tuple[LocalPlatform, ...]:
    """The local platforms whose balances were let in and are not proven yet."""
    return tuple(await load_platforms_of_state(pool, PlatformState.OPENING))


def _command(platform: LocalPlatform, line: LineToOpen) -> OpenAccount:
    return OpenAccount(
        caller=CallerId(NO_ID), key=f"{platform.id.hex()}/{line.card.hex()}", card=line.card, amount=line.amount
    )
