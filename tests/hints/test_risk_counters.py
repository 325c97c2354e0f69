"""Risk counters: this process's own at once, the others' soon after, and with Valkey gone still this process's own."""

import os
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import structlog

from engine.core.ids import CardId, IdKind, MerchantId
from engine.core.risk import COUNTERS, Counted, Counter, RiskFacts
from engine.embedded.valkey import EmbeddedValkey
from engine.hints import risk_counters
from engine.hints.connection import open_valkey
from engine.hints.risk_counters import RiskCounters
from tests.builders import an_id

NOW_S = 1_795_000_000.0 // 604_800 * 604_800  # a week begins
ATTEMPTS = ("attempts_of_payer", "attempts_at_terminal", "attempts_at_merchant", "attempts_of_channel")


@pytest.fixture(scope="module")
def valkey() -> Iterator[EmbeddedValkey]:
    """A Valkey that the tests of this module share; each uses its own merchants."""
    with tempfile.TemporaryDirectory() as folder, EmbeddedValkey(Path(folder) / "data") as server:
        yield server


@asynccontextmanager
async def counting(server: EmbeddedValkey, process: str) -> AsyncIterator[RiskCounters]:
    """The counters of one process."""
    client = open_valkey(server.url)
    counters = RiskCounters(client, process=process)
    yield counters
    await counters.close()
    await client.aclose()


def merchant() -> MerchantId:
    """One that nothing was counted of."""
    return MerchantId(an_id(IdKind.MERCHANT))


def facts(
    at: MerchantId, *, device_no: int | None = None, card: CardId | None = None, terminal_id: str = "T-01"
) -> RiskFacts:
    """A payment."""
    return RiskFacts(
        merchant=at, region=110101, terminal_id=terminal_id, amount=700, device_no=device_no, card=card, channel=at
    )


def a_phone() -> int:
    """One that has not paid yet."""
    return int.from_bytes(an_id(IdKind.CARD)[8:]) % 10**11


def local() -> RiskCounters:
    """Without Valkey."""
    return RiskCounters(None, process="alone")


async def test_every_attempt_counts_by_payer_terminal_merchant_and_channel() -> None:
    counters, shop, phone = local(), merchant(), a_phone()
    for n in range(1, 4):
        figures = counters.count_attempt(facts(shop, device_no=phone), now_s=NOW_S)
        assert [figures[name] for name in ATTEMPTS] == [n] * 4
    other_till = counters.count_attempt(facts(shop, device_no=a_phone(), terminal_id="T-02"), now_s=NOW_S)
    assert [other_till[name] for name in ATTEMPTS] == [1, 1, 4, 4]
    other_shop = counters.count_attempt(facts(merchant(), device_no=phone), now_s=NOW_S)
    assert [other_shop[name] for name in ATTEMPTS] == [4, 1, 1, 1]
    assert counters.is_degraded


async def test_payer_that_is_not_known_is_not_counted() -> None:
    counters, shop = local(), merchant()
    nobody = RiskFacts(merchant=shop, region=110101, terminal_id="T-01")
    for n in range(1, 3):
        figures = counters.count_attempt(nobody, now_s=NOW_S)
        assert (figures.get(ATTEMPTS[0]), figures[ATTEMPTS[1]], figures.get(ATTEMPTS[3])) == (None, n, None)
        assert figures["cards_at_terminal"] == 0


async def test_different_cards_are_counted_once_each() -> None:
    counters, shop = local(), merchant()
    phones, card = [a_phone() for _ in range(3)], CardId(an_id(IdKind.CARD))
    seen = [
        counters.count_attempt(facts(shop, device_no=phone), now_s=NOW_S)["cards_at_terminal"]
        for phone in (*phones, *phones, phones[0])
    ]
    assert seen == [1, 2, 3, 3, 3, 3, 3]
    assert [counters.count_attempt(facts(shop, card=card), now_s=NOW_S)["cards_at_terminal"] for _ in range(2)] == [
        4,
        4,
    ]


@pytest.mark.parametrize("counted", [one for one in Counted if one not in {Counted.ATTEMPTS, Counted.CARDS}])
async def test_what_is_noted_shows_in_its_own_counters_from_the_next_attempt_on(counted: Counted) -> None:
    counters, payment = local(), facts(merchant(), device_no=a_phone())
    counters.note(counted, payment, now_s=NOW_S, by=3)
    counters.note(counted, payment, now_s=NOW_S)
    figures = counters.count_attempt(payment, now_s=NOW_S)
    for counter in COUNTERS:
        if counter.counted not in {Counted.ATTEMPTS, Counted.CARDS}:
            assert figures[counter.name] == (4 if counter.counted is counted else 0), counter.name


