"""The QR code of an order, which the cardholder's app scans: an EMV merchant-presented payload.

Our profile, in the order in which it is written:

    00 payload format 01
    01 point of initiation 12: good for one order
    26 merchant account: 00 cn.ssc.pay, 01 the merchant's code, 02 which order
    52 merchant category (ISO 18245); 53 currency 156; 54 amount in yuan; 58 country CN
    59 merchant's name; 60 its city
    62 additional data: 01 bill number, 07 terminal
    64 in another language: 00 ZH, 01 merchant's name, 02 its city
    63 CRC

An element is two digits of tag, two digits of length and its value. A length counts characters, as it does in the
published example, so that a Chinese name of four characters has the length 04; the CRC is over the bytes of UTF-8.
The amount is there for other apps to show: ours asks the engine what the order comes to, and never trusts the code.

Source: EMV QR Code Specification for Payment Systems, Merchant-Presented Mode, sections 3 and 4.
"""

import binascii
import re
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

import msgspec

from engine.core.money import AMOUNT_FEN_MAX, CURRENCY_NUMBER
from engine.core.refusals import Refusal

GUID: Final = "cn.ssc.pay"
TEXT_CHARS_MAX: Final = 512
NAME_CHARS_MAX: Final = 25
CITY_CHARS_MAX: Final = 15
REFERENCE_CHARS_MAX: Final = 25
ACCOUNT_CHARS_MAX: Final = 99

Fields: TypeAlias = Mapping[str, str]
"""The elements of a template, by tag."""

MerchantPayload: TypeAlias = Mapping[str, str | Fields]
"""The elements of a payload by tag, in the order in which they came, without the CRC."""

_FORMAT: Final = ("00", "01")
_INITIATION: Final = ("01", "12")
_CURRENCY: Final = ("53", CURRENCY_NUMBER)
_COUNTRY: Final = ("58", "CN")
_LANGUAGE: Final = "ZH"
_CRC_HEADING: Final = "6304"
_CRC_CHARS: Final = 8

_ACCOUNT_TEMPLATES: Final = frozenset(f"{tag:02d}" for tag in range(26, 52))
_ADDITIONAL: Final = "62"
_TRANSLATED: Final = "64"
# Whoever's they are, accounts from 26 on and what is unreserved from 80 on are made of elements.
_TEMPLATES: Final = _ACCOUNT_TEMPLATES | {_ADDITIONAL, _TRANSLATED} | {f"{tag:02d}" for tag in range(80, 100)}

_HEADING: Final = re.compile(r"([0-9]{2})([0-9]{2})")
_AMOUNT: Final = re.compile(r"(0|[1-9][0-9]{0,9})\.([0-9]{2})")
_CATEGORY: Final = re.compile(r"[0-9]{4}")
_REFERENCE: Final = re.compile(r"[!-~]+")
_LATIN: Final = re.compile(r"[!-~](?:[ -~]*[!-~])?")


