"""The form `xml` of clearing files: messages of ISO 20022, each in a `BizMsg` behind its application header."""

import hashlib
from collections.abc import Sequence
from typing import Final

from engine.core.clearing_lines import FileKind
from engine.core.deliveries import LineTotals
from engine.formats.bank_file import BankFileFormat, FileHeading, LineBatch, TotalsSoFar
from engine.formats.iso_messages import MESSAGES
from engine.formats.iso_reading import decode
from engine.formats.iso_text import closing, opening


class IsoWriter:
    """Writes one message. Its heading says how many lines will come, and what they add up to."""

    def __init__(self, heading: FileHeading) -> None:
        """A message that has no bytes yet."""
        self._heading = heading
        self._message = MESSAGES[heading.kind]
        self._totals = TotalsSoFar(heading)
        self._digest = hashlib.sha256()

    @property
    def totals(self) -> LineTotals:
        """What the lines so far add up to."""
        return self._totals.totals

    def begin(self) -> bytes:
        """Everything up to the group header, which is included.

        Raises:
            FieldOverflow: a value of the heading does not fit its element.
        """
        before = opening(self._heading, self._message.name, self._message.root)
        return self._digested(before + self._message.group_header(self._heading))

    def lines(self, batch: LineBatch, picked: Sequence[int]) -> bytes:
        """The next lines, each on a line of its own.

        Raises:
            FieldOverflow: a value does not fit its element.
        """
        written = self._message.lines(self._heading, batch, picked, self._totals.count)
        self._totals.add(batch.lines, picked)
        return self._digested("".join(written))

    def end(self) -> bytes:
        """The closing tags.

        Raises:
            TotalsUnmet: the lines are not those that the heading promises.
        """
        self._totals.check()
        return self._digested(self._message.end + closing(self._message.root))

    def digest(self) -> bytes:
        """The SHA-256 of everything that was given out."""
        return self._digest.digest()

    def _digested(self, text: str) -> bytes:
        written = text.encode()
        self._digest.update(written)
        return written


FORMAT: Final = BankFileFormat(
    name="xml",
    suffix="xml",
    media_type="application/xml",
    kinds=frozenset(FileKind),
    # Payments and settlement requests need at least one item; a notification needs none.
    kinds_without_lines=frozenset({FileKind.ADVICE}),
    writer=IsoWriter,
    decode=decode,
)
