"""Password blocks: what was sealed for us opens, and nothing that is a bit different does."""

import json
import string
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from engine.codes.password_block import (
    AGE_S_MAX,
    AHEAD_S_MAX,
    BLOCK_CHARS_MAX,
    BlockKey,
    BoundTo,
    PasswordBlock,
    SealedBlock,
    agreed_key,
    block_key_of,
    judge_block,
    open_block,
    parse_block,
    seal_password,
)
from engine.core.refusals import Refusal

ALPHABET = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
NOW_S = 1_795_000_000
KEY = BlockKey("password-1", ec.derive_private_key(2**200 + 7, ec.SECP256R1()))
OTHER_KEY = BlockKey("password-1", ec.derive_private_key(2**200 + 8, ec.SECP256R1()))
EPHEMERAL = ec.derive_private_key(2**220 + 9, ec.SECP256R1())
IV = bytes(range(12))
PASSWORD = "704192"
ORDER = BoundTo(order_no="A-1001", merchant_id="mer_1")
BLOCK = PasswordBlock(password=PASSWORD, iat=NOW_S, order_no="A-1001", merchant_id="mer_1")


def sealed(block: PasswordBlock = BLOCK) -> str:
    """The block in compact form."""
    return seal_password(KEY.jwk, block, ephemeral=EPHEMERAL, iv=IV)


def opened(text: str, key: BlockKey = KEY) -> PasswordBlock | Refusal:
    """What is in a block."""
    parsed = parse_block(text)
    return open_block(parsed, key) if isinstance(parsed, SealedBlock) else parsed


