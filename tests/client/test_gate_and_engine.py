"""A gate and the engine: a code that it issued lets somebody through without it, and pays where there is a network."""

import pytest

from engine.client import EngineClient, Gate, GateSettings, Unreachable
from engine.codes.ride_ticket import SignedTicket
from engine.codes.signed_code import SignedCode, read_signed_code
from engine.core.ids import id_text
from engine.core.refusals import Refusal
from engine.core.scenarios import PARK, SCENARIOS, TRANSIT
from engine.sandbox.camera import scan
from tests.client.relay import Answer, Lost, Relay
from tests.codes.signed_code_builders import TERMINAL_PRIVATE
from tests.web.api import Api, a_key, credentials
from tests.web.gates import a_gate, a_ticket, lines_of, open_shops

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def shown_by_phone(city: Api, card: int) -> str:
    """What a till's scanner reads off a phone in the sandbox."""
    picture = await city.get(f"{city.card_path(card)}/pay-code.png?as=qr&signed=true")
    assert (picture.status, picture.headers["Cache-Control"]) == (200, "no-store")
    return scan(picture.body)


def gate_settings(city: Api, scenario: str) -> GateSettings:
    return GateSettings(
        merchant_id=id_text(city.world.merchants[0]), terminal_id="T-01", scenario=scenario, key=TERMINAL_PRIVATE
    )


async def test_code_of_the_engine_lets_somebody_through(city: Api, tmp_path_factory: pytest.TempPathFactory) -> None:
    keys = await city.get("/v1/keys")
    with Gate(tmp_path_factory.mktemp("gate"), gate_settings(city, TRANSIT.name)) as gate:
        gate.load_keys(keys.body)
        scanned = await shown_by_phone(city, 4)
        now_s = city.clock.business_s()
        assert isinstance(gate.admit(scanned, amount=300, ride_no="R-1", now_s=now_s), SignedTicket)
        assert gate.admit(scanned, amount=300, ride_no="R-2", now_s=now_s) is Refusal.PAY_CODE_USED


async def test_same_code_pays_where_there_is_a_network(city: Api) -> None:
    scanned = await shown_by_phone(city, 5)
    code = read_signed_code(scanned)
    assert isinstance(code, SignedCode)
    key, sent = a_key(), city.payment(pay_code=scanned)
    assert (await city.pay(sent, key=key)).status == 201
    assert (await city.pay(sent | {"pay_code": code.code.text}, key=key)).is_replay
    assert (await city.pay(pay_code=code.code.text)).refused == (409, "pay-code-used")


async def test_codes_are_good_for_what_needs_no_network_and_is_not_closed(city: Api) -> None:
    async def good_for() -> set[str]:
        code = read_signed_code(await shown_by_phone(city, 6))
        assert isinstance(code, SignedCode)
        return {scenario.name for scenario in SCENARIOS if code.is_good_for(scenario.number)}

    offline = {scenario.name for scenario in SCENARIOS if scenario.is_offline}
    assert await good_for() == offline
    close = "UPDATE payer SET blocked_scenarios = $2 WHERE id = $1"
    await city.sql.execute(close, city.world.cards[6], 1 << TRANSIT.number)
    try:
        assert await good_for() == offline - {TRANSIT.name}
        assert PARK.name in await good_for()
    finally:
        await city.sql.execute(close, city.world.cards[6], 0)


async def test_answers_go_on_where_the_connection_broke(city: Api, relay: Relay) -> None:
    await open_shops(city)
    terminal = await a_gate(city)
    lines = lines_of(a_ticket(city, terminal, n, card=7) for n in (1, 2, 3))
    ends = iter([2, 0, 3])

    def cut(_: str, answer: Answer) -> Answer:
        """The first answer ends after two lines, the second never comes."""
        kept = answer.body.splitlines(keepends=True)[: next(ends)]
        if not kept:
            raise Lost
        return Answer(answer.status, b"".join(kept), answer.content_type)

    relay.change = cut
    async with EngineClient(relay.url, credentials("merchant-0")) as client:
        answers = [answer async for answer in client.upload_tickets(lines)]
    assert [(answer.sequence, answer.status) for answer in answers] == [(n, "captured") for n in (1, 2, 3)]
    assert len(relay.requests) == 3
    assert len({dict(headers)["Signature-Input"] for _, _, headers, _ in relay.requests}) == 3


async def test_upload_whose_answers_never_come_to_an_end_is_told(city: Api, relay: Relay) -> None:
    await open_shops(city)
    terminal = await a_gate(city)
    lines = lines_of(a_ticket(city, terminal, n, card=7) for n in (1, 2))
    relay.change = lambda _, answer: Answer(answer.status, answer.body.splitlines(keepends=True)[0])
    async with EngineClient(relay.url, credentials("merchant-0")) as client:
        answers = client.upload_tickets(lines)
        assert (await anext(answers)).sequence == 1
        with pytest.raises(Unreachable):
            await anext(answers)


@pytest.mark.parametrize("suffix", ["svg?signed=yes", "svg?signed=", "png?as=code128&signed=true"])
async def test_picture_that_there_is_not(city: Api, suffix: str) -> None:
    reply = await city.get(f"{city.card_path()}/pay-code.{suffix}")
    assert (reply.refused, reply.pointers) == ((400, "field-invalid"), ["/signed"])


@pytest.mark.parametrize("suffix", ["svg?signed=false", "svg?as=qr&signed=true", "png?as=code128&signed=false"])
async def test_picture_that_there_is(city: Api, suffix: str) -> None:
    assert (await city.get(f"{city.card_path()}/pay-code.{suffix}")).status == 200
