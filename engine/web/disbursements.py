"""Disbursements over HTTP: agencies send batches and look at their own; operators let them go, two by two."""

import re
from contextlib import suppress
from typing import Final

from aiohttp import web

from engine.core.bank_lines import UploadKind
from engine.core.ids import (
    REGION_MAX,
    AgencyId,
    BankId,
    DisbursementId,
    DisbursementLineId,
    IdKind,
    id_text,
)
from engine.core.participants import Right, regions_of
from engine.core.refusals import Refusal
from engine.flows.answer_once import Done, NotDone
from engine.flows.approve import Asking
from engine.flows.disburse import ask_line_again, ask_release, take_back_batch
from engine.flows.disburse_upload import Disbursements
from engine.flows.receive_upload import Rejected, UploadSource, UploadTooLarge, receive_upload
from engine.store.bills import load_agency
from engine.store.connection import AnyConnection
from engine.store.disbursements import (
    Batch,
    LinesWanted,
    drop_lines,
    load_batch,
    load_batch_of_upload,
    load_batches,
    load_funds,
    load_lines,
)
from engine.store.faults import Fault
from engine.store.participants import Source
from engine.web.agency_requests import agency_does_once, agency_of_request
from engine.web.body import Refused, read_body, refuse_field
from engine.web.boundary import BODY, CALLER, UPLOAD, caller_id, idempotency_key
from engine.web.lists import no_parameters, page_of, parameters
from engine.web.node import NODE
from engine.web.operator_requests import (
    asked_for,
    do_once,
    done_response,
    operator_of_request,
    reading_operator,
    wish_of,
)
from engine.web.paths import id_in_path
from engine.web.payments import json_response
from engine.web.problems import FieldError
from engine.web.render import encode_json
from engine.web.wire import NothingRequest
from engine.web.wire_disbursements import (
    LINE_FILTERS,
    DisbursementList,
    DisbursementView,
    PayoutList,
    disbursement_view,
    payout_view,
)
from engine.web.wire_participants import ReasonRequest

_BATCH_NO: Final = re.compile(r"[0-9A-Za-z._-]{1,35}", re.ASCII)
_EVERYWHERE: Final = (0, REGION_MAX)
_PLACE: Final = re.compile(r"[0-9]{1,9}", re.ASCII)


async def post_disbursement(request: web.Request) -> web.Response:
    """`POST /v1/disbursements`: a batch of benefits, every line of which is checked before it counts."""
    agency = agency_of_request(request)
    batch_no = parameters(request, ("batch_no",)).get("batch_no", "")
    if batch_no and not _BATCH_NO.fullmatch(batch_no):
        raise refuse_field("/batch_no", "1 to 35 of A-Z, a-z, 0-9, dot, _ and -")
    key = idempotency_key(request)
    node = request.app[NODE]
    registered = await load_agency(node.pool, agency)
    if registered is None:
        raise Refused(Refusal.SCOPE_NOT_AUTHORIZED)
    handler = Disbursements(node.pool, node.ids, region=registered.region)
    source = UploadSource(
        bank=BankId(agency),  # whoever sends it
        kind=UploadKind.DISBURSEMENT,
        name=batch_no,
        idempotency_key=key,
    )
    try:
        outcome = await receive_upload(
            node.pool, request[UPLOAD], source, handlers={UploadKind.DISBURSEMENT: handler}, ids=node.ids
        )
    except UploadTooLarge:
        raise Refused(Refusal.BODY_TOO_LARGE) from None
    if isinstance(outcome, Rejected):
        raise Refused(outcome.refusal, tuple(FieldError(fault.pointer, fault.reason) for fault in outcome.faults))
    batch = await load_batch_of_upload(node.pool, outcome.upload.id)
    assert batch is not None, "an upload is accepted together with its batch"
    found = await load_batch(node.pool, batch)
    assert found is not None, "a batch that was accepted stays"
    response = json_response(encode_json(await _view(node.pool, found)), status=201)
    if outcome.is_replay:
        response.headers["Idempotent-Replayed"] = "true"
    return response


async def get_disbursements(request: web.Request) -> web.Response:
    """`GET /v1/disbursements`: an agency's own, or those of the operator's region, newest first."""
    agency, regions = await _viewer(request)
    page = page_of(request, IdKind.DISBURSEMENT)
    pool = request.app[NODE].pool
    batches = await load_batches(pool, agency=agency, regions=regions, before=page.before, count=page.limit + 1)
    shown = batches[: page.limit]
    funds = await load_funds(pool, (batch.id for batch in shown))
    items = tuple(disbursement_view(batch, funds[batch.id]) for batch in shown)
    cursor = items[-1].id if len(batches) > page.limit else None
    return json_response(encode_json(DisbursementList(items=items, next_cursor=cursor)))


