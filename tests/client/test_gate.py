"""A gate without a network: who goes through, who does not, and what is left after the power went."""

import json
import os
import resource
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.client import Gate, GateSettings, JournalFailed
from engine.client.gate import engine_keys_of
from engine.client.gate_journal import JOURNAL
from engine.codes.keys import SigningKey
from engine.codes.ride_ticket import SignedTicket, TerminalKey, TicketVerdict, judge_ticket, read_ticket
from engine.codes.signed_code import AGE_S_MAX, SKEW_S, scenes_of
from engine.core.refusals import Refusal
from engine.core.scenarios import PARK, TRANSIT
from tests.codes.pay_code_builders import SHOWN_AT_NOON
from tests.codes.signed_code_builders import (
    ENGINE_KEY,
    ISSUED_S,
    MERCHANT,
    OTHER_KEY,
    TERMINAL_PRIVATE,
    TERMINAL_PUBLIC,
    signed_at,
)

NOW_S = ISSUED_S + 4.0
STEP_S = 30
KEY = TerminalKey(key=TERMINAL_PUBLIC, valid_from_s=0)
CUT_OVER_S = 1_700_060_400  # 15 November 2023, 23:00 in Shanghai


def key_set(*keys: SigningKey, **more: object) -> bytes:
    """What `/v1/keys` answers."""
    signing = [
        {
            "kty": "OKP",
            "crv": "Ed25519",
            "use": "sig",
            "alg": "EdDSA",
            "kid": key.key_id,
            "x": base64url(key.public_bytes),
        }
        for key in keys
    ]
    return json.dumps({"keys": [*signing, *([more] if more else [])]}).encode()


def base64url(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode()


def settings_of(**changes: object) -> GateSettings:
    given: dict[str, object] = {
        "merchant_id": MERCHANT,
        "terminal_id": "G-01",
        "scenario": TRANSIT.name,
        "key": TERMINAL_PRIVATE,
    }
    return GateSettings(**(given | changes))  # type: ignore[arg-type]  # tests give wrong ones too


def open_gate(folder: Path, **changes: object) -> Gate:
    return Gate(folder, settings_of(**changes))


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    """A gate that has the engine's keys."""
    with open_gate(tmp_path) as opened:
        opened.load_keys(key_set(ENGINE_KEY))
        yield opened


def let_in(gate: Gate, text: str, *, amount: int = 300, ride_no: str = "R-1", now_s: float = NOW_S) -> SignedTicket:
    passed = gate.admit(text, amount=amount, ride_no=ride_no, now_s=now_s)
    assert isinstance(passed, SignedTicket)
    return passed


def refused(gate: Gate, text: str, *, amount: int = 300, ride_no: str = "R-1", now_s: float = NOW_S) -> Refusal:
    before = list(gate.ticket_lines())
    passed = gate.admit(text, amount=amount, ride_no=ride_no, now_s=now_s)
    assert isinstance(passed, Refusal)
    assert list(gate.ticket_lines()) == before
    return passed


def sequences(gate: Gate) -> list[int]:
    numbers = []
    for line in gate.ticket_lines():
        signed = read_ticket(line)
        assert isinstance(signed, SignedTicket)
        numbers.append(signed.ticket.sequence)
    return numbers


def test_somebody_goes_through_and_leaves_a_ticket_that_the_engine_takes(gate: Gate) -> None:
    taken = let_in(gate, signed_at())
    assert [read_ticket(line) for line in gate.ticket_lines()] == [taken]
    ticket = taken.ticket
    assert (ticket.merchant_id, ticket.terminal_id, ticket.sequence) == (MERCHANT, "G-01", 1)
    assert (ticket.code, ticket.code_issued_s, ticket.taken_s) == (SHOWN_AT_NOON, ISSUED_S, ISSUED_S + 4)
    assert (ticket.amount, ticket.scenario, ticket.ride_no) == (300, "transit", "R-1")
    assert judge_ticket(taken, keys=[KEY], last_sequence=0, now_s=NOW_S + 9_000) is TicketVerdict.GOOD


def test_tickets_are_numbered_without_gaps_whatever_is_refused_between(gate: Gate) -> None:
    for refresh in range(5):
        let_in(gate, signed_at(refresh=refresh), ride_no=f"R-{refresh}")
        refused(gate, signed_at(refresh=refresh))
        refused(gate, SHOWN_AT_NOON)
        with pytest.raises(ValueError, match="ride_no"):
            gate.admit(signed_at(refresh=9), amount=300, ride_no="R 9", now_s=NOW_S)
    assert sequences(gate) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("", Refusal.PAY_CODE_MALFORMED),
        ("134567890123456789", Refusal.PAY_CODE_FOREIGN),
        (SHOWN_AT_NOON, Refusal.CODE_SCENE_NOT_ALLOWED),
        (signed_at(scenes=scenes_of([PARK.number])), Refusal.CODE_SCENE_NOT_ALLOWED),
        (signed_at(scenes=0), Refusal.CODE_SCENE_NOT_ALLOWED),
        (signed_at(key=OTHER_KEY), Refusal.PAY_CODE_WRONG),
        (signed_at(key=SigningKey("engine-2", ENGINE_KEY.private)), Refusal.SIGNATURE_KEY_UNKNOWN),
        (signed_at(ISSUED_S - AGE_S_MAX - SKEW_S), Refusal.PAY_CODE_EXPIRED),
        (signed_at(ISSUED_S + SKEW_S + 5), Refusal.PAY_CODE_WRONG),
    ],
)
def test_who_does_not_go_through(gate: Gate, text: str, refusal: Refusal) -> None:
    assert refused(gate, text) is refusal
    assert list(gate.ticket_lines()) == []


