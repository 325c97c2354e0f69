"""What goes over the wire about banks' statements and what they differ in: answers, and one from the other."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Literal

import msgspec

from engine.core.calendar import business_date_at, business_days_between, cycle_text
from engine.core.differences import (
    CAUSE_TEXTS,
    HANDLING_TEXTS,
    HANDLINGS,
    UNSETTLED,
    DifferenceClass,
    DifferenceState,
    Said,
)
from engine.core.ids import id_text
from engine.core.loose_ends import Place
from engine.store.reconciliation import ClassCount, DifferenceRecord, Reconciliation
from engine.store.uploads import AcceptedUpload
from engine.web.wire import FileTotals

ReconciliationStateName = Literal["pending", "balanced", "different", "superseded"]
ClassName = Literal["long", "short", "amount_diff", "status_diff", "date_diff", "duplicate", "direction_diff"]
DifferenceStateName = Literal["open", "suspended", "resolved", "written_off"]
DirectionName = Literal["debit", "credit"]


class WordsView(msgspec.Struct, frozen=True):
    """Words for a person."""

    zh: str
    en: str


class StatementReceiptView(msgspec.Struct, frozen=True, kw_only=True):
    """A statement that was accepted. The same file is always answered with the same receipt."""

    reconciliation_id: str
    file_id: str
    form: str
    business_date: date
    cycle: str | None
    count: int
    totals: FileTotals
    size: int
    sha256: str
    received_at: datetime


class SideTotals(msgspec.Struct, frozen=True):
    """What one side adds up to. Units: fen."""

    count: int
    debit: int
    credit: int


class ClassCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How much there is of each class."""

    matched: int
    long: int = 0
    short: int = 0
    amount_diff: int = 0
    status_diff: int = 0
    date_diff: int = 0
    duplicate: int = 0
    direction_diff: int = 0


class ReconciliationView(msgspec.Struct, frozen=True, kw_only=True):
    """One statement beside the clearing files that it is about."""

    id: str
    bank: str
    file_id: str
    form: str
    business_date: date
    cycle: str | None
    files: tuple[str, ...]
    state: ReconciliationStateName
    counts: ClassCounts
    unsettled: int
    ours: SideTotals | None
    theirs: SideTotals
    received_at: datetime
    reconciled_at: datetime | None
    superseded_by: str | None


class ReconciliationList(msgspec.Struct, frozen=True, kw_only=True):
    """Reconciliations, newest first."""

    items: tuple[ReconciliationView, ...]
    next_cursor: str | None


class OurSide(msgspec.Struct, frozen=True, kw_only=True):
    """What a clearing file told the bank to book. Units: fen."""

    direction: DirectionName
    amount: int
    business_date: date
    file: str | None
    line: int | None


class TheirSide(msgspec.Struct, frozen=True, kw_only=True):
    """What the bank has booked. Units: fen."""

    direction: DirectionName
    amount: int
    booked_on: date
    bank_ref: str
    line: int | None


class DifferencePlace(msgspec.Struct, frozen=True):
    """A difference, maybe of another statement."""

    reconciliation_id: str
    n: int


class DifferenceView(msgspec.Struct, frozen=True, kw_only=True):
    """One difference as it stands."""

    n: int
    class_: ClassName = msgspec.field(name="class")
    effect: Literal["none", "long", "short", "both"]
    cause: str
    cause_text: WordsView
    default_handling: WordsView
    payment_id: str | None
    order_no: str | None
    leg: str | None
    account: str | None
    ours: OurSide | None
    theirs: TheirSide | None
    first_seen_at: datetime
    age_days: int
    state: DifferenceStateName
    owner: str | None
    handling: WordsView | None
    resolution: str | None
    settled_at: datetime | None
    tied_to: DifferencePlace | None
    suggested: tuple[DifferencePlace, ...]


class DifferenceList(msgspec.Struct, frozen=True, kw_only=True):
    """Differences, by their numbers."""

    items: tuple[DifferenceView, ...]
    next_cursor: str | None


def receipt_view(upload: AcceptedUpload, reconciliation: Reconciliation) -> StatementReceiptView:
    """What is said of an accepted statement, at first and ever after."""
    return StatementReceiptView(
        reconciliation_id=id_text(reconciliation.id),
        file_id=upload.file_id,
        form=upload.form,
        business_date=reconciliation.business_date,
        cycle=_cycle_of(reconciliation),
        count=upload.line_count,
        totals=FileTotals(upload.debit_total, upload.credit_total),
        size=upload.size,
        sha256=upload.sha256.hex(),
        received_at=upload.accepted_at,
    )


