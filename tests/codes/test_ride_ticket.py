"""Ride tickets: every fault of a line is named, and forged, repeated and missing ones are told apart."""

import json
from collections.abc import Callable

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.codes.http_signature import Ed25519Key
from engine.codes.ride_ticket import (
    LATE_S_MAX,
    LINE_BYTES_MAX,
    SEQUENCE_MAX,
    RideTicket,
    SignedTicket,
    TerminalKey,
    TicketVerdict,
    judge_ticket,
    read_ticket,
    sign_ticket,
    signed_content,
    ticket_id,
    ticket_line,
)
from engine.codes.signed_code import AGE_S_MAX, SKEW_S
from engine.core.ids import IdKind, id_text, make_id
from engine.core.money import AMOUNT_FEN_MAX
from tests.codes.pay_code_builders import SHOWN_AT_NOON
from tests.codes.signed_code_builders import ISSUED_S, MERCHANT, TERMINAL_PRIVATE, TERMINAL_PUBLIC, a_ticket

PROPERTY = settings(deadline=None)
KEY = TerminalKey(key=TERMINAL_PUBLIC, valid_from_s=ISSUED_S - 1_000.0)
OTHER_PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(5, 37)))
CARD = id_text(make_id(IdKind.CARD, at_ms=1_764_000_000_000, shard=7, region=110101, entropy=5))

# Fixed for ever: gates in the field write the same.
LINE = (
    b'{"merchant_id":"%s","terminal_id":"G-01","sequence":7,"code":"917123456789010615873392",'
    b'"code_issued_s":1699999980,"taken_s":1699999984,"amount":300,"scenario":"transit","ride_no":"R-7",'
    b'"signature":"%s"}\n'
)


def signed(sequence: int = 7, **changes: str | int) -> SignedTicket:
    return sign_ticket(a_ticket(sequence, **changes), TERMINAL_PRIVATE)


def fields(**changes: object) -> dict[str, object]:
    """The fields of a line that is in order, but for the changes; None leaves one out."""
    given: dict[str, object] = json.loads(ticket_line(signed()))
    return {name: value for name, value in (given | changes).items() if value is not None}


def faults(line: bytes) -> list[str]:
    read = read_ticket(line)
    assert isinstance(read, tuple)
    assert all(fault.reason for fault in read)
    return [fault.pointer for fault in read]


def verdict(
    ticket: SignedTicket, *, last: int = 6, after_s: float = 10.0, keys: tuple[TerminalKey, ...] = (KEY,)
) -> str:
    return judge_ticket(ticket, keys=keys, last_sequence=last, now_s=ISSUED_S + after_s).value


def test_line_is_written_as_listed() -> None:
    line = ticket_line(signed())
    signature = json.loads(line)["signature"]
    assert line == LINE % (MERCHANT.encode(), signature.encode())
    assert signed_content(a_ticket()) == (
        b"ssc ride ticket 1\n%s\nG-01\n7\n917123456789010615873392\n1699999980\n1699999984\n300\ntransit\nR-7\n"
        % MERCHANT.encode()
    )


def test_what_is_written_is_read() -> None:
    assert read_ticket(ticket_line(signed())) == signed()
    assert read_ticket(ticket_line(signed()).removesuffix(b"\n")) == signed()


