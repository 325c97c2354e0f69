"""A channel's side of a login: its cardholder has scanned a code, sees who asks, and says yes or no."""

from aiohttp import web

from engine.codes.order_code import read_token, token_text
from engine.core.ids import CardId, IdKind, MalformedId, id_text, parse_id
from engine.core.logins import LoginScope, why_not_answered
from engine.core.refusals import Refusal
from engine.flows.answer_once import Done, NotDone
from engine.flows.login.sessions import Scanning, Seen, cancel_login, confirm_login, scan_login
from engine.store.connection import AnyConnection
from engine.store.logins import load_login
from engine.store.participants import load_clocks
from engine.store.persons import RegisteredCard, load_card, load_sign
from engine.web.body import Refused, read_body, refuse_field
from engine.web.boundary import BODY
from engine.web.card_callers import channel_of_request
from engine.web.doing_once import Work, once
from engine.web.lists import no_parameters
from engine.web.login.wire import LoginConfirmationRequest, LoginScanRequest, login_view
from engine.web.node import NODE
from engine.web.operator_requests import done_response
from engine.web.personal_acts import agreed
from engine.web.render import encode_json


async def post_login_scan(request: web.Request) -> web.Response:
    """`POST /v1/identity/logins/{token}/scan`: who asks for what; from now on the code is this card's."""
    scan, _ = await _scanning(request, read_body(request[BODY], LoginScanRequest).card_id)

    async def work(connection: AnyConnection) -> Done | NotDone:
        return _answer(await scan_login(connection, scan))

    return await _answer_once(request, "scan_login", scan, work)


async def post_login_confirmation(request: web.Request) -> web.Response:
    """`POST /v1/identity/logins/{token}/confirm`: the person has seen who asks, and agrees by an act of her own."""
    given = read_body(request[BODY], LoginConfirmationRequest)
    if "openid" not in given.scopes or len(set(given.scopes)) != len(given.scopes):
        raise refuse_field("/scopes", "openid among them, each once")
    scopes = tuple(scope for scope in LoginScope if scope in given.scopes)
    scan, card = await _scanning(request, given.card_id)
    await _refuse_what_cannot_be(request, scan)
    act = await agreed(request, card, given, act="login", bound_to=token_text(scan.token))
    if isinstance(act, web.Response):
        return act
    ids = request.app[NODE].ids

    async def work(connection: AnyConnection) -> Done | NotDone:
        return _answer(await confirm_login(connection, ids, scan, scopes=scopes, act=act))

    return await _answer_once(request, "confirm_login", scan, work, scopes=" ".join(scopes))


async def post_login_cancellation(request: web.Request) -> web.Response:
    """`POST /v1/identity/logins/{token}/cancel`: the person has seen who asks, and says no."""
    scan, _ = await _scanning(request, read_body(request[BODY], LoginScanRequest).card_id)

    async def work(connection: AnyConnection) -> Done | NotDone:
        return _answer(await cancel_login(connection, scan))

    return await _answer_once(request, "cancel_login", scan, work)


async def _scanning(request: web.Request, card_id: str) -> tuple[Scanning, RegisteredCard]:
    """The code of the path and the card that has scanned it.

    Raises:
        Refused: the channel has not issued such a card, or the path names no code.
    """
    channel = channel_of_request(request)
    no_parameters(request)
    token = read_token(request.match_info["token"])
    try:
        card = CardId(parse_id(card_id, IdKind.CARD))
    except MalformedId as error:
        raise refuse_field("/card_id", str(error)) from None
    pool = request.app[NODE].pool
    found = await load_card(pool, card)
    if token is None or found is None or await load_sign(pool, card, channel) is None:
        raise Refused(Refusal.NOT_FOUND)
    return Scanning(token=token, card=card, channel=channel), found


async def _refuse_what_cannot_be(request: web.Request, scan: Scanning) -> None:
    """Refuse before a password is tried: nobody loses a try over a code that is another's or too old.

    One that is used goes on, for its answer may have been lost: then the key finds it.
    """
    pool = request.app[NODE].pool
    login = await load_login(pool, scan.token)
    if login is None:
        raise Refused(Refusal.NOT_FOUND)
    now = (await load_clocks(pool)).business
    refusal = why_not_answered(login, card=scan.card, channel=scan.channel, now=now)
    if refusal is not None and refusal is not Refusal.LOGIN_CODE_USED:
        raise Refused(refusal)


async def _answer_once(request: web.Request, operation: str, scan: Scanning, work: Work, **facts: str) -> web.Response:
    named = {"token": token_text(scan.token), "card_id": id_text(scan.card), **facts}
    return done_response(await once(request, operation, named, work))


def _answer(made: Seen | NotDone) -> Done | NotDone:
    return made if isinstance(made, NotDone) else Done(200, encode_json(login_view(made)))
