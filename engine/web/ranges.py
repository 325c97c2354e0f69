"""Range requests (RFC 9110, section 14): one range of bytes, or the whole."""

import re
from collections.abc import Mapping
from typing import Final

_RANGE: Final = re.compile(r"bytes=(?:(\d{1,19})-(\d{0,19})|-(\d{1,19}))")


def range_of(headers: Mapping[str, str], *, size: int, etag: str) -> tuple[int, int] | None:
    """Start and end (not included) of the bytes that are asked for; None if there are no such bytes.

    A range that is malformed, one of several, or asked for another version of the file (If-Range) is ignored, and the
    whole file is sent: that is what the standard tells a server to do.
    """
    text = headers.get("Range")
    match = _RANGE.fullmatch(text.strip()) if text is not None else None
    condition = headers.get("If-Range")
    if match is None or (condition is not None and condition != etag):
        return (0, size)
    first, last, suffix = match.groups()
    if suffix is not None:
        return (max(0, size - int(suffix)), size) if int(suffix) > 0 and size > 0 else None
    start = int(first)
    end = min(int(last) + 1, size) if last else size
    if last and int(last) < start:
        return (0, size)
    return (start, end) if start < size else None