async def test_attempt_that_is_taken_back_never_was() -> None:
    counters, payment = local(), facts(merchant(), device_no=a_phone())
    counters.count_attempt(payment, now_s=NOW_S)
    counters.note(Counted.ATTEMPTS, payment, now_s=NOW_S, by=-1)
    figures = counters.count_attempt(payment, now_s=NOW_S)
    assert [figures[name] for name in ATTEMPTS] == [1] * 4


async def test_attempt_of_an_earlier_window_is_not_taken_back_from_a_later_one() -> None:
    counters, payment = local(), facts(merchant(), device_no=a_phone())
    counters.count_attempt(payment, now_s=NOW_S)
    counters.note(Counted.ATTEMPTS, payment, now_s=NOW_S + 60, by=-1)
    figures = counters.count_attempt(payment, now_s=NOW_S + 60)
    assert [figures[name] for name in ATTEMPTS] == [1] * 4


@pytest.mark.parametrize("counter", COUNTERS, ids=lambda counter: counter.name)
async def test_counting_begins_anew_with_each_window(counter: Counter) -> None:
    counters, payment = local(), facts(merchant(), device_no=a_phone())
    is_noted = counter.counted not in {Counted.ATTEMPTS, Counted.CARDS}
    first = counters.count_attempt(payment, now_s=NOW_S)[counter.name]
    if is_noted:
        counters.note(counter.counted, payment, now_s=NOW_S)
    last = counters.count_attempt(payment, now_s=NOW_S + counter.window_s - 0.001)[counter.name]
    over = counters.count_attempt(payment, now_s=NOW_S + counter.window_s)[counter.name]
    assert (over, last > 0) == (first, True)


async def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(risk_counters, "SUBJECTS_MAX", 10)
    counters, shop = local(), merchant()
    phones = [a_phone() for _ in range(11)]
    for phone in phones:
        counters.count_attempt(facts(shop, device_no=phone, terminal_id=f"T-{phone}"), now_s=NOW_S)
    figures = counters.count_attempt(facts(shop, device_no=phones[0], terminal_id=f"T-{phones[0]}"), now_s=NOW_S)
    assert (figures["attempts_of_payer"], figures["attempts_at_terminal"], figures["cards_at_terminal"]) == (1, 1, 1)
    assert figures["attempts_at_merchant"] == 12


async def test_processes_share_their_counts(valkey: EmbeddedValkey) -> None:
    shop, phones = merchant(), [a_phone() for _ in range(3)]
    async with counting(valkey, "a") as one, counting(valkey, "b") as another:
        for phone in phones:
            one.count_attempt(facts(shop, device_no=phone), now_s=NOW_S)
            one.note(Counted.TURNOVER, facts(shop, device_no=phone), now_s=NOW_S, by=10**9)
        await one.close()
        another.count_attempt(facts(shop, device_no=phones[0]), now_s=NOW_S)
        another.note(Counted.TURNOVER, facts(shop), now_s=NOW_S, by=5)
        await another.close()
        figures = another.count_attempt(facts(shop, device_no=phones[0]), now_s=NOW_S)
        assert (figures["attempts_of_payer"], figures["attempts_at_merchant"]) == (3, 5)
        assert figures["cards_at_terminal"] == 3  # a card that both have seen is one card
        assert figures["turnover_of_merchant"] == 3 * 10**9 + 5
        assert not another.is_degraded


async def test_processes_that_tell_each_other_again_and_again_count_nothing_twice(valkey: EmbeddedValkey) -> None:
    shop, phone = merchant(), a_phone()
    async with counting(valkey, "a") as one, counting(valkey, "b") as another:
        for _ in range(10):
            for counters in (one, another):
                counters.count_attempt(facts(shop, device_no=phone), now_s=NOW_S)
                await counters.close()
        figures = one.count_attempt(facts(shop, device_no=phone), now_s=NOW_S)
        assert [figures[name] for name in ATTEMPTS] == [20] * 4  # the other's last is not known here: 10 + 9 + this one


