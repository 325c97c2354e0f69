"""Answers as they are written: one function a version, the same bytes the first time and on every replay."""

from datetime import datetime
from functools import lru_cache
from typing import Final

import msgspec
from msgspec import UNSET

from engine.core.answers import ANSWER_VERSION, Answer, CancelOutcome, CardState, Clearing
from engine.core.calendar import cycle_text
from engine.core.ids import id_text
from engine.core.money import CURRENCY
from engine.core.payer import CardStatus
from engine.core.payments import HELD, Claim, Payment, Refund, State, Tender, TenderKind
from engine.core.refusals import Refusal
from engine.core.scenarios import BY_NUMBER
from engine.web.problems import PROBLEMS, FieldError, ProblemDocument, problem_document
from engine.web.wire import (
    MODE_NAMES,
    STATUS_NAMES,
    TENDER_NAMES,
    CancelView,
    CardView,
    CashierText,
    PaymentView,
    RefundView,
    TenderView,
)
from engine.web.wire_medical import SplitView

encode_json: Final = msgspec.json.Encoder().encode
_merchant_text: Final = lru_cache(maxsize=16_384)(id_text)  # one merchant has many payments

_CASHIER_TEXTS: Final = {
    State.AWAITING_USER: CashierText("等待持卡人确认", "Waiting for the cardholder to confirm"),
    State.AUTHORIZED: CashierText("已预授权", "Authorized"),
    State.CAPTURED: CashierText("支付成功", "Paid"),
    State.PARTIALLY_REFUNDED: CashierText("已部分退款", "Partially refunded"),
    State.REFUNDED: CashierText("已退款", "Refunded"),
    State.VOIDED: CashierText("已撤销", "Voided"),
    State.EXPIRED: CashierText("授权已过期", "Expired"),
}
_CLEARING_NAMES: Final = {clearing: clearing.name.lower() for clearing in Clearing}
_OUTCOME_NAMES: Final = {outcome: outcome.name.lower() for outcome in CancelOutcome}
_CARD_NAMES: Final = {status: status.name.lower() for status in CardStatus}
_UNDER_REVIEW: Final = CashierText("交易审核中,请稍后查询结果", "Under review: fetch the payment later")
_NEVER_CAPTURED: Final = frozenset({State.AWAITING_USER, State.AUTHORIZED, State.VOIDED, State.EXPIRED})
_VERSION_WITH_RESOLVE_BY: Final = 3


def payment_view(
    payment: Payment, *, clearing: Clearing, next_cutoff_at: datetime, version: int = ANSWER_VERSION
) -> PaymentView:
    """A payment as the wire shows it, or as it did when answers were of *version*.

    The tenders are what is authorized until it is captured, and what is captured from then on, so that they sum to
    `amount` or to `captured_amount`.
    """
    return PaymentView(
        id=id_text(payment.id),
        status=STATUS_NAMES[payment.state],  # type: ignore[arg-type]  # a Literal from a table
        order_no=payment.order_no,
        amount=payment.amount,
        currency=CURRENCY,
        scenario=BY_NUMBER[payment.scenario].name,
        mode=MODE_NAMES[payment.mode],  # type: ignore[arg-type]  # a Literal from a table
        tenders=_tender_views(payment),
        captured_amount=payment.captured_amount,
        refunded_amount=payment.refunded_amount,
        merchant_id=_merchant_text(payment.merchant),
        terminal_id=payment.terminal_id,
        region=f"{payment.region:06d}",
        business_date=payment.business_date,
        cycle=cycle_text(payment.cycle) if payment.cycle is not None else None,
        next_cutoff=next_cutoff_at,
        clearing_status=_CLEARING_NAMES[clearing],  # type: ignore[arg-type]  # a Literal from a table
        expires_at=payment.expires_at,
        created_at=payment.created_at,
        cashier_text=_cashier_text(payment),
        description=payment.description,
        declined_code=Refusal(payment.refusal).slug if payment.refusal is not None else None,
        bill_no=payment.bill_no if payment.bill_no is not None else UNSET,
        resolve_by=payment.expires_at
        if version >= _VERSION_WITH_RESOLVE_BY and payment.state in HELD and payment.expires_at is not None
        else UNSET,
        medical=split_view(payment.claim) if payment.details is not None and payment.claim is not None else UNSET,
    )


