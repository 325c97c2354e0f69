"""The insurances, the catalogue and the bills of the sample city."""

import hashlib
from collections import Counter
from statistics import median

import msgspec
import pytest

from engine.core.benefits import ItemClass, MedicalBill, Plan, Split, split
from engine.core.payer import CardStatus, TenderOrder
from engine.core.plan_book import PlanBook
from engine.formats import plan_json
from engine.sandbox.catalogue import CATALOGUE
from engine.sandbox.city import sample_city
from engine.sandbox.draws import Draws, Series
from engine.sandbox.medical_bills import KIND_SHARES, LINE_CURVES, Venue, covered, cut_to, sample_bill
from engine.sandbox.plans import (
    CHILD,
    EMPLOYEES,
    FUND_PAY_TYPES,
    OLD,
    PLANS,
    RESIDENTS,
    RETIRED,
    WORKING,
    Insured,
    hospital_level,
    insured,
    relative_of,
)

CITY = sample_city()
PEOPLE = tuple(CITY.cardholders(4_000))
INSURED = tuple(insured(person, seed=CITY.seed) for person in PEOPLE)
BOOK = PlanBook(PLANS)
VENUES: tuple[Venue, ...] = ("hospital", "pharmacy")


def bills(venue: Venue, count: int = 2_000) -> list[MedicalBill]:
    return [sample_bill(Draws(CITY.seed, Series.BILLS, n), venue) for n in range(count)]


def test_catalogue_has_two_hundred_items_of_every_class() -> None:
    assert len(CATALOGUE) == len({item.code for item in CATALOGUE}) == len({item.name for item in CATALOGUE}) == 200
    classes = Counter(item.coverage.item_class for item in CATALOGUE)
    assert classes[ItemClass.A] > classes[ItemClass.B] > classes[ItemClass.C] > 0


def test_a_limit_is_near_the_price() -> None:
    limited = [item for item in CATALOGUE if item.coverage.price_limit_e6 is not None]
    assert len(limited) > 40
    assert all(0.6 < item.coverage.price_limit_e6 / (item.price_fen * 10_000) <= 1 for item in limited)  # type: ignore[operator]  # limited ones have one


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.id)
def test_plans_are_as_a_file_could_say_them(plan: Plan) -> None:
    assert plan_json.read(plan_json.write(plan)) == plan


def test_every_district_has_the_citys_plans() -> None:
    for region in CITY.regions:
        for plan in PLANS:
            found = BOOK.plan_for(region.code, plan.insurance, plan.valid_from)
            assert found == (plan if region.code >= CITY.pooling_area else None)


def test_every_fund_is_named() -> None:
    assert set(FUND_PAY_TYPES) == {310100, 330100, 390100, 390200}


def test_most_people_are_employees_and_every_kind_is_there() -> None:
    counts = Counter((person.insurance, person.person_type) for person in INSURED)
    assert len(counts) == 5
    assert 0.6 < sum(counts[EMPLOYEES, kind] for kind in (WORKING, RETIRED)) / len(INSURED) < 0.75
    assert {kind for insurance, kind in counts if insurance == RESIDENTS} == {CHILD, 15, OLD}


def test_person_type_follows_from_the_age() -> None:
    for person, insurance in zip(PEOPLE, INSURED, strict=True):
        born = int(person.id_number[6:10])
        assert (insurance.person_type in (RETIRED, OLD)) == (born <= 1963)
        assert insurance.person_type != CHILD or born >= 2008


def test_what_was_used_fits_the_plan() -> None:
    plans = {plan.insurance: plan for plan in PLANS}
    for person in INSURED:
        plan = plans[person.insurance]
        assert person.person_type in plan.rates_e4
        assert 0 <= person.deductible_used <= plan.deductible
        assert 0 <= person.fund_paid <= plan.annual_cap
        assert person.fund_paid == 0 or person.deductible_used == plan.deductible
    assert sum(person.deductible_used == 0 for person in INSURED) > 1_000
    assert sum(person.fund_paid > 0 for person in INSURED) > 800


