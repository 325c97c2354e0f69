"""The books check: proves on a live database that the books are right, or names the first thing that is wrong.

What it does, in this order:

1. The chain of every lane is followed to its head, and its postings are added up into temporary tables.
2. Rows outside the chains are looked for, and the chains are held against the seals.
3. Stored totals and payments are held against the sums, while references, refunds, returns, resolutions, bills and
   files are looked up; what no payment's own life makes is followed to what it was made for.
4. The chains of the audit trail are followed.
5. Every file is made again from its postings and compared with the one that is out.

It locks nothing, no statement runs longer than a fraction of a second, and memory does not grow with the books. That
debits equal credits needs no step: a posting has one amount for both sides, and every total is proved to be a sum of
postings.
"""

import asyncio
from collections.abc import Mapping

import msgspec

from engine.core.violations import Violation
from engine.flows.verify_audit import AuditCheck
from engine.flows.verify_bookings import BookingCheck
from engine.flows.verify_files import rebuilt_violation
from engine.flows.verify_journal import Counts, JournalFollower, Progress
from engine.flows.verify_references import PublicKeys, ReferenceCheck
from engine.flows.verify_returns import ReturnCheck
from engine.flows.verify_totals import TotalsCheck
from engine.store.verify_store import SLICE_ROWS, VerifyStore, open_verify_store


class BooksReport(msgspec.Struct, frozen=True):
    """What was checked, up to the first violation; none means that the books are right."""

    counts: Counts
    violation: Violation | None


async def verify_books(
    dsn: str, *, public_keys: PublicKeys | None, progress: Progress, slice_rows: int = SLICE_ROWS
) -> BooksReport:
    """Check the books behind *dsn*; *public_keys* are the engine's own, None to check no signature.

    *progress* is told the name of a step, how much of it is done, and about how much there is (zero if nobody knows).
    No more than about *slice_rows* of anything is in memory at a time.

    Raises:
        Fault: the database cannot answer; nothing is known about the books.
    """
    counts = Counts()
    try:
        async with open_verify_store(dsn, slice_rows=slice_rows) as store:
            violation = await _first_violation(store, counts, public_keys, progress)
        if violation is None:
            violation = await rebuilt_violation(dsn, counts, progress)
    except ExceptionGroup as group:
        raise _first_of(group) from group
    return BooksReport(counts, violation)


async def _first_violation(
    store: VerifyStore, counts: Counts, public_keys: PublicKeys | None, progress: Progress
) -> Violation | None:
    about = await store.sizes()
    journal = JournalFollower(store, counts, progress)
    totals = TotalsCheck(store, journal, counts, progress)
    references = ReferenceCheck(store, counts, progress, public_keys)
    returns = ReturnCheck(store.returns, counts, progress)
    bookings = BookingCheck(store.bookings, counts, progress)
    audit = AuditCheck(store.audit, counts, progress, slice_rows=store.slice_rows)
    for check in (journal.advance, references.check_strays, references.check_seals):
        violation = await check()
        if violation is not None:
            return violation
    async with asyncio.TaskGroup() as tasks:
        looking_up = tasks.create_task(_check_references(references, returns, audit, about))
        violation = await _check_totals(totals, about) or await bookings.check_bookings()
        if violation is not None:
            # The order of the checks, not of their ends, says which violation is the first.
            looking_up.cancel()
    return violation or looking_up.result()


async def _check_totals(totals: TotalsCheck, about: Mapping[str, int]) -> Violation | None:
    return (
        await totals.check_balances(about["balance"])
        or await totals.check_payers(about["payer"])
        or await totals.check_payments(about["payment"])
        or await totals.check_nets()
    )


async def _check_references(
    references: ReferenceCheck, returns: ReturnCheck, audit: AuditCheck, about: Mapping[str, int]
) -> Violation | None:
    return (
        await references.check_answers(about["answer"])
        or await references.check_orders(about["order_ref"])
        or await references.check_holds(about["hold"])
        or await references.check_refunds(about["refund"])
        or await returns.check_returns()
        or await returns.check_presentations()
        or await returns.check_resolutions()
        or await returns.check_handled()
        or await returns.check_bills()
        or await references.check_files()
        or await audit.check_chains()
    )


def _first_of(group: ExceptionGroup[Exception]) -> Exception:
    error = group.exceptions[0]
    return _first_of(error) if isinstance(error, ExceptionGroup) else error