def encoded(raw: bytes) -> str:
    """Base64url without padding."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    """Base64url without padding, read."""
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def header_of(text: str) -> dict[str, object]:
    """The header of a block."""
    read: dict[str, object] = json.loads(decoded(text.split(".")[0]))
    return read


def jwe(header: bytes, plain: bytes, *, ephemeral: ec.EllipticCurvePrivateKey = EPHEMERAL) -> str:
    """A JWE for KEY with any header and any content, put together as RFC 7516 section 5.1 says."""
    shared = ephemeral.exchange(ec.ECDH(), KEY.private.public_key())
    other_info = b"\0\0\0\7A256GCM" + bytes(8) + b"\0\0\1\0"
    content_key = sha256(b"\0\0\0\1" + shared + other_info).digest()
    cipher = AESGCM(content_key).encrypt(IV, plain, encoded(header).encode())
    return ".".join((encoded(header), "", encoded(IV), encoded(cipher[:-16]), encoded(cipher[-16:])))


def plain(**changes: object) -> bytes:
    """The content of a valid block, with changes; None takes a member out."""
    members = {"password": PASSWORD, "iat": NOW_S, "order_no": "A-1001", "merchant_id": "mer_1"} | changes
    return json.dumps({name: value for name, value in members.items() if value is not None}).encode()


def header(**changes: object) -> bytes:
    """The header of a valid block, with changes; None takes a member out."""
    members = header_of(sealed()) | changes
    return json.dumps({name: value for name, value in members.items() if value is not None}).encode()


# RFC 7518, appendix C.
ALICE = {
    "x": "gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0",
    "y": "SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps",
    "d": "0_NxaRPUMQoAJt50Gz8YiTr8gRTwyEaCumd-MToTmIo",
}
BOB = {
    "x": "weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ",
    "y": "e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck",
    "d": "VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw",
}


def private(jwk: dict[str, str]) -> ec.EllipticCurvePrivateKey:
    """A private key of the appendix."""
    x, y, d = (int.from_bytes(decoded(jwk[name])) for name in ("x", "y", "d"))
    return ec.EllipticCurvePrivateNumbers(d, ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1())).private_key()


@pytest.mark.parametrize(("mine", "theirs"), [(ALICE, BOB), (BOB, ALICE)])
def test_both_sides_agree_on_the_key_that_the_standard_gives(mine: dict[str, str], theirs: dict[str, str]) -> None:
    shared = private(mine).exchange(ec.ECDH(), private(theirs).public_key())
    assert encoded(agreed_key(shared, "A128GCM", key_bytes=16, apu=b"Alice", apv=b"Bob")) == "VqqN6vgjbSBcIijNcacQGg"


@pytest.mark.parametrize("bound", [{"order_no": "A-1001"}, {"payment_id": "pay_1"}])
def test_what_was_sealed_opens(bound: dict[str, str]) -> None:
    block = PasswordBlock(password=PASSWORD, iat=NOW_S, **bound)
    assert opened(sealed(block)) == block
    assert judge_block(block, BoundTo(**bound), now_s=NOW_S) is None


def test_block_has_the_header_that_the_standard_asks_for() -> None:
    head, encrypted_key, *_ = sealed().split(".")
    assert encrypted_key == ""
    assert {"alg": "ECDH-ES", "enc": "A256GCM", "kid": "password-1"}.items() <= header_of(sealed()).items()
    assert set(header_of(sealed())) == {"alg", "enc", "kid", "epk"}
    assert "=" not in head


def test_block_of_another_library_opens_whatever_the_order_of_its_members() -> None:
    members = dict(reversed(header_of(sealed()).items()))
    assert opened(jwe(json.dumps(members, indent=1).encode(), plain())) == BLOCK


@given(at=st.integers(0, 8 * len(sealed()) - 1))
def test_one_wrong_bit_never_opens(at: int) -> None:
    raw = bytearray(sealed().encode())
    raw[at // 8] ^= 1 << at % 8
    assert opened(raw.decode("latin-1")) is Refusal.PASSWORD_BLOCK_INVALID


@given(part=st.sampled_from([2, 3, 4]), at=st.integers(0, 95))
def test_one_wrong_bit_of_the_sealed_bytes_never_opens(part: int, at: int) -> None:
    parts = sealed().split(".")
    raw = bytearray(decoded(parts[part]))
    raw[at // 8] ^= 1 << at % 8
    parts[part] = encoded(bytes(raw))
    assert opened(".".join(parts)) is Refusal.PASSWORD_BLOCK_INVALID


@given(st.text(max_size=200) | st.from_regex(r"\A[\w-]{0,80}(\.[\w-]{0,80}){4}\Z"))
def test_anything_else_is_no_block(text: str) -> None:
    assert opened(text) is Refusal.PASSWORD_BLOCK_INVALID


def test_another_key_opens_nothing() -> None:
    assert opened(sealed(), OTHER_KEY) is Refusal.PASSWORD_BLOCK_INVALID


@pytest.mark.parametrize(
    "changes",
    [
        {"alg": "ECDH-ES+A256KW"},
        {"alg": "dir"},
        {"alg": "none"},
        {"alg": None},
        {"enc": "A128GCM"},
        {"enc": "A256CBC-HS512"},
        {"enc": None},
        {"zip": "DEF"},
        {"apu": "QWxpY2U"},
        {"crit": ["exp"], "exp": 1},
        {"kid": None},
        {"kid": ""},
        {"kid": "k" * 65},
        {"kid": 1},
        {"epk": None},
        {"epk": {}},
        {"epk": "x"},
    ],
    ids=str,
)
def test_no_other_header_is_taken(changes: dict[str, object]) -> None:
    assert opened(jwe(header(), plain())) == BLOCK
    assert opened(jwe(header(**changes), plain())) is Refusal.PASSWORD_BLOCK_INVALID


@pytest.mark.parametrize(
    "changes",
    [
        {"kty": "OKP"},
        {"crv": "P-384"},
        {"crv": "secp256k1"},
        {"d": "AAAA"},
        {"x": "AAAA"},
        {"x": encoded(bytes(32))},
        {"x": encoded(b"\xff" * 32)},
        {"x": encoded(b"\0" + decoded(BlockKey("", EPHEMERAL).jwk.x))},
        {"x": "元" * 43},
        {"y": None},
    ],
    ids=str,
)
def test_ephemeral_key_has_to_be_a_point_of_the_curve(changes: dict[str, object]) -> None:
    epk = header_of(sealed())["epk"]
    assert isinstance(epk, dict)
    assert opened(jwe(header(epk=epk | changes), plain())) is Refusal.PASSWORD_BLOCK_INVALID


def respelt(text: str) -> str:
    """The same bytes in Base64url with a stray bit at the end."""
    assert len(text) % 4
    other = text[:-1] + ALPHABET[ALPHABET.index(text[-1]) + 1]
    assert decoded(other) == decoded(text)
    return other


def test_same_bytes_spelt_otherwise_are_not_taken() -> None:
    start, tag = sealed().rsplit(".", 1)
    assert opened(f"{start}.{respelt(tag)}") is Refusal.PASSWORD_BLOCK_INVALID
    assert opened(f"{start}.{tag}==") is Refusal.PASSWORD_BLOCK_INVALID
    epk = header_of(sealed())["epk"]
    assert isinstance(epk, dict)
    assert opened(jwe(header(epk=epk), plain())) == BLOCK
    assert opened(jwe(header(epk=epk | {"x": respelt(epk["x"])}), plain())) is Refusal.PASSWORD_BLOCK_INVALID


@pytest.mark.parametrize(
    "text",
    [
        "",
        "....",
        sealed() + "\n",
        " " + sealed(),
        sealed() + ".AAAA",
        sealed().replace("..", ".AAAA."),
        sealed().rsplit(".", 1)[0],
        sealed() + "A" * BLOCK_CHARS_MAX,
        "元" + sealed(),
    ],
)
def test_other_forms_are_not_taken(text: str) -> None:
    assert parse_block(text) is Refusal.PASSWORD_BLOCK_INVALID


def test_too_much_is_refused_before_it_is_decrypted() -> None:
    assert isinstance(parse_block(jwe(header(), b"x" * 256)), SealedBlock)
    assert parse_block(jwe(header(), b"x" * 257)) is Refusal.PASSWORD_BLOCK_INVALID
    room = 384 - len(header())
    assert opened(jwe(header() + b" " * room, plain())) == BLOCK
    assert parse_block(jwe(header() + b" " * (room + 1), plain())) is Refusal.PASSWORD_BLOCK_INVALID
    assert len(jwe(header() + b" " * room, b"x" * 256)) == BLOCK_CHARS_MAX


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"123456",
        b"\xff\xfe",
        plain() + b"x",
        plain().decode().encode("utf-16"),
        plain(password="12345"),
        plain(password="1234567"),
        plain(password="12345\n"),
        plain(password="123456\n"),
        plain(password="12345a"),
        plain(password="１２３４５６"),
        plain(password=123456),
        plain(password=None),
        plain(iat=None),
        plain(iat="1795000000"),
        plain(iat=1795000000.5),
        plain(iat=-1),
        plain(iat=2**63),
        plain(iat=True),
        plain(nbf=1),
        plain()[:-1] + b', "password": "000000"}',
        plain()[:-1] + b', "order_no": "B"}',
        b'{"a":' * 40 + b"1" + b"}" * 40,
        b"[" * 256,
    ],
    ids=str,
)
def test_no_other_content_is_taken(content: bytes) -> None:
    assert opened(jwe(header(), content)) is Refusal.PASSWORD_BLOCK_INVALID


def test_member_that_stands_twice_in_the_header_is_not_taken() -> None:
    assert opened(jwe(header()[:-1] + b', "kid": "password-1"}', plain())) is Refusal.PASSWORD_BLOCK_INVALID


@pytest.mark.parametrize(
    ("block", "bound_to"),
    [
        (BLOCK, BoundTo(order_no="A-1002", merchant_id="mer_1")),
        (BLOCK, BoundTo(order_no="A-1001", merchant_id="mer_2")),
        (BLOCK, BoundTo(order_no="A-1001")),
        (BLOCK, BoundTo(payment_id="A-1001", merchant_id="mer_1")),
        (PasswordBlock(password=PASSWORD, iat=NOW_S, payment_id="pay_1"), BoundTo(payment_id="pay_2")),
        (PasswordBlock(password=PASSWORD, iat=NOW_S, payment_id="pay_1", order_no="A"), BoundTo(payment_id="pay_1")),
        (PasswordBlock(password=PASSWORD, iat=NOW_S), BoundTo(payment_id="pay_1")),
    ],
)
def test_block_confirms_only_what_it_was_sealed_for(block: PasswordBlock, bound_to: BoundTo) -> None:
    assert judge_block(block, bound_to, now_s=NOW_S) is Refusal.PASSWORD_BLOCK_INVALID


def test_order_whose_merchant_is_not_named_is_any_merchants() -> None:
    block = PasswordBlock(password=PASSWORD, iat=NOW_S, order_no="A-1001")
    assert judge_block(block, ORDER, now_s=NOW_S) is None


@pytest.mark.parametrize(
    ("late_s", "refusal"),
    [
        (AGE_S_MAX, None),
        (AGE_S_MAX + 0.001, Refusal.PASSWORD_BLOCK_EXPIRED),
        (-AHEAD_S_MAX, None),
        (-AHEAD_S_MAX - 0.001, Refusal.PASSWORD_BLOCK_EXPIRED),
    ],
)
def test_block_is_good_for_five_minutes(late_s: float, refusal: Refusal | None) -> None:
    assert judge_block(BLOCK, ORDER, now_s=NOW_S + late_s) is refusal


@pytest.mark.parametrize("password", ["", "12345", "1234567", "123456\n", "12345a", "１２３４５６"])
def test_only_six_digits_are_sealed(password: str) -> None:
    with pytest.raises(ValueError, match="six digits") as caught:
        sealed(PasswordBlock(password=password, iat=NOW_S, order_no="A"))
    assert not password or password not in str(caught.value)


def test_password_does_not_show() -> None:
    assert PASSWORD not in repr(BLOCK) + str(BLOCK) + repr(BLOCK.__rich_repr__())


def test_key_comes_back_from_its_bytes() -> None:
    again = block_key_of("password-1", KEY.to_der())
    assert again.jwk == KEY.jwk
    assert opened(sealed(), again) == BLOCK
