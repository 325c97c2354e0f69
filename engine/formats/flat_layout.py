"""The layout of the flat form, written once: which fields its records have, in which order, in which shape."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import lru_cache
from operator import attrgetter
from typing import Final, Generic, TypeVar

import msgspec

from engine.core.clearing_lines import ClearingItem, FileKind, ItemType
from engine.core.line_columns import LineColumns
from engine.core.money import CURRENCY_NUMBER
from engine.formats.bank_file import SENDER, FileHeading, FileTrailer

VERSION: Final = "1"
AMOUNT_MAX: Final = 10**18 - 1
KINDS: Final = frozenset({FileKind.COLLECT, FileKind.CREDIT, FileKind.NET})

Record = TypeVar("Record")


class Shape(msgspec.Struct, frozen=True):
    """How the text of a field is read, and what it is then called. `read` raises ValueError for any other text."""

    name: str
    read: Callable[[str], object]


class Field(msgspec.Struct, Generic[Record], frozen=True):
    """One field: its name (the attribute's), how it is written, and the shape of what is written."""

    name: str
    write: Callable[[Record], str]
    shape: Shape


def _pattern(name: str, pattern: str, then: Callable[[str], object] = str) -> Shape:
    compiled = re.compile(pattern, re.ASCII)

    def read(text: str) -> object:
        if not compiled.fullmatch(text):
            raise ValueError(name)
        return then(text)

    return Shape(name, read)


def _date_of(text: str) -> date:
    return date(int(text[:4]), int(text[4:6]), int(text[6:]))


TEXT: Final = _pattern("one line of text", r"[^\r\n|]*")
NUMBER: Final = _pattern("a whole number", "0|[1-9][0-9]{0,18}", int)
AMOUNT: Final = _pattern("an amount above zero", "[1-9][0-9]{0,17}", int)
CNAPS: Final = _pattern("a CNAPS number", "[0-9]{12}")
FILE_ID: Final = _pattern("a file id", "[0-9A-Z-]{1,35}")
TWO_DIGITS: Final = _pattern("two digits", "[0-9]{2}", int)
DAY: Final = _pattern("a date", "[0-9]{8}", _date_of)
INSTANT: Final = _pattern(
    "an instant in UTC with microseconds",
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z",
    datetime.fromisoformat,
)
DIGEST: Final = _pattern("a SHA-256 in hex", "[0-9a-f]{64}")
DIGEST_OR_NOTHING: Final = _pattern("a SHA-256 in hex, or nothing", "([0-9a-f]{64})?")
FILE_KIND: Final = _pattern("a kind of file", "|".join(sorted(KINDS)), FileKind)
ITEM_TYPE: Final = Shape("a type of line", ItemType)


def _constant(name: str, value: str) -> Field[FileHeading]:
    return Field(name, lambda _: value, _pattern(value, re.escape(value)))


@lru_cache(maxsize=256)
def _instant_text(instant: datetime) -> str:
    """RFC 3339 in UTC with microseconds: `2026-11-24T05:30:00.000000Z`. The lines of a batch share one instant."""
    return instant.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


HEADER: Final[tuple[Field[FileHeading], ...]] = (
    _constant("version", VERSION),
    Field("file_id", attrgetter("file_id"), FILE_ID),
    _constant("sender", SENDER),
    Field("receiver_bank", attrgetter("receiver_bank"), CNAPS),
    Field("business_date", lambda heading: f"{heading.business_date:%Y%m%d}", DAY),
    Field("cycle", lambda heading: f"{heading.cycle:02d}", TWO_DIGITS),
    Field("kind", attrgetter("kind"), FILE_KIND),
    Field("created_at", lambda heading: _instant_text(heading.created_at), INSTANT),
    _constant("currency", CURRENCY_NUMBER),
    Field("previous_sha256", attrgetter("previous_sha256"), DIGEST_OR_NOTHING),
)
DETAIL: Final[tuple[Field[ClearingItem], ...]] = (  # after the line's place, which is counted from one without a gap
    Field("payment_id", attrgetter("payment_id"), TEXT),
    Field("order_no", attrgetter("order_no"), TEXT),
    Field("merchant_id", attrgetter("merchant_id"), TEXT),
    Field("type", attrgetter("type"), ITEM_TYPE),
    Field("leg", attrgetter("leg"), TEXT),
    Field("debit_bank", attrgetter("debit_bank"), CNAPS),
    Field("debit_account", attrgetter("debit_account"), TEXT),
    Field("credit_bank", attrgetter("credit_bank"), CNAPS),
    Field("credit_account", attrgetter("credit_account"), TEXT),
    Field("amount", lambda item: str(item.amount), AMOUNT),
    Field("occurred_at", lambda item: _instant_text(item.occurred_at), INSTANT),
    Field("original_payment_id", attrgetter("original_payment_id"), TEXT),
    Field("remark", attrgetter("remark"), TEXT),
)


def detail_texts(lines: LineColumns) -> list[str]:
    """The fields of DETAIL for each line, put together: what the table gives, at a third of its cost."""
    return [
        f"{payment_id}|{order_no}|{merchant_id}|{type_}|{leg}|{debit_bank}|{debit_account}|{credit_bank}"
        f"|{credit_account}|{amount}|{_instant_text(occurred_at)}|{original_payment_id}|{remark}"
        for (
            payment_id,
            order_no,
            merchant_id,
            type_,
            leg,
            debit_bank,
            debit_account,
            credit_bank,
            credit_account,
            amount,
            occurred_at,
            original_payment_id,
            remark,
        ) in zip(*msgspec.structs.astuple(lines)[:-1], strict=True)
    ]


TRAILER: Final[tuple[Field[FileTrailer], ...]] = (
    Field("count", lambda trailer: str(trailer.count), NUMBER),
    Field("debit_total", lambda trailer: str(trailer.debit_total), NUMBER),
    Field("credit_total", lambda trailer: str(trailer.credit_total), NUMBER),
    Field("hash_total", lambda trailer: str(trailer.hash_total), NUMBER),
    Field("sha256", attrgetter("sha256"), DIGEST),
)
