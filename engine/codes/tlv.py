"""BER-TLV, the tag-length-value notation of card payments, read strictly and written in one way.

Source: ISO/IEC 7816-4, BER-TLV data objects; EMV Book 3, annex B.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

TAG_BYTES_MAX: Final = 3
LENGTH_MAX: Final = 0xFFFF
DEPTH_MAX: Final = 4  # consumer-presented codes nest three deep (62, 64, 9F26); a bound keeps recursion harmless

_CONSTRUCTED: Final = 0x20  # in a tag's first byte: the value is made of elements
_LONG_TAG: Final = 0x1F  # the low bits of a first byte after which the tag goes on
_CONTINUES: Final = 0x80  # in a later tag byte: another one follows; in a first length byte: long form


class Leaf(msgspec.Struct, frozen=True):
    """A primitive element: a tag and its bytes."""

    tag: int  # as written in the specifications: 0x9F26
    value: bytes


class Template(msgspec.Struct, frozen=True):
    """A constructed element: a tag and the elements inside it."""

    tag: int
    parts: "tuple[Element, ...]"


Element = Leaf | Template


class MalformedTlv(ValueError):
    """The bytes are not whole, definite-length elements; nothing of their content is in the message."""

    def __init__(self, offset: int, reason: str) -> None:
        super().__init__(f"offset {offset}: {reason}")
        self.offset = offset
        self.reason = reason


def encode(elements: Sequence[Element]) -> bytes:
    """The elements as bytes, every length in its shortest form.

    Raises:
        ValueError: a tag that cannot be written, or is primitive on a template or constructed on a
            leaf; a value longer than 65,535 bytes.
    """
    return b"".join(_encoded(element) for element in elements)


def decode(content: bytes) -> tuple[Element, ...]:
    """The elements that fill *content* from its first byte to its last, in their order.

    There is one way to write each value: what this accepts, `encode` turns into the same bytes again.
    Hence padding and lengths longer than needed, which plain BER would allow, are refused as well.

    Raises:
        MalformedTlv: an indefinite, padded or over-long length; an element that ends after its
            template or after the content; padding, or any byte left over; nesting deeper than four.
    """
    return _elements(content, 0, len(content), depth=1)


def _encoded(element: Element) -> bytes:
    value = element.value if isinstance(element, Leaf) else encode(element.parts)
    length = len(value)
    if length > LENGTH_MAX:
        raise ValueError(f"a value of {length} bytes is longer than {LENGTH_MAX}")
    if length < _CONTINUES:
        return _tag_bytes(element) + bytes((length,)) + value
    length_bytes = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return _tag_bytes(element) + bytes((_CONTINUES | len(length_bytes),)) + length_bytes + value


def _tag_bytes(element: Element) -> bytes:
    if element.tag <= 0:
        raise ValueError(f"{element.tag} is no tag")
    written = element.tag.to_bytes((element.tag.bit_length() + 7) // 8, "big")
    if _tag_end(written, 0, len(written)) != len(written):
        raise ValueError(f"{element.tag:X} is more than one tag")
    if bool(written[0] & _CONSTRUCTED) != isinstance(element, Template):
        raise ValueError(f"{element.tag:X} is of the other kind, primitive or constructed")
    return written


def _elements(content: bytes, start: int, end: int, depth: int) -> tuple[Element, ...]:
    if depth > DEPTH_MAX:
        raise MalformedTlv(start, "templates nested too deeply")
    found: list[Element] = []
    at = start
    while at < end:
        tag_end = _tag_end(content, at, end)
        tag = int.from_bytes(content[at:tag_end], "big")
        length, value_at = _length(content, tag_end, end)
        value_end = value_at + length
        if value_end > end:
            raise MalformedTlv(tag_end, "length past the end")
        if content[at] & _CONSTRUCTED:
            found.append(Template(tag, _elements(content, value_at, value_end, depth + 1)))
        else:
            found.append(Leaf(tag, content[value_at:value_end]))
        at = value_end
    return tuple(found)


def _tag_end(content: bytes, start: int, end: int) -> int:
    if content[start] == 0:
        raise MalformedTlv(start, "padding in place of a tag")
    if content[start] & _LONG_TAG != _LONG_TAG:
        return start + 1
    for at in range(start + 1, min(start + TAG_BYTES_MAX, end)):
        if not content[at] & _CONTINUES:
            return at + 1
    raise MalformedTlv(start, "tag without an end")


def _length(content: bytes, start: int, end: int) -> tuple[int, int]:
    """The length that starts here, and where its value starts."""
    if start >= end:
        raise MalformedTlv(start, "tag without a length")
    first = content[start]
    if first < _CONTINUES:
        return first, start + 1

    value_at = start + 1 + (first & ~_CONTINUES)
    if first == _CONTINUES:
        raise MalformedTlv(start, "indefinite length")
    if first > _CONTINUES | 2:
        raise MalformedTlv(start, "length of more than two bytes")
    if value_at > end:
        raise MalformedTlv(start, "length without an end")
    length = int.from_bytes(content[start + 1 : value_at], "big")
    if length < (_CONTINUES if first == _CONTINUES | 1 else 0x100):
        raise MalformedTlv(start, "length longer than needed")
    return length, value_at
