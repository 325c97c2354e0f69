"""A bank sends its statement and sees what it differs in; nobody else does, but operators."""

import hashlib
from collections.abc import Iterable

import msgspec
import pytest
import pytest_asyncio

from engine.codes.http_signature import content_digest
from engine.core.bank_lines import Direction
from engine.core.calendar import CycleNumber, cycle_date, cycle_text
from engine.core.clearing_lines import ClearingItem
from engine.core.ids import IdKind, id_text
from engine.formats import bank_file_formats
from engine.web import boundary
from tests.flows.statement_books import Line, line_of, statement
from tests.web.api import Api, Json, Reply, a_key, bank_number, nobodys_id
from tests.web.operators import add_operators

pytestmark = pytest.mark.asyncio(loop_scope="module")

STATEMENTS = "/v1/clearing/statements"
RECONCILIATIONS = "/v1/reconciliations"
OWN = bank_number(0)


class Day(msgspec.Struct, frozen=True):
    """A cycle that is out, and what bank-0 was told in it."""

    cycle: CycleNumber
    lines: tuple[Line, ...]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def day(city: Api) -> Day:
    """Payments by cards of several banks, some above what a personal account has, and a refund."""
    for card, amount in ((0, 100_500), (1, 100_700), (3, 500)):
        reply = await city.pay(card=card, amount=amount, caller=f"merchant-{card % 2}")
        assert reply.status == 201, reply.body
    payment = await city.paid(card=3, amount=1_000)
    await city.post(f"{payment}/refunds", {"refund_no": "R", "amount": 400})
    cycle = await city.publish()
    return Day(cycle, tuple([line async for line in _lines(city, cycle)]))


async def _lines(city: Api, cycle: CycleNumber):  # type: ignore[no-untyped-def]  # an async generator of lines
    """What a bank books that does what its files say."""
    listed = await city.get(f"/v1/clearing/files?cycle={cycle_text(cycle)}&form=flat", caller="bank-0")
    for manifest in listed.items:
        if manifest["kind"] in ("COLLECT", "CREDIT"):
            content = (await city.get(f"/v1/clearing/files/{manifest['name']}", caller="bank-0")).body
            for n, item in enumerate(bank_file_formats()["flat"].decode([content])):
                if isinstance(item, ClearingItem):
                    yield own_line(
                        item, ref=f"{manifest['kind']}{n}", is_debit=manifest["kind"] == "COLLECT", cycle=cycle
                    )


def own_line(item: ClearingItem, *, ref: str, is_debit: bool, cycle: CycleNumber) -> Line:
    """What bank-0 books of an item."""
    line = line_of(item, booked_on=cycle_date(cycle), ref=ref)
    return msgspec.structs.replace(line, direction=Direction.DEBIT if is_debit else Direction.CREDIT)


_numbers = iter(range(10**6))


def a_statement(day: Day, lines: Iterable[Line] | None = None, *, file_id: str | None = None) -> bytes:
    """A statement of the day with a file id of its own."""
    return statement(
        day.lines if lines is None else lines,
        business_date=cycle_date(day.cycle),
        cycle=day.cycle % 100,
        file_id=file_id if file_id is not None else f"ST-{next(_numbers)}",
        sender=OWN,
    )


async def sent(city: Api, content: bytes, *, caller: str = "bank-0", key: str | None = None) -> Reply:
    """The answer to an upload."""
    return await city.post(STATEMENTS, content, caller=caller, key=key)


