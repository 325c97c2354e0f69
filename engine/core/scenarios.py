"""The purposes of a payment, as one table: adding one is adding a value here."""

from typing import Final

import msgspec


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """What a payment is for, and the rules that follow from it."""

    name: str  # on the wire
    number: int  # in the database; never re-used
    hold_s_default: int  # how long an authorization holds when the merchant does not say
    hold_s_max: int
    refund_window_days: int  # counted from the capture


OUTPATIENT: Final = Scenario(
    name="outpatient",
    number=1,
    hold_s_default=900,
    hold_s_max=30 * 86_400,  # a hospital deposit may wait for the final bill
    refund_window_days=365,
)
PHARMACY: Final = Scenario(
    name="pharmacy",
    number=2,
    hold_s_default=900,
    hold_s_max=7 * 86_400,
    refund_window_days=365,
)

SCENARIOS: Final = (OUTPATIENT, PHARMACY)
BY_NAME: Final = {scenario.name: scenario for scenario in SCENARIOS}
BY_NUMBER: Final = {scenario.number: scenario for scenario in SCENARIOS}

assert len(BY_NAME) == len(BY_NUMBER) == len(SCENARIOS), "names and numbers are unique"
