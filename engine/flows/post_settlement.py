"""Posting the settlement of a cycle: what it cleared becomes the banks', and the banks' sides end even."""

from typing import Final

from engine.core.ids import NO_ID
from engine.core.postings import PostingKind
from engine.core.settlement import SettledCycle
from engine.core.settlement_entries import AccountNets, pages_of, settlement_entries
from engine.flows.book import book_all, occasion
from engine.ledger.router import Ledger
from engine.store.clearing_session import open_clearing
from engine.store.clearing_store import load_turnover
from engine.store.faults import translated
from engine.store.file_store import load_routes
from engine.store.settlement import load_dropped_moves

KEY: Final = "settle/{cycle}/{page}"


class LedgerBooks:
    """Posts settlements by the ledger."""

    def __init__(self, ledger: Ledger, database_url: str) -> None:
        """What was cleared is read in a session of its own at *database_url*."""
        self._ledger = ledger
        self._database_url = database_url

    async def post(self, settled: SettledCycle) -> None:
        """The settlement's postings are in the books, once for each cycle. Memory: a number for each account.

        What they are follows from what never changes any more: the cycle's postings, its routes, and what had dropped
        out when it was instructed.

        Raises:
            Fault: they are not all there, or nobody knows; the next call posts what is left.
        """
        nets = AccountNets()
        async with open_clearing(self._database_url) as session:
            async for turnover in load_turnover(session, settled.cycle):
                for moved in turnover:
                    nets.add(moved.debit, moved.credit, moved.amount)
            with translated():
                for dropped in await load_dropped_moves(session.reader, settled.cycle):
                    nets.drop(dropped)
            routes = await load_routes(session, settled.cycle)
        entries = settlement_entries(nets, routes, settled.transfers)
        await book_all(
            self._ledger,
            (
                occasion(KEY.format(cycle=settled.cycle, page=page), about=NO_ID, kind=PostingKind.SETTLE, entries=some)
                for page, some in enumerate(pages_of(entries), 1)
            ),
        )
