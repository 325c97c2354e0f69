"""What goes over the wire about disbursements: answers, and how they are made."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, Literal, NamedTuple

import msgspec

from engine.core.calendar import cycle_text
from engine.core.disbursement import FundTotal, LineState, LineStatus, batch_status, line_status
from engine.core.ids import id_text
from engine.store.disbursements import Batch, Line

DisbursementStatusName = Literal["draft", "withdrawn", "approved", "sent", "partially_paid", "completed"]
PayoutStatusName = Literal["pending", "held", "sent", "paid", "returned", "reissued"]


class DisbursementFund(msgspec.Struct, frozen=True, kw_only=True):
    """What a batch takes from one fund. Units: fen."""

    region: str
    fund_pay_type: str
    count: int
    amount: int


class PayoutCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How many lines of a batch have which status now."""

    pending: int
    held: int
    sent: int
    paid: int
    returned: int
    reissued: int


class DisbursementView(msgspec.Struct, frozen=True, kw_only=True):
    """A batch of benefits. Units: fen."""

    id: str
    agency_id: str
    batch_no: str
    status: DisbursementStatusName
    count: int
    amount: int
    funds: tuple[DisbursementFund, ...]
    lines: PayoutCounts
    approval_id: str | None
    created_at: datetime
    approved_at: datetime | None


class DisbursementList(msgspec.Struct, frozen=True, kw_only=True):
    """Batches, newest first."""

    items: tuple[DisbursementView, ...]
    next_cursor: str | None


class PayoutView(msgspec.Struct, frozen=True, kw_only=True):
    """One benefit of one person. Units: fen."""

    id: str
    n: int
    line_no: str
    card_id: str
    benefit_code: str
    period: str
    fund_pay_type: str
    amount: int
    status: PayoutStatusName
    reason: str | None
    cycle: str | None
    replaces: str | None


class PayoutList(msgspec.Struct, frozen=True, kw_only=True):
    """Lines of a batch, in their order."""

    items: tuple[PayoutView, ...]
    next_cursor: str | None


class LineFilter(NamedTuple):
    """The lines that have one status: what is stored of them, and whether their cycle is settled (None: either)."""

    states: tuple[LineState, ...] | None
    is_settled: bool | None


LINE_FILTERS: Final[Mapping[str | None, LineFilter]] = {
    None: LineFilter(None, None),
    LineStatus.PENDING: LineFilter((LineState.PENDING,), None),
    LineStatus.HELD: LineFilter((LineState.HELD,), None),
    LineStatus.SENT: LineFilter((LineState.SENT,), False),
    LineStatus.PAID: LineFilter((LineState.SENT,), True),
    LineStatus.RETURNED: LineFilter((LineState.RETURNED,), None),
    LineStatus.REISSUED: LineFilter((LineState.REISSUED,), None),
}


def disbursement_view(batch: Batch, funds: Sequence[FundTotal]) -> DisbursementView:
    """A batch as the wire shows it."""
    counts = batch.counts
    return DisbursementView(
        id=id_text(batch.id),
        agency_id=id_text(batch.agency),
        batch_no=batch.batch_no,
        status=batch_status(batch.state, counts).value,
        count=counts.line_count,
        amount=batch.amount,
        funds=tuple(
            DisbursementFund(
                region=f"{total.fund.region:06d}",
                fund_pay_type=f"{total.fund.pay_type:06d}",
                count=total.count,
                amount=total.amount,
            )
            for total in funds
        ),
        lines=PayoutCounts(
            pending=counts.pending,
            held=counts.held,
            sent=counts.sent - counts.paid - counts.returned - counts.reissued,
            paid=counts.paid,
            returned=counts.returned,
            reissued=counts.reissued,
        ),
        approval_id=id_text(batch.approval) if batch.approval is not None else None,
        created_at=batch.created_at,
        approved_at=batch.approved_at,
    )


def payout_view(line: Line) -> PayoutView:
    """A line as the wire shows it."""
    return PayoutView(
        id=id_text(line.id),
        n=line.n,
        line_no=line.line_ref,
        card_id=id_text(line.card),
        benefit_code=line.benefit_code,
        period=f"{line.period:06d}",
        fund_pay_type=f"{line.fund.pay_type:06d}",
        amount=line.amount,
        status=line_status(line.state, is_settled=line.is_settled).value,
        reason=line.reason,
        cycle=cycle_text(line.cycle) if line.cycle is not None else None,
        replaces=id_text(line.replaces) if line.replaces is not None else None,
    )
