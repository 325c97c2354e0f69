"""Where HTTP ends: every request is authenticated, every outcome becomes an answer, nothing escapes."""

import asyncio
import base64
import hashlib
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

import msgspec
import structlog
from aiohttp import web
from multidict import CIMultiDictProxy

from engine.codes.http_signature import (
    CoveredRequest,
    ParsedSignature,
    check_content_digest,
    check_digest,
    judge_signature,
    parse_idempotency_key,
    parse_signature,
)
from engine.core.channel_risk import FAULTY_STATUSES
from engine.core.channels import Product
from engine.core.ids import CallerId, IdKind
from engine.core.refusals import Refusal
from engine.ledger.queue import Overloaded
from engine.ledger.router import KeyInProgress
from engine.store.faults import Fault
from engine.web.body import Refused
from engine.web.callers import Caller
from engine.web.channel_admission import admit_channel
from engine.web.node import NODE, Node
from engine.web.problems import (
    PROBLEMS,
    FieldError,
    ProblemDocument,
    prefers_chinese,
    problem_document,
)
from engine.web.render import encode_json

BODY_BYTES_MAX: Final = 256 * 1024
READS_RETRY_AFTER_S: Final = 1
UPLOAD_PAUSE_S_MAX: Final = 30.0
BODY_S_MAX: Final = 15.0  # a body that trickles in holds memory for somebody who has not shown who he is


class RouteProduct(msgspec.Struct, frozen=True):
    """What a channel that calls a route must have been granted, here and where the request turns out to be about."""

    product: Product
    is_money: bool


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
CALLER: Final = web.RequestKey("caller", Caller)
ROUTE_PRODUCT: Final = web.RequestKey("route_product", RouteProduct)
CLAIMED: Final = web.RequestKey("claimed", Caller)  # whose key the request names, whoever has signed it
SIGNED_S: Final = web.RequestKey("signed_s", int)  # when the caller says that it has signed
BODY: Final = web.RequestKey("body", bytes)
UPLOAD: Final = web.RequestKey("upload", AsyncIterator[bytes])  # a body that is read as it comes; see `signed_upload`
TRACE_ID: Final = web.RequestKey("trace_id", str)
TRACEPARENT: Final = web.RequestKey("traceparent", str)  # of the answer
ARRIVED_S: Final = web.RequestKey("arrived_s", float)  # business time, unix seconds

# W3C Trace Context, section 3.2.2: no id is all zeroes.
_TRACEPARENT: Final = re.compile(r"00-((?!0{32})[0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")

log = structlog.get_logger("engine.web")


def signed(
    handler: Handler, *, is_money: bool = False, product: Product | None = None, is_before_live: bool = False
) -> Handler:
    """A handler that only a known caller's signed request reaches.

    A money command does not wait for what other processes know of its nonce: its signature covers its idempotency key,
    so a replay can only repeat its answer.
    """

    async def checked(request: web.Request) -> web.StreamResponse:
        await authenticate(request, request.app[NODE], is_money=is_money)
        await _admit_channel(request, is_money=is_money, product=product, is_before_live=is_before_live)
        return await handler(request)

    return checked


async def authenticate(request: web.Request, node: Node, *, is_money: bool) -> None:
    """Verify the signature, its age, the body's digest and the nonce, in that order; keep caller and body.

    Raises:
        Refused: the first of these that fails.
        HTTPException: the body cannot be read.
    """
    digest = _joined(request.headers, "Content-Digest")
    body = await _read_whole(request) if request.body_exists else b""
    parsed, caller = await _signer(request, node, digest)
    refusal = check_content_digest(digest, body)
    if refusal is not None:
        raise Refused(refusal)
    await _admit(request, node, parsed, caller, is_money=is_money)
    request[BODY] = body


async def _signer(request: web.Request, node: Node, digest: str | None) -> tuple[ParsedSignature, Caller]:
    """Whose signature the request bears.

    Raises:
        Refused: nobody's, or one that is wrong or too old.
    """
    headers = request.headers
    covered = CoveredRequest(
        method=request.method,
        target=request.raw_path,
        content_digest=digest,
        idempotency_key=_joined(headers, "Idempotency-Key"),
    )
    parsed = parse_signature(covered, _joined(headers, "Signature-Input"), _joined(headers, "Signature"))
    if isinstance(parsed, Refusal):
        raise Refused(parsed)
    caller = node.callers.at_hand(parsed.keyid) or await node.callers.find(parsed.keyid)
    if caller is not None:
        request[CLAIMED] = caller
    refusal = judge_signature(parsed, caller.key if caller is not None else None, now_s=node.clock.wall_s())
    if refusal is not None or caller is None:
        raise Refused(refusal or Refusal.SIGNATURE_KEY_UNKNOWN)
    return parsed, caller