async def get_disbursement(request: web.Request) -> web.Response:
    """`GET /v1/disbursements/{id}`: one of them."""
    batch = await _seen_batch(request)
    no_parameters(request)
    return json_response(encode_json(await _view(request.app[NODE].pool, batch)))


async def get_disbursement_lines(request: web.Request) -> web.Response:
    """`GET /v1/disbursements/{id}/lines`: its lines, in their order."""
    batch = await _seen_batch(request)
    page = page_of(request, filters=("status",))
    status = page.filters.get("status")
    if status not in LINE_FILTERS:
        raise refuse_field("/status", "not a line's status")
    if page.cursor is not None and not _PLACE.fullmatch(page.cursor):
        raise refuse_field("/cursor", "not a cursor of this list")
    states, is_settled = LINE_FILTERS[status]
    wanted = LinesWanted(after=int(page.cursor or 0), states=states, is_settled=is_settled, count=page.limit + 1)
    lines = await load_lines(request.app[NODE].pool, batch.id, wanted)
    items = tuple(payout_view(line) for line in lines[: page.limit])
    cursor = str(items[-1].n) if len(lines) > page.limit else None
    return json_response(encode_json(PayoutList(items=items, next_cursor=cursor)))


async def post_release(request: web.Request) -> web.Response:
    """`POST /v1/disbursements/{id}/approval`: ask for a draft to be let go."""
    operator_of_request(request)
    no_parameters(request)
    given = read_body(request[BODY], ReasonRequest)
    batch = _batch_in(request)

    async def step(asked: Asking) -> Done | NotDone:
        return asked_for(asked, await ask_release(asked, batch, reason=given.reason))

    facts = {"disbursement": id_text(batch), "reason": given.reason}
    return done_response(await do_once(request, wish_of(request, "release_disbursement", facts), step))


async def post_disbursement_withdrawal(request: web.Request) -> web.Response:
    """`POST /v1/disbursements/{id}/withdraw`: a draft is not to be paid, and its benefits may be in another batch."""
    agency = agency_of_request(request)
    no_parameters(request)
    read_body(request[BODY] or b"{}", NothingRequest)
    batch = _batch_in(request)

    async def work(connection: AnyConnection) -> Done | NotDone:
        refused = await take_back_batch(connection, batch, agency)
        if refused is not None:
            return refused
        found = await load_batch(connection, batch)
        assert found is not None, "what is withdrawn stays"
        return Done(200, encode_json(await _view(connection, found)))

    facts = {"disbursement": id_text(batch)}
    answer = await agency_does_once(request, "withdraw_disbursement", facts, work)
    with suppress(Fault):  # what is left of its lines is taken away by the worker
        await drop_lines(request.app[NODE].pool, batch)
    return done_response(answer)


async def post_reissue_line(request: web.Request) -> web.Response:
    """`POST /v1/disbursements/{id}/lines/{line}/reissue`: ask for a returned line to be issued again."""
    operator_of_request(request)
    no_parameters(request)
    given = read_body(request[BODY], ReasonRequest)
    batch = _batch_in(request)
    line = DisbursementLineId(id_in_path(request, "line", IdKind.DISBURSEMENT_LINE))

    async def step(asked: Asking) -> Done | NotDone:
        return asked_for(asked, await ask_line_again(asked, batch, line, reason=given.reason))

    facts = {"line": id_text(line), "reason": given.reason}
    return done_response(await do_once(request, wish_of(request, "reissue_line", facts), step))


async def _viewer(request: web.Request) -> tuple[AgencyId | None, tuple[int, int]]:
    """Whose batches the caller sees: an agency its own, an operator those of its region."""
    if request[CALLER].kind is IdKind.AGENCY:
        return AgencyId(caller_id(request)), _EVERYWHERE
    operator = await reading_operator(request)
    return None, regions_of(operator.region)


async def _seen_batch(request: web.Request) -> Batch:
    """The batch that the path names, if the caller may see it."""
    agency, _ = await _viewer(request)
    batch = await load_batch(request.app[NODE].pool, _batch_in(request))
    if batch is None or (agency is not None and batch.agency != agency):
        raise Refused(Refusal.NOT_FOUND)
    if agency is None and not (await reading_operator(request)).may(Right.READ, batch.region):
        raise Refused(Refusal.NOT_FOUND)
    return batch


def _batch_in(request: web.Request) -> DisbursementId:
    return DisbursementId(id_in_path(request, "id", IdKind.DISBURSEMENT))


async def _view(source: Source, batch: Batch) -> DisbursementView:
    return disbursement_view(batch, (await load_funds(source, [batch.id]))[batch.id])
