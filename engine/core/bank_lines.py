"""What banks and agencies send, in our terms: the records of every form of upload, whatever its bytes look like.

Shape of any upload: one `UploadHeading`, then its lines, then one `UploadTrailer`. Units: fen. What an acknowledgement
says as a whole, its `Acknowledgement`, comes after its lines, before the trailer.
"""

import enum
from datetime import date, datetime
from typing import Final

import msgspec

WHOLE_FILE: Final = 0
"""The place of a reason that is not about one line."""


class UploadKind(enum.StrEnum):
    """What an upload is about. The value is in the heading of the flat form."""

    STATEMENT = "STATEMENT"
    RETURN = "RETURN"
    ACK = "ACK"
    DISBURSEMENT = "DISBURSEMENT"


class Direction(enum.StrEnum):
    """Which way money moves, as the bank that keeps the account sees it."""

    DEBIT = "DEBIT"  # the bank takes from an account it keeps, as in a COLLECT file
    CREDIT = "CREDIT"  # it gives to one, as in a CREDIT file


class AckStatus(enum.StrEnum):
    """What a bank says of a file that it pulled (ISO 20022, ExternalPaymentGroupStatus1Code)."""

    ACTC = "ACTC"  # every line is taken
    PART = "PART"  # every line but those named
    RJCT = "RJCT"  # none


class UploadHeading(msgspec.Struct, frozen=True, kw_only=True):
    """What an upload says of itself before its lines. None: its form does not say."""

    file_id: str  # the sender's own, unique for ever, at most 35 characters; empty if the form has none
    kind: UploadKind
    form: str  # the reader's name
    sender: str = ""  # CNAPS number; empty if the form does not say
    business_date: date | None = None
    cycle: int | None = None  # the place in the day, from one; None also if the upload is about a whole day
    created_at: datetime | None = None
    declared_count: int | None = None
    declared_total: int | None = None  # debits and credits together
    previous_sha256: str = ""  # of the sender's file before; of an acknowledgement: of the file it is about


class StatementLine(msgspec.Struct, frozen=True, gc=False):
    """One booking at a bank.

    `line_number` is unique in its upload and grows: the line of a text file, the place of the entry in an XML one.
    """

    line_number: int
    bank_ref: str
    payment_id: str  # as the bank wrote it; empty if it does not know one
    direction: Direction
    amount: int
    booked_on: date
    account: str = ""
    is_reversal: bool = False  # undoes an earlier booking, in the direction that is given here


class ReturnLine(msgspec.Struct, frozen=True, gc=False):
    """One item that a bank could not book and gives back. `line_number` as in a `StatementLine`."""

    line_number: int
    payment_id: str
    leg: str  # as in the clearing file; empty if unknown
    direction: Direction | None  # of the item in the clearing file, not of the money that comes back
    amount: int
    reason: str  # ExternalReturnReason1Code: AC01, AC04, MD07 …
    file_name: str  # name or file id of the clearing file that it was in; empty if unknown
    seq: int  # its place in that file, from one; 0 if unknown
    return_ref: str  # the bank's own
    item_id: str = ""  # what our file called the item; empty if unknown


class AckLine(msgspec.Struct, frozen=True, gc=False):
    """One line of a clearing file that its bank does not take. `line_number` as in a `StatementLine`."""

    line_number: int
    seq: int  # its place in the clearing file, from one; 0 if only the ids below say which it is
    code: str
    payment_id: str = ""
    item_id: str = ""


class Acknowledgement(msgspec.Struct, frozen=True, kw_only=True):
    """What a bank says of one clearing file. None: it does not say.

    A reason is a place in the file, or `WHOLE_FILE`, and a code. The readers give only the reason for the whole file
    here, and the others one by one as `AckLine`s.
    """

    status: AckStatus
    count: int | None = None  # of the lines that the bank found
    total: int | None = None  # of their amounts
    reasons: tuple[tuple[int, str], ...] = ()
    file_name: str = ""  # name or file id of the clearing file; empty if unknown


class DisbursementLine(msgspec.Struct, frozen=True, gc=False):
    """One benefit to be paid to one person. `line_number` as in a `StatementLine`."""

    line_number: int
    line_ref: str  # the agency's own, unique in its batch
    card_id: str
    benefit_code: str
    period: str  # the month the benefit is for, YYYYMM
    fund_pay_type: str
    amount: int


class UploadTrailer(msgspec.Struct, frozen=True, kw_only=True):
    """What the lines of an upload add up to; it comes only if nothing at all is wrong with the upload."""

    count: int
    debit_total: int = 0
    credit_total: int = 0


UploadLine = StatementLine | ReturnLine | AckLine | DisbursementLine
UploadRecord = UploadHeading | Acknowledgement | UploadLine | UploadTrailer
