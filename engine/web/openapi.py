"""The contract: OpenAPI 3.1, made from the route table, the wire's structs and what `operations` adds.

`python -m engine.web.openapi` writes it to schemas/http/openapi.json; a test compares that file with this module.
"""

import inspect
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final

import msgspec

from engine.core.refusals import Refusal
from engine.web import contract_text
from engine.web.app import ROUTES, SANDBOX_ROUTES
from engine.web.examples import EXAMPLES, example_json, problem_example
from engine.web.field_notes import NOTES, SPECIAL_NOTES, FieldNote
from engine.web.meta import CONTRACT
from engine.web.operation import Operation, Schema, Tag
from engine.web.operations import OPERATIONS
from engine.web.problems import PROBLEMS, ProblemDocument
from engine.web.route import Route

Json = dict[str, object]

VERSION: Final = "1.3.0"
"""Of the contract, not of the engine; schemas/CHANGES.md says what each version changed."""

_DOCSTRING_ROUTE: Final = re.compile(r"`[A-Z]+ [^`]*`[:,]?\s*")
_TEMPLATE_PATTERN: Final = re.compile(r"\{([a-z]+):[^}]*\}")
_ALTERNATIVES: Final = re.compile(r"\^\(([a-z_|]+)\)\$")

SIGNED_REFUSALS: Final = (
    Refusal.BODY_TOO_LARGE,
    Refusal.SIGNATURE_MISSING,
    Refusal.SIGNATURE_INVALID,
    Refusal.SIGNATURE_EXPIRED,
    Refusal.SIGNATURE_KEY_UNKNOWN,
    Refusal.CONTENT_DIGEST_MISMATCH,
    Refusal.REQUEST_REPLAYED,
    Refusal.CALLER_SUSPENDED,
    Refusal.ADDRESS_NOT_ALLOWED,
    Refusal.CHANNEL_NOT_AUTHORIZED,
    Refusal.CHANNEL_SUSPENDED,
    Refusal.STORE_UNAVAILABLE,
)
FORM: Final = "application/x-www-form-urlencoded"
BODY_REFUSALS: Final = (
    Refusal.MALFORMED_JSON,
    Refusal.DUPLICATE_FIELD,
    Refusal.UNKNOWN_FIELD,
    Refusal.FIELD_INVALID,
    Refusal.IDEMPOTENCY_KEY_MISSING,
    Refusal.IDEMPOTENCY_KEY_REUSED,
)
UPLOAD_REFUSALS: Final = (Refusal.FIELD_INVALID, Refusal.IDEMPOTENCY_KEY_MISSING, Refusal.IDEMPOTENCY_KEY_REUSED)
QUERY_REFUSALS: Final = (Refusal.DUPLICATE_FIELD, Refusal.UNKNOWN_FIELD, Refusal.FIELD_INVALID)
MONEY_REFUSALS: Final = (Refusal.IDEMPOTENCY_KEY_IN_PROGRESS, Refusal.OVERLOADED)
NEVER_REMEMBERED: Final = frozenset(
    {*SIGNED_REFUSALS, *BODY_REFUSALS, *MONEY_REFUSALS, Refusal.AMOUNT_INVALID, Refusal.TOO_MANY_ATTEMPTS}
)
"""Refused before the ledger is asked, so that the same key may be used again."""


def build_contract() -> Json:
    """The whole contract, the sandbox's paths included."""
    paths: dict[str, Json] = {}
    for route in ROUTES + SANDBOX_ROUTES:
        key = (route.method, route.path)
        assert key in OPERATIONS, f"{route.method} {route.path} has no entry in OPERATIONS (engine/web/operations.py)"
        path = _TEMPLATE_PATTERN.sub(r"{\1}", route.path)
        paths.setdefault(path, {})[route.method.lower()] = _operation(route, OPERATIONS[key])
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Settlement engine of the electronic social security card",
            "version": VERSION,
            "description": contract_text.description(),
        },
        "tags": [{"name": tag.value, "description": contract_text.TAGS[tag]} for tag in Tag],
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "parameters": contract_text.PARAMETERS,
            "headers": contract_text.HEADERS,
            "securitySchemes": contract_text.SECURITY_SCHEMES,
            "responses": {"Problem": _problem_response(contract_text.OTHER_PROBLEM, _schema_of(ProblemDocument))},
        },
    }