async def _admit(
    request: web.Request, node: Node, parsed: ParsedSignature, caller: Caller, *, is_money: bool = False
) -> None:
    """Let the signer in, once with this nonce.

    Raises:
        Refused: a replay, a caller that is suspended, or one that reads too much.
    """
    if not node.nonces.is_fresh_here(parsed.keyid, parsed.nonce, now_s=node.clock.wall_s()):
        raise Refused(Refusal.REQUEST_REPLAYED)
    if request.method == "GET" and not await node.read_limits.admit(caller.id, now_s=node.clock.steady_s()):
        raise Refused(Refusal.TOO_MANY_ATTEMPTS, retry_after_s=READS_RETRY_AFTER_S)
    if is_money:
        node.nonces.tell(parsed.keyid, parsed.nonce)
    elif not await node.nonces.is_fresh_anywhere(parsed.keyid, parsed.nonce):
        raise Refused(Refusal.REQUEST_REPLAYED)
    if caller.is_suspended:
        raise Refused(Refusal.CALLER_SUSPENDED)
    request[CALLER] = caller
    request[SIGNED_S] = parsed.created


async def _admit_channel(
    request: web.Request, *, product: Product | None, is_before_live: bool, is_money: bool = False
) -> None:
    """Let a channel go on to what it asks for; of all others their routes judge that.

    Raises:
        Refused: it may not have it.
        Fault: the database cannot answer.
    """
    caller = request[CALLER]
    if caller.kind is IdKind.CHANNEL:
        if product is not None:
            request[ROUTE_PRODUCT] = RouteProduct(product, is_money)
        await admit_channel(
            request.app[NODE],
            caller.id,
            request.remote,
            product=product,
            is_money=is_money,
            is_before_live=is_before_live,
        )


def _count_channel(request: web.Request, node: Node, status: int) -> None:
    """Count what a channel did, or what was done under the name of its key."""
    claimed = request.get(CLAIMED)
    if claimed is not None and claimed.kind is IdKind.CHANNEL:
        node.channels.count(
            claimed.id, now_s=node.clock.wall_s(), is_signed=CALLER in request, is_error=status in FAULTY_STATUSES
        )


def signed_upload(handler: Handler, *, product: Product | None = None) -> Handler:
    """A handler that only a known caller's signed request reaches, and that reads the body from `UPLOAD` as it comes.

    Signature, age, nonce and caller are judged before the first byte of the body, its digest after the last one: what
    was read may only count once the reading has come to its end.
    """

    async def arriving(request: web.Request, digest: str) -> AsyncIterator[bytes]:
        found = hashlib.sha256()
        while not request.content.at_eof():
            try:
                async with asyncio.timeout(UPLOAD_PAUSE_S_MAX):
                    piece = await request.content.readany()
            except TimeoutError:
                raise web.HTTPRequestTimeout from None
            found.update(piece)
            yield piece
        if check_digest(digest, f"sha-256=:{base64.b64encode(found.digest()).decode()}:") is not None:
            raise Refused(Refusal.CONTENT_DIGEST_MISMATCH)

    async def checked(request: web.Request) -> web.StreamResponse:
        node = request.app[NODE]
        if "Content-Encoding" in request.headers:
            raise web.HTTPUnsupportedMediaType(headers={"Accept-Encoding": "identity"})
        digest = _joined(request.headers, "Content-Digest")
        parsed, caller = await _signer(request, node, digest)
        if digest is None:
            raise Refused(Refusal.CONTENT_DIGEST_MISMATCH)
        await _admit(request, node, parsed, caller)
        await _admit_channel(request, product=product, is_before_live=False)
        request[UPLOAD] = arriving(request, digest)
        return await handler(request)

    return checked


def caller_id(request: web.Request) -> CallerId:
    """Whose request this is."""
    return request[CALLER].id


def idempotency_key(request: web.Request) -> str:
    """The request's idempotency key.

    Raises:
        Refused: there is none, or it is not one.
    """
    key = parse_idempotency_key(_joined(request.headers, "Idempotency-Key"))
    if isinstance(key, Refusal):
        errors = (FieldError("/idempotency-key", "1 to 128 printable ASCII characters"),)
        raise Refused(key, errors if key is Refusal.FIELD_INVALID else ())
    return key


def bounded(handler: Handler, *, route: str) -> Handler:
    """A handler whose every outcome is an answer. *route* names it in the metrics.

    Around each handler rather than a middleware around all: the router's own layers cost more than this one.
    """

    async def answered(request: web.Request) -> web.StreamResponse:
        return await _answer(request, handler, route)

    return answered


