"""Whatever operators may do, they may do in their region: every path, tried by an operator of another province."""

import re
from collections.abc import Mapping
from typing import Final

import msgspec
import pytest
import pytest_asyncio

from engine.core.ids import IdKind, id_text
from engine.web.app import ROUTES
from engine.web.examples import EXAMPLES
from engine.web.operations import OPERATIONS
from engine.web.route import Route
from tests.agencies import a_batch, benefit_line
from tests.people import HEADER, person
from tests.web.api import Api, Json, Reply, bank_number, nobodys_id
from tests.web.operators import a_merchant
from tests.web.register import issued, open_register, phone_of
from tests.web.test_bills import add_agencies

pytestmark = pytest.mark.asyncio(loop_scope="module")

NATIONWIDE: Final = frozenset(
    {
        "/v1/clearing/cycles",  # a cycle is about all banks at once
        "/v1/clearing/cycles/{cycle}",
        "/v1/risk/rules",  # which payments everywhere are judged by; to change one is judged by region
        "/v1/regions",
        "/v1/applications/items",  # what can be applied for at all
        "/v1/applications/items/{item}",
    }
)
"""What is read by every operator, because it is nobody's region's."""

OF_LINES: Final = {
    "/v1/cards/import": "fresh",
    "/v1/inquiry/{topic}/import": "taken",
    "/v1/identity/certifications/matches": "certified",
}
"""What is judged one by one, and where the answer says how many were taken."""

NEEDS: Final[Mapping[str, str]] = {
    "/v1/consents": "card_id={card}",
    "/v1/identity/passkeys": "card_id={card}",
    "/v1/audit": "purpose=complaint",
}
"""What a list has to be asked with."""


class Office(msgspec.Struct, frozen=True):
    """A node where one of everything lies in one province."""

    api: Api
    places: Mapping[str, str]
    ids: Mapping[str, str]
    secrets: tuple[str, ...]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def office(city: Api) -> Office:
    """The city, with somebody who holds a card, and what operators of the province have asked for."""
    await open_register(city)
    (bureau,) = (await add_agencies(city, "bureau")).values()
    who = await issued(city, 1)
    phone = await phone_of(city, who)
    payment = (await city.paid()).rpartition("/")[2]
    batch = await city.post("/v1/disbursements", a_batch([benefit_line(city.world.cards[0])]), caller="bureau")
    asked = await city.post("/v1/participants", a_merchant(), caller="beijing")
    assert (batch.status, asked.status) == (201, 202), asked.body
    sign = await city.sql.fetchval("SELECT sign_no FROM card_sign")
    merchant = id_text(city.world.merchants[0])
    return Office(
        city,
        places={
            "{code}": "110100",
            "{scenario}": "pharmacy",
            "{topic}": "social_insurance",
            "{payment}": payment,
            "{name}": f"SSC_{bank_number(0)}_20261124_01_NET_v1.txt",
            "{cycle}": "20261124-01",
            "{keyid}": "merchant-0",
            "{sign_no}": id_text(sign),
            "{device_no}": f"{phone.device_no:011d}",
            "{relative}": nobodys_id(IdKind.RELATIVE),
            "{card}": who.id,
            "{office}": id_text(bureau),
        },
        ids={
            "/v1/payments": payment,
            "/v1/cards": who.id,
            "/v1/participants": merchant,
            "/v1/approvals": str(asked["id"]),
            "/v1/disbursements": str(batch["id"]),
        },
        secrets=(who.id, merchant, payment, str(batch["id"]), str(asked["id"]), "110101", "110100"),
    )


async def tried(office: Office, route: Route, caller: str) -> Reply:
    """What a path answers an operator, for what there is in the one province."""
    path = route.path
    own = next((own for start, own in office.ids.items() if path.startswith(start)), nobodys_id(IdKind.RECONCILIATION))
    for place, value in {"{id}": own, **office.places}.items():
        path = path.replace(place, value)
    path = re.sub(r"\{move:([^|]*)[^}]*\}", r"\1", path)
    path = re.sub(r"\{[^}]*\}", "1", path)
    if route.path in NEEDS:
        path += "?" + NEEDS[route.path].format(card=office.places["{card}"])
    api = office.api
    if route.method == "GET":
        return await api.get(path, caller=caller)
    if route.method == "POST":
        return await api.post(path, body_of(office, route), caller=caller)
    return await api.send(route.method, path, headers=api.signed(route.method, path, caller=caller))


def body_of(office: Office, route: Route) -> bytes:
    """A body that is right, and about the one province."""
    if route.path == "/v1/cards/import":
        return f"{HEADER}\n{person(50).line()}\n".encode()
    if route.path == "/v1/inquiry/{topic}/import":
        return b"region\n110101\n"
    request = OPERATIONS[route.method, route.path].request
    example = next((one for one in EXAMPLES if type(one) is request), None)
    body: Json = msgspec.to_builtins(example) if example is not None else {}
    if route.path == "/v1/cards/search":
        body = {"card_no": person(1).card_no}
    if "office_id" in body:
        body["office_id"] = office.places["{office}"]
    if "callback_urls" in body:
        body["callback_urls"] = []
    if "bank" in body and str(body["bank"]).startswith("bank_"):
        body["bank"] = id_text(office.api.world.banks[0])
    return msgspec.json.encode(body)


@pytest.mark.parametrize(
    "route",
    [route for route in ROUTES if route.is_signed and route.path not in NATIONWIDE],
    ids=lambda route: f"{route.method} {route.path}",
)
async def test_operator_of_another_province_gets_nothing(office: Office, route: Route) -> None:
    reply = await tried(office, route, "shanghai")
    if route.path in OF_LINES:
        assert (reply.status, reply[OF_LINES[route.path]]) == (200, 0)
    elif route.method == "GET" and reply.status == 200:
        assert "next_cursor" in reply.json, "only lists are answered, with what is the operator's own"
        assert not [secret for secret in office.secrets if secret.encode() in reply.body]
    else:
        assert reply.status in {403, 404}, reply.body
