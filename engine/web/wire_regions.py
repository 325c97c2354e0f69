"""What goes over the wire about the roll-out of scenarios, and how it is made."""

from datetime import datetime
from typing import Literal

import msgspec

from engine.core.ids import id_text
from engine.core.rollout import Rollout
from engine.core.scenarios import Scenario
from engine.web.wire import TENDER_NAMES

TenderName = Literal["pool_fund", "personal_account", "family_account", "bank_card"]


class RegionScenarioView(msgspec.Struct, frozen=True, kw_only=True):
    """A scenario in a region: whether it may be paid for there, who has decided that, and its rules. Units: fen."""

    region: str
    scenario: str
    name_zh: str
    name_en: str
    status: Literal["on", "off"]
    switched_in: str | None
    switched_at: datetime | None
    switched_by: str | None
    reason: str | None
    tenders: tuple[TenderName, ...]
    capture_rule: Literal["at_once", "may_hold", "deferred"]
    no_password_up_to: int
    refund_window_days: int


class RegionScenarioList(msgspec.Struct, frozen=True, kw_only=True):
    """Every scenario, in the order of the table."""

    items: tuple[RegionScenarioView, ...]
    next_cursor: None = None


def region_scenario_view(
    rollout: Rollout, region: int, scenario: Scenario, *, is_for_operators: bool
) -> RegionScenarioView:
    """A scenario in a region as the wire shows it. Who has switched it and why is for operators only."""
    switch = rollout.nearest(region, scenario.number)
    is_told = switch is not None and is_for_operators
    return RegionScenarioView(
        region=f"{region:06d}",
        scenario=scenario.name,
        name_zh=scenario.name_zh,
        name_en=scenario.name_en,
        status="on" if switch is None or switch.is_on else "off",
        switched_in=f"{switch.region:06d}" if switch is not None else None,
        switched_at=switch.at if switch is not None else None,
        switched_by=id_text(switch.operator) if switch is not None and is_told else None,
        reason=switch.reason if switch is not None and is_told else None,
        tenders=tuple(TENDER_NAMES[kind] for kind in scenario.tenders),  # type: ignore[misc]  # Literals from a table
        capture_rule=scenario.capture_rule.value,
        no_password_up_to=scenario.no_password_up_to,
        refund_window_days=scenario.refund_window_days,
    )
