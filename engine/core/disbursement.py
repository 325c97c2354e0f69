"""Disbursement of benefits: what a batch and its lines can be, what they take from which fund, what is posted.

A line is one benefit for one person and month. It is owed from the moment at which its batch is approved, and sent to
the bank that keeps the payee's account in the cycle that is open when its turn comes.
"""

import enum
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import msgspec

from engine.core.accounts import bank_payable, benefit_payable, pool_fund, pooling_area
from engine.core.bank_lines import DisbursementLine
from engine.core.commands import Entry
from engine.core.ids import BankId, CardId, DisbursementLineId, IdKind, parse_id, region_of
from engine.core.participants import covers

LINES_MAX: Final = 1_000_000
NOT_CERTIFIED: Final = "certification-overdue"
"""Why a line is held whose payee has not shown in time that the benefit is still due."""


class BatchState(enum.IntEnum):
    """Where a batch stands in the books. Stored."""

    BEING_READ = 1
    GIVEN_UP = 2  # it was refused, or its upload was cut short: its lines are taken away
    DRAFT = 3
    WITHDRAWN = 4  # by its agency, before it was approved: its lines are taken away
    APPROVED = 5


class LineState(enum.IntEnum):
    """Where a line stands in the books. Stored."""

    PENDING = 1
    HELD = 2
    SENT = 3
    RETURNED = 4
    REISSUED = 5  # another line is in its place


class BatchStatus(enum.StrEnum):
    """Where a batch stands for its readers."""

    DRAFT = "draft"
    WITHDRAWN = "withdrawn"
    APPROVED = "approved"  # lines are still to be sent, or none could be
    SENT = "sent"  # nothing waits but what is held, and nothing is settled yet
    PARTIALLY_PAID = "partially_paid"
    COMPLETED = "completed"  # every line is paid, those that were returned by others in their place


class LineStatus(enum.StrEnum):
    """Where a line stands for its readers."""

    PENDING = "pending"
    HELD = "held"
    SENT = "sent"
    PAID = "paid"  # the cycle in which it was sent is settled
    RETURNED = "returned"
    REISSUED = "reissued"


class FundKey(NamedTuple):
    """A fund: its pooling area and its pay type."""

    region: int
    pay_type: int


class FundTotal(msgspec.Struct, frozen=True):
    """What a batch takes from one fund. Units: fen."""

    fund: FundKey
    count: int
    amount: int


class LineCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How many lines of a batch are where. What is issued again is no line of its own in `line_count`."""

    line_count: int
    pending: int
    held: int
    sent: int  # ever, those included that came back
    returned: int
    reissued: int
    paid: int  # sent in a cycle that is settled, and not returned


class ReadLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A line of an upload in the terms of the books. Units: fen."""

    line_number: int
    line_ref: str
    card: CardId
    benefit_code: str
    period: int  # yyyymm
    fund: FundKey
    amount: int


class LineFault(NamedTuple):
    """What is wrong with a line of an upload."""

    line_number: int
    field: str
    reason: str


class Payout(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A line as far as sending it goes. Units: fen."""

    id: DisbursementLineId
    n: int  # its place in the batch
    card: CardId
    benefit_code: str
    period: int
    fund: FundKey
    amount: int
    bank: BankId


def read_line(line: DisbursementLine, *, agency_region: int) -> ReadLine | LineFault:
    """The line in the terms of the books, or why its agency cannot pay it. The fund is that of the payee's area."""
    card = CardId(parse_id(line.card_id, IdKind.CARD))
    region = region_of(card)
    if not covers(agency_region, region):
        return LineFault(line.line_number, "card_id", "outside the agency's region")
    return ReadLine(
        line_number=line.line_number,
        line_ref=line.line_ref,
        card=card,
        benefit_code=line.benefit_code,
        period=int(line.period),
        fund=FundKey(pooling_area(region), int(line.fund_pay_type)),
        amount=line.amount,
    )


def entry_of_approval(total: FundTotal) -> Entry:
    """What is owed once a batch is approved: the fund's, until it is sent."""
    return Entry(pool_fund(*total.fund), benefit_payable(*total.fund), total.amount)


def entry_of_payout(payout: Payout) -> Entry:
    """What is posted when a line is sent: the fund's bank pays the bank that keeps the payee's account."""
    return Entry(benefit_payable(*payout.fund), bank_payable(payout.bank), payout.amount)


def add_totals(totals: Mapping[FundKey, FundTotal], lines: Iterable[ReadLine]) -> dict[FundKey, FundTotal]:
    """*totals* and what *lines* take, fund by fund."""
    added = dict(totals)
    for line in lines:
        before = added.get(line.fund, FundTotal(line.fund, 0, 0))
        added[line.fund] = FundTotal(line.fund, before.count + 1, before.amount + line.amount)
    return added


def batch_status(state: BatchState, counts: LineCounts) -> BatchStatus:
    """Where a batch stands for its readers."""
    if state is BatchState.WITHDRAWN:
        return BatchStatus.WITHDRAWN
    if state is not BatchState.APPROVED:
        return BatchStatus.DRAFT
    if counts.paid:
        return BatchStatus.COMPLETED if counts.paid == counts.line_count else BatchStatus.PARTIALLY_PAID
    return BatchStatus.SENT if counts.sent and not counts.pending else BatchStatus.APPROVED


def line_status(state: LineState, *, is_settled: bool) -> LineStatus:
    """Where a line stands for its readers. *is_settled*: the cycle in which it was sent is."""
    if state is LineState.SENT and is_settled:
        return LineStatus.PAID
    return LineStatus[state.name]
