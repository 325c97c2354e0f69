"""The contract is what the code does, whole, and valid; the example in it is right."""

import base64
import hashlib
import hmac
import importlib
import json
import pkgutil
import re
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from engine import web
from engine.codes.public_keys import Jwk
from engine.core.calendar import CycleNumber
from engine.core.clearing_lines import FileKind
from engine.core.ids import IdKind, id_text, make_id
from engine.core.refusals import Refusal
from engine.core.scenarios import BY_NAME
from engine.formats import bank_file_formats
from engine.formats.file_names import FileName
from engine.web import contract_text, openapi, wire
from engine.web.app import ROUTES, SANDBOX_ROUTES
from engine.web.examples import EXAMPLES, SIGNED
from engine.web.field_notes import FILE_NAME_PATTERN, NOTES, SPECIAL_NOTES, id_pattern
from engine.web.meta import CONTRACT
from engine.web.openapi import VERSION, contract_bytes, refusals_of, texts_of
from engine.web.operation import Operation, Tag
from engine.web.operations import OPERATIONS
from engine.web.problems import PROBLEMS, FieldError, ProblemDocument
from engine.web.route import Route

ALL_ROUTES = ROUTES + SANDBOX_ROUTES
ROUTE_IDS = [f"{route.method} {route.path}" for route in ALL_ROUTES]
GENERATED: Any = json.loads(contract_bytes())
SCHEMAS: Any = GENERATED["components"]["schemas"]
PROPERTIES = [(name, field) for name, schema in SCHEMAS.items() for field in schema.get("properties", {})]

each_route = pytest.mark.parametrize("route", ALL_ROUTES, ids=ROUTE_IDS)


def told(route: Route) -> Any:
    """What the contract says of a route."""
    return GENERATED["paths"][re.sub(r":[^}]*", "", route.path)][route.method.lower()]


def operation_of(route: Route) -> Operation:
    """The route's entry in the table."""
    return OPERATIONS[route.method, route.path]


def values_of(key: str, node: Any) -> Iterator[Any]:
    """Every value under *key*, however deep."""
    if isinstance(node, dict):
        for name, value in node.items():
            if name == key:
                yield value
            yield from values_of(key, value)
    elif isinstance(node, list):
        for value in node:
            yield from values_of(key, value)


def resolved(node: Any) -> Any:
    """The node, or what it refers to."""
    if "$ref" not in node:
        return node
    target: Any = GENERATED
    for step in node["$ref"].removeprefix("#/").split("/"):
        target = target[step]
    return target


def struct_named(name: str) -> type[msgspec.Struct]:
    """The struct that a schema is made from."""
    kinds: dict[str, Any] = {kind.__name__: kind for kind in (ProblemDocument, FieldError, Jwk)}
    for found in pkgutil.walk_packages(web.__path__, "engine.web."):
        if re.fullmatch(r"engine\.web\.(wire\w*|\w+\.\w+)", found.name):
            kinds.update(vars(importlib.import_module(found.name)))
    struct: type[msgspec.Struct] = kinds[name]
    return struct


def test_kept_contract_is_current() -> None:
    assert CONTRACT.read_bytes() == contract_bytes(), (
        "schemas/http/openapi.json is not what the code says: run `.venv/bin/python -m engine.web.openapi`, read its "
        "diff, and say in schemas/CHANGES.md what changed"
    )


def test_contract_is_valid_openapi() -> None:
    validator = pytest.importorskip("openapi_spec_validator")
    validator.validate(GENERATED)


def test_version_is_the_newest_in_the_list_of_changes() -> None:
    changes = (CONTRACT.parents[1] / "CHANGES.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (.+)$", changes, re.MULTILINE)
    assert headings[0] == VERSION == GENERATED["info"]["version"]


def test_every_route_is_in_the_table_and_nothing_else() -> None:
    assert {(route.method, route.path) for route in ALL_ROUTES} == set(OPERATIONS)


def test_every_path_is_told_without_its_patterns() -> None:
    assert {re.sub(r":[^}]*", "", route.path) for route in ALL_ROUTES} == set(GENERATED["paths"])


def test_sandbox_paths_are_marked() -> None:
    sandboxed = [route for route in ALL_ROUTES if operation_of(route).tag is Tag.SANDBOX]
    assert list(SANDBOX_ROUTES) == sandboxed


