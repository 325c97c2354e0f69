"""Bills over HTTP: agencies send them, look at their own, and take them back; a merchant's payment pays them."""

import msgspec
from aiohttp import web

from engine.core.ids import CardId, IdKind, MalformedId, parse_id
from engine.core.participants import ITEMS
from engine.core.refusals import Refusal
from engine.flows.answer_once import Done, NotDone
from engine.flows.bills import BillNow, BillWish, send_bill, take_back_bill
from engine.store.bills import load_bill, load_bills
from engine.store.connection import AnyConnection
from engine.store.participants import load_clocks
from engine.web.agency_requests import agency_does_once, agency_of_request
from engine.web.body import Refused, read_body, refuse_field
from engine.web.boundary import BODY
from engine.web.lists import no_parameters, page_of
from engine.web.node import NODE
from engine.web.operator_requests import done_response
from engine.web.payments import json_response
from engine.web.render import encode_json
from engine.web.wire import NothingRequest
from engine.web.wire_bills import BillList, BillRequest, bill_view


async def post_bill(request: web.Request) -> web.Response:
    """`POST /v1/bills`: ask for a premium or a fee."""
    agency = agency_of_request(request)
    no_parameters(request)
    given = read_body(request[BODY], BillRequest)
    wish = BillWish(
        bill_no=given.bill_no,
        item=ITEMS[given.item],
        card=_card_of(given.card_id),
        amount=given.amount,
        deadline=given.deadline,
        description=given.description,
    )

    async def work(connection: AnyConnection) -> Done | NotDone:
        return _done(await send_bill(connection, agency, wish, request.app[NODE].ids), status=201)

    return done_response(await agency_does_once(request, "send_bill", msgspec.structs.asdict(given), work))


async def post_withdrawal(request: web.Request) -> web.Response:
    """`POST /v1/bills/{number}/withdraw`: nobody can pay the bill any more."""
    agency = agency_of_request(request)
    no_parameters(request)
    read_body(request[BODY] or b"{}", NothingRequest)
    bill_no = request.match_info["number"]

    async def work(connection: AnyConnection) -> Done | NotDone:
        return _done(await take_back_bill(connection, agency, bill_no))

    return done_response(await agency_does_once(request, "withdraw_bill", {"bill_no": bill_no}, work))


async def get_bill(request: web.Request) -> web.Response:
    """`GET /v1/bills/{number}`: one of the agency's own."""
    agency = agency_of_request(request)
    no_parameters(request)
    pool = request.app[NODE].pool
    record = await load_bill(pool, agency, request.match_info["number"])
    if record is None:
        raise Refused(Refusal.NOT_FOUND)
    return json_response(encode_json(bill_view(BillNow(record, (await load_clocks(pool)).business))))


async def get_bills(request: web.Request) -> web.Response:
    """`GET /v1/bills`: the agency's own, newest first."""
    agency = agency_of_request(request)
    page = page_of(request, IdKind.BILL)
    pool = request.app[NODE].pool
    records = await load_bills(pool, agency, before=page.before, count=page.limit + 1)
    now = (await load_clocks(pool)).business
    items = tuple(bill_view(BillNow(record, now)) for record in records[: page.limit])
    cursor = items[-1].id if len(records) > page.limit else None
    return json_response(encode_json(BillList(items=items, next_cursor=cursor)))


def _card_of(text: str | None) -> CardId | None:
    try:
        return CardId(parse_id(text, IdKind.CARD)) if text is not None else None
    except MalformedId:
        raise refuse_field("/card_id", "not the id of a card") from None


def _done(outcome: BillNow | NotDone, *, status: int = 200) -> Done | NotDone:
    return outcome if isinstance(outcome, NotDone) else Done(status, encode_json(bill_view(outcome)))
