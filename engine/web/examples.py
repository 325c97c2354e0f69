"""The contract's examples: one purchase told in every struct, and its request signed with a published key.

Everything that follows from something else (ids, digests, the signature) is computed, so that no example can be wrong.
"""

import base64
import hashlib
from datetime import UTC, date, datetime
from typing import Final

import msgspec

from engine.codes.http_signature import CoveredRequest, HmacKey, ParsedSignature, content_digest, parse_signature, sign
from engine.codes.pay_code import device_key, pay_code_at
from engine.core.ids import IdKind, id_text, make_id
from engine.core.refusals import Refusal
from engine.web.applications.examples import APPLICATIONS_EXAMPLES
from engine.web.audit.examples import AUDIT_EXAMPLES
from engine.web.channels.examples import CHANNELS_EXAMPLES
from engine.web.consents.examples import CONSENTS_EXAMPLES
from engine.web.examples_agencies import AGENCY_EXAMPLES
from engine.web.examples_bulk import BULK_EXAMPLES
from engine.web.examples_cards import CARD_EXAMPLES
from engine.web.examples_cycles import CYCLE_EXAMPLES
from engine.web.examples_orders import ORDER_EXAMPLES
from engine.web.examples_participants import PARTICIPANT_EXAMPLES
from engine.web.examples_paying import PAYING_EXAMPLES
from engine.web.examples_risk import RISK_EXAMPLES
from engine.web.examples_webhooks import WEBHOOK_EXAMPLES
from engine.web.identity.examples import IDENTITY_EXAMPLES
from engine.web.inquiry.examples import INQUIRY_EXAMPLES
from engine.web.login.examples import LOGIN_EXAMPLES
from engine.web.passkeys.examples import PASSKEYS_EXAMPLES
from engine.web.problems import FieldError, ProblemDocument, problem_document
from engine.web.territory.examples import TERRITORY_EXAMPLES
from engine.web.wire import (
    CancelRequest,
    CancelView,
    CaptureRequest,
    CardView,
    CashierText,
    ClockRequest,
    ClockView,
    PaymentRequest,
    PaymentView,
    PositionView,
    RefundRequest,
    RefundView,
    TenderView,
)

_REGION: Final = 110101
_DEVICE_NO: Final = 700_000_014
_CREATED_S: Final = 1795521600
_CREATED_AT: Final = datetime.fromtimestamp(_CREATED_S, UTC)
_BUSINESS_DATE: Final = date(2026, 11, 24)
_TRACE_ID: Final = hashlib.sha256(b"an example").hexdigest()[:32]
_CUTOFF_AT: Final = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)


def _example_id(kind: IdKind) -> str:
    return id_text(make_id(kind, at_ms=_CREATED_S * 1000, shard=7, region=_REGION, entropy=2**40 + kind))


