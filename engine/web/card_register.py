"""The register of cards over HTTP: cards come in, are found, and move on in their lives."""

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator, Iterator
from typing import IO, Final

import msgspec
from aiohttp import web

from engine.core.card_records import CardRecord, read_record
from engine.core.cards import CardMove
from engine.core.commands import ChangeCard
from engine.core.ids import NO_ID, CallerId, IdKind, id_text
from engine.core.participants import Right
from engine.core.refusals import Refusal
from engine.flows.answer_once import Done, NotDone
from engine.flows.card_register import GivenIdentity, Replacement
from engine.flows.import_cards import Importing, bring_in, import_cards
from engine.formats.cards_csv import CardLine
from engine.store.card_imports import load_banks
from engine.store.connection import READ_SETTINGS, AnyConnection, connect
from engine.store.participants import load_operator
from engine.store.persons import RegisteredCard, load_card, load_history, load_replaced_at, load_signs
from engine.store.rows import remembered_of
from engine.web.audit.looks import access_of, looked_at_card, note_look
from engine.web.body import Refused, read_body, refuse_field
from engine.web.boundary import BODY, CALLER, TRACE_ID, UPLOAD, caller_id, idempotency_key
from engine.web.card_callers import (
    caller_kind,
    card_again,
    decided,
    identified,
    may_as_operator,
    now_of,
    register_of,
    seen_card,
    today_of,
)
from engine.web.cards import card_body
from engine.web.doing_once import once, refused_by
from engine.web.issued_cards import refuse_where_not_granted
from engine.web.lists import no_parameters, parameters
from engine.web.node import NODE
from engine.web.operator_requests import done_response
from engine.web.payments import json_response, respond
from engine.web.personal_acts import agreed
from engine.web.problems import FieldError
from engine.web.render import encode_json
from engine.web.wire_cards import (
    CardChangeView,
    CardRequest,
    CardSearchRequest,
    EndingRequest,
    ReplacementRequest,
    card_details,
    card_import_view,
    card_summary,
    sign_view,
    status_name,
)
from engine.web.wire_participants import ReasonRequest

HISTORY_MAX: Final = 50
IMPORT_BYTES_MAX: Final = 512 << 20
IN_MEMORY_BYTES: Final = 1 << 20
_CHUNK_BYTES: Final = 1 << 16


async def post_card(request: web.Request) -> web.Response:
    """`POST /v1/cards`: bring a card into the register."""
    no_parameters(request)
    given = read_body(request[BODY], CardRequest)
    await may_as_operator(request, Right.REQUEST, int(given.region))
    today, now = await today_of(request), await now_of(request)
    texts = {field: str(value) for field, value in msgspec.structs.asdict(given).items() if value is not None}
    record = read_record(texts, today=today)
    if not isinstance(record, CardRecord):
        errors = tuple(FieldError(f"/{wrong.field}", wrong.reason) for wrong in record)
        raise Refused(record[0].refusal, errors)
    node, register = request.app[NODE], register_of(request)
    asked = Importing(keyring=node.keyring, ids=node.ids, operator=caller_id(request), region=0, today=today, now=now)
    banks = await load_banks(node.pool)

    async def work(connection: AnyConnection) -> Done | NotDone:
        done = await bring_in(connection, asked, banks, [CardLine(1, record)])
        if done.faults:
            fault = done.faults[0]
            raise Refused(fault.refusal, (FieldError(f"/{fault.field}", fault.reason),))
        if not done.fresh:
            raise Refused(Refusal.CARD_ALREADY_EXISTS, (FieldError("/card_no", "it is in the register already"),))
        card = await load_card(connection, done.fresh[0])
        assert card is not None, "it was just written"
        return Done(201, encode_json(card_summary(card, register.holder(card))))

    identity = register.identity_index(
        GivenIdentity(id_number=record.id_number, name=record.name, card_no=record.card_no)
    )
    facts = {"identity": identity.hex(), "region": given.region, "bank": given.bank}
    return done_response(await once(request, "open_card", facts, work))


