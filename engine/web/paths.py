"""Ids in addresses."""

from aiohttp import web

from engine.core.ids import IdKind, MalformedId, parse_id
from engine.core.refusals import Refusal
from engine.web.body import Refused


def id_in_path(request: web.Request, name: str, kind: IdKind) -> bytes:
    """The id that the path names. A malformed id names nothing.

    Raises:
        Refused: it is none.
    """
    try:
        return parse_id(request.match_info[name], kind)
    except MalformedId:
        raise Refused(Refusal.NOT_FOUND) from None