PAYMENT_REQUEST: Final = PaymentRequest(
    pay_code=pay_code_at(device_key(bytes(range(32)), 1, _DEVICE_NO), _DEVICE_NO, 3, _CREATED_S),
    order_no="A-1001",
    amount=63735,
    scenario="outpatient",
    terminal_id="T-01",
)
PAYMENT: Final = PaymentView(
    id=_example_id(IdKind.PAYMENT),
    status="captured",
    order_no=PAYMENT_REQUEST.order_no,
    amount=PAYMENT_REQUEST.amount,
    currency="CNY",
    scenario=PAYMENT_REQUEST.scenario,
    mode="show_code",
    tenders=(
        TenderView(kind="personal_account", amount=40000),
        TenderView(kind="bank_card", amount=23735),
    ),
    captured_amount=PAYMENT_REQUEST.amount,
    refunded_amount=0,
    merchant_id=_example_id(IdKind.MERCHANT),
    terminal_id=PAYMENT_REQUEST.terminal_id,
    region=f"{_REGION:06d}",
    business_date=_BUSINESS_DATE,
    cycle="20261124-01",
    next_cutoff=_CUTOFF_AT,
    clearing_status="uncleared",
    expires_at=None,
    created_at=_CREATED_AT,
    cashier_text=CashierText(zh="支付成功", en="Paid"),
    description=None,
    declined_code=None,
)
_REFUNDED: Final = msgspec.structs.replace(
    PAYMENT,
    status="refunded",
    refunded_amount=PAYMENT.captured_amount,
    cashier_text=CashierText(zh="已退款", en="Refunded"),
)
REFUND: Final = RefundView(
    id=_example_id(IdKind.REFUND),
    payment_id=PAYMENT.id,
    refund_no="R-1",
    amount=3735,
    tenders=(TenderView(kind="bank_card", amount=3735),),
    status="refunded",
    reason="one box was not dispensed",
    business_date=_BUSINESS_DATE,
    created_at=_CREATED_AT,
)
EXAMPLES: Final[tuple[msgspec.Struct, ...]] = (
    *CYCLE_EXAMPLES,
    *PARTICIPANT_EXAMPLES,
    *AGENCY_EXAMPLES,
    *ORDER_EXAMPLES,
    *WEBHOOK_EXAMPLES,
    *RISK_EXAMPLES,
    *CARD_EXAMPLES,
    *CHANNELS_EXAMPLES,
    *CONSENTS_EXAMPLES,
    *INQUIRY_EXAMPLES,
    *IDENTITY_EXAMPLES,
    *PASSKEYS_EXAMPLES,
    *LOGIN_EXAMPLES,
    *APPLICATIONS_EXAMPLES,
    *AUDIT_EXAMPLES,
    *TERRITORY_EXAMPLES,
    PAYMENT_REQUEST,
    CaptureRequest(amount=60000),
    *PAYING_EXAMPLES,
    *BULK_EXAMPLES,
    RefundRequest(refund_no=REFUND.refund_no, amount=REFUND.amount, reason=REFUND.reason),
    CancelRequest(order_no=PAYMENT.order_no),
    ClockRequest(advance_s=3600),
    PAYMENT,
    REFUND,
    CancelView(order_no=PAYMENT.order_no, outcome="refunded", payment=_REFUNDED),
    CardView(id=_example_id(IdKind.CARD), status="lost", issue_level=2, at=_CREATED_AT),
    ClockView(now=_CREATED_AT, business_date=_BUSINESS_DATE),
    PositionView(business_date=_BUSINESS_DATE, cycle="20261124-01", debits=23735, credits=3735, net=-20000),
    FieldError("/amount", "Expected `int` >= 1"),
)
"""At most one of each struct."""


def problem_example(refusal: Refusal, *, instance: str) -> ProblemDocument:
    """How a refusal of the request to *instance* is told."""
    return problem_document(refusal, instance=instance, trace_id=_TRACE_ID, in_chinese=False)


def example_json(example: msgspec.Struct) -> dict[str, object]:
    """An example as JSON values; what says no more than its default is left out."""
    values: dict[str, object] = msgspec.to_builtins(example)
    defaults = {field.encode_name: field.default for field in msgspec.structs.fields(example)}
    return {name: value for name, value in values.items() if value != defaults[name]}


class SignedExample(msgspec.Struct, frozen=True, kw_only=True):
    """A request, what was signed of it, and what is sent with it."""

    method: str
    target: str
    body: str
    key: str  # the idempotency key
    keyid: str
    secret: str  # Base64
    created: int
    nonce: str
    base: str
    headers: dict[str, str]


def _signed_example() -> SignedExample:
    body = msgspec.json.encode(example_json(PAYMENT_REQUEST))
    request = CoveredRequest(
        method="POST",
        target="/v1/payments",
        content_digest=content_digest(body),
        idempotency_key='"order-A-1001"',
    )
    secret = bytes(range(32))
    keyid, nonce = "hospital-01-1", "5b0c7f3e9a61d284"
    headers = sign(request, HmacKey(secret), keyid=keyid, created=_CREATED_S, nonce=nonce)
    parsed = parse_signature(request, headers["Signature-Input"], headers["Signature"])
    assert isinstance(parsed, ParsedSignature)
    return SignedExample(
        method=request.method,
        target=request.target,
        body=body.decode(),
        key="order-A-1001",
        keyid=keyid,
        secret=base64.b64encode(secret).decode(),
        created=_CREATED_S,
        nonce=nonce,
        base=parsed.base.decode(),
        headers=headers,
    )


SIGNED: Final = _signed_example()
