"""Range and conditional requests, and which coding a client takes (RFC 9110, sections 12 to 14)."""

import re
from collections.abc import Mapping
from typing import Final

_RANGE: Final = re.compile(r"bytes=(?:(\d{1,19})-(\d{0,19})|-(\d{1,19}))", re.ASCII | re.IGNORECASE)
_WEIGHT_OF_NOTHING: Final = re.compile(r";\s*q=0(?:\.0{0,3})?\s*$", re.IGNORECASE)


class NoSuchRange(Exception):
    """The file has none of the bytes that are asked for."""


def range_of(headers: Mapping[str, str], *, size: int, etag: str) -> tuple[int, int] | None:
    """Start and end (not included) of the bytes that are asked for; None if it is the whole file.

    A range that is malformed, one of several, or asked for another version of the file (If-Range) is ignored, and the
    whole file is sent: that is what the standard tells a server to do.

    Raises:
        NoSuchRange: there are no such bytes.
    """
    text = headers.get("Range")
    match = _RANGE.fullmatch(text.strip()) if text is not None else None
    condition = headers.get("If-Range")
    if match is None or (condition is not None and condition != etag):
        return None
    first, last, suffix = match.groups()
    if suffix is not None:
        if int(suffix) == 0:
            raise NoSuchRange
        return (max(0, size - int(suffix)), size)
    start = int(first)
    if last and int(last) < start:
        return None
    if start >= size:
        raise NoSuchRange
    return (start, min(int(last) + 1, size) if last else size)


def has_already(headers: Mapping[str, str], *, etag: str) -> bool:
    """True if If-None-Match names the file, whichever coding it was sent in: a weak comparison."""
    condition = headers.get("If-None-Match", "")
    return condition.strip() == "*" or etag in (tag.strip().removeprefix("W/") for tag in condition.split(","))


def takes_gzip(headers: Mapping[str, str]) -> bool:
    """True if Accept-Encoding names gzip, and not to refuse it."""
    for coding in headers.get("Accept-Encoding", "").split(","):
        name = coding.partition(";")[0].strip().lower()
        if name == "gzip":
            return _WEIGHT_OF_NOTHING.search(coding) is None
    return False
