"""The page of an order: whoever has its link sees what is to be paid, and may pay it by the code of a phone.

The link's token is all that is asked for, so no answer here is kept by anybody, and no path is written to the log.
"""

import asyncio
import functools
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qs, urlencode, urlsplit

import structlog
from aiohttp import web

from engine.codes.order_code import read_token, token_text
from engine.core.orders import OrderStatus
from engine.core.refusals import Refusal
from engine.flows.authorize_payment import presented_code
from engine.flows.pay_order import pay_by_code
from engine.ledger.queue import Overloaded
from engine.ledger.router import KeyInProgress
from engine.store.faults import Fault
from engine.store.orders import OrderSeen, load_order_by_token, load_order_merchant
from engine.store.participants import load_clocks
from engine.web.boundary import ARRIVED_S, BODY_S_MAX, TRACE_ID
from engine.web.cashier_html import PageOrder, missing_page, order_page
from engine.web.docs import STATIC, Language, language_of
from engine.web.judged_payments import submit_judged
from engine.web.node import NODE, Node
from engine.web.orders import status_now
from engine.web.payments import json_response
from engine.web.problems import refusal_of
from engine.web.render import encode_json
from engine.web.waiting import has_gone

STATUS_WAIT_S: Final = 25.0
FORM_BYTES_MAX: Final = 4_096
FORM_FIELDS_MAX: Final = 8
CODE_CHARS_MAX: Final = 1_024
FILES: Final[Mapping[str, str]] = {"cashier.css": "text/css", "cashier.js": "text/javascript"}
"""Content types by name. No other name reaches the disk."""

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Referrer-Policy": "same-origin",  # the link is a secret, and yet the form's request has to say where it is from
    "Vary": "Accept-Language",
    "X-Content-Type-Options": "nosniff",
}
_FORM: Final = "application/x-www-form-urlencoded"

log = structlog.get_logger("engine.web")


async def get_page(request: web.Request) -> web.Response:
    """`GET /q/o/{token}`: what is to be paid, or what has become of it, in the reader's language."""
    node = request.app[NODE]
    language = language_of(request)
    seen = await _order_in(request)
    if seen is None:
        return _page(missing_page(language), status=404)
    merchant = await load_order_merchant(node.pool, seen.order.merchant, terminal_id="")
    assert merchant is not None, "merchants are never deleted"
    shown = PageOrder(
        seen=seen,
        merchant=merchant,
        now=(await load_clocks(node.pool)).business,
        refusal=refusal_of(request.query.get("refused", "")),
    )
    return _page(order_page(shown, language))


async def get_status(request: web.Request) -> web.Response:
    """`GET /q/o/{token}/status`: where the order stands; asked while it is open, the answer waits until it is not."""
    node = request.app[NODE]
    seen = await _order_in(request)
    if seen is None:
        return _status("unknown", status=404)
    status = await status_now(node, seen)
    if status is OrderStatus.OPEN:
        try:
            await node.payment_watch.wait(seen.order.id, STATUS_WAIT_S, is_gone=lambda: has_gone(request))
        except Overloaded:
            return _status("unknown", status=503)
        seen = await _order_in(request)
        assert seen is not None, "orders are never deleted"
        status = await status_now(node, seen)
    return _status(status.value)


async def post_pay(request: web.Request) -> web.Response:
    """`POST /q/o/{token}/pay`: pay by the code of a phone, and show the page again with what came of it."""
    node = request.app[NODE]
    seen = await _order_in(request)
    if seen is None:
        return _page(missing_page(language_of(request)), status=404)
    if not _is_from_the_page(request):
        return _page(missing_page(language_of(request)), status=403)
    fields = await _form(request)
    amount, code = fields.get("amount", ""), "".join(fields.get("pay_code", "").split())
    if not (amount.isascii() and amount.isdigit() and len(amount) <= 11 and 0 < len(code) <= CODE_CHARS_MAX):
        return _back(request, seen, Refusal.PAY_CODE_MALFORMED)
    address = request.remote or ""
    if not node.page_attempts.may_try(seen.order.token, address, now_s=node.clock.steady_s()):
        return _back(request, seen, Refusal.TOO_MANY_ATTEMPTS)
    return _back(request, seen, await _pay(request, node, seen, code, amount=int(amount)))


