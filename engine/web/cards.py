"""Cards over HTTP: the loss report and its end, and in the sandbox the code that a phone would show."""

from collections.abc import Callable
from typing import Final

from aiohttp import web

from engine.codes.consumer_qr import encode_consumer_qr
from engine.codes.pay_code import REFRESH_MAX, device_key, pay_code_at, step_at
from engine.codes.render import code128_png, code128_svg, qr_png, qr_svg
from engine.core.answers import Answer
from engine.core.commands import Reinstate, ReportLoss
from engine.core.ids import CardId, IdKind, MalformedId, parse_id
from engine.core.refusals import Refusal
from engine.web.body import Refused, read_body, refuse_field
from engine.web.boundary import ARRIVED_S, BODY, CALLER, TRACE_ID, caller_id, idempotency_key
from engine.web.lists import no_parameters, parameters
from engine.web.node import NODE
from engine.web.payments import respond
from engine.web.render import card_view, encode_json
from engine.web.wire import NothingRequest

_MAY_STOP_CARDS: Final = frozenset({IdKind.CHANNEL, IdKind.OPERATOR, IdKind.AGENCY})
_RENDERERS: Final[dict[tuple[str, str], Callable[[str], bytes]]] = {
    ("qr", "svg"): qr_svg,
    ("qr", "png"): qr_png,
    ("code128", "svg"): code128_svg,
    ("code128", "png"): code128_png,
}
_CONTENT_TYPES: Final = {"svg": "image/svg+xml", "png": "image/png"}


async def post_loss_report(request: web.Request) -> web.Response:
    """`POST /v1/cards/{id}/loss-report`: once this is answered, no authorization can use the card."""
    return await _change_status(request, ReportLoss)


async def post_reinstate(request: web.Request) -> web.Response:
    """`POST /v1/cards/{id}/reinstate`."""
    return await _change_status(request, Reinstate)


async def get_pay_code(request: web.Request) -> web.Response:
    """`GET /v1/cards/{id}/pay-code.svg|png?as=qr|code128`: what the cardholder's phone would show. Sandbox only."""
    node = request.app[NODE]
    shape = parameters(request, ("as",)).get("as", "qr")
    extension = request.match_info["extension"]
    render = _RENDERERS.get((shape, extension))
    if render is None:
        raise refuse_field("/as", "qr or code128")
    device = await node.reads.device_of(card_in(request))
    if device is None:
        raise Refused(Refusal.NOT_FOUND)
    device_no, key_id = device
    assert node.sandbox_time is not None, "this path is in the sandbox only"
    now_s = request[ARRIVED_S]
    code = pay_code_at(
        device_key(node.keyring.device_master, key_id, device_no),
        device_no,
        await node.sandbox_time.next_refresh(device_no, step=step_at(now_s), count=REFRESH_MAX + 1),
        now_s,
    )
    text = encode_consumer_qr(code, key_id) if shape == "qr" else code
    return web.Response(
        body=render(text),
        content_type=_CONTENT_TYPES[extension],
        headers={"Cache-Control": "no-store"},
    )


def card_in(request: web.Request) -> CardId:
    """The card that the path names. A malformed id names none."""
    try:
        return CardId(parse_id(request.match_info["id"], IdKind.CARD))
    except MalformedId:
        raise Refused(Refusal.NOT_FOUND) from None


async def _change_status(request: web.Request, kind: type[ReportLoss] | type[Reinstate]) -> web.Response:
    if request[CALLER].kind not in _MAY_STOP_CARDS:
        raise Refused(Refusal.NOT_FOUND)
    no_parameters(request)
    read_body(request[BODY] or b"{}", NothingRequest)
    key = idempotency_key(request)
    command = kind(caller=caller_id(request), key=key, trace_id=request[TRACE_ID], card=card_in(request))
    outcome = await request.app[NODE].ledger.submit(command)
    return respond(request, outcome, _card_body)


def _card_body(answer: Answer) -> bytes:
    assert answer.card is not None
    return encode_json(card_view(answer.card))
