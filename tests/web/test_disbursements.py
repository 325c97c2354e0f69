"""Disbursements over HTTP: an agency sends a batch, two operators let it go, and everybody sees what is theirs."""

from collections.abc import Collection, Sequence

import msgspec
import pytest

from engine.core.disbursement import Payout
from engine.core.ids import CallerId, CardId, DisbursementLineId, IdKind, id_text, parse_id
from engine.flows.disburse_send import Sender
from engine.store.payouts import mark_returned
from engine.web.app import build_app
from engine.web.node import NODE
from tests.agencies import a_batch, benefit_line, one_line_each
from tests.builders import an_id
from tests.web.api import Api, Json, Reply, a_key, nobodys_id
from tests.web.operators import add_keys, add_operators, approve, result_of
from tests.web.test_bills import add_agencies

CARDS = 3


def cards_of(api: Api) -> tuple[CardId, ...]:
    return api.world.cards[:CARDS]


async def sent_in(
    api: Api, content: bytes, *, batch_no: str = "", caller: str = "payer", key: str | None = None
) -> Reply:
    """What is answered to a batch."""
    target = "/v1/disbursements" + (f"?batch_no={batch_no}" if batch_no else "")
    return await api.post(target, content, caller=caller, key=key)


async def a_draft(api: Api) -> str:
    """The path of a batch that was accepted, of an agency and with operators that are registered."""
    await add_agencies(api, "payer", "other")
    await add_operators(api)
    sent = await sent_in(api, one_line_each(cards_of(api)), batch_no="N-1")
    assert sent.status == 201, sent.body
    return f"/v1/disbursements/{sent['id']}"


async def let_go(api: Api, path: str) -> Reply:
    """What the second operator is answered."""
    return await approve(api, await api.post(f"{path}/approval", {"reason": "pay day"}, caller="alpha"))


async def lines(api: Api, path: str, query: str = "", *, caller: str = "payer") -> list[Json]:
    """Lines of a batch."""
    return (await api.get(f"{path}/lines{query}", caller=caller)).items


async def test_batch_is_let_go_by_two_and_sent(api: Api) -> None:
    path = await a_draft(api)
    draft = await api.get(path, caller="payer")
    assert (draft["status"], draft["batch_no"], draft["count"], draft["amount"]) == ("draft", "N-1", 3, 3_000)
    assert draft["funds"] == [{"region": "110100", "fund_pay_type": "310100", "count": 3, "amount": 3_000}]
    asked = await api.post(f"{path}/approval", {"reason": "pay day"}, caller="alpha")
    assert asked["kind"] == "disbursement"
    payload = asked["payload"]
    assert isinstance(payload, dict)
    assert (payload["amount"], payload["funds"]) == (3_000, draft["funds"])
    own = await api.post(f"/v1/approvals/{asked['id']}/approve", caller="alpha")
    assert own.refused == (403, "approval-required")
    decided = await approve(api, asked)
    assert (decided.status, decided["outcome"]) == (200, "done")
    assert result_of(decided)["lines"] == 3
    assert (await api.get(path, caller="payer"))["status"] == "approved"
    assert await Sender(api.node.pool, api.node.ledger, api.node.eligibility).send_due() == 3
    seen = await api.get(path, caller="alpha")
    assert (seen["status"], seen["approval_id"]) == ("sent", asked["id"])
    assert seen["lines"] == {"pending": 0, "held": 0, "sent": 3, "paid": 0, "returned": 0, "reissued": 0}


