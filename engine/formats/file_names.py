"""The names of clearing files, such as ``SSC_102100000001_20261124_01_COLLECT_v1.txt``."""

import re
from typing import Final

import msgspec

from engine.core.calendar import CycleNumber, cycle_sequence, parse_cycle
from engine.core.clearing_lines import FileKind
from engine.formats import bank_file_formats

VERSION_MAX: Final = 99
_NAME: Final = re.compile(
    rf"SSC_([0-9]{{12}})_([0-9]{{8}})_([0-9]{{2}})_({'|'.join(FileKind)})_v([1-9][0-9]?)\.([a-z]+)", re.ASCII
)


_FILE_ID: Final = re.compile(rf"([0-9]{{12}})-([0-9]{{8}})-([0-9]{{2}})-({'|'.join(FileKind)})-([0-9]{{2}})", re.ASCII)


class MalformedFileName(ValueError):
    """The text is not the name of a clearing file."""


class FileName(msgspec.Struct, frozen=True, kw_only=True):
    """What a file's name says."""

    cnaps: str  # the receiver's, twelve digits
    cycle: CycleNumber
    kind: FileKind
    form: str
    version: int = 1

    @property
    def text(self) -> str:
        """The name."""
        suffix = bank_file_formats()[self.form].suffix
        return f"SSC_{self.cnaps}_{self._day}_{self._sequence}_{self.kind}_v{self.version}.{suffix}"

    @property
    def file_id(self) -> str:
        """The file's id inside the file: a name of at most 35 characters, the same in every form."""
        return f"{self.cnaps}-{self._day}-{self._sequence}-{self.kind}-{self.version:02d}"

    @property
    def _day(self) -> str:
        return f"{self.cycle // 100:08d}"

    @property
    def _sequence(self) -> str:
        return f"{cycle_sequence(self.cycle):02d}"


def parse_file_name(text: str) -> FileName:
    """Read a name.

    Raises:
        MalformedFileName: it is not one that a clearing file can have.
    """
    match = _NAME.fullmatch(text)
    forms = {file_format.suffix: name for name, file_format in bank_file_formats().items()}
    if match is None or match[6] not in forms:
        raise MalformedFileName
    try:
        cycle = parse_cycle(f"{match[2]}-{match[3]}")
    except ValueError as error:
        raise MalformedFileName from error
    return FileName(cnaps=match[1], cycle=cycle, kind=FileKind(match[4]), form=forms[match[6]], version=int(match[5]))


def names_meant(text: str) -> tuple[str, ...]:
    """The names of the files that *text* may mean: itself, or those of every form that have it as their file id."""
    match = _FILE_ID.fullmatch(text)
    if match is None:
        return (text,)
    suffixes = [file_format.suffix for file_format in bank_file_formats().values()]
    return tuple(f"SSC_{match[1]}_{match[2]}_{match[3]}_{match[4]}_v{int(match[5])}.{suffix}" for suffix in suffixes)
