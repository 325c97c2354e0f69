"""What a bank that has done as its files say would send: a statement, or some returns. For trying things out.

Both are made from a folder of pulled files, in the flat form, and kept in it. A statement leaves out what returns in
the same folder that the engine has accepted give back, as the bank has not booked that.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

import msgspec

from engine.core.bank_lines import Direction, ReturnLine, UploadKind
from engine.core.calendar import cycle_date, cycle_sequence
from engine.core.clearing_lines import BANK_LEG, FILE_DIRECTIONS, ClearingItem, FileKind, ItemType
from engine.core.money import CURRENCY_NUMBER
from engine.formats import bank_file_formats, flat_uploads
from engine.formats.bank_file import SENDER, MalformedRecord
from engine.formats.file_names import FileName, MalformedFileName, parse_file_name
from engine.formats.flat import HASH_TOTAL_MODULUS
from engine.formats.flat_layout import DETAIL, VERSION

FORM: Final = "flat"
RETURNED_SUFFIX: Final = ".returns.txt"
_CHUNK_BYTES: Final = 1 << 16

Row = tuple[Direction, int, str]
"""A line of an upload: its direction, its amount in fen, and its fields after its place."""

Lost = tuple[str, str, int]
"""What tells a returned item: its payment, leg and amount."""


class NothingPulled(Exception):
    """The folder has no file that an upload could be made from."""


class PulledDay(msgspec.Struct, frozen=True):
    """The files of one business date of one bank, the newest version of each; in the flat form."""

    folder: Path
    cnaps: str
    business_date: date
    files: tuple[FileName, ...]

    def items(self) -> Iterator[tuple[FileName, int, ClearingItem]]:
        """Each line: its file, its place in it, and what it says.

        Raises:
            NothingPulled: a file is not as it was pulled.
        """
        for name in self.files:
            place = 0
            for record in bank_file_formats()[FORM].decode(_pieces(self.folder / name.text)):
                if isinstance(record, MalformedRecord):
                    raise NothingPulled(f"{name.text} line {record.line_number}, {record.field}: {record.reason}")
                if isinstance(record, ClearingItem):
                    place += 1
                    yield name, place, record


def pulled_day(folder: Path, business_date: date | None = None) -> PulledDay:
    """What was pulled into *folder* of a business date; of the newest one there is, if none is given.

    Raises:
        NothingPulled: nothing was, or files of several banks.
    """
    newest: dict[tuple[str, int, FileKind], FileName] = {}
    for path in folder.glob("SSC_*"):
        try:
            name = parse_file_name(path.name)
        except MalformedFileName:
            continue
        known = newest.get((name.cnaps, name.cycle, name.kind))
        if name.form == FORM and name.kind in FILE_DIRECTIONS and (known is None or known.version < name.version):
            newest[name.cnaps, name.cycle, name.kind] = name
    days = {cycle_date(name.cycle) for name in newest.values()}
    banks = {name.cnaps for name in newest.values()}
    day = business_date or max(days, default=None)
    if day not in days or len(banks) != 1:
        raise NothingPulled(f"{folder} does not hold the flat files of one bank" + (f" of {day}" if day else ""))
    files = sorted((name for name in newest.values() if cycle_date(name.cycle) == day), key=lambda name: name.text)
    return PulledDay(folder, banks.pop(), day, tuple(files))


def make_statement(day: PulledDay, *, file_id: str, at: datetime, off_by: int = 0) -> Path:
    """A statement of all that the bank has booked that day. *off_by* makes the first amount wrong. Units: fen.

    Raises:
        NothingPulled: a file is not as it was pulled.
    """
    returned = _returned(day.folder)

    def rows() -> Iterator[Row]:
        off = off_by
        for name, place, item in day.items():
            lost = (item.payment_id, item.leg, item.amount)
            if returned[lost]:
                returned[lost] -= 1
                continue
            direction = FILE_DIRECTIONS[name.kind]
            amount, off = item.amount + off, 0
            reference = f"{direction[0]}{cycle_sequence(name.cycle):02d}-{place}"
            fields = (reference, item.payment_id, direction, str(amount), f"{day.business_date:%Y%m%d}")
            yield direction, amount, "|".join(fields)

    return _write(day, day.folder / f"{file_id}.txt", UploadKind.STATEMENT, file_id, at, rows)


def make_returns(day: PulledDay, *, file_id: str, at: datetime, count: int, reason: str) -> Path:
    """Returns of the first *count* items that are taken from cardholders' accounts at the bank.

    Raises:
        NothingPulled: a file is not as it was pulled, or there is no such item.
    """
    picked: list[Row] = []
    returned = _returned(day.folder)
    for name, place, item in day.items():
        is_known = returned[item.payment_id, item.leg, item.amount] > 0
        is_card = name.kind is FileKind.COLLECT and item.type is ItemType.PAY and item.leg == BANK_LEG
        if is_card and not is_known and len(picked) < count:
            told = msgspec.structs.replace(item, remark=f"{reason} R{cycle_sequence(name.cycle):02d}-{place}")
            picked.append((Direction.DEBIT, item.amount, "|".join(field.write(told) for field in DETAIL)))
    if not picked:
        raise NothingPulled("nothing was taken from an account that could be given back")
    return _write(day, day.folder / f"{file_id}.txt", UploadKind.RETURN, file_id, at, lambda: picked)


def keep_returns(path: Path) -> Path:
    """Returns that the engine has accepted are known as such from now on. Returns where they are."""
    return path.rename(path.with_name(path.stem + RETURNED_SUFFIX))


def _write(
    day: PulledDay, path: Path, kind: UploadKind, file_id: str, at: datetime, rows: Callable[[], Iterable[Row]]
) -> Path:
    """Write an upload in the flat form, in memory that does not grow with it."""
    digest = hashlib.sha256()
    totals = dict.fromkeys(Direction, 0)
    count = hash_total = 0
    created_at = at.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"
    heading = (VERSION, file_id, day.cnaps, SENDER, f"{day.business_date:%Y%m%d}", "00", kind.value, created_at)
    with path.open("wb") as opened:

        def write(text: str) -> None:
            line = f"{text}\n".encode()
            digest.update(line)
            opened.write(line)

        write("|".join(("H", *heading, CURRENCY_NUMBER, "")))
        for count, (direction, amount, fields) in enumerate(rows(), 1):
            totals[direction] += amount
            hash_total += count * amount
            write(f"D|{count}|{fields}")
        sums = (count, totals[Direction.DEBIT], totals[Direction.CREDIT], hash_total % HASH_TOTAL_MODULUS)
        write("|".join(("T", *map(str, sums), digest.hexdigest())))
    return path


def _returned(folder: Path) -> Counter[Lost]:
    """What the returns in the folder give back."""
    found: Counter[Lost] = Counter()
    for path in sorted(folder.glob(f"*{RETURNED_SUFFIX}")):
        for record in flat_uploads.read(_pieces(path)):
            if isinstance(record, ReturnLine):
                found[record.payment_id, record.leg, record.amount] += 1
    return found


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as opened:
        while piece := opened.read(_CHUNK_BYTES):
            yield piece
