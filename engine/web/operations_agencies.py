"""What the contract says of agencies: the bills that they send, and the benefits that they pay out."""

from collections.abc import Mapping
from typing import Final

from engine.core.disbursement import LINES_MAX, LineStatus
from engine.core.ids import IdKind
from engine.core.refusals import Refusal
from engine.web.field_notes import id_pattern
from engine.web.operation import PAGE, Operation, Parameter, Tag, text_schema
from engine.web.wire import NothingRequest
from engine.web.wire_bills import BillList, BillRequest, BillView
from engine.web.wire_disbursements import DisbursementList, DisbursementView, PayoutList
from engine.web.wire_participants import ApprovalView, ReasonRequest

_BILL_NO: Final = Parameter(
    name="number",
    text="The bill's `bill_no`.",
    schema={"type": "string", "pattern": "^[0-9A-Za-z_-]{1,64}$"},
    place="path",
)
_DISBURSEMENT_ID: Final = Parameter(
    name="id",
    text="The disbursement.",
    schema={"type": "string", "pattern": id_pattern(IdKind.DISBURSEMENT)},
    place="path",
)
_LINE_ID: Final = Parameter(
    name="line",
    text="The line.",
    schema={"type": "string", "pattern": id_pattern(IdKind.DISBURSEMENT_LINE)},
    place="path",
)
_CHANGING: Final = (Refusal.NOT_FOUND, Refusal.IDEMPOTENCY_KEY_IN_PROGRESS)
_ASKING: Final = (
    *_CHANGING,
    Refusal.SCOPE_NOT_AUTHORIZED,
    Refusal.REGION_NOT_PERMITTED,
    Refusal.DISBURSEMENT_STATE_CONFLICT,
)
_READING: Final = (Refusal.NOT_FOUND, Refusal.SCOPE_NOT_AUTHORIZED)

AGENCY_OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    ("POST", "/v1/bills"): Operation(
        tag=Tag.AGENCIES,
        summary="Send a bill",
        text="For agencies, each for what it is registered for. A bill is paid once, in full, before its deadline, by"
        " a payment that gives its number; the money is the agency's, not the merchant's. A bill of which all was given"
        " back is over: another one has to be sent, under a number of its own.",
        request=BillRequest,
        status=201,
        response=BillView,
        refusals=(*_CHANGING, Refusal.SCOPE_NOT_AUTHORIZED, Refusal.BILL_NUMBER_USED),
    ),
    ("GET", "/v1/bills"): Operation(
        tag=Tag.AGENCIES,
        summary="Bills",
        text="For agencies.",
        parameters=PAGE,
        response=BillList,
        refusals=(Refusal.NOT_FOUND,),
    ),
    ("GET", "/v1/bills/{number}"): Operation(
        tag=Tag.AGENCIES,
        summary="One bill",
        text="For agencies.",
        parameters=(_BILL_NO,),
        response=BillView,
        refusals=(Refusal.NOT_FOUND,),
    ),
    ("POST", "/v1/bills/{number}/withdraw"): Operation(
        tag=Tag.AGENCIES,
        summary="Take a bill back",
        text="For agencies, while it is not paid. Doing it twice is no mistake.",
        parameters=(_BILL_NO,),
        request=NothingRequest,
        response=BillView,
        refusals=(*_CHANGING, Refusal.BILL_ALREADY_PAID),
    ),
    ("POST", "/v1/disbursements"): Operation(
        tag=Tag.AGENCIES,
        summary="Send a batch of benefits",
        text=f"For agencies: CSV or `pain.001.001.09`, up to {LINES_MAX} lines and 512 MiB, read as it comes. It counts"
        " whole or not at all: faults are named by line and field. The same benefit of the same person, month and fund"
        " is in one batch, once, for ever. The same bytes under the same number are answered with the same batch.",
        parameters=(
            Parameter(
                name="batch_no",
                text="The agency's own number of the batch, for a form that does not tell one.",
                schema={"type": "string", "pattern": "^[0-9A-Za-z._-]{1,35}$"},
            ),
        ),
        upload_media_types=("text/csv", "application/xml"),
        status=201,
        response=DisbursementView,
        refusals=(
            Refusal.NOT_FOUND,
            Refusal.SCOPE_NOT_AUTHORIZED,
            Refusal.DISBURSEMENT_DUPLICATE,
            Refusal.FILE_DUPLICATE,
            Refusal.FILE_MALFORMED,
            Refusal.CONTROL_TOTAL_MISMATCH,
        ),
    ),
    ("GET", "/v1/disbursements"): Operation(
        tag=Tag.AGENCIES,
        summary="Batches of benefits",
        text="For agencies and operators.",
        parameters=PAGE,
        response=DisbursementList,
        refusals=_READING,
    ),
    ("GET", "/v1/disbursements/{id}"): Operation(
        tag=Tag.AGENCIES,
        summary="One batch of benefits",
        text="For agencies and operators.",
        parameters=(_DISBURSEMENT_ID,),
        response=DisbursementView,
        refusals=_READING,
    ),
    ("GET", "/v1/disbursements/{id}/lines"): Operation(
        tag=Tag.AGENCIES,
        summary="Lines of a batch",
        text="For agencies and operators.",
        parameters=(
            _DISBURSEMENT_ID,
            Parameter(name="status", text="Only with this status.", schema=text_schema(*LineStatus)),
            *PAGE,
        ),
        response=PayoutList,
        refusals=_READING,
    ),
    ("POST", "/v1/disbursements/{id}/approval"): Operation(
        tag=Tag.AGENCIES,
        summary="Ask for a batch to be let go",
        text="For operators; another one has to approve it. What it takes is owed from then on, and every line is sent"
        " to its payee's bank in the cycle that is open when its turn comes. A line is held while its payee is late"
        " with showing that the benefit is due; it is looked at again in every cycle.",
        parameters=(_DISBURSEMENT_ID,),
        request=ReasonRequest,
        status=202,
        response=ApprovalView,
        refusals=_ASKING,
    ),
    ("POST", "/v1/disbursements/{id}/withdraw"): Operation(
        tag=Tag.AGENCIES,
        summary="Take a draft back",
        text="For agencies, before it is approved. Doing it twice is no mistake.",
        parameters=(_DISBURSEMENT_ID,),
        request=NothingRequest,
        response=DisbursementView,
        refusals=(*_CHANGING, Refusal.DISBURSEMENT_STATE_CONFLICT),
    ),
    ("POST", "/v1/disbursements/{id}/lines/{line}/reissue"): Operation(
        tag=Tag.AGENCIES,
        summary="Ask for a returned line to be issued again",
        text="For operators; another one has to approve it. A new line takes its place, to the bank that keeps the"
        " payee's account by then.",
        parameters=(_DISBURSEMENT_ID, _LINE_ID),
        request=ReasonRequest,
        status=202,
        response=ApprovalView,
        refusals=_ASKING,
    ),
}
