"""Codes that are checked without a network: what the engine issued passes for a minute, nothing else ever does."""

from base64 import b64decode, b64encode

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.codes import tlv
from engine.codes.consumer_qr import CodeProof, decode_consumer_qr, encode_consumer_qr
from engine.codes.pay_code import judge_pay_code, parse_pay_code
from engine.codes.render import qr_png
from engine.codes.signed_code import SKEW_S, SignedCode, issue_signed_code, read_signed_code, verify_signed_code
from engine.core.refusals import Refusal
from engine.core.scenarios import MUSEUM, PARK, TRANSIT
from engine.core.scenarios import NUMBER_MAX as SCENARIO_MAX
from engine.sandbox.camera import scan
from tests.codes.pay_code_builders import DEVICE_NO, KEY, NOON_STEP, SHOWN_AT_NOON, a_code
from tests.codes.signed_code_builders import ENGINE_KEY, ENGINE_KEYS, ISSUED_S, OTHER_KEY, SCENES, signed_at

PROPERTY = settings(deadline=None)

# Fixed for ever: gates in the field check the same bytes.
ISSUED = (
    "hQVDUFYwMWGBh08H8FNTQ1BBWVAGU1NDUEFZY3TfAQyRcSNFZ4kBBhWHM5LfAwIAAd8EBGVT8OzfBggAAAAAAAACgN8HCGVuZ2luZS0x3wVA"
    "wRxpeGr7G+L4nuuz2tMt4bnjqV8UlncgQFL9OgMd3RY0gp0WaDsArpw8z6VmsM23+9MOvTWwURyDorsIPi1UBA=="
)


def read(text: str) -> SignedCode:
    code = read_signed_code(text)
    assert isinstance(code, SignedCode)
    return code


def verdict(text: str, *, after_s: float = 0.0, scenario: int = TRANSIT.number) -> Refusal | None:
    return verify_signed_code(read(text), ENGINE_KEYS, ISSUED_S + after_s, scenario=scenario)


def rewritten(text: str, **changes: object) -> str:
    """The same code, its proof changed and not signed again."""
    code = read(text)
    return encode_consumer_qr(code.code.text, code.key_id, msgspec.structs.replace(code.proof, **changes))


def test_profile_is_written_as_listed() -> None:
    assert signed_at() == ISSUED
    specific = tlv.decode(b64decode(signed_at()))[1].parts[2].parts  # type: ignore[union-attr]  # templates
    assert [part.tag for part in specific] == [0xDF01, 0xDF03, 0xDF04, 0xDF06, 0xDF07, 0xDF05]


def test_what_is_issued_is_read() -> None:
    code = read(signed_at())
    assert (code.code.text, code.code.device_no, code.key_id) == (SHOWN_AT_NOON, DEVICE_NO, 1)
    assert (code.proof.issued_s, code.proof.scenes, code.proof.signer) == (ISSUED_S, SCENES, "engine-1")


@PROPERTY
@given(issued_s=st.integers(0, 2**32 - 1), scenario=st.integers(1, SCENARIO_MAX), key_id=st.integers(0, 0xFFFF))
def test_what_is_issued_holds(issued_s: int, scenario: int, key_id: int) -> None:
    text = issue_signed_code(SHOWN_AT_NOON, key_id, issued_s=issued_s, scenes=1 << scenario, key=ENGINE_KEY)
    assert verify_signed_code(read(text), ENGINE_KEYS, issued_s, scenario=scenario) is None


def test_picture_of_it_can_be_scanned() -> None:
    assert scan(qr_png(signed_at())) == signed_at()


def test_a_till_with_a_network_takes_it_for_its_digits() -> None:
    code = parse_pay_code(f"]Q3{signed_at()}\r\n")
    assert code == msgspec.structs.replace(a_code(), key_id=1, proof=read(signed_at()).proof)
    assert judge_pay_code(code, KEY, ISSUED_S) == NOON_STEP
    assert read_signed_code(f"]Q3{signed_at()}\r\n") == read(signed_at())


