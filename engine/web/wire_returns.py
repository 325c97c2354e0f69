"""What banks give back, and say of their files, as the wire has it."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from engine.store.uploads import AcceptedUpload
from engine.web.wire import FileTotals

ReasonCode = Annotated[str, Meta(pattern="^[A-Z0-9]{4}$")]
Place = Annotated[int, Meta(ge=0, le=10**9)]
Whole = Annotated[int, Meta(ge=0, le=10**18)]


class RejectionReason(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line that is not taken, or with line 0 the file, and why."""

    line: Place
    code: ReasonCode


class AcknowledgementRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a bank says of a file that it pulled. Units: fen."""

    status: Literal["ACTC", "PART", "RJCT"]
    count: Whole
    total: Whole
    reasons: tuple[RejectionReason, ...] = ()


class AcknowledgementView(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of an acknowledgement."""

    name: str
    status: Literal["published", "acknowledged", "part", "rejected"]


class ReturnReceiptView(msgspec.Struct, frozen=True, kw_only=True):
    """A file of returns that counts."""

    file_id: str
    form: str
    count: int
    totals: FileTotals
    size: int
    sha256: str
    received_at: datetime


def return_receipt_view(upload: AcceptedUpload) -> ReturnReceiptView:
    """What is said of an accepted file of returns, at first and ever after."""
    return ReturnReceiptView(
        file_id=upload.file_id,
        form=upload.form,
        count=upload.line_count,
        totals=FileTotals(upload.debit_total, upload.credit_total),
        size=upload.size,
        sha256=upload.sha256.hex(),
        received_at=upload.accepted_at,
    )
