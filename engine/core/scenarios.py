"""The purposes of a payment, as one table: adding one is adding a value here."""

import enum
from typing import Final

import msgspec

from engine.core.payments import TenderKind

NUMBER_MAX: Final = 62
"""A payer's row has a bit for each scenario, in a signed integer of 64 bits."""


class CaptureRule(enum.Enum):
    """When the money of a payment is taken."""

    AT_ONCE = "at_once"
    MAY_HOLD = "may_hold"  # the merchant may reserve an amount first, and take what it came to
    DEFERRED = "deferred"  # the same; and gates without a network let people in, whose tickets are paid later


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """What a payment is for, and the rules that follow from it. Units: fen, seconds, days."""

    name: str  # on the wire
    number: int  # in the database; never re-used
    name_zh: str
    name_en: str
    mcc: str  # merchant category of ISO 18245 that its order codes bear
    tenders: tuple[TenderKind, ...]  # what may pay it
    capture_rule: CaptureRule
    no_password_up_to: int  # what one payment may take without the password; 0: the cardholder always confirms
    hold_s_default: int  # how long an authorization holds when the merchant does not say
    hold_s_max: int
    refund_window_days: int  # counted from the capture
    needs_bill_no: bool = False  # it pays what an agency has billed; the others may

    @property
    def may_hold(self) -> bool:
        """True if an amount may be reserved first."""
        return self.capture_rule is not CaptureRule.AT_ONCE

    @property
    def is_offline(self) -> bool:
        """True if gates without a network may let people in. What such a ticket takes is of the offline limit class."""
        return self.capture_rule is CaptureRule.DEFERRED

    def must_confirm(self, amount: int, *, no_password_up_to: int) -> bool:
        """True if the cardholder has to confirm *amount*. *no_password_up_to* is the cardholder's own setting."""
        return amount > min(self.no_password_up_to, no_password_up_to)


_MEDICAL: Final = (
    TenderKind.POOL_FUND,
    TenderKind.PERSONAL_ACCOUNT,
    TenderKind.FAMILY_ACCOUNT,
    TenderKind.BANK_CARD,
)
_INSURANCE: Final = (TenderKind.PERSONAL_ACCOUNT, TenderKind.BANK_CARD)
_OWN_MONEY: Final = (TenderKind.BANK_CARD,)
_HOUR: Final = 3_600
_DAY: Final = 86_400

