"""Reads XML messages record by record, in memory that does not grow, whatever the bytes are.

Only what a message needs is accepted: UTF-8 without a byte order mark, no document type (and so no entities but the
five of XML), everything within the bounds below. What goes beyond ends the reading with a fault; what is merely wrong
is told with its line and path, and the reading goes on.
"""

import codecs
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import Final
from xml.parsers import expat

import msgspec

from engine.core.money import CURRENCY
from engine.formats.bank_file import MalformedRecord
from engine.formats.upload_fields import Misfit
from engine.formats.xml_tree import NAMESPACE_SEPARATOR, PASSED_OVER, Message, Node, bound

DEPTH_MAX: Final = 64
TEXT_CHARS_MAX: Final = 4_096  # of one element, and between two
ATTRIBUTE_CHARS_MAX: Final = 4_096  # of one element's attributes, names and values together
MARKUP_BYTES_MAX: Final = 65_536  # of one tag, comment or instruction: the parser keeps it until it is whole
NAMES_MAX: Final = 4_096  # different ones of elements and attributes: the parser keeps them all
_PIECE_BYTES: Final = 16_384
_BYTE_ORDER_MARK: Final = "\ufeff"
_ENCODINGS: Final = frozenset(("UTF-8", "UTF8"))

_CURRENCY_ATTRIBUTE: Final = ["Ccy", CURRENCY]


class XmlRecord(msgspec.Struct, frozen=True, gc=False):
    """One record of a message. The last of a message has no name: it says that the document is whole."""

    name: str
    line_number: int  # where it ends
    place: int  # among the numbered records of the message, from one
    values: dict[str, object]


def xml_records(chunks: Iterable[bytes], message: Message, *, bytes_max: int) -> Iterator[XmlRecord | MalformedRecord]:
    """The records of a message as they end, and what is wrong with it where it was found.

    Shape: a record that has a fault is not given out. A fault's field is a path from the first record down, with the
    place of a numbered one: ``Ntry[17]/BookgDt/Dt``.
    """
    with closing(_Reader(bound(message), bytes_max)) as reader:
        for chunk in chunks:
            for start in range(0, len(chunk), _PIECE_BYTES):
                reader.feed(chunk[start : start + _PIECE_BYTES])
                yield from reader.drain()
                if reader.is_lost:
                    return
        reader.end()
        yield from reader.drain()


class _Lost(Exception):
    """The rest cannot be read; the fault has been noted."""