def reconciliation_view(reconciliation: Reconciliation, counts: Sequence[ClassCount]) -> ReconciliationView:
    """A reconciliation as the wire shows it."""
    classes: dict[str, int] = {}
    for one in counts:
        name = one.kind.name.lower()
        classes[name] = classes.get(name, 0) + one.count
    known = reconciliation.our_count is not None
    return ReconciliationView(
        id=id_text(reconciliation.id),
        bank=id_text(reconciliation.bank),
        file_id=reconciliation.file_id,
        form=reconciliation.form,
        business_date=reconciliation.business_date,
        cycle=_cycle_of(reconciliation),
        files=reconciliation.files,
        state=reconciliation.state.name.lower(),  # type: ignore[arg-type]  # a Literal from an enum
        counts=ClassCounts(matched=reconciliation.matched_count or 0, **classes),
        unsettled=sum(one.count for one in counts if one.state in UNSETTLED),
        ours=SideTotals(reconciliation.our_count or 0, reconciliation.our_debits or 0, reconciliation.our_credits or 0)
        if known
        else None,
        theirs=SideTotals(reconciliation.line_count, reconciliation.debit_total, reconciliation.credit_total),
        received_at=reconciliation.created_at,
        reconciled_at=reconciliation.reconciled_at,
        superseded_by=id_text(reconciliation.superseded_by) if reconciliation.superseded_by is not None else None,
    )


def difference_views(
    differences: Iterable[DifferenceRecord], *, today: date, suggested: Mapping[Place, Sequence[Place]]
) -> tuple[DifferenceView, ...]:
    """Differences as the wire shows them. *today* is the business date up to which what is not settled has aged."""
    return tuple(
        _difference_view(difference, today=today, suggested=suggested.get(difference.place, ()))
        for difference in differences
    )


def _difference_view(difference: DifferenceRecord, *, today: date, suggested: Sequence[Place]) -> DifferenceView:
    until = business_date_at(difference.settled_at) if difference.settled_at is not None else today
    return DifferenceView(
        n=difference.n,
        class_=difference.kind.name.lower(),  # type: ignore[arg-type]  # a Literal from an enum
        effect=difference.effect.name.lower(),  # type: ignore[arg-type]  # likewise
        cause=difference.cause.name.lower(),
        cause_text=_words(CAUSE_TEXTS[difference.cause]),
        default_handling=_words(HANDLING_TEXTS[HANDLINGS[difference.kind]]),
        payment_id=difference.payment_id or None,
        order_no=difference.order_no or None,
        leg=difference.leg or None,
        account=difference.account or None,
        ours=_our_side(difference),
        theirs=_their_side(difference),
        first_seen_at=difference.first_seen_at,
        age_days=max(0, business_days_between(difference.first_seen_on, until)),
        state=difference.state.name.lower(),  # type: ignore[arg-type]  # likewise
        owner=difference.owner or None,
        handling=_words(HANDLING_TEXTS[difference.handling]) if difference.handling is not None else None,
        resolution=difference.resolution or None,
        settled_at=difference.settled_at,
        tied_to=_place(difference.tied_to) if difference.tied_to is not None else None,
        suggested=tuple(map(_place, suggested)),
    )


def _our_side(difference: DifferenceRecord) -> OurSide | None:
    if difference.our_direction is None or difference.our_amount is None or difference.our_date is None:
        return None
    return OurSide(
        direction=difference.our_direction.lower(),  # type: ignore[arg-type]  # a Literal from an enum
        amount=difference.our_amount,
        business_date=difference.our_date,
        file=difference.our_file,
        line=difference.our_seq,
    )


def _their_side(difference: DifferenceRecord) -> TheirSide | None:
    if difference.direction is None or difference.amount is None or difference.booked_on is None:
        return None
    return TheirSide(
        direction=difference.direction.lower(),  # type: ignore[arg-type]  # a Literal from an enum
        amount=difference.amount,
        booked_on=difference.booked_on,
        bank_ref=difference.bank_ref,
        line=difference.line,
    )


def _place(place: Place) -> DifferencePlace:
    return DifferencePlace(id_text(place[0]), place[1])


def _words(said: Said) -> WordsView:
    return WordsView(said.zh, said.en)


def _cycle_of(reconciliation: Reconciliation) -> str | None:
    return None if reconciliation.is_whole_day else cycle_text(reconciliation.cycle_to)


STATES_BY_NAME = {state.name.lower(): state for state in DifferenceState}
CLASSES_BY_NAME = {kind.name.lower(): kind for kind in DifferenceClass if kind is not DifferenceClass.MATCHED}
