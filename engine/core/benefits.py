"""Medical bills split by the rules of an insurance plan: what the funds pay, and what is left to the person.

Each line is cut into what is never insured, what lies over a price limit, what the person pays ahead, and the rest:
that is in scope. Of everything in scope the deductible goes off; of what is left, the base, the pooled fund pays a
share until it has paid its annual cap; supplementary layers pay shares of the rest. The person pays what is left.

Integers only, each step rounded half up to the fen; what the person pays is the residual, so that sums always close.
"""

import enum
from collections.abc import Mapping
from datetime import date
from typing import Final

import msgspec

from engine.core.money import AMOUNT_FEN_MAX
from engine.core.refusals import Refusal

LINES_MAX: Final = 500
VISIT_NO_CHARS_MAX: Final = 30  # of mdtrt_id
QUANTITY_E4_MAX: Final = 10_000_000_000  # a million of anything
PRICE_E6_MAX: Final = 100_000_000_000_000  # of a whole bill at its largest
RATE_SCALE: Final = 10_000
"""Rates and shares are written in parts of ten thousand, as `selfpay_prop` has four decimals."""

HOSPITAL_LEVELS: Final = (0, 1, 2, 3)
"""The grades of institutions; 0 is one without a grade, such as a pharmacy. A level is its own place in rates."""

_HALF_RATE: Final = RATE_SCALE // 2
_LINE_UNIT: Final = 10**8  # ten-thousandths of a unit times millionths of a yuan, in a fen
_HALF_LINE_UNIT: Final = _LINE_UNIT // 2


class ItemClass(enum.IntEnum):
    """How the insurance looks at an item of its catalogue. Stored."""

    A = 1  # covered
    B = 2  # covered after a share that the person pays ahead
    C = 3  # the person's own affair


class BillPart(enum.Enum):
    """The parts of a bill that a person may have to pay. The value is the part's name in a plan."""

    OWN_PAY = "own_pay"
    OVER_LIMIT = "over_limit"
    PRE_SELF = "pre_self"
    DEDUCTIBLE = "deductible"
    SHARE = "share"  # what no fund pays of the base


class LayerBase(enum.Enum):
    """What a supplementary layer pays a share of. The value is its name in a plan."""

    LEFT = "left"  # all of the base that the pool and the layers before have not paid
    OVER_CAP = "over_cap"  # what the pool would have paid but for its annual cap, less what layers before paid of it