async def test_lines_come_in_their_order_and_by_status(api: Api) -> None:
    path = await a_draft(api)
    page = await api.get(f"{path}/lines?limit=2", caller="payer")
    rest = await api.get(f"{path}/lines?limit=2&cursor={page['next_cursor']}", caller="payer")
    shown = [*page.items, *rest.items]
    assert [line["card_id"] for line in shown] == [id_text(card) for card in cards_of(api)]
    assert [line["n"] for line in shown] == [1, 2, 3]
    assert (shown[0]["period"], shown[0]["fund_pay_type"], rest["next_cursor"]) == ("202611", "310100", None)
    assert len(await lines(api, path, "?status=pending")) == 3
    for status in ("held", "sent", "paid", "returned", "reissued"):
        assert await lines(api, path, f"?status={status}") == []
    for query, pointer in (("status=gone", "/status"), ("cursor=x", "/cursor"), ("limit=0", "/limit")):
        refused = await api.get(f"{path}/lines?{query}", caller="payer")
        assert (refused.status, refused.pointers) == (400, [pointer])


async def test_faults_are_named_by_line(api: Api) -> None:
    await add_agencies(api, "payer")
    content = a_batch([benefit_line(cards_of(api)[0]), benefit_line(nobodys_id(IdKind.CARD))])
    refused = await sent_in(api, content)
    assert refused.refused == (422, "file-malformed")
    assert refused.pointers == ["/lines/3/card_id"]
    assert await api.sql.fetchval("SELECT count(*) FROM disbursement_line") == 0


async def test_benefit_that_is_in_a_batch_is_refused(api: Api) -> None:
    await a_draft(api)
    refused = await sent_in(api, a_batch([benefit_line(cards_of(api)[1])]), caller="other")
    assert refused.refused == (409, "disbursement-duplicate")
    assert refused.pointers == ["/lines/2/benefit_code"]


async def test_same_bytes_are_the_same_batch(api: Api) -> None:
    await add_agencies(api, "payer")
    content, key = one_line_each(cards_of(api)), a_key()
    first, again = await sent_in(api, content, key=key), await sent_in(api, content, key=key)
    assert (again.status, again["id"], again.is_replay) == (201, first["id"], True)
    other = await sent_in(api, a_batch([benefit_line(cards_of(api)[0], period="202601")]), key=key)
    assert other.refused == (422, "idempotency-key-reused")


async def test_withdrawn_batch_frees_its_benefits(api: Api) -> None:
    path = await a_draft(api)
    assert (await api.post(f"{path}/withdraw", caller="other")).refused == (404, "not-found")
    gone = await api.post(f"{path}/withdraw", caller="payer")
    assert (gone.status, gone["status"]) == (200, "withdrawn")
    assert (await sent_in(api, one_line_each(cards_of(api), amount=2), batch_no="N-2")).status == 201
    asked = await api.post(f"{path}/approval", {"reason": "pay day"}, caller="alpha")
    assert asked.refused == (409, "disbursement-state-conflict")
    approved = await sent_in(api, one_line_each(cards_of(api), period="202601"), batch_no="N-3")
    await let_go(api, f"/v1/disbursements/{approved['id']}")
    late = await api.post(f"/v1/disbursements/{approved['id']}/withdraw", caller="payer")
    assert late.refused == (409, "disbursement-state-conflict")


async def test_operators_of_other_regions_neither_see_nor_release(api: Api) -> None:
    path = await a_draft(api)
    assert (await api.get(path, caller="shanghai")).refused == (404, "not-found")
    assert (await api.get(f"{path}/lines", caller="shanghai")).refused == (404, "not-found")
    assert (await api.get("/v1/disbursements", caller="shanghai")).items == []
    asked = await api.post(f"{path}/approval", {"reason": "pay day"}, caller="shanghai")
    assert asked.refused == (404, "not-found")
    assert (await api.post(f"{path}/approval", {"reason": "pay day"}, caller="delta")).refused == (
        403,
        "scope-not-authorized",
    )