def contract_bytes() -> bytes:
    """The contract as it is kept: sorted, indented, with a newline at the end."""
    return (json.dumps(build_contract(), ensure_ascii=False, indent=2, sort_keys=True) + "\n").encode()


def refusals_of(route: Route, operation: Operation) -> tuple[Refusal, ...]:
    """Everything that a route may refuse, in order of precedence."""
    refusals = set(operation.refusals)
    if route.is_signed:
        refusals.update(SIGNED_REFUSALS)
        if route.method == "GET":
            refusals.add(Refusal.TOO_MANY_ATTEMPTS)
        if operation.request is None:
            has_query = any(parameter.place == "query" for parameter in operation.parameters)
            refusals.update(QUERY_REFUSALS if has_query else (Refusal.UNKNOWN_FIELD,))
    if operation.request is not None and not operation.is_form:
        refusals.update(BODY_REFUSALS)
        if "amount" in operation.request.__struct_fields__:
            refusals.add(Refusal.AMOUNT_INVALID)
    if route.is_upload:
        refusals.update(UPLOAD_REFUSALS)
    if route.is_money:
        refusals.update(MONEY_REFUSALS)
    return tuple(refusal for refusal in Refusal if refusal in refusals)


def texts_of(route: Route, operation: Operation) -> tuple[str, str]:
    """Summary and description: what `operations` says, and the handler's first line without its path."""
    first_line = (inspect.getdoc(route.handler) or "").partition("\n")[0]
    said = _DOCSTRING_ROUTE.sub("", first_line, count=1).rstrip(".")
    said = said[:1].upper() + said[1:]
    summary = operation.summary or said
    assert summary, f"{route.method} {route.path} has no summary"
    sentences = (f"{said}." if said and operation.summary else "", operation.text)
    return summary, " ".join(sentence for sentence in sentences if sentence)


def _operation(route: Route, operation: Operation) -> Json:
    summary, text = texts_of(route, operation)
    described: Json = {
        "operationId": getattr(route.handler, "__name__", ""),
        "tags": [operation.tag.value],
        "summary": summary,
        "description": text,
        "parameters": _parameters(route, operation),
        "responses": _responses(route, operation),
        "security": [{name: [] for name in contract_text.SECURITY_SCHEMES}] if route.is_signed else [],
    }
    content: dict[str, Json] = {}
    is_required = route.is_upload
    if operation.request is not None:
        is_required |= any(field.required for field in msgspec.structs.fields(operation.request))
        content[FORM if operation.is_form else "application/json"] = {"schema": _schema_of(operation.request)}
    if route.is_upload:
        content |= {name: {"schema": {"type": "string", "format": "binary"}} for name in operation.upload_media_types}
    if content:
        described["requestBody"] = {"required": is_required, "content": content}
    return {name: value for name, value in described.items() if value != ""}


def _parameters(route: Route, operation: Operation) -> list[Json]:
    own: list[Json] = [
        {
            "name": parameter.name,
            "in": parameter.place,
            "required": parameter.place == "path",
            "description": parameter.text,
            "schema": parameter.schema,
        }
        for parameter in operation.parameters
    ]
    shared = ["Traceparent", "AcceptLanguage"]
    if route.is_upload or (route.is_signed and operation.request is not None):
        shared += ["IdempotencyKey", "ContentDigest"]
    if operation.is_file:
        shared += ["Range", "IfNoneMatch"]
    return own + [{"$ref": _ref("parameters", name)} for name in shared]


def _responses(route: Route, operation: Operation) -> Json:
    headers = ["Traceparent"]
    if route.is_money or route.is_upload:
        headers.append("IdempotentReplayed")
    content: Json = {
        name: _media(operation.response if name in ("application/json", "application/x-ndjson") else None)
        for name in operation.media_types
    }
    responses: Json = {}
    if operation.is_file:
        headers += ["ETag", "AcceptRanges", "ReprDigest"]
        responses["206"] = _response("The part that was asked for.", [*headers, "ContentRange"], content)
        responses["304"] = _response("The caller has the file already.", headers)
        responses["416"] = _response("The file has no such part.", ["Traceparent", "ContentRange"])
    responses[str(operation.status)] = _response("Done.", headers, content)
    for status, text in operation.statuses.items():
        responses[str(status)] = _response(text, ["Traceparent"], content)
    for status, (text, kind) in operation.answers.items():
        responses[str(status)] = _response(text, ["Traceparent"], {"application/json": _media(kind)})
    refusals = refusals_of(route, operation)
    for status in sorted({PROBLEMS[refusal].status for refusal in refusals}):
        told = [refusal for refusal in refusals if PROBLEMS[refusal].status == status]
        responses[str(status)] = _refused(told, route)
    responses["default"] = {"$ref": _ref("responses", "Problem")}
    return responses


