import ast
import re
from collections import Counter
from pathlib import Path
from typing import get_args

import pytest
from stdnum import numdb
from stdnum.iso7064 import mod_11_10

import engine.sandbox.city
from engine.core.accounts import pooling_area
from engine.core.participants import CODE_PATTERNS, ParticipantKind
from engine.core.payments import TenderKind
from engine.core.scenarios import BY_NAME, SCENARIOS
from engine.sandbox.city import SampleCity, sample_city
from engine.sandbox.participants import Merchant, MerchantKind
from engine.sandbox.regions import DISTRICTS

CITY = sample_city()
DATA_MODULES = (
    "catalogue",
    "city",
    "draws",
    "medical_bills",
    "names",
    "numbers",
    "participants",
    "people",
    "plans",
    "purchases",
    "regions",
)
OUTSIDE = {"collections.abc", "datetime", "enum", "itertools", "math", "typing", "msgspec"}


def test_regions_are_in_the_national_code_table() -> None:
    places = {region.code: numdb.get("cn/loc").info(str(region.code)) for region in CITY.regions}
    names = {
        code: found[0][1]["province"] if code % 10_000 == 0 else re.sub(r"\[.*\]", "", found[1][1]["county"])
        for code, found in places.items()
    }
    assert names == {region.code: region.name for region in CITY.regions}


def test_no_district_of_today_is_missing() -> None:
    table = numdb.get("cn/loc")
    counties = {code: table.info(f"1101{code:02d}")[1][1].get("county") for code in range(1, 100)}
    today = {
        110_100 + code
        for code, county in counties.items()
        if county is not None and not re.match(r"\[\d*-\d+\]", county)
    }
    assert today == {district.code for district in DISTRICTS}


def test_regions_form_one_tree() -> None:
    parents = {region.code: region.parent for region in CITY.regions}
    assert [code for code, parent in parents.items() if parent is None] == [110_000]
    assert {parent for parent in parents.values() if parent is not None} <= set(parents)
    assert {CITY.pooling_area} == {pooling_area(district.code) for district in DISTRICTS}


def test_six_banks_have_well_formed_numbers_of_six_classes() -> None:
    numbers = [bank.cnaps for bank in CITY.banks]
    assert [number[:3] for number in numbers] == ["102", "103", "104", "105", "301", "403"]
    assert all(re.fullmatch(r"\d{12}", number) and mod_11_10.is_valid(number) for number in numbers)


def test_one_bank_settles_and_one_holds_the_funds() -> None:
    assert sum(bank.is_settlement_bank for bank in CITY.banks) == 1
    assert CITY.settlement_bank.is_settlement_bank
    assert CITY.fund_bank in {bank.cnaps for bank in CITY.banks}


def test_there_are_twelve_hospitals_twenty_pharmacies_and_the_citys_other_services() -> None:
    kinds = Counter(merchant.kind for merchant in CITY.merchants)
    assert (kinds["hospital"], kinds["pharmacy"]) == (12, 20)
    assert set(kinds) == set(get_args(MerchantKind))


def test_ids_follow_from_places_so_newcomers_come_last() -> None:
    assert [merchant.slug for merchant in CITY.merchants[:32:31]] == ["hospital-01", "pharmacy-20"]


@pytest.mark.parametrize("merchant", CITY.merchants, ids=lambda merchant: merchant.slug)
def test_merchant_is_well_formed(merchant: Merchant) -> None:
    letter = {"hospital": "H", "pharmacy": "P"}.get(merchant.kind, "C")
    assert re.fullmatch(rf"{letter}{merchant.region}\d{{5}}", merchant.code)
    assert CODE_PATTERNS[ParticipantKind.MERCHANT][0].fullmatch(merchant.code)
    assert BY_NAME[merchant.scenarios[0]].mcc == merchant.mcc
    assert merchant.region in {district.code for district in DISTRICTS}
    assert merchant.cnaps in {bank.cnaps for bank in CITY.banks}
    assert set(merchant.scenarios) <= set(BY_NAME)
    assert merchant.terminals[0] == "T-01"
    assert len(set(merchant.terminals)) == len(merchant.terminals)
    assert len(merchant.name_en) <= 25, "an EMV merchant name has at most 25 characters"
    assert "演示" in merchant.name
    assert "Demo" in merchant.name_en


def test_medicine_is_for_hospitals_and_pharmacies() -> None:
    sold = {merchant.kind: merchant.scenarios for merchant in CITY.merchants}
    assert (sold.pop("hospital"), sold.pop("pharmacy")) == (("outpatient", "pharmacy", "inpatient"), ("pharmacy",))
    others = [BY_NAME[name] for names in sold.values() for name in names]
    assert len(others) == len(set(others)) == len(SCENARIOS) - 3, "each of the others at one kind of merchant"
    assert not [scenario for scenario in others if TenderKind.POOL_FUND in scenario.tenders]


def test_one_pharmacy_is_suspended() -> None:
    assert [merchant.slug for merchant in CITY.merchants if merchant.is_suspended] == ["pharmacy-20"]


def test_every_bank_keeps_the_account_of_some_merchant() -> None:
    assert {bank.cnaps for bank in CITY.banks} == {merchant.cnaps for merchant in CITY.merchants}


def test_channels_are_well_formed_and_cover_the_six_classes_of_owner() -> None:
    numbers = {channel.channel_no for channel in CITY.channels}
    assert len(CITY.channels) == len(numbers) == len({channel.owner_class for channel in CITY.channels}) == 6
    assert all(re.fullmatch(rf"{CITY.pooling_area}\d{{4}}", number) for number in numbers)
    tier_one = {channel.channel_no for channel in CITY.channels if channel.tier == 1}
    assert {2} == {channel.tier for channel in CITY.channels if channel.parent is not None}
    assert {channel.parent for channel in CITY.channels if channel.tier == 2} <= tier_one


def test_agencies_have_a_region_and_a_bank_of_the_city() -> None:
    assert len(CITY.agencies) == len({agency.item for agency in CITY.agencies})
    assert {agency.region for agency in CITY.agencies} <= {region.code for region in CITY.regions}
    assert {agency.cnaps for agency in CITY.agencies} <= {bank.cnaps for bank in CITY.banks}


def test_two_operators_can_check_each_other() -> None:
    assert {"operations", "review"} <= {operator.role for operator in CITY.operators}


def _slugs(city: SampleCity) -> list[str]:
    return [
        caller.slug
        for callers in (city.banks, city.merchants, city.agencies, city.channels, city.operators)
        for caller in callers
    ]


def test_no_two_callers_share_a_name_or_a_code() -> None:
    slugs = _slugs(CITY)
    codes = [merchant.code for merchant in CITY.merchants] + [bank.cnaps for bank in CITY.banks]
    assert len(slugs) == len(set(slugs))
    assert len(codes) == len(set(codes))
    assert all(re.fullmatch(r"[a-z0-9-]+", slug) for slug in slugs)


def test_sample_data_imports_the_core_and_nothing_that_reads_a_clock_or_a_file() -> None:
    folder = Path(engine.sandbox.city.__file__).parent
    imported: set[str] = set()
    for name in DATA_MODULES:
        for node in ast.walk(ast.parse((folder / f"{name}.py").read_text())):
            if isinstance(node, ast.ImportFrom):
                imported.add(node.module or "")
            elif isinstance(node, ast.Import):
                imported.update(alias.name for alias in node.names)
    ours = {f"engine.sandbox.{name}" for name in DATA_MODULES}
    strangers = {name for name in imported - OUTSIDE - ours if not name.startswith("engine.core.")}
    assert set() == strangers
