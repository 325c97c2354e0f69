"""A gate's day: an hour without a network, a power cut, a connection that breaks, a database that is away."""

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine.client import EngineClient, Gate, GateSettings
from engine.client.gate_journal import JOURNAL
from engine.codes.ride_ticket import SignedTicket
from engine.core.calendar import cycle_text
from engine.core.clearing_lines import ClearingItem
from engine.core.ids import id_text
from engine.core.scenarios import TRANSIT
from engine.flows.take_tickets import LINES_AT_ONCE
from engine.flows.verify_books import verify_books
from engine.formats import bank_file_formats
from tests.ledger.wire import Wire
from tests.web.api import Api, credentials, open_api
from tests.web.gates import (
    BULK,
    KEY,
    a_gate,
    a_ticket,
    bring_in,
    last_sequence,
    lines_of,
    open_shops,
    outcomes,
    shown,
    spent,
)
from tests.web.test_outages import cut_off, until_ready

RIDES = 200
CARDS = 5
HOUR_S = 3_600


@pytest.fixture
async def metro(api: Api) -> Api:
    """A city of the test's own, with public transport."""
    await open_shops(api)
    return api


@pytest.fixture
async def wire(dsn: str) -> AsyncIterator[Wire]:
    """The only way of the node to its database."""
    async with Wire(dsn).opened() as opened:
        yield opened


@pytest.fixture
async def wired(dsn: str, wire: Wire, tmp_path: Path) -> AsyncIterator[Api]:
    """The same, and it can be cut off from its database."""
    async with open_api(dsn, tmp_path, node_dsn=wire.dsn) as opened:
        await open_shops(opened)
        yield opened
        wire.is_shut = False


async def cleared_items(api: Api, cycle: str) -> Counter[str]:
    """How often each payment is in the flat files that collect from cardholders' banks."""
    found: Counter[str] = Counter()
    for caller in ("bank-0", "bank-1", "bank-2"):
        listed = await api.get(f"/v1/clearing/files?cycle={cycle}&kind=COLLECT&form=flat", caller=caller)
        for manifest in listed.items:
            content = (await api.get(f"/v1/clearing/files/{manifest['name']}", caller=caller)).body
            for record in bank_file_formats()["flat"].decode([content]):
                if isinstance(record, ClearingItem):
                    found[record.payment_id] += 1
    return found


async def an_hour_offline(api: Api, folder: Path, terminal: str) -> list[bytes]:
    """What a gate has taken by the end of an hour in the middle of which its power was cut."""
    settings = GateSettings(
        merchant_id=id_text(api.world.merchants[0]), terminal_id=terminal, scenario=TRANSIT.name, key=KEY
    )
    keys = (await api.get("/v1/keys")).body
    taken: list[bytes] = []
    for half in range(2):
        with Gate(folder, settings) as gate:
            gate.load_keys(keys)
            for ride in range(half * RIDES // 2, (half + 1) * RIDES // 2):
                age_s = HOUR_S - ride * HOUR_S / RIDES
                scanned = shown(api, card=ride % CARDS, age_s=age_s)
                passed = gate.admit(scanned, amount=300, ride_no=f"H-{ride}", now_s=api.clock.business_s() - age_s)
                assert isinstance(passed, SignedTicket)
            taken = list(gate.ticket_lines())
        with (folder / JOURNAL).open("ab") as journal:
            journal.write(b'{"merchant_id":"mer_')  # the power went while a ticket was written
    return taken


async def test_an_hour_without_a_network_pays_each_ride_once(metro: Api, tmp_path: Path) -> None:
    terminal = await a_gate(metro)
    taken = await an_hour_offline(metro, tmp_path, terminal)
    assert len(taken) == RIDES

    async with metro.session.post(
        metro.base_url / BULK[1:],
        data=b"".join(taken),
        headers=metro.signed("POST", BULK, body=b"".join(taken), key_header='"cut"'),
    ) as response:
        first = await response.content.readline()
        response.close()  # the network goes again in the middle of the answers
    async with EngineClient(str(metro.base_url), credentials("merchant-0")) as client:
        answers = [answer async for answer in client.upload_tickets(taken)]

    assert b'"status":"captured"' in first
    assert [answer.sequence for answer in answers] == list(range(1, RIDES + 1))
    assert {(answer.status, answer.final) for answer in answers} == {("captured", True)}
    assert await last_sequence(metro, terminal) == RIDES
    assert [await spent(metro, card) for card in range(CARDS)] == [RIDES // CARDS * 300] * CARDS
    cycle = cycle_text(await metro.publish())
    assert await cleared_items(metro, cycle) == {str(answer.payment_id): 1 for answer in answers}
    again = await bring_in(metro, taken)
    assert [answer["payment_id"] for answer in again] == [answer.payment_id for answer in answers]
    report = await verify_books(metro.node.database_url, public_keys=None, progress=lambda *_: None)
    assert report.violation is None


async def test_every_line_is_answered_though_the_database_is_away(wired: Api, wire: Wire) -> None:
    terminal = await a_gate(wired)
    sent = lines_of(a_ticket(wired, terminal, n) for n in range(1, LINES_AT_ONCE + 3))
    assert outcomes(await bring_in(wired, sent[:1])) == ["captured"]
    await cut_off(wired, wire)
    answers = await bring_in(wired, sent)
    assert outcomes(answers) == ["store-unavailable"] * len(sent)
    assert not any(answer["final"] for answer in answers)
    wire.is_shut = False
    await until_ready(wired)
    assert outcomes(await bring_in(wired, sent)) == ["captured"] * len(sent)
