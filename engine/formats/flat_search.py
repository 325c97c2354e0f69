"""Finding a payment's lines in a published flat file by its bytes, a part at a time.

The file is the engine's own, so its lines are whole and have the fields of their layout.
"""

from datetime import datetime
from typing import Final

import msgspec

from engine.formats.flat_layout import DETAIL

_AT: Final = {field.name: place for place, field in enumerate(DETAIL, start=2)}  # after D and the line's place
_PAYMENT, _INSTANT = _AT["payment_id"], _AT["occurred_at"]


class FoundLine(msgspec.Struct, frozen=True):
    """A line: its place in the file, counted from one, whose it is, and the instant of its batch."""

    seq: int
    payment_id: str
    occurred_at: datetime


def lines_of(content: bytes, payment_id: str) -> list[FoundLine]:
    """The whole lines in *content* that are a payment's, in their order."""
    wanted = f"|{payment_id}|".encode()
    found = []
    at = content.find(wanted)
    while at >= 0:
        start = content.rfind(b"\n", 0, at) + 1
        end = content.find(b"\n", at)
        if end < 0:
            break
        line = _line_in(content[start:end])
        # A refund's line has the id twice, and a line that is cut off in front does not begin with D.
        if line is not None and line.payment_id == payment_id:
            found.append(line)
        at = content.find(wanted, end)
    return found


def first_lines(content: bytes, *, count: int) -> list[FoundLine]:
    """Up to *count* of the first whole lines in a part of a file that begins anywhere; none if it has none."""
    lines = content.split(b"\n", count + 1)[1:-1]
    return [line for text in lines if (line := _line_in(text)) is not None]


def _line_in(text: bytes) -> FoundLine | None:
    values = text.decode().split("|")
    if values[0] != "D" or len(values) != len(DETAIL) + 2:
        return None
    return FoundLine(int(values[1]), values[_PAYMENT], datetime.fromisoformat(values[_INSTANT]))