class _Reader:
    """Walks the tree of one message along with the parser."""

    def __init__(self, root: Node, bytes_max: int) -> None:
        self.is_lost = False
        self._bytes_left = bytes_max
        self._bytes_fed = 0
        self._lines_fed = 0
        self._utf_8 = codecs.getincrementaldecoder("utf-8")()
        self._found: list[XmlRecord | MalformedRecord] = []
        self._node = root
        self._stack: list[Node] = []
        self._text = ""
        self._values: dict[str, object] = {}
        self._is_spoilt = False
        self._around: list[tuple[dict[str, object], bool]] = []  # the same of the records around
        self._place = 0
        self._parser = self._new_parser()

    def feed(self, piece: bytes) -> None:
        """Read the next bytes, of which there are at most `_PIECE_BYTES`."""
        self._bytes_left -= len(piece)
        try:
            if self._bytes_left < 0:
                self._lose("record", "the file is larger than it may be")
            self._check_text(piece)
            self._bytes_fed += len(piece)
            self._parser.Parse(piece, False)
            # What the parser has not yet seen the end of, it keeps.
            if self._bytes_fed - self._parser.CurrentByteIndex > MARKUP_BYTES_MAX:
                self._lose("record", f"markup of more than {MARKUP_BYTES_MAX} bytes")
            if len(self._parser.intern) > NAMES_MAX:
                self._lose("record", f"more than {NAMES_MAX} different names")
        except expat.ExpatError as error:
            self._refuse(error)
        except _Lost:
            self.is_lost = True

    def end(self) -> None:
        """There are no more bytes."""
        try:
            self._utf_8.decode(b"", True)
            self._parser.Parse(b"", True)
        except UnicodeDecodeError:
            self._note("record", "the file ends within a character")
        except expat.ExpatError as error:
            self._refuse(error)
        else:
            self._found.append(XmlRecord("", self._parser.CurrentLineNumber, self._place, {}))

    def close(self) -> None:
        """Let go of the parser, which holds on to this; otherwise both would wait for the garbage collector."""
        del self._parser

    def drain(self) -> list[XmlRecord | MalformedRecord]:
        """What was found since the last time."""
        found, self._found = self._found, []
        return found

    def _new_parser(self) -> expat.XMLParserType:
        # The encoding is given, so that a declaration cannot choose a decoder; `_declare` judges it.
        parser = expat.ParserCreate("UTF-8", NAMESPACE_SEPARATOR)
        parser.buffer_text = True
        parser.ordered_attributes = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._add_text
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        parser.XmlDeclHandler = self._declare
        return parser

    def _check_text(self, piece: bytes) -> None:
        try:
            text = self._utf_8.decode(piece)
        except UnicodeDecodeError as error:
            line_number = 1 + self._lines_fed + error.object.count(b"\n", 0, error.start)
            self._found.append(MalformedRecord(line_number, "record", "not UTF-8"))
            raise _Lost from error
        if "\0" in text:  # otherwise the parser takes it for UTF-16, whatever encoding it is given
            self._lose("record", "not UTF-8")
        if not self._bytes_fed and text.startswith(_BYTE_ORDER_MARK):
            self._note("record", "begins with a byte order mark")
        self._lines_fed += piece.count(b"\n")

    def _declare(self, _version: str, encoding: str | None, _standalone: int) -> None:
        if encoding is not None and encoding.upper() not in _ENCODINGS:
            self._lose("encoding", "not UTF-8")

    def _refuse_doctype(self, _name: str, _system: str | None, _public: str | None, _has_subset: bool) -> None:
        self._lose("record", "a document type is not accepted")

    def _add_text(self, text: str) -> None:
        self._text += text
        if len(self._text) > TEXT_CHARS_MAX:
            self._lose(self._path(), f"text of more than {TEXT_CHARS_MAX} characters")

    def _start(self, name: str, attributes: list[str]) -> None:
        node = self._node.children.get(name)
        if node is None:
            node = self._unknown()
        self._stack.append(self._node)
        self._node = node
        self._text = ""
        if attributes and sum(map(len, attributes)) > ATTRIBUTE_CHARS_MAX:
            self._lose(self._path(), f"attributes of more than {ATTRIBUTE_CHARS_MAX} characters")
        if node.is_record:
            self._around.append((self._values, self._is_spoilt))
            self._values = {}
            self._is_spoilt = False
            self._place += node.is_numbered
        elif node.is_money and attributes != _CURRENCY_ATTRIBUTE:
            self._fault(f"{self._path()}/@Ccy", f"not {CURRENCY}")

    def _end(self, _name: str) -> None:
        node = self._node
        if node.read is not None:
            if node.key in self._values:
                self._fault(self._path(), "given twice")
            try:
                self._values[node.key] = node.read(self._text)
            except Misfit as error:
                self._values[node.key] = None  # it is there, so it is not missing
                self._fault(self._path(), str(error))
        elif node.is_record:
            self._finish(node)
        self._node = self._stack.pop()
        self._text = ""

    def _unknown(self) -> Node:
        if self._node is not PASSED_OVER:
            self._fault(self._path(), "an element that is not known here")
        elif len(self._stack) >= DEPTH_MAX:
            self._lose("record", f"more than {DEPTH_MAX} elements inside each other")
        return PASSED_OVER

    def _finish(self, node: Node) -> None:
        for key in sorted(node.required - self._values.keys()):
            self._fault(f"{self._path()}/{node.paths[key]}", "missing")
        if not self._is_spoilt:
            line_number = self._parser.CurrentLineNumber
            self._found.append(XmlRecord(node.name, line_number, self._place, self._values))
        is_spoilt = self._is_spoilt and node.is_part
        self._values, was_spoilt = self._around.pop()
        self._is_spoilt = was_spoilt or is_spoilt

    def _path(self) -> str:
        """Where the parser is, from the first record down."""
        nodes = [*self._stack, self._node]
        first = next((place for place, node in enumerate(nodes) if node.is_record), 0)
        names = [f"{node.name}[{self._place}]" if node.is_numbered else node.name for node in nodes[first:]]
        return "/".join(name for name in names if name) or "record"

    def _fault(self, field: str, reason: str) -> None:
        self._is_spoilt = True
        self._note(field, reason)

    def _note(self, field: str, reason: str) -> None:
        self._found.append(MalformedRecord(self._parser.CurrentLineNumber, field, reason))

    def _lose(self, field: str, reason: str) -> None:
        self._note(field, reason)
        raise _Lost

    def _refuse(self, error: expat.ExpatError) -> None:
        self.is_lost = True
        is_short = error.code in _SHORT
        reason = "the file ends before its last element" if is_short else f"not XML: {expat.ErrorString(error.code)}"
        self._found.append(MalformedRecord(error.lineno, "record", reason))


_SHORT: Final = frozenset(
    expat.errors.codes[text]
    for text in (
        expat.errors.XML_ERROR_NO_ELEMENTS,
        expat.errors.XML_ERROR_UNCLOSED_TOKEN,
        expat.errors.XML_ERROR_PARTIAL_CHAR,
        expat.errors.XML_ERROR_UNCLOSED_CDATA_SECTION,
    )
)