async def post_search(request: web.Request) -> web.Response:
    """`POST /v1/cards/search`: find a card by what a person shows; never in an address, where it would be logged."""
    kind = caller_kind(request)
    no_parameters(request)
    idempotency_key(request)
    given = read_body(request[BODY], CardSearchRequest)
    register = register_of(request)
    if kind is IdKind.CHANNEL:
        if given.id_number is None or given.name is None or given.card_no is None:
            raise refuse_field("", "id_number, name and card_no")
        card = await identified(
            request, GivenIdentity(id_number=given.id_number, name=given.name, card_no=given.card_no)
        )
        await refuse_where_not_granted(request, card.region)
        await note_look(request, access_of(request, "card.search", subject=card.id))
        return json_response(encode_json(card_summary(card, register.holder(card))))
    if (given.id_number is None) is (given.card_no is None) or given.name is not None:
        raise refuse_field("", "either id_number or card_no")
    found = (
        await register.by_id_number(given.id_number, today=(await today_of(request)))
        if given.id_number is not None
        else await register.by_card_number(given.card_no or "")
    )
    if isinstance(found, NotDone):
        raise refused_by(found)
    operator = await load_operator(request.app[NODE].pool, caller_id(request))
    if operator is None or operator.is_suspended:
        raise Refused(Refusal.SCOPE_NOT_AUTHORIZED)
    if found is None or not operator.may(Right.READ, found.region):
        raise Refused(Refusal.NOT_FOUND)
    await note_look(request, access_of(request, "card.search", subject=found.id))
    return json_response(encode_json(card_summary(found, register.holder(found))))


async def get_card(request: web.Request) -> web.Response:
    """`GET /v1/cards/{id}`: a card, masked, with what is issued of it and its history."""
    no_parameters(request)
    card, own = await looked_at_card(request, "card.read")
    pool = request.app[NODE].pool
    signs = [own] if own is not None else await load_signs(pool, card.id)
    history = []
    for change in await load_history(pool, card.id, count=HISTORY_MAX):
        state = remembered_of(change.body).answer.card
        if state is not None:
            history.append(CardChangeView(at=state.at, status=status_name(state.status), issue_level=state.issue_level))
    views = tuple(sign_view(sign, card.status) for sign in signs)
    view = card_details(card, register_of(request).holder(card), views, tuple(history))
    return json_response(encode_json(view))


async def post_suspend(request: web.Request) -> web.Response:
    """`POST /v1/cards/{id}/suspend`: once this is answered, no authorization can use the card."""
    return await _change(request, CardMove.SUSPEND, Right.STOP)


async def post_resume(request: web.Request) -> web.Response:
    """`POST /v1/cards/{id}/resume`: let a card that was suspended pay again."""
    return await _change(request, CardMove.RESUME, Right.REQUEST)


async def post_cancel_card(request: web.Request) -> web.Response:
    """`POST /v1/cards/{id}/cancel`: end a card for good; the person may get another one afterwards."""
    no_parameters(request)
    given = read_body(request[BODY] or b"{}", EndingRequest)
    card, own = await seen_card(request, Right.STOP)
    if own is None:
        if given.reason is None:
            raise refuse_field("/reason", "required")
    else:
        answer = await agreed(request, card, given, act="cancel", bound_to=id_text(card.id))
        if isinstance(answer, web.Response):
            return answer
    return await _decide_move(request, card, CardMove.CANCEL, given.reason)


async def post_replace(request: web.Request) -> web.Response:
    """`POST /v1/cards/{id}/replace`: a new physical card; the electronic one goes on with it."""
    no_parameters(request)
    given = read_body(request[BODY], ReplacementRequest)
    card, own = await seen_card(request, Right.REQUEST)
    if own is not None:
        raise Refused(Refusal.NOT_FOUND)
    register, now = register_of(request), await now_of(request)
    new = Replacement(card_no=given.card_no, issued_on=given.issued_on, valid_until=given.valid_until)

    async def work(connection: AnyConnection) -> Done | NotDone:
        refused = await register.replace(connection, card.id, new, now=now)
        return refused if refused is not None else Done(200, b"")

    number = register.identity_index(GivenIdentity(id_number="", name="", card_no=given.card_no))
    facts = {"id": id_text(card.id), "card_no": number.hex(), "reason": given.reason}
    done = await once(request, "replace_card", facts, work)
    await _go_on_with(request, card, number.hex())
    again = await card_again(request, card.id)
    response = json_response(encode_json(card_summary(again, register.holder(again))))
    if done.is_replay:
        response.headers["Idempotent-Replayed"] = "true"
    return response


