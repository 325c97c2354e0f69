"""Linking relatives: the register says who and why, the helped payer's row says that it is done."""

from datetime import date, datetime
from typing import Final, Protocol

import asyncpg

from engine.core.cards import CardMove
from engine.core.commands import ChangeCard, ChangeFamily
from engine.core.ids import NO_ID, CallerId, CardId, id_text
from engine.core.refusals import Refusal
from engine.core.relatives import has_room
from engine.flows.answer_once import NotDone
from engine.ledger.queue import Outcome
from engine.store.connection import AnyConnection
from engine.store.faults import translated
from engine.store.persons import (
    Relative,
    end_relative,
    hold_card,
    insert_relative,
    load_expired_cards,
    load_expired_relatives,
    load_relatives,
)

AT_ONCE: Final = 100


class Deciding(Protocol):
    """The ledger, as far as it is needed here."""

    async def submit(self, command: ChangeFamily | ChangeCard) -> Outcome:
        """Decide a command, durably and once."""


async def link_relative(connection: AnyConnection, relative: Relative) -> Relative | NotDone:
    """Write a link down; a pair that is linked stays linked as it is. `tell_ward` has to follow the commit."""
    if not await hold_card(connection, relative.guardian):
        return NotDone(Refusal.NOT_FOUND)
    linked = [one for one in await load_relatives(connection, relative.guardian) if one.ended_at is None]
    earlier = next((one for one in linked if one.ward == relative.ward), None)
    if earlier is not None:
        return earlier
    if not has_room(len(linked)):
        return NotDone(Refusal.RELATIVES_TOO_MANY)
    await insert_relative(connection, relative)
    return relative


async def tell_ward(ledger: Deciding, relative: Relative, *, is_linked: bool) -> Outcome:
    """Let the helped payer's row follow what is written down. However often it is asked, it is done once.

    Raises:
        Fault: not now; it has to be asked again.
    """
    command = ChangeFamily(
        caller=CallerId(NO_ID),
        key=f"{id_text(relative.id)}/{'linked' if is_linked else 'ended'}",
        card=relative.ward,
        relative=relative.guardian,
        is_linked=is_linked,
    )
    return await ledger.submit(command)


async def revoke_relative(pool: asyncpg.Pool, ledger: Deciding, relative: Relative, *, now: datetime) -> None:
    """End a link: once this returns, no bill is paid by it.

    Raises:
        Fault: it is not ended yet.
    """
    await tell_ward(ledger, relative, is_linked=False)
    await end_relative(pool, relative.id, now=now)


async def end_what_is_over(pool: asyncpg.Pool, ledger: Deciding, *, now: datetime, today: date) -> int:
    """End links and let cards expire whose time is over. Returns how many; fewer than all of them if they are many.

    Raises:
        Fault: not now.
    """
    with translated():
        relatives = await load_expired_relatives(pool, today=today, count=AT_ONCE)
        cards = await load_expired_cards(pool, today=today, count=AT_ONCE)
    for relative in relatives:
        await revoke_relative(pool, ledger, relative, now=now)
    for card in cards:
        await ledger.submit(_expiry(card))
    return len(relatives) + len(cards)


def _expiry(card: CardId) -> ChangeCard:
    """Judged again under the payer's lock; without a key, for asking it twice is no mistake."""
    return ChangeCard(caller=CallerId(NO_ID), key=None, card=card, move=CardMove.EXPIRE, reason=None)