def test_every_reference_leads_somewhere() -> None:
    references = list(values_of("$ref", GENERATED))
    assert references
    assert all(resolved({"$ref": reference}) for reference in references)


def test_operation_ids_are_unique() -> None:
    identifiers = list(values_of("operationId", GENERATED))
    assert len(ALL_ROUTES) == len(set(identifiers))


@each_route
def test_summary_is_a_short_line(route: Route) -> None:
    summary, text = texts_of(route, operation_of(route))
    assert 3 < len(summary) <= 80
    assert not summary.endswith(".")
    assert "`" not in summary
    assert "`GET" not in text
    assert "`POST" not in text


@each_route
def test_path_parameters_are_those_of_the_path(route: Route) -> None:
    declared = [parameter.name for parameter in operation_of(route).parameters if parameter.place == "path"]
    assert re.findall(r"\{([a-z_]+)", route.path) == declared


@each_route
def test_what_is_signed_says_so(route: Route) -> None:
    (needed,) = told(route)["security"] or [{}]
    assert set(needed) == ({"SignatureInput", "Signature"} if route.is_signed else set())


@each_route
def test_changes_need_a_key_and_reads_do_not(route: Route) -> None:
    required = {resolved(parameter)["name"] for parameter in told(route)["parameters"]}
    assert ("Idempotency-Key" in required) == (route.method == "POST" and route.is_signed)
    assert ("requestBody" in told(route)) == (route.method == "POST")


@pytest.mark.parametrize(
    ("path", "is_required"),
    [("/v1/payments", True), ("/v1/payments/{id}/capture", False), ("/v1/payments/{id}/void", False)],
)
def test_body_may_be_left_out_where_every_field_may(path: str, is_required: bool) -> None:
    assert is_required == GENERATED["paths"][path]["post"]["requestBody"]["required"]


@each_route
def test_every_refusal_is_told_under_its_status(route: Route) -> None:
    shown: set[tuple[str, str]] = set()
    for status, response in told(route)["responses"].items():
        schema = resolved(response).get("content", {}).get("application/problem+json", {}).get("schema", {})
        for narrowed in schema.get("allOf", [])[1:]:
            shown.update((status, code) for code in narrowed["properties"]["code"]["enum"])
    refusals = refusals_of(route, operation_of(route))
    assert {(str(PROBLEMS[refusal].status), refusal.slug) for refusal in refusals} == shown


def test_every_refusal_is_told_somewhere() -> None:
    told_refusals = {refusal for route in ALL_ROUTES for refusal in refusals_of(route, operation_of(route))}
    assert set(Refusal) == told_refusals


@each_route
def test_retry_after_is_promised_where_it_is_sent(route: Route) -> None:
    for refusal in refusals_of(route, operation_of(route)):
        headers = told(route)["responses"][str(PROBLEMS[refusal].status)]["headers"]
        assert "Retry-After" in headers or PROBLEMS[refusal].retry_after_s is None


@each_route
def test_every_answer_carries_the_trace(route: Route) -> None:
    assert all("traceparent" in resolved(response)["headers"] for response in told(route)["responses"].values())


def test_only_remembered_answers_are_replayed() -> None:
    responses = GENERATED["paths"]["/v1/payments"]["post"]["responses"]
    replayed = {
        status for status, response in responses.items() if "Idempotent-Replayed" in response.get("headers", {})
    }
    assert {"201", "402", "403", "404", "409", "410", "422", "423"} == replayed


def test_file_answers_ranges() -> None:
    responses = GENERATED["paths"]["/v1/clearing/files/{name}"]["get"]["responses"]
    assert {"200", "206", "304", "409", "416"} <= set(responses)
    assert {"ETag", "Accept-Ranges", "Repr-Digest"} <= set(responses["200"]["headers"])
    assert "Content-Range" in responses["206"]["headers"]


@pytest.mark.parametrize(("name", "field"), PROPERTIES)
def test_every_field_is_explained(name: str, field: str) -> None:
    assert len(SCHEMAS[name]["properties"][field]["description"]) > 3


def test_no_note_is_left_over() -> None:
    assert set(SPECIAL_NOTES) <= set(PROPERTIES)
    by_name = {field for name, field in PROPERTIES if (name, field) not in SPECIAL_NOTES}
    assert set(NOTES) == by_name


