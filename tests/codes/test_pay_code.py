"""What is read as a payment code of ours, and what is refused."""

from base64 import b64decode, b64encode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stdnum import luhn

from engine.codes.consumer_qr import encode_consumer_qr
from engine.codes.pay_code import PayCode, parse_pay_code
from engine.core.refusals import Refusal
from tests.codes.pay_code_builders import DEVICE_NO, SHOWN_AT_NOON, a_code, with_check_digit

PROPERTY = settings(deadline=None)


def test_the_parts_of_a_code_are_read() -> None:
    expected = PayCode(device_no=DEVICE_NO, refresh=7, otp=61_587_339, text=SHOWN_AT_NOON)
    assert parse_pay_code(SHOWN_AT_NOON) == expected


def test_leading_zeros_are_kept() -> None:
    digits = with_check_digit("91" + "0" + "00000000001" + "000000042")
    assert parse_pay_code(digits) == PayCode(device_no=1, refresh=0, otp=42, text=digits)


def test_qr_text_is_the_same_code_and_says_its_key() -> None:
    expected = PayCode(device_no=DEVICE_NO, refresh=7, otp=61_587_339, text=SHOWN_AT_NOON, key_id=258)
    assert parse_pay_code(encode_consumer_qr(SHOWN_AT_NOON, 258)) == expected


@pytest.mark.parametrize("prefix", ["", "]C0", "]C1", "]Q1", "]Q3"])
@pytest.mark.parametrize("ending", ["", "\r", "\n", "\t", "\r\n", "\t\r\n"])
@pytest.mark.parametrize("text", [SHOWN_AT_NOON, encode_consumer_qr(SHOWN_AT_NOON, 1)], ids=["digits", "QR"])
def test_what_scanners_add_is_taken_off(prefix: str, ending: str, text: str) -> None:
    assert a_code(prefix + text + ending).text == SHOWN_AT_NOON


@pytest.mark.parametrize(
    "presented",
    [
        "",
        "\r\n",
        "]C1",
        SHOWN_AT_NOON[:-1],
        SHOWN_AT_NOON + "0",
        SHOWN_AT_NOON[:-1] + "3",
        with_check_digit("92" + SHOWN_AT_NOON[2:-1]),
        with_check_digit("19" + SHOWN_AT_NOON[2:-1]),
        SHOWN_AT_NOON.translate({ord("0") + digit: "０１２３４５６７８９"[digit] for digit in range(10)}),
        SHOWN_AT_NOON[:-1] + "２",
        SHOWN_AT_NOON[:-1] + "٢",
        SHOWN_AT_NOON[:12] + " " + SHOWN_AT_NOON[12:],
        SHOWN_AT_NOON[:12] + " " + SHOWN_AT_NOON[13:],
        SHOWN_AT_NOON[:12] + "\n" + SHOWN_AT_NOON[12:],
        SHOWN_AT_NOON[:12] + "-" + SHOWN_AT_NOON[12:],
        SHOWN_AT_NOON[:12] + "_" + SHOWN_AT_NOON[13:],
        SHOWN_AT_NOON[:-1] + "A",
        "O" + SHOWN_AT_NOON[1:],
        "+" + SHOWN_AT_NOON[1:],
        " " + SHOWN_AT_NOON,
        SHOWN_AT_NOON + " ",
        "\n" + SHOWN_AT_NOON,
        SHOWN_AT_NOON + "\x00",
        SHOWN_AT_NOON + "\x1d",
        "]C1]C1" + SHOWN_AT_NOON,
        "9]C1" + SHOWN_AT_NOON,
        "]E0" + SHOWN_AT_NOON,
        "]c1" + SHOWN_AT_NOON,
        "]C9" + SHOWN_AT_NOON,
        "C1" + SHOWN_AT_NOON,
        SHOWN_AT_NOON + "\n]C1",
        "https://example.org/q/o/" + SHOWN_AT_NOON,
        encode_consumer_qr(SHOWN_AT_NOON[:-1] + "3", 1),
        encode_consumer_qr(with_check_digit("25" + SHOWN_AT_NOON[2:-1]), 1),
        "\ud800" + SHOWN_AT_NOON[1:],
    ],
)
def test_anything_else_is_malformed(presented: str) -> None:
    assert parse_pay_code(presented) is Refusal.PAY_CODE_MALFORMED


