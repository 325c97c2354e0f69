"""What comes in the query or as a form, as OAuth has it: each name once, and what is empty is not there.

Source: RFC 6749 sections 3.1, 3.2 and appendix B.
"""

import asyncio
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl

from aiohttp import web
from multidict import MultiDict, MultiMapping

from engine.web.boundary import BODY_S_MAX

FORM: Final = "application/x-www-form-urlencoded"
FORM_BYTES_MAX: Final = 8_192
FORM_FIELDS_MAX: Final = 16


def query_in(request: web.Request) -> MultiMapping[str]:
    """What the query says."""
    return _told(request.query)


async def form_in(request: web.Request) -> MultiMapping[str] | None:
    """What the form in the body says; None if it is none, or one that is too large.

    Raises:
        HTTPRequestTimeout: it does not come to its end.
    """
    if request.content_type != FORM or "Content-Encoding" in request.headers:
        return None
    if request.content_length is None or request.content_length > FORM_BYTES_MAX:
        return None
    try:
        async with asyncio.timeout(BODY_S_MAX):
            body = await request.read()
    except TimeoutError:
        raise web.HTTPRequestTimeout from None
    try:
        fields = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FORM_FIELDS_MAX)
    except ValueError:  # there are more, or it is not UTF-8
        return None
    return _told(MultiDict(fields))


def twice_in(given: MultiMapping[str]) -> set[str]:
    """The names that are there more than once."""
    return {name for name in given if len(given.getall(name)) > 1}


async def fields_in(request: web.Request) -> Mapping[str, str] | None:
    """The fields of a form; None if it is none, or has a field twice.

    Raises:
        HTTPRequestTimeout: it does not come to its end.
    """
    given = await form_in(request)
    return None if given is None or twice_in(given) else dict(given)


def _told(given: MultiMapping[str]) -> MultiMapping[str]:
    """What is not empty; but a name that is there twice stays so."""
    return MultiDict((name, value) for name, value in given.items() if value or len(given.getall(name)) > 1)