@pytest.mark.parametrize(
    ("presented", "refusal"),
    [
        (SHOWN_AT_NOON, Refusal.CODE_SCENE_NOT_ALLOWED),
        (encode_consumer_qr(SHOWN_AT_NOON, 1), Refusal.CODE_SCENE_NOT_ALLOWED),
        ("134567890123456789", Refusal.PAY_CODE_FOREIGN),
        (signed_at()[:-4], Refusal.PAY_CODE_MALFORMED),
        ("", Refusal.PAY_CODE_MALFORMED),
    ],
)
def test_what_is_not_signed_cannot_be_checked(presented: str, refusal: Refusal) -> None:
    assert read_signed_code(presented) is refusal


@pytest.mark.parametrize(
    ("after_s", "refusal"),
    [
        (-SKEW_S - 0.001, Refusal.PAY_CODE_WRONG),
        (-SKEW_S, None),
        (0.0, None),
        (60.0, None),
        (60.0 + SKEW_S - 0.001, None),
        (60.0 + SKEW_S, Refusal.PAY_CODE_EXPIRED),
        (10**9, Refusal.PAY_CODE_EXPIRED),
    ],
)
def test_code_lives_for_its_minute(after_s: float, refusal: Refusal | None) -> None:
    assert verdict(signed_at(), after_s=after_s) is refusal


def test_a_gate_may_be_told_another_age() -> None:
    code = read(signed_at())
    judged = [
        verify_signed_code(code, ENGINE_KEYS, ISSUED_S + after_s, scenario=TRANSIT.number, age_s_max=5)
        for after_s in (4 + SKEW_S, 5 + SKEW_S)
    ]
    assert judged == [None, Refusal.PAY_CODE_EXPIRED]


def test_code_is_good_for_its_scenarios_only() -> None:
    judged = {number: verdict(signed_at(), scenario=number) for number in range(1, SCENARIO_MAX + 1)}
    allowed = {number for number, refusal in judged.items() if refusal is None}
    assert allowed == {TRANSIT.number, PARK.number}
    assert judged[MUSEUM.number] is Refusal.CODE_SCENE_NOT_ALLOWED


def test_another_key_of_the_same_name_is_not_the_engines() -> None:
    assert verdict(signed_at(key=OTHER_KEY)) is Refusal.PAY_CODE_WRONG


def test_unknown_signer_is_told_apart_so_that_a_gate_fetches_the_keys() -> None:
    assert verdict(rewritten(signed_at(), signer="engine-2")) is Refusal.SIGNATURE_KEY_UNKNOWN


@pytest.mark.parametrize(
    "changes",
    [{"issued_s": ISSUED_S + 1}, {"scenes": SCENES | 1 << MUSEUM.number}, {"scenes": SCENES & SCENES - 1}],
    ids=["later", "more scenarios", "fewer scenarios"],
)
def test_nothing_of_a_proof_can_be_changed(changes: dict[str, object]) -> None:
    assert verdict(rewritten(signed_at(), **changes)) is Refusal.PAY_CODE_WRONG


def test_proof_of_one_code_does_not_prove_another() -> None:
    proof = read(signed_at()).proof
    for other, key_id in ((read(signed_at(refresh=3)).code.text, 1), (SHOWN_AT_NOON, 2)):
        assert verdict(encode_consumer_qr(other, key_id, proof)) is Refusal.PAY_CODE_WRONG


