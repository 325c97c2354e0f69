"""Splitting medical bills: the worked examples, the published figures, what always adds up, and what is refused."""

import random
import secrets
import sys

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.benefits import (
    LINES_MAX,
    PRICE_E6_MAX,
    QUANTITY_E4_MAX,
    BillFault,
    BillLine,
    BillPart,
    CatalogueItem,
    ItemClass,
    Layer,
    LayerBase,
    MedicalBill,
    Split,
    line_amount,
    share_of,
    split,
)
from engine.core.money import AMOUNT_FEN_MAX
from engine.core.refusals import Refusal
from tests.core.medical import (
    EXAMPLE_LINES,
    RETIRED,
    WORKING,
    Case,
    a_bill,
    a_line,
    a_plan,
    a_random_case,
    reference_split,
    split_of,
)

BILLS, BILLS_FULL = 10_000, 100_000


@pytest.mark.parametrize(
    ("used", "paid", "person_type", "balance", "deductible", "base", "pool", "person", "account", "cash"),
    [
        pytest.param(150_000, 1_500_000, WORKING, 40_000, 30_000, 29_520, 16_236, 63_735, 40_000, 23_735, id="E1"),
        pytest.param(150_000, 1_990_000, WORKING, 40_000, 30_000, 29_520, 10_000, 69_971, 40_000, 29_971, id="E2"),
        pytest.param(150_000, 1_500_000, RETIRED, 40_000, 30_000, 29_520, 17_712, 62_259, 40_000, 22_259, id="E3"),
        pytest.param(0, 0, WORKING, 0, 59_520, 0, 0, 79_971, 0, 79_971, id="E4"),
        pytest.param(180_000, 1_500_000, WORKING, 1_000_000, 0, 59_520, 32_736, 47_235, 32_384, 14_851, id="E5"),
    ],
)
def test_worked_examples_come_out_to_the_fen(
    used: int,
    paid: int,
    person_type: int,
    balance: int,
    deductible: int,
    base: int,
    pool: int,
    person: int,
    account: int,
    cash: int,
) -> None:
    found = split_of(a_plan(), a_bill(), person_type=person_type, deductible_used=used, fund_paid=paid)
    assert (found.total, found.own_pay, found.pre_self, found.over_limit) == (79_971, 12_850, 5_600, 2_001)
    assert found.in_scope == 59_520
    assert (found.deductible, found.base, found.pool, found.person_part) == (deductible, base, pool, person)
    pays = min(balance, found.account_eligible)
    assert (pays, found.person_part - pays) == (account, cash)


def test_published_figures_of_a_mixed_payment_add_up() -> None:
    """2,020.00 is 1,000.00 of the pool, 450.00 account, 50.00 of another fund, 500.00 cash and 20.00 freight."""
    plan = a_plan(
        deductible=0,
        rates_e4={WORKING: (5_000,) * 4},
        layers=(Layer(320100, 500, LayerBase.LEFT),),
        items={"CARE": CatalogueItem(ItemClass.A), "FREIGHT": CatalogueItem(ItemClass.C)},
    )
    found = split_of(plan, a_bill(a_line("CARE", "1", "2000"), a_line("FREIGHT", "1", "20")))
    assert found.total == 202_000
    assert found.fund_shares == ((310100, 100_000), (320100, 5_000))
    account = min(45_000, found.account_eligible)
    cash = found.person_part - account
    reduced = 10_000
    assert (account, cash, cash - reduced) == (45_000, 50_000 + 2_000, 42_000)
    assert found.total == 100_000 + 45_000 + 5_000 + (cash - reduced) + reduced


@pytest.mark.parametrize(
    ("amount", "rate", "share"), [(3_333, 5_500, 1_833), (1, 5_500, 1), (1, 4_999, 0), (1, 5_000, 1), (0, 10_000, 0)]
)
def test_share_is_rounded_half_up(amount: int, rate: int, share: int) -> None:
    assert share_of(amount, rate) == share


@pytest.mark.parametrize(
    ("quantity_e4", "price_e6", "amount"),
    [(10_000, 4_999, 0), (10_000, 5_000, 1), (5_000, 10_000, 1), (3_333, 10_000_000, 333), (1, 1, 0)],
)
def test_line_is_rounded_half_up(quantity_e4: int, price_e6: int, amount: int) -> None:
    assert line_amount(quantity_e4, price_e6) == amount
    line = BillLine("DRUG-1", quantity_e4, price_e6, amount)
    assert split_of(a_plan(), a_bill(line, a_line("DRUG-1", "1", "1"))).total == 100 + amount


def test_each_step_is_rounded_by_itself() -> None:
    """Over the limit 0.005 becomes 0.01; a tenth of the 0.05 that is left, 0.005, becomes 0.01."""
    plan = a_plan(deductible=0, items={"I": CatalogueItem(ItemClass.B, 50_000, 1_000)})
    found = split_of(plan, a_bill(BillLine("I", 10_000, 55_000, 6)))
    assert (found.over_limit, found.pre_self, found.in_scope) == (1, 1, 4)


