"""What the contract says of gates without a network: their terminals' keys and their tickets."""

from collections.abc import Mapping
from typing import Final

from engine.codes.ride_ticket import LATE_S_MAX, LINE_BYTES_MAX
from engine.core.refusals import Refusal
from engine.web.bulk import LINES_MAX, NDJSON
from engine.web.operation import Operation, Parameter, Tag
from engine.web.wire import NothingRequest
from engine.web.wire_bulk import GateView, TerminalKeyRequest, TicketLine

_TERMINAL: Final = Parameter(
    name="terminal_id",
    text="The terminal; one that the merchant has registered.",
    schema={"type": "string", "minLength": 1, "maxLength": 32},
    place="path",
)
_OF_A_LINE: Final = (
    Refusal.TICKET_INVALID,
    Refusal.TICKET_REPEATED,
    Refusal.TICKET_SEQUENCE_GAP,
    Refusal.MERCHANT_SUSPENDED,
    Refusal.TERMINAL_UNKNOWN,
    Refusal.SCENARIO_NOT_ENABLED,
    Refusal.ORDER_ALREADY_PAID,
    Refusal.ORDER_NUMBER_USED,
    Refusal.ORDER_CANCELLED,
    Refusal.PAY_CODE_WRONG,
    Refusal.PAY_CODE_EXPIRED,
    Refusal.PAY_CODE_USED,
    Refusal.DEVICE_REVOKED,
    Refusal.CARD_REPORTED_LOST,
    Refusal.CARD_NOT_USABLE,
    Refusal.PAYMENT_NOT_ENABLED,
    Refusal.UNPAID_RIDE,
    Refusal.LIMIT_EXCEEDED,
    Refusal.TOO_MANY_ATTEMPTS,
    Refusal.INSUFFICIENT_FUNDS,
)

BULK_OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    ("POST", "/v1/payments/bulk"): Operation(
        tag=Tag.PAYMENTS,
        summary="Bring in the tickets of gates without a network",
        text="For merchants. NDJSON, a ticket a line, at most"
        f" {LINES_MAX} lines of {LINE_BYTES_MAX} bytes: `merchant_id`, `terminal_id`, `sequence`, `code`,"
        " `code_issued_s`, `taken_s`, `amount`, `scenario`, `ride_no` and `signature`, the Ed25519 signature with the"
        " terminal's key, as Base64url, over the line `ssc ride ticket 1` and the nine values in this order, each ended"
        " by a line feed. The answer is NDJSON as well: one line for each, in the same order, with a `status` if the"
        " ride is paid, else the `code` of a refusal; the refusals below that begin with a ticket, an order, a code, a"
        " card or a limit are never the whole request's. A terminal's numbers have no gaps: after one, every line is"
        " `ticket-sequence-gap` until the missing ticket has come in. What is `final` is remembered under terminal and"
        " number: the same upload again has the same answers, whatever its idempotency key, and another ticket under"
        " that number is `ticket-repeated`. A ticket is"
        f" taken for {LATE_S_MAX // 3600} hours. A ride that the cardholder's money, limit or card does not pay closes"
        " its scenario to the card until somebody pays it: an ordinary payment with `ride_no` as its order number."
        " The whole body is read before the first line counts; the answers come while the rest is still being paid.",
        upload_media_types=(NDJSON,),
        response=TicketLine,
        media_types=(NDJSON,),
        refusals=(Refusal.NOT_FOUND, Refusal.BODY_TOO_LARGE, *_OF_A_LINE),
    ),
    ("GET", "/v1/terminals/{terminal_id}/keys"): Operation(
        tag=Tag.PAYMENTS,
        summary="A gate's keys, and its last number",
        text="For merchants. A gate that has lost its memory goes on after `last_sequence`.",
        parameters=(_TERMINAL,),
        response=GateView,
        refusals=(Refusal.NOT_FOUND,),
    ),
    ("POST", "/v1/terminals/{terminal_id}/keys"): Operation(
        tag=Tag.PAYMENTS,
        summary="Give a gate's terminal a key",
        text="For merchants, who bear the risk of their gates: no operator is asked. Ed25519. The key counts for"
        " tickets taken from now on, the one before for those taken until now, however late they come in; so a new gate"
        " opens after this is answered. Numbers go on where they were.",
        parameters=(_TERMINAL,),
        request=TerminalKeyRequest,
        status=201,
        response=GateView,
        refusals=(Refusal.NOT_FOUND, Refusal.TERMINAL_UNKNOWN, Refusal.IDEMPOTENCY_KEY_IN_PROGRESS),
    ),
    ("POST", "/v1/terminals/{terminal_id}/keys/retire"): Operation(
        tag=Tag.PAYMENTS,
        summary="Retire the key of a gate's terminal",
        text="For merchants: of a gate that is gone. Tickets that it took before may still be brought in.",
        parameters=(_TERMINAL,),
        request=NothingRequest,
        response=GateView,
        refusals=(Refusal.NOT_FOUND, Refusal.IDEMPOTENCY_KEY_IN_PROGRESS),
    ),
}
