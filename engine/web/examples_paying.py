"""Examples of confirming, of deposits and of medical bills."""

from datetime import UTC, datetime
from typing import Final

import msgspec

from engine.web.wire import ConfirmationRequest, RaiseRequest
from engine.web.wire_cards import PasswordRequest, SettingsRequest
from engine.web.wire_medical import (
    BillLineRequest,
    MedicalBillRequest,
    QuoteRequest,
    QuoteTenderView,
    QuoteView,
    SplitView,
)

_BILL: Final = MedicalBillRequest(
    lines=(
        BillLineRequest(item="XA01", quantity="2", price="45.60", amount=9120),
        BillLineRequest(item="XB07", quantity="1", price="380", amount=38000),
    ),
    visit_no="A110101241124000017",
)
_SPLIT: Final = SplitView(
    plan="110000-310-2026",
    total=47120,
    own_pay=0,
    over_limit=0,
    pre_self=3800,
    in_scope=43320,
    deductible=30000,
    fund=7326,
)
_QUOTED_AT: Final = datetime(2026, 11, 24, 8, 40, tzinfo=UTC)

_BLOCK: Final = "eyJhbGciOiJFQ0RILUVTIn0..bm9uY2U.c2VhbGVk.dGFn"  # shortened

PAYING_EXAMPLES: Final[tuple[msgspec.Struct, ...]] = (
    ConfirmationRequest(password_block=_BLOCK),
    PasswordRequest(password_block=_BLOCK, new_password_block=_BLOCK),
    SettingsRequest(no_password_up_to=20000, tender_order="bank_card_only"),
    RaiseRequest(pay_code="917000000142874039821653", amount=200000),
    QuoteRequest(pay_code="917000000142874039821653", scenario="outpatient", terminal_id="T-01", bill=_BILL),
    QuoteView(
        id="quo_01m5vh7q3k0r0n4t8q8w9z6d1c",
        amount=47120,
        currency="CNY",
        split=_SPLIT,
        tenders=(
            QuoteTenderView(kind="pool_fund", fund_pay_type="310100", amount=7326),
            QuoteTenderView(kind="personal_account", amount=39794),
        ),
        created_at=_QUOTED_AT,
        expires_at=_QUOTED_AT.replace(minute=50),
    ),
)
