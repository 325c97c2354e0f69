"""Holding what is stored against what the journal adds up to: balances, payers, payments, net positions.

Each slice is compared in one statement, which has one snapshot, and a batch commits its rows and what they change
together. So a statement sees a stored total and the very postings that led to it, however busy the lanes are: those in
the folds, and the few that were committed since, which the statement adds itself. Nothing has to be looked at again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from engine.core.calendar import CycleNumber
from engine.core.payment_audit import PaymentSeen, payment_violation
from engine.core.violations import Violation, ViolationKind, Where, account_name, name_of
from engine.flows.verify_journal import Counts, JournalFollower, Judging, Progress
from engine.store.verify_rows import TotalsFault
from engine.store.verify_store import FIRST_ID, LAST_ID, VerifyStore

_TOTALS: Final = ("debits pending", "debits posted", "credits pending", "credits posted", "seq")

PAYMENTS_AT_ONCE: Final = 128

Compare = Callable[[bytes, bytes], Awaitable[Violation | None]]


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

        async def compare(after: bytes, last: bytes) -> Violation | None:
            checked = await self._store.check_balances(after, last, self._journal.folded)
            self._counts.balances += checked.number
            self._progress("balances", self._counts.balances, about)
            return _totals_violation(ViolationKind.BALANCE_WRONG, checked.fault)

        return await self._each_slice("balance", compare)

    async def check_payers(self, about: int) -> Violation | None:
        """Every payer's totals are what the postings of the personal account add up to."""

        async def compare(after: bytes, last: bytes) -> Violation | None:
            checked = await self._store.check_payers(after, last, self._journal.folded)
            self._counts.payers += checked.number
            self._progress("payers", self._counts.payers, about)
            return _totals_violation(ViolationKind.PAYER_TOTALS_WRONG, checked.fault)

        return await self._each_slice("payer", compare)

    async def check_payments(self, about: int) -> Violation | None:
        """Every payment keeps the rules of `engine.core.payment_audit`, every event's payment is there, and what has
        paid a bill is what the bill names.
        """
        async with asyncio.TaskGroup() as tasks:
            judging = Judging(tasks)

            async def compare(after: bytes, last: bytes) -> Violation | None:
                seen = await self._store.payments(after, last, self._journal.folded)
                violation = await judging.verdict() or await self._bill_violation(seen)
                if violation is None:
                    judging.start(self._judge(seen, about))
                return violation

            violation = await self._each_slice("payment", compare)
            return violation or await judging.verdict()

    async def check_nets(self) -> Violation | None:
        """The net positions of every cycle sum to zero, and they and its files are what its postings give.

        A cycle has net positions only after every lane has passed its end, so following the lanes after reading
        that it has them leaves no posting of it out.
        """
        cycle = CycleNumber(0)
        while (netted := await self._store.next_netted(cycle)) is not None:
            cycle = netted.cycle
            if netted.debits != netted.credits:
                where = Where(table="net_position", cycle=cycle)
                return Violation(ViolationKind.NETS_NOT_ZERO, where, f"credits {netted.debits}", str(netted.credits))
            violation = await self._journal.advance() or await self._net_violation(cycle)
            if violation is not None:
                return violation
            self._counts.cycles += 1
        return None

    async def _judge(self, payments: Sequence[PaymentSeen], about: int) -> Violation | None:
        for seen in payments:
            violation = payment_violation(seen)
            if violation is not None:
                return violation
            self._counts.payments += 1
            if self._counts.payments % PAYMENTS_AT_ONCE == 0:
                await asyncio.sleep(0)  # let the next slice be asked for
        self._progress("payments", self._counts.payments, about)
        return None

    async def _bill_violation(self, payments: Sequence[PaymentSeen]) -> Violation | None:
        """A bill names its payment for good, so it does not matter that it is read after its payment."""
        paying = {
            seen.payment.bill_no: seen.id
            for seen in payments
            if seen.captured and seen.payment is not None and seen.payment.bill_no is not None
        }
        named = await self._store.bookings.payments_of_bills(list(paying)) if paying else {}
        for bill_no, payment in paying.items():
            if named.get(bill_no) != payment:
                where = Where(table="bill", payment=name_of(payment), name=bill_no)
                return Violation(ViolationKind.BILL_WRONG, where, "the payment that has paid it", "another or none")
        return None

    async def _net_violation(self, cycle: CycleNumber) -> Violation | None:
        net = await self._store.wrong_net(cycle)
        if net is not None:
            bank = "none" if net.bank is None else name_of(net.bank)
            where = Where(table="net_position", cycle=cycle, bank=bank)
            form = "debits {} ({}), credits {} ({})"
            return Violation(ViolationKind.NET_WRONG, where, form.format(*net.expected), form.format(*net.actual))
        file = await self._store.wrong_file(cycle)
        if file is not None:
            where = Where(table="clearing_file", cycle=cycle, bank=name_of(file.bank), name=file.name or file.kind)
            form = "{} fen ({} items)"
            return Violation(ViolationKind.FILE_WRONG, where, form.format(*file.expected), form.format(*file.actual))
        return None

    async def _each_slice(self, table: str, compare: Compare) -> Violation | None:
        after = FIRST_ID
        while after != LAST_ID:
            violation = await self._journal.advance()
            if violation is not None:
                return violation
            last = await self._store.slice_end(table, after)
            violation = await compare(after, last)
            if violation is not None:
                return violation
            after = last
        return None


def _totals_violation(kind: ViolationKind, fault: TotalsFault | None) -> Violation | None:
    if fault is None:
        return None
    where = Where(account=account_name(fault.account), lane=fault.lane)
    return Violation(kind, where, _totals_text(fault.expected), _totals_text(fault.actual))


def _totals_text(totals: Sequence[int | None]) -> str:
    named = zip(_TOTALS, totals, strict=False)  # a payer's row knows no seq
    return ", ".join(f"{name} {total}" for name, total in named if total is not None) or "none"
