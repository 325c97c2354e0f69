"""Tickets of gates without a network over HTTP: brought in as lines, answered line by line."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import IO, Final

from aiohttp import web

from engine.codes.ride_ticket import LINE_BYTES_MAX
from engine.core.ids import MerchantId
from engine.core.refusals import Refusal
from engine.flows.take_tickets import TicketDesk, take_tickets
from engine.web.body import Refused
from engine.web.boundary import ARRIVED_S, TRACE_ID, TRACEPARENT, UPLOAD, idempotency_key
from engine.web.lists import no_parameters
from engine.web.node import NODE
from engine.web.payments import merchant_of
from engine.web.render import encode_json
from engine.web.wire_bulk import ticket_line_view

LINES_MAX: Final = 50_000
BYTES_MAX: Final = LINES_MAX * (LINE_BYTES_MAX + 1)
NDJSON: Final = "application/x-ndjson"
_IN_MEMORY_BYTES: Final = 1 << 20


async def post_bulk(request: web.Request) -> web.StreamResponse:
    """`POST /v1/payments/bulk`: take the tickets of gates, and tell of each line what became of it.

    The body is kept in a file until its digest is known to be right, for what is read counts only then; so an upload
    that is cut off has no effect.
    """
    merchant = merchant_of(request)
    no_parameters(request)
    idempotency_key(request)
    node = request.app[NODE]
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES) as lines:
        await _keep(request[UPLOAD], lines)
        desk = TicketDesk(
            pool=node.pool,
            ledger=node.ledger,
            ids=node.ids,
            wrong_codes=node.wrong_codes,
            device_master=node.keyring.device_master,
            merchant=MerchantId(merchant),
            trace_id=request[TRACE_ID],
            now_s=request[ARRIVED_S],
            steady_s=node.clock.steady_s(),
        )
        response = web.StreamResponse(headers={"Content-Type": NDJSON, "traceparent": request[TRACEPARENT]})
        await response.prepare(request)
        await _answer(request, response, desk, lines)
    return response


async def _keep(body: AsyncIterator[bytes], lines: IO[bytes]) -> None:
    """Keep a body, to be read from its start.

    Raises:
        Refused: it is too large, has too many lines, or is not what was signed.
    """
    size = ends = 0
    is_ended = True
    async for piece in body:
        size += len(piece)
        ends += piece.count(b"\n")
        is_ended = piece.endswith(b"\n") if piece else is_ended
        if size > BYTES_MAX or ends + (not is_ended) > LINES_MAX:
            raise Refused(Refusal.BODY_TOO_LARGE)
        await asyncio.to_thread(lines.write, piece)
    lines.seek(0)


async def _answer(request: web.Request, response: web.StreamResponse, desk: TicketDesk, lines: IO[bytes]) -> None:
    """Send an answer for every line, or cut the connection: once they have begun, nothing else can tell that they are
    not whole.
    """
    is_whole = False
    try:
        async with aclosing(take_tickets(desk, lines)) as taken:
            async for answers in taken:
                await response.write(b"".join(encode_json(ticket_line_view(answer)) + b"\n" for answer in answers))
        await response.write_eof()
        is_whole = True
    finally:
        if not is_whole and request.transport is not None:
            request.transport.abort()
