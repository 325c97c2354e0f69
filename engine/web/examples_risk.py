"""Examples of the requests about risk control."""

from typing import Final

import msgspec

from engine.web.wire_risk import RiskRuleRequest

RISK_EXAMPLES: Final[tuple[msgspec.Struct, ...]] = (
    RiskRuleRequest(
        rule="terminal_velocity",
        region="110101",
        threshold=300,
        action="hold_for_review",
        reason="a series of stolen phones in the district",
    ),
)
