"""What clearing posts, by the ledger of a node: settlements, returns, and what is presented again."""

from functools import partial

import asyncpg

from engine.core.settlement import SettledCycle
from engine.flows.disburse_send import note_returned
from engine.flows.post_returns import OnBenefitReturned, ReturnsDesk
from engine.flows.post_settlement import LedgerBooks
from engine.flows.represent import present_again
from engine.ledger.router import Ledger
from engine.store.return_reads import Returns


class LedgerClearing:
    """Posts by a ledger. Everything may be asked again at any time, and is posted once."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        ledger: Ledger,
        database_url: str,
        *,
        on_benefit_returned: OnBenefitReturned | None = None,
    ) -> None:
        """Reads go through *pool*; what takes long has sessions of its own at *database_url*. A benefit that comes back
        is told to its disbursement, or else to *on_benefit_returned*.
        """
        told = on_benefit_returned or partial(note_returned, pool, ledger)
        self.returns = ReturnsDesk(pool, ledger, database_url, on_benefit_returned=told)
        self._pool = pool
        self._ledger = ledger
        self._settlements = LedgerBooks(ledger, database_url)

    async def post(self, settled: SettledCycle) -> None:
        """A settlement's postings are in the books.

        Raises:
            Fault: they are not; the next call posts what is left.
        """
        await self._settlements.post(settled)

    async def finish_returns(self) -> None:
        """What banks have given back is posted, wherever that was cut short.

        Raises:
            Fault: it is not; the next call does what is left.
        """
        await self.returns.complete_all()

    async def present_again(self) -> None:
        """What was given back and is due is presented again, in the cycle that is open.

        Raises:
            Fault: it is not; the next call does what is left.
        """
        await present_again(Returns(self._pool), self._ledger)