async def test_a_true_statement_is_balanced(city: Api, day: Day) -> None:
    content = a_statement(day, file_id="TRUE")
    reply = await sent(city, content)
    assert reply.status == 201, reply.body
    assert (
        reply.json.items()
        >= {
            "file_id": "TRUE",
            "form": "flat",
            "business_date": str(cycle_date(day.cycle)),
            "cycle": cycle_text(day.cycle),
            "count": len(day.lines),
            "size": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
        }.items()
    )
    shown = (await city.get(f"{RECONCILIATIONS}/{reply['reconciliation_id']}", caller="bank-0")).json
    assert shown["state"] == "balanced"
    assert shown["counts"] == {
        "matched": len(day.lines),
        **dict.fromkeys(("long", "short", "amount_diff", "status_diff", "date_diff", "duplicate", "direction_diff"), 0),
    }
    assert shown["ours"] == shown["theirs"]
    assert shown["unsettled"] == 0


async def test_one_fen_is_found_and_shown(city: Api, day: Day) -> None:
    lines = list(day.lines)
    lines[0] = msgspec.structs.replace(lines[0], amount=lines[0].amount + 1)
    reply = await sent(city, a_statement(day, lines))
    path = f"{RECONCILIATIONS}/{reply['reconciliation_id']}"
    shown = await city.get(path, caller="bank-0")
    assert (shown["state"], shown["unsettled"]) == ("different", 1)
    (difference,) = (await city.get(f"{path}/items", caller="bank-0")).items
    assert (
        difference.items()
        >= {
            "n": 1,
            "class": "amount_diff",
            "effect": "long",
            "cause": "other_amount",
            "payment_id": lines[0].payment_id,
            "state": "open",
            "age_days": 0,
            "owner": None,
            "tied_to": None,
            "suggested": [],
        }.items()
    )
    ours, theirs = difference["ours"], difference["theirs"]
    assert isinstance(ours, dict)
    assert isinstance(theirs, dict)
    assert theirs["amount"] == ours["amount"] + 1
    assert theirs["bank_ref"] == lines[0].ref
    assert ours["line"] >= 1


async def test_the_same_file_is_answered_with_the_same_receipt(city: Api, day: Day) -> None:
    content = a_statement(day)
    first, again = await sent(city, content), await sent(city, content)
    assert (first.status, again.status, first.body) == (201, 201, again.body)
    assert (first.is_replay, again.is_replay) == (False, True)


async def test_other_bytes_under_the_same_id_are_refused(city: Api, day: Day) -> None:
    await sent(city, a_statement(day, file_id="TWICE"))
    reply = await sent(city, a_statement(day, day.lines[1:], file_id="TWICE"))
    assert reply.refused == (409, "file-duplicate")


async def test_every_fault_is_named(city: Api, day: Day) -> None:
    content = a_statement(day).replace(b"D|2|", b"D|3|", 1)
    reply = await sent(city, content)
    assert reply.refused == (422, "file-malformed")
    assert "/lines/3/seq" in reply.pointers
    total = a_statement(day)
    head, trailer = total[: total.rindex(b"T|")], total[total.rindex(b"T|") :]
    broken = head + trailer.replace(f"T|{len(day.lines)}|".encode(), b"T|99|")
    assert (await sent(city, broken)).refused == (422, "control-total-mismatch")


async def test_a_key_is_needed_and_good_for_one_file(city: Api, day: Day) -> None:
    content = a_statement(day)
    unkeyed = city.signed("POST", STATEMENTS, caller="bank-0", body=content)
    assert (await city.send("POST", STATEMENTS, headers=unkeyed, body=content)).refused == (
        400,
        "idempotency-key-missing",
    )
    key = a_key()
    assert (await sent(city, content, key=key)).status == 201
    assert (await sent(city, a_statement(day), key=key)).refused == (422, "idempotency-key-reused")


@pytest.mark.parametrize("caller", ["merchant-0", "operator", "channel"])
async def test_only_banks_send_statements(city: Api, day: Day, caller: str) -> None:
    assert (await sent(city, a_statement(day), caller=caller)).refused == (404, "not-found")


