"""Admission over HTTP: gates and counters ask who shows a code, and whether to let them in."""

from datetime import date

from aiohttp import web

from engine.core.admission import SCENES, Scene
from engine.core.audit import Access
from engine.core.commands import PresentedCode
from engine.core.ids import CardId, IdKind
from engine.core.refusals import Refusal
from engine.core.scenarios import BY_NAME
from engine.core.verification import FaceResult
from engine.flows.answer_once import Done, NotDone
from engine.flows.authorize_payment import presented_code
from engine.flows.identity.admit import AdmissionWish, admit, is_granted
from engine.store.admissions import load_place
from engine.store.bills import load_agency
from engine.store.connection import AnyConnection
from engine.store.persons import load_card
from engine.store.quotes import card_of_device
from engine.web.audit.looks import access_of
from engine.web.body import Refused, read_body, refuse_field
from engine.web.boundary import ARRIVED_S, BODY, CALLER, caller_id, idempotency_key
from engine.web.card_callers import now_of, register_of, today_of
from engine.web.guesses import count_guess, refuse_guesser
from engine.web.identity.callers import audit_refusal, compared_face, face_fact, once_audited, purpose_in
from engine.web.identity.wire import AdmissionRequest, admission_view
from engine.web.lists import no_parameters
from engine.web.node import NODE
from engine.web.operator_requests import done_response
from engine.web.render import encode_json


async def post_admission(request: web.Request) -> web.Response:
    """`POST /v1/identity/admissions`: let in whoever shows a code or a card, once a code; nothing is posted."""
    if request[CALLER].kind not in (IdKind.MERCHANT, IdKind.AGENCY):
        raise Refused(Refusal.NOT_FOUND)
    no_parameters(request)
    given = read_body(request[BODY], AdmissionRequest)
    idempotency_key(request)
    purpose = purpose_in(given.purpose)
    if (given.pay_code is None) == (given.card_no is None):
        raise refuse_field("/pay_code", "either a code or a card's number")
    node, register, caller = request.app[NODE], register_of(request), caller_id(request)
    scene = SCENES.get(given.scenario)
    if scene is None:
        raise Refused(Refusal.CODE_SCENE_NOT_ALLOWED)
    refuse_guesser(node, caller, given.terminal_id)
    place = await _place_of(request, scene, given.terminal_id)
    code, card = await _presented(request, given)
    today, now = await today_of(request), await now_of(request)
    access = access_of(request, f"identity.admission.{scene.name}", subject=card, purpose=purpose)
    wish = AdmissionWish(
        caller=caller,
        is_department=request[CALLER].kind is IdKind.AGENCY,
        place=place,
        scene=scene,
        terminal_id=given.terminal_id,
        purpose=purpose,
        code=code,
        card=card,
        face=await _compared(request, given.face, card, access, today) if given.face is not None else None,
    )

    async def work(connection: AnyConnection) -> Done | NotDone:
        admitted = await admit(connection, register, wish, today=today, now=now)
        return admitted if isinstance(admitted, NotDone) else Done(201, encode_json(admission_view(admitted)))

    facts = {
        "code": code.digest if code is not None else None,
        "card": card.hex() if code is None and card is not None else None,
        "scenario": scene.name,
        "terminal_id": given.terminal_id,
        "purpose": purpose,
        "face": face_fact(request, given.face),
    }
    try:
        return done_response(await once_audited(request, "admit", facts, access, work, now=now))
    except Refused as refused:
        field = refused.errors[0].pointer.removeprefix("/") if refused.errors else None
        count_guess(node, caller, given.terminal_id, refused.refusal.value, field)
        raise


async def _place_of(request: web.Request, scene: Scene, terminal_id: str) -> int:
    """The region in which the caller lets people in.

    Raises:
        Refused: it may not, there or for this.
    """
    node, caller = request.app[NODE], caller_id(request)
    if request[CALLER].kind is IdKind.AGENCY:
        agency = await load_agency(node.pool, caller)
        if agency is None:
            raise Refused(Refusal.SCOPE_NOT_AUTHORIZED)
        return agency.region
    if not scene.is_sold:
        raise Refused(Refusal.CODE_SCENE_NOT_ALLOWED)
    place = await load_place(node.pool, caller, terminal_id)
    if place is None or place.is_suspended:
        raise Refused(Refusal.MERCHANT_SUSPENDED)
    if not place.has_terminal:
        raise Refused(Refusal.TERMINAL_UNKNOWN)
    number, control = BY_NAME[scene.name].number, (await node.reads.business_now()).control
    rules = await node.rules.at(node.pool, control.rules_version)
    if number not in place.scenarios or not rules.rollout.is_on(place.region, number):
        raise Refused(Refusal.SCENARIO_NOT_ENABLED)
    return place.region


async def _compared(request: web.Request, face: str, card: CardId | None, access: Access, today: date) -> FaceResult:
    """How a face compares with that of the card's person.

    Raises:
        Refused: the caller may not have it compared. That is judged before anybody is shown it; everything else waits
            until it is known that the request is new.
    """
    node, register = request.app[NODE], register_of(request)
    seen = await load_card(node.pool, card) if card is not None else None
    if seen is None:
        return await compared_face(request, face, None)
    if request[CALLER].kind is IdKind.AGENCY and not await is_granted(
        node.pool, access.caller, seen, purpose=access.purpose or "", has_face=True, today=today
    ):
        await audit_refusal(request, access, Refusal.DEPARTMENT_NOT_AUTHORIZED)
        raise Refused(Refusal.DEPARTMENT_NOT_AUTHORIZED)
    return await compared_face(request, face, register.holder(seen))


async def _presented(request: web.Request, given: AdmissionRequest) -> tuple[PresentedCode | None, CardId | None]:
    """What was shown, and whose it is; that never changes."""
    node = request.app[NODE]
    if given.card_no is not None:
        return None, await node.card_numbers.card_of(given.card_no)
    assert given.pay_code is not None, "one of the two"
    code = presented_code(given.pay_code, device_master=node.keyring.device_master, arrived_s=request[ARRIVED_S])
    return code, await card_of_device(node.pool, code.device_no) if code.device_no is not None else None
