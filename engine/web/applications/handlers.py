"""Applications over HTTP: a channel drafts and hands in, an office pulls and moves on, everybody looks at their own."""

from collections.abc import Awaitable, Callable, Mapping

import msgspec
from aiohttp import web

from engine.core.applications import SAYS_WHY, Application, ApplicationKind, ApplicationMove, ApplicationState
from engine.core.ids import IdKind, id_text
from engine.core.participants import is_region, regions_of
from engine.core.personal_acts import PersonalAct
from engine.core.refusals import Refusal
from engine.flows.answer_once import Done, NotDone
from engine.flows.applications.course import ApplicationWish, Step, card_of
from engine.flows.applications.forms import FilledForm, load_forms
from engine.store.applications import (
    ApplicationsWanted,
    load_applications_of_channel,
    load_applications_of_office,
    load_applications_of_person,
    load_applications_of_regions,
    load_steps,
)
from engine.store.applications_attachments import load_attachments
from engine.store.connection import AnyConnection
from engine.store.participants import find_bank
from engine.web.applications.callers import (
    OFFICES,
    authorize_look,
    desk_of,
    handed_application,
    linked_card,
    note_look,
    own_application,
    seen_application,
)
from engine.web.applications.wire import (
    OFFICE_MOVE_NAMES,
    STATES,
    ApplicationFormRequest,
    ApplicationItemList,
    ApplicationList,
    ApplicationRequest,
    ApplicationStepView,
    ApplicationWithdrawalRequest,
    OfficeNoteRequest,
    SubmissionRequest,
    application_details,
    application_view,
    item_view,
    move_name,
    state_name,
)
from engine.web.body import Refused, read_body, refuse_field
from engine.web.boundary import BODY, CALLER, caller_id
from engine.web.card_callers import now_of, register_of
from engine.web.doing_once import once
from engine.web.lists import Page, no_parameters, page_of
from engine.web.node import NODE
from engine.web.operator_requests import done_response, reading_operator
from engine.web.payments import json_response
from engine.web.personal_acts import agreed
from engine.web.render import encode_json

Move = Callable[[AnyConnection], Awaitable[Application | NotDone]]


async def get_application_items(request: web.Request) -> web.Response:
    """`GET /v1/applications/items`: everything that can be applied for."""
    no_parameters(request)
    items = tuple(item_view(form) for form in load_forms().values())
    return json_response(encode_json(ApplicationItemList(items=items)))


async def get_application_form(request: web.Request) -> web.Response:
    """`GET /v1/applications/items/{item}`: the form of an item, as JSON Schema."""
    no_parameters(request)
    form = load_forms().get(request.match_info["item"])
    if form is None:
        raise Refused(Refusal.NOT_FOUND)
    return web.Response(body=form.content, content_type="application/schema+json")


async def post_application(request: web.Request) -> web.Response:
    """`POST /v1/applications`: draft an application; only the channel sees it before it is handed in."""
    no_parameters(request)
    given = read_body(request[BODY], ApplicationRequest)
    card = await linked_card(request, given.card_id)
    form = load_forms().get(given.item)
    if form is None:
        raise refuse_field("/item", "nothing that can be applied for")
    if given.region is not None and not is_region(int(given.region)):
        raise Refused(Refusal.REGION_UNKNOWN)
    wish = ApplicationWish(
        card=card,
        channel=caller_id(request),
        form=form,
        filled=given.form,
        region=int(given.region) if given.region is not None else card.region,
        bank=await _bank_of(request, given, form.kind),
    )
    desk, now = desk_of(request), await now_of(request)
    facts = {
        "card_id": given.card_id,
        "item": given.item,
        "region": given.region,
        "bank": given.bank,
        "form": _index_of(request, given.form),
    }
    return await _answered(
        request, "draft_application", facts, lambda connection: desk.draft(connection, wish, now=now), status=201
    )


async def post_application_form(request: web.Request) -> web.Response:
    """`POST /v1/applications/{id}/form`: fill in the form anew, of a draft or of one that more is asked for."""
    no_parameters(request)
    given = read_body(request[BODY], ApplicationFormRequest)
    seen, card = await own_application(request)
    desk, now = desk_of(request), await now_of(request)
    facts = {"id": id_text(seen.id), "form": _index_of(request, given.form)}
    return await _answered(
        request,
        "fill_in_application",
        facts,
        lambda connection: desk.fill_in(connection, seen.id, card, given.form, now=now),
    )


async def post_submission(request: web.Request) -> web.Response:
    """`POST /v1/applications/{id}/submit`: hand it to the office of the region, by the person's own act."""
    no_parameters(request)
    given = read_body(request[BODY] or b"{}", SubmissionRequest)
    seen, card = await own_application(request)
    act = await agreed(request, card, given, act="submit", bound_to=id_text(seen.id))
    if isinstance(act, web.Response):
        return act
    step = await _step(request, ApplicationMove.SUBMIT, act=act)
    desk = desk_of(request)
    return await _answered(
        request,
        "submit_application",
        {"id": id_text(seen.id)},
        lambda connection: desk.submit(connection, seen.id, step),
    )