async def test_another_bank_cannot_send_or_see_it(city: Api, day: Day) -> None:
    content = a_statement(day)
    foreign = await sent(city, content, caller="bank-1")
    assert foreign.refused == (422, "file-malformed")
    assert foreign.pointers == ["/heading/sender"]
    found = (await sent(city, content))["reconciliation_id"]
    for path in (f"{RECONCILIATIONS}/{found}", f"{RECONCILIATIONS}/{found}/items"):
        theirs = await city.get(path, caller="bank-1")
        nobodys = await city.get(path.replace(str(found), nobodys_id(IdKind.RECONCILIATION)), caller="bank-1")
        assert (theirs.status, theirs.code) == (nobodys.status, nobodys.code) == (404, "not-found")
    listed = (await city.get(RECONCILIATIONS, caller="bank-1")).items
    assert found not in [one["id"] for one in listed]
    assert (await city.get(f"{RECONCILIATIONS}?bank=x", caller="bank-1")).refused == (400, "unknown-field")


async def test_operators_see_all_banks(city: Api, day: Day) -> None:
    await add_operators(city)
    found = (await sent(city, a_statement(day)))["reconciliation_id"]
    bank = id_text(city.world.banks[0])
    shown = await city.get(f"{RECONCILIATIONS}/{found}", caller="alpha")
    assert (shown.status, shown["bank"]) == (200, bank)
    assert (await city.get(f"{RECONCILIATIONS}/{found}/items", caller="alpha")).items == []
    mine = (await city.get(f"{RECONCILIATIONS}?bank={bank}", caller="alpha")).items
    assert mine == (await city.get(RECONCILIATIONS, caller="bank-0")).items
    others = id_text(city.world.banks[1])
    assert (await city.get(f"{RECONCILIATIONS}?bank={others}", caller="alpha")).items == []
    assert (await city.get(f"{RECONCILIATIONS}?bank=x", caller="alpha")).refused == (400, "field-invalid")


async def test_a_digest_that_is_not_the_bodys_leaves_nothing(city: Api, day: Day) -> None:
    content = a_statement(day)
    before = await city.sql.fetchval("SELECT count(*) FROM upload")
    headers = city.signed(
        "POST", STATEMENTS, caller="bank-0", body=content, key_header='"k"', digest=content_digest(content + b" ")
    )
    reply = await city.send("POST", STATEMENTS, headers=headers, body=content)
    assert reply.refused == (401, "content-digest-mismatch")
    assert await city.sql.fetchval("SELECT count(*) FROM upload") == before


async def test_a_signature_is_judged_before_the_body(city: Api, day: Day, monkeypatch: pytest.MonkeyPatch) -> None:
    content = a_statement(day)
    headers = city.signed("POST", STATEMENTS, caller="bank-0", body=content, key_header='"k"', created=1)
    assert (await city.send("POST", STATEMENTS, headers=headers, body=content)).code == "signature-expired"
    nonce = a_key()
    again = [
        city.signed("POST", STATEMENTS, caller="bank-0", body=content, key_header='"n"', nonce=nonce) for _ in range(2)
    ]
    replies = [await city.send("POST", STATEMENTS, headers=signed, body=content) for signed in again]
    assert [reply.code for reply in replies] == [None, "request-replayed"]
    undigested = {name: text for name, text in again[0].items() if name.lower() != "content-digest"}
    assert (await city.send("POST", STATEMENTS, headers=undigested, body=content)).status == 401
    coded = await city.send("POST", STATEMENTS, headers={**headers, "Content-Encoding": "gzip"}, body=content)
    assert coded.status == 415
    monkeypatch.setattr(boundary, "UPLOAD_PAUSE_S_MAX", 0.01)
    signed = city.signed("POST", STATEMENTS, caller="bank-0", body=content, key_header='"slow"')
    lines = [f"POST {STATEMENTS} HTTP/1.1", "Host: x", f"Content-Length: {len(content)}"]
    head = "\r\n".join([*lines, *(f"{name}: {text}" for name, text in signed.items()), "", ""]).encode()
    assert b" 408 " in await city.exchange(head, content[:20])


