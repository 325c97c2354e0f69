"""Corrections by hand: asked for by one operator, approved by another, carried out once, and proved by the books."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from engine.core.accounts import (
    AccountId,
    account_text,
    bank_receivable,
    suspense_long,
    suspense_short,
    write_off,
)
from engine.core.calendar import cycle_date, cycle_text
from engine.core.clearing_lines import ClearingItem
from engine.core.ids import BankId
from engine.flows.approve import carry_out_waiting
from engine.flows.verify_books import verify_books
from engine.formats import bank_file_formats
from engine.web.executors import executors_of
from tests.flows.statement_books import Line, statement
from tests.web.api import Api, Json, Reply, bank_number
from tests.web.operators import add_operators
from tests.web.test_statements import own_line

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def office(city: Api) -> AsyncIterator[Api]:
    await add_operators(city)
    yield city


async def approved(office: Api, asked: Reply, *, by: str = "beta") -> Any:
    """What came of a request that another operator has approved."""
    assert asked.status == 202, asked.body
    reply = await office.post(f"/v1/approvals/{asked.json['id']}/approve", {}, caller=by)
    assert reply.status == 200, reply.body
    return reply.json


async def balance_of(office: Api, account: bytes) -> int:
    """Debits less credits of an account, in fen."""
    found: int = await office.sql.fetchval(
        "SELECT coalesce(sum(debits_posted - credits_posted), 0)::bigint FROM balance WHERE account = $1",
        account,
    )
    return found


async def test_posting_by_hand_is_in_the_books_once_it_is_approved(office: Api) -> None:
    bank = office.world.banks[0]
    wish = {
        "debit": account_text(suspense_short(bank)),
        "credit": account_text(bank_receivable(bank)),
        "amount": 7,
        "reason": "letter 7",
    }
    before = await balance_of(office, suspense_short(bank))
    asked = await office.post("/v1/postings", wish, caller="alpha")
    assert await balance_of(office, suspense_short(bank)) == before
    own = await office.post(f"/v1/approvals/{asked.json['id']}/approve", {}, caller="alpha")
    assert own.refused == (403, "approval-required")
    await approved(office, asked)
    await office.post(f"/v1/approvals/{asked.json['id']}/approve", {}, caller="beta")
    assert await balance_of(office, suspense_short(bank)) == before + 7
    await carry_out_waiting(office.node.pool, executors_of(office.node))
    assert await balance_of(office, suspense_short(bank)) == before + 7


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"debit": "nothing"}, "/debit"),
        ({"credit": "payer:card_00000000000021nrag00000000:personal_account"}, "/credit"),
        ({"credit": "opening:110100", "debit": "opening:110100"}, "/credit"),
        ({"amount": 0}, "/amount"),
        ({"reason": ""}, "/reason"),
    ],
)
async def test_posting_that_cannot_be_names_its_field(office: Api, change: Json, pointer: str) -> None:
    wish = {"debit": "opening:110100", "credit": "fund:110100:310100", "amount": 1, "reason": "r"} | change
    reply = await office.post("/v1/postings", wish, caller="alpha")
    assert reply.status == 400
    assert reply.pointers == [pointer]


async def test_nobody_but_operators_corrects_anything(office: Api) -> None:
    for caller in ("merchant-0", "bank-0"):
        for path in ("/v1/postings", "/v1/clearing/files/SSC_102100000001_20261124_01_COLLECT_v1.txt/reissue"):
            body: Json = {"reason": "r"}
            if path == "/v1/postings":
                body |= {"debit": "opening:110100", "credit": "fund:110100:310100", "amount": 1}
            assert (await office.post(path, body, caller=caller)).status == 404


async def test_file_is_made_again_as_its_next_version(office: Api) -> None:
    await office.paid(card=0, amount=1_000)
    cycle = await office.publish()
    listed = await office.get(f"/v1/clearing/files?cycle={cycle_text(cycle)}&form=flat&kind=COLLECT", caller="bank-0")
    name = str(listed.items[0]["name"])
    done = await approved(
        office, await office.post(f"/v1/clearing/files/{name}/reissue", {"reason": "bank lost it"}, caller="alpha")
    )
    assert done["result"] == {"name": name.replace("_v1.", "_v2."), "replaces": name}
    for one in (name, done["result"]["name"]):
        assert (await office.get(f"/v1/clearing/files/{one}", caller="bank-0")).status == 200
    again = await approved(
        office, await office.post(f"/v1/clearing/files/{name}/reissue", {"reason": "again"}, caller="alpha")
    )
    assert again["result"]["name"] == done["result"]["name"], "what is replaced is not replaced again"
    unknown = await office.post("/v1/clearing/files/nothing/reissue", {"reason": "r"}, caller="alpha")
    assert unknown.refused == (404, "not-found")


async def a_difference(office: Api, *, by: int) -> tuple[str, Any]:
    """A reconciliation in which one line differs by *by* fen, and that difference."""
    await office.paid(card=0, amount=600)
    cycle = await office.publish()
    listed = await office.get(f"/v1/clearing/files?cycle={cycle_text(cycle)}&form=flat", caller="bank-0")
    lines: list[Line] = []
    for manifest in listed.items:
        if manifest["kind"] in ("COLLECT", "CREDIT"):
            content = (await office.get(f"/v1/clearing/files/{manifest['name']}", caller="bank-0")).body
            for n, item in enumerate(bank_file_formats()["flat"].decode([content])):
                if isinstance(item, ClearingItem):
                    is_debit = manifest["kind"] == "COLLECT"
                    lines.append(own_line(item, ref=f"{manifest['kind']}{n}", is_debit=is_debit, cycle=cycle))
    lines[0] = msgspec.structs.replace(lines[0], amount=lines[0].amount + by)
    content = statement(
        lines,
        business_date=cycle_date(cycle),
        cycle=cycle % 100,
        file_id=f"ST-{cycle}",
        sender=bank_number(0),
    )
    sent = await office.post("/v1/clearing/statements", content, caller="bank-0")
    assert sent.status in (200, 201), sent.body
    path = f"/v1/reconciliations/{sent.json['reconciliation_id']}"
    (difference,) = (await office.get(f"{path}/items", caller="alpha")).items
    return path, difference


@pytest.mark.parametrize(("by", "suspense", "sign"), [(1, suspense_long, -1), (-1, suspense_short, 1)])
async def test_difference_is_suspended_and_written_off_by_postings(
    office: Api, by: int, suspense: Callable[[BankId], AccountId], sign: int
) -> None:
    bank = office.world.banks[0]
    account = suspense(bank)
    path, difference = await a_difference(office, by=by)
    before, off_before = await balance_of(office, account), await balance_of(office, write_off(bank))
    resolution = f"{path}/items/{difference['n']}/resolution"
    asked = [
        await office.post(resolution, {"handling": "suspend_rest", "reason": "r"}, caller=caller)
        for caller in ("alpha", "beta")
    ]
    results = await asyncio.gather(approved(office, asked[0], by="beta"), approved(office, asked[1], by="alpha"))
    assert sorted(result["outcome"] for result in results) == ["done", "refused"], "one of two, whoever was first"
    assert await balance_of(office, account) == before + sign
    off = await office.post(resolution, {"handling": "write_off", "reason": "r"}, caller="alpha")
    await approved(office, off)
    assert await balance_of(office, account) == before
    assert await balance_of(office, write_off(bank)) == off_before + sign
    too_late = await office.post(resolution, {"handling": "suspend_rest", "reason": "r"}, caller="alpha")
    assert too_late.refused == (400, "field-invalid")
    nobody = await office.post(f"{path}/items/99/resolution", {"handling": "close", "reason": "r"}, caller="alpha")
    assert nobody.refused == (404, "not-found")


async def test_books_verify_after_all_of_it(office: Api) -> None:
    report = await verify_books(office.node.database_url, public_keys=None, progress=lambda *_: None)
    assert report.violation is None