def test_class_c_is_the_persons_whatever_limits_it_has() -> None:
    plan = a_plan(deductible=0, items={"I": CatalogueItem(ItemClass.C, 1_000_000, 5_000)})
    found = split_of(plan, a_bill(a_line("I", "2", "30")))
    assert (found.own_pay, found.over_limit, found.pre_self, found.in_scope) == (6_000, 0, 0, 0)
    assert (found.fund_shares, found.person_part) == ((), 6_000)


@pytest.mark.parametrize(("level", "pool"), [(0, 7_500), (1, 7_500), (2, 6_500), (3, 5_500)])
def test_level_of_the_hospital_decides_the_rate(level: int, pool: int) -> None:
    found = split_of(a_plan(deductible=0), a_bill(a_line("DRUG-1", "1", "100")), hospital_level=level)
    assert found.pool == pool


def test_more_used_than_the_plan_asks_for_leaves_no_deductible_and_no_pool() -> None:
    """After a change of plan in the middle of a year."""
    found = split_of(a_plan(), a_bill(), deductible_used=180_001, fund_paid=2_000_001)
    assert (found.deductible, found.base, found.pool, found.fund_shares) == (0, 59_520, 0, ())


def test_layers_pay_in_order_of_what_is_left() -> None:
    plan = a_plan(
        deductible=10_000,
        annual_cap=20_000,
        rates_e4={WORKING: (8_000,) * 4},
        layers=(Layer(330100, 9_000, LayerBase.OVER_CAP), Layer(320100, 5_000, LayerBase.LEFT)),
    )
    found = split_of(plan, a_bill(a_line("DRUG-1", "1", "1100")), fund_paid=5_000)
    # Base 1,000.00; the pool would pay 800.00 and has 150.00; 90 % of the other 650.00; half of the 265.00 left.
    assert found.fund_shares == ((310100, 15_000), (330100, 58_500), (320100, 13_250))
    assert (found.pool, found.person_part) == (15_000, 10_000 + 13_250)
    assert found.account_eligible == 23_250


def test_layer_over_the_cap_pays_nothing_below_it() -> None:
    plan = a_plan(layers=(Layer(330100, 9_000, LayerBase.OVER_CAP),))
    assert split_of(plan, a_bill(), deductible_used=180_000).fund_shares == ((310100, 32_736),)


def test_second_layer_over_the_cap_gets_what_the_first_one_left() -> None:
    over_cap = (Layer(330100, 5_000, LayerBase.OVER_CAP), Layer(370100, 10_000, LayerBase.OVER_CAP))
    plan = a_plan(deductible=0, annual_cap=0, rates_e4={WORKING: (8_000,) * 4}, layers=over_cap)
    found = split_of(plan, a_bill(a_line("DRUG-1", "1", "100")))
    assert (found.fund_shares, found.pool) == (((330100, 4_000), (370100, 4_000)), 0)


@pytest.mark.parametrize(
    ("part", "amount"),
    [
        (BillPart.OWN_PAY, 12_850),
        (BillPart.OVER_LIMIT, 2_001),
        (BillPart.PRE_SELF, 5_600),
        (BillPart.DEDUCTIBLE, 30_000),
        (BillPart.SHARE, 29_520 - 16_236),
    ],
)
def test_account_pays_the_parts_that_the_plan_names(part: BillPart, amount: int) -> None:
    plan = a_plan(account_pays=frozenset({part}))
    assert split_of(plan, a_bill(), deductible_used=150_000).account_eligible == amount


def test_account_that_pays_everything_pays_the_persons_part() -> None:
    found = split_of(a_plan(account_pays=frozenset(BillPart)), a_bill(), deductible_used=150_000)
    assert found.account_eligible == found.person_part


def fault(*lines: BillLine, person_type: int = WORKING) -> BillFault:
    found = split(
        a_plan(), MedicalBill(lines), hospital_level=3, person_type=person_type, deductible_used=0, fund_paid=0
    )
    assert isinstance(found, BillFault)
    return found


