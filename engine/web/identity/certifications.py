"""Certification of eligibility over HTTP: agencies say who has to show it, everybody may, and payments wait for it."""

import hashlib
from datetime import date, timedelta
from typing import Final

from aiohttp import web

from engine.core.audit import Access
from engine.core.certification import CYCLE_MONTHS_MAX, Method, State, add_months, dates_of, wrong_day
from engine.core.ids import REGION_MAX, AgencyId, CardId, IdKind, MalformedId, id_text, parse_id, region_of
from engine.core.participants import Right, covers, regions_of
from engine.core.refusals import Refusal
from engine.core.verification import FaceOutcome
from engine.flows.answer_once import Done, NotDone
from engine.flows.identity.certify import BenefitWish, Matched, Shown, register_benefit, take_matches, take_shown
from engine.store.bills import has_card, load_agency
from engine.store.certifications import BeneficiariesWanted, Beneficiary, load_beneficiaries, load_beneficiary
from engine.store.certifications import load_certifications as load_history
from engine.store.connection import AnyConnection
from engine.store.persons import RegisteredCard, load_card, load_relatives, load_sign
from engine.web.agency_requests import agency_of_request
from engine.web.audit.looks import access_of, note_look
from engine.web.body import Refused, read_body, refuse_field
from engine.web.boundary import BODY, CALLER, caller_id, idempotency_key
from engine.web.card_callers import may_as_operator, now_of, register_of, today_of
from engine.web.identity.callers import audit_refusal, compared_face, face_fact, once_audited
from engine.web.identity.wire import (
    BeneficiaryList,
    BeneficiaryRequest,
    CertificationRequest,
    CertifiedView,
    MatchesRequest,
    MatchesView,
    beneficiary_details,
    beneficiary_view,
)
from engine.web.issued_cards import refuse_where_not_granted
from engine.web.lists import no_parameters, page_of
from engine.web.node import NODE
from engine.web.operator_requests import done_response, reading_operator
from engine.web.paths import id_in_path
from engine.web.payments import json_response
from engine.web.personal_acts import agreed
from engine.web.render import encode_json

HISTORY_MAX: Final = 50
_YEARS_BACK: Final = timedelta(days=3_653)
_PURPOSE: Final = "eligibility certification"
_LIST: Final = "identity.certifications"
_STATES: Final = {state.value: state for state in State}
_EVERYWHERE: Final = (0, REGION_MAX)


async def post_beneficiary(request: web.Request) -> web.Response:
    """`POST /v1/identity/beneficiaries`: register a benefit; it is only paid while it is shown to be due."""
    agency = await load_agency(request.app[NODE].pool, agency_of_request(request))
    if agency is None:
        raise Refused(Refusal.SCOPE_NOT_AUTHORIZED)
    no_parameters(request)
    given = read_body(request[BODY], BeneficiaryRequest)
    today, now = await today_of(request), await now_of(request)
    _refuse_wrong_dates(given, today)
    card = _card_named(given.card_id, "/card_id")
    region = int(given.region) if given.region is not None else region_of(card)
    wish = BenefitWish(
        agency=agency.id,
        card=card,
        benefit_code=given.benefit_code,
        region=region,
        cycle_months=given.cycle_months,
        last_certified_on=given.last_certified_on,
        due_on=given.due_on,
    )

    async def work(connection: AnyConnection) -> Done | NotDone:
        if not await has_card(connection, card):
            return NotDone(Refusal.NOT_FOUND)
        if not (covers(agency.region, region) and covers(agency.region, region_of(card))):
            return NotDone(Refusal.REGION_NOT_PERMITTED)
        made = await register_benefit(connection, request.app[NODE].ids, wish, today=today, now=now)
        return made if isinstance(made, NotDone) else Done(201, encode_json(beneficiary_view(made, today=today)))

    facts = {
        "card_id": given.card_id,
        "benefit_code": given.benefit_code,
        "region": given.region,
        "cycle_months": given.cycle_months,
        "last_certified_on": given.last_certified_on,
        "due_on": given.due_on,
    }
    access = access_of(request, "identity.beneficiary", subject=card, purpose=_PURPOSE, about=given.benefit_code)
    return done_response(await once_audited(request, "register_benefit", facts, access, work, now=now))


