"""A lost card stops at once: what was answered before the report stands, and nothing is taken after it."""

import asyncio
from datetime import datetime

import pytest
import pytest_asyncio

from engine.core.ids import IdKind, id_text
from engine.store.rows import remembered_of
from tests.agencies import an_agency
from tests.web.api import Api, a_key, nobodys_id
from tests.web.operators import add_operators

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROUNDS = 6
PAYMENTS_A_ROUND = 24
EVENTS = "SELECT body FROM event ORDER BY business_date, lane, seq, n"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(city: Api) -> Api:
    """The city with operators."""
    await add_operators(city)
    agency = await an_agency(city.sql, city.world)
    await city.sql.execute("UPDATE caller_key SET caller = $1 WHERE keyid = 'agency'", agency)
    return city


@pytest.mark.parametrize("caller", ["channel", "beijing", "agency"])
async def test_who_may_stop_a_card(town: Api, caller: str) -> None:
    city = town
    lost = await city.post(f"{city.card_path(1)}/loss-report", caller=caller)
    assert (lost.status, lost["id"], lost["status"]) == (200, id_text(city.world.cards[1]), "lost")
    assert {"id", "status", "issue_level", "at"} == set(lost.json)
    assert (await city.pay(card=1)).refused == (403, "card-reported-lost")
    back = await city.post(f"{city.card_path(1)}/reinstate", caller=caller)
    assert (back.status, back["status"]) == (200, "active")
    assert (await city.pay(card=1)).status == 201


@pytest.mark.parametrize("caller", ["merchant-0", "bank-0"])
@pytest.mark.parametrize("operation", ["loss-report", "reinstate"])
async def test_who_may_not(city: Api, caller: str, operation: str) -> None:
    assert (await city.post(f"{city.card_path(0)}/{operation}", caller=caller)).refused == (404, "not-found")
    assert (await city.pay(card=0)).status == 201


@pytest.mark.parametrize(
    "card",
    [
        nobodys_id(IdKind.CARD),
        nobodys_id(IdKind.PAYMENT),
        nobodys_id(IdKind.CARD).upper(),
        nobodys_id(IdKind.CARD)[:-1],
        "card_%00",
        "1",
    ],
)
async def test_card_that_there_is_not(city: Api, card: str) -> None:
    for operation in ("loss-report", "reinstate"):
        reply = await city.post(f"/v1/cards/{card}/{operation}", caller="channel")
        assert reply.refused == (404, "not-found")


async def test_report_may_be_made_twice(city: Api) -> None:
    reports = [await city.post(f"{city.card_path(2)}/loss-report", caller="channel") for _ in range(2)]
    assert [(reply.status, reply["status"]) for reply in reports] == [(200, "lost")] * 2
    assert (await city.post(f"{city.card_path(2)}/reinstate", caller="channel"))["status"] == "active"


async def test_operator_stops_cards_of_its_region_and_an_auditor_none(town: Api) -> None:
    for operation, caller, refused in (
        ("loss-report", "shanghai", (403, "region-not-permitted")),
        ("loss-report", "delta", (403, "scope-not-authorized")),
        ("reinstate", "shanghai", (403, "region-not-permitted")),
        ("reinstate", "gamma", (403, "scope-not-authorized")),  # a reviewer stops, and lets nobody go on
    ):
        assert (await town.post(f"{town.card_path(0)}/{operation}", caller=caller)).refused == refused
    assert (await town.pay(card=0)).status == 201


async def test_card_that_ended_otherwise_is_not_brought_back(city: Api) -> None:
    await city.sql.execute("UPDATE payer SET status = 4 WHERE id = $1", city.world.cards[3])
    reply = await city.post(f"{city.card_path(3)}/reinstate", caller="channel")
    assert reply.refused == (403, "card-not-usable")


async def test_attempt_with_a_lost_card_is_on_record(city: Api) -> None:
    await city.post(f"{city.card_path(2)}/loss-report", caller="channel")
    sent = city.payment(card=2)
    refused = await city.pay(sent)
    await city.post(f"{city.card_path(2)}/reinstate", caller="channel")
    attempt = await city.get(f"/v1/payments/{refused['payment_id']}")
    assert (attempt["status"], attempt["declined_code"]) == ("declined", "card-reported-lost")
    assert (await city.pay(sent | {"order_no": a_key()})).status == 201  # the code was not used up


async def test_hold_of_a_lost_card_can_still_be_settled(city: Api) -> None:
    payment = await city.paid(card=2, capture=False)
    await city.post(f"{city.card_path(2)}/loss-report", caller="channel")
    assert (await city.post(f"{payment}/capture"))["status"] == "captured"
    assert (await city.post(f"{payment}/refunds", {"refund_no": "R", "amount": 500})).status == 201
    await city.post(f"{city.card_path(2)}/reinstate", caller="channel")


async def test_nothing_is_taken_once_a_loss_report_is_answered(city: Api) -> None:
    card = 4
    for _ in range(ROUNDS):
        racing = [asyncio.ensure_future(city.pay(card=card, amount=1)) for _ in range(PAYMENTS_A_ROUND)]
        report = await city.post(f"{city.card_path(card)}/loss-report", caller="channel")
        late = await asyncio.gather(*(city.pay(card=card, amount=1) for _ in range(4)))
        early = await asyncio.gather(*racing)
        assert {(403, "card-reported-lost")} == {reply.refused for reply in late}
        taken = [reply for reply in early if reply.status == 201]
        assert {(403, "card-reported-lost")} >= {reply.refused for reply in early if reply not in taken}
        reported_at = datetime.fromisoformat(str(report["at"]))
        assert all(datetime.fromisoformat(str(reply["created_at"])) <= reported_at for reply in taken)
        assert (await city.post(f"{city.card_path(card)}/reinstate", caller="channel")).status == 200


async def test_books_show_no_payment_between_a_report_and_its_end(city: Api) -> None:
    card = 5
    for _ in range(ROUNDS):
        await asyncio.gather(
            *(city.pay(card=card, amount=1) for _ in range(PAYMENTS_A_ROUND)),
            city.post(f"{city.card_path(card)}/loss-report", caller="channel"),
            *(city.pay(card=card, amount=1) for _ in range(PAYMENTS_A_ROUND)),
        )
        await city.post(f"{city.card_path(card)}/reinstate", caller="channel")
    is_lost = False
    states = await states_of(city, card)
    for state in states:
        assert not (is_lost and state == "CAPTURED")
        is_lost = state == "LOST" or (is_lost and state != "ACTIVE")
    assert states.count("LOST") == ROUNDS
    assert {"CAPTURED", "DECLINED"} < set(states)


async def states_of(city: Api, card: int) -> list[str]:
    """What became of a card and of its payments, in the order of the journal: all of it took one lane."""
    states = []
    for row in await city.sql.fetch(EVENTS):
        answer = remembered_of(row["body"]).answer
        if answer.card is not None and answer.card.id == city.world.cards[card]:
            states.append(answer.card.status.name)
        if answer.payment is not None and answer.payment.payer == city.world.cards[card]:
            states.append(answer.payment.state.name)
    return states
