"""Tickets of gates without a network: each pays once, in the order of its gate, whatever happens to the upload."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from msgspec.structs import replace

from engine.codes.ride_ticket import LATE_S_MAX, LINE_BYTES_MAX, ticket_id
from engine.codes.signed_code import AGE_S_MAX, SKEW_S
from engine.core.ids import id_text
from engine.core.payer import LIMIT_OFFLINE_A_DAY_FEN
from engine.core.scenarios import PARK, TRANSIT
from engine.flows.take_tickets import LINES_AT_ONCE
from engine.flows.verify_books import verify_books
from engine.hints.attempts import WRONG_MAX
from engine.web.bulk import LINES_MAX
from tests.web.api import Api, a_key
from tests.web.gates import (
    BULK,
    KEY,
    OTHER_KEY,
    a_gate,
    a_ticket,
    bring_in,
    jwk,
    last_sequence,
    lines_of,
    open_shops,
    outcomes,
    set_key,
    spent,
)
from tests.web.test_pay_codes import with_digit_changed

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lines(city: Api) -> AsyncIterator[Api]:
    """A city with public transport; its books are in order at the end."""
    await open_shops(city)
    yield city
    report = await verify_books(city.node.database_url, public_keys=None, progress=lambda *_: None)
    assert report.violation is None


async def test_same_upload_twice_has_the_same_answers(lines: Api) -> None:
    terminal = await a_gate(lines)
    tickets = [a_ticket(lines, terminal, n, card=1) for n in range(1, LINES_AT_ONCE + 5)]
    tickets[3] = replace(tickets[3], amount=10_000_000)  # nobody has so much
    tickets[5] = replace(tickets[5], code=with_digit_changed(tickets[5].code))
    tickets[7] = replace(tickets[7], code_issued_s=tickets[7].code_issued_s - 200)
    sent = lines_of(tickets)
    first = await lines.post(BULK, b"".join(sent))
    assert len(first.body.splitlines()) == len(sent)
    again = await lines.post(BULK, b"".join(sent))
    assert (again.status, again.body) == (200, first.body)
    answers = await bring_in(lines, sent)
    assert outcomes(answers)[:8] == [
        *["captured"] * 3,
        "insufficient-funds",
        "unpaid-ride",
        "pay-code-wrong",
        "unpaid-ride",
        "pay-code-expired",
    ]
    assert all(answer["final"] for answer in answers)
    assert answers[0]["ticket_id"] == ticket_id(tickets[0])
    assert answers[5]["errors"] == [{"pointer": "/code", "reason": "The payment code is not valid"}]
    await pay_due(lines, card=1)


async def pay_due(api: Api, *, card: int) -> None:
    """Let everything be forgotten that is due from a card."""
    await api.sql.execute("DELETE FROM unpaid_ride WHERE card = $1", api.world.cards[card])
    await api.sql.execute("UPDATE payer SET blocked_scenarios = 0 WHERE id = $1", api.world.cards[card])


async def test_two_uploads_at_once_pay_once(lines: Api) -> None:
    terminal = await a_gate(lines)
    before = await spent(lines, 2)
    sent = lines_of(a_ticket(lines, terminal, n, card=2) for n in range(1, 31))
    one, other = await asyncio.gather(bring_in(lines, sent), bring_in(lines, sent))
    assert one == other
    assert await spent(lines, 2) == before + 30 * 300
    assert await last_sequence(lines, terminal) == 30


async def test_what_comes_after_a_gap_waits_for_what_is_missing(lines: Api) -> None:
    terminal = await a_gate(lines)
    sent = lines_of(a_ticket(lines, terminal, n, card=2) for n in range(1, 6))
    answers = await bring_in(lines, sent[:2] + sent[3:])
    assert outcomes(answers) == ["captured", "captured", "ticket-sequence-gap", "ticket-sequence-gap"]
    assert [answer["final"] for answer in answers] == [True, True, False, False]
    assert answers[3]["errors"] == [{"pointer": "/sequence", "reason": "3 has not come in"}]
    assert await last_sequence(lines, terminal) == 2
    assert outcomes(await bring_in(lines, sent[2:])) == ["captured"] * 3
    assert outcomes(await bring_in(lines, sent)) == ["captured"] * 5


async def test_other_gates_do_not_wait_for_a_gap(lines: Api) -> None:
    one, other = await a_gate(lines), await a_gate(lines)
    sent = [a_ticket(lines, one, 2, card=2), *(a_ticket(lines, other, n, card=2) for n in (1, 2))]
    assert outcomes(await bring_in(lines, lines_of(sent))) == ["ticket-sequence-gap", "captured", "captured"]


async def test_number_is_given_to_one_ticket_only(lines: Api) -> None:
    terminal = await a_gate(lines)
    taken, other, third = (a_ticket(lines, terminal, 1, card=2) for _ in range(3))
    answers = await bring_in(lines, lines_of([taken, other]))
    assert outcomes(answers) == ["captured", "ticket-repeated"]
    assert answers[1]["errors"] == [{"pointer": "/sequence", "reason": "another ticket has had this number"}]
    answers = await bring_in(lines, lines_of([third, taken, a_ticket(lines, terminal, 2, card=2)]))
    assert outcomes(answers) == ["ticket-repeated", "captured", "captured"]
    assert (await lines.get(f"/v1/payments?order_no={third.ride_no}")).items == []


@pytest.mark.parametrize(
    "changes",
    [{"amount": 301}, {"ride_no": "R-other"}, {"taken_s": 1}, {"scenario": PARK.name}],
    ids=lambda changes: next(iter(changes)),
)
async def test_ticket_is_known_by_all_that_is_in_it(lines: Api, changes: dict[str, str | int]) -> None:
    """A gate that signs its ticket anew with something else in it has another ticket."""
    terminal = await a_gate(lines)
    taken = a_ticket(lines, terminal, 1, card=2)
    changed = {"taken_s": taken.taken_s + 1} if "taken_s" in changes else changes
    other = replace(taken, **changed)
    assert outcomes(await bring_in(lines, lines_of([taken, other]))) == ["captured", "ticket-repeated"]


async def test_forged_ticket_takes_no_number_and_moves_no_money(lines: Api) -> None:
    terminal = await a_gate(lines)
    before = await spent(lines, 2)
    ticket = a_ticket(lines, terminal, 1, card=2)
    forged = lines_of([ticket], OTHER_KEY)
    answers = await bring_in(lines, forged + lines_of([a_ticket(lines, terminal, 2, card=2)]))
    assert outcomes(answers) == ["ticket-invalid", "ticket-sequence-gap"]
    assert (answers[0]["final"], answers[0]["errors"]) == (
        False,
        [{"pointer": "/signature", "reason": "not of a key that the terminal had then"}],
    )
    assert await spent(lines, 2) == before
    changed = lines_of([ticket])[0].replace(b'"amount":300', b'"amount":100')
    assert outcomes(await bring_in(lines, [changed])) == ["ticket-invalid"]
    assert outcomes(await bring_in(lines, lines_of([ticket]))) == ["captured"]


async def test_ticket_of_another_merchant_is_nobodys_here(lines: Api) -> None:
    terminal = await a_gate(lines)
    ticket = a_ticket(lines, terminal, 1, card=2)
    (answer,) = await bring_in(lines, lines_of([ticket]), merchant=1)
    assert (answer["code"], answer["final"]) == ("ticket-invalid", False)
    assert answer["errors"] == [{"pointer": "/merchant_id", "reason": "not the merchant that brings it in"}]
    theirs = replace(ticket, merchant_id=id_text(lines.world.merchants[1]))
    (answer,) = await bring_in(lines, lines_of([theirs]), merchant=1)
    assert answer["errors"] == [{"pointer": "/terminal_id", "reason": "a terminal that has no key"}]
    assert outcomes(await bring_in(lines, lines_of([ticket]))) == ["captured"]


async def test_line_that_is_no_ticket_is_told_what_is_wrong_with_it(lines: Api) -> None:
    terminal = await a_gate(lines)
    good = lines_of([a_ticket(lines, terminal, 1, card=2)])[0]
    bad = [b"\n", b"{}\n", b"x" * (LINE_BYTES_MAX * 200) + b"\n", good[:-2] + b"\n", b"\xff\n"]
    answers = await bring_in(lines, [*bad, good.rstrip(b"\n")])
    assert outcomes(answers) == [*["ticket-invalid"] * 5, "captured"]
    assert not any(answer["final"] or "ticket_id" in answer for answer in answers[:5])
    assert answers[2]["errors"] == [{"pointer": "", "reason": f"longer than {LINE_BYTES_MAX} bytes"}]


@pytest.mark.parametrize(
    ("taken_ago_s", "issued_before_s", "expected"),
    [
        (-SKEW_S + 5, 0, "captured"),
        (-SKEW_S - 60, 0, "ticket-invalid"),  # the gate's clock is ahead
        (LATE_S_MAX - 60, 0, "captured"),
        (LATE_S_MAX + 1, 0, "ticket-invalid"),
        (0, AGE_S_MAX + SKEW_S + 1, "pay-code-expired"),
    ],
)
async def test_ticket_is_of_its_time(lines: Api, taken_ago_s: int, issued_before_s: int, expected: str) -> None:
    terminal = await a_gate(lines, since_s=LATE_S_MAX * 2)
    now_s = lines.clock.business_s()
    with lines.clock.held(now_s - taken_ago_s):
        ticket = a_ticket(lines, terminal, 1, card=2)
        late = replace(ticket, code_issued_s=ticket.code_issued_s - issued_before_s)
    sent = lines_of([late])
    (answer,) = await bring_in(lines, sent)
    assert (answer.get("status", answer.get("code")), answer["final"]) == (expected, True)
    assert await last_sequence(lines, terminal) == 1
    with lines.clock.held(now_s + SKEW_S + 120):  # when it would be judged otherwise
        assert await bring_in(lines, sent) == [answer]


async def test_code_pays_one_ride_and_no_till_besides(lines: Api) -> None:
    one, other = await a_gate(lines), await a_gate(lines)
    ticket = a_ticket(lines, one, 1, card=2)
    passed_back = replace(ticket, terminal_id=other, ride_no=f"R-{a_key()}")
    assert outcomes(await bring_in(lines, lines_of([ticket, passed_back]))) == ["captured", "pay-code-used"]
    assert (await lines.pay(pay_code=ticket.code)).refused == (409, "pay-code-used")


async def test_code_of_an_earlier_day_pays_once(lines: Api) -> None:
    one, other = [await a_gate(lines, since_s=LATE_S_MAX * 2) for _ in range(2)]
    with lines.clock.held(lines.clock.business_s() - LATE_S_MAX + 60):
        ticket = a_ticket(lines, one, 1, card=2)
    passed_back = replace(ticket, terminal_id=other, ride_no=f"R-{a_key()}")
    assert outcomes(await bring_in(lines, lines_of([ticket]))) == ["captured"]
    assert outcomes(await bring_in(lines, lines_of([passed_back]))) == ["pay-code-used"]


async def test_who_guesses_codes_has_to_wait(lines: Api) -> None:
    terminal = await a_gate(lines)
    tickets = [a_ticket(lines, terminal, n, card=2) for n in range(1, WRONG_MAX + 6)]
    wrong = [replace(one, code=with_digit_changed(one.code)) for one in tickets[: WRONG_MAX + 3]]
    sent = lines_of([*wrong, *tickets[WRONG_MAX + 3 :]])
    answers = await bring_in(lines, sent)
    assert outcomes(answers)[: WRONG_MAX + 1] == [*["pay-code-wrong"] * WRONG_MAX, "too-many-attempts"]
    assert not any(answer["final"] for answer in answers[WRONG_MAX:])
    assert await bring_in(lines, sent) == answers
    assert await last_sequence(lines, terminal) == WRONG_MAX


async def test_unpaid_ride_closes_its_scenario_until_it_is_paid_at_the_counter(lines: Api) -> None:
    terminal, card = await a_gate(lines), 3
    await lines.sql.execute("UPDATE payer SET bank_allowance = 200 WHERE id = $1", lines.world.cards[card])
    due = a_ticket(lines, terminal, 1, card=card)
    (answer,) = await bring_in(lines, lines_of([due]))
    assert (answer["code"], answer["final"]) == ("insufficient-funds", True)
    assert (await lines.get(f"/v1/payments/{answer['payment_id']}"))["declined_code"] == "insufficient-funds"
    await lines.sql.execute("UPDATE payer SET bank_allowance = 100000 WHERE id = $1", lines.world.cards[card])

    async def ride(order_no: str) -> tuple[int, object]:
        return (await lines.pay(card=card, amount=300, scenario=TRANSIT.name, order_no=order_no)).refused

    assert await ride(a_key()) == (403, "unpaid-ride")
    assert (await lines.pay(card=card, scenario=PARK.name)).status == 201
    assert (await lines.pay(card=card)).status == 201
    more = lines_of([a_ticket(lines, terminal, 2, card=card), a_ticket(lines, terminal, 3, card=card, scenario="park")])
    second = await bring_in(lines, more)
    assert outcomes(second) == ["unpaid-ride", "captured"]

    refused = str((await lines.get(f"/v1/payments/{second[0]['payment_id']}"))["order_no"])
    for order_no, after in ((due.ride_no, (403, "unpaid-ride")), (refused, (201, None))):
        assert await ride(order_no) == (201, None)
        assert await ride(a_key()) == after
    assert await bring_in(lines, lines_of([due])) == [answer], "what it was answered stays"


async def test_days_cap_is_exact_when_everything_comes_at_once(lines: Api) -> None:
    card, amount, count = 4, 700, 100
    gates = [await a_gate(lines) for _ in range(4)]
    uploads = [
        lines_of(a_ticket(lines, gate, n, card=card, amount=amount) for n in range(1, count // 4 + 1)) for gate in gates
    ]
    answers = await asyncio.gather(*(bring_in(lines, upload) for upload in uploads))
    found = Counter(outcome for upload in answers for outcome in outcomes(upload))
    affordable = LIMIT_OFFLINE_A_DAY_FEN // amount
    assert found == {"captured": affordable, "limit-exceeded": 1, "unpaid-ride": count - affordable - 1}
    assert await spent(lines, card) == affordable * amount


async def test_key_counts_for_what_was_taken_while_it_was_in_use(lines: Api) -> None:
    terminal = await a_gate(lines, since_s=7_200)
    before = lines.clock.business_s()
    assert (await set_key(lines, terminal, OTHER_KEY, ago_s=3_600)).status == 201
    with lines.clock.held(before - 3_700):
        earlier = a_ticket(lines, terminal, 1, card=2)
    with lines.clock.held(before - 3_500):
        later = a_ticket(lines, terminal, 2, card=2)
    assert outcomes(await bring_in(lines, lines_of([earlier], OTHER_KEY))) == ["ticket-invalid"]
    assert outcomes(await bring_in(lines, lines_of([earlier]) + lines_of([later]))) == ["captured", "ticket-invalid"]
    assert outcomes(await bring_in(lines, lines_of([later], OTHER_KEY))) == ["captured"]

    retired = await lines.post(f"/v1/terminals/{terminal}/keys/retire", {})
    assert retired.status == 200
    assert retired.json == (await lines.get(f"/v1/terminals/{terminal}/keys")).json
    keys = retired["keys"]
    assert isinstance(keys, list)
    assert [key["retired_at"] is not None for key in keys] == [True, True]
    assert retired["last_sequence"] == 2
    with lines.clock.held(lines.clock.business_s() + 2):
        third = lines_of([a_ticket(lines, terminal, 3, card=2)], OTHER_KEY)
        assert outcomes(await bring_in(lines, third)) == ["ticket-invalid"]


async def test_key_counts_from_the_second_on_in_which_it_is_given(lines: Api) -> None:
    given_at_s = int(lines.clock.wall_s()) - 5 + 0.7
    with lines.clock.held(given_at_s):
        terminal = await a_gate(lines, since_s=0)
    with lines.clock.held(given_at_s + 0.1):
        ticket = a_ticket(lines, terminal, 1, card=2)
    assert outcomes(await bring_in(lines, lines_of([ticket]))) == ["captured"]


async def test_terminals_keys_are_given_once_a_request_and_by_their_own_merchant(lines: Api) -> None:
    terminal = await a_gate(lines)
    path = f"/v1/terminals/{terminal}/keys"
    for caller in ("merchant-1", "bank-0", "operator", "channel"):
        assert (await lines.get(path, caller=caller)).refused == (404, "not-found")
        assert (await lines.post(f"{path}/retire", {}, caller=caller)).refused == (404, "not-found")
    assert (await set_key(lines, terminal, KEY, merchant=1)).refused == (403, "terminal-unknown")
    key, sent = a_key(), {"public_key": jwk(KEY)}
    first = await lines.post(path, sent, key=key)
    again = await lines.post(path, sent, key=key)
    assert (first.status, again.body, again.is_replay) == (201, first.body, True)
    assert (await lines.post(path, {"public_key": jwk(OTHER_KEY)}, key=key)).refused == (
        422,
        "idempotency-key-reused",
    )
    wrong = await lines.post(path, {"public_key": "AAAA"})
    assert (wrong.refused, wrong.pointers) == ((400, "field-invalid"), ["/public_key"])


async def test_upload_that_is_not_whole_has_no_effect(lines: Api) -> None:
    terminal = await a_gate(lines)
    whole = b"".join(lines_of(a_ticket(lines, terminal, n, card=2) for n in (1, 2)))
    headers = lines.signed("POST", BULK, body=whole, key_header='"k"')
    cut = await lines.send("POST", BULK, headers=headers, body=whole[: len(whole) // 2])
    assert cut.refused == (401, "content-digest-mismatch")
    assert await last_sequence(lines, terminal) == 0
    keyless = lines.signed("POST", BULK, body=whole)
    assert (await lines.send("POST", BULK, headers=keyless, body=whole)).refused == (400, "idempotency-key-missing")
    too_many = await lines.post(BULK, b"\n" * (LINES_MAX + 1))
    assert too_many.refused == (413, "body-too-large")
    assert (await lines.post(BULK, whole, caller="bank-0")).refused == (404, "not-found")
    assert (await lines.post(f"{BULK}?x=1", whole)).refused == (400, "unknown-field")
    assert await last_sequence(lines, terminal) == 0
