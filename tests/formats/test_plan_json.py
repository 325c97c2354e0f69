"""Plans as JSON: the examples, both directions, and every fault with its place."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # it has no types of its own
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.benefits import BillPart, CatalogueItem, ItemClass, Layer, LayerBase, Plan
from engine.core.decimals import scaled, unscaled
from engine.formats.json_fields import JsonFault
from engine.formats.plan_json import BYTES_MAX, LAYERS_MAX, read, write
from tests.core.medical import a_plan, a_random_case

SCHEMAS = Path(__file__).parents[2] / "schemas" / "plans"
EXAMPLES = sorted(path for path in SCHEMAS.glob("*.json") if path.name != "plan.schema.json")
EXAMPLE = (SCHEMAS / "employees.json").read_bytes()
VALIDATOR = jsonschema.Draft202012Validator(json.loads((SCHEMAS / "plan.schema.json").read_bytes()))

Document = dict[str, Any]


def faults(content: bytes) -> list[str]:
    """Where something is wrong."""
    found = read(content)
    assert isinstance(found, tuple)
    assert all(fault.reason for fault in found)
    return [fault.pointer for fault in found]


def changed(change: Callable[[Document], object]) -> bytes:
    """The example with a change."""
    document = json.loads(EXAMPLE)
    change(document)
    return json.dumps(document).encode()


def setting(path: str, value: object) -> Callable[[Document], None]:
    """A change of one place."""
    *steps, last = path.strip("/").split("/")

    def change(document: Any) -> None:
        for step in steps:
            document = document[int(step) if isinstance(document, list) else step]
        document[int(last) if isinstance(document, list) else last] = value

    return change


def removing(path: str) -> Callable[[Document], None]:
    """A change that takes one place out."""
    *steps, last = path.strip("/").split("/")

    def change(document: Any) -> None:
        for step in steps:
            document = document[int(step) if isinstance(document, list) else step]
        del document[last]

    return change


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_are_right(path: Path) -> None:
    assert isinstance(read(path.read_bytes()), Plan)
    VALIDATOR.validate(json.loads(path.read_bytes()))


def test_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(VALIDATOR.schema)


def test_example_means_what_it_says() -> None:
    plan = read(EXAMPLE)
    assert isinstance(plan, Plan)
    assert (plan.region, plan.insurance, plan.fund_pay_type) == (110000, 310, 310100)
    assert (plan.deductible, plan.annual_cap, plan.year_starts_in) == (180_000, 2_000_000, 1)
    assert plan.rates_e4 == {11: (7_500, 7_500, 6_500, 5_500), 12: (8_000, 8_000, 7_000, 6_000)}
    assert plan.layers == (Layer(330100, 6_000, LayerBase.OVER_CAP), Layer(370100, 1_000, LayerBase.LEFT))
    assert plan.account_pays == {BillPart.PRE_SELF, BillPart.DEDUCTIBLE, BillPart.SHARE}
    assert plan.items["XA02BC02"] == CatalogueItem(ItemClass.B, 32_000_000, 1_000, "泮托拉唑钠肠溶片")
    assert plan.items["Y4101"].item_class is ItemClass.C


# Where something is wrong, and whether the schema can see it as well.
WRONG: list[tuple[str, object, bool]] = [
    ("/id", "Example", True),
    ("/id", "", True),
    ("/region", "110001", False),  # a district without a city
    ("/region", "000000", True),
    ("/region", 110000, True),
    ("/region", "11000", True),
    ("/insurance", "31", True),
    ("/insurance", 310, True),
    ("/name", "", True),
    ("/name", " x", False),
    ("/name", "a\nb", False),
    ("/valid_from", "2026-02-30", False),
    ("/valid_from", "20260101", True),
    ("/valid_from", None, True),
    ("/valid_to", "2026-01-01", False),  # on which it begins
    ("/valid_to", "2025-12-31", False),
    ("/valid_to", "", True),
    ("/year_starts_in", 0, True),
    ("/year_starts_in", 13, True),
    ("/year_starts_in", True, True),
    ("/fund_pay_type", "31010", True),
    ("/fund_pay_type", 310100, True),
    ("/deductible", -1, True),
    ("/deductible", 1.5, True),
    ("/deductible", "180000", True),
    ("/annual_cap", -1, True),
    ("/annual_cap", 10**10 + 1, True),
    ("/annual_cap", True, True),
    ("/rates/11/3", "1.0001", True),
    ("/rates/11/3", "1.01", True),
    ("/rates/11/3", "-0.5", True),
    ("/rates/11/3", "0.55555", True),
    ("/rates/11/3", ".5", True),
    ("/rates/11/3", "55%", True),
    ("/rates/11/3", 0.55, True),
    ("/rates/11/4", "0.5", True),
    ("/rates/x", {"0": "0.5", "1": "0.5", "2": "0.5", "3": "0.5"}, True),
    ("/rates/11", [], True),
    ("/rates", {}, True),
    ("/rates", [], True),
    ("/layers", {}, True),
    ("/layers/0/rate", "2", True),
    ("/layers/0/base", "all", True),
    ("/layers/0/fund_pay_type", "310100", False),  # the pool's
    ("/layers/1/fund_pay_type", "330100", False),
    ("/layers/0/cap", 100, True),
    ("/layers/0", "330100", True),
    ("/layers", [{"fund_pay_type": f"33010{n}", "rate": "0", "base": "left"} for n in range(LAYERS_MAX + 1)], True),
    ("/account_pays", ["pre_self", "pre_self"], True),
    ("/account_pays", ["everything"], True),
    ("/account_pays", "share", True),
    ("/items", [], True),
    ("/items", {}, True),
    ("/items/0/item", "a b", True),
    ("/items/1/item", "XA02BC01", False),
    ("/items/0/class", "D", True),
    ("/items/0/class", 1, True),
    ("/items/0/price_limit", "0", False),
    ("/items/0/price_limit", "-1", True),
    ("/items/0/price_limit", 60, True),
    ("/items/0/price_limit", "1.0000001", True),
    ("/items/0/price_limit", "100000000.01", False),
    ("/items/10/price_limit", "1.00", True),  # of class C
    ("/items/10/self_pay", "1", True),
    ("/items/0/self_pay", "1.1", True),
    ("/items/0/name", "", True),
    ("/items/0/price", "1", True),
    ("/rate", "0.5", True),
]


@pytest.mark.parametrize(("pointer", "value", "is_seen_by_schema"), WRONG)
def test_wrong_value_is_named(pointer: str, value: object, is_seen_by_schema: bool) -> None:
    content = changed(setting(pointer, value))
    found = faults(content)
    assert found[0].startswith(pointer)
    assert len(found) == 1
    assert VALIDATOR.is_valid(json.loads(content)) is not is_seen_by_schema


@pytest.mark.parametrize(
    "pointer",
    [
        "/id",
        "/region",
        "/insurance",
        "/name",
        "/valid_from",
        "/valid_to",
        "/fund_pay_type",
        "/deductible",
        "/annual_cap",
        "/rates",
        "/account_pays",
        "/items",
        "/rates/12/0",
        "/rates/11/3",
        "/layers/1/rate",
        "/layers/0/fund_pay_type",
        "/layers/0/base",
        "/items/2/item",
        "/items/2/class",
    ],
)
def test_what_is_missing_is_named(pointer: str) -> None:
    content = changed(removing(pointer))
    assert faults(content) == [pointer]
    assert not VALIDATOR.is_valid(json.loads(content))


def test_what_may_be_left_out_has_a_plain_meaning() -> None:
    document = json.loads(EXAMPLE)
    for name in ("year_starts_in", "layers"):
        del document[name]
    VALIDATOR.validate(document)
    plan = read(json.dumps(document).encode())
    assert isinstance(plan, Plan)
    assert (plan.year_starts_in, plan.layers) == (1, ())


def test_everything_that_is_wrong_is_told_at_once() -> None:
    def change(document: Document) -> None:
        document["deductible"] = -1
        document["rates"]["11"]["3"] = "1.5"
        del document["rates"]["12"]["1"]
        document["items"][3]["item"] = document["items"][2]["item"]
        document["valid_to"] = "2025-01-01"
        document["colour"] = "red"

    found = faults(changed(change))
    assert sorted(found) == ["/colour", "/deductible", "/items/3/item", "/rates/11/3", "/rates/12/1", "/valid_to"]


def test_item_that_comes_twice_tells_where_it_came_first() -> None:
    assert read(changed(setting("/items/5/item", "XA02BC01"))) == (JsonFault("/items/5/item", "as in /items/0"),)


@pytest.mark.parametrize(
    ("old", "new", "pointer"),
    [
        (b'"deductible": 180000', b'"deductible": 180000, "deductible": 0', "/deductible"),
        (b'"3": "0.55"', b'"3": "0.55", "3": "0.9"', "/rates/11/3"),
        (b'"class": "A"}', b'"class": "A", "class": "C"}', "/items/0/class"),
    ],
)
def test_field_that_comes_twice_is_named(old: bytes, new: bytes, pointer: str) -> None:
    assert old in EXAMPLE
    assert faults(EXAMPLE.replace(old, new, 1)) == [pointer]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b'"plan"',
        EXAMPLE[:-3],
        EXAMPLE + b"{}",
        EXAMPLE.decode().encode("utf-16"),
        EXAMPLE.replace(b"180000", b"NaN"),
        EXAMPLE.replace(b"180000", b"9" * 5_000),
        b"[" * 100_000,
        b" " * (BYTES_MAX + 1),
    ],
)
def test_what_is_no_plan_at_all_is_one_fault(content: bytes) -> None:
    assert faults(content) == [""]


def test_names_in_pointers_are_escaped_and_cut() -> None:
    found = faults(changed(lambda document: document.update({"a/b~c": 1, "x" * 1_000: 1})))
    assert found == ["/a~1b~0c", f"/{'x' * 64}"]


@given(st.randoms(use_true_random=False))
def test_plan_is_read_as_it_was_written(chance: random.Random) -> None:
    plan = a_random_case(chance).plan
    plan = msgspec.structs.replace(
        plan,
        items={
            code: msgspec.structs.replace(item, price_limit_e6=None, self_pay_e4=0)
            if item.item_class is ItemClass.C
            else item
            for code, item in plan.items.items()
        },
        valid_to=chance.choice([None, plan.valid_to]),
    )
    content = write(plan)
    assert read(content) == plan
    assert write(msgspec.structs.replace(plan, items=dict(reversed(list(plan.items.items()))))) == content
    VALIDATOR.validate(json.loads(content))


@given(st.binary(max_size=200) | st.integers(0, len(EXAMPLE) - 1).map(lambda at: EXAMPLE[:at] + EXAMPLE[at + 1 :]))
def test_damage_never_crashes(content: bytes) -> None:
    found = read(content)
    assert isinstance(found, Plan) or found


def test_plan_of_the_tests_can_be_written() -> None:
    assert read(write(a_plan(items={"I": CatalogueItem(ItemClass.A)}))) == a_plan(
        items={"I": CatalogueItem(ItemClass.A)}
    )


@pytest.mark.parametrize(
    ("text", "places", "number"),
    [
        ("66.67", 6, 66_670_000),
        ("0", 4, 0),
        ("0.5", 4, 5_000),
        ("1.00", 4, 10_000),
        ("1.00000", 4, None),
        ("01", 4, None),
        ("1.", 4, None),
        (".1", 4, None),
        ("-1", 4, None),
        ("+1", 4, None),
        ("1e3", 4, None),
        (" 1", 4, None),
        ("１", 4, None),
        ("", 4, None),
        ("1" * 16, 4, None),
    ],
)
def test_decimals_are_written_in_one_way(text: str, places: int, number: int | None) -> None:
    assert scaled(text, places) == number


@given(st.integers(0, 10**14), st.integers(0, 6), st.integers(0, 2))
def test_decimals_are_read_as_they_were_written(number: int, places: int, least: int) -> None:
    assert scaled(unscaled(number, places, least=min(least, places)), places) == number
