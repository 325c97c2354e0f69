"""Reads and writes plans of insurances as JSON, one plan a file; `schemas/plans/plan.schema.json` describes it.

Amounts are whole fen. Rates and shares are decimals in quotes, ``"0.55"``, with at most four places; price limits are
yuan in quotes, with at most six. A day is ``"2026-01-01"``, and `valid_to` the first day on which the plan no longer
holds.
"""

import json
import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Final, TypeVar

from engine.core.benefits import (
    HOSPITAL_LEVELS,
    PRICE_E6_MAX,
    RATE_SCALE,
    BillPart,
    CatalogueItem,
    ItemClass,
    Layer,
    LayerBase,
    Plan,
)
from engine.core.decimals import scaled, unscaled
from engine.core.money import AMOUNT_FEN_MAX
from engine.core.participants import NATIONAL, is_region
from engine.formats.json_fields import JsonFault, JsonFields, Misfit, parse_json, read_list

BYTES_MAX: Final = 32 * 1024 * 1024
ITEMS_MAX: Final = 100_000
LAYERS_MAX: Final = 8
NAME_CHARS_MAX: Final = 100
RATE_PLACES: Final = 4
PRICE_PLACES: Final = 6

_T = TypeVar("_T")


def read(content: bytes) -> Plan | tuple[JsonFault, ...]:
    """The plan that a file holds, or everything that is wrong with it."""
    if len(content) > BYTES_MAX:
        return (JsonFault("", f"at most {BYTES_MAX} bytes"),)
    try:
        document = parse_json(content)
    except Misfit as misfit:
        return (JsonFault("", str(misfit)),)
    faults: list[JsonFault] = []
    plan = _read_plan(JsonFields(document, faults))
    return plan if not faults else tuple(faults)


def write(plan: Plan) -> bytes:
    """The plan as JSON. Equal plans are written alike, to the byte."""
    document = {
        "id": plan.id,
        "region": f"{plan.region:06d}",
        "insurance": str(plan.insurance),
        "name": plan.name,
        "valid_from": plan.valid_from.isoformat(),
        "valid_to": plan.valid_to.isoformat() if plan.valid_to is not None else None,
        "year_starts_in": plan.year_starts_in,
        "fund_pay_type": str(plan.fund_pay_type),
        "deductible": plan.deductible,
        "annual_cap": plan.annual_cap,
        "rates": {
            str(person_type): {str(level): unscaled(rate, RATE_PLACES) for level, rate in enumerate(rates)}
            for person_type, rates in sorted(plan.rates_e4.items())
        },
        "layers": [
            {
                "fund_pay_type": str(layer.fund_pay_type),
                "rate": unscaled(layer.rate_e4, RATE_PLACES),
                "base": layer.base.value,
            }
            for layer in plan.layers
        ],
        "account_pays": [part.value for part in BillPart if part in plan.account_pays],
        "items": [_item_document(code, item) for code, item in sorted(plan.items.items())],
    }
    return json.dumps(document, ensure_ascii=False, indent=1).encode() + b"\n"


def _item_document(code: str, item: CatalogueItem) -> dict[str, str]:
    document = {"item": code, "class": item.item_class.name}
    if item.name:
        document["name"] = item.name
    if item.price_limit_e6 is not None:
        document["price_limit"] = unscaled(item.price_limit_e6, PRICE_PLACES, least=2)
    if item.self_pay_e4:
        document["self_pay"] = unscaled(item.self_pay_e4, RATE_PLACES)
    return document


def _read_plan(fields: JsonFields) -> Plan:
    """The plan, with something in place of what is wrong."""
    fields.allow(_FIELDS)
    valid_from = fields.take("valid_from", _day, date.min)
    valid_to = fields.take("valid_to", _day_or_none, None)
    if valid_to is not None and valid_to <= valid_from:
        fields.fault("valid_to", "a day after valid_from")
    fund_pay_type = fields.take("fund_pay_type", _fund_pay_type, 0)
    return Plan(
        id=fields.take("id", _matching(r"[0-9a-z-]{1,64}", "1 to 64 of a-z, 0-9 and the hyphen"), ""),
        region=fields.take("region", _region, NATIONAL),
        insurance=fields.take("insurance", _insurance, 0),
        name=fields.take("name", _name, ""),
        valid_from=valid_from,
        valid_to=valid_to,
        year_starts_in=fields.take_given("year_starts_in", _whole(1, 12), 1),
        fund_pay_type=fund_pay_type,
        deductible=fields.take("deductible", _whole(0, AMOUNT_FEN_MAX), 0),
        annual_cap=fields.take("annual_cap", _whole(0, AMOUNT_FEN_MAX), 0),
        rates_e4=_read_rates(fields),
        layers=_read_layers(fields, pool=fund_pay_type),
        account_pays=fields.take("account_pays", _parts, frozenset()),
        items=_read_items(fields),
    )


_FIELDS: Final = frozenset(Plan.__struct_fields__) - {"rates_e4"} | {"rates"}