async def get_file(request: web.Request) -> web.Response:
    """`GET /q/{file}`: what the page is made of."""
    name = request.match_info["file"]
    if name not in FILES:
        raise web.HTTPNotFound
    return web.Response(
        body=await asyncio.to_thread(_file, name),
        content_type=FILES[name],
        charset="utf-8",
        headers={**_HEADERS, "Cache-Control": "max-age=300", "Vary": "Accept-Encoding"},
    )


async def _pay(request: web.Request, node: Node, seen: OrderSeen, code: str, *, amount: int) -> Refusal | None:
    """Why the order is not paid by this code; None if it is, or will be once the cardholder has confirmed it."""
    command = pay_by_code(
        seen.order,
        presented_code(code, device_master=node.keyring.device_master, arrived_s=request[ARRIVED_S]),
        amount=amount,
        trace_id=request[TRACE_ID],
        ids=node.ids,
    )
    try:
        outcome = await submit_judged(node, command, business_s=request[ARRIVED_S])
    except (Overloaded, KeyInProgress):
        return Refusal.OVERLOADED
    except Fault as fault:
        log.error("page.store_unavailable", trace_id=request[TRACE_ID], fault=str(fault))
        return Refusal.STORE_UNAVAILABLE
    node.payment_watch.announce(seen.order.id)
    return Refusal(outcome.answer.refusal) if outcome.answer.refusal is not None else None


async def _order_in(request: web.Request) -> OrderSeen | None:
    """The order that the path names."""
    token = read_token(request.match_info["token"])
    return await load_order_by_token(request.app[NODE].pool, token) if token is not None else None


async def _form(request: web.Request) -> dict[str, str]:
    """The fields of the page's form, the first of each name.

    Raises:
        HTTPException: it is no such form, or does not come to its end.
    """
    if request.content_type != _FORM or "Content-Encoding" in request.headers:
        raise web.HTTPUnsupportedMediaType
    if request.content_length is None or request.content_length > FORM_BYTES_MAX:
        raise web.HTTPRequestEntityTooLarge(max_size=FORM_BYTES_MAX, actual_size=request.content_length or 0)
    try:
        async with asyncio.timeout(BODY_S_MAX):
            body = await request.read()
    except TimeoutError:
        raise web.HTTPRequestTimeout from None
    try:
        fields = parse_qs(body.decode("utf-8", "replace"), max_num_fields=FORM_FIELDS_MAX)
    except ValueError:  # there are more
        raise web.HTTPBadRequest from None
    return {name: values[0] for name, values in fields.items()}


def _is_from_the_page(request: web.Request) -> bool:
    """True unless a browser says that another site has sent the form.

    Nothing but the token is asked for, and a site that has it needs nobody else's browser; this keeps anyone from
    having others try codes for him, each from an address of their own.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("Origin")
    if origin is None:
        return True
    # A proxy in front may pass on a Host of its own.
    return urlsplit(origin).netloc in (request.host, urlsplit(request.app[NODE].public_url).netloc or request.host)


def _back(request: web.Request, seen: OrderSeen, refusal: Refusal | None) -> web.Response:
    """To the page, from a place where reloading does nothing again."""
    language: Language = language_of(request)
    said = {"lang": language} | ({"refused": refusal.slug} if refusal is not None else {})
    where = f"../{token_text(seen.order.token)}?{urlencode(said)}"
    return web.Response(status=303, headers={**_HEADERS, "Location": where})


def _page(page: str, *, status: int = 200) -> web.Response:
    return web.Response(status=status, text=page, content_type="text/html", headers=_HEADERS)


def _status(said: str, *, status: int = 200) -> web.Response:
    response = json_response(encode_json({"status": said}), status=status)
    response.headers["Cache-Control"] = "no-store"
    return response


@functools.cache
def _file(name: str) -> bytes:
    return (STATIC / name).read_bytes()
