"""What goes over the wire about a merchant's statement: answers, and one from the other."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from engine.core.calendar import CycleNumber, cycle_text
from engine.core.ids import MerchantId, id_text
from engine.core.merchant_statement import Share, Source, StatementLine, StatementTotals, Turnover
from engine.core.money import CURRENCY
from engine.core.payments import TenderKind
from engine.web.wire import TENDER_NAMES, TenderView

SourceName = Literal["pool_fund", "personal_account", "bank_card", "family_account"]
ClearingName = Literal["uncleared", "batched", "published", "settled"]


class TurnoverView(msgspec.Struct, frozen=True, kw_only=True):
    """What a merchant was given and has given back. Units: fen; `net` is `gross` less `refunds`."""

    gross: int
    refunds: int
    net: int
    payment_count: int
    refund_count: int


class SourceTurnoverView(TurnoverView, frozen=True, kw_only=True):
    """The part of one kind of tender. Units: fen."""

    kind: SourceName
    fund_pay_type: str | UnsetType = UNSET


class CycleTurnoverView(TurnoverView, frozen=True, kw_only=True):
    """The part of one cycle. Units: fen."""

    cycle: str
    clearing_status: ClearingName
    settlement_date: date | None


class StatementTotalsView(TurnoverView, frozen=True, kw_only=True):
    """What the whole date adds up to. Units: fen."""

    tenders: tuple[SourceTurnoverView, ...]
    cycles: tuple[CycleTurnoverView, ...]


class StatementLineView(msgspec.Struct, frozen=True, kw_only=True):
    """One capture or one refund. Units: fen."""

    type: Literal["payment", "refund"]
    payment_id: str
    refund_id: str | None
    order_no: str
    refund_no: str | None
    terminal_id: str
    occurred_at: datetime
    amount: int
    tenders: tuple[TenderView, ...]
    cycle: str
    clearing_status: ClearingName


class MerchantStatementView(msgspec.Struct, frozen=True, kw_only=True):
    """A merchant's business date."""

    merchant_id: str
    business_date: date
    is_final: bool
    currency: Literal["CNY"]
    totals: StatementTotalsView | None
    items: tuple[StatementLineView, ...]
    next_cursor: str | None


StatusOf = Callable[[CycleNumber], ClearingName]


def statement_view(
    merchant: MerchantId,
    business_date: date,
    *,
    is_final: bool,
    totals: StatementTotalsView | None,
    lines: Sequence[StatementLine],
    next_cursor: str | None,
    status_of: StatusOf,
) -> MerchantStatementView:
    """A statement, or a later page of one, as the wire shows it."""
    return MerchantStatementView(
        merchant_id=id_text(merchant),
        business_date=business_date,
        is_final=is_final,
        currency=CURRENCY,
        totals=totals,
        items=tuple(_line_view(line, status_of(line.cycle)) for line in lines),
        next_cursor=next_cursor,
    )


def totals_view(
    totals: StatementTotals, *, settlement_dates: Mapping[CycleNumber, date | None], status_of: StatusOf
) -> StatementTotalsView:
    """What a statement adds up to, as the wire shows it. Order: kinds as payments have them, cycles by number."""
    return StatementTotalsView(
        **_turnover(totals.all),
        tenders=tuple(
            SourceTurnoverView(**_turnover(turnover), kind=_kind(source), fund_pay_type=_pay_type(source))
            for source, turnover in sorted(totals.by_source.items(), key=lambda entry: entry[0])
        ),
        cycles=tuple(
            CycleTurnoverView(
                **_turnover(turnover),
                cycle=cycle_text(cycle),
                clearing_status=status_of(cycle),
                settlement_date=settlement_dates.get(cycle),
            )
            for cycle, turnover in sorted(totals.by_cycle.items())
        ),
    )


def _line_view(line: StatementLine, status: ClearingName) -> StatementLineView:
    return StatementLineView(
        type=line.type.value,
        payment_id=id_text(line.payment),
        refund_id=id_text(line.refund) if line.refund is not None else None,
        order_no=line.order_no,
        refund_no=line.refund_no,
        terminal_id=line.terminal_id,
        occurred_at=line.at,
        amount=line.amount,
        tenders=tuple(map(_tender_view, line.shares)),
        cycle=cycle_text(line.cycle),
        clearing_status=status,
    )


def _tender_view(share: Share) -> TenderView:
    return TenderView(kind=_kind(share.source), fund_pay_type=_pay_type(share.source), amount=share.amount)


def _turnover(turnover: Turnover) -> dict[str, int]:
    return {
        "gross": turnover.gross,
        "refunds": turnover.refunds,
        "net": turnover.net,
        "payment_count": turnover.payment_count,
        "refund_count": turnover.refund_count,
    }


def _kind(source: Source) -> SourceName:
    return TENDER_NAMES[source.kind]  # type: ignore[return-value]  # a Literal from a table


def _pay_type(source: Source) -> str | UnsetType:
    return str(source.fund_pay_type) if source.kind is TenderKind.POOL_FUND else UNSET
