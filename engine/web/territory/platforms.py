"""The move of local platforms over HTTP: declared, filled, compared, let in by two operators, switched on by two."""

import re
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web

from engine.core.local_platforms import LocalPlatform, PlatformState
from engine.core.participants import Right
from engine.core.refusals import Refusal
from engine.flows.answer_once import Done, NotDone
from engine.flows.approve import Asking
from engine.flows.territory.move_platform import Declaration, ask_let_in, ask_region_on, declare
from engine.flows.territory.take_balances import take_balances
from engine.store.barrier import pass_all_lanes
from engine.store.connection import READ_SETTINGS, AnyConnection, connect
from engine.store.faults import translated
from engine.store.local_platforms import DifferencesWanted, load_differences, load_found, load_platform
from engine.web.body import Refused, read_body, refuse_field
from engine.web.boundary import BODY, UPLOAD, idempotency_key
from engine.web.card_callers import may_as_operator
from engine.web.card_register import IN_MEMORY_BYTES, chunks_of, keep_upload
from engine.web.lists import no_parameters, page_of
from engine.web.node import NODE
from engine.web.operator_requests import (
    asked_for,
    do_once,
    done_response,
    operator_of_request,
    wish_of,
)
from engine.web.payments import json_response
from engine.web.regions import region_in
from engine.web.render import encode_json
from engine.web.territory.tree import region_read
from engine.web.territory.wire import (
    LocalPlatformRequest,
    LocalPlatformView,
    PlatformDifferenceList,
    balances_view,
    difference_view,
    local_platform_view,
)
from engine.web.wire_participants import ReasonRequest

_CURSOR: Final = re.compile(r"([123])-([0-9]{9}|[0-9a-f-]{36})", re.ASCII)


async def post_local_platform(request: web.Request) -> web.Response:
    """`POST /v1/regions/{code}/local-platform`: begin its move; nothing is paid for in the region until it is done."""
    operator_of_request(request)
    no_parameters(request)
    given = read_body(request[BODY], LocalPlatformRequest)
    region = region_in(request)
    declaration = Declaration(name=given.name, cards=given.cards, balance=given.balance)

    async def step(asked: Asking) -> Done | NotDone:
        declared = await declare(asked, region, declaration)
        if isinstance(declared, NotDone):
            return declared
        return Done(200, encode_json(await _view(asked.connection, declared)))

    facts = {"region": f"{region:06d}", "name": given.name, "cards": given.cards, "balance": given.balance}
    answer = await do_once(request, wish_of(request, "declare_local_platform", facts), step)
    await pass_all_lanes(request.app[NODE].pool)
    return done_response(answer)


async def get_local_platform(request: web.Request) -> web.Response:
    """`GET /v1/regions/{code}/local-platform`: how far a local platform has come, and what of it is here."""
    no_parameters(request)
    platform = await _platform_read(request)
    async with _reading(request) as connection:
        view = await _view(connection, platform)
    return json_response(encode_json(view))


async def post_balances(request: web.Request) -> web.Response:
    """`POST /v1/regions/{code}/local-platform/balances`: its file of balances, taken whole or not at all."""
    operator_of_request(request)
    no_parameters(request)
    idempotency_key(request)
    region = region_in(request)
    await may_as_operator(request, Right.REQUEST, region)
    node = request.app[NODE]
    with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES) as kept:
        sha256 = await keep_upload(request[UPLOAD], kept)
        settings = READ_SETTINGS | {"statement_timeout": "0"}
        connection = await connect(node.database_url, settings, application_name="balances")
        try:
            taken = await take_balances(connection, node.keyring, region, sha256, chunks_of(kept))
        finally:
            await connection.close()
    if taken is None:
        raise Refused(Refusal.NOT_FOUND)
    if isinstance(taken, LocalPlatform):
        raise Refused(Refusal.LOCAL_PLATFORM_STATE_CONFLICT)
    return json_response(encode_json(balances_view(taken)))


async def get_differences(request: web.Request) -> web.Response:
    """`GET /v1/regions/{code}/local-platform/differences`: what keeps its balances out, line by line."""
    page = page_of(request)
    platform = await _platform_read(request)
    after = (0, "")
    if page.cursor is not None:
        read = _CURSOR.fullmatch(page.cursor)
        if read is None:
            raise refuse_field("/cursor", "not a cursor of this list")
        after = (int(read[1]), read[2])
    if platform.state >= PlatformState.PROVEN:  # cards that come in later are no differences
        return json_response(encode_json(PlatformDifferenceList(items=(), next_cursor=None)))
    wanted = DifferencesWanted(after=after, count=page.limit + 1)
    async with _reading(request) as connection:
        found = await load_differences(connection, platform, wanted)
    shown = found[: page.limit]
    cursor = f"{shown[-1].kind:d}-{shown[-1].place}" if len(found) > page.limit else None
    items = tuple(difference_view(one) for one in shown)
    return json_response(encode_json(PlatformDifferenceList(items=items, next_cursor=cursor)))


async def post_openings(request: web.Request) -> web.Response:
    """`POST /v1/regions/{code}/local-platform/openings`: ask for its balances to be posted, once they are equal."""
    operator_of_request(request)
    no_parameters(request)
    given, region = read_body(request[BODY], ReasonRequest), region_in(request)

    async def step(asked: Asking) -> Done | NotDone:
        return asked_for(asked, await ask_let_in(asked, region, reason=given.reason))

    facts = {"region": f"{region:06d}", "reason": given.reason}
    return done_response(await do_once(request, wish_of(request, "open_balances", facts), step))


async def post_region_on(request: web.Request) -> web.Response:
    """`POST /v1/regions/{code}/local-platform/switch-on`: ask for a region that is proven to be switched on."""
    operator_of_request(request)
    no_parameters(request)
    given, region = read_body(request[BODY], ReasonRequest), region_in(request)

    async def step(asked: Asking) -> Done | NotDone:
        return asked_for(asked, await ask_region_on(asked, region, reason=given.reason))

    facts = {"region": f"{region:06d}", "reason": given.reason}
    return done_response(await do_once(request, wish_of(request, "switch_region_on", facts), step))


async def _platform_read(request: web.Request) -> LocalPlatform:
    platform = await load_platform(request.app[NODE].pool, await region_read(request))
    if platform is None:
        raise Refused(Refusal.NOT_FOUND)
    return platform


@asynccontextmanager
async def _reading(request: web.Request) -> AsyncIterator[AnyConnection]:
    with translated():
        async with request.app[NODE].pool.acquire() as connection, connection.transaction(readonly=True):
            yield connection


async def _view(connection: AnyConnection, platform: LocalPlatform) -> LocalPlatformView:
    found = await load_found(connection, platform) if platform.state < PlatformState.OPENING else None
    return local_platform_view(platform, found)
