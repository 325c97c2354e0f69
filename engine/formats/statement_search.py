"""Finding what a bank calls a payment in a statement of its own, by the statement's bytes.

The statement was accepted, so its records are whole and well-formed: here nothing is judged any more.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from html import unescape
from typing import Final

from engine.core.bank_lines import StatementLine
from engine.formats import camt053, flat_uploads, unionpay_zm

RECORD_BYTES_MAX: Final = 262_144
"""No record is longer, but for entries of very many details, which are not looked into."""

_ENTRY_END: Final = b"Ntry>"
_DETAIL_END: Final = b"TxDtls>"
_DETAILS: Final = b"NtryDtls>"
_REFERENCE: Final = re.compile(rb"<(?:[\w.-]+:)?AcctSvcrRef>([^<]+)<")
_ENTRY_REFERENCE: Final = re.compile(rb"<(?:[\w.-]+:)?NtryRef>([^<]+)<")

Reference = tuple[int, str]
"""Where a record is found, and the bank's reference in it."""


def references(form: str, content: bytes, payment_id: str) -> list[Reference]:
    """The bank's references in the whole records of some bytes that name a payment, in their order."""
    search = _SEARCHES.get(form)
    return list(search(content, payment_id.encode())) if search is not None else []


def _in_flat(content: bytes, payment: bytes) -> Iterator[Reference]:
    for start, line in _lines_with(content, payment):
        values = line.decode().split("|")
        if values[0] == "D":
            yield start, values[2]


def _in_unionpay(content: bytes, payment: bytes) -> Iterator[Reference]:
    for start, line in _lines_with(content, payment):
        for reading in unionpay_zm.read([line + b"\n"], settled_on=date.min):
            if isinstance(reading, StatementLine):
                yield start, reading.bank_ref


def _in_camt(content: bytes, payment: bytes) -> Iterator[Reference]:
    wanted = b">" + payment + b"<"
    at = content.find(wanted)
    while at >= 0:
        start, end = content.rfind(_ENTRY_END, 0, at), content.find(_ENTRY_END, at)
        if start >= 0 and end >= 0:
            entry = content[start:end]
            first, last = content.rfind(_DETAIL_END, start, at), content.find(_DETAIL_END, at, end)
            found = (
                (_REFERENCE.search(content[first:last]) if 0 <= first < last else None)
                or _REFERENCE.search(entry.partition(_DETAILS)[0])
                or _ENTRY_REFERENCE.search(entry)
            )
            if found is not None:
                yield at, unescape(found[1].decode()).strip()
        at = content.find(wanted, at + 1)


def _lines_with(content: bytes, wanted: bytes) -> Iterator[tuple[int, bytes]]:
    """The whole lines that have these bytes in them, each once, and where they begin."""
    at = content.find(wanted)
    while at >= 0:
        start, end = content.rfind(b"\n", 0, at) + 1, content.find(b"\n", at)
        if end < 0:
            return
        yield start, content[start:end]
        at = content.find(wanted, end)


_SEARCHES: Final[Mapping[str, Callable[[bytes, bytes], Iterator[Reference]]]] = {
    flat_uploads.NAME: _in_flat,
    unionpay_zm.NAME: _in_unionpay,
    camt053.MESSAGE.name: _in_camt,
}