async def get_certifications(request: web.Request) -> web.Response:
    """`GET /v1/identity/certifications`: benefits and where they stand: an agency's, a region's, or a card's own."""
    page = page_of(request, IdKind.CERTIFICATION, filters=("card_id", "status"))
    card_id = page.filters.get("card_id")
    card = _card_named(card_id, "/card_id") if card_id is not None else None
    agency, regions = await _scope_of(request, card)
    if card is not None:
        await note_look(request, access_of(request, _LIST, subject=card, purpose=_PURPOSE))
    pool, today = request.app[NODE].pool, await today_of(request)
    state = page.filters.get("status")
    if state is not None and state not in _STATES:
        raise refuse_field("/status", f"one of {', '.join(_STATES)}")
    dates = dates_of(_STATES[state], today) if state is not None else None
    wanted = BeneficiariesWanted(
        agency=agency, card=card, regions=regions, dates=dates, before=page.before, count=page.limit + 1
    )
    found = await load_beneficiaries(pool, wanted)
    items = tuple(beneficiary_view(one, today=today) for one in found[: page.limit])
    cursor = items[-1].id if len(found) > page.limit else None
    return json_response(encode_json(BeneficiaryList(items=items, next_cursor=cursor)))


async def get_certification(request: web.Request) -> web.Response:
    """`GET /v1/identity/certifications/{id}`: one benefit, where it stands, and every time that it was shown."""
    no_parameters(request)
    pool = request.app[NODE].pool
    one = await load_beneficiary(pool, id_in_path(request, "id", IdKind.CERTIFICATION))
    if one is None:
        raise Refused(Refusal.NOT_FOUND)
    agency, regions = await _scope_of(request, one.card)
    if agency not in (None, one.agency) or not regions[0] <= one.region <= regions[1]:
        raise Refused(Refusal.NOT_FOUND)
    await note_look(request, access_of(request, _LIST, subject=one.card, purpose=_PURPOSE, about=id_text(one.id)))
    history = await load_history(pool, one.id, count=HISTORY_MAX)
    return json_response(encode_json(beneficiary_details(one, history, today=(await today_of(request)))))


async def post_certification(request: web.Request) -> web.Response:
    """`POST /v1/identity/certifications`: show that a card's benefits are due. What nobody can say stays pending."""
    kind = request[CALLER].kind
    if kind not in (IdKind.CHANNEL, IdKind.AGENCY, IdKind.OPERATOR):
        raise Refused(Refusal.NOT_FOUND)
    no_parameters(request)
    given = read_body(request[BODY], CertificationRequest)
    idempotency_key(request)
    card = _card_named(given.card_id, "/card_id")
    today = await today_of(request)
    if kind is not IdKind.CHANNEL:
        shown: Shown | web.Response | NotDone = await _at_an_office(request, given, card, today)
    elif given.method == "offline":
        raise refuse_field("/method", "self or relative; offline is for offices")
    else:
        shown = await _on_a_channel(request, given, card, today)
    if isinstance(shown, web.Response):
        return shown
    return await _take(request, given, card, shown, today)


async def post_matches(request: web.Request) -> web.Response:
    """`POST /v1/identity/certifications/matches`: certify what another register has told of many."""
    if request[CALLER].kind is not IdKind.OPERATOR:
        raise Refused(Refusal.NOT_FOUND)
    no_parameters(request)
    given = read_body(request[BODY], MatchesRequest)
    operator = await reading_operator(request)
    if not operator.may(Right.REQUEST, operator.region):
        raise Refused(Refusal.SCOPE_NOT_AUTHORIZED)
    today, now = await today_of(request), await now_of(request)
    wrong = wrong_day(given.certified_on, today=today)
    if wrong is not None:
        raise refuse_field("/certified_on", wrong)
    named = [_parsed(text, IdKind.CERTIFICATION, "/certification_ids") for text in given.certification_ids]
    shown = Matched(regions=regions_of(operator.region), on=given.certified_on, by=operator.id, evidence=given.evidence)

    async def work(connection: AnyConnection) -> Done | NotDone:
        done = await take_matches(connection, named, shown, today=today, now=now)
        found = {one.id for one in done}
        unknown = tuple(id_text(one) for one in dict.fromkeys(named) if one not in found)
        return Done(200, encode_json(MatchesView(certified=len(done), unknown=unknown)))

    access = access_of(request, "identity.certification.data_match", subject=None, purpose=_PURPOSE)
    facts = {
        "certification_ids": hashlib.sha256(b"".join(named)).hexdigest(),
        "certified_on": given.certified_on,
        "evidence": given.evidence,
    }
    return done_response(await once_audited(request, "match_benefits", facts, access, work, now=now))