class OrderQr(msgspec.Struct, frozen=True, kw_only=True):
    """What the code of an order says. Units: fen. Making one that cannot be written raises ValueError.

    Shape: `order` is what the order is found by, its token or its id; names and cities are printable ASCII (see
    `latin_name`), what they are in Chinese stands beside them; the merchant's code and `order` have at most 75
    characters together.
    """

    order: str
    merchant_code: str
    merchant_name: str
    city: str
    mcc: str
    amount: int
    bill_no: str | None = None
    terminal_id: str | None = None
    merchant_name_zh: str | None = None
    city_zh: str | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be written."""
        if not _CATEGORY.fullmatch(self.mcc):
            raise ValueError("a merchant category is four digits")
        if not 0 < self.amount <= AMOUNT_FEN_MAX:
            raise ValueError(f"an amount is 1 to {AMOUNT_FEN_MAX} fen")
        for name, text in (("order", self.order), ("merchant_code", self.merchant_code)):
            if not _REFERENCE.fullmatch(text):
                raise ValueError(f"{name} is one or more printable ASCII characters without spaces")
        for name, reference in (("bill_no", self.bill_no), ("terminal_id", self.terminal_id)):
            if reference is not None and not (
                _REFERENCE.fullmatch(reference) and len(reference) <= REFERENCE_CHARS_MAX
            ):
                raise ValueError(f"{name} is 1 to {REFERENCE_CHARS_MAX} printable ASCII characters without spaces")
        for name, text, chars_max in (
            ("merchant_name", self.merchant_name, NAME_CHARS_MAX),
            ("city", self.city, CITY_CHARS_MAX),
        ):
            if not (_LATIN.fullmatch(text) and len(text) <= chars_max):
                raise ValueError(f"{name} is 1 to {chars_max} printable ASCII characters")
        for name, translated, chars_max in (
            ("merchant_name_zh", self.merchant_name_zh, NAME_CHARS_MAX),
            ("city_zh", self.city_zh, CITY_CHARS_MAX),
        ):
            if translated is not None and not (translated.isprintable() and 0 < len(translated) <= chars_max):
                raise ValueError(f"{name} is 1 to {chars_max} printable characters")
        if self.city_zh is not None and self.merchant_name_zh is None:
            raise ValueError("a city in Chinese needs the merchant's name in Chinese")
        if len(_written(_account_of(self))) > ACCOUNT_CHARS_MAX:
            raise ValueError("the merchant's code and the order are too long together")


def latin_name(text: str, chars_max: int, *, otherwise: str) -> str:
    """What of a name the code can show: its printable ASCII characters, cut after *chars_max*; else *otherwise*."""
    shown = re.sub(r"[^ -~]+", " ", text).split()
    return " ".join(shown)[:chars_max].rstrip() or otherwise[:chars_max]


def merchant_qr_text(order: OrderQr) -> str:
    """The text of the QR code that presents this order."""
    payload: dict[str, str | Fields] = {
        **dict((_FORMAT, _INITIATION)),
        "26": _account_of(order),
        "52": order.mcc,
        **dict((_CURRENCY,)),
        "54": f"{order.amount // 100}.{order.amount % 100:02d}",
        **dict((_COUNTRY,)),
        "59": order.merchant_name,
        "60": order.city,
    }
    if additional := _given(("01", order.bill_no), ("07", order.terminal_id)):
        payload[_ADDITIONAL] = additional
    if translated := _given(("01", order.merchant_name_zh), ("02", order.city_zh)):
        payload[_TRANSLATED] = {"00": _LANGUAGE, **translated}
    unsealed = _written(payload) + _CRC_HEADING
    return unsealed + _crc_text(unsealed)


def read_merchant_qr(text: str) -> OrderQr | Refusal:
    """The order that our account in this payload names; else ORDER_CODE_MALFORMED.

    Elements may come in any order, and accounts of others beside ours are passed over, as the standard asks. What is
    ours is read strictly: one account of ours, an order code (not a code that merchants print and keep), an amount in
    yuan of China.
    """
    payload = read_merchant_payload(text)
    if isinstance(payload, Refusal):
        return payload
    accounts = [_fields(value) for tag, value in payload.items() if tag in _ACCOUNT_TEMPLATES]
    ours = [account for account in accounts if account.get("00") == GUID]
    amount = _AMOUNT.fullmatch(_text(payload.get("54")))
    is_order_code = all(payload.get(tag) == value for tag, value in (_INITIATION, _CURRENCY, _COUNTRY))
    if amount is None or not is_order_code or [set(account) for account in ours] != [{"00", "01", "02"}]:
        return Refusal.ORDER_CODE_MALFORMED
    account, additional = ours[0], _fields(payload.get(_ADDITIONAL))
    translated = _fields(payload.get(_TRANSLATED))
    is_chinese = translated.get("00") == _LANGUAGE
    try:
        return OrderQr(
            order=account["02"],
            merchant_code=account["01"],
            merchant_name=_text(payload.get("59")),
            city=_text(payload.get("60")),
            mcc=_text(payload.get("52")),
            amount=int(amount[1]) * 100 + int(amount[2]),
            bill_no=additional.get("01"),
            terminal_id=additional.get("07"),
            merchant_name_zh=translated.get("01") if is_chinese else None,
            city_zh=translated.get("02") if is_chinese else None,
        )
    except ValueError:
        return Refusal.ORDER_CODE_MALFORMED


def read_merchant_payload(text: str) -> MerchantPayload | Refusal:
    """The elements of an EMV merchant-presented payload, whoever made it; else ORDER_CODE_MALFORMED.

    Bounds: 512 characters, looked at before anything is read.
    In order means: the payload format first, and known; the CRC last, and right; every element whole, and each tag
    once, in templates as well; nothing in front, between or behind.
    """
    if len(text) > TEXT_CHARS_MAX or text[-_CRC_CHARS:-4] != _CRC_HEADING:
        return Refusal.ORDER_CODE_MALFORMED
    try:
        is_sealed = text[-4:] == _crc_text(text[:-4])
    except UnicodeEncodeError:  # a lone surrogate has no bytes, and thus no CRC either
        return Refusal.ORDER_CODE_MALFORMED
    if not is_sealed:
        return Refusal.ORDER_CODE_MALFORMED
    elements = _elements(text[:-_CRC_CHARS])
    if elements is None or elements[:1] != [_FORMAT]:
        return Refusal.ORDER_CODE_MALFORMED
    payload: dict[str, str | Fields] = {}
    for tag, value in elements:
        parts = _elements(value) if tag in _TEMPLATES else []
        if parts is None or tag in payload or tag == _CRC_HEADING[:2] or len(dict(parts)) != len(parts):
            return Refusal.ORDER_CODE_MALFORMED
        payload[tag] = dict(parts) if tag in _TEMPLATES else value
    return payload


def crc16(content: bytes) -> int:
    """The CRC-16 with polynomial 1021 and initial value FFFF, neither reflected nor inverted: 29B1 of 123456789."""
    return binascii.crc_hqx(content, 0xFFFF)


def _crc_text(sealed: str) -> str:
    return f"{crc16(sealed.encode()):04X}"


def _account_of(order: OrderQr) -> Fields:
    return {"00": GUID, "01": order.merchant_code, "02": order.order}


def _given(*fields: tuple[str, str | None]) -> dict[str, str]:
    return {tag: value for tag, value in fields if value is not None}


def _written(payload: MerchantPayload) -> str:
    pieces = []
    for tag, value in payload.items():
        text = value if isinstance(value, str) else _written(value)
        pieces.append(f"{tag}{len(text):02d}{text}")
    return "".join(pieces)


def _elements(text: str) -> Sequence[tuple[str, str]] | None:
    """The elements that fill *text* from its first character to its last, of one or more; None if they do not."""
    found: list[tuple[str, str]] = []
    at = 0
    while heading := _HEADING.match(text, at):
        end = heading.end() + int(heading[2])
        if end == heading.end():
            return None
        found.append((heading[1], text[heading.end() : end]))
        at = end
    return found if found and at == len(text) else None


def _fields(value: str | Fields | None) -> Fields:
    return value if isinstance(value, Mapping) else {}


def _text(value: str | Fields | None) -> str:
    return value if isinstance(value, str) else ""
