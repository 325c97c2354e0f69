"""Participants over HTTP: operators bring them in, change and suspend them; others may look at themselves."""

from typing import Final

import msgspec
from aiohttp import web

from engine.core.accounts import pooling_area
from engine.core.ids import IdKind, MalformedId, id_text
from engine.core.participants import (
    Change,
    Participant,
    ParticipantKind,
    Registration,
    Right,
    parse_participant_id,
    regions_of,
)
from engine.core.refusals import Refusal
from engine.flows.answer_once import Done, NotDone
from engine.flows.approve import Asking
from engine.flows.register_participants import ask_change, ask_fund, ask_registration, register_terminals
from engine.flows.suspend_participant import ask_reinstatement, suspend, take_terminals
from engine.store.barrier import pass_all_lanes
from engine.store.participants import (
    Fund,
    ParticipantsWanted,
    load_funds,
    load_participant,
    load_participants,
    load_terminals,
)
from engine.web.body import Refused, read_body, refuse_field
from engine.web.boundary import BODY, CALLER, caller_id
from engine.web.lists import no_parameters, page_of
from engine.web.node import NODE
from engine.web.operator_requests import (
    asked_for,
    do_once,
    done_response,
    operator_of_request,
    reading_operator,
    wish_of,
)
from engine.web.payments import json_response
from engine.web.public_key import key_given
from engine.web.render import encode_json
from engine.web.render_participants import participant_view
from engine.web.wire_participants import (
    ChangeRequest,
    FundList,
    FundRequest,
    FundView,
    ParticipantList,
    ParticipantRequest,
    ReasonRequest,
    TerminalList,
    TerminalsRequest,
    TerminalView,
)

_STATUSES: Final = {"active": False, "suspended": True}


async def get_participants(request: web.Request) -> web.Response:
    """`GET /v1/participants`: those of the operator's region, newest first."""
    operator = await reading_operator(request)
    page = page_of(request, filters=("kind", "code", "status"))
    kind, status = page.filters.get("kind"), page.filters.get("status")
    if kind is not None and kind not in set(ParticipantKind):
        raise refuse_field("/kind", f"one of {', '.join(ParticipantKind)}")
    if status is not None and status not in _STATUSES:
        raise refuse_field("/status", f"one of {', '.join(_STATUSES)}")
    wanted = ParticipantsWanted(
        regions=regions_of(operator.region),
        before=_before(page.cursor),
        kind=ParticipantKind(kind) if kind is not None else None,
        code=page.filters.get("code"),
        is_suspended=_STATUSES[status] if status is not None else None,
        count=page.limit + 1,
    )
    participants = await load_participants(request.app[NODE].pool, wanted)
    items = tuple(participant_view(participant) for participant in participants[: page.limit])
    cursor = items[-1].id if len(participants) > page.limit else None
    return json_response(encode_json(ParticipantList(items=items, next_cursor=cursor)))


async def post_participant(request: web.Request) -> web.Response:
    """`POST /v1/participants`: ask for a participant to be brought in."""
    operator_of_request(request)
    no_parameters(request)
    given = read_body(request[BODY], ParticipantRequest)
    registration = registration_of(given)
    facts = {"registration": registration, "reason": given.reason}

    async def step(asked: Asking) -> Done | NotDone:
        return asked_for(asked, await ask_registration(asked, registration, reason=given.reason))

    return done_response(await do_once(request, wish_of(request, "register_participant", facts), step))


async def get_participant(request: web.Request) -> web.Response:
    """`GET /v1/participants/{id}`: one of them; merchants, banks and agencies may look at themselves."""
    no_parameters(request)
    participant = await visible_participant(request)
    return json_response(encode_json(participant_view(participant)))


