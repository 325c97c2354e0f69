"""Forms of applications: the files can be relied on, and what is wrong with a form is told, not shown."""

import json
import re
from collections.abc import Iterator

import jsonschema  # type: ignore[import-untyped]  # it has no types of its own
import pytest

from engine.core.applications import ApplicationKind
from engine.flows.applications.forms import FAULTS_MAX, FORMS, FilledForm, load_forms, materials_of, read_form

Json = dict[str, object]
ITEMS = sorted(path.stem for path in FORMS.glob("*.json"))
SAID = {
    *("type", "required", "additionalProperties", "properties", "items", "enum", "const", "pattern", "format"),
    *("minLength", "maxLength", "minItems", "maxItems", "minimum", "maximum"),
}
TOLD = {"$schema", "$id", "$ref", "$defs", "title", "description", "x-kind", "x-name-zh"}
DIGEST = "5f" * 32
RIGHT: FilledForm = {
    "employer": "某工厂",
    "injured_on": "2026-10-08",
    "place": "车间",
    "account": "机器故障,右手受伤。\n当日送医。",
    "witnesses": [{"name": "李某", "phone": "13800000001"}],
    "phone": "13800000000",
    "materials": {"medical_record": [DIGEST], "employment_proof": [DIGEST]},
}


def schemas_in(schema: object) -> Iterator[Json]:
    """A schema and all that it is made of."""
    if not isinstance(schema, dict):
        return
    yield schema
    for name in ("properties", "$defs"):
        for part in schema.get(name, {}).values():
            yield from schemas_in(part)
    yield from schemas_in(schema.get("items"))


@pytest.mark.parametrize("item", ITEMS)
def test_every_form_is_bounded_and_closed(item: str) -> None:
    schema = json.loads((FORMS / f"{item}.json").read_bytes())
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$id"] == f"urn:engine:form:{item}"
    for part in schemas_in(schema):
        assert set(part) <= SAID | TOLD
        if part.get("type") == "object":
            assert part["additionalProperties"] is False
            assert set(part["required"]) <= set(part["properties"])  # type: ignore[call-overload]  # both are lists
        if part.get("type") == "array":
            assert "maxItems" in part
        if part.get("type") == "string":
            assert {"maxLength", "pattern", "enum", "format"} & set(part)
            assert re.fullmatch(r"\^.*\$", str(part.get("pattern", "^$")))
            assert part.get("format", "date") == "date"
        if part.get("type") == "integer":
            assert {"minimum", "maximum"} <= set(part)


def test_every_family_has_its_items() -> None:
    kinds = [form.kind for form in load_forms().values()]
    assert all(kinds.count(kind) >= 2 for kind in ApplicationKind)
    assert set(load_forms()) == set(ITEMS)


def test_right_form_is_right() -> None:
    form = load_forms()["work_injury"]
    assert form.wrong_fields(RIGHT) == ()
    assert [where for where, _ in materials_of(RIGHT)] == [
        "form/materials/medical_record/0",
        "form/materials/employment_proof/0",
    ]
    assert {digest.hex() for _, digest in materials_of(RIGHT)} == {DIGEST}


@pytest.mark.parametrize(
    ("changes", "where", "why"),
    [
        ({"employer": ""}, "form/employer", "at least 1"),
        ({"employer": "x" * 101}, "form/employer", "at most 100"),
        ({"employer": 5}, "form/employer", "a text"),
        ({"employer": None}, "form/employer", "a text"),
        ({"employer": "a\tb"}, "form/employer", "no control characters"),
        ({"employer": "a\x00b"}, "form/employer", "no control characters"),
        ({"injured_on": "2026-02-30"}, "form/injured_on", "a date, written YYYY-MM-DD"),
        ({"injured_on": "20261008"}, "form/injured_on", "a date, written YYYY-MM-DD"),
        ({"injured_on": "2026-10-08\n"}, "form/injured_on", "a date, written YYYY-MM-DD"),
        ({"phone": "13800000000\n"}, "form/phone", "of the form ^1[0-9]{10}$"),
        ({"phone": "１３８00000000"}, "form/phone", "of the form ^1[0-9]{10}$"),
        ({"witnesses": [{"name": "李某"}]}, "form/witnesses/0/phone", "required"),
        ({"witnesses": [{}] * 11}, "form/witnesses", "at most 10"),
        ({"witnesses": {"name": "李某"}}, "form/witnesses", "a list"),
        ({"a/b~c": 1}, "form/a~1b~0c", "not known"),
        ({"materials": {"medical_record": [DIGEST]}}, "form/materials/employment_proof", "required"),
        (
            {"materials": {"medical_record": ["AB" * 32], "employment_proof": [DIGEST]}},
            "form/materials/medical_record/0",
            "of the form ^[0-9a-f]{64}$",
        ),
        ({"materials": {"medical_record": [], "employment_proof": [DIGEST]}}, "form/materials/medical_record", None),
    ],
)
def test_wrong_field_is_named_and_its_value_is_not(changes: FilledForm, where: str, why: str | None) -> None:
    wrong = load_forms()["work_injury"].wrong_fields(RIGHT | changes)
    told = {fault.field: fault.reason for fault in wrong}
    assert where in told
    assert why is None or told[where] == why
    for value in changes.values():
        assert not any(isinstance(value, str) and len(value) > 2 and value in fault.reason for fault in wrong)


def test_missing_material_is_named_even_if_there_is_none_at_all() -> None:
    without = {name: value for name, value in RIGHT.items() if name != "materials"}
    assert [fault.field for fault in load_forms()["work_injury"].wrong_fields(without)] == [
        "form/materials/medical_record",
        "form/materials/employment_proof",
    ]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"paid_months": True}, "a whole number"),
        ({"paid_months": 0}, "at least 1"),
        ({"paid_months": 10**30}, "at most 720"),
        ({"seeks_work": False}, "true and nothing else"),
        ({"seeks_work": 1}, "true and nothing else"),
    ],
)
def test_truth_is_no_number_and_a_number_no_truth(changes: FilledForm, why: str) -> None:
    right: FilledForm = {
        "unemployed_since": "2026-11-01",
        "paid_months": 87,
        "seeks_work": True,
        "phone": "13800000000",
        "materials": {"proof_of_end": [DIGEST]},
    }
    assert load_forms()["unemployment_benefit"].wrong_fields(right) == ()
    (fault,) = load_forms()["unemployment_benefit"].wrong_fields(right | changes)
    assert fault.reason == why


def test_faults_are_bounded() -> None:
    nothing_known: FilledForm = {f"x{n}": n for n in range(10_000)}
    assert len(load_forms()["work_injury"].wrong_fields(nothing_known)) == FAULTS_MAX


def test_file_that_is_no_schema_is_not_loaded() -> None:
    content = {**json.loads((FORMS / "work_injury.json").read_bytes()), "type": "objekt"}
    with pytest.raises(jsonschema.SchemaError):
        read_form("work_injury", json.dumps(content).encode())
