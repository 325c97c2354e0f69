"""Many lines at once, column by column: a file of a million lines has no time for as many records."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec

from engine.core.accounts import AccountId
from engine.core.clearing_lines import ClearingItem, ItemType
from engine.core.ids import CardId, PaymentId, RefundId
from engine.core.postings import PostingKind


class ClearedPostings(msgspec.Struct, frozen=True, kw_only=True):
    """Postings of one lane that are cleared, with what their lines need beside them. Every column has their order."""

    lane: int
    seqs: Sequence[int]
    ns: Sequence[int]
    payments: Sequence[PaymentId]
    debits: Sequence[AccountId]
    credits: Sequence[AccountId]
    amounts: Sequence[int]
    order_nos: Sequence[str]
    payers: Sequence[CardId]
    instants: Sequence[datetime]
    refunds: Sequence[RefundId | None]  # None: it pays
    others: Mapping[int, PostingKind] = {}  # by place: what neither pays a merchant nor gives back for one


class LineColumns(msgspec.Struct, frozen=True):
    """Lines, as columns that have the names and the order of the fields of `ClearingItem`."""

    payment_id: Sequence[str]
    order_no: Sequence[str]
    merchant_id: Sequence[str]
    type: Sequence[ItemType]
    leg: Sequence[str]
    debit_bank: Sequence[str]
    debit_account: Sequence[str]
    credit_bank: Sequence[str]
    credit_account: Sequence[str]
    amount: Sequence[int]
    occurred_at: Sequence[datetime]
    original_payment_id: Sequence[str]
    remark: Sequence[str]
    item_id: Sequence[str]

    @property
    def count(self) -> int:
        """How many lines there are."""
        return len(self.amount)

    def items(self) -> list[ClearingItem]:
        """The lines, one by one."""
        return [ClearingItem(*values) for values in zip(*msgspec.structs.astuple(self), strict=True)]


def columns_of(items: Iterable[ClearingItem]) -> LineColumns:
    """The same lines as columns."""
    rows = [msgspec.structs.astuple(item) for item in items]
    return LineColumns(*zip(*rows, strict=True)) if rows else LineColumns(*[()] * len(LineColumns.__struct_fields__))
