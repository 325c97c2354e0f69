"""The contract against a live server: every operation, as every kind of caller, with what schemathesis makes of it.

Each request is signed, so that what is tried is what stands behind the signature. Nothing may answer 5xx, nor with a
status, a kind of content or a shape that the contract does not have.
"""

import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import APIOperation, Case
from schemathesis.checks import load_all_checks
from schemathesis.core.result import Ok

from engine.client.credentials import Credentials
from engine.codes.http_signature import CoveredRequest, content_digest, sign
from engine.sandbox.guide import SandboxGuide
from engine.sandbox.load import SandboxCaller
from tests.e2e.processes import EngineProcess

AnyOperation = APIOperation[Any, Any, Any, Any]
CONTRACT = Path(__file__).parents[2] / "schemas" / "http" / "openapi.json"
EXAMPLES = 8
EXAMPLES_FULL = 300
TIMEOUT_S = 60.0
KNOWN_MAX = 5
BUSY = 503  # the only answer above 499 that may come, and only as the contract tells it
OURS = ("Idempotency-Key", "Content-Digest", "Signature", "Signature-Input", "traceparent")  # made here, not drawn
IDS = {"card_": "cards", "mer_": "merchant", "bank_": "bank", "agc_": "agency", "chan_": "channel", "opr_": "operator"}
"""Which of the sandbox's own stand behind ids of a kind: a drawn one names nobody."""
CHECKS = ("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance")


@schemathesis.serializer("application/x-ndjson", "text/csv", "text/plain")
def _lines(_context: schemathesis.SerializationContext, value: object) -> bytes:
    """Files are drawn as texts."""
    return str(value).encode(errors="replace")


def _operations() -> list[AnyOperation]:
    found = list(schemathesis.openapi.from_path(CONTRACT).get_all_operations())
    operations = [one.ok() for one in found if isinstance(one, Ok)]
    assert len(operations) == len(found), "schemathesis reads all of the contract"
    return operations


OPERATIONS = _operations()
load_all_checks()


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    """A sandbox, for every operation."""
    process = EngineProcess(tmp_path_factory.mktemp("contract") / "data")
    try:
        yield process
        assert process.is_alive
        assert process.stop() == 0
    finally:
        process.end()


@pytest.mark.xdist_group("contract")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
def test_every_answer_is_one_of_the_contract(engine: EngineProcess, operation: AnyOperation, is_full: bool) -> None:
    callers = _one_of_a_kind(engine.guide.callers)
    session = requests.Session()
    session.trust_env = False
    checks: list[Any] = [schemathesis.checks.CHECKS.get_one(name) for name in CHECKS]

    known = _known_ids(engine.guide)
    named = operation.definition.raw["responses"]

    @given(case=operation.as_strategy(), caller=st.sampled_from(callers), data=st.data())
    @settings(
        max_examples=EXAMPLES_FULL if is_full else EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    def answers(case: Case[Any], caller: SandboxCaller, data: st.DataObject) -> None:
        for name, value in (case.path_parameters or {}).items():
            ids = next((ids for prefix, ids in known.items() if str(value).startswith(prefix)), None)
            if ids is not None and data.draw(st.booleans()):
                case.path_parameters[name] = data.draw(st.sampled_from(ids))
        prepared = session.prepare_request(requests.Request(**_arguments(case, engine.guide.base_url)))
        _sign(prepared, caller)
        answer = session.send(prepared, timeout=TIMEOUT_S, allow_redirects=False)
        assert answer.status_code < 500 or answer.status_code == BUSY, answer.text
        assert str(answer.status_code) in named, answer.text  # `default` is for what nobody can foresee
        case.validate_response(answer, checks=checks)

    answers()


def _one_of_a_kind(callers: tuple[SandboxCaller, ...]) -> list[SandboxCaller]:
    """The first caller of each kind."""
    return list({caller.kind: caller for caller in reversed(callers)}.values())


def _known_ids(guide: SandboxGuide) -> dict[str, list[str]]:
    by_kind = {
        kind: [caller.id for caller in guide.callers if caller.kind == kind][:KNOWN_MAX] for kind in set(IDS.values())
    }
    by_kind["cards"] = [card.id for card in guide.cards[:KNOWN_MAX]]
    return {prefix: by_kind[kind] for prefix, kind in IDS.items() if by_kind[kind]}


def _arguments(case: Case[Any], base_url: str) -> dict[str, Any]:
    """What schemathesis drew, without the headers that are made here."""
    arguments = case.as_transport_kwargs(base_url=base_url)
    left_out = {name.lower() for name in OURS}
    headers = {name: value for name, value in arguments["headers"].items() if name.lower() not in left_out}
    wanted = ("method", "url", "params", "json", "data", "cookies")
    return {name: arguments[name] for name in wanted if name in arguments} | {"headers": headers}


def _sign(request: requests.PreparedRequest, caller: SandboxCaller) -> None:
    credentials = Credentials.load(keyid=caller.keyid, alg=caller.alg, key=caller.key)
    assert request.url is not None
    assert request.method is not None
    split = urlsplit(request.url)
    body = request.body.encode() if isinstance(request.body, str) else request.body or b""
    assert isinstance(body, bytes)
    is_changing = request.method != "GET"
    covered = CoveredRequest(
        method=request.method,
        target=split.path + (f"?{split.query}" if split.query else ""),
        content_digest=content_digest(body) if body else None,
        idempotency_key=f'"{secrets.token_hex(8)}"' if is_changing else None,
    )
    request.headers.update(
        sign(
            covered,
            credentials.key,
            keyid=credentials.keyid,
            created=int(time.time()),
            nonce=secrets.token_urlsafe(12),
        )
    )
