"""Finds the reader of an upload by what it begins with; what it is called does not matter."""

import codecs
import re
from datetime import date
from functools import partial
from typing import Final

from engine.formats import camt053, disbursement_csv, flat_uploads, pacs002, pacs004, pain001, unionpay_zm
from engine.formats.uploads import BYTES_MAX, UploadReader
from engine.formats.xml_tree import namespace_of

FIRST_BYTES: Final = 8_192  # are looked at

_MESSAGES: Final = {module.MESSAGE.name: module.read for module in (camt053, pacs002, pacs004, pain001)}
_NAMESPACE: Final = re.compile(
    f"""["']{re.escape(namespace_of(""))}({"|".join(map(re.escape, _MESSAGES))})["']""".encode()
)


def upload_reader(
    first_bytes: bytes, *, name: str = "", bytes_max: int = BYTES_MAX, settled_on: date | None = None
) -> UploadReader | None:
    """The reader of an upload that begins with *first_bytes*; None if it is in no form that is read here.

    Bounds: `FIRST_BYTES` are enough, fewer if there are no more; *bytes_max* is of a whole XML message.
    Shape: a form that does not tell its settlement date takes *settled_on*, or else what the *name* tells.
    """
    head = first_bytes[:FIRST_BYTES].removeprefix(codecs.BOM_UTF8)
    if head.lstrip()[:1] == b"<":
        found = _NAMESPACE.search(head)
        message = found[1].decode() if found is not None else ""
        return UploadReader(message, partial(_MESSAGES[message], bytes_max=bytes_max)) if message else None
    first_line = head.partition(b"\n")[0]
    if first_line.startswith(b"H|"):
        return UploadReader(flat_uploads.NAME, flat_uploads.read)
    if disbursement_csv.names_columns(first_line):
        return UploadReader(disbursement_csv.NAME, disbursement_csv.read)
    if unionpay_zm.is_first_line(first_line):
        settled_on = settled_on or unionpay_zm.settlement_date_in(name)
        return UploadReader(unionpay_zm.NAME, partial(unionpay_zm.read, settled_on=settled_on))
    return None
