"""The lines of the banks' files: what a cleared posting, or a bank's net position, becomes."""

import enum
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec

from engine.core.accounts import (
    PERSONAL_ACCOUNT_PAY_TYPE,
    AccountId,
    AccountKind,
    account_text,
    fund_pay_type_of,
    owner_of,
)
from engine.core.calendar import CycleNumber, cycle_text
from engine.core.clearing import NetPosition, bank_of
from engine.core.ids import BankId, CardId, PaymentId, RefundId, id_text, kind_number, region_of

BANK_LEG: Final = "BANK"

# A payment is up to three lines next to each other, and a card pays more than once a cycle.
_text: Final = lru_cache(maxsize=8_192)(id_text)


class FileKind(enum.StrEnum):
    """What a clearing file tells its bank. The value is in the file and in its name."""

    COLLECT = "COLLECT"  # what is taken from the bank, for what its cardholders and funds have paid
    CREDIT = "CREDIT"  # what is given to the bank, for its merchants and for refunds
    NET = "NET"  # what moves between the bank and the settlement bank


class ItemType(enum.StrEnum):
    """Why a line's money moves. The value is in the file."""

    PAY = "PAY"
    REFUND = "REFUND"
    NET = "NET"  # a bank's net position, not an item


class ClearingItem(msgspec.Struct, frozen=True, gc=False):
    """One line of a clearing file. Units: fen. Banks are CNAPS numbers.

    Accounts are tokens: the card's or merchant's id, a fund's name, `settlement:` and a CNAPS number. They are
    pseudonyms; no personal data is in a file. `payment_id` is the payment's own id on every line; a refund's line
    repeats it as the original's, and gives the refund's id as its remark.
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


class ClearedPosting(msgspec.Struct, frozen=True, gc=False):
    """A posting that is cleared, with what its line needs beside it."""

    lane: int
    seq: int
    n: int
    payment: PaymentId
    debit: AccountId
    credit: AccountId
    amount: int
    order_no: str
    payer: CardId
    at: datetime
    refund: RefundId | None  # None: it pays


class ClearingFile(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a file: its manifest. Units: fen, bytes."""

    name: str
    bank: BankId
    cycle: CycleNumber
    kind: FileKind
    form: str
    version: int
    item_count: int
    debit_total: int  # of the lines that take from the bank
    credit_total: int  # of the lines that give to it
    size: int
    sha256: bytes
    range_from: str  # the batches of its cycle, as lane.seq of each lane that had any: the first of each,
    range_to: str  # and the last
    root: bytes  # of the cycle's seal
    key_id: str
    signature: bytes  # Ed25519 over `sha256`
    replaces: str | None = None
    replaced_by: str | None = None
    published_at: datetime | None = None


class _End(NamedTuple):
    """One end of a line; the token of an end that is a cardholder's is empty."""

    bank: str
    token: str
    leg: str


class LineMaker:
    """Makes the lines of one cycle's postings; what comes again and again is worked out once."""

    def __init__(self, routes: Mapping[AccountId, BankId], cnaps: Mapping[BankId, str]) -> None:
        """*routes* as in `bank_of`; *cnaps* of every bank."""
        self._routes = routes
        self._cnaps = cnaps
        self._ends: dict[AccountId | int, _End] = {}

    def item(self, posting: ClearedPosting) -> ClearingItem:
        """The line of a posting.

        Raises:
            AccountNotRouted: the bank of one of its accounts is not known.
        """
        debit = self._ends.get(posting.debit) or self._end(posting.debit)
        credit = self._ends.get(posting.credit) or self._end(posting.credit)
        is_refund = posting.refund is not None
        source, merchant = (credit, debit) if is_refund else (debit, credit)
        payment_id = _text(posting.payment)
        card_id = _text(posting.payer)
        return ClearingItem(
            payment_id,
            posting.order_no,
            merchant.token,
            ItemType.REFUND if is_refund else ItemType.PAY,
            source.leg,
            debit.bank,
            debit.token or card_id,
            credit.bank,
            credit.token or card_id,
            posting.amount,
            posting.at,
            payment_id if is_refund else "",
            id_text(posting.refund) if posting.refund is not None else "",
        )

    def _end(self, account: AccountId) -> _End:
        """The end that an account makes. Those of personal accounts are kept by region: few, however many cards."""
        is_personal = kind_number(account) == AccountKind.PERSONAL_ACCOUNT
        key = region_of(account) if is_personal else account
        end = self._ends.get(key)
        if end is None:
            end = self._ends[key] = self._new_end(account)
        return end

    def _new_end(self, account: AccountId) -> _End:
        bank = self._cnaps[bank_of(account, self._routes)]
        match AccountKind(kind_number(account)):
            case AccountKind.BANK_RECEIVABLE | AccountKind.BANK_PAYABLE:
                return _End(bank, "", BANK_LEG)
            case AccountKind.PERSONAL_ACCOUNT:
                return _End(bank, "", str(PERSONAL_ACCOUNT_PAY_TYPE))
            case AccountKind.POOL_FUND:
                return _End(bank, account_text(account), str(fund_pay_type_of(account)))
            case kind:
                assert kind is AccountKind.MERCHANT_PAYABLE, f"{kind.name} is not cleared"
                return _End(bank, id_text(owner_of(account)), "")


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