def test_code_is_good_once_and_another_one_of_the_same_phone_as_well(gate: Gate) -> None:
    let_in(gate, signed_at())
    assert refused(gate, signed_at(), ride_no="R-2", now_s=NOW_S + 50) is Refusal.PAY_CODE_USED
    assert refused(gate, signed_at(ISSUED_S + 1), ride_no="R-2") is Refusal.PAY_CODE_USED  # issued anew, same digits
    let_in(gate, signed_at(refresh=8), ride_no="R-2")


def test_one_ride_costs_no_more_than_it_may(gate: Gate) -> None:
    assert refused(gate, signed_at(), amount=5_001) is Refusal.LIMIT_EXCEEDED
    let_in(gate, signed_at(), amount=5_000)


@pytest.mark.parametrize("amount", [0, -1])
def test_ride_that_costs_nothing_is_a_mistake(gate: Gate, amount: int) -> None:
    with pytest.raises(ValueError, match="amount"):
        gate.admit(signed_at(), amount=amount, ride_no="R-1", now_s=NOW_S)
    let_in(gate, signed_at())


def test_phone_has_its_limit_a_day_which_ends_with_the_business_date(tmp_path: Path) -> None:
    start_s = CUT_OVER_S - 600

    def shown(number: int, phone: int = 0) -> str:
        return signed_at(start_s + STEP_S * number, phone=phone)

    with open_gate(tmp_path, amount_a_day_max=700) as gate:
        gate.load_keys(key_set(ENGINE_KEY))
        let_in(gate, shown(0), ride_no="R-0", now_s=start_s)
        let_in(gate, shown(1), amount=400, ride_no="R-1", now_s=start_s + STEP_S)
        assert refused(gate, shown(2), amount=1, now_s=start_s + 2 * STEP_S) is Refusal.LIMIT_EXCEEDED
        let_in(gate, shown(2, phone=1), ride_no="R-2", now_s=start_s + 2 * STEP_S)
    with open_gate(tmp_path, amount_a_day_max=700) as gate:
        assert refused(gate, shown(3), amount=1, now_s=start_s + 3 * STEP_S) is Refusal.LIMIT_EXCEEDED
        gate.note_brought_in(3, now_s=start_s + 12 * STEP_S)
    with open_gate(tmp_path, amount_a_day_max=700) as gate:
        assert refused(gate, shown(19), amount=1, now_s=CUT_OVER_S - 0.001) is Refusal.LIMIT_EXCEEDED
        let_in(gate, shown(19), amount=700, ride_no="R-3", now_s=CUT_OVER_S)
        assert refused(gate, shown(20), amount=1, now_s=CUT_OVER_S + 1) is Refusal.LIMIT_EXCEEDED


