"""The QR form of a payment code: ours is read, others are named as foreign, the rest is malformed."""

from base64 import b64encode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.codes import tlv
from engine.codes.consumer_qr import (
    AID,
    ConsumerCode,
    decode_consumer_payload,
    decode_consumer_qr,
    encode_consumer_qr,
)
from engine.codes.tlv import Element, Leaf, Template
from engine.core.refusals import Refusal

PROPERTY = settings(deadline=None)

# EMV QR Code Specification for Payment Systems, Consumer-Presented Mode: the published example.
PUBLISHED = (
    "hQVDUFYwMWETTwegAAAAVVVVUAhQcm9kdWN0MWETTwegAAAAZmZmUAhQcm9kdWN0MmJJWggSNFZ4kBI0WF8gDkNBUkRIT0xERVIv"
    "RU1WXy0IcnVlc2RlZW5kIZ8QBwYBCgMAAACfJghYT9OF+iNLzJ82AgABnzcEbVjvEw=="
)

DIGITS = "910000000000010123456784"
OURS = "hQVDUFYwMWEnTwfwU1NDUEFZUAZTU0NQQVljFN8BDJEAAAAAAAEBI0VnhN8DAgAH"  # of key 7

FORMAT = Leaf(0x85, b"CPV01")
THEIRS = Template(0x61, (Leaf(0x4F, bytes.fromhex("A0000003330101")), Leaf(0x50, b"UICC")))
COMMON = Template(0x62, (Leaf(0x5A, bytes.fromhex("1234567890123458")),))


def our_template(code: str = DIGITS, key_id: str = "0007", **changes: tuple[Element, ...]) -> Template:
    specific = (Leaf(0xDF01, bytes.fromhex(code)), Leaf(0xDF03, bytes.fromhex(key_id)))
    identifier = changes.get("identifier", (Leaf(0x4F, AID),))
    label = changes.get("label", (Leaf(0x50, b"SSCPAY"),))
    return Template(
        0x61,
        (*identifier, *label, Template(0x63, changes.get("specific", specific)), *changes.get("more", ())),
    )


def text_of(*elements: Element) -> str:
    return b64encode(tlv.encode(elements)).decode()


def test_published_example_is_read_exactly() -> None:
    assert decode_consumer_payload(PUBLISHED) == (
        Leaf(0x85, b"CPV01"),
        Template(0x61, (Leaf(0x4F, bytes.fromhex("A0000000555555")), Leaf(0x50, b"Product1"))),
        Template(0x61, (Leaf(0x4F, bytes.fromhex("A0000000666666")), Leaf(0x50, b"Product2"))),
        Template(
            0x62,
            (
                Leaf(0x5A, bytes.fromhex("1234567890123458")),
                Leaf(0x5F20, b"CARDHOLDER/EMV"),
                Leaf(0x5F2D, b"ruesdeen"),
                Template(
                    0x64,
                    (
                        Leaf(0x9F10, bytes.fromhex("06010A03000000")),
                        Leaf(0x9F26, bytes.fromhex("584FD385FA234BCC")),
                        Leaf(0x9F36, bytes.fromhex("0001")),
                        Leaf(0x9F37, bytes.fromhex("6D58EF13")),
                    ),
                ),
            ),
        ),
    )


def test_published_example_is_foreign() -> None:
    assert decode_consumer_qr(PUBLISHED) is Refusal.PAY_CODE_FOREIGN


def test_our_profile_is_written_as_listed() -> None:
    assert encode_consumer_qr(DIGITS, 7) == OURS
    assert text_of(FORMAT, our_template()) == OURS


def test_our_profile_is_read() -> None:
    assert decode_consumer_qr(OURS) == ConsumerCode(DIGITS, 7)


@PROPERTY
@given(digits=st.text("0123456789", min_size=24, max_size=24), key_id=st.integers(0, 0xFFFF))
def test_what_is_written_reads_back(digits: str, key_id: int) -> None:
    assert decode_consumer_qr(encode_consumer_qr(digits, key_id)) == ConsumerCode(digits, key_id)


@pytest.mark.parametrize("digits", [DIGITS[:-1], DIGITS + "0", DIGITS[:-1] + "A", "９" + DIGITS[1:], ""])
def test_only_24_digits_are_written(digits: str) -> None:
    with pytest.raises(ValueError, match="a payment code is 24 digits"):
        encode_consumer_qr(digits, 7)


