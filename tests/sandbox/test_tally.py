"""What is counted of purchases, and what of it is a mistake."""

from datetime import UTC, date, datetime

import pytest

from engine.sandbox.tally import AT_A_GATE, Tally
from engine.web.wire import CashierText, PaymentView, TenderView

NOW = datetime(2026, 3, 2, tzinfo=UTC)
PAYMENT = PaymentView(
    id="pay_1",
    status="captured",
    order_no="A-1",
    amount=1_000,
    currency="CNY",
    scenario="outpatient",
    mode="card_read",
    tenders=(
        TenderView(kind="pool_fund", fund_pay_type="310100", amount=400),
        TenderView(kind="bank_card", amount=500),
    ),
    captured_amount=900,
    refunded_amount=0,
    merchant_id="mer_1",
    terminal_id="T-01",
    region="110101",
    business_date=date(2026, 3, 2),
    cycle="20260302-01",
    next_cutoff=NOW,
    clearing_status="uncleared",
    expires_at=None,
    created_at=NOW,
    cashier_text=CashierText("支付成功", "Paid"),
    description=None,
    declined_code=None,
)


def test_payments_and_rides_are_counted_by_way_and_purpose_and_source() -> None:
    tally = Tally()
    tally.count_captured(PAYMENT)
    tally.count_ride("transit", 300)
    assert (tally.captured, tally.captured_fen) == (2, 1_200)
    assert tally.modes == {"card_read": 1, AT_A_GATE: 1}
    assert tally.scenarios == {"outpatient": 1, "transit": 1}
    assert tally.tenders_fen == {"pool_fund": 400, "bank_card": 800}


@pytest.mark.parametrize("code", ["insufficient-funds", "unpaid-ride", "pay-code-used"])
def test_what_an_earlier_run_explains_is_no_surprise(code: str) -> None:
    tally = Tally()
    tally.count_refused(code)
    assert (tally.refusals, tally.surprises) == ({code: 1}, [])


def test_any_other_answer_to_a_ticket_is_a_surprise() -> None:
    tally = Tally()
    tally.count_refused("ticket-invalid")
    assert len(tally.surprises) == 1