def test_code_that_is_still_alive_is_remembered_after_its_ticket_was_brought_in(tmp_path: Path) -> None:
    issued_s = CUT_OVER_S - 2
    with open_gate(tmp_path) as gate:
        gate.load_keys(key_set(ENGINE_KEY))
        let_in(gate, signed_at(issued_s), now_s=issued_s)
        gate.note_brought_in(1, now_s=CUT_OVER_S + 1)
    with open_gate(tmp_path) as gate:
        assert sequences(gate) == []
        assert refused(gate, signed_at(issued_s), now_s=CUT_OVER_S + 2) is Refusal.PAY_CODE_USED


def test_memory_is_bounded_and_forgets_nothing_that_could_be_shown_again(tmp_path: Path) -> None:
    with open_gate(tmp_path, codes_max=3) as gate:
        gate.load_keys(key_set(ENGINE_KEY))
        for phone in range(3):
            let_in(gate, signed_at(phone=phone), ride_no=f"R-{phone}")
        assert refused(gate, signed_at(phone=3)) is Refusal.TOO_MANY_ATTEMPTS
        later_s = ISSUED_S + AGE_S_MAX + 2 * SKEW_S
        assert refused(gate, signed_at(later_s - 1, phone=3), now_s=later_s - 1) is Refusal.TOO_MANY_ATTEMPTS
        let_in(gate, signed_at(later_s, phone=3), ride_no="R-3", now_s=later_s)
        assert refused(gate, signed_at(later_s, phone=3), now_s=later_s) is Refusal.PAY_CODE_USED


def test_restart_remembers_keys_codes_and_numbers(tmp_path: Path) -> None:
    with open_gate(tmp_path) as gate:
        assert refused(gate, signed_at()) is Refusal.SIGNATURE_KEY_UNKNOWN
        gate.load_keys(key_set(ENGINE_KEY))
        first = let_in(gate, signed_at())
    with open_gate(tmp_path) as gate:
        assert refused(gate, signed_at()) is Refusal.PAY_CODE_USED
        second = let_in(gate, signed_at(refresh=8), ride_no="R-2")
        assert [read_ticket(line) for line in gate.ticket_lines()] == [first, second]
        assert second.ticket.sequence == 2


def test_every_cut_of_the_power_leaves_whole_tickets_and_reuses_no_number(tmp_path: Path) -> None:
    """Wherever the last write was interrupted: what was answered is there, the next ticket has the next number."""
    with open_gate(tmp_path / "whole") as gate:
        gate.load_keys(key_set(ENGINE_KEY))
        for refresh in range(3):
            let_in(gate, signed_at(refresh=refresh), ride_no=f"R-{refresh}")
        lines = list(gate.ticket_lines())
    content = (tmp_path / "whole" / JOURNAL).read_bytes()
    folder = tmp_path / "cut"
    for left in (*range(0, len(lines[-1]) - 1, 13), len(lines[-1]) - 1, len(lines[-1])):
        with open_gate(folder):
            pass
        (folder / JOURNAL).write_bytes(content[: len(content) - len(lines[-1]) + left])
        with open_gate(folder) as gate:
            gate.load_keys(key_set(ENGINE_KEY))
            is_whole = left == len(lines[-1])
            assert sequences(gate) == ([1, 2, 3] if is_whole else [1, 2])
            fresh = let_in(gate, signed_at(refresh=9), ride_no="R-9")
            assert fresh.ticket.sequence == (4 if is_whole else 3)
        with open_gate(folder) as gate:
            assert sequences(gate) == list(range(1, fresh.ticket.sequence + 1))


