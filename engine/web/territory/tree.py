"""Regions over HTTP: the tree, and how far each has come with the electronic card."""

from collections.abc import Sequence
from datetime import date

from aiohttp import web

from engine.core.participants import Right
from engine.core.refusals import Refusal
from engine.core.territory import REGIONS, Activation, children_of
from engine.store.territory import load_activation, load_activation_history, load_last_counted
from engine.web.body import Refused, refuse_field
from engine.web.lists import date_of, page_of, parameters
from engine.web.node import NODE
from engine.web.operator_requests import reading_operator
from engine.web.payments import json_response
from engine.web.regions import region_in
from engine.web.render import encode_json
from engine.web.territory.wire import ActivationHistory, ActivationList, RegionList, activation_view, region_view


async def get_regions(request: web.Request) -> web.Response:
    """`GET /v1/regions`: the country, its provinces and their cities, or what lies right below one of them."""
    parent = parameters(request, ("parent",)).get("parent")
    if parent is None:
        found = tuple(REGIONS.values())
    elif len(parent) != 6 or not (parent.isascii() and parent.isdigit()) or int(parent) not in REGIONS:
        raise Refused(Refusal.REGION_UNKNOWN)
    else:
        found = children_of(int(parent))
    return json_response(encode_json(RegionList(items=tuple(region_view(region) for region in found))))


async def get_activation(request: web.Request) -> web.Response:
    """`GET /v1/regions/{code}/activation`: the figures of each city of a region, as the business date began."""
    region = await region_read(request)
    given = parameters(request, ("business_date",)).get("business_date")
    pool = request.app[NODE].pool
    day = date_of(given) or await load_last_counted(pool, until=date.max)
    figures = await load_activation(pool, day, region) if day is not None else ()
    answer = ActivationList(
        items=tuple(activation_view(one) for one in figures),
        total=activation_view(_total(region, day, figures)) if day is not None and figures else None,
    )
    return json_response(encode_json(answer))


async def get_activation_history(request: web.Request) -> web.Response:
    """`GET /v1/regions/{code}/activation/history`: what a region adds up to, day by day, newest first."""
    region = await region_read(request)
    page = page_of(request)
    try:
        before = date_of(page.cursor) or date.max
    except Refused:
        raise refuse_field("/cursor", "not a cursor of this list") from None
    days = await load_activation_history(request.app[NODE].pool, region, before=before, count=page.limit + 1)
    items = tuple(activation_view(one) for one in days[: page.limit])
    cursor = items[-1].business_date.isoformat() if len(days) > page.limit else None
    return json_response(encode_json(ActivationHistory(items=items, next_cursor=cursor)))


async def region_read(request: web.Request) -> int:
    """The region of the path, if the operator that calls may look at it.

    Raises:
        Refused: another caller, no region, or one outside of the operator's.
    """
    operator = await reading_operator(request)
    region = region_in(request)
    if not operator.may(Right.READ, region):
        raise Refused(Refusal.REGION_NOT_PERMITTED)
    return region


def _total(region: int, day: date, figures: Sequence[Activation]) -> Activation:
    return Activation(
        business_date=day,
        region=region,
        holders=sum(one.holders for one in figures),
        activated=sum(one.activated for one in figures),
        level_2=sum(one.level_2 for one in figures),
    )