OUTPATIENT: Final = Scenario(
    name="outpatient",
    number=1,
    name_zh="门诊",
    name_en="Outpatient visit",
    mcc="8062",
    tenders=_MEDICAL,
    capture_rule=CaptureRule.MAY_HOLD,
    no_password_up_to=100_000,
    hold_s_default=900,
    hold_s_max=30 * _DAY,  # a hospital deposit may wait for the final bill
    refund_window_days=365,
)
PHARMACY: Final = Scenario(
    name="pharmacy",
    number=2,
    name_zh="药店购药",
    name_en="Pharmacy",
    mcc="5912",
    tenders=_MEDICAL,
    capture_rule=CaptureRule.MAY_HOLD,
    no_password_up_to=100_000,
    hold_s_default=900,
    hold_s_max=7 * _DAY,
    refund_window_days=365,
)
INPATIENT: Final = Scenario(
    name="inpatient",
    number=3,
    name_zh="住院",
    name_en="Hospital stay",
    mcc="8062",
    tenders=_MEDICAL,
    capture_rule=CaptureRule.MAY_HOLD,
    no_password_up_to=100_000,
    hold_s_default=7 * _DAY,
    hold_s_max=30 * _DAY,
    refund_window_days=365,
)
PREMIUM: Final = Scenario(
    name="premium",
    number=4,
    name_zh="社保缴费",
    name_en="Insurance premium",
    mcc="9399",
    tenders=_INSURANCE,
    capture_rule=CaptureRule.AT_ONCE,
    no_password_up_to=0,
    hold_s_default=900,
    hold_s_max=900,
    refund_window_days=30,
    needs_bill_no=True,
)
EXAM_FEE: Final = Scenario(
    name="exam_fee",
    number=5,
    name_zh="考试费",
    name_en="Examination fee",
    mcc="9399",
    tenders=_OWN_MONEY,
    capture_rule=CaptureRule.AT_ONCE,
    no_password_up_to=0,
    hold_s_default=900,
    hold_s_max=900,
    refund_window_days=90,
    needs_bill_no=True,
)
TRAINING_FEE: Final = Scenario(
    name="training_fee",
    number=6,
    name_zh="培训费",
    name_en="Training fee",
    mcc="8249",
    tenders=_OWN_MONEY,
    capture_rule=CaptureRule.AT_ONCE,
    no_password_up_to=0,
    hold_s_default=900,
    hold_s_max=900,
    refund_window_days=180,
    needs_bill_no=True,
)
TRANSIT: Final = Scenario(
    name="transit",
    number=7,
    name_zh="公共交通",
    name_en="Public transport",
    mcc="4111",
    tenders=_OWN_MONEY,
    capture_rule=CaptureRule.DEFERRED,
    no_password_up_to=5_000,
    hold_s_default=4 * _HOUR,  # from the gate where a ride begins to the one where it ends
    hold_s_max=_DAY,
    refund_window_days=30,
)
UTILITIES: Final = Scenario(
    name="utilities",
    number=8,
    name_zh="水电燃气",
    name_en="Public utilities",
    mcc="4900",
    tenders=_OWN_MONEY,
    capture_rule=CaptureRule.AT_ONCE,
    no_password_up_to=50_000,
    hold_s_default=900,
    hold_s_max=900,
    refund_window_days=90,
)
PARK: Final = Scenario(
    name="park",
    number=9,
    name_zh="公园入园",
    name_en="Park",
    mcc="7991",
    tenders=_OWN_MONEY,
    capture_rule=CaptureRule.DEFERRED,
    no_password_up_to=20_000,
    hold_s_default=900,
    hold_s_max=_DAY,
    refund_window_days=30,
)
MUSEUM: Final = Scenario(
    name="museum",
    number=10,
    name_zh="博物馆",
    name_en="Museum",
    mcc="7991",
    tenders=_OWN_MONEY,
    capture_rule=CaptureRule.DEFERRED,
    no_password_up_to=20_000,
    hold_s_default=900,
    hold_s_max=_DAY,
    refund_window_days=30,
)
TRAVEL: Final = Scenario(
    name="travel",
    number=11,
    name_zh="旅游",
    name_en="Travel",
    mcc="4722",
    tenders=_OWN_MONEY,
    capture_rule=CaptureRule.MAY_HOLD,
    no_password_up_to=50_000,
    hold_s_default=_DAY,
    hold_s_max=30 * _DAY,  # until the journey begins
    refund_window_days=180,
)
SMALL_PAYMENT: Final = Scenario(
    name="small_payment",
    number=12,
    name_zh="小额消费",
    name_en="Small payment",
    mcc="5411",
    tenders=_OWN_MONEY,
    capture_rule=CaptureRule.AT_ONCE,
    no_password_up_to=20_000,
    hold_s_default=900,
    hold_s_max=900,
    refund_window_days=180,
)

SCENARIOS: Final = (
    OUTPATIENT,
    PHARMACY,
    INPATIENT,
    PREMIUM,
    EXAM_FEE,
    TRAINING_FEE,
    TRANSIT,
    UTILITIES,
    PARK,
    MUSEUM,
    TRAVEL,
    SMALL_PAYMENT,
)
BY_NAME: Final = {scenario.name: scenario for scenario in SCENARIOS}
BY_NUMBER: Final = {scenario.number: scenario for scenario in SCENARIOS}

assert len(BY_NAME) == len(BY_NUMBER) == len(SCENARIOS), "names and numbers are unique"
assert all(0 < number <= NUMBER_MAX for number in BY_NUMBER), "each has its bit"