async def _take(
    request: web.Request, given: CertificationRequest, card: CardId, shown: Shown | NotDone, today: date
) -> web.Response:
    now = await now_of(request)
    agency = AgencyId(caller_id(request)) if request[CALLER].kind is IdKind.AGENCY else None

    async def work(connection: AnyConnection) -> Done | NotDone:
        if isinstance(shown, NotDone):
            return shown
        done = await take_shown(connection, shown, agency=agency, today=today, now=now)
        return done if isinstance(done, NotDone) else Done(201, _certified(shown, done, today))

    facts = {
        "card_id": given.card_id,
        "benefit_code": given.benefit_code,
        "method": given.method,
        "face": face_fact(request, given.face),
        "relative_card_id": given.relative_card_id,
        "certified_on": given.certified_on,
        "evidence": given.evidence,
    }
    access = _access(request, given, card)
    return done_response(await once_audited(request, "certify", facts, access, work, now=now))


async def _on_a_channel(
    request: web.Request, given: CertificationRequest, card: CardId, today: date
) -> Shown | NotDone | web.Response:
    """What a person, or a relative, shows in an app."""
    for field in ("certified_on", "evidence"):
        if getattr(given, field) is not None:
            raise refuse_field(f"/{field}", "for offices")
    by_relative = given.method == "relative"
    if by_relative is (given.relative_card_id is None):
        raise refuse_field("/relative_card_id", "with the method relative, and only with it")
    if by_relative:
        if given.face is not None:
            raise refuse_field("/face", "only with the method self")
        return await _by_relative(request, given, card, today)
    own = await _issued_card(request, card)
    if given.face is not None:
        if given.password_block is not None or given.passkey is not None:
            raise refuse_field("/face", "instead of a password or a passkey")
        return await _by_face(request, given, own, today)
    if given.password_block is not None:
        # Somebody else may know the password of whoever has died.
        raise Refused(Refusal.REAUTHENTICATION_REQUIRED)
    act = await agreed(request, own, given, act="certify", bound_to=given.card_id)
    if isinstance(act, web.Response):
        return act
    return _shown(request, given, card, today, Method.SELF, evidence=f"{act.kind}:{act.digest}")


async def _by_face(
    request: web.Request, given: CertificationRequest, card: RegisteredCard, today: date
) -> Shown | NotDone:
    assert given.face is not None, "a face has come along"
    compared = await compared_face(request, given.face, register_of(request).holder(card))
    if request.app[NODE].faces is None:
        return NotDone(Refusal.UPSTREAM_UNAVAILABLE)
    if compared.outcome is FaceOutcome.REJECTED:
        return NotDone(Refusal.BIOMETRIC_REJECTED)
    evidence = f"face:{face_fact(request, given.face)}"
    is_pending = compared.outcome is not FaceOutcome.ACCEPTED
    return _shown(request, given, card.id, today, Method.SELF, evidence=evidence, is_pending=is_pending)


async def _by_relative(
    request: web.Request, given: CertificationRequest, card: CardId, today: date
) -> Shown | NotDone | web.Response:
    assert given.relative_card_id is not None, "a relative is named"
    relative = await _issued_card(request, _card_named(given.relative_card_id, "/relative_card_id"))
    pool = request.app[NODE].pool
    linked = [*await load_relatives(pool, relative.id), *await load_relatives(pool, card)]
    if not any(
        {one.guardian, one.ward} == {relative.id, card} and one.ended_at is None and one.expires_on > today
        for one in linked
    ):
        await audit_refusal(request, _access(request, given, card), Refusal.RELATIVE_NOT_LINKED)
        raise Refused(Refusal.RELATIVE_NOT_LINKED)
    act = await agreed(request, relative, given, act="certify", bound_to=given.card_id)
    if isinstance(act, web.Response):
        return act
    return _shown(request, given, card, today, Method.RELATIVE, evidence=f"{act.kind}:{act.digest}")


