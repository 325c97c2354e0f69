"""The steps of a payment's timeline, each from what was read of it. Nothing here waits."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec

from engine.core.accounts import AccountId, AccountKind, account_kind, account_text, owner_of
from engine.core.answers import EventKind
from engine.core.bank_lines import Direction
from engine.core.calendar import CycleNumber, cycle_text
from engine.core.clearing_lines import FILE_DIRECTIONS, FileStatus
from engine.core.ids import BankId, IdKind, id_text, kind_number
from engine.core.payment_timeline import Step, StepKind, step_of_event, step_of_posting
from engine.core.payments import Payment
from engine.core.postings import Phase
from engine.core.refusals import Refusal
from engine.store.timelines import (
    DroppedItem,
    GivenBack,
    TimelineEvent,
    TimelineFile,
    TimelinePosting,
    TimelineRun,
)

_CARDS_OWN: Final = frozenset({AccountKind.PERSONAL_ACCOUNT, AccountKind.CARD_RECEIVABLE})


class Viewer(msgspec.Struct, frozen=True):
    """Who looks: a bank sees its own part only, and a merchant no cardholder's id."""

    bank: BankId | None = None
    sees_cards: bool = False


class Leg(msgspec.Struct, frozen=True):
    """One end of a cleared posting, at the bank that pays it or gets it."""

    posting: TimelinePosting
    direction: Direction
    bank: BankId


class KnownPayment(msgspec.Struct, frozen=True, kw_only=True):
    """What was read of a payment, as far as its viewer may see it."""

    viewer: Viewer
    payment: Payment
    events: Sequence[TimelineEvent]
    instants: Mapping[str, datetime]  # of events, by their places
    postings: Sequence[TimelinePosting]
    legs: Sequence[Leg]
    runs: Mapping[CycleNumber, TimelineRun]
    files: Sequence[TimelineFile]
    lines: Mapping[tuple[str, str], int]  # a posting's place in a file, by the names of both
    numbers: Mapping[BankId, str]  # CNAPS
    dropped: Sequence[DroppedItem]
    returns: Sequence[GivenBack]


def steps_of(known: KnownPayment) -> Iterator[Step]:
    """What is told of a payment by our own books and files, and by what banks have given back; in no order."""
    if known.viewer.bank is None:
        yield from (_event_step(event, known) for event in known.events if event.kind is not EventKind.BOOKED)
    yield from (_posting_step(posting, known) for posting in known.postings)
    for run in known.runs.values():
        yield from _run_steps(run)
    yield from _file_steps(known)
    yield from _dropped_steps(known)
    yield from _returned_steps(known)


def _event_step(event: TimelineEvent, known: KnownPayment) -> Step:
    answer = event.remembered.answer
    ids = {"event": event.place, "business_date": f"{event.business_date}"}
    if answer.refund is not None:
        ids |= {"refund_id": id_text(answer.refund.id), "refund_no": answer.refund.refund_no}
    if event.kind in (EventKind.AUTHORIZED, EventKind.CAPTURED, EventKind.DECLINED):
        ids |= {"order_no": known.payment.order_no, "terminal_id": known.payment.terminal_id}
    if answer.refusal is not None:
        ids["code"] = Refusal(answer.refusal).slug
    if answer.trace_id is not None:
        ids["trace_id"] = answer.trace_id
    return Step(at=event.at, kind=step_of_event(event.kind), ids=ids, amount=_amount_of(event, known))


def _amount_of(event: TimelineEvent, known: KnownPayment) -> int | None:
    """What an event moved for good, or else held or let go; what was wanted if it was declined."""
    if event.kind is EventKind.DECLINED:
        return known.payment.amount
    own = [one for one in known.postings if (one.lane, one.seq, one.event) == (event.lane, event.seq, event.n)]
    posted = [one for one in own if one.phase is Phase.POST]
    return sum(one.amount for one in posted or own) or None


