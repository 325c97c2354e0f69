"""Holding what is stored against what the journal adds up to: balances, payers, payments, net positions.

Each slice is compared in one statement, which has one snapshot, and a batch commits its rows and what they change
together. So a statement sees a stored total and the very postings that led to it, however busy the lanes are: those in
the folds, and the few that were committed since, which the statement adds itself. Nothing has to be looked at again.
"""

from collections.abc import Awaitable, Callable

from engine.core.payment_audit import payment_violation
from engine.core.violations import Violation, ViolationKind, Where, account_name, name_of
from engine.flows.verify_journal import Counts, JournalFollower, Progress
from engine.store.verify_store import FIRST_ID, LAST_ID, TotalsChecked, VerifyStore

CompareTotals = Callable[[bytes, bytes, dict[int, int]], Awaitable[TotalsChecked]]


class TotalsCheck:
    """Compares slice by slice, and follows the lanes in between so that little is left for a statement to add."""

    def __init__(self, store: VerifyStore, journal: JournalFollower, counts: Counts, progress: Progress) -> None:
        """*journal* has been followed once."""
        self._store = store
        self._journal = journal
        self._counts = counts
        self._progress = progress

    async def check_balances(self, about: int) -> Violation | None:
        """Every balance is what its lane's postings add up to. *about* says how many there are."""
        after = FIRST_ID
        while after != LAST_ID:
            violation = await self._journal.advance()
            if violation is not None:
                return violation
            last = await self._store.slice_end("balance", after)
            checked = await self._store.check_balances(after, last, self._journal.folded)
            if checked.fault is not None:
                return _totals_violation(ViolationKind.BALANCE_WRONG, checked)
            self._counts.balances += checked.number
            self._progress("balances", self._counts.balances, about)
            after = last
        return None

    async def check_payers(self, about: int) -> Violation | None:
        """Every payer's totals are what the postings of the personal account add up to."""
        after = FIRST_ID
        while after != LAST_ID:
            violation = await self._journal.advance()
            if violation is not None:
                return violation
            last = await self._store.slice_end("payer", after)
            checked = await self._store.check_payers(after, last, self._journal.folded)
            if checked.fault is not None:
                return _totals_violation(ViolationKind.PAYER_TOTALS_WRONG, checked)
            self._counts.payers += checked.number
            self._progress("payers", self._counts.payers, about)
            after = last
        return None

    async def check_payments(self, about: int) -> Violation | None:
        """Every payment keeps the rules of `engine.core.payment_audit`, and every event's payment is there."""
        after = FIRST_ID
        while after != LAST_ID:
            violation = await self._journal.advance()
            if violation is not None:
                return violation
            last = await self._store.slice_end("payment", after)
            seen = await self._store.payments(after, last, self._journal.folded)
            for payment in seen:
                violation = payment_violation(payment)
                if violation is not None:
                    return violation
            self._counts.payments += len(seen)
            self._progress("payments", self._counts.payments, about)
            after = last
        return None

    async def check_nets(self) -> Violation | None:
        """The net positions of every cycle sum to zero, and are what its postings give.

        A cycle has net positions only after every lane has passed its end, so following the lanes after reading
        that it has them leaves no posting of it out.
        """
        cycle = 0
        while (netted := await self._store.next_netted(cycle)) is not None:
            cycle, debits, credits = netted
            if debits != credits:
                where = Where(table="net_position", cycle=cycle)
                return Violation(ViolationKind.NETS_NOT_ZERO, where, f"{debits} got", f"{credits} got")
            violation = await self._journal.advance()
            if violation is not None:
                return violation
            wrong = await self._store.wrong_net(netted.cycle)
            if wrong is not None:
                bank = "none" if wrong.bank is None else name_of(wrong.bank)
                where = Where(table="net_position", cycle=cycle, bank=bank)
                return Violation(ViolationKind.NET_WRONG, where, str(wrong.expected), str(wrong.actual))
            self._counts.cycles += 1
            self._progress("nets", self._counts.cycles, self._counts.cycles)
        return None


