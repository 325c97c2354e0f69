"""A merchant's daily statement: what the postings of a business date have given it, and taken back.

Everything here comes from cleared postings on the merchant's account, the very ones that the banks' files are made of;
so a statement is equal to the files and to the ledger, to the fen.
"""

import enum
from collections.abc import Iterable
from datetime import datetime
from typing import Final

import msgspec

from engine.core.accounts import AccountId, AccountKind, fund_pay_type_of
from engine.core.calendar import CycleNumber
from engine.core.ids import PaymentId, RefundId, kind_number
from engine.core.payments import TenderKind


class LineType(enum.StrEnum):
    """What a line tells. The value is on the wire."""

    PAYMENT = "payment"  # money was captured for the merchant
    REFUND = "refund"  # the merchant gave it back


class Source(msgspec.Struct, frozen=True, order=True):
    """Where money came from, or went back to. The pay type is a pooled fund's; zero for all others."""

    kind: TenderKind
    fund_pay_type: int = 0


class Share(msgspec.Struct, frozen=True):
    """What one source has paid of a line, or was given back. Units: fen."""

    source: Source
    amount: int


class StatementLine(msgspec.Struct, frozen=True, kw_only=True):
    """One capture or one refund. Units: fen."""

    type: LineType
    place: tuple[int, int, int]  # lane, sequence and n of its event: where the journal has it
    payment: PaymentId
    order_no: str
    terminal_id: str
    refund: RefundId | None  # and what follows: of a refund
    refund_no: str | None
    at: datetime
    cycle: CycleNumber
    shares: tuple[Share, ...]

    @property
    def amount(self) -> int:
        """All of it."""
        return sum(share.amount for share in self.shares)


class Turnover(msgspec.Struct, frozen=True, kw_only=True):
    """What is given and taken back over some lines. Units: fen."""

    gross: int = 0
    refunds: int = 0
    payment_count: int = 0
    refund_count: int = 0

    @property
    def net(self) -> int:
        """What is left for the merchant; below zero if it gave back more than it was given."""
        return self.gross - self.refunds

    def plus(self, type_: LineType, *, count: int, amount: int) -> "Turnover":
        """The same with more lines of one type."""
        if type_ is LineType.PAYMENT:
            return msgspec.structs.replace(self, gross=self.gross + amount, payment_count=self.payment_count + count)
        return msgspec.structs.replace(self, refunds=self.refunds + amount, refund_count=self.refund_count + count)


NOTHING: Final = Turnover()


class Moved(msgspec.Struct, frozen=True):
    """What some lines of one cycle and type add up to: over all sources, or over one (then they are counted once a
    source). Units: fen.
    """

    cycle: CycleNumber
    type: LineType
    source: Source | None
    count: int
    amount: int


class StatementTotals(msgspec.Struct):
    """What a whole statement adds up to, while it is added up. A line of two sources counts once in all, and once in
    each of them.
    """

    all: Turnover = NOTHING
    by_source: dict[Source, Turnover] = {}
    by_cycle: dict[CycleNumber, Turnover] = {}

    def add(self, moved: Iterable[Moved]) -> None:
        """Take more lines."""
        for one in moved:
            if one.source is not None:
                before = self.by_source.get(one.source, NOTHING)
                self.by_source[one.source] = before.plus(one.type, count=one.count, amount=one.amount)
                continue
            self.all = self.all.plus(one.type, count=one.count, amount=one.amount)
            before = self.by_cycle.get(one.cycle, NOTHING)
            self.by_cycle[one.cycle] = before.plus(one.type, count=one.count, amount=one.amount)


def source_of(account: AccountId) -> Source:
    """The source that the account at the other end of a merchant's posting is."""
    match AccountKind(kind_number(account)):
        case AccountKind.POOL_FUND:
            return Source(TenderKind.POOL_FUND, fund_pay_type_of(account))
        case AccountKind.PERSONAL_ACCOUNT:
            return Source(TenderKind.PERSONAL_ACCOUNT)
        case kind:
            assert kind in (AccountKind.BANK_RECEIVABLE, AccountKind.BANK_PAYABLE), f"{kind.name} pays no merchant"
            return Source(TenderKind.BANK_CARD)