def test_some_residents_are_helped_by_an_employee_who_can_help() -> None:
    helped = {person.index: relative_of(person, seed=CITY.seed) for person in PEOPLE}
    pairs = [(PEOPLE[index], relative) for index, relative in helped.items() if relative is not None]
    assert 0.02 < len(pairs) / len(PEOPLE) < 0.08
    for person, relative in pairs:
        assert INSURED[person.index].insurance == RESIDENTS
        assert relative == PEOPLE[person.index - 1]
        assert INSURED[relative.index].insurance == EMPLOYEES
        assert relative.status is CardStatus.ACTIVE
        assert relative.tender_order is not TenderOrder.PERSONAL_ACCOUNT_ONLY
        assert helped[relative.index] is None


def test_bill_is_cut_to_an_amount_and_to_what_accounts_may_pay() -> None:
    bill = sample_bill(Draws(7), "hospital", line_count=40, visit_no="V-1")
    whole = sum(line.amount for line in bill.lines)
    cut = cut_to(bill, whole // 2)
    assert 0 < sum(line.amount for line in cut.lines) <= whole // 2
    assert cut.visit_no == covered(bill).visit_no == "V-1"
    assert cut_to(bill, whole) == bill
    found = _split(covered(bill), INSURED[0], level=3)
    assert (found.own_pay, found.over_limit) == (0, 0)
    assert found.account_eligible == found.person_part > 0


def test_half_of_the_hospitals_are_of_the_third_level_and_shops_of_none() -> None:
    assert Counter(hospital_level("hospital", n) for n in range(12)) == {3: 6, 2: 3, 1: 3}
    assert {hospital_level("pharmacy", n) for n in range(12)} == {0}


@pytest.mark.parametrize("venue", VENUES)
def test_every_bill_can_be_split(venue: Venue) -> None:
    for bill, person in zip(bills(venue), INSURED, strict=False):
        assert isinstance(_split(bill, person, level=3 if venue == "hospital" else 0), Split)


@pytest.mark.parametrize(("venue", "low", "high"), [("hospital", 25_000, 60_000), ("pharmacy", 6_000, 16_000)])
def test_bills_come_to_what_is_usual(venue: Venue, low: int, high: int) -> None:
    made = bills(venue)
    amounts = [sum(line.amount for line in bill.lines) for bill in made]
    assert low < median(amounts) < high
    assert max(amounts) < 2_000_000
    assert {len(bill.lines) for bill in made} >= set(range(1, 8))
    assert max(len(bill.lines) for bill in made) <= LINE_CURVES[venue][-1][1]


def test_some_lines_are_over_their_limit_and_some_are_rounded() -> None:
    splits = [_split(bill, INSURED[0], level=3) for bill in bills("hospital")]
    assert 0.2 < sum(found.over_limit > 0 for found in splits) / len(splits) < 0.9
    lines = [line for bill in bills("hospital", 200) for line in bill.lines]
    assert sum(line.quantity_e4 * line.price_e6 % 10**8 > 0 for line in lines) > len(lines) / 4


@pytest.mark.parametrize("venue", VENUES)
def test_items_come_from_the_kinds_of_the_venue(venue: Venue) -> None:
    kinds = {item.code: item.kind for item in CATALOGUE}
    assert {kinds[line.item] for bill in bills(venue) for line in bill.lines} == {
        kind for kind, _ in KIND_SHARES[venue]
    }


def test_number_of_lines_and_visit_can_be_asked_for() -> None:
    bill = sample_bill(Draws(1), "hospital", line_count=20, visit_no="V-1")
    assert (len(bill.lines), bill.visit_no) == (20, "V-1")


def test_same_key_gives_the_same_bill_for_ever() -> None:
    digest = hashlib.sha256(msgspec.msgpack.encode([bills("hospital", 100), bills("pharmacy", 100), INSURED[:100]]))
    assert digest.hexdigest() == "88c648c5bbc1746365ed60a9a4ce00512de6aec7103f3d0dbf1a0008f88aee34"


def _split(bill: MedicalBill, person: Insured, *, level: int) -> Split:
    plan = BOOK.plan_for(CITY.pooling_area, person.insurance, PLANS[0].valid_from)
    assert plan is not None
    found = split(
        plan,
        bill,
        hospital_level=level,
        person_type=person.person_type,
        deductible_used=person.deductible_used,
        fund_paid=person.fund_paid,
    )
    assert isinstance(found, Split)
    return found
