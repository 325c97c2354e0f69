"""What there is, and for whom: what is not a caller's own does not exist for it."""

from pathlib import Path

import msgspec
import pytest
import pytest_asyncio

from engine.core.ids import IdKind, id_text
from engine.web.app import ROUTES, SANDBOX_ROUTES
from engine.web.examples import EXAMPLES
from engine.web.operations import OPERATIONS
from engine.web.route import Route
from tests.agencies import a_batch, benefit_line
from tests.web.api import Api, Json, nobodys_id, open_api
from tests.web.operators import add_operators
from tests.web.test_bills import add_agencies

pytestmark = pytest.mark.asyncio(loop_scope="module")

NO_PAYMENT = (404, "payment-not-found")
NOT_FOUND = (404, "not-found")
# Of operators.
NOT_OWN = ("/reissue", "/acknowledgement", "/cards/import", "/personal-data", "/erase")
OWN_PATHS = ("/v1/payments", "/v1/cards", "/v1/clearing/files", "/v1/clearing/positions", "/v1/sandbox")
MERCHANT_CALLS: list[tuple[str, str, Json]] = [
    ("GET", "/v1/payments", {}),
    ("GET", "{payment}", {}),
    ("GET", "{payment}/refunds", {}),
    ("POST", "{payment}/capture", {}),
    ("POST", "{payment}/void", {}),
    ("POST", "{payment}/refunds", {"refund_no": "R", "amount": 1}),
    ("POST", "/v1/payments/cancel", {"order_no": "A"}),
    ("POST", "/v1/payments", {}),
]

OPERATORS_PATHS = (
    *("/v1/participants", "/v1/funds", "/v1/approvals", "/v1/postings", "/v1/reconciliations"),
    *("/v1/clearing/cycles", "/v1/clearing/caps", "/v1/clearing/cases", "/v1/cards/import"),
)
OPERATORS_ENDS = (
    *("/files/{name}/reissue", "/{id}/approval", "/lines/{line}/reissue"),
    *("/cards/{id}/personal-data", "/cards/{id}/erase"),
)
AGENCIES_PATHS = ("/v1/bills", "/v1/disbursements")
PLACES = {
    "{name}": "SSC_102100000000_20261124_01_NET_v1.txt",
    "{cycle}": "20261124-01",
    "{n}": "1",
    "{number}": "B-1",
    "{keyid}": "k-1",
    "{line}": nobodys_id(IdKind.DISBURSEMENT_LINE),
    "{sign_no}": nobodys_id(IdKind.SIGN),
    "{device_no}": "00000000001",
    "{relative}": nobodys_id(IdKind.RELATIVE),
}


class Office(msgspec.Struct, frozen=True):
    """Where operators and agencies call, and what there is under their paths."""

    api: Api
    ids: dict[str, str]


def _office_caller(route: Route) -> str | None:
    """Who calls an operator's or an agency's path; None for any other."""
    if route.path.endswith("/settlement"):
        return "bank-0"  # as if it were the settlement bank
    if route.path.startswith(OPERATORS_PATHS) or route.path.endswith(OPERATORS_ENDS):
        return "alpha"
    return "bureau" if route.path.startswith(AGENCIES_PATHS) else None


async def call(api: Api, method: str, target: str, body: Json, caller: str) -> tuple[int, object]:
    """Status and slug of a signed request."""
    reply = await (api.get(target, caller=caller) if method == "GET" else api.post(target, body, caller=caller))
    return reply.refused


@pytest.mark.parametrize(("method", "target", "body"), MERCHANT_CALLS[1:6])
async def test_another_merchants_payment_does_not_exist(city: Api, method: str, target: str, body: Json) -> None:
    payment = await city.paid(capture=False)
    before = (await city.get(payment)).json
    assert await call(city, method, target.format(payment=payment), body, "merchant-1") == NO_PAYMENT
    assert before == (await city.get(payment)).json


@pytest.mark.parametrize(("method", "target", "body"), MERCHANT_CALLS)
@pytest.mark.parametrize("caller", ["bank-0", "channel", "operator"])
async def test_merchants_paths_do_not_exist_for_others(
    city: Api, method: str, target: str, body: Json, caller: str
) -> None:
    payment = f"/v1/payments/{nobodys_id(IdKind.PAYMENT)}"
    assert await call(city, method, target.format(payment=payment), body, caller) == NOT_FOUND


@pytest.mark.parametrize("target", ["files", "positions", "files/SSC_102100000000_20261124_01_COLLECT_v1.txt"])
@pytest.mark.parametrize("caller", ["merchant-0", "channel", "operator"])
async def test_banks_paths_do_not_exist_for_others(city: Api, target: str, caller: str) -> None:
    assert (await city.get(f"/v1/clearing/{target}", caller=caller)).refused == NOT_FOUND