@PROPERTY
@given(
    sequence=st.integers(1, SEQUENCE_MAX),
    amount=st.integers(1, AMOUNT_FEN_MAX),
    taken_s=st.integers(0, 2**32 - 1),
    ride_no=st.from_regex("[0-9A-Za-z_-]{1,64}", fullmatch=True),
    terminal_id=st.from_regex("[0-9A-Za-z_.:-]{1,32}", fullmatch=True),
    scenario=st.sampled_from(["transit", "park", "museum"]),
)
def test_every_ticket_reads_back(sequence: int, **changes: str | int) -> None:
    assert read_ticket(ticket_line(signed(sequence, **changes))) == signed(sequence, **changes)


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("merchant_id", ["", CARD, MERCHANT.upper(), MERCHANT + "0", 5, [], {}]),
        ("terminal_id", ["", "x" * 33, "G 01", "G-01\n", "Ｇ-01", 1]),
        ("sequence", [0, -1, 2**53, 1.0, "7", True, [7]]),
        ("code", [SHOWN_AT_NOON[:-1], SHOWN_AT_NOON[:-1] + "3", SHOWN_AT_NOON + "\n", "134567890123456789", 9171]),
        ("code_issued_s", [-1, 2**32, 1.5, "1699999980", False]),
        ("taken_s", [-1, 2**32, 1e9]),
        ("amount", [0, -300, AMOUNT_FEN_MAX + 1, 3.0, "300"]),
        ("scenario", ["", "outpatient", "TRANSIT", "nothing", 7]),
        ("ride_no", ["", "x" * 65, "R 7", "R-7\n", "乘车", 7]),
        ("signature", ["", "A" * 85, "A" * 87, "A" * 85 + "B", "A" * 86 + "==", "签" * 86, 5]),
    ],
)
def test_each_fault_names_its_field(field: str, values: list[object]) -> None:
    for value in values:
        assert faults(json.dumps(fields(**{field: value})).encode()) == [f"/{field}"], value
    assert faults(json.dumps(fields(**{field: None})).encode()) == [f"/{field}"]
    twice = json.dumps(fields()).encode()[:-1] + f',"{field}":{json.dumps(fields()[field])}}}'.encode()
    assert faults(twice) == [f"/{field}"]


def test_all_faults_of_a_line_are_named_at_once() -> None:
    line = json.dumps(fields(ride_no="R 7", amount=0, code=None, **{"tip/~": 5}))
    assert faults(line.encode()) == ["/code", "/amount", "/ride_no", "/tip~1~0"]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"7",
        b"[]",
        b'[["sequence",7]]',
        b"{",
        b"{}}",
        b"null",
        b"[" * LINE_BYTES_MAX,
        b'{"a":' * 190,
        "{}".encode("utf-16"),
        b'{"merchant_id":"\xff"}',
        ticket_line(signed())[:-2],
        ticket_line(signed()) + b"{}",
        ticket_line(signed()).ljust(LINE_BYTES_MAX + 1),
    ],
)
def test_line_that_holds_no_object_is_one_fault(line: bytes) -> None:
    assert faults(line) == [""]


def test_line_may_be_padded_to_its_bound() -> None:
    assert read_ticket(ticket_line(signed()).ljust(LINE_BYTES_MAX)) == signed()


def test_name_that_cannot_be_written_is_still_named() -> None:
    assert [pointer.encode() for pointer in faults(b'{"\\ud800":1}')][-1] == b"/?"


def test_faults_quote_nothing() -> None:
    read = read_ticket(json.dumps(fields(code=SHOWN_AT_NOON + "0", ride_no="a secret")).encode())
    assert isinstance(read, tuple)
    assert not any(SHOWN_AT_NOON in fault.reason or "secret" in fault.reason for fault in read)
    assert SHOWN_AT_NOON not in repr(a_ticket())


@pytest.mark.parametrize(
    "changes", [{"amount": 0}, {"ride_no": "R\n7"}, {"terminal_id": "G-01\n8"}, {"scenario": "outpatient"}]
)
def test_ticket_that_could_not_be_read_is_not_signed(changes: dict[str, str | int]) -> None:
    with pytest.raises(ValueError, match=f"/{next(iter(changes))} "):
        sign_ticket(a_ticket(7, **changes), TERMINAL_PRIVATE)


def test_ticket_in_order_is_good() -> None:
    assert verdict(signed()) == "good"
    assert verdict(signed(1), last=0) == "good"


@pytest.mark.parametrize(
    ("last", "expected"), [(5, "gap"), (0, "gap"), (6, "good"), (7, "repeated"), (100, "repeated")]
)
def test_number_tells_missing_and_repeated_ones(last: int, expected: str) -> None:
    assert verdict(signed(), last=last) == expected


@pytest.mark.parametrize(
    "change",
    [
        lambda ticket: msgspec.structs.replace(ticket, amount=ticket.amount - 1),
        lambda ticket: msgspec.structs.replace(ticket, sequence=ticket.sequence + 1),
        lambda ticket: msgspec.structs.replace(ticket, terminal_id="G-02"),
        lambda ticket: msgspec.structs.replace(ticket, taken_s=ticket.taken_s + 1),
        lambda ticket: msgspec.structs.replace(ticket, code_issued_s=ticket.code_issued_s + 1),
        lambda ticket: msgspec.structs.replace(ticket, scenario="park"),
        lambda ticket: msgspec.structs.replace(ticket, ride_no="R-8"),
        lambda ticket: msgspec.structs.replace(ticket, merchant_id=CARD),
        lambda ticket: msgspec.structs.replace(ticket, code="0" * 24),
    ],
)
def test_signature_covers_every_field(change: Callable[[RideTicket], RideTicket]) -> None:
    assert verdict(SignedTicket(change(signed().ticket), signed().signature)) == "forged"


