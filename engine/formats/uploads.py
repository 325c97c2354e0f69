"""What every reader of uploads has in common: what it gives, and what it gives once something is wrong."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

import msgspec

from engine.core.bank_lines import Direction, UploadRecord, UploadTrailer
from engine.formats.bank_file import MalformedRecord

FAULTS_MAX: Final = 100
BYTES_MAX: Final = 2 * 1024**3

Reading = UploadRecord | MalformedRecord
"""What a reader gives. Lines are good as they come; the upload is good once its trailer has come."""


class UploadReader(msgspec.Struct, frozen=True):
    """One form of uploads. `read` takes the bytes in pieces of any size, and never raises for what is in them."""

    name: str
    read: Callable[[Iterable[bytes]], Iterator[Reading]]


class Tally:
    """What the lines of one upload add up to. Units: fen."""

    def __init__(self) -> None:
        """No lines yet."""
        self.count = 0
        self.debit_total = 0
        self.credit_total = 0

    @property
    def total(self) -> int:
        """Debits and credits together."""
        return self.debit_total + self.credit_total

    @property
    def trailer(self) -> UploadTrailer:
        """The lines so far, as a trailer tells them."""
        return UploadTrailer(count=self.count, debit_total=self.debit_total, credit_total=self.credit_total)

    def add(self, amount: int, direction: Direction | None = Direction.CREDIT) -> None:
        """Take one line more. One whose direction is not known is counted among the debits."""
        self.count += 1
        if direction is Direction.CREDIT:
            self.credit_total += amount
        else:
            self.debit_total += amount


def whole(readings: Iterable[Reading]) -> Iterator[Reading]:
    """The same readings, but a trailer only if no fault came before it, and nothing after `FAULTS_MAX` faults."""
    faults = 0
    for reading in readings:
        if type(reading) is MalformedRecord:
            faults += 1
            yield reading
            if faults == FAULTS_MAX:
                return
        elif not faults or type(reading) is not UploadTrailer:
            yield reading
