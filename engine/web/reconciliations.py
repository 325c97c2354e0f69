"""Reconciliations over HTTP: a bank sees its own, operators see all of them."""

from collections.abc import Mapping
from typing import Final, TypeVar

from aiohttp import web

from engine.core.differences import ReconciliationState
from engine.core.ids import BankId, IdKind, MalformedId, parse_id
from engine.core.refusals import Refusal
from engine.flows.suggest_pairs import suggest_pairs
from engine.store.reconciliation import Reconciliation, Reconciliations
from engine.web.banks import bank_of_request
from engine.web.body import Refused, refuse_field
from engine.web.boundary import CALLER
from engine.web.lists import date_of, no_parameters, page_of
from engine.web.node import NODE
from engine.web.operator_requests import reading_operator
from engine.web.payments import json_response
from engine.web.render import encode_json
from engine.web.wire_reconciliation import (
    CLASSES_BY_NAME,
    STATES_BY_NAME,
    DifferenceList,
    ReconciliationList,
    difference_views,
    reconciliation_view,
)

T = TypeVar("T")

_RECONCILIATION_STATES: Final = {state.name.lower(): state for state in ReconciliationState}


async def get_reconciliations(request: web.Request) -> web.Response:
    """`GET /v1/reconciliations`: statements and how they compare, newest first."""
    bank = await _viewer(request)
    filters = ("business_date", "state", *(("bank",) if bank is None else ()))
    page = page_of(request, IdKind.RECONCILIATION, filters=filters)
    if "bank" in page.filters:
        bank = _bank_of(page.filters["bank"])
    reads = Reconciliations(request.app[NODE].pool)
    found = await reads.page(
        bank=bank,
        business_date=date_of(page.filters.get("business_date")),
        state=_one_of(_RECONCILIATION_STATES, page.filters, "state"),
        before=page.before,
        count=page.limit + 1,
    )
    shown = found[: page.limit]
    counts = await reads.counts([reconciliation.id for reconciliation in shown])
    items = tuple(reconciliation_view(one, counts[one.id]) for one in shown)
    cursor = items[-1].id if len(found) > page.limit else None
    return json_response(encode_json(ReconciliationList(items=items, next_cursor=cursor)))


async def get_reconciliation(request: web.Request) -> web.Response:
    """`GET /v1/reconciliations/{id}`: one of them, with its counts by class."""
    viewer = await _viewer(request)
    no_parameters(request)
    reads = Reconciliations(request.app[NODE].pool)
    reconciliation = await _of_path(request, reads, viewer)
    counts = await reads.counts([reconciliation.id])
    return json_response(encode_json(reconciliation_view(reconciliation, counts[reconciliation.id])))


async def get_reconciliation_items(request: web.Request) -> web.Response:
    """`GET /v1/reconciliations/{id}/items`: what differs, in order of its numbers."""
    viewer = await _viewer(request)
    page = page_of(request, filters=("class", "state"))
    node = request.app[NODE]
    reads = Reconciliations(node.pool)
    reconciliation = await _of_path(request, reads, viewer)
    found = await reads.differences(
        reconciliation.id,
        after=_number_of(page.cursor),
        kind=_one_of(CLASSES_BY_NAME, page.filters, "class"),
        state=_one_of(STATES_BY_NAME, page.filters, "state"),
        count=page.limit + 1,
    )
    shown = found[: page.limit]
    today = (await node.reads.business_now()).control.business_date
    items = difference_views(shown, today=today, suggested=await suggest_pairs(reads, shown))
    cursor = str(shown[-1].n) if len(found) > page.limit else None
    return json_response(encode_json(DifferenceList(items=items, next_cursor=cursor)))


async def _viewer(request: web.Request) -> BankId | None:
    """The bank that looks; None for an operator, who sees all banks. For everybody else there is nothing here."""
    if request[CALLER].kind is IdKind.BANK:
        return bank_of_request(request)
    await reading_operator(request)
    return None


async def _of_path(request: web.Request, reads: Reconciliations, viewer: BankId | None) -> Reconciliation:
    """The reconciliation of the path.

    Raises:
        Refused: nobody's, or another bank's.
    """
    try:
        reconciliation = await reads.load(parse_id(request.match_info["id"], IdKind.RECONCILIATION))
    except MalformedId:
        reconciliation = None
    if reconciliation is None or viewer not in (None, reconciliation.bank):
        raise Refused(Refusal.NOT_FOUND)
    return reconciliation


def _one_of(known: Mapping[str, T], filters: Mapping[str, str], name: str) -> T | None:
    if name not in filters:
        return None
    if filters[name] not in known:
        raise refuse_field(f"/{name}", f"one of {', '.join(known)}")
    return known[filters[name]]


def _bank_of(text: str) -> BankId:
    try:
        return BankId(parse_id(text, IdKind.BANK))
    except MalformedId:
        raise refuse_field("/bank", "not the id of a bank") from None


def _number_of(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= 9):
        raise refuse_field("/cursor", "not a cursor of this list")
    return int(cursor)