@pytest.mark.parametrize("key_id", [-1, 0x10000])
def test_only_a_key_id_of_two_bytes_is_written(key_id: int) -> None:
    with pytest.raises(ValueError, match=f"key id {key_id} is outside"):
        encode_consumer_qr(DIGITS, key_id)


@pytest.mark.parametrize(
    "elements",
    [
        (FORMAT, our_template(), THEIRS, COMMON),
        (FORMAT, THEIRS, our_template()),
        (FORMAT, our_template(), Leaf(0x9F01, b"?")),
    ],
    ids=["ours first", "theirs first", "unknown element"],
)
def test_our_application_is_found_beside_others(elements: tuple[Element, ...]) -> None:
    assert decode_consumer_qr(text_of(*elements)) == ConsumerCode(DIGITS, 7)


@pytest.mark.parametrize(
    "elements",
    [
        (FORMAT, THEIRS),
        (FORMAT, our_template(identifier=(Leaf(0x4F, AID + b"1"),))),
        (FORMAT, our_template(identifier=(Leaf(0x4F, AID[:-1]),))),
        (FORMAT, our_template(identifier=(Leaf(0x4F, AID[:5]),))),
        (FORMAT, our_template(identifier=(Leaf(0x4F, AID + b"nine more"),))),
        (FORMAT, THEIRS, Template(0x62, (Leaf(0x4F, AID),))),
    ],
    ids=[
        "another scheme",
        "longer identifier",
        "shorter identifier",
        "shortest identifier",
        "longest identifier",
        "identifier in the common template",
    ],
)
def test_payload_without_our_application_is_foreign(elements: tuple[Element, ...]) -> None:
    assert decode_consumer_qr(text_of(*elements)) is Refusal.PAY_CODE_FOREIGN


@pytest.mark.parametrize(
    "elements",
    [
        (),
        (our_template(),),
        (our_template(), FORMAT),
        (Leaf(0x85, b"CPV02"), our_template()),
        (Leaf(0x85, b""), our_template()),
        (FORMAT, FORMAT, our_template()),
        (FORMAT, our_template(), FORMAT),
        (FORMAT, our_template(), Leaf(0x85, b"CPV02")),
        (FORMAT, our_template(), COMMON, COMMON),
        (FORMAT,),
        (FORMAT, COMMON),
        (FORMAT, our_template(), our_template()),
        (FORMAT, our_template(identifier=())),
        (FORMAT, our_template(identifier=(Leaf(0x4F, AID), Leaf(0x4F, AID)))),
        (FORMAT, our_template(), Template(0x61, (Leaf(0x4F, b"four"),))),
        (FORMAT, our_template(), Template(0x61, (Leaf(0x4F, b"seventeen letters"),))),
    ],
    ids=[
        "nothing",
        "no format",
        "format not first",
        "unknown format",
        "empty format",
        "format twice",
        "format again at the end",
        "another format at the end",
        "two common templates",
        "no application",
        "no application but a common template",
        "two codes of ours",
        "no identifier",
        "two identifiers",
        "identifier of four bytes",
        "identifier of seventeen bytes",
    ],
)
def test_payload_out_of_order_is_malformed(elements: tuple[Element, ...]) -> None:
    assert decode_consumer_qr(text_of(*elements)) is Refusal.PAY_CODE_MALFORMED


CODE = Leaf(0xDF01, bytes.fromhex(DIGITS))
KEY = Leaf(0xDF03, b"\x00\x07")


@pytest.mark.parametrize(
    "template",
    [
        our_template(code=DIGITS[:-2]),
        our_template(code=DIGITS + "00"),
        our_template(code=DIGITS[:-1] + "A"),
        our_template(key_id="07"),
        our_template(key_id="000007"),
        our_template(key_id=""),
        our_template(label=()),
        our_template(label=(Leaf(0x50, b"SSCPAX"),)),
        our_template(more=(Leaf(0x5A, b"1"),)),
        our_template(specific=(CODE,)),
        our_template(specific=(KEY, CODE)),
        our_template(specific=(CODE, CODE)),
        our_template(specific=(CODE, KEY, Leaf(0xDF04, bytes(4)))),
        our_template(specific=(CODE, Template(0x64, ()))),
        Template(0x61, our_template().parts[:2]),
        Template(0x61, our_template().parts[::-1]),
    ],
    ids=[
        "22 digits",
        "26 digits",
        "not BCD",
        "key id of one byte",
        "key id of three bytes",
        "empty key id",
        "no label",
        "another label",
        "more than ours",
        "no key id",
        "key id first",
        "code twice",
        "more than code and key id",
        "template for a key id",
        "no code",
        "another order",
    ],
)
def test_our_application_with_another_content_is_malformed(template: Template) -> None:
    assert decode_consumer_qr(text_of(FORMAT, template)) is Refusal.PAY_CODE_MALFORMED