def test_what_is_forged_is_not_believed_in_its_number() -> None:
    forged = sign_ticket(a_ticket(), OTHER_PRIVATE)
    assert [verdict(forged, last=last) for last in (0, 6, 7)] == ["forged"] * 3
    assert verdict(signed(), keys=()) == "forged"


@pytest.mark.parametrize(
    ("valid_from_s", "retired_s", "expected"),
    [
        (ISSUED_S + 4, None, "good"),
        (ISSUED_S + 5, None, "forged"),
        (0, ISSUED_S + 5, "good"),
        (0, ISSUED_S + 4, "forged"),
    ],
)
def test_key_signs_for_its_own_time(valid_from_s: int, retired_s: int | None, expected: str) -> None:
    key = TerminalKey(key=TERMINAL_PUBLIC, valid_from_s=valid_from_s, retired_s=retired_s)
    newer = TerminalKey(key=Ed25519Key(OTHER_PRIVATE.public_key()), valid_from_s=0)
    assert verdict(signed(), keys=(newer, key)) == expected


@pytest.mark.parametrize(
    ("taken_after_s", "expected"),
    [
        (-SKEW_S - 1, "code_stale"),
        (-SKEW_S, "good"),
        (AGE_S_MAX + SKEW_S - 1, "good"),
        (AGE_S_MAX + SKEW_S, "code_stale"),
    ],
)
def test_code_was_of_its_minute_when_the_ticket_was_taken(taken_after_s: int, expected: str) -> None:
    assert verdict(signed(taken_s=ISSUED_S + taken_after_s), after_s=500.0) == expected


@pytest.mark.parametrize(
    ("after_s", "expected"),
    [
        (4.0 - SKEW_S, "good"),
        (3.9 - SKEW_S, "taken_later"),
        (3.9 + LATE_S_MAX, "good"),
        (4.0 + LATE_S_MAX, "too_late"),
    ],
)
def test_ticket_comes_in_after_it_was_taken_and_within_three_days(after_s: float, expected: str) -> None:
    assert verdict(signed(), after_s=after_s) == expected


def test_bad_ticket_does_not_hold_up_those_that_follow() -> None:
    takes = {found.value for found in TicketVerdict if found.takes_number}
    assert takes == {"good", "code_stale", "taken_later", "too_late"}


def test_id_is_of_the_ticket_and_not_of_its_writing() -> None:
    ids = {ticket_id(a_ticket(sequence)) for sequence in range(1, 5)} | {ticket_id(a_ticket(1, amount=5))}
    assert len(ids) == 5
    assert ticket_id(a_ticket()) == ticket_id(signed().ticket)
    assert len(ticket_id(a_ticket())) == 64


def test_a_flipped_bit_is_never_a_good_ticket() -> None:
    line = ticket_line(signed()).removesuffix(b"\n")
    for place in range(len(line) * 8):
        damaged = bytearray(line)
        damaged[place // 8] ^= 1 << place % 8
        read = read_ticket(bytes(damaged))
        assert isinstance(read, tuple) or verdict(read) == "forged"


@PROPERTY
@given(line=st.binary(max_size=1_100))
def test_any_bytes_get_an_answer(line: bytes) -> None:
    assert isinstance(read_ticket(line), tuple)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@PROPERTY
@given(value=JSON, name=st.sampled_from(RideTicket.__struct_fields__))
def test_any_json_in_a_field_is_taken_or_named(value: object, name: str) -> None:
    line = json.dumps(fields() | {name: value}).encode()
    read = read_ticket(line)
    if isinstance(read, SignedTicket):
        assert getattr(read.ticket, name) == value
    else:
        assert [fault.pointer for fault in read] == ([f"/{name}"] if len(line) <= LINE_BYTES_MAX else [""])