async def _answer(request: web.Request, handler: Handler, route: str) -> web.StreamResponse:
    """Turn every outcome into an answer: a response, a refusal, a fault or a bug, and log it once."""
    node = request.app[NODE]
    started = time.perf_counter()
    request[ARRIVED_S] = node.clock.business_s()
    traceparent = request.headers.get("traceparent")
    match = _TRACEPARENT.fullmatch(traceparent) if traceparent is not None else None
    trace_id = match[1] if match is not None else node.ids.trace_id()
    request[TRACE_ID] = trace_id
    request[TRACEPARENT] = f"00-{trace_id}-{node.ids.span_id()}-01"
    try:
        response = await handler(request)
    except Refused as refused:
        response = problem_response(request, refused.refusal, errors=refused.errors)
        if refused.retry_after_s is not None:
            response.headers["Retry-After"] = str(refused.retry_after_s)
    except Overloaded:
        response = problem_response(request, Refusal.OVERLOADED)
    except KeyInProgress:
        response = problem_response(request, Refusal.IDEMPOTENCY_KEY_IN_PROGRESS)
    except Fault as fault:
        log.error("request.store_unavailable", path=request.path, trace_id=request[TRACE_ID], fault=str(fault))
        response = problem_response(request, Refusal.STORE_UNAVAILABLE)
    except web.HTTPException as error:
        response = _http_problem(request, error)
    except asyncio.CancelledError:
        raise  # the client has gone; what it asked for goes on in its lane
    except Exception as error:
        if isinstance(error, ConnectionError) and _has_gone(request):
            raise  # in the middle of what it sent or was sent; nobody is left to answer
        log.exception("request.failed", path=request.path, trace_id=request[TRACE_ID])
        response = _bug_response(request)
    if not response.prepared:
        response.headers["traceparent"] = request[TRACEPARENT]
    _count_channel(request, node, response.status)
    node.metrics.observe_request(route, response.status, time.perf_counter() - started)
    return response


def problem_response(request: web.Request, refusal: Refusal, *, errors: tuple[FieldError, ...] = ()) -> web.Response:
    """The answer of a request that is refused at the edge."""
    document = problem_document(
        refusal,
        instance=request.path,
        trace_id=request[TRACE_ID],
        in_chinese=prefers_chinese(request.headers.get("Accept-Language")),
        errors=errors,
    )
    return document_response(refusal, document)


def document_response(refusal: Refusal, document: ProblemDocument) -> web.Response:
    """A problem document as a response, with the headers that go with it."""
    response = web.Response(status=document.status, body=encode_json(document), content_type="application/problem+json")
    retry_after_s = PROBLEMS[refusal].retry_after_s
    if retry_after_s is not None:
        response.headers["Retry-After"] = str(retry_after_s)
    if document.status == 401:
        response.headers["WWW-Authenticate"] = "Signature"
    log.info("request.refused", refusal=refusal.slug, path=document.instance, trace_id=document.trace_id)
    return response


async def _read_whole(request: web.Request) -> bytes:
    """The body, as its digest is over it: no coding is undone on the way.

    Raises:
        HTTPException: it is coded, too large, or does not come to its end.
        ConnectionError: the client went away before it had sent all of it.
    """
    if "Content-Encoding" in request.headers:
        raise web.HTTPUnsupportedMediaType(headers={"Accept-Encoding": "identity"})
    try:
        if request.content.is_eof():  # nearly always: a small body comes with its headers
            return await request.read()
        async with asyncio.timeout(BODY_S_MAX):
            return await request.read()
    except TimeoutError:
        raise web.HTTPRequestTimeout from None


def _has_gone(request: web.Request) -> bool:
    transport = request.transport
    return transport is None or transport.is_closing()


def _joined(headers: CIMultiDictProxy[str], name: str) -> str | None:
    """A header's whole value: several lines are one list (RFC 9110, section 5.2)."""
    lines = headers.getall(name, None)
    if lines is None:
        return None
    return lines[0] if len(lines) == 1 else ", ".join(lines)


def _http_problem(request: web.Request, error: web.HTTPException) -> web.StreamResponse:
    """What aiohttp itself refuses: no such path, no such method, a body that cannot be read."""
    if error.status < 400:
        return error
    if error.status == 413:
        return problem_response(request, Refusal.BODY_TOO_LARGE)
    if error.status == 404:
        return problem_response(request, Refusal.NOT_FOUND)
    document = ProblemDocument(
        type="about:blank",
        title=error.reason,
        status=error.status,
        detail=error.reason,
        instance=request.path,
        code="method-not-allowed" if error.status == 405 else "bad-request",
        trace_id=request[TRACE_ID],
        retryable=False,
    )
    hints = {name: error.headers[name] for name in ("Allow", "Accept-Encoding") if name in error.headers}
    return web.Response(
        status=error.status,
        body=encode_json(document),
        content_type="application/problem+json",
        headers=hints,
    )


def _bug_response(request: web.Request) -> web.Response:
    document = ProblemDocument(
        type="about:blank",
        title="Internal error",
        status=500,
        detail="Repeat the same request with the same key; if it fails again, tell the operator the trace id.",
        instance=request.path,
        code="internal-error",
        trace_id=request[TRACE_ID],
        retryable=True,
    )
    return web.Response(status=500, body=encode_json(document), content_type="application/problem+json")
