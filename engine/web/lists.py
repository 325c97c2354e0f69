"""Lists: `limit`, `cursor` and filters, read strictly; an unknown parameter is refused, never dropped."""

import re
from datetime import date
from typing import Final

import msgspec
from aiohttp import web

from engine.core.ids import IdKind, MalformedId, parse_id
from engine.core.refusals import Refusal
from engine.web.body import Refused, pointer_step, refuse_field
from engine.web.problems import FieldError

LIMIT_DEFAULT: Final = 50
LIMIT_MAX: Final = 200
FILTER_CHARS_MAX: Final = 128

_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """One page that is asked for."""

    limit: int
    cursor: str | None
    filters: dict[str, str]
    before: bytes | None = None  # the cursor as an id, where it is one


def page_of(request: web.Request, kind: IdKind | None = None, *, filters: tuple[str, ...] = ()) -> Page:
    """The page that a request asks for. With *kind*, the cursor is an id of that kind.

    Raises:
        Refused: an unknown parameter, one given twice, or a value out of its bounds.
    """
    given = parameters(request, ("limit", "cursor", *filters))
    limit = given.pop("limit", str(LIMIT_DEFAULT))
    if not (limit.isascii() and limit.isdigit() and len(limit) <= 4 and 1 <= int(limit) <= LIMIT_MAX):
        raise refuse_field("/limit", f"1 to {LIMIT_MAX}")
    cursor = given.pop("cursor", None)
    before = None
    if cursor is not None and kind is not None:
        try:
            before = parse_id(cursor, kind)
        except MalformedId:
            raise refuse_field("/cursor", "not a cursor of this list") from None
    return Page(limit=int(limit), cursor=cursor, filters=given, before=before)


def parameters(request: web.Request, names: tuple[str, ...]) -> dict[str, str]:
    """The query's parameters, each at most once and all of them known.

    Raises:
        Refused: one is unknown, given twice, too long, or not text that can be stored.
    """
    given: dict[str, str] = {}
    for name, value in request.query.items():
        if name not in names:
            raise Refused(Refusal.UNKNOWN_FIELD, (FieldError(f"/{pointer_step(name)}", "not known"),))
        if name in given:
            raise Refused(Refusal.DUPLICATE_FIELD, (FieldError(f"/{name}", "given twice"),))
        if len(value) > FILTER_CHARS_MAX or not value.isprintable():
            raise refuse_field(f"/{name}", f"at most {FILTER_CHARS_MAX} printable characters")
        given[name] = value
    return given


def no_parameters(request: web.Request) -> None:
    """Refuse every query parameter: one that means something elsewhere, or will later, must not be overlooked here.

    Raises:
        Refused: there is one.
    """
    if "?" in request.raw_path:  # parsing a query costs more than this look, and payments have none
        parameters(request, ())


def date_of(text: str | None) -> date | None:
    """A business date of a filter.

    Raises:
        Refused: the text is not one.
    """
    if text is None:
        return None
    try:
        if not _DATE.fullmatch(text):  # the library reads weeks and dates without dashes as well
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise refuse_field("/business_date", "a date is written YYYY-MM-DD") from None
