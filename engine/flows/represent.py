"""Presenting again what a bank gave back: in each of the next two cycles, before it is closed."""

from typing import Final

from engine.core.bank_lines import Direction
from engine.core.commands import Book, Entry
from engine.core.postings import PostingKind
from engine.flows.book import BOOKER, book_all, occasion
from engine.ledger.router import Ledger
from engine.store.return_reads import DueAgain, Returns

ITEMS_AT_ONCE: Final = 500
PRESENT_KEY: Final = "represent"  # with the item and the how manieth time: the key of its posting


async def present_again(returns: Returns, ledger: Ledger) -> int:
    """Everything that is due is presented again in the open cycle, once. Returns how many items were.

    Raises:
        Fault: some are not; the next call presents what is left, and nothing twice.
    """
    await returns.note_collected()
    count = 0
    after: tuple[str, Direction | None] = ("", None)
    while due := await returns.due_again(after, count=ITEMS_AT_ONCE):
        await book_all(ledger, [presentation_of(one) for one in due])
        for one in due:
            await returns.note_presented(one, caller=BOOKER, key=_key(one))
        after = due[-1].item, due[-1].direction
        count += len(due)
    return count


def presentation_of(due: DueAgain) -> Book:
    """What the books have of an item once it is presented again."""
    assert due.direction is Direction.DEBIT, "only a collection is presented again"
    entry = Entry(due.account, due.stand_in, due.amount)
    return occasion(_key(due), about=due.payment, kind=PostingKind.REPRESENT, entries=[entry])


def _key(due: DueAgain) -> str:
    return f"{PRESENT_KEY}/{due.item}/{due.present_count + 1}"