async def post_change(request: web.Request) -> web.Response:
    """`POST /v1/participants/{id}/changes`: ask for a participant to be different."""
    operator_of_request(request)
    no_parameters(request)
    given = read_body(request[BODY], ChangeRequest)
    participant = await visible_participant(request)
    change = Change(
        id=id_text(participant.id),
        version=participant.version,
        name_zh=given.name_zh,
        name_en=given.name_en,
        bank=given.bank,
        scenarios=given.scenarios,
        level=given.level,
        item=given.item,
        role=given.role,
        delivery=given.delivery,
    )
    given_facts = msgspec.to_builtins(given)
    if given.level is None:  # answers are older than grades
        del given_facts["level"]
    facts = {"id": change.id, "given": given_facts}

    async def step(asked: Asking) -> Done | NotDone:
        return asked_for(asked, await ask_change(asked, participant, change, reason=given.reason))

    return done_response(await do_once(request, wish_of(request, "change_participant", facts), step))


async def post_suspension(request: web.Request) -> web.Response:
    """`POST /v1/participants/{id}/suspend`: once this is answered, nothing is paid to it or changed by it."""
    operator_of_request(request)
    no_parameters(request)
    given = read_body(request[BODY], ReasonRequest)
    identifier = participant_in(request)

    async def step(asked: Asking) -> Done | NotDone:
        suspended = await suspend(asked, identifier, reason=given.reason)
        if isinstance(suspended, NotDone):
            return suspended
        return Done(200, encode_json(participant_view(suspended)))

    facts = {"id": id_text(identifier), "reason": given.reason}
    answer = await do_once(request, wish_of(request, "suspend_participant", facts), step)
    # Replays too: the first answer may have been lost between the commit and the barrier.
    node = request.app[NODE]
    await pass_all_lanes(node.pool)
    node.callers.forget()
    return done_response(answer)


async def post_reinstatement(request: web.Request) -> web.Response:
    """`POST /v1/participants/{id}/reinstate`: ask for a suspended participant to take part again."""
    operator_of_request(request)
    no_parameters(request)
    given = read_body(request[BODY], ReasonRequest)
    participant = await visible_participant(request)

    async def step(asked: Asking) -> Done | NotDone:
        return asked_for(asked, await ask_reinstatement(asked, participant, reason=given.reason))

    facts = {"id": id_text(participant.id), "reason": given.reason}
    return done_response(await do_once(request, wish_of(request, "reinstate_participant", facts), step))


async def get_terminals(request: web.Request) -> web.Response:
    """`GET /v1/participants/{id}/terminals`: a merchant's terminals, in their own order."""
    participant = await visible_participant(request)
    page = page_of(request)
    if participant.kind is not ParticipantKind.MERCHANT:
        raise Refused(Refusal.NOT_FOUND)
    terminals = await load_terminals(
        request.app[NODE].pool, participant.id, after=page.cursor or "", count=page.limit + 1
    )
    items = tuple(TerminalView(terminal_id=terminal) for terminal in terminals[: page.limit])
    cursor = items[-1].terminal_id if len(terminals) > page.limit else None
    return json_response(encode_json(TerminalList(items=items, next_cursor=cursor)))


async def post_terminals(request: web.Request) -> web.Response:
    """`POST /v1/participants/{id}/terminals`: register terminals of a merchant; those it has stay."""
    operator_of_request(request)
    no_parameters(request)
    given = read_body(request[BODY], TerminalsRequest)
    identifier = participant_in(request)

    async def step(asked: Asking) -> Done | NotDone:
        merchant = await register_terminals(asked, identifier, given.terminal_ids)
        return merchant if isinstance(merchant, NotDone) else Done(200, encode_json(participant_view(merchant)))

    facts = {"id": id_text(identifier), "terminal_ids": given.terminal_ids}
    return done_response(await do_once(request, wish_of(request, "register_terminals", facts), step))


async def post_terminals_removal(request: web.Request) -> web.Response:
    """`POST /v1/participants/{id}/terminals/remove`: once this is answered, nothing is paid at them any more."""
    operator_of_request(request)
    no_parameters(request)
    given = read_body(request[BODY], TerminalsRequest)
    identifier = participant_in(request)

    async def step(asked: Asking) -> Done | NotDone:
        merchant = await take_terminals(asked, identifier, given.terminal_ids)
        return merchant if isinstance(merchant, NotDone) else Done(200, encode_json(participant_view(merchant)))

    facts = {"id": id_text(identifier), "terminal_ids": given.terminal_ids}
    answer = await do_once(request, wish_of(request, "remove_terminals", facts), step)
    await pass_all_lanes(request.app[NODE].pool)
    return done_response(answer)


