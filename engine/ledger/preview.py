"""Deciding a payment without asking for it: on the books as they are now, and nothing is locked, used or written."""

import asyncio
from datetime import UTC, datetime
from typing import Final

import asyncpg
import msgspec

from engine.core.books import Books, Decision, Seen
from engine.core.commands import Authorize, PasswordProof
from engine.core.decide import decide
from engine.ledger.batch import Claimed, seen_of, stray_entries, wanted_by
from engine.ledger.queue import Entry
from engine.ledger.reading import read_more
from engine.store.books_reader import BooksReader
from engine.store.connection import AnyConnection
from engine.store.faults import RunAgain
from engine.store.quotes import load_presenter
from engine.store.rules import RulesShelf

_NEVER: Final = datetime.min.replace(tzinfo=UTC)


async def preview(pool: asyncpg.Pool, shelf: RulesShelf, command: Authorize) -> tuple[Decision, Books]:
    """What asking for a payment would decide now, and the books as they would be seen; another may be first.

    Raises:
        Fault: the database cannot answer.
    """
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        seen = await seen_now(connection, shelf, command)
    if command.password is not None:
        # A password is not looked at: without a count of tries, this would be the place to guess it.
        version = next((payer.password_version for payer in seen.payers.values()), 0)
        command = msgspec.structs.replace(command, password=PasswordProof(is_right=True, version=version))
    books = Books(seen)
    return decide(books, command), books


async def seen_now(connection: AnyConnection, shelf: RulesShelf, command: Authorize) -> Seen:
    """The books as a batch of this one command would see them."""
    entry = Entry(command, asyncio.get_running_loop().create_future(), now=0.0, wait_s=0.0)
    device_no = command.code.device_no if command.code is not None else None
    payer, family = await load_presenter(connection, device_no=device_no, card=command.card)
    claim = Claimed(0, entry, payer, family if command.subject().needs_family else None, True)
    wanted = wanted_by([claim])
    reader = BooksReader(connection)
    seen = seen_of([claim], await reader.read_books(wanted), [], last_now=_NEVER)
    await read_more(reader, wanted, [claim], seen, shelf)
    if stray_entries([claim], seen):
        raise RunAgain("the card came with its phone a moment ago")
    return seen