EMV_OF_OTHERS = (
    "hQVDUFYwMWETTwegAAAAVVVVUAhQcm9kdWN0MWETTwegAAAAZmZmUAhQcm9kdWN0MmJJWggSNFZ4kBI0WF8gDkNBUkRIT0xERVIv"
    "RU1WXy0IcnVlc2RlZW5kIZ8QBwYBCgMAAACfJghYT9OF+iNLzJ82AgABnzcEbVjvEw=="
)
FOREIGN = [
    *(f"{prefix}{'0' * 16}" for prefix in (10, 11, 12, 13, 14, 15)),
    *(f"{prefix}{'1' * (digits - 2)}" for prefix in (25, 26, 27, 28, 29, 30) for digits in (16, 18, 23, 24)),
    with_check_digit("25" + SHOWN_AT_NOON[2:-1]),
    "fp" + "0a" * 16 + "f",
    "62" + "5" * 17,
    EMV_OF_OTHERS,
]


@pytest.mark.parametrize("presented", FOREIGN)
def test_code_of_another_scheme_is_foreign(presented: str) -> None:
    assert parse_pay_code(presented) is Refusal.PAY_CODE_FOREIGN
    assert parse_pay_code(f"]C1{presented}\r\n") is Refusal.PAY_CODE_FOREIGN


@pytest.mark.parametrize(
    "presented",
    [
        "16" + "0" * 16,
        "09" + "0" * 16,
        "13" + "0" * 15,
        "13" + "0" * 17,
        "24" + "1" * 16,
        "31" + "1" * 16,
        "25" + "1" * 13,
        "25" + "1" * 23,
        "fp" + "0" * 32,
        "fp" + "0" * 34,
        "fp" + "0" * 32 + " ",
        "62" + "5" * 16,
        "62" + "5" * 18,
        "1３" + "0" * 16,
    ],
)
def test_nearly_a_foreign_code_is_malformed(presented: str) -> None:
    assert parse_pay_code(presented) is Refusal.PAY_CODE_MALFORMED


@PROPERTY
@given(
    presented=st.one_of(
        st.text(),
        st.text("0123456789 \r\n\t]CQ13fp=", max_size=40),
        st.from_regex(r"91[0-9]{22}", fullmatch=True),
        st.binary(max_size=390).map(lambda content: b64encode(content).decode()),
        st.binary(max_size=400).map(lambda content: content.decode("utf-8", "surrogateescape")),
    )
)
def test_any_text_is_a_code_or_refused(presented: str) -> None:
    code = parse_pay_code(presented)
    if isinstance(code, PayCode):
        assert luhn.is_valid(code.text)
        assert code.text[:-1] == f"91{code.refresh}{code.device_no:011d}{code.otp:09d}"
    else:
        assert code in {Refusal.PAY_CODE_MALFORMED, Refusal.PAY_CODE_FOREIGN}


@PROPERTY
@given(position=st.integers(min_value=0), value=st.integers(0, 255))
def test_qr_with_a_damaged_byte_gets_an_answer(position: int, value: int) -> None:
    content = bytearray(b64decode(encode_consumer_qr(SHOWN_AT_NOON, 1)))
    content[position % len(content)] = value
    presented = b64encode(content).decode()
    code = parse_pay_code(presented)
    if isinstance(code, PayCode):
        assert code.key_id is not None
        assert encode_consumer_qr(code.text, code.key_id) == presented


def test_code_does_not_show_itself() -> None:
    code = a_code()
    expected = "PayCode(device_no=12345678901, refresh=7, otp=<masked>, text=<masked>, key_id=None)"
    assert repr(code) == f"{code}" == expected
    assert code.__rich_repr__() == [("device_no", DEVICE_NO), ("refresh", 7), ("key_id", None)]
