"""Inquiries over HTTP: one handler for every topic."""

from aiohttp import web

from engine.core.inquiry import Topic
from engine.flows.answer_once import NotDone
from engine.flows.inquiry.inquire import Inquiry, InquiryDesk, inquire
from engine.flows.inquiry.regional_systems import Asking
from engine.web.boundary import TRACE_ID, Handler
from engine.web.card_callers import channel_of_request, now_of, today_of
from engine.web.consents.subjects import department_in, linked_card
from engine.web.doing_once import refused_by
from engine.web.inquiry.wire import LISTS
from engine.web.lists import page_of
from engine.web.node import NODE, Node
from engine.web.payments import json_response
from engine.web.render import encode_json


def inquiry_of(topic: Topic) -> Handler:
    """The handler of `GET /v1/inquiry/…` for a topic."""

    async def get_records(request: web.Request) -> web.Response:
        channel = channel_of_request(request)
        page = page_of(request, filters=("card_id", "department_id", "purpose"))
        card = await linked_card(request, page.filters.get("card_id"))
        asked = Inquiry(
            topic=topic,
            card=card,
            channel=channel,
            department=department_in(page.filters.get("department_id")),
            purpose=page.filters.get("purpose"),
            cursor=page.cursor,
            limit=page.limit,
            trace_id=request[TRACE_ID],
            today=await today_of(request),
            now=await now_of(request),
        )
        found = await inquire(_desk(request.app[NODE]), asked)
        if isinstance(found, NotDone):
            raise refused_by(found)
        answer = LISTS[topic.scope](items=found.items, next_cursor=found.next_cursor)
        response = json_response(encode_json(answer))
        response.headers["Cache-Control"] = "no-store"
        return response

    get_records.__name__ = f"get_{topic.name}"
    get_records.__doc__ = f"`GET /v1/inquiry/{topic.name}`: what is known of a person, a page at a time."
    return get_records


def _desk(node: Node) -> InquiryDesk:
    return InquiryDesk(
        pool=node.pool,
        keyring=node.keyring,
        regional=node.regional,
        asking=Asking(callbacks=node.callbacks, key=node.signing_keys[0], clock=node.clock, ids=node.ids),
    )