@pytest.mark.parametrize(
    "payment",
    [
        nobodys_id(IdKind.PAYMENT),
        nobodys_id(IdKind.REFUND),
        nobodys_id(IdKind.PAYMENT).upper(),
        nobodys_id(IdKind.PAYMENT) + "0",
        "pay_" + "z" * 26,
        "pay_%FF",
        "%00",
        "1",
    ],
)
async def test_payment_that_there_is_not(city: Api, payment: str) -> None:
    for method, target, body in MERCHANT_CALLS[1:6]:
        path = target.format(payment=f"/v1/payments/{payment}")
        assert await call(city, method, path, body, "merchant-0") == NO_PAYMENT, path


@pytest.mark.parametrize(
    "path", ["/", "/v1", "/v2/payments", "/v1/payments/", "/v1//payments", "/v1/payments/a/b", "/%00"]
)
async def test_unknown_path_is_a_problem_like_any_other(city: Api, path: str) -> None:
    reply = await city.send("GET", path)
    assert reply.refused == NOT_FOUND
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert str(reply["trace_id"]) in reply.headers["traceparent"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/v1/payments", {"GET", "POST"}),
        ("PUT", "/v1/payments/cancel", {"GET", "POST"}),
        ("POST", "/v1/clearing/files", {"GET"}),
        ("GET", "/v1/cards/card_1/loss-report", {"POST"}),
        ("POST", "/healthz", {"GET"}),
        ("HEAD", "/healthz", {"GET"}),
    ],
)
async def test_wrong_method_is_told_the_right_ones(city: Api, method: str, path: str, allowed: set[str]) -> None:
    reply = await city.send(method, path)
    assert (reply.status, reply.headers["Content-Type"]) == (405, "application/problem+json")
    assert allowed == {name.strip() for name in reply.headers["Allow"].split(",")}
    assert method == "HEAD" or reply.code == "method-not-allowed"


@pytest.mark.parametrize(
    "route",
    [
        route
        for route in ROUTES + SANDBOX_ROUTES
        if route.is_signed and route.path.startswith(OWN_PATHS) and not route.path.endswith(NOT_OWN)
    ],
    ids=lambda route: f"{route.method} {route.path}",
)
async def test_unknown_parameter_is_refused_on_every_path_of_merchants_banks_and_channels(
    city: Api, route: Route
) -> None:
    caller, identifier = "merchant-0", (await city.paid()).rpartition("/")[2]
    if route.path.startswith("/v1/clearing"):
        caller = "bank-0"
    elif route.path.startswith("/v1/cards"):
        caller, identifier = "channel", city.card_path().rpartition("/")[2]
    path = route.path.replace("{id}", identifier).replace("{extension:svg|png}", "svg")
    for place, value in PLACES.items():
        path = path.replace(place, value)
    target = f"{path}?surprise=1"
    reply = await (city.get(target, caller=caller) if route.method == "GET" else city.post(target, caller=caller))
    assert (reply.refused, reply.pointers) == ((400, "unknown-field"), ["/surprise"])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def office(city: Api) -> Office:
    """The city with operators and an agency that has sent in a batch."""
    await add_operators(city)
    await add_agencies(city, "bureau")
    batch = a_batch([benefit_line(city.world.cards[0])])
    sent = await city.post("/v1/disbursements", batch, caller="bureau")
    assert sent.status == 201, sent.body
    ids = {
        "/v1/disbursements": str(sent["id"]),
        "/v1/participants": id_text(city.world.merchants[0]),
        "/v1/approvals": nobodys_id(IdKind.APPROVAL),
        "/v1/reconciliations": nobodys_id(IdKind.RECONCILIATION),
        "/v1/clearing/cases": "suspense-1.1.0-DEBIT",
        "/v1/cards": id_text(city.world.cards[0]),
    }
    return Office(city, ids)


@pytest.mark.parametrize(
    "route",
    [route for route in ROUTES if _office_caller(route) is not None],
    ids=lambda route: f"{route.method} {route.path}",
)
async def test_unknown_parameter_is_refused_on_every_path_of_operators_and_agencies(
    office: Office, route: Route
) -> None:
    caller = _office_caller(route)
    assert caller is not None
    path = route.path
    for place, value in PLACES.items():
        path = path.replace(place, value)
    identifier = next((known for start, known in office.ids.items() if path.startswith(start)), "")
    target = f"{path.replace('{id}', identifier)}?surprise=1"
    request = OPERATIONS[route.method, route.path].request
    body = next((example for example in EXAMPLES if type(example) is request), None)
    content = msgspec.json.encode(body) if body is not None else b"a file" if route.is_upload else None
    api = office.api
    reply = await (
        api.get(target, caller=caller) if route.method == "GET" else api.post(target, content, caller=caller)
    )
    assert (reply.refused, reply.pointers) == ((400, "unknown-field"), ["/surprise"])


async def test_outside_the_sandbox_its_paths_do_not_exist(dsn: str, tmp_path: Path) -> None:
    async with open_api(dsn, tmp_path, is_sandbox=False) as api:
        for method, path in (
            ("GET", "/v1/sandbox/clock"),
            ("POST", "/v1/sandbox/clock"),
            ("GET", f"{api.card_path()}/pay-code.svg"),
        ):
            assert (await api.send(method, path)).refused == NOT_FOUND
        assert (await api.pay()).status == 201
