"""Where records come from, over HTTP: files that operators bring in, and regions that are asked themselves."""

import tempfile

from aiohttp import web

from engine.core.ids import IdKind
from engine.core.inquiry import TOPICS, Topic
from engine.core.participants import NATIONAL, Right, regions_of
from engine.core.refusals import Refusal
from engine.flows.answer_once import Done, NotDone
from engine.flows.approve import Asking
from engine.flows.import_cards import Importing
from engine.flows.inquiry.import_records import import_records
from engine.flows.inquiry.sources import WantedSource, ask_source, stop_source, wrong_base_url
from engine.store.connection import READ_SETTINGS, connect
from engine.store.inquiry import load_sources
from engine.web.body import Refused, read_body, refuse_field
from engine.web.boundary import BODY, CALLER, UPLOAD, idempotency_key
from engine.web.card_register import IN_MEMORY_BYTES, chunks_of, keep_upload
from engine.web.inquiry.wire import (
    SourceList,
    SourceRequest,
    SourceStopped,
    SourceStopRequest,
    report_view,
    source_view,
)
from engine.web.lists import no_parameters, page_of
from engine.web.node import NODE
from engine.web.operator_requests import (
    asked_for,
    do_once,
    done_response,
    operator_of_request,
    reading_operator,
    wish_of,
)
from engine.web.payments import json_response
from engine.web.render import encode_json


async def post_records(request: web.Request) -> web.Response:
    """`POST /v1/inquiry/{topic}/import`: bring in every record of a file that is right; tell what is wrong with others.

    The body is kept in a file until its digest is known to be right, for what is read counts only then.
    """
    if request[CALLER].kind is not IdKind.OPERATOR:
        raise Refused(Refusal.NOT_FOUND)
    no_parameters(request)
    topic = _topic_in(request)
    idempotency_key(request)
    node, operator = request.app[NODE], await reading_operator(request)
    if not operator.may(Right.REQUEST, operator.region):
        raise Refused(Refusal.SCOPE_NOT_AUTHORIZED)
    business = await node.reads.business_now()
    importing = Importing(
        keyring=node.keyring,
        ids=node.ids,
        operator=operator.id,
        region=operator.region,
        today=business.control.business_date,
        now=business.now,
    )
    with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES) as kept:
        sha256 = await keep_upload(request[UPLOAD], kept)
        connection = await connect(
            node.database_url, READ_SETTINGS | {"statement_timeout": "0"}, application_name="inquiry"
        )
        try:
            report = await import_records(connection, importing, topic, sha256, chunks_of(kept))
        finally:
            await connection.close()
    return json_response(encode_json(report_view(report)))


async def get_sources(request: web.Request) -> web.Response:
    """`GET /v1/inquiry/{topic}/sources`: the regions that are asked themselves."""
    operator = await reading_operator(request)
    page = page_of(request)
    topic = _topic_in(request)
    found = await load_sources(
        request.app[NODE].pool,
        topic.name,
        regions=regions_of(operator.region),
        after=_after(page.cursor),
        count=page.limit + 1,
    )
    items = tuple(source_view(one) for one in found[: page.limit])
    cursor = items[-1].region if len(found) > page.limit else None
    return json_response(encode_json(SourceList(items=items, next_cursor=cursor)))


async def post_source(request: web.Request) -> web.Response:
    """`POST /v1/inquiry/{topic}/sources`: ask for a region to be asked itself."""
    operator_of_request(request)
    no_parameters(request)
    topic, given = _topic_in(request), read_body(request[BODY], SourceRequest)
    wanted = WantedSource(topic=topic.name, region=given.region, base_url=given.base_url)
    wrong_url = await wrong_base_url(
        request.app[NODE].callbacks, given.base_url
    )  # before a transaction: it may take time

    async def step(asked: Asking) -> Done | NotDone:
        return asked_for(asked, await ask_source(asked, wanted, wrong_url=wrong_url, reason=given.reason))

    facts = {"topic": topic.name, "region": given.region, "base_url": given.base_url, "reason": given.reason}
    return done_response(await do_once(request, wish_of(request, "ask_inquiry_source", facts), step))


async def post_source_stop(request: web.Request) -> web.Response:
    """`POST /v1/inquiry/{topic}/sources/stop`: from the answer on the region is asked no more."""
    operator_of_request(request)
    no_parameters(request)
    topic, given = _topic_in(request), read_body(request[BODY], SourceStopRequest)

    async def step(asked: Asking) -> Done | NotDone:
        refused = await stop_source(asked, topic.name, int(given.region))
        return refused or Done(200, encode_json(SourceStopped(topic=topic.name, region=given.region)))

    facts = {"topic": topic.name, "region": given.region, "reason": given.reason}
    return done_response(await do_once(request, wish_of(request, "stop_inquiry_source", facts), step))


def _topic_in(request: web.Request) -> Topic:
    topic = TOPICS.get(request.match_info["topic"])
    if topic is None:
        raise Refused(Refusal.NOT_FOUND)
    return topic


def _after(cursor: str | None) -> int:
    if cursor is None:
        return NATIONAL - 1
    if len(cursor) != 6 or not (cursor.isascii() and cursor.isdigit()):
        raise refuse_field("/cursor", "not a cursor of this list")
    return int(cursor)
