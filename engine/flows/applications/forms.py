"""Forms of applications: one file of `schemas/forms` an item, JSON Schema 2020-12. A new item is a new file.

Beside the schema a file says `x-kind`, the family, and `x-name-zh`, the item's name; `title` is the name in English.
Materials are fields like any other: lists of SHA-256 of files, under `materials`.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Final

import jsonschema  # type: ignore[import-untyped]  # it has no types of its own
import msgspec

from engine.core.applications import ApplicationKind
from engine.core.participants import WrongField

FORMS: Final = Path(__file__).parents[3] / "schemas" / "forms"
FAULTS_MAX: Final = 20
MATERIALS: Final = "materials"

Scalar = str | int | bool | None
FormPart = list[str | int | bool | dict[str, Scalar] | None] | dict[str, Scalar | list[Scalar]]
FormValue = str | int | bool | FormPart | None
FilledForm = dict[str, FormValue]
"""What is filled in: as deep as a form may be, and without fractions; amounts are whole fen."""

_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")  # lines may be broken
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TYPES: Final = {"object": "an object", "array": "a list", "string": "a text", "integer": "a whole number"}


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """What is filled in for an item. `content` is the file's bytes."""

    item: str
    kind: ApplicationKind
    name_zh: str
    name_en: str
    has_materials: bool
    content: bytes
    validator: object

    def wrong_fields(self, filled: FilledForm) -> tuple[WrongField, ...]:
        """What is wrong with a form as it is filled in; nothing if an office can work with it.

        Shape: pointers below `form`; reasons say what has to be, never what was there. At most `FAULTS_MAX`.
        """
        whole = {MATERIALS: {}, **filled} if self.has_materials else filled  # so that each one missing is named
        wrong = {fault.field: fault for fault in _faults(self.validator, whole)}
        return tuple(list(wrong.values())[:FAULTS_MAX])


@cache
def load_forms() -> Mapping[str, Form]:
    """Every form, by item. Read once, when it is first asked for."""
    return {path.stem: read_form(path.stem, path.read_bytes()) for path in sorted(FORMS.glob("*.json"))}


def read_form(item: str, content: bytes) -> Form:
    """The form that a file holds.

    Raises:
        jsonschema.SchemaError: it is no schema.
    """
    schema = msgspec.json.decode(content, type=dict[str, object])
    properties = schema["properties"]
    assert isinstance(properties, dict)
    _Validator.check_schema(schema)
    return Form(
        item=item,
        kind=ApplicationKind[str(schema["x-kind"]).upper()],
        name_zh=str(schema["x-name-zh"]),
        name_en=str(schema["title"]),
        has_materials=MATERIALS in properties,
        content=content,
        validator=_Validator(schema, format_checker=_FORMATS),
    )


def materials_of(filled: FilledForm) -> Iterator[tuple[str, bytes]]:
    """Where the form names a file, and the file's SHA-256. The form is one that fits its schema."""
    materials = filled.get(MATERIALS)
    if isinstance(materials, dict):
        for name, digests in materials.items():
            for n, digest in enumerate(digests if isinstance(digests, list) else ()):
                yield f"form/{MATERIALS}/{name}/{n}", bytes.fromhex(str(digest))


def _faults(validator: object, filled: FilledForm) -> Iterator[WrongField]:
    yield from _control_characters(filled, "form")
    for error in validator.iter_errors(filled):  # type: ignore[attr-defined]  # of a library without types
        where = "/".join(("form", *map(_step, error.absolute_path)))
        limit = error.validator_value
        match error.validator:
            case "required":
                for name in limit:
                    if name not in error.instance:
                        yield WrongField(f"{where}/{name}", "required")
            case "additionalProperties":
                for name in error.instance:
                    if name not in error.schema.get("properties", {}):
                        yield WrongField(f"{where}/{_step(name)}", "not known")
            case _:
                yield WrongField(where, _reason(str(error.validator), limit))


def _reason(keyword: str, limit: object) -> str:
    """What has to be, in words that hold nothing of what was sent."""
    match keyword:
        case "type":
            return _TYPES.get(str(limit), f"of type {limit}")
        case "enum":
            assert isinstance(limit, list)
            return f"one of {', '.join(map(str, limit))}"
        case "const":
            return f"{msgspec.json.encode(limit).decode()} and nothing else"
        case "pattern":
            return f"of the form {limit}"
        case "format":
            return "a date, written YYYY-MM-DD"
        case "minLength" | "minItems" | "minimum":
            return f"at least {limit}"
        case "maxLength" | "maxItems" | "maximum":
            return f"at most {limit}"
    raise AssertionError(f"{keyword} has no words; see _reason in {__name__}")


def _control_characters(value: object, where: str) -> Iterator[WrongField]:
    if isinstance(value, str) and _CONTROL.search(value):
        yield WrongField(where, "no control characters")
    elif isinstance(value, dict):
        for name, part in value.items():
            yield from _control_characters(part, f"{where}/{_step(name)}")
    elif isinstance(value, list):
        for n, part in enumerate(value):
            yield from _control_characters(part, f"{where}/{n}")


def _step(name: object) -> str:
    """A step of a JSON pointer (RFC 6901), cut so that no answer grows with what was sent."""
    return str(name)[:64].replace("~", "~0").replace("/", "~1")


def _fits_pattern(_: object, pattern: str, instance: object, __: object) -> Iterator[jsonschema.ValidationError]:
    """ECMA-262's `$`, which does not let a line break follow as Python's does."""
    if isinstance(instance, str) and not re.search(pattern.removesuffix("$") + r"\Z", instance):
        yield jsonschema.ValidationError("does not fit")


_FORMATS: Final = jsonschema.FormatChecker(formats=())


@_FORMATS.checks("date", raises=ValueError)  # type: ignore[untyped-decorator]  # of a library without types
def _is_day(text: object) -> bool:
    if not isinstance(text, str):
        return True
    return _DAY.fullmatch(text) is not None and bool(date.fromisoformat(text))


_Validator: Final = jsonschema.validators.extend(jsonschema.Draft202012Validator, {"pattern": _fits_pattern})
