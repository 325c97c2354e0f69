"""What leads to an order: its token as text, in a link, or in the QR code that the merchant shows."""

import base64
import binascii
import re
from typing import Final

import msgspec

from engine.codes.merchant_qr import TEXT_CHARS_MAX, OrderQr, read_merchant_qr
from engine.core.refusals import Refusal

TOKEN_BYTES: Final = 16
TOKEN_PATTERN: Final = "[0-9A-Za-z_-]{22}"  # noqa: S105  # a pattern, not a token
CODE_CHARS_MAX: Final = TEXT_CHARS_MAX

_TOKEN: Final = re.compile(TOKEN_PATTERN)
_LINK: Final = re.compile(
    rf"https?://[^/?#\s]{{1,255}}(?:/[^?#\s]{{0,255}})?/q/o/({TOKEN_PATTERN})(?:\?[^#\s]{{0,100}})?"
)
_EMV_START: Final = "0002"


class OrderCode(msgspec.Struct, frozen=True, kw_only=True):
    """What was scanned. `merchant_code` is None where the text does not name the merchant."""

    token: bytes
    merchant_code: str | None = None


def token_text(token: bytes) -> str:
    """Sixteen bytes as 22 characters that may stand in an address (RFC 4648, section 5, without padding)."""
    assert len(token) == TOKEN_BYTES
    return base64.urlsafe_b64encode(token).rstrip(b"=").decode()


def read_token(text: str) -> bytes | None:
    """The token that a text is; None if it is none, or one that is written otherwise than `token_text` does."""
    if not _TOKEN.fullmatch(text):
        return None
    try:
        token = base64.urlsafe_b64decode(text + "==")
    except binascii.Error:
        return None
    return token if token_text(token) == text else None


def read_order_code(text: str) -> OrderCode | Refusal:
    """The order that a scanned text leads to: an order's QR code, a link to its page, or its token alone.

    Else ORDER_CODE_MALFORMED. White space that scanners add around it does not matter.
    """
    scanned = text.strip()
    if len(scanned) > CODE_CHARS_MAX:
        return Refusal.ORDER_CODE_MALFORMED
    merchant_code = None
    if scanned.startswith(_EMV_START):
        read = read_merchant_qr(scanned)
        if not isinstance(read, OrderQr):
            return read
        scanned, merchant_code = read.order, read.merchant_code
    elif (link := _LINK.fullmatch(scanned)) is not None:
        scanned = link[1]
    token = read_token(scanned)
    if token is None:
        return Refusal.ORDER_CODE_MALFORMED
    return OrderCode(token=token, merchant_code=merchant_code)
