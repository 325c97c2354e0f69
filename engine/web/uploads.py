"""What banks send over HTTP: files that are read as they come, and count whole or not at all."""

import re
from typing import Final

from aiohttp import web

from engine.core.bank_lines import UploadKind
from engine.core.refusals import Refusal
from engine.flows.receive_upload import Receipt, Rejected, UploadHandlers, UploadSource, UploadTooLarge, receive_upload
from engine.store.reconciliation import Reconciliations
from engine.web.banks import bank_of_request
from engine.web.body import Refused, refuse_field
from engine.web.boundary import UPLOAD, idempotency_key
from engine.web.lists import date_of, parameters
from engine.web.node import NODE
from engine.web.payments import json_response
from engine.web.problems import FieldError
from engine.web.render import encode_json
from engine.web.wire_reconciliation import receipt_view

_FILE_NAME: Final = re.compile(r"[0-9A-Za-z._-]{1,35}", re.ASCII)


async def post_statement(request: web.Request) -> web.Response:
    """`POST /v1/clearing/statements`: a bank's statement, compared with its files by the time of the answer."""
    receipt = await received(request, UploadKind.STATEMENT)
    reads = Reconciliations(request.app[NODE].pool)
    found = await reads.of_upload(receipt.upload.id)
    assert found is not None, "a statement is accepted together with its reconciliation"
    reconciliation = await reads.load(found)
    assert reconciliation is not None, "reconciliations are never deleted"
    response = json_response(encode_json(receipt_view(receipt.upload, reconciliation)), status=201)
    if receipt.is_replay:
        response.headers["Idempotent-Replayed"] = "true"
    return response


async def received(request: web.Request, kind: UploadKind, *, handlers: UploadHandlers | None = None) -> Receipt:
    """The receipt of the upload that a bank's request brings; the node's *handlers* take it unless others are given.

    Raises:
        Refused: the upload has no effect; the faults are named by line and field.
    """
    bank = bank_of_request(request)
    given = parameters(request, ("business_date", "file_name"))
    file_name = given.get("file_name", "")
    if file_name and not _FILE_NAME.fullmatch(file_name):
        raise refuse_field("/file_name", "1 to 35 of A-Z, a-z, 0-9, dot, _ and -")
    source = UploadSource(
        bank=bank,
        kind=kind,
        name=file_name,
        settled_on=date_of(given.get("business_date")),
        idempotency_key=idempotency_key(request),
    )
    node = request.app[NODE]
    try:
        outcome = await receive_upload(
            node.pool, request[UPLOAD], source, handlers=handlers or node.uploads, ids=node.ids
        )
    except UploadTooLarge:
        raise Refused(Refusal.BODY_TOO_LARGE) from None
    if isinstance(outcome, Rejected):
        raise Refused(outcome.refusal, tuple(FieldError(fault.pointer, fault.reason) for fault in outcome.faults))
    return outcome
