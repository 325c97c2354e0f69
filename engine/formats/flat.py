"""The flat form of clearing files: UTF-8, LF, `|` between fields, nothing quoted; H, then D lines, then T.

What `decode` reads without a fault, `encode` turns into the same bytes again: both walk the tables of
`engine.formats.flat_layout`.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from operator import mul
from typing import Final

import msgspec

from engine.core.clearing_lines import ClearingItem
from engine.core.deliveries import LineTotals
from engine.core.line_columns import LineColumns, columns_of
from engine.formats.bank_file import (
    BankFileFormat,
    Decoded,
    FieldOverflow,
    FileHeading,
    FileTrailer,
    LineBatch,
    MalformedRecord,
    TotalsSoFar,
)
from engine.formats.flat_layout import AMOUNT_MAX, DETAIL, HEADER, KINDS, TRAILER, Field, Record, detail_texts

HASH_TOTAL_MODULUS: Final = 10**18
LINE_BYTES_MAX: Final = 4_096
_SEPARATOR: Final = "|"


class FlatWriter:
    """Writes one file in the flat form."""

    def __init__(self, heading: FileHeading) -> None:
        """A file that has no bytes yet."""
        self._heading = heading
        self._totals = _Totals(heading)
        self._before_trailer = hashlib.sha256()
        self._digest = self._before_trailer

    @property
    def totals(self) -> LineTotals:
        """What the lines so far add up to."""
        return self._totals.totals

    def begin(self) -> bytes:
        """The H record."""
        return self._digested(_line("H", HEADER, self._heading))

    def lines(self, batch: LineBatch, picked: Sequence[int]) -> bytes:
        """The next D records. All but a line's place is the same in every file that it is in.

        Raises:
            FieldOverflow: a value with `|` or a line break, or an amount that is not above zero.
        """
        bodies = batch.written(_bodies)
        first = self._totals.count + 1
        self._totals.add(batch.lines, picked)
        text = "".join([f"D|{place}|{bodies[n]}\n" for place, n in enumerate(picked, first)])
        try:
            return self._digested(text.encode())
        except UnicodeEncodeError as error:
            raise _overflow_in(batch.lines.items()) from error

    def end(self) -> bytes:
        """The T record; it is not among the bytes that its digest is over.

        Raises:
            TotalsUnmet: the lines are not those that the heading promises.
        """
        self._totals.check()
        self._digest = self._before_trailer.copy()
        return self._digested(_line("T", TRAILER, self._totals.trailer(self._before_trailer.hexdigest())))

    def digest(self) -> bytes:
        """The SHA-256 of everything that was given out."""
        return self._digest.digest()

    def _digested(self, written: bytes) -> bytes:
        self._digest.update(written)
        return written


def decode(chunks: Iterable[bytes]) -> Iterator[Decoded]:
    """What a file says, line by line, in memory that does not grow with it; what is wrong comes where it was found.

    Shape: a `FileHeading`, then `ClearingItem`s, then a `FileTrailer`, with `MalformedRecord`s between them. A file
    without one is whole: its places, count, totals and digest have been checked. After a heading that cannot be read,
    or a line that is longer than any can be, nothing follows.
    """
    reader = _Reader()
    for line in _lines(chunks):
        yield from reader.read(line)
        if reader.is_lost:
            return
    yield from reader.end()


FORMAT: Final = BankFileFormat(
    name="flat",
    suffix="txt",
    media_type="text/plain; charset=utf-8",
    kinds=KINDS,
    kinds_without_lines=KINDS,
    writer=FlatWriter,
    decode=decode,
)


class _Totals(TotalsSoFar):
    """What the lines of one flat file add up to."""

    def __init__(self, heading: FileHeading) -> None:
        super().__init__(heading)
        self._hash_total = 0

    def add(self, lines: LineColumns, picked: Sequence[int]) -> Sequence[int]:
        first = self.count + 1
        amounts = super().add(lines, picked)
        self._hash_total += sum(map(mul, amounts, range(first, first + len(amounts))))
        return amounts

    def trailer(self, sha256: str) -> FileTrailer:
        return FileTrailer(
            count=self.count,
            debit_total=self.totals.debit_total,
            credit_total=self.totals.credit_total,
            hash_total=self._hash_total % HASH_TOTAL_MODULUS,
            sha256=sha256,
        )


def _bodies(lines: LineColumns) -> list[str]:
    """D records without tag and place; lone surrogates, which no encoding has, show when they are encoded.

    Raises:
        FieldOverflow: a value does not fit its field.
    """
    if lines.count and (min(lines.amount) <= 0 or max(lines.amount) > AMOUNT_MAX):
        raise FieldOverflow("amount")
    bodies = detail_texts(lines)
    text = "\n".join(bodies)
    is_one_line_each = text.count("\n") == max(lines.count - 1, 0) and "\r" not in text
    if not is_one_line_each or text.count(_SEPARATOR) != lines.count * (len(DETAIL) - 1):
        raise _overflow_in(lines.items())
    return bodies


class _Reader:
    """Reads one file, line by line."""

    def __init__(self) -> None:
        self.is_lost = False
        self._line_number = 0
        self._totals: _Totals | None = None  # from the heading on
        self._digest = hashlib.sha256()
        self._place = 0
        self._is_over = False

    def read(self, line: bytes) -> Iterator[Decoded]:
        self._line_number += 1
        if len(line) > LINE_BYTES_MAX:
            yield self._lose("record", "longer than a line can be")
            return
        if not line.endswith(b"\n"):
            yield self._fault("record", "not ended by a line feed")
        try:
            tag, *values = line.removesuffix(b"\n").decode().split(_SEPARATOR)
        except UnicodeDecodeError:
            tag, values = "", []
        if self._is_over:
            yield self._fault("record", "after the trailer")
        elif self._totals is None:
            yield from self._read_heading(tag, values)
        elif tag == "D":
            yield from self._read_detail(self._totals, values)
        elif tag == "T":
            yield from self._read_trailer(self._totals, values)
        else:
            yield self._fault("record", "neither D nor T")
        self._digest.update(line)

    def end(self) -> Iterator[Decoded]:
        if not self._is_over:
            self._line_number += 1
            yield self._fault("record", "the file ends before its trailer")

    def _read_heading(self, tag: str, values: list[str]) -> Iterator[Decoded]:
        if tag != "H":
            yield self._lose("record", "a file begins with H")
            return
        found = _values_of(HEADER, values)
        if isinstance(found, _Misfit):
            yield self._lose(found.field, found.reason)
            return
        heading = msgspec.convert(found, FileHeading)
        self._totals = _Totals(heading)
        yield heading

    def _read_detail(self, totals: _Totals, values: list[str]) -> Iterator[Decoded]:
        self._place += 1
        if not values or values[0] != str(self._place):
            yield self._fault("seq", "not the line's place")
        found = _values_of(DETAIL, values[1:])
        if isinstance(found, _Misfit):
            yield self._fault(found.field, found.reason)
            return
        item = msgspec.convert(found, ClearingItem)
        totals.add(columns_of((item,)), (0,))
        yield item

    def _read_trailer(self, totals: _Totals, values: list[str]) -> Iterator[Decoded]:
        self._is_over = True
        found = _values_of(TRAILER, values)
        if isinstance(found, _Misfit):
            yield self._fault(found.field, found.reason)
            return
        trailer = msgspec.convert(found, FileTrailer)
        wanted = totals.trailer(self._digest.hexdigest())
        for field in TRAILER:
            if field.write(trailer) != field.write(wanted):
                yield self._fault(field.name, "not what the lines before it give")
        yield trailer

    def _fault(self, field: str, reason: str) -> MalformedRecord:
        return MalformedRecord(self._line_number, field, reason)

    def _lose(self, field: str, reason: str) -> MalformedRecord:
        self.is_lost = True
        return self._fault(field, reason)


class _Misfit(msgspec.Struct, frozen=True):
    field: str
    reason: str


def _line(tag: str, layout: Sequence[Field[Record]], record: Record) -> bytes:
    values = [field.write(record) for field in layout]
    for field, value in zip(layout, values, strict=True):
        if not _fits(value):
            raise FieldOverflow(field.name)
    return (_SEPARATOR.join([tag, *values]) + "\n").encode()


def _values_of(layout: Sequence[Field[Record]], values: Sequence[str]) -> dict[str, object] | _Misfit:
    """The values by field name; what is constant in a layout is only checked."""
    if len(values) != len(layout):
        return _Misfit("record", f"not {len(layout)} fields")
    found: dict[str, object] = {}
    for field, value in zip(layout, values, strict=True):
        try:
            found[field.name] = field.shape.read(value)
        except ValueError:
            return _Misfit(field.name, f"not {field.shape.name}")
    return found


def _overflow_in(items: Iterable[ClearingItem]) -> FieldOverflow:
    """Which field it was, once it is known that there is one."""
    for item in items:
        for field in DETAIL:
            if not _fits(field.write(item)):
                return FieldOverflow(field.name)
    raise AssertionError("every value fits")


def _fits(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:  # lone surrogates, which no encoding has
        return False
    return not any(mark in value for mark in (_SEPARATOR, "\n", "\r"))


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Lines with their ends. A line is given up as soon as it is too long, so nobody can fill the memory with one."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from [line + b"\n" for line in whole]
        if len(rest) > LINE_BYTES_MAX:
            break
    if rest:
        yield rest
