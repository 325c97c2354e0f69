"""What the contract says of what banks give back, and of what they say of their files."""

from collections.abc import Mapping
from typing import Final

from engine.core.refusals import Refusal
from engine.web.operation import Operation, Parameter, Tag
from engine.web.wire_returns import AcknowledgementRequest, AcknowledgementView, ReturnReceiptView

_UPLOADED: Final = ("application/xml", "text/plain", "application/octet-stream")

RETURN_OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    ("POST", "/v1/clearing/files/{name}/acknowledgement"): Operation(
        tag=Tag.CLEARING,
        summary="Acknowledge a file",
        text="For banks: JSON, `pacs.002.001.10` or the flat form. `ACTC` takes the file, `RJCT` none of it: its items"
        " are kept out of the settlement, or undone in the open cycle, and a person takes it up with the bank. `PART`"
        " takes all but the lines that it names. A file is acknowledged once; the same again is a replay. What was"
        " returned before stays returned.",
        parameters=(
            Parameter(
                name="name",
                text="The file.",
                schema={"type": "string"},
                place="path",
            ),
        ),
        request=AcknowledgementRequest,
        upload_media_types=_UPLOADED,
        response=AcknowledgementView,
        refusals=(
            Refusal.NOT_FOUND,
            Refusal.FILE_ACKNOWLEDGED,
            Refusal.FILE_DUPLICATE,
            Refusal.FILE_MALFORMED,
            Refusal.CONTROL_TOTAL_MISMATCH,
        ),
    ),
    ("POST", "/v1/clearing/returns"): Operation(
        tag=Tag.CLEARING,
        summary="Give items back",
        text="For banks: `pacs.004.001.09` or the flat form, at most 100,000 lines. Items of published files, each"
        " once. The file counts whole or not at all, and once, as a statement does. Before its cycle is instructed an"
        " item drops out of the settlement; later an opposite posting in the open cycle undoes it. A cardholder's part"
        " of a payment is presented again in the next two cycles; the merchant keeps its money.",
        parameters=(
            Parameter(
                name="file_name",
                text="What the file is called.",
                schema={"type": "string", "pattern": "^[0-9A-Za-z._-]{1,35}$"},
            ),
        ),
        upload_media_types=_UPLOADED,
        status=201,
        response=ReturnReceiptView,
        refusals=(
            Refusal.NOT_FOUND,
            Refusal.FILE_DUPLICATE,
            Refusal.FILE_MALFORMED,
            Refusal.CONTROL_TOTAL_MISMATCH,
        ),
    ),
}
