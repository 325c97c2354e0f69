"""Plans and bills to test with, random ones too, and a calculator of splits written apart with `Decimal`."""

import random
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import msgspec

from engine.core.benefits import (
    HOSPITAL_LEVELS,
    BillLine,
    BillPart,
    CatalogueItem,
    ItemClass,
    Layer,
    LayerBase,
    MedicalBill,
    Plan,
    Split,
    line_amount,
    split,
)

WORKING, RETIRED = 11, 12
OWN_ACCOUNT = frozenset({BillPart.PRE_SELF, BillPart.DEDUCTIBLE, BillPart.SHARE})
ITEMS = {
    "DRUG-1": CatalogueItem(ItemClass.A),
    "CT": CatalogueItem(ItemClass.B, None, 1_000),
    "DRUG-2": CatalogueItem(ItemClass.B, 60_000_000, 1_000),
    "VITAMIN": CatalogueItem(ItemClass.C),
}
_CENT = Decimal("0.01")


def a_plan(**changes: Any) -> Plan:
    """The plan of the worked examples: 55 % at the third level (60 % retired), 1,800 deductible, 20,000 cap."""
    plan = Plan(
        id="test-310",
        region=110100,
        insurance=310,
        name="职工",
        valid_from=date(2026, 1, 1),
        valid_to=date(2027, 1, 1),
        fund_pay_type=310100,
        deductible=180_000,
        annual_cap=2_000_000,
        rates_e4={WORKING: (7_500, 7_500, 6_500, 5_500), RETIRED: (8_000, 8_000, 7_000, 6_000)},
        account_pays=OWN_ACCOUNT,
        items=ITEMS,
    )
    return msgspec.structs.replace(plan, **changes)


def a_line(item: str, quantity: str, price: str) -> BillLine:
    """A line that adds up, from a quantity and a price as people write them."""
    quantity_e4, price_e6 = int(Decimal(quantity).scaleb(4)), int(Decimal(price).scaleb(6))
    return BillLine(item, quantity_e4, price_e6, line_amount(quantity_e4, price_e6))


def a_bill(*lines: BillLine) -> MedicalBill:
    """A bill of these lines; without any, that of the worked examples."""
    return MedicalBill(lines or EXAMPLE_LINES)


EXAMPLE_LINES = (
    a_line("DRUG-1", "2", "45.60"),
    a_line("CT", "1", "380.00"),
    a_line("DRUG-2", "3", "66.67"),
    a_line("VITAMIN", "1", "128.50"),
)


def split_of(
    plan: Plan,
    bill: MedicalBill,
    *,
    hospital_level: int = 3,
    person_type: int = WORKING,
    deductible_used: int = 0,
    fund_paid: int = 0,
) -> Split:
    """The split of a bill that is right."""
    found = split(
        plan,
        bill,
        hospital_level=hospital_level,
        person_type=person_type,
        deductible_used=deductible_used,
        fund_paid=fund_paid,
    )
    assert isinstance(found, Split)
    return found


class Case(msgspec.Struct, frozen=True):
    """Everything that a split depends on."""

    plan: Plan
    bill: MedicalBill
    hospital_level: int
    person_type: int
    deductible_used: int
    fund_paid: int


def a_random_case(chance: random.Random) -> Case:
    """Some plan, bill and person; borders (no deductible, a cap that binds, free lines) are as likely as the rest."""
    items = {
        f"I{n}": CatalogueItem(
            chance.choice(list(ItemClass)),
            chance.choice([None, chance.randint(1, 300_000_000)]),
            chance.choice([0, 1_000, chance.randint(0, 10_000)]),
        )
        for n in range(chance.randint(1, 12))
    }
    layers = [
        Layer(pay_type, chance.choice([0, 10_000, chance.randint(0, 10_000)]), chance.choice(list(LayerBase)))
        for pay_type in (330100, 320100, 370100)
    ]
    annual_cap = chance.choice([0, chance.randint(0, 100_000), 2_000_000])
    plan = a_plan(
        items=items,
        layers=tuple(layers[: chance.randint(0, 3)]),
        deductible=chance.choice([0, chance.randint(0, 300_000)]),
        annual_cap=annual_cap,
        rates_e4={WORKING: tuple(chance.choice([0, 10_000, chance.randint(0, 10_000)]) for _ in HOSPITAL_LEVELS)},
        account_pays=frozenset(part for part in BillPart if chance.random() < 0.5),
    )
    lines = tuple(_random_line(chance, list(items)) for _ in range(chance.randint(1, 20)))
    return Case(
        plan,
        MedicalBill((*lines, a_line(next(iter(items)), "1", "0.01"))),  # so that it comes to something
        chance.choice(HOSPITAL_LEVELS),
        WORKING,
        chance.choice([0, plan.deductible, chance.randint(0, 400_000)]),
        chance.choice([0, annual_cap, chance.randint(0, 3_000_000)]),
    )


