"""What the contract says of each route and cannot be derived from the code: one entry a route."""

from collections.abc import Mapping
from typing import Final

from engine.core.clearing_lines import FileKind
from engine.core.ids import IdKind
from engine.core.refusals import Refusal
from engine.formats import bank_file_formats
from engine.web import docs
from engine.web.applications.operations import APPLICATIONS_OPERATIONS
from engine.web.audit.operations import AUDIT_OPERATIONS
from engine.web.channels.operations import CHANNELS_OPERATIONS
from engine.web.consents.operations import CONSENTS_OPERATIONS
from engine.web.field_notes import FILE_NAME_PATTERN, id_pattern
from engine.web.identity.operations import IDENTITY_OPERATIONS
from engine.web.inquiry.operations import INQUIRY_OPERATIONS
from engine.web.login.operations import LOGIN_OPERATIONS
from engine.web.operation import BUSINESS_DATE, PAGE, Operation, Parameter, Tag, object_schema, text_schema
from engine.web.operations_agencies import AGENCY_OPERATIONS
from engine.web.operations_bulk import BULK_OPERATIONS
from engine.web.operations_cards import CARD_ID, CARD_OPERATIONS
from engine.web.operations_cases import CASE_OPERATIONS
from engine.web.operations_corrections import CORRECTION_OPERATIONS
from engine.web.operations_cycles import CYCLE_OPERATIONS
from engine.web.operations_orders import ORDER_OPERATIONS
from engine.web.operations_participants import APPROVAL_OPERATIONS, PARTICIPANT_OPERATIONS
from engine.web.operations_paying import (
    ABOUT_THE_CARD,
    ABOUT_THE_CODE,
    ABOUT_THE_PASSWORD,
    PAYING_OPERATIONS,
)
from engine.web.operations_reconciliation import RECONCILIATION_OPERATIONS
from engine.web.operations_regions import REGION_OPERATIONS
from engine.web.operations_returns import RETURN_OPERATIONS
from engine.web.operations_risk import RISK_OPERATIONS
from engine.web.operations_statements import STATEMENT_OPERATIONS
from engine.web.operations_webhooks import WEBHOOK_OPERATIONS
from engine.web.passkeys.operations import PASSKEYS_OPERATIONS
from engine.web.territory.operations import TERRITORY_OPERATIONS
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
from engine.web.wire_dry_run import DryRunView

HEALTH: Final = object_schema(status=text_schema("alive"))
READINESS: Final = object_schema(
    status=text_schema("ready", "not_ready"),
    failing={"type": "array", "items": text_schema("lanes", "clock", "partitions", "database")},
)
KEY_SET: Final = object_schema(
    keys={
        "type": "array",
        "items": {
            "oneOf": [
                object_schema(
                    kty=text_schema("OKP"),
                    crv=text_schema("Ed25519"),
                    use=text_schema("sig"),
                    alg=text_schema("EdDSA"),
                    kid=text_schema(),
                    x=text_schema(),
                ),
                object_schema(
                    kty=text_schema("EC"),
                    crv=text_schema("P-256"),
                    use=text_schema("enc"),
                    alg=text_schema("ECDH-ES"),
                    kid=text_schema(),
                    x=text_schema(),
                    y=text_schema(),
                ),
            ],
        },
    }
)

PAYMENT_ID: Final = Parameter(
    name="id",
    text="The payment.",
    schema={"type": "string", "pattern": id_pattern(IdKind.PAYMENT)},
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
    Refusal.CHANNEL_SUSPENDED,
    Refusal.TERMINAL_UNKNOWN,
    Refusal.SCENARIO_NOT_ENABLED,
    Refusal.ORDER_ALREADY_PAID,
    Refusal.ORDER_NUMBER_USED,
    Refusal.ORDER_CANCELLED,
    Refusal.BILL_ALREADY_PAID,
    Refusal.BILL_EXPIRED,
    Refusal.AMOUNT_MISMATCH,
    Refusal.BILL_INVALID,
    Refusal.AMOUNT_NOT_BALANCED,
    Refusal.QUOTE_EXPIRED,
    *ABOUT_THE_CODE,
    *ABOUT_THE_CARD,
    Refusal.RELATIVE_NOT_LINKED,
    Refusal.IDENTITY_MISMATCH,
    Refusal.UNPAID_RIDE,
    *ABOUT_THE_PASSWORD,
    Refusal.PLAN_MISSING,
    Refusal.PRESETTLEMENT_CHANGED,
    Refusal.LIMIT_EXCEEDED,
    Refusal.RISK_DECLINED,
    Refusal.INSUFFICIENT_FUNDS,
)

OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    ("POST", "/v1/payments"): Operation(
        tag=Tag.PAYMENTS,
        summary="Pay or reserve the amount of one order, by a scanned code or a card",
        text="An attempt that the cardholder's side forbids, by a genuine code, is stored as a declined payment: the"
        " problem names it in `payment_id`, and the order number stays free. `awaiting_user`: the money is held until"
        " the cardholder has confirmed it with the password, or it voids itself at `resolve_by`; ask with `wait`. With"
        " `dry_run=true` nothing is stored or used, a password that comes along is taken for right, and the answer is"
        " what would be decided now.",
        parameters=(
            Parameter(name="dry_run", text="`true`: only say what would be decided.", schema={"type": "boolean"}),
        ),
        request=PaymentRequest,
        status=201,
        response=PaymentView,
        answers={200: ("With `dry_run=true`: what would be decided.", DryRunView)},
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
        text="Voids or refunds what was paid. A payment that arrives later for this order is refused. Bills of one"
        " visit are given back newest first.",
        request=CancelRequest,
        response=CancelView,
        refusals=(*MERCHANT, Refusal.NEWER_SETTLEMENT_EXISTS),
    ),
    ("GET", "/v1/payments/{id}"): Operation(
        tag=Tag.PAYMENTS,
        summary="One payment",
        text="With `wait`, answered as soon as it is final: when it holds nothing that somebody may still take, and"
        " waits for nobody.",
        parameters=(
            PAYMENT_ID,
            Parameter(
                name="wait",
                text="For how many seconds to wait at most until it is final.",
                schema={"type": "integer", "minimum": 0, "maximum": 30},
            ),
        ),
        response=PaymentView,
        refusals=_OWN_PAYMENT,
    ),
    **PAYING_OPERATIONS,
    **BULK_OPERATIONS,
    ("POST", "/v1/payments/{id}/capture"): Operation(
        tag=Tag.PAYMENTS,
        summary="Take what is on hold, or some of it",
        parameters=(PAYMENT_ID,),
        request=CaptureRequest,
        response=PaymentView,
        refusals=(
            *_OWN_PAYMENT,
            Refusal.AMOUNT_MISMATCH,
            Refusal.BILL_INVALID,
            Refusal.AMOUNT_NOT_BALANCED,
            Refusal.PLAN_MISSING,
            Refusal.PAYMENT_STATE_CONFLICT,
            Refusal.CAPTURE_EXCEEDS_AUTHORIZATION,
        ),
    ),
    ("POST", "/v1/payments/{id}/void"): Operation(
        tag=Tag.PAYMENTS,
        summary="Let go of a hold",
        text="What was captured of it before stands.",
        parameters=(PAYMENT_ID,),
        request=NothingRequest,
        response=PaymentView,
        refusals=(*_OWN_PAYMENT, Refusal.PAYMENT_STATE_CONFLICT, Refusal.NEWER_SETTLEMENT_EXISTS),
    ),
    ("POST", "/v1/payments/{id}/refunds"): Operation(
        tag=Tag.PAYMENTS,
        summary="Give back some or all of what was captured",
        text="Of a medical bill the cardholder's own part can be given back bit by bit; the insured part only with"
        " everything that is left, since the bill has to be settled anew then, and newest first within a visit.",
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
            Refusal.NEWER_SETTLEMENT_EXISTS,
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
        text="For channels that have issued the card, and for agencies and operators of its region.",
        parameters=(CARD_ID,),
        request=NothingRequest,
        response=CardView,
        refusals=(
            Refusal.NOT_FOUND,
            Refusal.SCOPE_NOT_AUTHORIZED,
            Refusal.REGION_NOT_PERMITTED,
            Refusal.CARD_NOT_USABLE,
        ),
    ),
    ("POST", "/v1/cards/{id}/reinstate"): Operation(
        tag=Tag.CARDS,
        summary="Let a card that was reported lost pay again",
        text="For channels that have issued the card, and for agencies and operators of its region.",
        parameters=(CARD_ID,),
        request=NothingRequest,
        response=CardView,
        refusals=(
            Refusal.NOT_FOUND,
            Refusal.SCOPE_NOT_AUTHORIZED,
            Refusal.REGION_NOT_PERMITTED,
            Refusal.CARD_NOT_USABLE,
        ),
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
    **CASE_OPERATIONS,
    **CORRECTION_OPERATIONS,
    **AGENCY_OPERATIONS,
    **ORDER_OPERATIONS,
    **PARTICIPANT_OPERATIONS,
    **APPROVAL_OPERATIONS,
    **REGION_OPERATIONS,
    **STATEMENT_OPERATIONS,
    **WEBHOOK_OPERATIONS,
    **RISK_OPERATIONS,
    **CARD_OPERATIONS,
    **CHANNELS_OPERATIONS,
    **CONSENTS_OPERATIONS,
    **INQUIRY_OPERATIONS,
    **IDENTITY_OPERATIONS,
    **PASSKEYS_OPERATIONS,
    **LOGIN_OPERATIONS,
    **APPLICATIONS_OPERATIONS,
    **AUDIT_OPERATIONS,
    **TERRITORY_OPERATIONS,
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
            Parameter(
                name="signed",
                text="`true`: a QR code that a gate can check without a network.",
                schema={**text_schema("true", "false"), "default": "false"},
            ),
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