class CatalogueItem(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """How a plan covers one item. Units: millionths of a yuan, parts of ten thousand."""

    item_class: ItemClass
    price_limit_e6: int | None = None  # of one unit; what it costs more is the person's
    self_pay_e4: int = 0  # the share that the person pays ahead
    name: str = ""


class Layer(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A supplementary fund that pays after the pool, without an annual cap."""

    fund_pay_type: int
    rate_e4: int
    base: LayerBase


class Plan(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The rules of one insurance in one region for some time. Units: fen a year, parts of ten thousand."""

    id: str
    region: int  # GB/T 2260; for everything below it that has no plan of its own
    insurance: int  # insutype: 310 employees, 390 residents
    name: str
    valid_from: date
    valid_to: date | None  # the first day on which it no longer holds; None: until another is decided
    year_starts_in: int = 1  # the month in which accumulators start anew
    fund_pay_type: int  # of the pool
    deductible: int
    annual_cap: int  # of what the pool pays
    rates_e4: Mapping[int, tuple[int, ...]]  # by person type, one for each of HOSPITAL_LEVELS
    layers: tuple[Layer, ...] = ()  # in the order in which they pay
    account_pays: frozenset[BillPart] = frozenset()  # what a personal or a family account may pay
    items: Mapping[str, CatalogueItem]

    def holds_on(self, day: date) -> bool:
        """True if the plan's rules are those of *day*."""
        return self.valid_from <= day and (self.valid_to is None or day < self.valid_to)

    def benefit_year(self, day: date) -> int:
        """The year whose accumulators count on *day*, named by the calendar year in which it began."""
        return day.year if day.month >= self.year_starts_in else day.year - 1


class BillLine(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One line of a medical bill. Units: ten-thousandths, millionths of a yuan, fen."""

    item: str  # med_list_codg, as in the plan's catalogue
    quantity_e4: int
    price_e6: int
    amount: int


class MedicalBill(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What an institution did for one person at one time."""

    lines: tuple[BillLine, ...]
    visit_no: str | None = None  # mdtrt_id: bills of one visit are cancelled newest first


class BillFault(msgspec.Struct, frozen=True):
    """What is wrong with a bill: where, as a JSON pointer, and why."""

    pointer: str
    reason: str
    refusal: Refusal = Refusal.BILL_INVALID


class Split(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """A bill as the insurance sees it. Units: fen. Stored, so fields are only ever added at the end.

    `total` is `own_pay`, `over_limit`, `pre_self` and `in_scope` together; `in_scope` is `deductible` and `base`;
    `total` is also all `fund_shares` and `person_part`. Names in the national interface: fulamt_ownpay_amt,
    overlmt_selfpay, preselfpay_amt, inscp_scp_amt, act_pay_dedc, setldetail, hifp_pay, psn_part_amt.
    """

    total: int
    own_pay: int
    over_limit: int
    pre_self: int
    in_scope: int
    deductible: int  # of this bill; it counts as used
    base: int
    fund_shares: tuple[tuple[int, int], ...]  # fund pay type and fen, those that pay anything, in the plan's order
    pool: int  # what counts against the annual cap
    person_part: int
    account_eligible: int  # the most that personal and family accounts may pay of it, all together


class _Scope(msgspec.Struct, frozen=True, gc=False):
    """What the lines of a bill add up to. Units: fen."""

    total: int
    own_pay: int
    over_limit: int
    pre_self: int


def split(
    plan: Plan, bill: MedicalBill, *, hospital_level: int, person_type: int, deductible_used: int, fund_paid: int
) -> Split | BillFault:
    """Say who pays what of a bill, or the first thing that is wrong with it.

    Units: fen; *deductible_used* and *fund_paid* are the person's own in the benefit year, before this bill.
    Source: fields of messages 2204, 2206 and 2207 of the national medical insurance platform.
    """
    assert deductible_used >= 0, "what was given back was used before"
    assert fund_paid >= 0, "what was given back was paid before"
    assert hospital_level in HOSPITAL_LEVELS, "an institution has a level that plans know"
    rates = plan.rates_e4.get(person_type)
    if rates is None:
        return BillFault("", f"the plan does not cover person type {person_type}", Refusal.PLAN_MISSING)
    scope = _scope(plan.items, bill.lines)
    if isinstance(scope, BillFault):
        return scope
    in_scope = scope.total - scope.own_pay - scope.over_limit - scope.pre_self
    deductible = min(in_scope, max(0, plan.deductible - deductible_used))
    base = in_scope - deductible
    uncapped = share_of(base, rates[hospital_level])
    pool = min(uncapped, max(0, plan.annual_cap - fund_paid))
    shares = [(plan.fund_pay_type, pool)] if pool else []
    left = base - pool
    if plan.layers and left:
        for layer, share in _layer_shares(plan.layers, left=left, over_cap=uncapped - pool):
            shares.append((layer.fund_pay_type, share))
            left -= share

    assert 0 <= left <= base, "the funds pay no more than there is in scope"
    return Split(
        total=scope.total,
        own_pay=scope.own_pay,
        over_limit=scope.over_limit,
        pre_self=scope.pre_self,
        in_scope=in_scope,
        deductible=deductible,
        base=base,
        fund_shares=tuple(shares),
        pool=pool,
        person_part=scope.total - base + left,
        account_eligible=_account_eligible(plan.account_pays, scope, deductible=deductible, left=left),
    )


def line_amount(quantity_e4: int, price_e6: int) -> int:
    """What a line costs, rounded half up to the fen."""
    return (quantity_e4 * price_e6 + _HALF_LINE_UNIT) // _LINE_UNIT


def share_of(amount: int, rate_e4: int) -> int:
    """A share of an amount, rounded half up to the fen."""
    return (amount * rate_e4 + _HALF_RATE) // RATE_SCALE


def _scope(items: Mapping[str, CatalogueItem], lines: tuple[BillLine, ...]) -> _Scope | BillFault:
    """What is in scope of all lines. The arithmetic is written out: a bill has hundreds of lines, a second thousands of
    bills.
    """
    if not 0 < len(lines) <= LINES_MAX:
        return BillFault("/bill/lines", f"1 to {LINES_MAX} lines")
    total = own_pay = over_limit = pre_self = 0
    for n, line in enumerate(lines):
        quantity, price, amount = line.quantity_e4, line.price_e6, line.amount
        item = items.get(line.item)
        if (
            item is None
            or not 0 < quantity <= QUANTITY_E4_MAX
            or not 0 <= price <= PRICE_E6_MAX
            or amount != (quantity * price + _HALF_LINE_UNIT) // _LINE_UNIT
        ):
            return _line_fault(f"/bill/lines/{n}", line, item)
        total += amount
        if item.item_class is ItemClass.C:
            own_pay += amount
            continue
        limit = item.price_limit_e6
        if limit is not None and price > limit:
            over = ((price - limit) * quantity + _HALF_LINE_UNIT) // _LINE_UNIT
            over_limit += over
            amount -= over
        if item.self_pay_e4:
            pre_self += (amount * item.self_pay_e4 + _HALF_RATE) // RATE_SCALE
    if not 0 < total <= AMOUNT_FEN_MAX:
        return BillFault("/bill/lines", f"add up to 1 to {AMOUNT_FEN_MAX} fen")
    return _Scope(total, own_pay, over_limit, pre_self)


def _line_fault(pointer: str, line: BillLine, item: CatalogueItem | None) -> BillFault:
    """The first thing that is wrong with a line that is not right."""
    if item is None:
        return BillFault(f"{pointer}/item", "not in the catalogue of the plan")
    if not 0 < line.quantity_e4 <= QUANTITY_E4_MAX:
        return BillFault(f"{pointer}/quantity", f"more than 0, at most {QUANTITY_E4_MAX // 10_000}")
    if not 0 <= line.price_e6 <= PRICE_E6_MAX:
        return BillFault(f"{pointer}/price", f"0 to {PRICE_E6_MAX // 1_000_000} yuan")
    return BillFault(
        f"{pointer}/amount",
        f"quantity times price is {line_amount(line.quantity_e4, line.price_e6)} fen",
        Refusal.AMOUNT_NOT_BALANCED,
    )


def _layer_shares(layers: tuple[Layer, ...], *, left: int, over_cap: int) -> list[tuple[Layer, int]]:
    """What the layers pay, one after another, of what the pool has left."""
    shares = []
    for layer in layers:
        is_over_cap = layer.base is LayerBase.OVER_CAP
        share = share_of(min(over_cap, left) if is_over_cap else left, layer.rate_e4)
        if share:
            shares.append((layer, share))
            left -= share
            if is_over_cap:
                over_cap -= share
    return shares


def _account_eligible(account_pays: frozenset[BillPart], scope: _Scope, *, deductible: int, left: int) -> int:
    amounts = {
        BillPart.OWN_PAY: scope.own_pay,
        BillPart.OVER_LIMIT: scope.over_limit,
        BillPart.PRE_SELF: scope.pre_self,
        BillPart.DEDUCTIBLE: deductible,
        BillPart.SHARE: left,
    }
    return sum([amounts[part] for part in account_pays])
