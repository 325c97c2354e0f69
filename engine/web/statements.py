"""Merchants' daily statements over HTTP, as JSON or CSV. A merchant sees its own, an operator those of its region."""

import re
from datetime import date
from typing import Final

from aiohttp import web

from engine.core.books import Control, clearing_of
from engine.core.calendar import CycleNumber
from engine.core.ids import IdKind, MalformedId, MerchantId, id_text, parse_id
from engine.core.participants import Right
from engine.core.refusals import Refusal
from engine.flows.merchant_statement import (
    Place,
    StatementOfDay,
    add_up,
    all_lines,
    open_statement,
    parse_place,
    read_page,
)
from engine.formats import merchant_statement_csv
from engine.store.participants import load_participant
from engine.web.body import Refused, refuse_field
from engine.web.boundary import CALLER, TRACEPARENT
from engine.web.lists import page_of, parameters
from engine.web.node import NODE
from engine.web.operator_requests import reading_operator
from engine.web.payments import json_response, merchant_of
from engine.web.render import encode_json
from engine.web.wire_statements import ClearingName, StatusOf, statement_view, totals_view

_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_WEIGHT: Final = re.compile(r"\s*q\s*=\s*([01](?:\.[0-9]{0,3})?)\s*", re.IGNORECASE)


async def get_statement(request: web.Request) -> web.StreamResponse:
    """`GET /v1/statements/{business_date}`: what the date has given a merchant, and taken back."""
    by_operator = request[CALLER].kind is not IdKind.MERCHANT
    own = ("merchant",) if by_operator else ()
    as_csv = prefers_csv(request.headers.get("Accept"))
    given = parameters(request, own if as_csv else ("limit", "cursor", *own))
    business_date = _date_of_path(request)
    merchant = await _merchant_named(request, given) if by_operator else MerchantId(merchant_of(request))
    node = request.app[NODE]
    statement = await open_statement(node.pool, merchant, business_date)
    if statement is None:
        raise Refused(Refusal.NOT_FOUND)
    status_of = _statuses((await node.reads.business_now()).control)
    if as_csv:
        name = f"statement-{id_text(merchant)}-{business_date}.csv"
        return await _send_csv(request, statement, status_of, name=name)
    page = page_of(request, filters=own)
    place = _place(page.cursor)
    totals = None
    if place is None:
        totals = totals_view(await add_up(statement), settlement_dates=statement.settlement_dates, status_of=status_of)
    found = await read_page(statement, place, count=page.limit)
    view = statement_view(
        merchant,
        business_date,
        is_final=statement.is_final,
        totals=totals,
        lines=found.lines,
        next_cursor=found.next.text if found.next is not None else None,
        status_of=status_of,
    )
    response = json_response(encode_json(view))
    response.headers["Vary"] = "Accept"
    return response


def prefers_csv(accept: str | None) -> bool:
    """True if CSV is named, and JSON is not wanted more (RFC 9110, section 12.5.1). What is not named is JSON."""
    weights = {"text/csv": 0.0, "application/json": 0.0}
    for entry in (accept or "").split(","):
        name, *rest = entry.split(";")
        media_type = name.strip().lower()
        if media_type in weights:
            found = [_WEIGHT.fullmatch(one) for one in rest if one.strip().lower().startswith("q")]
            weights[media_type] = min(float(found[0][1]), 1.0) if found and found[0] is not None else 1.0
    return weights["text/csv"] > 0 and weights["text/csv"] >= weights["application/json"]


async def _send_csv(
    request: web.Request, statement: StatementOfDay, status_of: StatusOf, *, name: str
) -> web.StreamResponse:
    """Send all lines, or cut the connection: once they have begun, nothing else can tell that they are not whole."""
    headers = {
        "Content-Type": "text/csv; charset=utf-8; header=present",
        "Content-Disposition": f'attachment; filename="{name}"',
        "Vary": "Accept",
        "traceparent": request[TRACEPARENT],  # once it is sent, it is too late
    }
    response = web.StreamResponse(headers=headers)
    await response.prepare(request)
    is_whole = False
    try:
        await response.write(merchant_statement_csv.header())
        async for lines in all_lines(statement):
            if lines:
                await response.write(merchant_statement_csv.rows(lines, status_of=status_of))
        await response.write_eof()
        is_whole = True
    finally:
        if not is_whole and request.transport is not None:
            request.transport.abort()
    return response


async def _merchant_named(request: web.Request, given: dict[str, str]) -> MerchantId:
    """The merchant that an operator looks at.

    Raises:
        Refused: another caller; or no merchant, or none of the operator's region.
    """
    operator = await reading_operator(request)
    if "merchant" not in given:
        raise refuse_field("/merchant", "required")
    try:
        merchant = MerchantId(parse_id(given["merchant"], IdKind.MERCHANT))
    except MalformedId:
        raise refuse_field("/merchant", "not the id of a merchant") from None
    participant = await load_participant(request.app[NODE].pool, merchant)
    if participant is None or not operator.may(Right.READ, participant.region):
        raise Refused(Refusal.NOT_FOUND)
    return merchant


def _statuses(control: Control) -> StatusOf:
    def status_of(cycle: CycleNumber) -> ClearingName:
        return clearing_of(cycle, control).name.lower()  # type: ignore[return-value]  # a Literal from an enum

    return status_of


def _date_of_path(request: web.Request) -> date:
    text = request.match_info["business_date"]
    try:
        if _DATE.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise Refused(Refusal.NOT_FOUND)


def _place(cursor: str | None) -> Place | None:
    if cursor is None:
        return None
    try:
        return parse_place(cursor)
    except ValueError:
        raise refuse_field("/cursor", "not a cursor of this list") from None
