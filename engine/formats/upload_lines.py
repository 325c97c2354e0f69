"""Cuts uploads that are made of lines into lines, whatever the bytes are, in memory that does not grow."""

import codecs
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from engine.formats.bank_file import MalformedRecord

LINE_BYTES_MAX: Final = 4_096
_PIECE_BYTES: Final = 65_536


class Block(msgspec.Struct, frozen=True):
    """Some lines that follow each other, without their line feeds, and the bytes they are made of."""

    line_number: int  # of the first
    content: bytes
    lines: list[bytes]


class End(msgspec.Struct, frozen=True):
    """All lines have been read; this is the number of the one that would follow."""

    line_number: int


class TextBlock(msgspec.Struct, frozen=True):
    """The same as text. None stands for a line that is no text."""

    line_number: int
    content: bytes
    lines: list[str | None]


def blocks(chunks: Iterable[bytes]) -> Iterator[Block | MalformedRecord | End]:
    """All lines, many at a time, and what is wrong with them as lines.

    A line is given up as soon as it is too long, and nothing follows it, no `End` either: nobody can fill the memory
    with one.
    """
    rest = b""
    line_number = 1
    for chunk in chunks:
        for start in range(0, len(chunk), _PIECE_BYTES):
            rest += chunk[start : start + _PIECE_BYTES]
            end = rest.rfind(b"\n") + 1
            if end:
                block = Block(line_number, rest[:end], rest[: end - 1].split(b"\n"))
                rest = rest[end:]
                if max(map(len, block.lines)) > LINE_BYTES_MAX:
                    yield _too_long(block)
                    return
                yield block
                line_number += len(block.lines)
            if len(rest) > LINE_BYTES_MAX:
                yield MalformedRecord(line_number, "record", "longer than a line can be")
                return
    if rest:
        yield MalformedRecord(line_number, "record", "not ended by a line feed")
        yield Block(line_number, rest, [rest])
        line_number += 1
    yield End(line_number)


def text_blocks(chunks: Iterable[bytes]) -> Iterator[TextBlock | MalformedRecord | End]:
    """All lines as text, and what is wrong with them as text: what is not UTF-8, or begins with a byte order mark."""
    for block in blocks(chunks):
        if not isinstance(block, Block):
            yield block
            continue
        content = block.content
        if block.line_number == 1 and content.startswith(codecs.BOM_UTF8):
            yield MalformedRecord(1, "record", "begins with a byte order mark")
            content = content.removeprefix(codecs.BOM_UTF8)
        try:
            lines: list[str | None] = [*content.decode().removesuffix("\n").split("\n")]
        except UnicodeDecodeError:
            lines = []
            for line_number, line in enumerate(content.removesuffix(b"\n").split(b"\n"), block.line_number):
                try:
                    lines.append(line.decode())
                except UnicodeDecodeError:
                    lines.append(None)
                    yield MalformedRecord(line_number, "record", _why_not_utf_8(line))
        yield TextBlock(block.line_number, content, lines)


def _too_long(block: Block) -> MalformedRecord:
    place = next(place for place, line in enumerate(block.lines) if len(line) > LINE_BYTES_MAX)
    return MalformedRecord(block.line_number + place, "record", "longer than a line can be")


def _why_not_utf_8(line: bytes) -> str:
    try:
        line.decode("gbk")
    except UnicodeDecodeError:
        return "not UTF-8"
    return "GBK where UTF-8 is due"
