"""Values as ISO 20022 writes them: escaped text, amounts in yuan, instants; and what every message is wrapped in."""

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final
from xml.sax.saxutils import escape

from engine.formats.bank_file import SENDER, FieldOverflow, FileHeading

ID_CHARACTERS_MAX: Final = 35
ACCOUNT_CHARACTERS_MAX: Final = 34
AMOUNT_MAX: Final = 10**18 - 1  # eighteen digits in all, of which two are behind the point
HEADER: Final = "head.001.001.02"
NAMESPACE: Final = "urn:iso:std:iso:20022:tech:xsd:"
# What no XML 1.0 text can hold, however it is written.
_ILLEGAL: Final = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_RETURN: Final = {"\r": "&#13;"}  # a reader would turn it into a line feed


def is_plain(text: str) -> bool:
    """True if nothing in *text* has to be escaped or could be illegal. Where it is False `escaped` decides."""
    return text.isascii() and text.isprintable() and not ("<" in text or "&" in text or ">" in text)


def escaped(field: str, value: str) -> str:
    """The value as text of an element.

    Raises:
        FieldOverflow: XML has no way to write it.
    """
    if _ILLEGAL.search(value):
        raise FieldOverflow(field)
    return escape(value, _RETURN)


def amount_text(fen: int) -> str:
    """Fen as yuan with two decimals: ``237.35``."""
    digits = str(fen)
    return f"{digits[:-2]}.{digits[-2:]}" if fen >= 100 else f"0.{fen:02d}"


@lru_cache(maxsize=256)
def instant_text(instant: datetime) -> str:
    """An instant in UTC with microseconds: ``2026-11-24T05:30:00.000000Z``."""
    return instant.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def opening(heading: FileHeading, message: str, root: str) -> str:
    """Everything before a message's group header: `BizMsg`, the `AppHdr`, the `Document`'s first tags."""
    parties = (
        f"<Fr><OrgId><Id><OrgId><Othr><Id>{SENDER}</Id></Othr></OrgId></Id></OrgId></Fr>"
        f"<To><FIId>{institution(heading.receiver_bank)}</FIId></To>"
    )
    header = parties + _identified(heading.file_id, message, heading.created_at)
    if heading.replaces is not None:
        replaced = _identified(heading.replaces.file_id, message, heading.replaces.created_at)
        header += f"<Rltd>{parties}{replaced}</Rltd>"
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<BizMsg>\n'
        f'<AppHdr xmlns="{NAMESPACE}{HEADER}">{header}</AppHdr>\n'
        f'<Document xmlns="{NAMESPACE}{message}"><{root}>\n'
    )


def closing(root: str) -> str:
    """Everything after a message's last line."""
    return f"</{root}></Document>\n</BizMsg>\n"


def institution(bank: str) -> str:
    """A bank by its number in the clearing system (CNAPS)."""
    return f"<FinInstnId><ClrSysMmbId><MmbId>{escaped('bank', bank)}</MmbId></ClrSysMmbId></FinInstnId>"


def account(token: str) -> str:
    """An account by its token."""
    return f"<Id><Othr><Id>{token}</Id></Othr></Id>"


def _identified(file_id: str, message: str, created_at: datetime) -> str:
    if not 0 < len(file_id) <= ID_CHARACTERS_MAX or not is_plain(file_id):
        raise FieldOverflow("file_id")
    return f"<BizMsgIdr>{file_id}</BizMsgIdr><MsgDefIdr>{message}</MsgDefIdr><CreDt>{instant_text(created_at)}</CreDt>"
