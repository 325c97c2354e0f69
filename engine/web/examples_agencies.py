"""Examples of what agencies send."""

from datetime import UTC, datetime
from typing import Final

import msgspec

from engine.web.wire_bills import BillRequest

AGENCY_EXAMPLES: Final[tuple[msgspec.Struct, ...]] = (
    BillRequest(
        bill_no="EXAM-2026-000042",
        item="exam_fee",
        amount=12_000,
        deadline=datetime(2026, 11, 30, 16, 0, tzinfo=UTC),
        description="经济专业技术资格考试报名费",
    ),
)
