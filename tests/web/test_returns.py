"""A bank says what it does not take: a file, lines of it, items that it cannot book; and payments show it."""

import hashlib

import msgspec
import pytest
import pytest_asyncio

from engine.core.calendar import CycleNumber, cycle_text
from engine.core.clearing_lines import ClearingItem
from engine.core.ids import IdKind, parse_id
from engine.core.line_columns import columns_of
from engine.core.settlement import Outcome
from engine.flows.settle_cycle import answer_settlement
from engine.formats import bank_file_formats
from engine.formats.flat_layout import detail_texts
from engine.workers.timetable import instruct_by_hand
from tests.flows.return_books import with_trailer
from tests.web.api import Api, Json, Reply, bank_number

pytestmark = pytest.mark.asyncio(loop_scope="module")

RETURNS = "/v1/clearing/returns"
_numbers = iter(range(10**6))


class Out(msgspec.Struct, frozen=True):
    """A payment by bank-0's card whose cycle is out, and the file that collects it."""

    cycle: CycleNumber
    path: str  # the payment's
    manifest: Json
    item: ClearingItem
    place: int

    @property
    def acknowledgement(self) -> str:
        """Where the file is acknowledged."""
        return f"/v1/clearing/files/{self.manifest['name']}/acknowledgement"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def spent(city: Api) -> None:
    """Nothing is left in a personal account, so that the bank card pays."""
    await city.paid(card=0, amount=100_000)


@pytest_asyncio.fixture(loop_scope="module")
async def out(city: Api, spent: None) -> Out:
    """A payment of a bank card's, in a cycle of its own."""
    path = await city.paid(card=0, amount=500)
    cycle = await city.publish()
    listed = await city.get(f"/v1/clearing/files?cycle={cycle_text(cycle)}&form=flat&kind=COLLECT", caller="bank-0")
    (manifest,) = listed.items
    content = (await city.get(f"/v1/clearing/files/{manifest['name']}", caller="bank-0")).body
    items = [one for one in bank_file_formats()["flat"].decode([content]) if isinstance(one, ClearingItem)]
    payment = path.rpartition("/")[2]
    place, item = next((n, one) for n, one in enumerate(items, 1) if one.payment_id == payment and one.leg == "BANK")
    return Out(cycle, path, manifest, item, place)


def a_return(item: ClearingItem, *, sender: str = bank_number(0), file_id: str | None = None) -> bytes:
    """A file of one return."""
    name = file_id or f"RT-{next(_numbers)}"
    told = [msgspec.structs.replace(item, remark="AC04 B-1")]
    rows = [f"H|1|{name}|{sender}|SSC|20261124|01|RETURN|2026-11-25T00:00:00.000000Z|156|"]
    rows += [f"D|{n}|{text}" for n, text in enumerate(detail_texts(columns_of(told)), 1)]
    return with_trailer(rows, told, sender)


def said(out: Out, status: str, *reasons: tuple[int, str], **changes: object) -> Json:
    """An acknowledgement in JSON."""
    totals = out.manifest["totals"]
    assert isinstance(totals, dict)
    body: Json = {
        "status": status,
        "count": out.manifest["count"],
        "total": totals["debit"] + totals["credit"],
        "reasons": [{"line": line, "code": code} for line, code in reasons],
    }
    return body | changes


async def acknowledged(city: Api, out: Out, body: object, *, caller: str = "bank-0") -> Reply:
    """The answer to an acknowledgement."""
    return await city.post(out.acknowledgement, body, caller=caller)


async def clearing_status(city: Api, out: Out) -> object:
    """What the payment shows."""
    return (await city.get(out.path))["clearing_status"]


async def test_a_return_shows_on_its_payment(city: Api, out: Out) -> None:
    assert await clearing_status(city, out) == "published"
    content = a_return(out.item)
    reply, again = [await city.post(RETURNS, content, caller="bank-0") for _ in range(2)]
    assert reply.status == 201, reply.body
    assert (reply["count"], reply["sha256"]) == (1, hashlib.sha256(content).hexdigest())
    assert (again.status, again.body, again.is_replay) == (201, reply.body, True)
    assert await clearing_status(city, out) == "returned"
    listed = (await city.get("/v1/payments?limit=1")).items
    assert [one["clearing_status"] for one in listed] == ["returned"]


async def test_a_payment_is_settled_with_its_cycle(city: Api, out: Out) -> None:
    await instruct_by_hand(city.node.database_url, books=city.node.clearing)
    for row in await city.sql.fetch("SELECT cycle FROM clearing_run WHERE settled_at IS NULL ORDER BY cycle"):
        await answer_settlement(
            city.node.pool, cycle=row["cycle"], outcome=Outcome.CONFIRMED, reference="R", books=city.node.clearing
        )
    assert await clearing_status(city, out) == "settled"


