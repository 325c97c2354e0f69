"""The table of scenarios: names and numbers that are stored, and rules that fit each other."""

import re

import pytest

from engine.core.payments import TenderKind
from engine.core.scenarios import (
    BY_NAME,
    BY_NUMBER,
    INPATIENT,
    OUTPATIENT,
    PHARMACY,
    PREMIUM,
    SCENARIOS,
    CaptureRule,
    Scenario,
)

STORED = {
    "outpatient": 1,
    "pharmacy": 2,
    "inpatient": 3,
    "premium": 4,
    "exam_fee": 5,
    "training_fee": 6,
    "transit": 7,
    "utilities": 8,
    "park": 9,
    "museum": 10,
    "travel": 11,
    "small_payment": 12,
}
MEDICAL = {OUTPATIENT, PHARMACY, INPATIENT}
SCENE_FEN_MAX = 100_000  # what one payment without a password may take at all, whatever the scene

each_scenario = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)


def test_numbers_that_are_in_databases_stay() -> None:
    assert STORED.items() <= {scenario.name: scenario.number for scenario in SCENARIOS}.items()


def test_both_look_ups_hold_the_whole_table() -> None:
    assert list(BY_NAME.values()) == list(BY_NUMBER.values()) == list(SCENARIOS)


@each_scenario
def test_scenario_is_well_formed(scenario: Scenario) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", scenario.name)
    assert re.fullmatch(r"[0-9]{4}", scenario.mcc)
    assert re.fullmatch(r"[\u4e00-\u9fff]{2,8}", scenario.name_zh)
    assert re.fullmatch(r"[A-Z][A-Za-z ]+", scenario.name_en)
    assert 0 < scenario.hold_s_default <= scenario.hold_s_max
    assert scenario.refund_window_days > 0
    assert len(set(scenario.tenders)) == len(scenario.tenders)


@each_scenario
def test_bank_card_pays_everything_and_insurance_money_what_it_is_for(scenario: Scenario) -> None:
    assert TenderKind.BANK_CARD in scenario.tenders
    is_medical = scenario in MEDICAL
    assert (TenderKind.POOL_FUND in scenario.tenders) is is_medical
    assert (TenderKind.FAMILY_ACCOUNT in scenario.tenders) is is_medical
    assert (TenderKind.PERSONAL_ACCOUNT in scenario.tenders) is (is_medical or scenario is PREMIUM)


@each_scenario
def test_no_scenario_asks_for_less_than_the_central_bank(scenario: Scenario) -> None:
    assert 0 <= scenario.no_password_up_to <= SCENE_FEN_MAX


@each_scenario
def test_gates_let_people_in_only_where_amounts_are_small(scenario: Scenario) -> None:
    assert scenario.is_offline is (scenario.capture_rule is CaptureRule.DEFERRED)
    assert scenario.may_hold is (scenario.capture_rule is not CaptureRule.AT_ONCE)
    assert not scenario.is_offline or 0 < scenario.no_password_up_to <= 20_000


@each_scenario
def test_what_an_agency_bills_is_paid_at_once_and_always_confirmed(scenario: Scenario) -> None:
    if scenario.needs_bill_no:
        assert scenario.capture_rule is CaptureRule.AT_ONCE
        assert scenario.must_confirm(1, no_password_up_to=SCENE_FEN_MAX)


@pytest.mark.parametrize(
    ("amount", "own", "must_confirm"),
    [
        (PHARMACY.no_password_up_to, 200_000, False),
        (PHARMACY.no_password_up_to + 1, 200_000, True),
        (20_000, 20_000, False),
        (20_001, 20_000, True),
        (1, 0, True),
    ],
)
def test_the_lower_of_the_scene_and_the_cardholders_own_setting_counts(
    amount: int, own: int, must_confirm: bool
) -> None:
    assert PHARMACY.must_confirm(amount, no_password_up_to=own) is must_confirm
