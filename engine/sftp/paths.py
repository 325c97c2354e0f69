"""Paths of a bank's tree: what each names. There is no other file system behind them."""

import enum
import re
from typing import Final

import msgspec

from engine.sftp.packets import no_such_file

RESULT_SUFFIX: Final = ".result.json"
MANIFEST_SUFFIX: Final = ".json"
NAME_CHARS_MAX: Final = 100
PATH_BYTES_MAX: Final = 1_024

_DAY: Final = re.compile(r"[0-9]{8}", re.ASCII)
_NAME: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]*", re.ASCII)
_NOT_READY: Final = (".part", ".partial", ".filepart", ".tmp")


class Area(enum.Enum):
    """The kinds of places in the tree."""

    ROOT = "/"
    OUTBOX = "/outbox"
    DAY = "/outbox/YYYYMMDD"
    FILE = "/outbox/YYYYMMDD/NAME"
    INBOX = "/inbox"
    UPLOAD = "/inbox/NAME"
    RESULT = "/inbox/NAME.result.json"


class Place(msgspec.Struct, frozen=True):
    """Where a path leads. `name` is a file's own, without the suffix of its manifest or result."""

    area: Area
    day: str = ""
    name: str = ""
    is_manifest: bool = False


def real_path(path: bytes) -> str:
    """The path as it is written in full. Nothing is above the root; whether it exists is not asked.

    Raises:
        Denied: it can be no path here.
    """
    found: list[str] = []
    for piece in _pieces(path):
        if piece == "..":
            del found[-1:]
        else:
            found.append(piece)
    return "/" + "/".join(found)


def place_of(path: bytes) -> Place:
    """What a path names, relative to the root or not.

    Raises:
        Denied: nothing can be there. That goes for `..` too: clients that mean it ask for the real path first.
    """
    match _pieces(path):
        case []:
            return Place(Area.ROOT)
        case ["outbox"]:
            return Place(Area.OUTBOX)
        case ["inbox"]:
            return Place(Area.INBOX)
        case ["outbox", day] if _DAY.fullmatch(day):
            return Place(Area.DAY, day)
        case ["outbox", day, name] if _DAY.fullmatch(day) and _is_name(name):
            return Place(Area.FILE, day, name.removesuffix(MANIFEST_SUFFIX), name.endswith(MANIFEST_SUFFIX))
        case ["inbox", name] if _is_name(name):
            is_result = name.endswith(RESULT_SUFFIX)
            return Place(Area.RESULT if is_result else Area.UPLOAD, "", name.removesuffix(RESULT_SUFFIX))
    raise no_such_file()


def is_ready_name(name: str) -> bool:
    """False of names by which clients call a file that they are still sending, and rename when it is whole."""
    return not name.endswith(_NOT_READY)


def _pieces(path: bytes) -> list[str]:
    try:
        text = path.decode("ascii")
    except UnicodeDecodeError:
        raise no_such_file() from None
    if len(path) > PATH_BYTES_MAX or not text.isprintable():
        raise no_such_file()
    return [piece for piece in text.split("/") if piece not in ("", ".")]


def _is_name(name: str) -> bool:
    return len(name) <= NAME_CHARS_MAX and _NAME.fullmatch(name) is not None