def _random_line(chance: random.Random, items: list[str]) -> BillLine:
    quantity = chance.choice([10_000, 10_000 * chance.randint(1, 30), chance.randint(1, 300_000)])
    price = chance.choice([chance.randint(0, 1_000_000_000), 10_000 * chance.randint(0, 50_000), 5_000])
    return BillLine(chance.choice(items), quantity, price, line_amount(quantity, price))


def reference_split(case: Case) -> Split:
    """The same by the formula as it is published, in yuan."""
    plan = case.plan
    sums = dict.fromkeys(("total", "own", "over", "pre", "scope"), Decimal(0))
    for line in case.bill.lines:
        item = plan.items[line.item]
        count, price = Decimal(line.quantity_e4) / 10_000, Decimal(line.price_e6) / 1_000_000
        amount = _round(count * price)
        if item.item_class is ItemClass.C:
            own, over, pre = amount, Decimal(0), Decimal(0)
        else:
            own = Decimal(0)
            limit = price if item.price_limit_e6 is None else Decimal(item.price_limit_e6) / 1_000_000
            over = _round(max(Decimal(0), price - limit) * count)
            pre = _round((amount - over) * item.self_pay_e4 / 10_000)
        for name, value in zip(sums, (amount, own, over, pre, amount - own - over - pre), strict=True):
            sums[name] += value
    deductible = min(sums["scope"], max(Decimal(0), _yuan(plan.deductible - case.deductible_used)))
    base = sums["scope"] - deductible
    full = _round(base * plan.rates_e4[case.person_type][case.hospital_level] / 10_000)
    pool = min(full, max(Decimal(0), _yuan(plan.annual_cap - case.fund_paid)))
    shares, over_cap = [(plan.fund_pay_type, pool)], full - pool
    for layer in plan.layers:
        left = base - sum(share for _, share in shares)
        payable = left if layer.base is LayerBase.LEFT else min(over_cap, left)
        share = _round(payable * layer.rate_e4 / 10_000)
        shares.append((layer.fund_pay_type, share))
        over_cap -= share if layer.base is LayerBase.OVER_CAP else 0
    funds = sum((share for _, share in shares), Decimal(0))
    parts = dict(zip(BillPart, (sums["own"], sums["over"], sums["pre"], deductible, base - funds), strict=True))
    return Split(
        total=_fen(sums["total"]),
        own_pay=_fen(sums["own"]),
        over_limit=_fen(sums["over"]),
        pre_self=_fen(sums["pre"]),
        in_scope=_fen(sums["scope"]),
        deductible=_fen(deductible),
        base=_fen(base),
        fund_shares=tuple((pay_type, _fen(share)) for pay_type, share in shares if share),
        pool=_fen(pool),
        person_part=_fen(sums["total"] - funds),
        account_eligible=_fen(sum((parts[part] for part in plan.account_pays), Decimal(0))),
    )


def _round(value: Decimal) -> Decimal:
    return value.quantize(_CENT, ROUND_HALF_UP)


def _yuan(fen: int) -> Decimal:
    return Decimal(fen) / 100


def _fen(yuan: Decimal) -> int:
    assert yuan == yuan.quantize(_CENT), "whole fen"
    return int(yuan * 100)
