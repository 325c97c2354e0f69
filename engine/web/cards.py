"""Cards over HTTP: the loss report and its end, and in the sandbox the code that a phone would show."""

from collections.abc import Callable
from typing import Final

from aiohttp import web

from engine.codes.consumer_qr import encode_consumer_qr
from engine.codes.pay_code import REFRESH_MAX, device_key, pay_code_at, step_at
from engine.codes.render import code128_png, code128_svg, qr_png, qr_svg
from engine.codes.signed_code import issue_signed_code, scenes_of
from engine.core.answers import Answer
from engine.core.commands import Reinstate, ReportLoss
from engine.core.ids import CardId, IdKind, region_of
from engine.core.participants import Right, covers
from engine.core.refusals import Refusal
from engine.core.scenarios import SCENARIOS
from engine.store.bills import load_agency
from engine.store.gates import closed_scenarios
from engine.store.participants import load_operator
from engine.web.body import Refused, read_body, refuse_field
from engine.web.boundary import ARRIVED_S, BODY, CALLER, TRACE_ID, caller_id, idempotency_key
from engine.web.issued_cards import issued_card
from engine.web.lists import no_parameters, parameters
from engine.web.node import NODE
from engine.web.paths import id_in_path
from engine.web.payments import respond
from engine.web.render import card_view, encode_json
from engine.web.wire import NothingRequest

_RENDERERS: Final[dict[tuple[str, str], Callable[[str], bytes]]] = {
    ("qr", "svg"): qr_svg,
    ("qr", "png"): qr_png,
    ("code128", "svg"): code128_svg,
    ("code128", "png"): code128_png,
}
_CONTENT_TYPES: Final = {"svg": "image/svg+xml", "png": "image/png"}
_OFFLINE_SCENES: Final = scenes_of(scenario.number for scenario in SCENARIOS if scenario.is_offline)


async def post_loss_report(request: web.Request) -> web.Response:
    """`POST /v1/cards/{id}/loss-report`: once this is answered, no authorization can use the card."""
    return await _change_status(request, ReportLoss, Right.STOP)


async def post_reinstate(request: web.Request) -> web.Response:
    """`POST /v1/cards/{id}/reinstate`."""
    return await _change_status(request, Reinstate, Right.REQUEST)


async def get_pay_code(request: web.Request) -> web.Response:
    """`GET /v1/cards/{id}/pay-code.svg|png?as=qr|code128`: what the cardholder's phone would show. Sandbox only.

    With ``signed=true`` it is a code that a gate can check without a network, which only a QR code has room for.
    """
    node = request.app[NODE]
    given = parameters(request, ("as", "signed"))
    shape = given.get("as", "qr")
    extension = request.match_info["extension"]
    render = _RENDERERS.get((shape, extension))
    if render is None:
        raise refuse_field("/as", "qr or code128")
    is_signed = _is_signed(given.get("signed"), shape)
    card = card_in(request)
    device = await node.reads.device_of(card)
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
    if is_signed:
        closed = await closed_scenarios(node.pool, card)
        text = issue_signed_code(
            code, key_id, issued_s=int(now_s), scenes=_OFFLINE_SCENES & ~closed, key=node.signing_keys[0]
        )
    else:
        text = encode_consumer_qr(code, key_id) if shape == "qr" else code
    return web.Response(
        body=render(text),
        content_type=_CONTENT_TYPES[extension],
        headers={"Cache-Control": "no-store"},
    )


def _is_signed(given: str | None, shape: str) -> bool:
    if given not in (None, "true", "false"):
        raise refuse_field("/signed", "true or false")
    if given == "true" and shape != "qr":
        raise refuse_field("/signed", "a signature fits into a QR code only")
    return given == "true"


def card_in(request: web.Request) -> CardId:
    """The card that the path names. A malformed id names none."""
    return CardId(id_in_path(request, "id", IdKind.CARD))


async def _change_status(request: web.Request, kind: type[ReportLoss] | type[Reinstate], right: Right) -> web.Response:
    card = card_in(request)
    no_parameters(request)
    read_body(request[BODY] or b"{}", NothingRequest)
    key = idempotency_key(request)
    await _refuse_if_not_in_charge(request, card, right)
    command = kind(caller=caller_id(request), key=key, trace_id=request[TRACE_ID], card=card)
    outcome = await request.app[NODE].ledger.submit(command)
    return respond(request, outcome, card_body)


async def _refuse_if_not_in_charge(request: web.Request, card: CardId, right: Right) -> None:
    """A channel stops and lets go on what it has issued; agencies and operators the cards of their regions."""
    pool, caller = request.app[NODE].pool, caller_id(request)
    match request[CALLER].kind:
        case IdKind.CHANNEL:
            await issued_card(request, card)
        case IdKind.AGENCY:
            agency = await load_agency(pool, caller)
            if agency is None:
                raise Refused(Refusal.SCOPE_NOT_AUTHORIZED)
            if not covers(agency.region, region_of(card)):
                raise Refused(Refusal.REGION_NOT_PERMITTED)
        case IdKind.OPERATOR:
            operator = await load_operator(pool, caller)
            if operator is None or not operator.may(right, operator.region):
                raise Refused(Refusal.SCOPE_NOT_AUTHORIZED)
            if not operator.may(right, region_of(card)):
                raise Refused(Refusal.REGION_NOT_PERMITTED)
        case _:
            raise Refused(Refusal.NOT_FOUND)


def card_body(answer: Answer) -> bytes:
    """The state of the card that an answer is about."""
    assert answer.card is not None
    return encode_json(card_view(answer.card))
