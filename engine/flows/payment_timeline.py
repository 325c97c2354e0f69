"""A payment's timeline, put together from everything that knows of it: the journal, the cycles, the banks' files, what
the banks have said of them, and their statements.

A merchant and an operator see all of it; a bank sees the items that it pays or gets, once a file has told it of them.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Final

import asyncpg

from engine.core.bank_lines import Direction
from engine.core.calendar import CycleNumber, cycle_date
from engine.core.clearing import CLEARED_KINDS, CLEARED_PHASE, AccountNotRouted, bank_of, has_own_bank, route_account
from engine.core.clearing_lines import FileKind
from engine.core.ids import BankId, PaymentId, id_text
from engine.core.payment_timeline import Step, in_order
from engine.core.payments import Payment
from engine.core.postings import Phase
from engine.flows.find_lines import BatchPlace, find_lines
from engine.flows.timeline_statements import statement_steps
from engine.flows.timeline_steps import KnownPayment, Leg, Viewer, is_told_in, steps_of
from engine.store.timelines import TimelineFile, TimelinePosting, TimelineRun, Timelines

EVENTS_MAX: Final = 1_000
"""A payment has few events; who asks again and again for what is refused makes more."""

_FORM_OF_PLACES: Final = "flat"
"""Every form and version of a file has the same lines in the same order; this one is searched for their places."""


async def payment_timeline(pool: asyncpg.Pool, payment: Payment, viewer: Viewer) -> list[Step] | None:
    """Everything that happened to a payment, in order of time; None if the bank that looks has no part in it.

    Raises:
        Fault: the database cannot answer.
    """
    reads = Timelines(pool)
    events = await reads.events(payment.id, count=EVENTS_MAX)
    postings = await reads.postings(payment.id, events)
    runs = await reads.runs({posting.cycle for posting in postings if posting.phase is Phase.POST})
    legs = await _legs(reads, postings)
    if viewer.bank is not None:
        legs = [leg for leg in legs if leg.bank == viewer.bank and _is_published(leg.posting.cycle, runs)]
        if not legs:
            return None
        own = {leg.posting.place for leg in legs}
        postings = [posting for posting in postings if posting.place in own]
        cycles = {posting.cycle for posting in postings}
        runs = {cycle: run for cycle, run in runs.items() if cycle in cycles}
    files = await reads.files({(leg.bank, leg.posting.cycle) for leg in legs})
    instants = {event.place: event.at for event in events}
    known = KnownPayment(
        viewer=viewer,
        payment=payment,
        events=events,
        instants=instants,
        postings=postings,
        legs=legs,
        runs=runs,
        files=files,
        lines=await _lines(reads, payment.id, legs, files, instants),
        numbers=await reads.bank_numbers({leg.bank for leg in legs}),
        dropped=await reads.dropped({(leg.posting.cycle, leg.posting.place) for leg in legs}),
        returns=await reads.returns(payment.id),
    )
    dates = sorted({cycle_date(cycle) for cycle in runs})
    from_banks = await statement_steps(pool, id_text(payment.id), dates, bank=viewer.bank)
    return in_order([*steps_of(known), *from_banks])


def _is_published(cycle: CycleNumber, runs: Mapping[CycleNumber, TimelineRun]) -> bool:
    return cycle in runs and runs[cycle].published_at is not None


async def _legs(reads: Timelines, postings: Sequence[TimelinePosting]) -> list[Leg]:
    """The ends of the cleared postings whose bank is known: of a bank's own account at once, of others once netted."""
    cleared = [one for one in postings if one.phase is CLEARED_PHASE and one.kind in CLEARED_KINDS]
    ends = [
        (posting, direction, account)
        for posting in cleared
        for direction, account in ((Direction.DEBIT, posting.debit), (Direction.CREDIT, posting.credit))
    ]
    wanted = {route_account(account) for _, _, account in ends if not has_own_bank(account)}
    routes = await reads.routes({posting.cycle for posting in cleared}, wanted)
    legs = []
    for posting, direction, account in ends:
        with suppress(AccountNotRouted):
            legs.append(Leg(posting, direction, bank_of(account, routes.get(posting.cycle, {}))))
    return legs


async def _lines(
    reads: Timelines,
    payment: PaymentId,
    legs: Sequence[Leg],
    files: Sequence[TimelineFile],
    instants: Mapping[str, datetime],
) -> dict[tuple[str, str], int]:
    """The places of the postings in the files, by the names of both."""
    places: dict[tuple[str, str], int] = {}
    for source in _searched(files):
        batches: dict[BatchPlace, list[TimelinePosting]] = defaultdict(list)
        for leg in legs:
            if any(is_told_in(leg, file) for file in files if file.name == source.name):
                batches[leg.posting.cycle, leg.posting.lane, leg.posting.seq].append(leg.posting)
        for batch, told in batches.items():
            at = instants[f"{told[0].lane}.{told[0].seq}.{told[0].event}"]
            found = await find_lines(reads, source, payment, batch, at)
            if len(found) == len(told):
                places |= {
                    (posting.place, file.name): place
                    for file in files
                    if _lines_of(file) == _lines_of(source)
                    for posting, place in zip(told, found, strict=True)
                }
    return places


def _searched(files: Iterable[TimelineFile]) -> list[TimelineFile]:
    """Of the files that have the same lines the one to search in: the newest version in the form that tells places."""
    flat = [file for file in files if file.form == _FORM_OF_PLACES]
    return list({_lines_of(file): file for file in sorted(flat, key=lambda file: file.version)}.values())


def _lines_of(file: TimelineFile) -> tuple[BankId, CycleNumber, FileKind]:
    """What files with the same lines have in common."""
    return file.bank, file.cycle, file.kind
