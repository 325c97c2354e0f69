"""What a bank does with its files: it acknowledges them, gives back items, and sends a statement."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio

from engine.client import EngineClient, Refused, Unreachable
from engine.client.bank import acknowledge, pull_files, send_returns, send_statement
from engine.client.client import ATTEMPTS_MAX
from engine.client.made_uploads import (
    NothingPulled,
    keep_returns,
    make_returns,
    make_statement,
    pulled_day,
)
from engine.core.calendar import CycleNumber, cycle_date, cycle_text
from engine.web.wire import ManifestView
from tests.client.relay import Answer, Lost, Relay
from tests.web.api import Api, credentials

pytestmark = pytest.mark.asyncio(loop_scope="module")

AT = datetime(2026, 11, 24, 16, 0, tzinfo=UTC)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cycle(city: Api) -> CycleNumber:
    """A cycle in which every bank has items, some of bank cards."""
    for card in range(6):
        await city.paid(card=card, amount=100_000)  # all that is on the personal account; more would want a password
        reply = await city.pay(card=card, amount=500 + card, caller=f"merchant-{card % 2}")
        assert reply.status == 201, reply.body
    return await city.publish()


def client_of(url: object, bank: int = 0) -> EngineClient:
    """A bank's client."""
    return EngineClient(str(url), credentials(f"bank-{bank}"))


async def manifest_of(
    client: EngineClient, cycle: CycleNumber, kind: str = "COLLECT", form: str = "flat"
) -> ManifestView:
    """A file's manifest."""
    filters = {"cycle": cycle_text(cycle), "kind": kind, "form": form}
    (manifest,) = [found async for found in client.clearing_files(**filters)]
    return manifest


async def state_of(city: Api, reconciliation: str, bank: int = 0) -> object:
    """How a reconciliation ended."""
    return (await city.get(f"/v1/reconciliations/{reconciliation}", caller=f"bank-{bank}"))["state"]


async def test_a_file_is_acknowledged_once(city: Api, cycle: CycleNumber) -> None:
    async with client_of(city.base_url, 2) as client:
        taken = await manifest_of(client, cycle, "CREDIT")
        assert (await acknowledge(client, taken)).status == "acknowledged"
        assert (await acknowledge(client, taken)).status == "acknowledged"
        with pytest.raises(Refused) as other_words:
            await acknowledge(client, taken, reason="AM05")
        assert other_words.value.problem.code == "file-acknowledged"
        in_part = await manifest_of(client, cycle)
        assert (await acknowledge(client, in_part, rejected={1: "AC01"})).status == "part"
        refused = await manifest_of(client, cycle, "NET")
        assert (await acknowledge(client, refused, reason="AM05")).status == "rejected"


async def test_a_bank_that_does_as_its_files_say_has_a_balanced_statement(
    city: Api, cycle: CycleNumber, tmp_path: Path
) -> None:
    async with client_of(city.base_url, 1) as client:
        await pull_files(client, tmp_path)
        day = pulled_day(tmp_path)
        assert day.business_date == cycle_date(cycle)
        path = make_statement(day, file_id="ST-1", at=AT)
        receipt = await send_statement(client, path)
        assert (receipt.file_id, receipt.count, receipt.size) == ("ST-1", len(list(day.items())), path.stat().st_size)
        assert await state_of(city, receipt.reconciliation_id, 1) == "balanced"
        assert await send_statement(client, path) == receipt


async def test_one_fen_too_much_is_one_difference(city: Api, cycle: CycleNumber, tmp_path: Path) -> None:
    async with client_of(city.base_url, 1) as client:
        await pull_files(client, tmp_path)
        path = make_statement(pulled_day(tmp_path), file_id="ST-2", at=AT, off_by=1)
        receipt = await send_statement(client, path)
    shown = await city.get(f"/v1/reconciliations/{receipt.reconciliation_id}", caller="bank-1")
    assert (shown["state"], shown["unsettled"]) == ("different", 1)


async def test_what_is_given_back_is_not_in_the_statement(city: Api, cycle: CycleNumber, tmp_path: Path) -> None:
    async with client_of(city.base_url) as client:
        await pull_files(client, tmp_path)
        day = pulled_day(tmp_path)
        first = make_returns(day, file_id="RT-1", at=AT, count=1, reason="AC04")
        receipt = await send_returns(client, first)
        assert (receipt.file_id, receipt.count) == ("RT-1", 1)
        assert await send_returns(client, first) == receipt
        with pytest.raises(Refused) as twice:
            await send_returns(client, make_returns(day, file_id="RT-2", at=AT, count=1, reason="AC04"))
        assert twice.value.problem.errors
        keep_returns(first)
        second = await send_returns(client, make_returns(day, file_id="RT-3", at=AT, count=1, reason="AC04"))
        assert second.count == 1  # another one: what was given back is known
        keep_returns(tmp_path / "RT-3.txt")
        statement = await send_statement(client, make_statement(day, file_id="ST-3", at=AT))
        assert statement.count == len(list(day.items())) - 2
    assert await state_of(city, statement.reconciliation_id) == "balanced"


async def test_an_upload_whose_answer_was_lost_is_sent_again_whole(
    city: Api, cycle: CycleNumber, relay: Relay, tmp_path: Path
) -> None:
    async with client_of(city.base_url, 2) as client:
        await pull_files(client, tmp_path)
    path = make_statement(pulled_day(tmp_path), file_id="ST-4", at=AT)
    lost = iter([True, True, False])

    def losing(_path: str, answer: Answer) -> Answer:
        if next(lost):
            raise Lost
        return answer

    relay.change = losing
    async with client_of(relay.url, 2) as client:
        receipt = await send_statement(client, path)
    assert receipt.file_id == "ST-4"
    sent = [(body, headers["Idempotency-Key"]) for _, _, headers, body in relay.requests]
    assert sent == [(path.read_bytes(), sent[0][1])] * 3
    assert relay.requests[0][1] == "/v1/clearing/statements?file_name=ST-4.txt"


async def test_an_upload_that_is_never_answered_is_given_up(lonely_relay: Relay, tmp_path: Path) -> None:
    def lost(_path: str, answer: Answer) -> Answer:
        raise Lost

    lonely_relay.change = lost
    path = tmp_path / "a name that is none of the engine's.txt"
    path.write_bytes(b"H|")
    async with client_of(lonely_relay.url) as client:
        with pytest.raises(Unreachable):
            await send_returns(client, path)
    assert [target for _, target, _, _ in lonely_relay.requests] == ["/v1/clearing/returns"] * ATTEMPTS_MAX


async def test_a_file_that_is_not_there_is_not_sent(lonely_relay: Relay, tmp_path: Path) -> None:
    async with client_of(lonely_relay.url) as client:
        with pytest.raises(FileNotFoundError):
            await send_statement(client, tmp_path / "nothing")
    assert lonely_relay.requests == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder: [path.unlink() for path in folder.glob("*_v1.txt")],
        lambda folder: (folder / "SSC_999999999999_20261124_01_COLLECT_v1.txt").write_bytes(b""),
        lambda folder: [path.write_bytes(path.read_bytes()[:-1]) for path in folder.glob("*COLLECT_v1.txt")],
    ],
)
async def test_nothing_is_made_of_files_that_are_not_as_they_were_pulled(
    city: Api, cycle: CycleNumber, tmp_path: Path, spoil: Callable[[Path], object]
) -> None:
    async with client_of(city.base_url) as client:
        await pull_files(client, tmp_path)
    spoil(tmp_path)
    with pytest.raises(NothingPulled):
        make_statement(pulled_day(tmp_path), file_id="ST-5", at=AT)