def _read_rates(fields: JsonFields) -> Mapping[int, tuple[int, ...]]:
    rates: dict[int, tuple[int, ...]] = {}
    by_person = fields.take_object("rates")
    if by_person is None:
        return rates
    if not by_person.names:
        fields.fault("rates", "rates of one person type at least")
    for name in by_person.names:
        if not _PERSON_TYPE.fullmatch(name):
            by_person.fault(name, "a person type has two to four digits")
        elif (by_level := by_person.take_object(name)) is not None:
            by_level.allow([str(level) for level in HOSPITAL_LEVELS])
            rates[int(name)] = tuple(by_level.take(str(level), _rate, 0) for level in HOSPITAL_LEVELS)
    return rates


def _read_layers(fields: JsonFields, *, pool: int) -> tuple[Layer, ...]:
    layers: list[Layer] = []
    for layer in fields.take_objects("layers", most=LAYERS_MAX):
        layer.allow(("fund_pay_type", "rate", "base"))
        pay_type = layer.take("fund_pay_type", _fund_pay_type, 0)
        if pay_type and pay_type in (pool, *(earlier.fund_pay_type for earlier in layers)):
            layer.fault("fund_pay_type", "this fund pays before already")
        base = layer.take("base", _one_of(_BASES), LayerBase.LEFT)
        layers.append(Layer(pay_type, layer.take("rate", _rate, 0), base))
    return tuple(layers)


def _read_items(fields: JsonFields) -> Mapping[str, CatalogueItem]:
    items: dict[str, CatalogueItem] = {}
    places: dict[str, str] = {}
    for item in fields.take_objects("items", least=1, most=ITEMS_MAX):
        item.allow(("item", "name", "class", "price_limit", "self_pay"))
        code = item.take("item", _item_code, "")
        if code in places:
            item.fault("item", f"as in {places[code]}")
        elif code:
            places[code] = item.pointer
        item_class = item.take("class", _one_of(_CLASSES), ItemClass.A)
        if item_class is ItemClass.C:
            for name in ("price_limit", "self_pay"):
                if name in item.names:
                    item.fault(name, "not for class C, which is all the person's")
        items[code] = CatalogueItem(
            item_class,
            item.take_given("price_limit", _price, None),
            item.take_given("self_pay", _rate, 0),
            item.take_given("name", _name, ""),
        )
    return items


_PERSON_TYPE: Final = re.compile(r"[1-9][0-9]{1,3}", re.ASCII)
_BASES: Final = {base.value: base for base in LayerBase}
_CLASSES: Final = {item_class.name: item_class for item_class in ItemClass}
_PARTS: Final = {part.value: part for part in BillPart}


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    raise Misfit("a text")


def _matching(pattern: str, text: str) -> Callable[[object], str]:
    compiled = re.compile(pattern, re.ASCII)

    def reads(value: object) -> str:
        if isinstance(value, str) and compiled.fullmatch(value):
            return value
        raise Misfit(text)

    return reads


def _one_of(values: Mapping[str, _T]) -> Callable[[object], _T]:
    def reads(value: object) -> _T:
        if isinstance(value, str) and value in values:
            return values[value]
        raise Misfit(f"one of {', '.join(values)}")

    return reads


def _whole(least: int, most: int) -> Callable[[object], int]:
    def reads(value: object) -> int:
        if type(value) is int and least <= value <= most:
            return value
        raise Misfit(f"a whole number from {least} to {most}")

    return reads


_item_code: Final = _matching(r"[0-9A-Za-z_.-]{1,50}", "1 to 50 letters, digits, _ . and -")
_day_text: Final = _matching(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", "a day such as 2026-01-01")
_six_digits: Final = _matching(r"[0-9]{6}", "six digits")
_three_digits: Final = _matching(r"[1-9][0-9]{2}", "the three digits of an insurance")
_fund_digits: Final = _matching(r"[1-9][0-9]{5}", "the six digits of a fund pay type")


def _insurance(value: object) -> int:
    return int(_three_digits(value))


def _fund_pay_type(value: object) -> int:
    return int(_fund_digits(value))


def _region(value: object) -> int:
    region = int(_six_digits(value))
    if region == NATIONAL or not is_region(region):
        raise Misfit("a province, a city or a district of GB/T 2260")
    return region


def _name(value: object) -> str:
    name = _text(value)
    if not (0 < len(name) <= NAME_CHARS_MAX and name.isprintable() and name == name.strip()):
        raise Misfit(f"1 to {NAME_CHARS_MAX} printable characters")
    return name


def _day(value: object) -> date:
    try:
        return date.fromisoformat(_day_text(value))
    except Misfit:
        raise
    except ValueError:
        raise Misfit("a day of the calendar") from None


def _day_or_none(value: object) -> date | None:
    return None if value is None else _day(value)


def _rate(value: object) -> int:
    rate = scaled(value, RATE_PLACES) if isinstance(value, str) else None
    if rate is None or rate > RATE_SCALE:
        raise Misfit(f'a share such as "0.55": 0 to 1, at most {RATE_PLACES} decimals')
    return rate


def _price(value: object) -> int:
    price = scaled(value, PRICE_PLACES) if isinstance(value, str) else None
    if price is None or not 0 < price <= PRICE_E6_MAX:
        raise Misfit(f'yuan such as "60.00": more than 0, at most {PRICE_PLACES} decimals')
    return price


def _parts(value: object) -> frozenset[BillPart]:
    parts = [_one_of(_PARTS)(part) for part in read_list(value)]
    if len(set(parts)) != len(parts):
        raise Misfit("each part once")
    return frozenset(parts)