async def test_what_was_told_of_a_window_that_is_over_does_not_count_in_the_next(valkey: EmbeddedValkey) -> None:
    shop, phone = merchant(), a_phone()
    async with counting(valkey, "a") as one, counting(valkey, "b") as another:
        one.count_attempt(facts(shop, device_no=phone), now_s=NOW_S)
        await one.close()
        for now_s in (NOW_S, NOW_S + 60):
            another.count_attempt(facts(shop, device_no=phone), now_s=now_s)
            await another.close()
        figures = another.count_attempt(facts(shop, device_no=phone), now_s=NOW_S + 60)
        assert [figures[name] for name in ATTEMPTS] == [2] * 4


async def test_process_that_begins_anew_knows_what_it_had_counted(valkey: EmbeddedValkey) -> None:
    shop, phone = merchant(), a_phone()
    for process in ("before", "after"):
        async with counting(valkey, process) as counters:
            counters.count_attempt(facts(shop, device_no=phone), now_s=NOW_S)
    async with counting(valkey, "last") as counters:
        counters.count_attempt(facts(shop, device_no=phone), now_s=NOW_S)
        await counters.close()
        assert counters.count_attempt(facts(shop, device_no=phone), now_s=NOW_S)["attempts_of_payer"] == 4


async def test_many_are_told_in_pieces(valkey: EmbeddedValkey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(risk_counters, "LINES_MAX", 7)
    monkeypatch.setattr(risk_counters, "MEMBERS_MAX", 5)
    shop, phones = merchant(), [a_phone() for _ in range(33)]
    async with counting(valkey, "a") as one, counting(valkey, "b") as another:
        for phone in phones:
            one.count_attempt(facts(shop, device_no=phone), now_s=NOW_S)
        await one.close()
        for phone in phones:
            another.count_attempt(facts(shop, device_no=phone), now_s=NOW_S)
        await another.close()
        seen = [another.count_attempt(facts(shop, device_no=phone), now_s=NOW_S) for phone in phones]
        assert [figures["attempts_of_payer"] for figures in seen] == [3] * 33
        assert {figures["cards_at_terminal"] for figures in seen} == {33}


async def test_nothing_stays_in_valkey_for_ever(valkey: EmbeddedValkey) -> None:
    shop = merchant()
    async with counting(valkey, "a") as counters:
        counters.count_attempt(facts(shop, device_no=a_phone()), now_s=NOW_S)
    client = open_valkey(valkey.url)
    keys = [key async for key in client.scan_iter(f"risk:*{shop.hex()}*")]
    lifetimes = [await client.ttl(key) for key in keys]
    await client.aclose()
    assert len(keys) == 4  # terminal, merchant, channel, cards at the terminal
    assert all(0 < seconds <= 60 for seconds in lifetimes)


async def test_counting_goes_on_while_valkey_is_gone_and_is_told_once_and_made_up_for(valkey: EmbeddedValkey) -> None:
    shop, phone = merchant(), a_phone()
    async with counting(valkey, "a") as one, counting(valkey, "b") as another:
        one.count_attempt(facts(shop, device_no=phone), now_s=NOW_S)
        await one.close()
        os.kill(valkey.pid, signal.SIGKILL)
        while valkey.is_alive():
            pass
        with structlog.testing.capture_logs() as logs:
            for n in range(2, 5):
                figures = one.count_attempt(facts(shop, device_no=phone), now_s=NOW_S)
                assert [figures[name] for name in ATTEMPTS] == [n] * 4
                assert figures["cards_at_terminal"] == 1
                await one.close()
        assert one.is_degraded
        assert [(line["event"], line["log_level"]) for line in logs] == [("risk_counters.degraded", "warning")]
        valkey.restart()
        await one.close()
        assert not one.is_degraded
        another.count_attempt(facts(shop, device_no=phone), now_s=NOW_S)
        await another.close()
        assert another.count_attempt(facts(shop, device_no=phone), now_s=NOW_S)["attempts_of_payer"] == 4 + 2


async def test_valkey_that_hangs_is_not_waited_for(valkey: EmbeddedValkey) -> None:
    shop, phone = merchant(), a_phone()
    async with counting(valkey, "a") as counters:
        counters.count_attempt(facts(shop, device_no=phone), now_s=NOW_S)
        os.kill(valkey.pid, signal.SIGSTOP)
        try:
            await counters.close()
            assert counters.is_degraded
            assert counters.count_attempt(facts(shop, device_no=phone), now_s=NOW_S)["attempts_of_payer"] == 2
        finally:
            os.kill(valkey.pid, signal.SIGCONT)