def _refused(refusals: list[Refusal], route: Route) -> Json:
    headers = ["Traceparent"]
    if route.is_money and not NEVER_REMEMBERED.issuperset(refusals):
        headers.append("IdempotentReplayed")
    if any(PROBLEMS[refusal].retry_after_s is not None for refusal in refusals):
        headers.append("RetryAfter")
    if any(PROBLEMS[refusal].status == 401 for refusal in refusals):
        headers.append("WWWAuthenticate")
    schema: Json = {
        "allOf": [
            {"$ref": _ref("schemas", "ProblemDocument")},
            {"properties": {"code": {"enum": [refusal.slug for refusal in refusals]}}},
        ],
        "examples": [example_json(problem_example(refusals[0], instance=route.path))],
    }
    text = "\n".join(f"- `{refusal.slug}`: {PROBLEMS[refusal].en}" for refusal in refusals)
    return _problem_response(text, schema, headers)


def _problem_response(text: str, schema: Schema, headers: Iterable[str] = ("Traceparent",)) -> Json:
    return _response(text, headers, {"application/problem+json": {"schema": schema}})


def _response(text: str, headers: Iterable[str], content: Json | None = None) -> Json:
    response: Json = {
        "description": text,
        "headers": {contract_text.HEADER_NAMES[name]: {"$ref": _ref("headers", name)} for name in headers},
    }
    return response if content is None else {**response, "content": content}


def _media(response: type[msgspec.Struct] | Schema | None) -> Json:
    if response is None:
        return {}
    return {"schema": response if isinstance(response, Mapping) else _schema_of(response)}


def _schema_of(struct: type[msgspec.Struct]) -> Json:
    return {"$ref": _ref("schemas", struct.__name__)}


def _ref(section: str, name: str) -> str:
    return f"#/components/{section}/{name}"


def _schemas() -> Json:
    structs: list[type[msgspec.Struct]] = [ProblemDocument]
    for operation in OPERATIONS.values():
        structs += [kind for kind in (operation.request, operation.response) if isinstance(kind, type)]
        structs += [kind for _, kind in operation.answers.values()]
    _, schemas = msgspec.json.schema_components(dict.fromkeys(structs), ref_template=_ref("schemas", "{name}"))
    examples = {type(example).__name__: example_json(example) for example in EXAMPLES}
    for name, schema in schemas.items():
        for field, described in schema.get("properties", {}).items():
            note = SPECIAL_NOTES.get((name, field)) or NOTES.get(field)
            assert note is not None, f"{name}.{field} is not explained in NOTES (engine/web/field_notes.py)"
            schema["properties"][field] = _annotated(described, note)
        if name in examples:
            schema["examples"] = [examples[name]]
    return schemas


def _annotated(schema: Schema, note: FieldNote) -> Json:
    """A field's schema with its note. Python's end of text, ``\\Z``, becomes ECMA-262's, ``$``."""

    def annotate(text: Json) -> Json:
        if isinstance(pattern := text.get("pattern"), str):
            text["pattern"] = pattern.replace(r"\Z", "$")
            if names := _ALTERNATIVES.fullmatch(str(text["pattern"])):
                text = {"type": "string", "enum": names[1].split("|")}
        if note.pattern is not None:
            text["pattern"] = note.pattern
        if note.format is not None:
            text["format"] = note.format
        return text

    return {**_in_strings(schema, annotate), "description": note.text}


def _in_strings(schema: Schema, change: Callable[[Json], Json]) -> Json:
    """The schema with its branches for text changed; a nullable one has two branches, a list has items."""
    branches = schema.get("anyOf")
    if isinstance(branches, list):
        return {**schema, "anyOf": [_in_strings(branch, change) for branch in branches]}
    items = schema.get("items")
    if isinstance(items, Mapping):
        return {**schema, "items": _in_strings(items, change)}
    return change(dict(schema)) if schema.get("type") == "string" else dict(schema)


def main() -> None:
    """The kept contract is what the code says."""
    CONTRACT.parent.mkdir(parents=True, exist_ok=True)
    CONTRACT.write_bytes(contract_bytes())


if __name__ == "__main__":
    main()
