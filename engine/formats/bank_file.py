"""What every bank file format has: a heading, lines, a trailer, and both directions as streams."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime
from itertools import islice
from typing import Final, Protocol

import msgspec

from engine.core.clearing_lines import ClearingItem, FileKind

SENDER: Final = "SSC"
LINES_AT_ONCE: Final = 256


class FieldOverflow(ValueError):
    """A value does not fit its field as it is, and is never altered to fit."""

    def __init__(self, field: str) -> None:
        """Name the field; the value may be nobody's business."""
        super().__init__(f"the value of {field} does not fit its field")
        self.field = field


class MalformedRecord(msgspec.Struct, frozen=True):
    """What is wrong with a file, and where. Lines are counted from one; the value is not told."""

    line_number: int
    field: str
    reason: str


class FileHeading(msgspec.Struct, frozen=True, kw_only=True):
    """What a file says of itself before its lines."""

    file_id: str  # at most 35 characters, so that it is a message id of ISO 20022
    receiver_bank: str  # CNAPS number
    business_date: date
    cycle: int  # its place in the day
    kind: FileKind
    created_at: datetime
    previous_sha256: str = ""  # of the receiver's file of this kind in the cycle before, in hex; nothing if none


class FileTrailer(msgspec.Struct, frozen=True, kw_only=True):
    """What a file says of its lines after them. Units: fen; debits take from the receiver, credits give to it."""

    count: int
    debit_total: int
    credit_total: int
    hash_total: int  # amounts times their places: a line that is moved shows
    sha256: str  # of all bytes before it, in hex


Decoded = FileHeading | ClearingItem | FileTrailer | MalformedRecord


class FileWriter(Protocol):
    """Writes one file, some lines at a time, so that many can be written side by side in little memory."""

    @property
    def trailer(self) -> FileTrailer:
        """What the lines so far add up to."""

    def begin(self) -> bytes:
        """What comes before the lines."""

    def lines(self, items: Sequence[ClearingItem]) -> bytes:
        """The next lines.

        Raises:
            FieldOverflow: a value cannot be written as it is.
        """

    def end(self) -> bytes:
        """What comes after the lines."""

    def digest(self) -> bytes:
        """The SHA-256 of everything that was given out."""


class BankFileFormat(msgspec.Struct, frozen=True, kw_only=True):
    """One format: what it is called, and both its directions."""

    name: str  # the `form` of a manifest
    suffix: str  # of a file's name
    writer: Callable[[FileHeading], FileWriter]
    decode: Callable[[Iterable[bytes]], Iterator[Decoded]]
    """What a file says, line by line; what is wrong with it comes in the place where it was found."""

    def encode(self, heading: FileHeading, items: Iterable[ClearingItem]) -> Iterator[bytes]:
        """A whole file, in pieces.

        Raises:
            FieldOverflow: a value cannot be written as it is.
        """
        writer = self.writer(heading)
        remaining = iter(items)
        yield writer.begin()
        while some := tuple(islice(remaining, LINES_AT_ONCE)):
            yield writer.lines(some)
        yield writer.end()
