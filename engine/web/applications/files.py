"""Files of applications over HTTP: sent as they are, fetched by their hash."""

from collections.abc import AsyncIterator

from aiohttp import web

from engine.core.applications import Attachment
from engine.core.ids import IdKind, id_text
from engine.core.refusals import Refusal
from engine.flows.answer_once import Done, NotDone
from engine.flows.applications.course import card_of
from engine.store.applications_attachments import load_attachments
from engine.store.connection import AnyConnection
from engine.web.applications.callers import box_of, note_look, own_application, seen_application
from engine.web.applications.wire import attachment_view
from engine.web.body import Refused
from engine.web.boundary import CALLER, TRACEPARENT, UPLOAD, idempotency_key
from engine.web.card_callers import now_of
from engine.web.doing_once import once, refused_by
from engine.web.lists import no_parameters
from engine.web.node import NODE
from engine.web.operator_requests import done_response
from engine.web.render import encode_json


async def post_attachment(request: web.Request) -> web.Response:
    """`POST /v1/applications/{id}/attachments`: send a file, of a draft or of one that more is asked for."""
    no_parameters(request)
    idempotency_key(request)
    seen, card = await own_application(request)
    box, now = box_of(request), await now_of(request)
    received = await box.receive(seen, card, request[UPLOAD])
    if isinstance(received, NotDone):
        raise refused_by(received)

    async def work(connection: AnyConnection) -> Done | NotDone:
        kept = await box.keep(connection, seen, received, now=now)
        return kept if isinstance(kept, NotDone) else Done(201, encode_json(attachment_view(kept)))

    facts = {"id": id_text(seen.id), "sha256": received.sha256.hex()}
    try:
        return done_response(await once(request, "attach_file", facts, work))
    finally:
        await box.drop(received)  # does nothing to one that was kept


async def get_attachment(request: web.Request) -> web.StreamResponse:
    """`GET /v1/applications/{id}/attachments/{digest}`: a file, byte by byte as it was sent."""
    no_parameters(request)
    seen = await seen_application(request)
    if request[CALLER].kind is IdKind.OPERATOR:
        raise Refused(Refusal.NOT_FOUND)
    attachments = await load_attachments(request.app[NODE].pool, seen.id)
    found = next((one for one in attachments if one.sha256.hex() == request.match_info["digest"]), None)
    if found is None:
        raise Refused(Refusal.NOT_FOUND)
    await note_look(request, seen, "applications.attachment")
    pieces = box_of(request).content(found, await card_of(request.app[NODE].pool, seen))
    first = await anext(pieces, b"")
    if not first:
        raise Refused(Refusal.NOT_FOUND)  # the person's data were erased
    return await _sent(request, found, first, pieces)


async def _sent(
    request: web.Request, attachment: Attachment, first: bytes, rest: AsyncIterator[bytes]
) -> web.StreamResponse:
    """The file on its way. What it is was judged by its first bytes only: no browser is to guess anything else."""
    response = web.StreamResponse(
        headers={
            "Content-Type": attachment.media_type,
            "Content-Disposition": "attachment",
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store",
            "traceparent": request[TRACEPARENT],
        }
    )
    response.content_length = attachment.size
    await response.prepare(request)
    await response.write(first)
    async for piece in rest:
        await response.write(piece)
    await response.write_eof()
    return response