# 65 bytes, so that the Base64 ends in one "=" and the last character has two bits that say nothing.
PADDED = text_of(FORMAT, Template(0x61, (Leaf(0x4F, bytes(6)), Leaf(0x50, bytes(46)))))


@pytest.mark.parametrize(
    "text",
    [
        PADDED.removesuffix("="),
        PADDED + "=",
        PADDED[:-2] + chr(ord(PADDED[-2]) + 1) + "=",
        PADDED + "\n",
        " " + PADDED,
        PADDED[:20] + "\n" + PADDED[20:],
        PADDED[:20] + "=" + PADDED[20:],
        PADDED[:20] + "-" + PADDED[21:],
        PADDED[:20] + "Ａ" + PADDED[21:],
        PADDED[:20] + "\ud800" + PADDED[21:],
        PADDED + PADDED,
    ],
    ids=[
        "no padding",
        "too much padding",
        "unused bits set",
        "line feed",
        "space in front",
        "broken in two lines",
        "padding inside",
        "alphabet of URLs",
        "full-width letter",
        "lone surrogate",
        "twice",
    ],
)
def test_base64_in_any_other_writing_is_malformed(text: str) -> None:
    assert decode_consumer_qr(PADDED) is Refusal.PAY_CODE_FOREIGN
    assert decode_consumer_qr(text) is Refusal.PAY_CODE_MALFORMED


@pytest.mark.parametrize(
    "content",
    [
        "8505 4350563031 6180 4F07F0535343504159 0000",
        "8505 4350563031 6109 4F08F0535343504159",
        "8505 4350563031 610A 4F07F0535343504159",
        "8505 4350563031 6109 4F07F0535343504159 00",
        "8505 4350563031 6109 4F07F0535343504159 0000",
        "8505 4350563031 6109 4F07F0535343504159 50",
        "858105 4350563031 6109 4F07F0535343504159",
    ],
    ids=[
        "indefinite length",
        "element past its template",
        "template past the end",
        "trailing byte",
        "trailing padding",
        "trailing tag",
        "length longer than needed",
    ],
)
def test_payload_that_is_not_whole_tlv_is_malformed(content: str) -> None:
    assert decode_consumer_qr(b64encode(bytes.fromhex(content)).decode()) is Refusal.PAY_CODE_MALFORMED


@pytest.mark.parametrize(("chars", "refusal"), [(512, Refusal.PAY_CODE_FOREIGN), (516, Refusal.PAY_CODE_MALFORMED)])
def test_text_is_bounded_at_512_characters(chars: int, refusal: Refusal) -> None:
    byte_count = chars // 4 * 3
    filled = text_of(FORMAT, THEIRS, Leaf(0xDF10, bytes(byte_count - len(tlv.encode((FORMAT, THEIRS))) - 5)))
    assert len(filled) == chars
    assert decode_consumer_qr(filled) is refusal


@PROPERTY
@given(position=st.integers(0, len(OURS) - 1), char=st.characters())
def test_any_single_change_is_another_code_or_a_refusal(position: int, char: str) -> None:
    changed = OURS[:position] + char + OURS[position + 1 :]
    code = decode_consumer_qr(changed)
    if isinstance(code, ConsumerCode):
        assert encode_consumer_qr(code.digits, code.key_id) == changed
    else:
        assert code in {Refusal.PAY_CODE_MALFORMED, Refusal.PAY_CODE_FOREIGN}


@PROPERTY
@given(text=st.one_of(st.text(), st.binary(max_size=390).map(lambda content: b64encode(content).decode())))
def test_any_text_gets_an_answer(text: str) -> None:
    assert isinstance(decode_consumer_qr(text), ConsumerCode | Refusal)


def test_digits_are_masked() -> None:
    code = ConsumerCode(DIGITS, 7)
    assert repr(code) == f"{code}" == "ConsumerCode(digits=<masked>, key_id=7)"
    assert code.__rich_repr__() == [("key_id", 7)]