async def _at_an_office(request: web.Request, given: CertificationRequest, card: CardId, today: date) -> Shown:
    """What somebody has shown at a counter, or at home to somebody from an office."""
    if given.method != "offline":
        raise refuse_field("/method", "offline; the others are for channels")
    for field in ("face", "relative_card_id", "password_block", "passkey"):
        if getattr(given, field) is not None:
            raise refuse_field(f"/{field}", "for channels")
    if given.evidence is None:
        raise refuse_field("/evidence", "required")
    wrong = wrong_day(given.certified_on, today=today) if given.certified_on is not None else None
    if wrong is not None:
        raise refuse_field("/certified_on", wrong)
    if request[CALLER].kind is IdKind.OPERATOR:
        await may_as_operator(request, Right.REQUEST, region_of(card))
    return _shown(request, given, card, given.certified_on or today, Method.OFFLINE, evidence=given.evidence)


def _shown(
    request: web.Request,
    given: CertificationRequest,
    card: CardId,
    on: date,
    method: Method,
    *,
    evidence: str,
    is_pending: bool = False,
) -> Shown:
    return Shown(
        card=card,
        benefit_code=given.benefit_code,
        method=method,
        is_pending=is_pending,
        on=on,
        by=caller_id(request),
        evidence=evidence,
    )


def _certified(shown: Shown, done: list[Beneficiary], today: date) -> bytes:
    view = CertifiedView(
        result="pending" if shown.is_pending else "certified",
        method=shown.method.name.lower(),  # type: ignore[arg-type]  # a Literal from an enum
        certified_on=shown.on,
        items=tuple(beneficiary_view(one, today=today) for one in done),
    )
    return encode_json(view)


def _access(request: web.Request, given: CertificationRequest, card: CardId) -> Access:
    return access_of(
        request,
        f"identity.certification.{given.method}",
        subject=card,
        purpose=_PURPOSE,
        about=given.benefit_code,
    )


async def _scope_of(request: web.Request, card: CardId | None) -> tuple[AgencyId | None, tuple[int, int]]:
    """Whose benefits the caller may see, and of which regions.

    Raises:
        Refused: nobody's.
    """
    match request[CALLER].kind:
        case IdKind.AGENCY:
            return AgencyId(caller_id(request)), _EVERYWHERE
        case IdKind.OPERATOR:
            return None, regions_of((await reading_operator(request)).region)
        case IdKind.CHANNEL:
            if card is None:
                raise refuse_field("/card_id", "required")
            await _issued_card(request, card)
            return None, _EVERYWHERE
        case _:
            raise Refused(Refusal.NOT_FOUND)


async def _issued_card(request: web.Request, card: CardId) -> RegisteredCard:
    """A card that the channel which calls has issued; for it there are no others.

    Raises:
        Refused: it has not, or may not certify people where the card is from.
    """
    pool = request.app[NODE].pool
    seen = await load_card(pool, card)
    if seen is None or await load_sign(pool, card, caller_id(request)) is None:
        raise Refused(Refusal.NOT_FOUND)
    await refuse_where_not_granted(request, seen.region)
    return seen


def _refuse_wrong_dates(given: BeneficiaryRequest, today: date) -> None:
    earliest = today - _YEARS_BACK
    if given.last_certified_on is not None and not earliest <= given.last_certified_on <= today:
        raise refuse_field("/last_certified_on", "not in the future, nor longer ago than ten years")
    if given.due_on is not None and not earliest <= given.due_on <= add_months(today, CYCLE_MONTHS_MAX):
        raise refuse_field("/due_on", f"within ten years back and {CYCLE_MONTHS_MAX} months ahead")


def _card_named(text: str, pointer: str) -> CardId:
    return CardId(_parsed(text, IdKind.CARD, pointer))


def _parsed(text: str, kind: IdKind, pointer: str) -> bytes:
    try:
        return parse_id(text, kind)
    except MalformedId:
        raise refuse_field(pointer, "no id of that kind") from None
