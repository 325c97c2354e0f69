"""The QR form of an order: the published example is read, ours is written as listed, and damage is never an order."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.codes.merchant_qr import (
    CITY_CHARS_MAX,
    NAME_CHARS_MAX,
    OrderQr,
    crc16,
    latin_name,
    merchant_qr_text,
    read_merchant_payload,
    read_merchant_qr,
)
from engine.codes.render import qr_png
from engine.core.money import AMOUNT_FEN_MAX
from engine.core.refusals import Refusal
from engine.sandbox.camera import scan

PROPERTY = settings(deadline=None)
MALFORMED = Refusal.ORDER_CODE_MALFORMED

# EMV QR Code Specification for Payment Systems, Merchant-Presented Mode: the published example.
PUBLISHED = (
    "00020101021229300012D156000000000510A93FO3230Q31280012D15600000001030812345678520441115802CN5914BEST TRANSPORT"
    "6007BEIJING64200002ZH0104最佳运输0202北京540523.7253031565502016233030412340603***0708A60086670902ME9132"
    "0016A0112233449988770708123456786304A13A"
)
OURS = (
    "00020101021226510010cn.ssc.pay0112H110101000010217201904280000000175204806253031565406637.355802CN"
    "5913DEMO HOSPITAL6007BEIJING62300117201904280000000170705WIN0363040B28"
)
ORDER = OrderQr(
    order="20190428000000017",
    merchant_code="H11010100001",
    merchant_name="DEMO HOSPITAL",
    city="BEIJING",
    mcc="8062",
    amount=63_735,
    bill_no="20190428000000017",
    terminal_id="WIN03",
)
ACCOUNT = "26510010cn.ssc.pay0112H11010100001021720190428000000017"
THEIRS = "26330016A0000003330001010109merchant1"

references = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=25)
chinese = st.text(st.sampled_from("最佳运输北京市朝阳医院A1 "), min_size=1, max_size=15)
orders = st.builds(
    OrderQr,
    order=references,
    merchant_code=references,
    merchant_name=references,
    city=references.map(lambda text: text[:15]),
    mcc=st.from_regex("[0-9]{4}", fullmatch=True, alphabet="0123456789"),
    amount=st.integers(1, AMOUNT_FEN_MAX),
    bill_no=st.none() | references,
    terminal_id=st.none() | references,
    merchant_name_zh=chinese,
    city_zh=st.none() | chinese,
)


def sealed(elements: str) -> str:
    """The elements with a CRC that fits."""
    unsealed = elements + "6304"
    return f"{unsealed}{crc16(unsealed.encode()):04X}"


def changed(old: str, new: str) -> str:
    """Our sample with one of its elements changed, and a CRC that fits."""
    assert OURS.count(old) == 1
    return sealed(OURS[:-8].replace(old, new))


def test_check_value_of_the_crc() -> None:
    assert crc16(b"123456789") == 0x29B1


def test_published_example_is_read_exactly() -> None:
    assert read_merchant_payload(PUBLISHED) == {
        "00": "01",
        "01": "12",
        "29": {"00": "D15600000000", "05": "A93FO3230Q"},
        "31": {"00": "D15600000001", "03": "12345678"},
        "52": "4111",
        "58": "CN",
        "59": "BEST TRANSPORT",
        "60": "BEIJING",
        "64": {"00": "ZH", "01": "最佳运输", "02": "北京"},
        "54": "23.72",
        "53": "156",
        "55": "01",
        "62": {"03": "1234", "06": "***", "07": "A6008667", "09": "ME"},
        "91": {"00": "A011223344998877", "07": "12345678"},
    }


def test_published_example_is_no_order_of_ours() -> None:
    assert read_merchant_qr(PUBLISHED) is MALFORMED


def test_our_profile_is_written_as_listed() -> None:
    assert merchant_qr_text(ORDER) == OURS


def test_our_profile_is_read() -> None:
    assert read_merchant_qr(OURS) == ORDER


@PROPERTY
@given(order=orders)
def test_what_is_written_reads_back(order: OrderQr) -> None:
    assert read_merchant_qr(merchant_qr_text(order)) == order


def test_chinese_names_are_counted_in_characters_and_survive_a_camera() -> None:
    order = msgspec.structs.replace(ORDER, merchant_name_zh="示范医院", city_zh="北京市")
    text = merchant_qr_text(order)
    assert "64210002ZH0104示范医院0203北京市" in text
    assert read_merchant_qr(scan(qr_png(text))) == order


@pytest.mark.parametrize(("fen", "yuan"), [(1, "0.01"), (10, "0.10"), (100, "1.00"), (AMOUNT_FEN_MAX, "100000000.00")])
def test_amount_is_written_in_yuan(fen: int, yuan: str) -> None:
    text = merchant_qr_text(msgspec.structs.replace(ORDER, amount=fen))
    assert f"54{len(yuan):02d}{yuan}5802CN" in text


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("order", "", "order is one or more"),
        ("order", "a b", "order is one or more"),
        ("order", "x" * 70, "too long together"),
        ("merchant_code", "医院", "merchant_code is one or more"),
        ("merchant_name", "最佳运输", "merchant_name is 1 to 25"),
        ("merchant_name", "x" * 26, "merchant_name is 1 to 25"),
        ("merchant_name", " X", "merchant_name is 1 to 25"),
        ("city", "x" * 16, "city is 1 to 15"),
        ("mcc", "806", "four digits"),
        ("mcc", "８０６２", "four digits"),
        ("amount", 0, "1 to"),
        ("amount", -5, "1 to"),
        ("amount", AMOUNT_FEN_MAX + 1, "1 to"),
        ("bill_no", "", "bill_no is 1 to 25"),
        ("bill_no", "x" * 26, "bill_no is 1 to 25"),
        ("terminal_id", "x" * 26, "terminal_id is 1 to 25"),
        ("merchant_name_zh", "", "merchant_name_zh is 1 to 25"),
        ("merchant_name_zh", "医\n院", "merchant_name_zh is 1 to 25"),
        ("merchant_name_zh", "\ud800", "merchant_name_zh is 1 to 25"),
        ("city_zh", "北京", "needs the merchant's name"),
    ],
)
def test_what_does_not_fit_is_not_written(field: str, value: object, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        msgspec.structs.replace(ORDER, **{field: value})


def test_merchant_and_order_may_fill_their_template() -> None:
    longest = msgspec.structs.replace(ORDER, order="x" * 65, merchant_code="y" * 12)
    with pytest.raises(ValueError, match="too long together"):
        msgspec.structs.replace(longest, order="x" * 66)
    assert read_merchant_qr(merchant_qr_text(longest)) == longest


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Demo Hospital", "Demo Hospital"),
        ("  Hôpital\tde  Pékin ", "H pital de P kin"),
        ("Beijing Municipal Hospital of Everything", "Beijing Municipal Hospital"[:25]),
        ("A hospital with a space  x", "A hospital with a space x"),
        ("Twenty-four letters long x", "Twenty-four letters long"),
        ("北京医院", "H11010100001"),
        ("", "H11010100001"),
    ],
)
def test_name_is_cut_to_what_can_be_shown(name: str, shown: str) -> None:
    assert latin_name(name, NAME_CHARS_MAX, otherwise="H11010100001") == shown
    assert msgspec.structs.replace(ORDER, merchant_name=shown).merchant_name == shown


@PROPERTY
@given(text=st.text())
def test_every_name_can_be_shown(text: str) -> None:
    order = msgspec.structs.replace(ORDER, city=latin_name(text, CITY_CHARS_MAX, otherwise="110101"))
    assert read_merchant_qr(merchant_qr_text(order)) == order


@pytest.mark.parametrize(
    "text",
    [
        sealed(OURS[:-8].replace(ACCOUNT, ACCOUNT + THEIRS.replace("26", "27", 1))),
        sealed(OURS[:-8].replace(ACCOUNT, "0216" + "4" * 16 + ACCOUNT)),
        sealed(OURS[:-8].replace(ACCOUNT, "") + ACCOUNT.replace("26", "51", 1)),
        sealed(OURS[:-8] + "6505hello"),
        sealed(OURS[:-8] + "64210002EN0102XY0205OTHER"),
    ],
    ids=["another account", "a card scheme's", "ours at the end", "element of the future", "a third language"],
)
def test_what_is_others_is_passed_over(text: str) -> None:
    assert read_merchant_qr(text) == ORDER


@pytest.mark.parametrize(
    "text",
    [
        "",
        "6304",
        sealed(""),
        sealed("000201"),
        OURS[:-4] + "0B29",
        OURS[:-4] + "0b28",
        OURS[:-4],
        OURS[:-8],
        OURS + "\n",
        OURS + " ",
        OURS + OURS,
        "]Q3" + OURS,
        changed("000201010212", "010212000201"),
        changed("000201", "000202"),
        sealed(OURS[6:-8]),
        sealed(OURS[:-8] + "6304ABCD"),
        changed("5802CN", "5802CN5802CN"),
        sealed(OURS[:-8] + ACCOUNT),
        sealed(OURS[:-8] + ACCOUNT.replace("26", "27", 1)),
        changed("5303156", "5303840"),
        changed("5303156", ""),
        changed("5802CN", "5802HK"),
        changed("010212", "010211"),
        changed("010212", ""),
        changed("52048062", ""),
        changed("52048062", "520380A"),
        changed("5913DEMO HOSPITAL", ""),
        changed("6007BEIJING", ""),
        changed("5406637.35", ""),
        changed("5406637.35", "5403637"),
        changed("5406637.35", "5405637.3"),
        changed("5406637.35", "5407637.350"),
        changed("5406637.35", "54070637.35"),
        changed("5406637.35", "54040.00"),
        changed("5406637.35", "5407-637.35"),
        changed("5406637.35", "5406６37.35"),
        changed("5406637.35", "5412100000000.01"),
        changed(ACCOUNT, ""),
        changed(ACCOUNT, THEIRS),
        changed(ACCOUNT, "2602xx"),
        changed("0112H11010100001", "0110H110101000"),
        changed("26510010cn.ssc.pay0112H11010100001", "26350010cn.ssc.pay"),
        changed("26510010cn.ssc.pay", "26560301x0010cn.ssc.pay"),
        changed("0010cn.ssc.pay", "0010cn.ssc.paz"),
        changed("6007BEIJING", "6000"),
        changed("6007BEIJING", "6099BEIJING"),
        changed("6007BEIJING", "60-7BEIJING"),
        changed("6007BEIJING", "６007BEIJING"),
        changed("0705WIN03", "0705WIN0"),
        changed("62300117201904280000000170705WIN03", "62180705WIN030705WIN03"),
        changed("62300117201904280000000170705WIN03", "6205WIN03"),
        sealed(OURS[:-8] + "6500"),
        sealed(OURS[:-8] + "6505four"),
        sealed(OURS[:-8] + "65"),
        sealed(OURS[:-8] + "80040100"),
        sealed(OURS[:-8] + "80050199x"),
        sealed(OURS[:-8] + "80060101x!"),
    ],
)
def test_payload_out_of_order_is_malformed(text: str) -> None:
    assert read_merchant_qr(text) is MALFORMED


def test_text_is_bounded_at_512_characters() -> None:
    def filled(chars: int) -> str:
        room = chars - len(OURS)
        pieces = [f"{tag}95{'x' * 95}" for tag in (65, 66, 67)]
        last = room - 3 * 99 - 4
        return sealed(OURS[:-8] + "".join(pieces) + f"68{last:02d}{'x' * last}")

    assert len(filled(512)) == 512
    assert read_merchant_qr(filled(512)) == ORDER
    assert read_merchant_qr(filled(513)) is MALFORMED


@PROPERTY
@given(place=st.integers(0, len(OURS.encode()) * 8 - 1))
def test_a_flipped_bit_is_never_an_order(place: int) -> None:
    damaged = bytearray(OURS.encode())
    damaged[place // 8] ^= 1 << place % 8
    assert read_merchant_qr(damaged.decode("utf-8", "surrogateescape")) is MALFORMED


@PROPERTY
@given(place=st.integers(0, len(OURS) - 1), char=st.characters())
def test_another_character_is_never_another_order(place: int, char: str) -> None:
    assert read_merchant_qr(OURS[:place] + char + OURS[place + 1 :]) in (MALFORMED, ORDER)


@PROPERTY
@given(text=st.text() | st.binary().map(lambda content: sealed("000201" + content.decode("latin-1"))))
def test_any_text_gets_an_answer(text: str) -> None:
    assert isinstance(read_merchant_qr(text), OrderQr | Refusal)
