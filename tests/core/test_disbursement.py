"""What a batch of benefits can be, what its lines take, and what is posted of them."""

import msgspec
import pytest

from engine.core.accounts import account_text
from engine.core.bank_lines import DisbursementLine
from engine.core.disbursement import (
    BatchState,
    BatchStatus,
    FundKey,
    FundTotal,
    LineCounts,
    LineFault,
    LineState,
    LineStatus,
    Payout,
    ReadLine,
    add_totals,
    batch_status,
    entry_of_approval,
    entry_of_payout,
    line_status,
    read_line,
)
from engine.core.ids import DisbursementLineId, IdKind, id_text
from tests.core.books_builders import BANK, CARD, an_id

FUND = FundKey(110100, 390100)
LINE = DisbursementLine(7, "A-1", id_text(CARD), "PENSION", "202611", "390100", 250_000)
NONE = LineCounts(line_count=4, pending=4, held=0, sent=0, returned=0, reissued=0, paid=0)


def read(line: DisbursementLine = LINE, region: int = 110100) -> ReadLine | LineFault:
    return read_line(line, agency_region=region)


@pytest.mark.parametrize("region", [110101, 110100, 110000, 0])
def test_line_takes_the_fund_of_its_payees_area(region: int) -> None:
    found = read(region=region)
    assert isinstance(found, ReadLine)
    assert (found.card, found.period, found.fund, found.amount) == (CARD, 202611, FUND, 250_000)


@pytest.mark.parametrize("region", [110102, 310000])
def test_agency_pays_nobody_outside_its_region(region: int) -> None:
    assert read(region=region) == LineFault(7, "card_id", "outside the agency's region")


def test_totals_are_kept_fund_by_fund() -> None:
    first, other = read(), read(DisbursementLine(8, "A-2", id_text(CARD), "CHILD", "202611", "510100", 1))
    assert isinstance(first, ReadLine)
    assert isinstance(other, ReadLine)
    totals = add_totals(add_totals({}, [first, other]), [first])
    assert totals == {
        FUND: FundTotal(FUND, 2, 500_000),
        FundKey(110100, 510100): FundTotal(FundKey(110100, 510100), 1, 1),
    }


def test_benefit_is_owed_by_its_fund_and_then_by_nobody() -> None:
    payout = Payout(
        id=DisbursementLineId(an_id(IdKind.DISBURSEMENT_LINE, 1)),
        n=1,
        card=CARD,
        benefit_code="PENSION",
        period=202611,
        fund=FUND,
        amount=250_000,
        bank=BANK,
    )
    owed, sent = entry_of_approval(FundTotal(FUND, 1, 250_000)), entry_of_payout(payout)
    assert [account_text(account) for account in (owed.debit, owed.credit, sent.debit, sent.credit)] == [
        "fund:110100:390100",
        "benefit:110100:390100:payable",
        "benefit:110100:390100:payable",
        f"bank:{id_text(BANK)}:payable",
    ]
    assert owed.amount == sent.amount == 250_000


@pytest.mark.parametrize(
    ("state", "changes", "status"),
    [
        (BatchState.DRAFT, {}, BatchStatus.DRAFT),
        (BatchState.WITHDRAWN, {"pending": 0}, BatchStatus.WITHDRAWN),
        (BatchState.APPROVED, {}, BatchStatus.APPROVED),
        (BatchState.APPROVED, {"pending": 0, "held": 4}, BatchStatus.APPROVED),
        (BatchState.APPROVED, {"pending": 1, "sent": 3}, BatchStatus.APPROVED),
        (BatchState.APPROVED, {"pending": 0, "sent": 3, "held": 1}, BatchStatus.SENT),
        (BatchState.APPROVED, {"pending": 0, "sent": 4}, BatchStatus.SENT),
        (BatchState.APPROVED, {"pending": 0, "sent": 4, "paid": 3}, BatchStatus.PARTIALLY_PAID),
        (BatchState.APPROVED, {"pending": 0, "sent": 4, "returned": 1, "paid": 3}, BatchStatus.PARTIALLY_PAID),
        (BatchState.APPROVED, {"pending": 0, "sent": 4, "paid": 4}, BatchStatus.COMPLETED),
        (BatchState.APPROVED, {"pending": 0, "sent": 5, "reissued": 1, "paid": 4}, BatchStatus.COMPLETED),
    ],
)
def test_status_of_a_batch_follows_from_its_lines(
    state: BatchState, changes: dict[str, int], status: BatchStatus
) -> None:
    assert batch_status(state, msgspec.structs.replace(NONE, **changes)) is status


@pytest.mark.parametrize("state", LineState)
def test_line_is_paid_once_its_cycle_is_settled(state: LineState) -> None:
    assert line_status(state, is_settled=False) == state.name.lower()
    paid = line_status(state, is_settled=True)
    assert paid == (LineStatus.PAID if state is LineState.SENT else state.name.lower())
