"""What banks give back, and say of their files, over HTTP."""

from collections.abc import AsyncIterator
from typing import Final

from aiohttp import web

from engine.core.bank_lines import WHOLE_FILE, AckStatus, UploadKind
from engine.core.clearing_lines import ClearingFile
from engine.core.ids import BankId, IdKind, region_of
from engine.core.refusals import Refusal
from engine.core.returns import ClaimFault
from engine.flows.post_returns import LOCK_WAIT_S
from engine.flows.take_acknowledgement import (
    AcknowledgementUploads,
    Judged,
    Misjudged,
    RejectedLine,
    Said,
    judge_acknowledgement,
    keep_acknowledgement,
)
from engine.store.clearing_reads import ClearingReads
from engine.store.connection import AnyConnection
from engine.store.faults import translated
from engine.store.returns import BatchRow, ReturnsSession, open_returns
from engine.web.banks import bank_of_request
from engine.web.body import Refused, read_body
from engine.web.boundary import UPLOAD, idempotency_key
from engine.web.node import NODE, Node
from engine.web.payments import json_response
from engine.web.problems import FieldError
from engine.web.render import encode_json
from engine.web.uploads import received
from engine.web.wire_returns import AcknowledgementRequest, AcknowledgementView, return_receipt_view

JSON_BYTES_MAX: Final = 8 * 1024 * 1024


async def post_returns(request: web.Request) -> web.Response:
    """`POST /v1/clearing/returns`: items that a bank could not book; posted by the time of the answer."""
    receipt = await received(request, UploadKind.RETURN)
    response = json_response(encode_json(return_receipt_view(receipt.upload)), status=201)
    if receipt.is_replay:
        response.headers["Idempotent-Replayed"] = "true"
    return response


async def post_acknowledgement(request: web.Request) -> web.Response:
    """`POST /v1/clearing/files/{name}/acknowledgement`: what a bank says of a file, as JSON or as a file of its own."""
    bank = bank_of_request(request)
    node = request.app[NODE]
    name = request.match_info["name"]
    if await ClearingReads(node.pool).file(bank, name) is None:
        raise Refused(Refusal.NOT_FOUND)
    pieces: AsyncIterator[bytes] = request[UPLOAD]
    first = await anext(pieces, b"")
    request[UPLOAD] = _with_first(first, pieces)
    if first.lstrip()[:1] == b"{":  # by its content, as files are: what says that it is JSON is not signed
        is_replay = await _acknowledged(request, bank, name)
    else:
        handlers = {**node.uploads, UploadKind.ACK: AcknowledgementUploads(node.clearing.returns, name=name)}
        is_replay = (await received(request, UploadKind.ACK, handlers=handlers)).is_replay
    file = await ClearingReads(node.pool).file(bank, name)
    assert file is not None, "files are never deleted"
    response = json_response(encode_json(_view_of(file)))
    if is_replay:
        response.headers["Idempotent-Replayed"] = "true"
    return response


async def _acknowledged(request: web.Request, bank: BankId, name: str) -> bool:
    """Take an acknowledgement in JSON. Returns whether the same was said before: the file itself is the key."""
    idempotency_key(request)
    said = _said_in(read_body(await _body_of(request[UPLOAD]), AcknowledgementRequest))
    node = request.app[NODE]
    desk = node.clearing.returns
    async with open_returns(node.database_url, bank) as session:
        await session.lock(wait_s=LOCK_WAIT_S)
        judged = await judge_acknowledgement(desk, session, name, said)
        if isinstance(judged, Misjudged):
            raise Refused(judged.refusal, tuple(FieldError(_pointer(f), f.reason) for f in judged.faults))
        batch = await _kept(node, session, judged)
        await desk.post(session, batch)
    return judged.earlier is not None


async def _kept(node: Node, session: ReturnsSession, judged: Judged) -> bytes:
    """Keep what was judged, if it is new. Returns the batch of what is given back with it."""
    if judged.earlier is not None:
        return judged.earlier
    batch = BatchRow(
        id=node.ids.new(IdKind.UPLOAD, shard=0, region=region_of(session.bank)),
        bank=session.bank,
        rejected_file=None,
        accepted_at=(await node.reads.business_now()).now,
    )
    connection: AnyConnection = session.connection
    with translated():
        async with connection.transaction():
            await keep_acknowledgement(connection, judged, batch)
    return batch.id


def _said_in(wished: AcknowledgementRequest) -> Said:
    lines = tuple(
        RejectedLine(line=n, seq=reason.line, code=reason.code)
        for n, reason in enumerate(wished.reasons, 1)
        if reason.line != WHOLE_FILE
    )
    status = AckStatus(wished.status)
    return Said(
        status=status,
        count=wished.count,
        total=wished.total,
        reason=next((reason.code for reason in wished.reasons if reason.line == WHOLE_FILE), ""),
        lines=() if status is AckStatus.RJCT else lines,
    )


def _pointer(fault: ClaimFault) -> str:
    return f"/reasons/{fault.line - 1}/{fault.field}" if fault.line else f"/{fault.field}"


async def _with_first(first: bytes, others: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in others:
        yield piece


async def _body_of(pieces: AsyncIterator[bytes]) -> bytes:
    body = bytearray()
    async for piece in pieces:
        body += piece
        if len(body) > JSON_BYTES_MAX:
            raise Refused(Refusal.BODY_TOO_LARGE)
    return bytes(body)


def _view_of(file: ClearingFile) -> AcknowledgementView:
    return AcknowledgementView(name=file.name, status=file.status.value)