async def test_a_body_that_is_too_large_is_refused(city: Api, day: Day, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.flows.receive_upload.UPLOAD_BYTES_MAX", 100)
    assert (await sent(city, a_statement(day))).refused == (413, "body-too-large")


async def test_lists_are_paged_and_filtered(city: Api, day: Day) -> None:
    newest = (await sent(city, a_statement(day)))["reconciliation_id"]
    whole = (await city.get(RECONCILIATIONS, caller="bank-0")).items
    assert whole[0]["id"] == newest
    states = {state: await _ids(city, f"state={state}") for state in ("balanced", "superseded", "different", "pending")}
    assert newest in states["balanced"]
    assert states["pending"] == []
    assert {one for found in states.values() for one in found} == {one["id"] for one in whole}
    paged: list[Json] = []
    cursor = ""
    while True:
        page = await city.get(f"{RECONCILIATIONS}?limit=2{cursor}", caller="bank-0")
        paged += page.items
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert paged == whole
    assert await _ids(city, f"business_date={cycle_date(day.cycle)}") == [one["id"] for one in whole]
    assert await _ids(city, "business_date=2020-01-01") == []
    assert (await city.get(f"{RECONCILIATIONS}?state=none", caller="bank-0")).refused == (400, "field-invalid")


async def _ids(city: Api, query: str) -> list[object]:
    reply = await city.get(f"{RECONCILIATIONS}?{query}", caller="bank-0")
    assert reply.status == 200, reply.body
    return [one["id"] for one in reply.items]


async def test_differences_are_paged_and_filtered(city: Api, day: Day) -> None:
    lines = [*day.lines[2:], Line("x", "", day.lines[0].direction, 5, cycle_date(day.cycle))]
    path = f"{RECONCILIATIONS}/{(await sent(city, a_statement(day, lines)))['reconciliation_id']}/items"
    whole = (await city.get(path, caller="bank-0")).items
    assert sorted(str(one["class"]) for one in whole) == ["long", "short", "short"]
    first = await city.get(f"{path}?limit=2", caller="bank-0")
    rest = await city.get(f"{path}?limit=2&cursor={first['next_cursor']}", caller="bank-0")
    assert first.items + rest.items == whole
    assert rest["next_cursor"] is None
    long = await city.get(f"{path}?class=long&state=open", caller="bank-0")
    assert [one["theirs"]["bank_ref"] for one in long.items] == ["x"]  # type: ignore[index]  # an object
    assert (await city.get(f"{path}?class=matched", caller="bank-0")).refused == (400, "field-invalid")
    assert (await city.get(f"{path}?cursor=x", caller="bank-0")).refused == (400, "field-invalid")


async def test_a_line_without_a_reference_is_suggested_beside_the_missing_item(city: Api, day: Day) -> None:
    reply = await sent(city, a_statement(day, day.lines[1:]))
    found = reply["reconciliation_id"]
    (missing,) = (await city.get(f"{RECONCILIATIONS}/{found}/items", caller="bank-0")).items
    ours = missing["ours"]
    assert isinstance(ours, dict)
    await city.sql.execute(
        "INSERT INTO difference SELECT reconciliation, 2, bank, 2, 1, 2, 2, 1, 2, true, '', '', NULL, NULL, NULL, NULL,"
        " NULL, '', our_direction, our_amount, our_date, 9, 'bank-ref', account, NULL, NULL, 1, first_seen_at,"
        " first_seen_on, '', false, NULL, '', NULL FROM difference WHERE payment_id = $1 AND state = 1 AND is_loose",
        missing["payment_id"],
    )
    both = (await city.get(f"{RECONCILIATIONS}/{found}/items", caller="bank-0")).items
    assert [one["suggested"] for one in both] == [
        [{"reconciliation_id": found, "n": 2}],
        [{"reconciliation_id": found, "n": 1}],
    ]
    assert {one["state"] for one in both} == {"open"}