@pytest.mark.parametrize(
    ("line", "field", "refusal"),
    [
        (BillLine("DRUG-1", 10_000, 1_000_000, 101), "amount", Refusal.AMOUNT_NOT_BALANCED),
        (BillLine("DRUG-1", 10_000, 1_000_000, -100), "amount", Refusal.AMOUNT_NOT_BALANCED),
        (BillLine("DRUG-3", 10_000, 1_000_000, 100), "item", Refusal.BILL_INVALID),
        (BillLine("DRUG-1", 0, 1_000_000, 0), "quantity", Refusal.BILL_INVALID),
        (BillLine("DRUG-1", -10_000, 1_000_000, -100), "quantity", Refusal.BILL_INVALID),
        (BillLine("DRUG-1", QUANTITY_E4_MAX + 1, 0, 0), "quantity", Refusal.BILL_INVALID),
        (BillLine("DRUG-1", 10_000, -1_000_000, -100), "price", Refusal.BILL_INVALID),
        (BillLine("DRUG-1", 1, PRICE_E6_MAX + 1, 1_000_000), "price", Refusal.BILL_INVALID),
        (BillLine("", 0, -1, 7), "item", Refusal.BILL_INVALID),
    ],
)
def test_wrong_line_is_named(line: BillLine, field: str, refusal: Refusal) -> None:
    found = fault(EXAMPLE_LINES[0], line, EXAMPLE_LINES[1])
    assert (found.pointer, found.refusal) == (f"/bill/lines/1/{field}", refusal)
    assert found.reason


def test_wrong_sum_tells_the_right_one() -> None:
    assert "20001 fen" in fault(BillLine("DRUG-2", 30_000, 66_670_000, 20_000)).reason


def test_bill_has_lines_and_not_too_many() -> None:
    line = a_line("DRUG-1", "1", "1")
    assert fault().pointer == "/bill/lines"
    assert fault(*[line] * (LINES_MAX + 1)).pointer == "/bill/lines"
    assert split_of(a_plan(), MedicalBill((line,) * LINES_MAX)).total == LINES_MAX * 100


def test_bill_comes_to_an_amount_that_can_be_paid() -> None:
    largest = BillLine("DRUG-1", 10_000, PRICE_E6_MAX, AMOUNT_FEN_MAX)
    assert split_of(a_plan(), MedicalBill((largest,))).total == AMOUNT_FEN_MAX
    assert fault(largest, a_line("DRUG-1", "1", "0.01")).pointer == "/bill/lines"
    assert fault(a_line("DRUG-1", "1", "0.004")).pointer == "/bill/lines"
    enormous = line_amount(QUANTITY_E4_MAX, PRICE_E6_MAX)
    assert fault(BillLine("DRUG-1", QUANTITY_E4_MAX, PRICE_E6_MAX, enormous)).pointer == "/bill/lines"


def test_person_whom_the_plan_does_not_know_has_no_plan() -> None:
    assert fault(*EXAMPLE_LINES, person_type=15).refusal is Refusal.PLAN_MISSING


def assert_it_adds_up(case: Case, found: Split) -> None:
    """Every identity of a split, and its bounds."""
    plan, funds = case.plan, sum(share for _, share in found.fund_shares)
    assert found.total == sum(line.amount for line in case.bill.lines)
    assert found.total == found.own_pay + found.over_limit + found.pre_self + found.in_scope
    assert found.in_scope == found.deductible + found.base
    assert found.total == funds + found.person_part
    assert found.person_part >= found.total - found.base
    assert 0 <= found.account_eligible <= found.person_part
    assert 0 <= found.deductible <= max(0, plan.deductible - case.deductible_used)
    assert 0 <= found.pool <= max(0, plan.annual_cap - case.fund_paid)
    assert found.pool == sum(share for pay_type, share in found.fund_shares if pay_type == plan.fund_pay_type)
    assert all(share > 0 for _, share in found.fund_shares)
    assert min(msgspec.structs.astuple(found)[:7]) >= 0


@given(st.randoms(use_true_random=False))
def test_every_bill_adds_up(chance: random.Random) -> None:
    case = a_random_case(chance)
    assert_it_adds_up(case, _split(case))


@given(st.randoms(use_true_random=False))
def test_the_person_never_pays_less_for_having_used_more_of_the_cap(chance: random.Random) -> None:
    case = a_random_case(chance)
    case = msgspec.structs.replace(case, plan=msgspec.structs.replace(case.plan, layers=()))
    later = msgspec.structs.replace(case, fund_paid=case.fund_paid + 1_000)
    assert _split(case).person_part <= _split(later).person_part


@given(st.randoms(use_true_random=False))
def test_split_is_kept_as_it_is(chance: random.Random) -> None:
    case = a_random_case(chance)
    found = _split(case)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(found), type=Split) == found
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(case.bill), type=MedicalBill) == case.bill


def test_reference_agrees(request: pytest.FixtureRequest, is_full: bool) -> None:
    seed = request.config.getoption("--seed") or secrets.randbits(32)
    sys.stdout.write(f"--seed {seed}\n")
    chance = random.Random(seed)
    for n in range(BILLS_FULL if is_full else BILLS):
        case = a_random_case(chance)
        assert _split(case) == reference_split(case), f"--seed {seed}, bill {n}"


def _split(case: Case) -> Split:
    return split_of(
        case.plan,
        case.bill,
        hospital_level=case.hospital_level,
        person_type=case.person_type,
        deductible_used=case.deductible_used,
        fund_paid=case.fund_paid,
    )
