"""What a person has to take up with a bank, as the wire has it; and whose a difference is."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from engine.core.ids import IdKind, id_text, kind_number
from engine.flows.post_returns import CASE_REJECTED, CASE_SUSPENSE
from engine.store.cases import CaseKey, CaseRecord

CaseKind = Literal["suspense", "rejected"]
OperatorIdText = Annotated[str, Meta(min_length=1, max_length=31)]


class CaseView(msgspec.Struct, frozen=True, kw_only=True):
    """An item that nobody presents again, or a file that its bank has rejected. Units: fen."""

    id: str
    kind: CaseKind
    bank: str
    file: str | None
    item_id: str | None
    direction: Literal["debit", "credit"] | None
    payment_id: str | None
    amount: int | None
    reason: str
    opened_at: datetime


class CaseList(msgspec.Struct, frozen=True, kw_only=True):
    """Cases, newest first."""

    items: tuple[CaseView, ...]
    next_cursor: str | None


class AssignmentRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Say who sees to a difference; the operator that asks, if nobody is named."""

    owner: OperatorIdText | None = None


class AssignmentView(msgspec.Struct, frozen=True, kw_only=True):
    """Who sees to a difference from now on."""

    reconciliation_id: str
    n: int
    owner: str


def case_id(key: CaseKey) -> str:
    """A case's name in a path."""
    return f"{key.kind}-{key.subject.replace(' ', '-')}"


def parse_case_id(text: str) -> CaseKey | None:
    """The case that a name in a path means; None if there can be none."""
    kind, _, rest = text.partition("-")
    if kind == CASE_REJECTED:
        return CaseKey(kind, rest)
    item, _, direction = rest.rpartition("-")
    return CaseKey(kind, f"{item} {direction}") if kind == CASE_SUSPENSE else None


def case_view(case: CaseRecord) -> CaseView:
    """A case as the wire shows it."""
    is_file = case.key.kind == CASE_REJECTED
    is_payment = case.payment is not None and kind_number(case.payment) == IdKind.PAYMENT
    return CaseView(
        id=case_id(case.key),
        kind="rejected" if is_file else "suspense",
        bank=id_text(case.bank),
        file=case.key.subject if is_file else None,
        item_id=None if is_file else case.key.subject.partition(" ")[0],
        direction=case.direction.value.lower() if case.direction is not None else None,  # type: ignore[arg-type]  # a Literal from an enum
        payment_id=id_text(case.payment) if case.payment is not None and is_payment else None,
        amount=case.amount,
        reason=case.reason,
        opened_at=case.opened_at,
    )
