"""The lines of the banks' files: what a cleared posting, or a bank's net position, becomes."""

import enum
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

import msgspec

from engine.core.bank_lines import Direction
from engine.core.calendar import CycleNumber, cycle_text
from engine.core.clearing import NetPosition
from engine.core.ids import BankId

BANK_LEG: Final = "BANK"

REPRESENTED: Final = "represented"
"""The remark of a collection that its bank has returned before."""


class FileKind(enum.StrEnum):
    """What a clearing file tells its bank. The value is in the file and in its name."""

    COLLECT = "COLLECT"  # what is taken from the bank, for what its cardholders and funds have paid
    CREDIT = "CREDIT"  # what is given to the bank, for its merchants and for refunds
    NET = "NET"  # what moves between the bank and the settlement bank
    ADVICE = "ADVICE"  # both of the first two, as bookings on the bank's account


class FileStatus(enum.StrEnum):
    """What has become of a file that is out. The value is in its manifest."""

    PUBLISHED = "published"
    ACKNOWLEDGED = "acknowledged"
    PART = "part"  # acknowledged but for some lines
    REJECTED = "rejected"


FILE_DIRECTIONS: Final = {FileKind.COLLECT: Direction.DEBIT, FileKind.CREDIT: Direction.CREDIT}
"""What the lines of a file do to the accounts at its bank; the other kinds have lines of both."""


class ItemType(enum.StrEnum):
    """Why a line's money moves. The value is in the file."""

    PAY = "PAY"
    FEE = "FEE"  # a premium or a fee, for an agency
    REFUND = "REFUND"
    BENEFIT = "BENEFIT"
    REVERSAL = "REVERSAL"  # undoes an item that a bank returned after it was settled
    NET = "NET"  # a bank's net position, not an item


class ClearingItem(msgspec.Struct, frozen=True, gc=False):
    """One line of a clearing file. Units: fen. Banks are CNAPS numbers.

    Accounts are tokens: the card's or merchant's id, a fund's name, `settlement:` and a CNAPS number. They are
    pseudonyms; no personal data is in a file. `payment_id` is the payment's own id on every line; a refund's line
    repeats it as the original's, and gives the refund's id as its remark; so does a reversal's, without a remark. A
    benefit's line has the id of the disbursement's line in its place. `item_id` is the same in every file that the
    item is in, in the forms that have a field for it; it is empty for a net position.
    """

    payment_id: str
    order_no: str
    merchant_id: str
    type: ItemType
    leg: str  # BANK, or the fund pay type
    debit_bank: str
    debit_account: str
    credit_bank: str
    credit_account: str
    amount: int
    occurred_at: datetime
    original_payment_id: str
    remark: str
    item_id: str = ""


class ClearingFile(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a file: its manifest, and what its heading says that nothing else does. Units: fen, bytes."""

    name: str
    bank: BankId
    cycle: CycleNumber  # the one at whose end the bank gets it
    first_cycle: CycleNumber  # it covers all from this one on
    kind: FileKind
    form: str
    version: int
    item_count: int
    debit_total: int  # of the lines that take from the bank
    credit_total: int  # of the lines that give to it
    size: int
    sha256: bytes
    range_from: str  # the batches of its cycles, as lane.seq of each lane that had any: the first of each,
    range_to: str  # and the last
    root: bytes  # of the seal of `cycle`
    key_id: str
    signature: bytes  # Ed25519 over `sha256`
    created_at: datetime  # as the file says
    previous_sha256: bytes  # as the file says; empty if there was none
    status: FileStatus = FileStatus.PUBLISHED
    replaces: str | None = None
    replaced_by: str | None = None
    published_at: datetime | None = None


def net_items(
    positions: Iterable[NetPosition],
    *,
    settlement_bank: BankId,
    cnaps: Mapping[BankId, str],
    cycle: CycleNumber,
    at: datetime,
) -> tuple[ClearingItem, ...]:
    """One line for each bank that pays to the settlement bank or is paid by it.

    The settlement bank's own position needs none: it is what the other lines leave with it. A bank that nets to zero
    has none either.
    """
    return tuple(
        _net_item(position.net, cnaps[position.bank], cnaps[settlement_bank], cycle=cycle, at=at)
        for position in positions
        if position.net and position.bank != settlement_bank
    )


def _net_item(net: int, bank: str, settlement_bank: str, *, cycle: CycleNumber, at: datetime) -> ClearingItem:
    debit, credit = (settlement_bank, bank) if net > 0 else (bank, settlement_bank)
    return ClearingItem(
        payment_id="",
        order_no="",
        merchant_id="",
        type=ItemType.NET,
        leg=BANK_LEG,
        debit_bank=debit,
        debit_account=f"settlement:{debit}",
        credit_bank=credit,
        credit_account=f"settlement:{credit}",
        amount=abs(net),
        occurred_at=at,
        original_payment_id="",
        remark=cycle_text(cycle),
    )
