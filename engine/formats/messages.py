"""What the messages of ISO 20022 that are sent to us have in common: how they are walked, and their headings."""

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import Protocol

import msgspec

from engine.core.bank_lines import UploadHeading, UploadKind
from engine.formats.bank_file import MalformedRecord
from engine.formats.uploads import Reading, whole
from engine.formats.xml_stream import XmlRecord, xml_records
from engine.formats.xml_tree import Message


class MessageReader(Protocol):
    """One message, as its records come."""

    def read(self, found: XmlRecord) -> Iterator[Reading]:
        """Take the next record."""

    def end(self, line_number: int) -> Iterator[Reading]:
        """What only shows at the end, and the trailer."""


def readings(chunks: Iterable[bytes], message: Message, reader: MessageReader, *, bytes_max: int) -> Iterator[Reading]:
    """What a message says; sums are only judged if every line could be read."""
    return whole(_readings(chunks, message, reader, bytes_max))


class _Header(msgspec.Struct, frozen=True):
    message: str
    created_at: datetime
    sender: str = ""


class _GroupHeader(msgspec.Struct, frozen=True):  # each message has some of these
    file_id: str
    created_at: datetime
    sender: str = ""
    count: int | None = None
    total: int | None = None
    returned_total: int | None = None


class MessageHeading:
    """Gathers what comes before the lines, and gives the heading once."""

    def __init__(self, message: str, kind: UploadKind) -> None:
        """Nothing is known yet."""
        self._group: _GroupHeader | None = None
        self._message = message
        self._kind = kind
        self._senders: set[str] = set()
        self._is_given = False

    def read(self, record: XmlRecord) -> Iterator[MalformedRecord]:
        """Take an `AppHdr` or a `GrpHdr`."""
        if record.name == "AppHdr":
            header = msgspec.convert(record.values, _Header)
            if header.message != self._message:
                yield MalformedRecord(record.line_number, "AppHdr/MsgDefIdr", f"not {self._message}")
            yield from self.add_sender(record.line_number, header.sender)
        else:
            if self._group is not None:
                yield MalformedRecord(record.line_number, "GrpHdr", "given twice")
            self._group = msgspec.convert(record.values, _GroupHeader)
            yield from self.add_sender(record.line_number, self._group.sender)

    def add_sender(self, line_number: int, sender: str) -> Iterator[MalformedRecord]:
        """Who sent it, told once more; nothing if it is not told."""
        if sender:
            self._senders.add(sender)
        if len(self._senders) > 1:
            self._senders = {sender}
            yield MalformedRecord(line_number, "sender", "two banks are named as the sender")

    def give(self, *, business_date: date | None = None) -> Iterator[UploadHeading]:
        """The heading, the first time that it is asked for after its group header."""
        if self._is_given or self._group is None:
            return
        self._is_given = True
        yield UploadHeading(
            file_id=self._group.file_id,
            kind=self._kind,
            form=self._message,
            sender=next(iter(self._senders), ""),
            business_date=business_date,
            created_at=self._group.created_at,
            declared_count=self._group.count,
            declared_total=self._group.total,
        )

    def judge(self, line_number: int, *, count: int, total: int) -> Iterator[MalformedRecord]:
        """What is wrong with the group header, now that all lines are known."""
        if self._group is None:
            yield MalformedRecord(line_number, "GrpHdr", "missing")
            return
        if self._group.count not in (None, count):
            yield MalformedRecord(line_number, "GrpHdr/NbOfTxs", "not the number of lines")
        if self._group.total not in (None, total):
            yield MalformedRecord(line_number, "GrpHdr/CtrlSum", "not the sum of the lines")
        if self._group.returned_total not in (None, total):
            yield MalformedRecord(line_number, "GrpHdr/TtlRtrdIntrBkSttlmAmt", "not the sum of the lines")


def _readings(chunks: Iterable[bytes], message: Message, reader: MessageReader, bytes_max: int) -> Iterator[Reading]:
    is_readable = True
    for found in xml_records(chunks, message, bytes_max=bytes_max):
        if isinstance(found, MalformedRecord):
            is_readable = False
            yield found
        elif found.name:
            yield from reader.read(found)
        elif is_readable:
            yield from reader.end(found.line_number)