async def get_funds(request: web.Request) -> web.Response:
    """`GET /v1/funds`: which bank holds which fund of the operator's region."""
    operator = await reading_operator(request)
    page = page_of(request)
    funds = await load_funds(
        request.app[NODE].pool,
        after=_after_fund(page.cursor),
        regions=(pooling_area(operator.region), regions_of(operator.region)[1]),
        count=page.limit + 1,
    )
    items = tuple(
        FundView(region=f"{fund.region:06d}", fund_pay_type=f"{fund.pay_type:06d}", bank=fund.bank)
        for fund in funds[: page.limit]
    )
    cursor = f"{items[-1].region}-{items[-1].fund_pay_type}" if len(funds) > page.limit else None
    return json_response(encode_json(FundList(items=items, next_cursor=cursor)))


async def post_fund(request: web.Request) -> web.Response:
    """`POST /v1/funds`: ask for a bank to hold a pooling area's fund."""
    operator_of_request(request)
    no_parameters(request)
    given = read_body(request[BODY], FundRequest)
    fund = Fund(int(given.region), int(given.fund_pay_type), given.bank)

    async def step(asked: Asking) -> Done | NotDone:
        return asked_for(asked, await ask_fund(asked, fund, reason=given.reason))

    return done_response(await do_once(request, wish_of(request, "assign_fund", {"given": given}), step))


def registration_of(given: ParticipantRequest) -> Registration:
    """What is asked for, as the books need it.

    Raises:
        Refused: its key is none.
    """
    alg, public_key = key_given(given.key.alg, given.key.public_key, "/key") if given.key is not None else (None, "")
    return Registration(
        kind=ParticipantKind(given.kind),
        code=given.code,
        name_zh=given.name_zh,
        name_en=given.name_en,
        region=int(given.region),
        bank=given.bank or "",
        scenarios=given.scenarios,
        terminals=given.terminals,
        level=given.level,
        item=given.item or "",
        role=given.role or "",
        is_settlement_bank=given.settlement_bank,
        delivery=given.delivery,
        alg=alg.value if alg is not None else "",
        public_key=public_key,
    )


def participant_in(request: web.Request) -> bytes:
    """The participant that the path names. A malformed id names none."""
    try:
        return parse_participant_id(request.match_info["id"])
    except MalformedId:
        raise Refused(Refusal.NOT_FOUND) from None


async def visible_participant(request: web.Request) -> Participant:
    """The participant that the path names, if the caller may see it: an operator of its region, or itself.

    Raises:
        Refused: there is none, or none that the caller may know of.
    """
    identifier = participant_in(request)
    pool = request.app[NODE].pool
    if identifier == caller_id(request):
        participant = await load_participant(pool, identifier)
    elif request[CALLER].kind is not IdKind.OPERATOR:
        participant = None
    else:
        operator = await reading_operator(request)
        participant = await load_participant(pool, identifier)
        if participant is not None and not operator.may(Right.READ, participant.region):
            participant = None
    if participant is None:
        raise Refused(Refusal.NOT_FOUND)
    return participant


def _before(cursor: str | None) -> bytes | None:
    if cursor is None:
        return None
    try:
        return parse_participant_id(cursor)
    except MalformedId:
        raise refuse_field("/cursor", "not a cursor of this list") from None


def _after_fund(cursor: str | None) -> tuple[int, int]:
    if cursor is None:
        return (-1, -1)
    region, dash, pay_type = cursor.partition("-")
    if not (dash and len(cursor) == 13 and cursor.isascii() and region.isdigit() and pay_type.isdigit()):
        raise refuse_field("/cursor", "not a cursor of this list")
    return (int(region), int(pay_type))