def split_view(claim: Claim) -> SplitView:
    """What the insurance made of a bill, as the wire shows it."""
    return SplitView(
        plan=claim.plan,
        total=claim.total,
        own_pay=claim.own_pay,
        over_limit=claim.over_limit,
        pre_self=claim.pre_self,
        in_scope=claim.in_scope,
        deductible=claim.deductible,
        fund=claim.pool,
    )


def refund_view(refund: Refund) -> RefundView:
    """A refund as the wire shows it."""
    return RefundView(
        id=id_text(refund.id),
        payment_id=id_text(refund.payment),
        refund_no=refund.refund_no,
        amount=refund.amount,
        tenders=tuple(_tender_view(tender, tender.amount) for tender in refund.tenders),
        status="refunded",
        reason=refund.reason,
        business_date=refund.business_date,
        created_at=refund.created_at,
    )


def card_view(card: CardState) -> CardView:
    """A card's state as the wire shows it."""
    return CardView(
        id=id_text(card.id),
        status=_CARD_NAMES[card.status],  # type: ignore[arg-type]  # a Literal from a table
        issue_level=card.issue_level,
        at=card.at,
    )


def payment_of_answer(answer: Answer) -> PaymentView:
    """The payment that an answer shows."""
    assert answer.payment is not None
    assert answer.next_cutoff_at is not None
    return payment_view(
        answer.payment, clearing=answer.clearing, next_cutoff_at=answer.next_cutoff_at, version=answer.version
    )


def cancel_view(answer: Answer, *, order_no: str) -> CancelView:
    """What cancelling an order did."""
    assert answer.cancelled is not None
    return CancelView(
        order_no=order_no,
        outcome=_OUTCOME_NAMES[answer.cancelled],  # type: ignore[arg-type]  # a Literal from a table
        payment=payment_of_answer(answer) if answer.payment is not None else msgspec.UNSET,
    )


def problem_of_answer(answer: Answer, *, instance: str, in_chinese: bool) -> ProblemDocument:
    """The document of an answer that says no. It carries the trace of the request that was answered first."""
    assert answer.refusal is not None
    refusal = Refusal(answer.refusal)
    errors = (FieldError(f"/{answer.field}", PROBLEMS[refusal].en),) if answer.field is not None else ()
    if answer.tries_left is not None:
        errors = (FieldError("/password_block", _tries_text(answer.tries_left, in_chinese=in_chinese)),)
    return problem_document(
        refusal,
        instance=instance,
        trace_id=answer.trace_id or "",
        in_chinese=in_chinese,
        payment_id=id_text(answer.payment.id) if answer.payment is not None else None,
        errors=errors,
    )


def _tries_text(left: int, *, in_chinese: bool) -> str:
    if in_chinese:
        return f"密码错误,还可尝试{left}次" if left else "密码已锁定"
    return f"not right; it may be tried {left} more times" if left else "locked"


def _tender_views(payment: Payment) -> tuple[TenderView, ...]:
    if payment.state in _NEVER_CAPTURED:
        return tuple(_tender_view(tender, tender.amount) for tender in payment.tenders)
    return tuple(_tender_view(tender, tender.captured) for tender in payment.tenders if tender.captured)


def _tender_view(tender: Tender, amount: int) -> TenderView:
    kind = TENDER_NAMES[tender.kind]
    if tender.kind is TenderKind.POOL_FUND:
        return TenderView(kind="pool_fund", fund_pay_type=str(tender.fund_pay_type), amount=amount)
    return TenderView(kind=kind, amount=amount)  # type: ignore[arg-type]  # a Literal from a table


def _cashier_text(payment: Payment) -> CashierText:
    if payment.refusal is None:
        awaiting = payment.awaiting if payment.state is State.AWAITING_USER else None
        return _UNDER_REVIEW if awaiting is not None and awaiting.is_review else _CASHIER_TEXTS[payment.state]
    problem = PROBLEMS[Refusal(payment.refusal)]
    return CashierText(problem.zh, problem.en)