def _posting_step(posting: TimelinePosting, known: KnownPayment) -> Step:
    ids = {
        "posting": posting.place,
        "debit": _account(posting.debit, known.viewer),
        "credit": _account(posting.credit, known.viewer),
    }
    if posting.phase is Phase.POST:
        ids["cycle"] = cycle_text(posting.cycle)
    at = known.instants[f"{posting.lane}.{posting.seq}.{posting.event}"]
    return Step(at=at, kind=step_of_posting(posting.phase, posting.kind), ids=ids, amount=posting.amount)


def _account(account: AccountId, viewer: Viewer) -> str:
    """The account as people write it; for whom cardholders' ids are nobody's business, without one."""
    text = account_text(account)
    if viewer.sees_cards or account_kind(account) not in _CARDS_OWN:
        return text
    return text.replace(f":{id_text(owner_of(account))}", "")


def _run_steps(run: TimelineRun) -> Iterator[Step]:
    ids = {"cycle": cycle_text(run.cycle)}
    yield Step(at=run.closed_at, kind=StepKind.CYCLE_CLOSED, ids=ids)
    if run.published_at is not None:
        yield Step(at=run.published_at, kind=StepKind.PUBLISHED, ids=ids)
    if run.settled_at is not None:
        settled = dict(ids)
        if run.settlement_date is not None:
            settled["settlement_date"] = f"{run.settlement_date}"
        if run.reference is not None:
            settled["reference"] = run.reference
        yield Step(at=run.settled_at, kind=StepKind.SETTLED, ids=settled)


def _file_steps(known: KnownPayment) -> Iterator[Step]:
    told: set[str] = set()
    for file in known.files:
        ids = {"file": file.name, "form": file.form, "bank": known.numbers[file.bank]}
        for leg in known.legs:
            if is_told_in(leg, file):
                place = known.lines.get((leg.posting.place, file.name))
                line = {"line": str(place)} if place is not None else {}
                yield Step(
                    at=file.published_at,
                    kind=StepKind.FILE_LINE,
                    ids={**ids, **line, "posting": leg.posting.place},
                    amount=leg.posting.amount,
                )
        if file.name in told:  # it covers several cycles
            continue
        told.add(file.name)
        if file.pulled_at is not None:
            yield Step(at=file.pulled_at, kind=StepKind.PULLED, ids=ids)
        if file.acknowledged_at is not None:
            status = {} if file.status is FileStatus.PUBLISHED else {"status": file.status.value}
            yield Step(at=file.acknowledged_at, kind=StepKind.ACKNOWLEDGED, ids={**ids, **status})


def is_told_in(leg: Leg, file: TimelineFile) -> bool:
    """True if a file tells its bank of this end of a posting."""
    return (leg.bank, leg.posting.cycle, leg.direction) == (file.bank, file.item_cycle, FILE_DIRECTIONS.get(file.kind))


def _dropped_steps(known: KnownPayment) -> Iterator[Step]:
    for item in known.dropped:
        if known.viewer.bank in (None, item.bank):
            ids = {
                "posting": item.item,
                "direction": item.direction.lower(),
                "cycle": cycle_text(item.cycle),
                "bank": known.numbers.get(item.bank, ""),
                "reason": item.reason,
            }
            yield Step(at=item.dropped_at, kind=StepKind.DROPPED, ids=_without_empty(ids), amount=item.amount)


def _returned_steps(known: KnownPayment) -> Iterator[Step]:
    for item in known.returns:
        if known.viewer.bank in (None, item.bank):
            line = known.lines.get((item.item, item.file)) if item.file is not None else None
            ids = {
                "posting": item.item,
                "direction": item.direction.lower(),
                "cycle": cycle_text(item.cycle),
                "bank": known.numbers.get(item.bank, ""),
                "reason": item.reason,
                "return_ref": item.return_ref,
                "upload": id_text(item.batch) if kind_number(item.batch) == IdKind.UPLOAD else "",
                "file": item.file or "",
                "line": str(line) if line is not None else "",
                "time": str(item.place) if item.place is not None else "",
            }
            yield Step(at=item.accepted_at, kind=StepKind.RETURNED, ids=_without_empty(ids), amount=item.amount)


def _without_empty(ids: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in ids.items() if value}