async def post_import(request: web.Request) -> web.Response:
    """`POST /v1/cards/import`: bring in every card of a CSV file that is right, and tell what is wrong with the others.

    The body is kept in a file until its digest is known to be right, for what is read counts only then.
    """
    if request[CALLER].kind is not IdKind.OPERATOR:
        raise Refused(Refusal.NOT_FOUND)
    is_dry_run = _is_dry_run(parameters(request, ("dry_run",)).get("dry_run"))
    idempotency_key(request)
    node = request.app[NODE]
    operator = await load_operator(node.pool, caller_id(request))
    if operator is None or not operator.may(Right.REQUEST, operator.region):
        raise Refused(Refusal.SCOPE_NOT_AUTHORIZED)
    business = await node.reads.business_now()
    asked = Importing(
        keyring=node.keyring,
        ids=node.ids,
        operator=operator.id,
        region=operator.region,
        today=business.control.business_date,
        now=business.now,
    )
    with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES) as kept:
        sha256 = await keep_upload(request[UPLOAD], kept)
        connection = await connect(
            node.database_url, READ_SETTINGS | {"statement_timeout": "0"}, application_name="cards"
        )
        try:
            report = await import_cards(connection, asked, sha256, chunks_of(kept), is_dry_run=is_dry_run)
        finally:
            await connection.close()
    return json_response(encode_json(card_import_view(report)))


async def _change(request: web.Request, move: CardMove, right: Right) -> web.Response:
    no_parameters(request)
    given = read_body(request[BODY], ReasonRequest)
    card, own = await seen_card(request, right)
    if own is not None:
        raise Refused(Refusal.NOT_FOUND)
    return await _decide_move(request, card, move, given.reason)


async def _decide_move(request: web.Request, card: RegisteredCard, move: CardMove, reason: str | None) -> web.Response:
    command = ChangeCard(
        caller=caller_id(request),
        key=idempotency_key(request),
        trace_id=request[TRACE_ID],
        card=card.id,
        move=move,
        reason=reason,
    )
    return respond(request, await decided(request, command), card_body)


async def _go_on_with(request: web.Request, card: RegisteredCard, number: str) -> None:
    """Let the card be used with its new physical card, unless something has happened to it since: a loss report that
    came after the replacement is about the new one.
    """
    pool = request.app[NODE].pool
    replaced_at = await load_replaced_at(pool, card.id)
    newest = await load_history(pool, card.id, count=1)
    if newest and replaced_at is not None and newest[0].at > replaced_at:
        return
    command = ChangeCard(
        caller=CallerId(NO_ID), key=f"{number}/replaced", card=card.id, move=CardMove.REPLACE, reason=None
    )
    await decided(request, command)


async def keep_upload(body: AsyncIterator[bytes], kept: IO[bytes]) -> bytes:
    """Keep a body, to be read from its start. Returns its SHA-256.

    Raises:
        Refused: it is too large, or not what was signed.
    """
    size, digest = 0, hashlib.sha256()
    async for piece in body:
        size += len(piece)
        if size > IMPORT_BYTES_MAX:
            raise Refused(Refusal.BODY_TOO_LARGE)
        digest.update(piece)
        await asyncio.to_thread(kept.write, piece)
    kept.seek(0)
    return digest.digest()


def chunks_of(kept: IO[bytes]) -> Iterator[bytes]:
    """What was kept, from where it is read on, a piece at a time."""
    while chunk := kept.read(_CHUNK_BYTES):
        yield chunk


def _is_dry_run(given: str | None) -> bool:
    if given not in (None, "true", "false"):
        raise refuse_field("/dry_run", "true or false")
    return given == "true"