def test_signature_over_the_bare_content_is_not_one_over_a_code() -> None:
    """What else the engine signs can never be taken for a code."""
    proof = read(signed_at()).proof
    content = b64decode(signed_at())
    start = content.index(bytes.fromhex("DF01"))
    bare = ENGINE_KEY.sign(content[start : content.index(bytes.fromhex("DF05"))])
    assert verdict(rewritten(signed_at(), signature=bare)) is Refusal.PAY_CODE_WRONG
    assert proof.signature != bare


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"issued_s": -1}, "no unix time"),
        ({"issued_s": 2**32}, "no unix time"),
        ({"scenes": -1}, "64 bits"),
        ({"scenes": 2**64}, "64 bits"),
        ({"signer": ""}, "a signer"),
        ({"signer": "x" * 33}, "a signer"),
        ({"signer": "引擎"}, "a signer"),
        ({"signer": "a b"}, "a signer"),
        ({"signature": bytes(63)}, "64 bytes"),
        ({"signature": bytes(65)}, "64 bytes"),
    ],
)
def test_proof_that_does_not_fit_is_not_written(changes: dict[str, object], reason: str) -> None:
    proof = CodeProof(issued_s=ISSUED_S, scenes=SCENES, signer="engine-1", signature=bytes(64))
    with pytest.raises(ValueError, match=reason):
        encode_consumer_qr(SHOWN_AT_NOON, 1, msgspec.structs.replace(proof, **changes))


def specific_with(**changes: bytes | None) -> str:
    """Our code with the values of some elements changed, or the elements left out."""
    values: dict[str, bytes | None] = {
        "DF01": bytes.fromhex(SHOWN_AT_NOON),
        "DF03": b"\0\1",
        "DF04": bytes(4),
        "DF06": bytes(8),
        "DF07": b"engine-1",
        "DF05": bytes(64),
    }
    values |= changes
    leaves = tuple(tlv.Leaf(int(tag, 16), value) for tag, value in values.items() if value is not None)
    template = tlv.Template(
        0x61,
        (tlv.Leaf(0x4F, bytes.fromhex("F0535343504159")), tlv.Leaf(0x50, b"SSCPAY"), tlv.Template(0x63, leaves)),
    )
    return b64encode(tlv.encode((tlv.Leaf(0x85, b"CPV01"), template))).decode()


@pytest.mark.parametrize(
    "changes",
    [
        {"DF04": bytes(3)},
        {"DF04": bytes(5)},
        {"DF04": b"\1" + bytes(4)},
        {"DF06": bytes(7)},
        {"DF06": b"\1" + bytes(8)},
        {"DF07": b""},
        {"DF07": b"x" * 33},
        {"DF07": b"engine\xff"},
        {"DF05": bytes(63)},
        {"DF05": bytes(65)},
        {"DF04": None},
        {"DF06": None},
        {"DF07": None},
        {"DF05": None},
        {"DF08": b""},
    ],
)
def test_proof_in_any_other_form_is_malformed(changes: dict[str, bytes | None]) -> None:
    assert not isinstance(decode_consumer_qr(specific_with()), Refusal)
    assert decode_consumer_qr(specific_with(**changes)) is Refusal.PAY_CODE_MALFORMED


def test_a_flipped_bit_never_verifies() -> None:
    content = b64decode(signed_at())
    for place in range(len(content) * 8):
        damaged = bytearray(content)
        damaged[place // 8] ^= 1 << place % 8
        code = read_signed_code(b64encode(damaged).decode())
        if isinstance(code, SignedCode):
            assert verify_signed_code(code, ENGINE_KEYS, ISSUED_S, scenario=TRANSIT.number) is not None


@PROPERTY
@given(place=st.integers(0, len(signed_at()) - 1), char=st.characters())
def test_another_character_never_verifies(place: int, char: str) -> None:
    text = signed_at()[:place] + char + signed_at()[place + 1 :]
    code = read_signed_code(text)
    if isinstance(code, SignedCode) and text != signed_at():
        assert verify_signed_code(code, ENGINE_KEYS, ISSUED_S, scenario=TRANSIT.number) is not None


@PROPERTY
@given(content=st.binary(max_size=390), text=st.text())
def test_anything_scanned_gets_an_answer(content: bytes, text: str) -> None:
    for presented in (text, b64encode(content).decode()):
        assert isinstance(read_signed_code(presented), Refusal)


def test_secrets_are_masked() -> None:
    assert SHOWN_AT_NOON not in repr(read(signed_at()))
