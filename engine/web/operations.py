"""What the contract says of each route and cannot be derived from the code: one entry a route."""

from collections.abc import Mapping
from typing import Final

from engine.core.clearing_lines import FileKind
from engine.core.ids import IdKind
from engine.core.refusals import Refusal
from engine.formats import bank_file_formats
from engine.web import docs
from engine.web.field_notes import FILE_NAME_PATTERN, id_pattern
from engine.web.operation import BUSINESS_DATE, PAGE, Operation, Parameter, Tag, object_schema, text_schema
from engine.web.operations_agencies import AGENCY_OPERATIONS
from engine.web.operations_corrections import CORRECTION_OPERATIONS
from engine.web.operations_cycles import CYCLE_OPERATIONS
from engine.web.operations_participants import APPROVAL_OPERATIONS, PARTICIPANT_OPERATIONS
from engine.web.operations_reconciliation import RECONCILIATION_OPERATIONS
from engine.web.operations_returns import RETURN_OPERATIONS
from engine.web.operations_statements import STATEMENT_OPERATIONS
from engine.web.wire import (
    STATUS_NAMES,
    CancelRequest,
    CancelView,
    CaptureRequest,
    CardView,
    ClockRequest,
    ClockView,
    ManifestList,
    NothingRequest,
    PaymentList,
    PaymentRequest,
    PaymentView,
    PositionList,
    RefundList,
    RefundRequest,
    RefundView,
)

HEALTH: Final = object_schema(status=text_schema("alive"))
READINESS: Final = object_schema(
    status=text_schema("ready", "not_ready"),
    failing={"type": "array", "items": text_schema("lanes", "clock", "partitions", "database")},
)
KEY_SET: Final = object_schema(
    keys={
        "type": "array",
        "items": object_schema(
            kty=text_schema("OKP"),
            crv=text_schema("Ed25519"),
            use=text_schema("sig"),
            alg=text_schema("EdDSA"),
            kid=text_schema(),
            x=text_schema(),
        ),
    }
)

PAYMENT_ID: Final = Parameter(
    name="id",
    text="The payment.",
    schema={"type": "string", "pattern": id_pattern(IdKind.PAYMENT)},
    place="path",
)
CARD_ID: Final = Parameter(
    name="id",
    text="The card.",
    schema={"type": "string", "pattern": id_pattern(IdKind.CARD)},
    place="path",
)
FILE_NAME: Final = Parameter(
    name="name",
    text="Name of a clearing file, as its manifest has it.",
    schema={"type": "string", "pattern": FILE_NAME_PATTERN},
    place="path",
)

MERCHANT: Final = (Refusal.NOT_FOUND,)  # of every other caller
_OWN_PAYMENT: Final = (*MERCHANT, Refusal.PAYMENT_NOT_FOUND)
_PAYING: Final = (
    *MERCHANT,
    Refusal.MERCHANT_SUSPENDED,
    Refusal.TERMINAL_UNKNOWN,
    Refusal.SCENARIO_NOT_ENABLED,
    Refusal.ORDER_ALREADY_PAID,
    Refusal.ORDER_NUMBER_USED,
    Refusal.ORDER_CANCELLED,
    Refusal.BILL_ALREADY_PAID,
    Refusal.BILL_EXPIRED,
    Refusal.AMOUNT_MISMATCH,
    Refusal.PAY_CODE_MALFORMED,
    Refusal.PAY_CODE_FOREIGN,
    Refusal.PAY_CODE_WRONG,
    Refusal.PAY_CODE_EXPIRED,
    Refusal.PAY_CODE_USED,
    Refusal.DEVICE_REVOKED,
    Refusal.CARD_REPORTED_LOST,
    Refusal.CARD_NOT_USABLE,
    Refusal.PAYMENT_NOT_ENABLED,
    Refusal.RELATIVE_NOT_LINKED,
    Refusal.TOO_MANY_ATTEMPTS,
    Refusal.INSUFFICIENT_FUNDS,
)

OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    ("POST", "/v1/payments"): Operation(
        tag=Tag.PAYMENTS,
        summary="Pay or reserve the amount of one scanned code",
        text="An attempt that the cardholder's side forbids, by a genuine code, is stored as a declined payment: the"
        " problem names it in `payment_id`, and the order number stays free.",
        request=PaymentRequest,
        status=201,
        response=PaymentView,
        refusals=_PAYING,
    ),
    ("GET", "/v1/payments"): Operation(
        tag=Tag.PAYMENTS,
        summary="Payments",
        parameters=(
            Parameter(name="order_no", text="Only this order.", schema=text_schema()),
            Parameter(name="status", text="Only this state.", schema=text_schema(*STATUS_NAMES.values())),
            BUSINESS_DATE,
            *PAGE,
        ),
        response=PaymentList,
        refusals=MERCHANT,
    ),
    ("POST", "/v1/payments/cancel"): Operation(
        tag=Tag.PAYMENTS,
        summary="Make sure that an order is not paid",
        text="Voids or refunds what was paid. A payment that arrives later for this order is refused.",
        request=CancelRequest,
        response=CancelView,
        refusals=MERCHANT,
    ),
    ("GET", "/v1/payments/{id}"): Operation(
        tag=Tag.PAYMENTS,
        summary="One payment",
        parameters=(PAYMENT_ID,),
        response=PaymentView,
        refusals=_OWN_PAYMENT,
    ),
    ("POST", "/v1/payments/{id}/capture"): Operation(
        tag=Tag.PAYMENTS,
        summary="Take what is on hold, or some of it",
        parameters=(PAYMENT_ID,),
        request=CaptureRequest,
        response=PaymentView,
        refusals=(*_OWN_PAYMENT, Refusal.PAYMENT_STATE_CONFLICT, Refusal.CAPTURE_EXCEEDS_AUTHORIZATION),
    ),
    ("POST", "/v1/payments/{id}/void"): Operation(
        tag=Tag.PAYMENTS,
        summary="Let go of a hold",
        text="What was captured of it before stands.",
        parameters=(PAYMENT_ID,),
        request=NothingRequest,
        response=PaymentView,
        refusals=(*_OWN_PAYMENT, Refusal.PAYMENT_STATE_CONFLICT),
    ),
    ("POST", "/v1/payments/{id}/refunds"): Operation(
        tag=Tag.PAYMENTS,
        summary="Give back some or all of what was captured",
        parameters=(PAYMENT_ID,),
        request=RefundRequest,
        status=201,
        response=RefundView,
        refusals=(
            *_OWN_PAYMENT,
            Refusal.ORDER_NUMBER_USED,
            Refusal.PAYMENT_STATE_CONFLICT,
            Refusal.REFUND_EXCEEDS_PAYMENT,
            Refusal.REFUND_WINDOW_CLOSED,
        ),
    ),
    ("GET", "/v1/payments/{id}/refunds"): Operation(
        tag=Tag.PAYMENTS,
        summary="Refunds of a payment",
        parameters=(PAYMENT_ID, *PAGE),
        response=RefundList,
        refusals=_OWN_PAYMENT,
    ),
    ("POST", "/v1/cards/{id}/loss-report"): Operation(
        tag=Tag.CARDS,
        summary="Stop a card",
        text="For channels, agencies and operators.",
        parameters=(CARD_ID,),
        request=NothingRequest,
        response=CardView,
        refusals=(Refusal.NOT_FOUND, Refusal.CARD_NOT_USABLE),
    ),
    ("POST", "/v1/cards/{id}/reinstate"): Operation(
        tag=Tag.CARDS,
        summary="Let a card that was reported lost pay again",
        text="For channels, agencies and operators.",
        parameters=(CARD_ID,),
        request=NothingRequest,
        response=CardView,
        refusals=(Refusal.NOT_FOUND, Refusal.CARD_NOT_USABLE),
    ),
    ("GET", "/v1/clearing/files"): Operation(
        tag=Tag.CLEARING,
        summary="Manifests of clearing files",
        text="For banks.",
        parameters=(
            BUSINESS_DATE,
            Parameter(name="cycle", text="Only this cycle, such as `20261124-01`.", schema=text_schema()),
            Parameter(name="kind", text="Only this kind.", schema=text_schema(*(kind.value for kind in FileKind))),
            Parameter(name="form", text="Only this form.", schema=text_schema(*bank_file_formats())),
            *PAGE,
        ),
        response=ManifestList,
        refusals=(Refusal.NOT_FOUND,),
    ),
    ("GET", "/v1/clearing/files/{name}"): Operation(
        tag=Tag.CLEARING,
        summary="One clearing file",
        text="For banks: check it against its manifest.",
        parameters=(FILE_NAME,),
        media_types=("text/plain", "application/xml"),
        is_file=True,
        refusals=(Refusal.NOT_FOUND, Refusal.CLEARING_FILE_NOT_READY),
    ),
    ("GET", "/v1/clearing/positions"): Operation(
        tag=Tag.CLEARING,
        summary="Net positions",
        text="For banks.",
        parameters=(BUSINESS_DATE, *PAGE),
        response=PositionList,
        refusals=(Refusal.NOT_FOUND,),
    ),
    **CYCLE_OPERATIONS,
    **RECONCILIATION_OPERATIONS,
    **RETURN_OPERATIONS,
    **CORRECTION_OPERATIONS,
    **AGENCY_OPERATIONS,
    **PARTICIPANT_OPERATIONS,
    **APPROVAL_OPERATIONS,
    **STATEMENT_OPERATIONS,
    ("GET", "/v1/keys"): Operation(tag=Tag.OPEN, summary="The engine's public keys", response=KEY_SET),
    ("GET", "/healthz"): Operation(tag=Tag.OPEN, summary="Whether the process answers", response=HEALTH),
    ("GET", "/readyz"): Operation(
        tag=Tag.OPEN,
        summary="Whether payments can be made",
        response=READINESS,
        statuses={503: "Payments cannot be made; `failing` says what is missing."},
    ),
    ("GET", "/metrics"): Operation(tag=Tag.OPEN, summary="Metrics", media_types=("text/plain",)),
    ("GET", "/openapi.json"): Operation(tag=Tag.OPEN, summary="This contract", response={"type": "object"}),
    ("GET", "/docs"): Operation(
        tag=Tag.OPEN,
        summary="The guide",
        parameters=(
            Parameter(
                name="lang", text="Language; else `Accept-Language` decides.", schema=text_schema(*docs.LANGUAGES)
            ),
        ),
        media_types=("text/html",),
    ),
    ("GET", "/docs/{file}"): Operation(
        tag=Tag.OPEN,
        summary="A file of the guide",
        parameters=(
            Parameter(name="file", text="Name of a file.", schema=text_schema(*sorted(docs.FILES)), place="path"),
        ),
        media_types=tuple(sorted({file.content_type for file in docs.FILES.values()})),
        refusals=(Refusal.NOT_FOUND,),
    ),
    ("GET", "/problems/{slug}"): Operation(
        tag=Tag.OPEN,
        parameters=(
            Parameter(
                name="slug",
                text="A problem's `code`.",
                schema=text_schema(*sorted(refusal.slug for refusal in Refusal)),
                place="path",
            ),
        ),
        media_types=("text/html",),
        refusals=(Refusal.NOT_FOUND,),
    ),
    ("GET", r"/v1/cards/{id}/pay-code.{extension:svg|png}"): Operation(
        tag=Tag.SANDBOX,
        summary="Picture of a payment code",
        parameters=(
            CARD_ID,
            Parameter(name="extension", text="Kind of picture.", schema=text_schema("png", "svg"), place="path"),
            Parameter(name="as", text="Kind of code.", schema={**text_schema("qr", "code128"), "default": "qr"}),
        ),
        media_types=("image/png", "image/svg+xml"),
        refusals=(Refusal.NOT_FOUND,),
    ),
    ("POST", "/v1/sandbox/clock"): Operation(tag=Tag.SANDBOX, request=ClockRequest, response=ClockView),
    ("GET", "/v1/sandbox/clock"): Operation(
        tag=Tag.SANDBOX,
        summary="Business time, and the open business date",
        response=ClockView,
    ),
}