async def test_every_fault_of_a_return_is_named(city: Api, out: Out) -> None:
    wrong = await city.post(RETURNS, a_return(msgspec.structs.replace(out.item, amount=1)), caller="bank-0")
    assert (wrong.refused, wrong.pointers) == ((422, "file-malformed"), ["/lines/2/amount"])
    foreign = msgspec.structs.replace(out.item, debit_bank=bank_number(1), credit_bank=bank_number(1))
    other = await city.post(RETURNS, a_return(foreign, sender=bank_number(1)), caller="bank-1")
    assert (other.refused, other.pointers) == ((422, "file-malformed"), ["/lines/2/payment_id"])


async def test_a_file_is_acknowledged_once(city: Api, out: Out) -> None:
    reply = await acknowledged(city, out, said(out, "ACTC"))
    assert reply.status == 200, reply.body
    assert reply.json == {"name": out.manifest["name"], "status": "acknowledged"}
    again = await acknowledged(city, out, said(out, "ACTC"))
    assert (again.body, again.is_replay) == (reply.body, True)
    assert (await acknowledged(city, out, said(out, "RJCT", (0, "AM10")))).refused == (409, "file-acknowledged")
    listed = await city.get(f"/v1/clearing/files?cycle={cycle_text(out.cycle)}&form=flat&kind=COLLECT", caller="bank-0")
    assert [one["status"] for one in listed.items] == ["acknowledged"]


async def test_named_lines_are_given_back(city: Api, out: Out) -> None:
    reply = await acknowledged(city, out, said(out, "PART", (out.place, "AC04")))
    assert reply.status == 200, reply.body
    assert reply["status"] == "part"
    assert await clearing_status(city, out) == "returned"
    payment = parse_id(out.item.payment_id, IdKind.PAYMENT)
    kinds = await city.sql.fetch("SELECT kind FROM posting WHERE payment = $1 AND kind IN (4, 5)", payment)
    assert len(kinds) == 1


async def test_an_acknowledgement_may_be_a_file(city: Api, out: Out) -> None:
    body = (
        f"H|1|ACK-{next(_numbers)}|{bank_number(0)}|SSC|20261124|01|ACK|2026-11-25T00:00:00.000000Z|156|"
        f"{out.manifest['sha256']}\n"
    ).encode()
    content = body + f"T|0|0|0|0|{hashlib.sha256(body).hexdigest()}\n".encode()
    elsewhere = out.acknowledgement.replace("COLLECT", "CREDIT")
    refused = await city.post(elsewhere, content, caller="bank-0")
    assert refused.refused == (422, "file-malformed")
    reply = await acknowledged(city, out, content)
    assert reply.status == 200, reply.body
    assert reply["status"] == "acknowledged"


@pytest.mark.parametrize(
    ("changes", "refused", "pointers"),
    [
        ({"count": 99}, (422, "control-total-mismatch"), ["/count"]),
        ({"total": 99}, (422, "control-total-mismatch"), ["/total"]),
        ({"status": "PART"}, (422, "file-malformed"), ["/status"]),
        ({"status": "OK"}, (400, "field-invalid"), ["/status"]),
        ({"reasons": [{"line": 1, "code": "bad"}]}, (400, "field-invalid"), ["/reasons/0/code"]),
        (
            {"status": "PART", "reasons": [{"line": 10**8, "code": "AC04"}]},
            (422, "file-malformed"),
            ["/reasons/0/line"],
        ),
    ],
)
async def test_what_does_not_fit_is_refused(
    city: Api, out: Out, changes: Json, refused: tuple[int, str], pointers: list[str]
) -> None:
    reply = await acknowledged(city, out, said(out, "ACTC") | changes)
    assert (reply.refused, reply.pointers) == (refused, pointers)


async def test_nobody_else_acknowledges(city: Api, out: Out) -> None:
    for caller in ("bank-1", "merchant-0", "operator"):
        assert (await acknowledged(city, out, said(out, "ACTC"), caller=caller)).refused == (404, "not-found")
        if caller != "bank-1":
            assert (await city.post(RETURNS, a_return(out.item), caller=caller)).refused == (404, "not-found")
    unkeyed = city.signed("POST", out.acknowledgement, caller="bank-0", body=b"{}")
    reply = await city.send("POST", out.acknowledgement, headers=unkeyed, body=b"{}")
    assert reply.refused == (400, "idempotency-key-missing")
