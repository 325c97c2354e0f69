"""What every bank file format has: a heading, lines, a trailer, and both directions as streams."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime
from itertools import islice
from typing import Final, Protocol, TypeVar, cast

import msgspec

from engine.core.clearing_lines import ClearingItem, FileKind
from engine.core.deliveries import LineTotals
from engine.core.line_columns import LineColumns, columns_of

SENDER: Final = "SSC"
LINES_AT_ONCE: Final = 256

T = TypeVar("T")


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


class TotalsUnmet(ValueError):
    """The lines of a file do not add up to what its heading says: a bank could not take it."""


class ReplacedFile(msgspec.Struct, frozen=True):
    """The version of a file that a later one corrects."""

    file_id: str
    created_at: datetime


class FileHeading(msgspec.Struct, frozen=True, kw_only=True):
    """What a file says of itself before its lines. Not every form says all of it; what a file does not say reads None,
    or empty.
    """

    file_id: str  # at most 35 characters, so that it is a message id of ISO 20022
    receiver_bank: str  # CNAPS number
    business_date: date
    cycle: int  # its place in the day
    kind: FileKind
    created_at: datetime
    previous_sha256: str = ""  # in hex, of the receiver's file of this kind in the cycle before, or of what it replaces
    replaces: ReplacedFile | None = None
    settles_on: date | None = None
    totals: LineTotals | None = None  # of the lines to come


class FileTrailer(LineTotals, frozen=True, kw_only=True):
    """What a flat file says of its lines after them."""

    hash_total: int  # amounts times their places: a line that is moved shows
    sha256: str  # of all bytes before it, in hex


Decoded = FileHeading | ClearingItem | LineTotals | MalformedRecord


class LineBatch:
    """Some lines on their way to the files that each of them is in. What these files have in common is written once."""

    def __init__(self, lines: LineColumns) -> None:
        """Lines of which nothing is written yet."""
        self.lines = lines
        self._written: dict[Callable[[LineColumns], object], object] = {}

    def written(self, write: Callable[[LineColumns], T]) -> T:
        """What *write* makes of all the lines; it is called once."""
        if write not in self._written:
            self._written[write] = write(self.lines)
        return cast("T", self._written[write])


class FileWriter(Protocol):
    """Writes one file, some lines at a time, so that many can be written side by side in little memory."""

    @property
    def totals(self) -> LineTotals:
        """What the lines so far add up to."""

    def begin(self) -> bytes:
        """What comes before the lines."""

    def lines(self, batch: LineBatch, picked: Sequence[int]) -> bytes:
        """The next lines: those of *batch* that are in this file, by their places in it.

        Raises:
            FieldOverflow: a value cannot be written as it is.
        """

    def end(self) -> bytes:
        """What comes after the lines.

        Raises:
            TotalsUnmet: the lines are not those that the heading promises.
        """

    def digest(self) -> bytes:
        """The SHA-256 of everything that was given out."""


class BankFileFormat(msgspec.Struct, frozen=True, kw_only=True):
    """One format: what it is called, which files there are in it, and both its directions."""

    name: str  # the `form` of a manifest
    suffix: str  # of a file's name
    media_type: str
    kinds: frozenset[FileKind]
    kinds_without_lines: frozenset[FileKind]  # those that a bank gets even if it has no items
    writer: Callable[[FileHeading], FileWriter]
    decode: Callable[[Iterable[bytes]], Iterator[Decoded]]
    """What a file says, line by line; what is wrong with it comes in the place where it was found."""

    def has_file(self, kind: FileKind, *, count: int) -> bool:
        """True if a bank with *count* lines of a kind gets a file of it in this form."""
        return kind in (self.kinds if count else self.kinds_without_lines)

    def encode(self, heading: FileHeading, items: Iterable[ClearingItem]) -> Iterator[bytes]:
        """A whole file, in pieces.

        Raises:
            FieldOverflow: a value cannot be written as it is.
            TotalsUnmet: the lines are not those that the heading promises.
        """
        writer = self.writer(heading)
        remaining = iter(items)
        yield writer.begin()
        while some := tuple(islice(remaining, LINES_AT_ONCE)):
            yield writer.lines(LineBatch(columns_of(some)), range(len(some)))
        yield writer.end()


class TotalsSoFar:
    """Adds up the lines of one file while it is written or read."""

    def __init__(self, heading: FileHeading) -> None:
        """No lines yet."""
        self.count = 0
        self._heading = heading
        self._debit_total = 0
        self._credit_total = 0

    @property
    def totals(self) -> LineTotals:
        """What the lines so far add up to."""
        return LineTotals(count=self.count, debit_total=self._debit_total, credit_total=self._credit_total)

    def add(self, lines: LineColumns, picked: Sequence[int]) -> Sequence[int]:
        """Count those of *lines* that are in this file, by their places, and return their amounts. An advice has an
        entry for each of its bank's sides of an item.
        """
        amounts = [lines.amount[n] for n in picked]
        total = sum(amounts)
        match self._heading.kind:
            case FileKind.COLLECT:
                self._count(len(amounts), debit=total, credit=0)
            case FileKind.CREDIT:
                self._count(len(amounts), debit=0, credit=total)
            case FileKind.NET:
                taken = sum(self._at_the_bank(lines.debit_bank, picked, amounts))
                self._count(len(amounts), debit=taken, credit=total - taken)
            case FileKind.ADVICE:
                debits = self._at_the_bank(lines.debit_bank, picked, amounts)
                credits_ = self._at_the_bank(lines.credit_bank, picked, amounts)
                self._count(len(debits) + len(credits_), debit=sum(debits), credit=sum(credits_))
        return amounts

    def check(self) -> None:
        """Raise `TotalsUnmet` if the heading promises other lines."""
        if self._heading.totals not in (None, self.totals):
            raise TotalsUnmet(f"{self._heading.file_id} does not add up to what its heading says")

    def _at_the_bank(self, banks: Sequence[str], picked: Sequence[int], amounts: Sequence[int]) -> list[int]:
        bank = self._heading.receiver_bank
        return [amount for n, amount in zip(picked, amounts, strict=True) if banks[n] == bank]

    def _count(self, count: int, *, debit: int, credit: int) -> None:
        self.count += count
        self._debit_total += debit
        self._credit_total += credit
