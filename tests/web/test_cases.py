"""What operators take up with banks: rejected files and items in suspense, and who sees to a difference."""

from collections.abc import AsyncIterator

import msgspec
import pytest
import pytest_asyncio

from engine.core.clearing_lines import ClearingItem
from engine.core.ids import IdKind, id_text
from engine.formats import bank_file_formats
from tests.web.api import Api, Json, bank_number, nobodys_id
from tests.web.operators import add_operators
from tests.web.test_corrections import a_difference
from tests.web.test_returns import a_return

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOT_FOUND = (404, "not-found")


class Office(msgspec.Struct, frozen=True):
    """A city whose bank-0 has rejected a file, and given a merchant's money back."""

    api: Api
    operators: dict[str, str]
    file: Json
    item: ClearingItem


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def office(city: Api) -> AsyncIterator[Office]:
    operators = {name: id_text(operator) for name, operator in (await add_operators(city)).items()}
    await city.paid(card=1, amount=700)
    await city.publish()
    listed = await city.get("/v1/clearing/files?form=flat&kind=CREDIT", caller="bank-0")
    (file,) = listed.items
    content = (await city.get(f"/v1/clearing/files/{file['name']}", caller="bank-0")).body
    item = next(one for one in bank_file_formats()["flat"].decode([content]) if isinstance(one, ClearingItem))
    returned = await city.post("/v1/clearing/returns", a_return(item, sender=bank_number(0)), caller="bank-0")
    assert returned.status == 201, returned.body
    totals = file["totals"]
    assert isinstance(totals, dict)
    rejected = await city.post(
        f"/v1/clearing/files/{file['name']}/acknowledgement",
        {
            "status": "RJCT",
            "count": file["count"],
            "total": totals["debit"] + totals["credit"],
            "reasons": [{"line": 0, "code": "AM10"}],
        },
        caller="bank-0",
    )
    assert rejected.status == 200, rejected.body
    yield Office(city, operators, file, item)


async def test_operators_see_what_is_to_be_taken_up(office: Office) -> None:
    listed = await office.api.get("/v1/clearing/cases", caller="delta")
    assert listed.status == 200, listed.body
    assert {case["kind"] for case in listed.items} == {"suspense", "rejected"}
    bank = id_text(office.api.world.banks[0])
    assert {case["bank"] for case in listed.items} == {bank}
    only = {
        kind: (await office.api.get(f"/v1/clearing/cases?kind={kind}&bank={bank}", caller="alpha")).items
        for kind in ("suspense", "rejected")
    }
    assert only == {kind: [case for case in listed.items if case["kind"] == kind] for kind in only}
    (rejected,) = only["rejected"]
    assert (rejected["file"], rejected["reason"], rejected["item_id"]) == (office.file["name"], "AM10", None)
    other = id_text(office.api.world.banks[1])
    assert (await office.api.get(f"/v1/clearing/cases?bank={other}", caller="alpha")).items == []


async def test_case_of_an_item_names_it(office: Office) -> None:
    listed = await office.api.get("/v1/clearing/cases?kind=suspense", caller="alpha")
    case = next(case for case in listed.items if case["reason"] == "AC04")
    assert (case["payment_id"], case["amount"]) == (office.item.payment_id, office.item.amount)
    assert (case["direction"], case["file"]) == ("credit", None)
    assert (await office.api.get(f"/v1/clearing/cases/{case['id']}", caller="alpha")).json == case


async def test_list_goes_on_where_it_stopped(office: Office) -> None:
    whole = (await office.api.get("/v1/clearing/cases", caller="alpha")).items
    cursor, seen = "", []
    while True:
        page = await office.api.get(f"/v1/clearing/cases?limit=1{cursor}", caller="alpha")
        seen += page.items
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == whole
    assert len(whole) > 1


@pytest.mark.parametrize(
    ("query", "pointer"),
    [("cursor=nothing", "/cursor"), ("cursor=rejected-x", "/cursor"), ("kind=x", "/kind"), ("bank=x", "/bank")],
)
async def test_what_is_no_filter_is_named(office: Office, query: str, pointer: str) -> None:
    reply = await office.api.get(f"/v1/clearing/cases?{query}", caller="alpha")
    assert (reply.refused, reply.pointers) == ((400, "field-invalid"), [pointer])


@pytest.mark.parametrize("case", ["nothing", "suspense-9.9.9-DEBIT", "suspense-", "rejected-x", "other-x"])
async def test_case_that_there_is_not(office: Office, case: str) -> None:
    assert (await office.api.get(f"/v1/clearing/cases/{case}", caller="alpha")).refused == NOT_FOUND


async def test_cases_are_operators_business(office: Office) -> None:
    (first, *_) = (await office.api.get("/v1/clearing/cases", caller="alpha")).items
    for caller in ("bank-0", "merchant-0", "channel"):
        for path in ("/v1/clearing/cases", f"/v1/clearing/cases/{first['id']}"):
            assert (await office.api.get(path, caller=caller)).refused == NOT_FOUND


async def test_difference_is_assigned(office: Office) -> None:
    path, difference = await a_difference(office.api, by=1)
    target = f"{path}/items/{difference['n']}/assign"
    own = await office.api.post(target, {}, caller="alpha")
    assert (own.status, own["owner"]) == (200, office.operators["alpha"])
    given = await office.api.post(target, {"owner": office.operators["beta"]}, caller="alpha", key="assign-1")
    again = await office.api.post(target, {"owner": office.operators["beta"]}, caller="alpha", key="assign-1")
    assert (given.body, again.is_replay) == (again.body, True)
    (shown,) = (await office.api.get(f"{path}/items", caller="alpha")).items
    assert shown["owner"] == office.operators["beta"]
    for wrong in ("opr_1", nobodys_id(IdKind.OPERATOR), office.operators["delta"], office.operators["shanghai"]):
        reply = await office.api.post(target, {"owner": wrong}, caller="alpha")
        assert (reply.refused, reply.pointers) == ((400, "field-invalid"), ["/owner"]), wrong
    assert (await office.api.post(target, {}, caller="delta")).refused == (403, "scope-not-authorized")
    assert (await office.api.post(target, {}, caller="shanghai")).refused == (403, "region-not-permitted")
    assert (await office.api.post(target, {}, caller="bank-0")).refused == NOT_FOUND
    for place in ("99", "x", "0"):
        assert (await office.api.post(f"{path}/items/{place}/assign", {}, caller="alpha")).refused == NOT_FOUND


async def test_settled_difference_stays_as_it_is(office: Office) -> None:
    path, difference = await a_difference(office.api, by=1)
    await office.api.sql.execute("UPDATE difference SET state = 3 WHERE n = $1", difference["n"])
    reply = await office.api.post(f"{path}/items/{difference['n']}/assign", {}, caller="alpha")
    assert (reply.refused, reply.pointers) == ((400, "field-invalid"), ["/owner"])