async def test_agencies_see_their_own_batches_newest_first(api: Api) -> None:
    path = await a_draft(api)
    for hidden in (path, f"{path}/lines"):
        assert (await api.get(hidden, caller="other")).refused == (404, "not-found")
    for batch_no, period in (("N-2", "202601"), ("N-3", "202602")):
        await sent_in(api, one_line_each(cards_of(api), period=period), batch_no=batch_no)
    page = await api.get("/v1/disbursements?limit=2", caller="payer")
    rest = await api.get(f"/v1/disbursements?limit=2&cursor={page['next_cursor']}", caller="payer")
    assert [item["batch_no"] for item in (*page.items, *rest.items)] == ["N-3", "N-2", "N-1"]
    assert (await api.get("/v1/disbursements", caller="other")).items == []
    assert len((await api.get("/v1/disbursements", caller="beijing")).items) == 3


class Late:
    """Everybody is late."""

    async def overdue(self, payouts: Sequence[Payout]) -> Collection[DisbursementLineId]:
        """All of them."""
        return [payout.id for payout in payouts]


async def test_lines_are_held_while_their_payees_are_late(api: Api) -> None:
    path = await a_draft(api)
    node = msgspec.structs.replace(api.node, eligibility=Late())
    assert build_app(node)[NODE].eligibility is node.eligibility
    await let_go(api, path)
    assert await Sender(node.pool, node.ledger, node.eligibility).send_due() == 0
    held = await lines(api, path, "?status=held")
    assert [line["reason"] for line in held] == ["certification-overdue"] * 3
    assert (await api.get(path, caller="payer"))["status"] == "approved"


async def test_returned_line_is_issued_again(api: Api) -> None:
    path = await a_draft(api)
    await let_go(api, path)
    sender = Sender(api.node.pool, api.node.ledger, api.node.eligibility)
    await sender.send_due()
    first = (await lines(api, path))[0]
    again = f"{path}/lines/{first['id']}/reissue"
    assert (await api.post(again, {"reason": "r"}, caller="alpha")).refused == (409, "disbursement-state-conflict")
    line = DisbursementLineId(parse_id(str(first["id"]), IdKind.DISBURSEMENT_LINE))
    await mark_returned(api.node.pool, [(line, "AC04")])
    (returned,) = await lines(api, path, "?status=returned")
    assert returned["reason"] == "AC04"
    decided = await approve(api, await api.post(again, {"reason": "a new account"}, caller="alpha"))
    (waiting,) = await lines(api, path, "?status=pending")
    assert (waiting["replaces"], waiting["id"]) == (first["id"], result_of(decided)["replaced_by"])
    assert await sender.send_due() == 1


@pytest.mark.parametrize("path", ["", f"/{nobodys_id(IdKind.DISBURSEMENT)}", "/nothing/lines"])
async def test_for_merchants_and_banks_there_are_no_disbursements(api: Api, path: str) -> None:
    for caller in ("merchant-0", "bank-0", "channel"):
        assert (await api.get(f"/v1/disbursements{path}", caller=caller)).refused == (404, "not-found")


async def test_only_agencies_send_batches(api: Api) -> None:
    await add_operators(api)
    await add_keys(api, {"stray": CallerId(an_id(IdKind.AGENCY))})
    for caller in ("merchant-0", "bank-0", "alpha"):
        assert (await sent_in(api, one_line_each(cards_of(api)), caller=caller)).refused == (404, "not-found")
    assert (await sent_in(api, one_line_each(cards_of(api)), caller="stray")).refused == (403, "scope-not-authorized")
    refused = await sent_in(api, b"-", batch_no="a%20b", caller="stray")
    assert (refused.status, refused.pointers) == (400, ["/batch_no"])


async def test_what_is_in_no_form_of_a_batch_is_refused(api: Api) -> None:
    await add_agencies(api, "payer")
    statement = b"H|1|F-1|102100000001|SSC|20261124|01|STATEMENT|2026-11-25T00:00:00.000000Z|156|\n"
    refused = await sent_in(api, statement)
    assert refused.status == 422
    assert await api.sql.fetchval("SELECT count(*) FROM disbursement") == 0