async def post_application_withdrawal(request: web.Request) -> web.Response:
    """`POST /v1/applications/{id}/withdraw`: take it back while nobody has decided on it."""
    no_parameters(request)
    given = read_body(request[BODY] or b"{}", ApplicationWithdrawalRequest)
    seen, card = await own_application(request)
    act: PersonalAct | None = None
    if seen.submitted_at is not None:  # a draft is the channel's own paper still
        # Another thing than handing it in: a password that was sealed for that is none for this.
        shown = await agreed(request, card, given, act="withdraw", bound_to=id_text(seen.id))
        if isinstance(shown, web.Response):
            return shown
        act = shown
    step = await _step(request, ApplicationMove.WITHDRAW, note=given.note, act=act)
    return await _moved(request, seen, "withdraw_application", step)


async def post_office_move(request: web.Request) -> web.Response:
    """`POST /v1/applications/{id}/{move}`: the office that was handed an application goes on with it."""
    no_parameters(request)
    given = read_body(request[BODY] or b"{}", OfficeNoteRequest)
    seen = await handed_application(request)
    move = OFFICE_MOVE_NAMES[request.match_info["move"]]
    if given.note is None and move in SAYS_WHY:
        raise refuse_field("/note", "required")
    return await _moved(request, seen, "move_application", await _step(request, move, note=given.note))


async def get_application(request: web.Request) -> web.Response:
    """`GET /v1/applications/{id}`: an application with its form, its files and its course."""
    no_parameters(request)
    seen = await seen_application(request)
    node, desk = request.app[NODE], desk_of(request)
    is_operator = request[CALLER].kind is IdKind.OPERATOR
    card = await card_of(node.pool, seen)
    steps = [
        ApplicationStepView(
            at=step.at,
            move=move_name(step.move),
            status=state_name(step.state),
            by=id_text(step.by),
            note=desk.opened_note(step, card) if not is_operator else None,
            act_kind=step.act.kind if step.act is not None else None,
        )
        for step in await load_steps(node.pool, seen.id)
    ]
    await note_look(request, seen, "applications.course" if is_operator else "applications.form")
    details = application_details(
        seen,
        holder=register_of(request).holder(card),
        form=desk.opened_form(seen, card) if not is_operator else None,
        attachments=await load_attachments(node.pool, seen.id),
        steps=steps,
    )
    return json_response(encode_json(details))


async def get_applications(request: web.Request) -> web.Response:
    """`GET /v1/applications`: those of whoever calls, newest first; a channel may ask for a person's."""
    kind, pool = request[CALLER].kind, request.app[NODE].pool
    page = page_of(request, IdKind.APPLICATION, filters=("status", "item", "card_id", "purpose"))
    wanted = ApplicationsWanted(
        state=_state_in(page), item=page.filters.get("item"), before=page.before, count=page.limit + 1
    )
    card_id, purpose = page.filters.get("card_id"), page.filters.get("purpose")
    if card_id is not None:
        card = await linked_card(request, card_id)
        found = await load_applications_of_person(pool, card.person, wanted)
        await authorize_look(request, card, purpose)
    elif purpose is not None:
        raise refuse_field("/purpose", "only with card_id")
    elif kind is IdKind.CHANNEL:
        found = await load_applications_of_channel(pool, caller_id(request), wanted)
    elif kind in OFFICES:
        found = await load_applications_of_office(pool, caller_id(request), wanted)
    else:
        operator = await reading_operator(request)
        found = await load_applications_of_regions(pool, regions_of(operator.region), wanted)
    items = tuple(application_view(one) for one in found[: page.limit])
    cursor = items[-1].id if len(found) > page.limit else None
    return json_response(encode_json(ApplicationList(items=items, next_cursor=cursor)))


async def _moved(request: web.Request, seen: Application, operation: str, step: Step) -> web.Response:
    desk = desk_of(request)
    facts = {"id": id_text(seen.id), "move": move_name(step.move), "note": _index_of(request, step.note)}
    return await _answered(request, operation, facts, lambda connection: desk.move(connection, seen.id, step))


async def _answered(
    request: web.Request, operation: str, facts: Mapping[str, object], move: Move, *, status: int = 200
) -> web.Response:
    """Make a move once a key, and answer with the application as it is then."""

    async def work(connection: AnyConnection) -> Done | NotDone:
        moved = await move(connection)
        return moved if isinstance(moved, NotDone) else Done(status, encode_json(application_view(moved)))

    return done_response(await once(request, operation, facts, work))


async def _step(
    request: web.Request, move: ApplicationMove, *, note: str | None = None, act: PersonalAct | None = None
) -> Step:
    return Step(move=move, by=caller_id(request), at=await now_of(request), note=note, act=act)


async def _bank_of(request: web.Request, given: ApplicationRequest, kind: ApplicationKind) -> bytes | None:
    """The bank that is to handle it: one that is named, where it is a bank's affair, and no other."""
    if (given.bank is not None) is not (kind is ApplicationKind.FINANCE):
        raise refuse_field("/bank", "required" if given.bank is None else "only for what a bank handles")
    if given.bank is None:
        return None
    bank = await find_bank(request.app[NODE].pool, given.bank)
    if bank is None:
        raise refuse_field("/bank", "no bank of this number takes part")
    return bank


def _index_of(request: web.Request, said: FilledForm | str | None) -> str | None:
    """What tells two requests apart without keeping what they say."""
    if said is None:
        return None
    text = msgspec.json.encode(said, order="sorted").decode()
    return request.app[NODE].keyring.blind_index(f"application {text}").hex()


def _state_in(page: Page) -> ApplicationState | None:
    name = page.filters.get("status")
    if name is not None and name not in STATES:
        raise refuse_field("/status", f"one of {', '.join(STATES)}")
    return STATES[name] if name is not None else None