def test_ticket_is_on_disk_before_anybody_goes_through(
    gate: Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []

    def fsync(descriptor: int) -> None:
        synced.append(os.fstat(descriptor).st_size)

    monkeypatch.setattr(os, "fsync", fsync)
    before = (tmp_path / JOURNAL).stat().st_size
    let_in(gate, signed_at())
    assert synced == [before + len(next(gate.ticket_lines()))]


@pytest.mark.parametrize("junk", [b"\0" * 400, b"{}\n", b"\n\n\n", b'{"sequence":3}\n\0\0'])
def test_what_a_power_cut_left_behind_the_last_ticket_is_dropped(tmp_path: Path, junk: bytes) -> None:
    with open_gate(tmp_path) as gate:
        gate.load_keys(key_set(ENGINE_KEY))
        let_in(gate, signed_at())
    with (tmp_path / JOURNAL).open("ab") as journal:
        journal.write(junk)
    with open_gate(tmp_path) as gate:
        let_in(gate, signed_at(refresh=8), ride_no="R-2")
    with open_gate(tmp_path) as gate:
        assert sequences(gate) == [1, 2]


def test_damage_before_the_end_is_not_taken_for_a_power_cut(tmp_path: Path) -> None:
    with open_gate(tmp_path) as gate:
        gate.load_keys(key_set(ENGINE_KEY))
        for refresh in range(3):
            let_in(gate, signed_at(refresh=refresh), ride_no=f"R-{refresh}")
    heading, first, second, third = (tmp_path / JOURNAL).read_bytes().splitlines(keepends=True)
    spoilt = b"\0" * (len(second) - 1) + b"\n"
    for damaged in (
        heading + first + third,
        heading + first + spoilt + third,
        heading + first + spoilt * 4,
        first + second,
        b"",
    ):
        (tmp_path / JOURNAL).write_bytes(damaged)
        with pytest.raises(JournalFailed):
            open_gate(tmp_path)
        assert (tmp_path / JOURNAL).read_bytes() == damaged


def test_folder_of_another_terminal_is_not_opened(tmp_path: Path) -> None:
    open_gate(tmp_path).close()
    with pytest.raises(JournalFailed, match="another terminal's"):
        open_gate(tmp_path, terminal_id="G-02")
    open_gate(tmp_path).close()


def test_folder_is_open_once_at_a_time(tmp_path: Path) -> None:
    with open_gate(tmp_path), pytest.raises(JournalFailed, match="another process"):
        open_gate(tmp_path)
    open_gate(tmp_path).close()


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """No file grows beyond this: what a full disk is like. A part of a line is written, and the rest is refused."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_disk_that_fails_stops_the_gate_and_loses_nothing(tmp_path: Path) -> None:
    with open_gate(tmp_path) as gate:
        gate.load_keys(key_set(ENGINE_KEY))
        let_in(gate, signed_at())
        room = (tmp_path / JOURNAL).stat().st_size + 100
        with files_up_to(room), pytest.raises(JournalFailed, match="too large"):
            gate.admit(signed_at(refresh=8), amount=300, ride_no="R-2", now_s=NOW_S)
        assert (tmp_path / JOURNAL).stat().st_size == room
        with pytest.raises(JournalFailed, match="closed"):  # there is room again, and half a line in front of it
            gate.admit(signed_at(refresh=8), amount=300, ride_no="R-2", now_s=NOW_S)
    with open_gate(tmp_path) as gate:
        assert let_in(gate, signed_at(refresh=8), ride_no="R-2").ticket.sequence == 2
        assert sequences(gate) == [1, 2]


def test_disk_that_fails_while_tickets_are_dropped_loses_none(tmp_path: Path) -> None:
    with open_gate(tmp_path) as gate:
        gate.load_keys(key_set(ENGINE_KEY))
        let_in(gate, signed_at())
        with files_up_to(50), pytest.raises(JournalFailed, match="too large"):
            gate.note_brought_in(1, now_s=NOW_S)
    with open_gate(tmp_path) as gate:
        assert sequences(gate) == [1]


def test_what_was_brought_in_is_not_brought_in_again_and_is_dropped_after_its_day(tmp_path: Path) -> None:
    day_s = 86_400
    with open_gate(tmp_path) as gate:
        gate.load_keys(key_set(ENGINE_KEY))
        for day in range(3):
            let_in(gate, signed_at(ISSUED_S + day * day_s), ride_no=f"R-{day}", now_s=NOW_S + day * day_s)
        for wrong in (-1, 4):
            with pytest.raises(ValueError, match="is not from 0 to 3"):
                gate.note_brought_in(wrong, now_s=NOW_S + 2 * day_s)
        gate.note_brought_in(2, now_s=NOW_S + 2 * day_s)
        assert sequences(gate) == [3]
        with pytest.raises(ValueError, match="is not from 2 to 3"):
            gate.note_brought_in(1, now_s=NOW_S + 2 * day_s)
    assert len((tmp_path / JOURNAL).read_bytes().splitlines()) == 2
    with open_gate(tmp_path) as gate:
        assert sequences(gate) == [3]
        gate.note_brought_in(3, now_s=NOW_S + 2 * day_s)
        assert refused(gate, signed_at(ISSUED_S + 2 * day_s), now_s=NOW_S + 2 * day_s) is Refusal.PAY_CODE_USED
        gate.note_brought_in(3, now_s=NOW_S + 3 * day_s)
        assert sequences(gate) == []
    assert len((tmp_path / JOURNAL).read_bytes().splitlines()) == 1
    with open_gate(tmp_path) as gate:
        last = let_in(gate, signed_at(ISSUED_S + 3 * day_s), ride_no="R-3", now_s=NOW_S + 3 * day_s)
        assert last.ticket.sequence == 4


def test_keys_for_other_purposes_are_passed_over(gate: Gate) -> None:
    gate.load_keys(key_set(ENGINE_KEY, kty="EC", crv="P-256", use="enc", kid="enc-1", x="A" * 43, y="A" * 43))
    let_in(gate, signed_at())
    seal = {"kty": "OKP", "crv": "Ed25519", "use": "enc", "kid": "engine-1", "x": base64url(bytes(32))}
    assert engine_keys_of(key_set(ENGINE_KEY, **seal)).keys() == {"engine-1"}


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"{}",
        b'{"keys": 5}',
        b'{"keys": []}',
        b"<html>sign in to this network</html>",
        key_set(ENGINE_KEY).replace(b'"x": "', b'"x": "A'),
        key_set(ENGINE_KEY).replace(b'"sig"', b'"enc"'),
        key_set(ENGINE_KEY).replace(b'"kid": "engine-1", ', b""),
    ],
)
def test_what_is_no_key_set_leaves_the_keys_as_they_were(gate: Gate, document: bytes) -> None:
    with pytest.raises(ValueError, match="key"):
        gate.load_keys(document)
    let_in(gate, signed_at())


def test_keys_are_replaced_as_a_whole(gate: Gate, tmp_path: Path) -> None:
    newer = SigningKey("engine-2", Ed25519PrivateKey.from_private_bytes(bytes(range(9, 41))))
    gate.load_keys(key_set(newer))
    assert refused(gate, signed_at()) is Refusal.SIGNATURE_KEY_UNKNOWN
    let_in(gate, signed_at(key=newer))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["keys.json", "lock", "tickets.ndjson"]


@pytest.mark.parametrize("scenario", ["outpatient", "nothing"])
def test_gate_is_for_scenarios_that_need_no_network(scenario: str) -> None:
    with pytest.raises(ValueError, match="no scenario with gates"):
        settings_of(scenario=scenario)


def test_key_is_not_shown() -> None:
    assert "key" not in repr(settings_of()).replace("***", "")


@settings(deadline=None, max_examples=50)
@given(text=st.text(), content=st.binary(max_size=300))
def test_anything_scanned_gets_an_answer(text: str, content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    with open_gate(tmp_path_factory.mktemp("gate")) as gate:
        gate.load_keys(key_set(ENGINE_KEY))
        for scanned in (text, base64url(content), content.decode("latin-1")):
            refused(gate, scanned)
