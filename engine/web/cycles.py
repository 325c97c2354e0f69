"""Cycles over HTTP: operators see all of them, banks their own part, and the settlement bank answers for them."""

from typing import Final

import msgspec
from aiohttp import web

from engine.core.calendar import CYCLES_PER_DAY_MAX, CycleNumber, cycle_number, cycle_text, parse_cycle
from engine.core.ids import BankId, IdKind, MalformedId, parse_id
from engine.core.refusals import Refusal
from engine.core.settlement import Outcome
from engine.flows.answer_once import Done, NotDone, Wish, answer_once
from engine.flows.approve import Asking
from engine.flows.change_cap import ask_cap
from engine.flows.settle_cycle import finish_settlement, take_answer, transactions_of
from engine.store.connection import AnyConnection
from engine.store.cycle_reads import CycleReads
from engine.web.banks import bank_of_request
from engine.web.body import Refused, read_body, refuse_field
from engine.web.boundary import BODY, CALLER, caller_id, idempotency_key
from engine.web.lists import date_of, no_parameters, page_of
from engine.web.node import NODE
from engine.web.operator_requests import asked_for, do_once, done_response, reading_operator, wish_of
from engine.web.payments import json_response
from engine.web.problems import FieldError
from engine.web.render import encode_json
from engine.web.wire_cycles import (
    CapRequest,
    CycleDetailView,
    CycleList,
    SettlementRequest,
    cycle_view,
    file_views,
    liquidity_views,
    open_cycle_view,
    position_views,
    settlement_view,
)

_ALL_FROM: Final = CycleNumber(0)
_ALL_TO: Final = CycleNumber(99_999_999_99)


async def get_cycles(request: web.Request) -> web.Response:
    """`GET /v1/clearing/cycles`: the open cycle and the closed ones, newest first."""
    bank = await _viewer(request)
    page = page_of(request, filters=("business_date",))
    cycle_from, cycle_to = _cycles_of(page.filters.get("business_date"))
    node = request.app[NODE]
    control = (await node.reads.business_now()).control
    if page.cursor is not None:
        cycle_to = min(cycle_to, CycleNumber(_cursor(page.cursor) - 1))
    reads = CycleReads(node.pool)
    runs = await reads.closed(cycle_from=cycle_from, cycle_to=cycle_to, count=page.limit + 1)
    alarms = await reads.alarms((control.cycle, *(run.cycle for run in runs)), bank)
    views = [cycle_view(run, alarms[run.cycle]) for run in runs]
    if cycle_from <= control.cycle <= cycle_to:
        views.insert(0, open_cycle_view(control, alarms[control.cycle]))
    items = tuple(views[: page.limit])
    cursor = items[-1].cycle if len(views) > page.limit else None
    return json_response(encode_json(CycleList(items=items, next_cursor=cursor)))


async def get_cycle(request: web.Request) -> web.Response:
    """`GET /v1/clearing/cycles/{cycle}`: one of them with what it moves; a bank sees its own part of it."""
    bank = await _viewer(request)
    no_parameters(request)
    cycle = _cycle_of_path(request)
    node = request.app[NODE]
    reads = CycleReads(node.pool)
    control = (await node.reads.business_now()).control
    runs = await reads.closed(cycle_from=cycle, cycle_to=cycle, count=1)
    if not runs and cycle != control.cycle:
        raise Refused(Refusal.NOT_FOUND)
    alarms = (await reads.alarms([cycle], bank))[cycle]
    view = cycle_view(runs[0], alarms) if runs else open_cycle_view(control, alarms)
    is_published = view.published_at is not None
    # Operators have to see what holds a cycle back; to a bank it does not exist before it is published.
    shows_positions = is_published or bank is None
    instructions, nets = await reads.settlements(cycle, bank)
    detail = CycleDetailView(
        **msgspec.structs.asdict(view),
        positions=position_views(await reads.positions(cycle, bank)) if shows_positions else (),
        files=file_views(await reads.files(cycle, bank)),
        settlements=tuple(settlement_view(instruction) for instruction in instructions),
        settlement_positions=position_views(nets),
        liquidity=liquidity_views(await reads.liquidity(bank)) if not runs else (),
    )
    return json_response(encode_json(detail))


async def post_settlement(request: web.Request) -> web.Response:
    """`POST /v1/clearing/cycles/{cycle}/settlement`: the settlement bank has moved what it had to, or could not."""
    bank = bank_of_request(request)
    no_parameters(request)
    node = request.app[NODE]
    if not await CycleReads(node.pool).is_settlement_bank(bank):
        raise Refused(Refusal.NOT_FOUND)
    cycle = _cycle_of_path(request)
    wished = read_body(request[BODY], SettlementRequest)
    outcome = Outcome(wished.status)

    async def work(connection: AnyConnection) -> Done | NotDone:
        taken = await take_answer(connection, cycle=cycle, outcome=outcome, reference=wished.reference)
        if isinstance(taken, Refusal):
            return NotDone(taken)
        return Done(200, encode_json(settlement_view(taken.instruction)), is_replay=taken.is_replay)

    facts = {"cycle": cycle_text(cycle), **msgspec.structs.asdict(wished)}
    wish = Wish(
        caller=caller_id(request),
        operation="settlement",
        key=idempotency_key(request),
        facts=msgspec.json.encode(facts, order="sorted"),
    )
    answer = await answer_once(node.pool, node.keyring, node.ids, wish, work)
    if isinstance(answer, NotDone):
        raise Refused(answer.refusal, tuple(FieldError(f"/{one.field}", one.reason) for one in answer.fields))
    if outcome is Outcome.CONFIRMED:
        await finish_settlement(transactions_of(node.pool), cycle, books=node.clearing)
    return done_response(answer)


async def post_cap(request: web.Request) -> web.Response:
    """`POST /v1/clearing/caps`: change what a bank may owe over everything that is not settled."""
    no_parameters(request)
    wished = read_body(request[BODY], CapRequest)
    try:
        bank = BankId(parse_id(wished.bank, IdKind.BANK))
    except MalformedId:
        raise refuse_field("/bank", "not the id of a bank") from None

    async def step(asked: Asking) -> Done | NotDone:
        return asked_for(asked, await ask_cap(asked, bank, wished.cap, reason=wished.reason))

    wish = wish_of(request, "net_debit_cap", msgspec.structs.asdict(wished))
    return done_response(await do_once(request, wish, step))


async def _viewer(request: web.Request) -> BankId | None:
    """The bank that looks; None for an operator, who sees all banks. For everybody else there are no cycles."""
    if request[CALLER].kind is IdKind.BANK:
        return bank_of_request(request)
    await reading_operator(request)
    return None


def _cycle_of_path(request: web.Request) -> CycleNumber:
    try:
        return parse_cycle(request.match_info["cycle"])
    except ValueError:
        raise Refused(Refusal.NOT_FOUND) from None


def _cycles_of(business_date: str | None) -> tuple[CycleNumber, CycleNumber]:
    day = date_of(business_date)
    if day is None:
        return _ALL_FROM, _ALL_TO
    return cycle_number(day, 1), cycle_number(day, CYCLES_PER_DAY_MAX)


def _cursor(text: str) -> CycleNumber:
    try:
        return parse_cycle(text)
    except ValueError:
        raise refuse_field("/cursor", "not a cursor of this list") from None