@pytest.mark.parametrize(("name", "field"), PROPERTIES)
def test_dates_and_instants_are_told_apart(name: str, field: str) -> None:
    (kind,) = (known.type for known in msgspec.structs.fields(struct_named(name)) if known.encode_name == field)
    kinds = {kind, *get_args(kind)}
    expected = "date-time" if datetime in kinds else "date" if date in kinds else None
    assert [expected] * (expected is not None) == list(values_of("format", SCHEMAS[name]["properties"][field]))


def test_patterns_are_ecmascript() -> None:
    patterns = list(values_of("pattern", GENERATED))
    assert patterns
    assert not [pattern for pattern in patterns if r"\Z" in pattern or not pattern.startswith("^")]


def test_scenarios_are_listed() -> None:
    assert SCHEMAS["PaymentRequest"]["properties"]["scenario"]["enum"] == list(BY_NAME)


@pytest.mark.parametrize("kind", IdKind)
def test_id_pattern_is_that_of_ids(kind: IdKind) -> None:
    highest = make_id(kind, at_ms=2**48 - 1, shard=255, region=999_999, entropy=2**44 - 1)
    for identifier in (highest, make_id(kind, at_ms=0, shard=0, region=0, entropy=0)):
        assert re.search(id_pattern(kind), id_text(identifier))
    assert not re.search(id_pattern(kind), id_text(highest)[:-1])
    assert not re.search(id_pattern(kind), id_text(highest)[:-1] + "u")


@pytest.mark.parametrize("kind", FileKind)
@pytest.mark.parametrize("form", bank_file_formats())
def test_file_name_pattern_is_that_of_files(kind: FileKind, form: str) -> None:
    name = FileName(cnaps="102100000001", cycle=CycleNumber(2026112401), kind=kind, form=form, version=12)
    assert re.search(FILE_NAME_PATTERN, name.text)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: type(example).__name__)
def test_example_fits_its_schema(example: msgspec.Struct) -> None:
    schema = SCHEMAS[type(example).__name__]
    (shown,) = schema["examples"]
    assert example == msgspec.convert(shown, type(example), strict=False)
    assert set(schema["required"]) <= set(shown) <= set(schema["properties"])
    for field, value in shown.items():
        for pattern in values_of("pattern", schema["properties"][field]):
            texts = value if isinstance(value, list) else [value]
            assert all(text is None or re.search(pattern, text) for text in texts)


def test_every_request_has_an_example() -> None:
    requests = {operation.request for operation in OPERATIONS.values()} - {None, wire.NothingRequest}
    assert requests <= {type(example) for example in EXAMPLES}


def test_signing_example_is_right() -> None:
    """Read the description as an integrator would, and sign with the standard library alone."""
    body, base, headers = re.findall(r"```\n(.*?)\n```", GENERATED["info"]["description"], re.DOTALL)
    (secret,) = re.findall(r"secret `([^`]+)` \(Base64\)", GENERATED["info"]["description"])
    sent = dict(line.split(": ", 1) for line in headers.splitlines())
    digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
    assert sent["Content-Digest"] == f"sha-256=:{digest}:"
    params = sent["Signature-Input"].removeprefix("sig1=")
    assert base.splitlines() == [
        '"@method": POST',
        '"@path": /v1/payments',
        '"@query": ?',
        f'"content-digest": {sent["Content-Digest"]}',
        f'"idempotency-key": {sent["Idempotency-Key"]}',
        f'"@signature-params": {params}',
    ]
    mac = hmac.digest(base64.b64decode(secret), base.encode(), "sha256")
    assert sent["Signature"] == f"sig1=:{base64.b64encode(mac).decode()}:"


def test_signing_example_is_fixed() -> None:
    assert (SIGNED.created, SIGNED.nonce) == (1_795_521_600, "5b0c7f3e9a61d284")
    assert base64.b64decode(SIGNED.secret) == bytes(range(32))


def test_description_leaves_no_placeholder() -> None:
    assert "$" not in contract_text.description()


def test_module_writes_the_contract(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = tmp_path / "schemas" / "http" / "openapi.json"
    monkeypatch.setattr(openapi, "CONTRACT", kept)
    openapi.main()
    assert contract_bytes() == kept.read_bytes()
