"""The audit trail over HTTP: who has looked at whose data. Reading it is a look, too."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from aiohttp import web

from engine.core.audit import PURPOSE_CHARS_MAX, is_purpose
from engine.core.ids import IdKind, MalformedId, parse_id
from engine.core.journal import microseconds
from engine.core.participants import regions_of
from engine.core.refusals import Refusal
from engine.store.audit import AuditPlace, AuditWanted, load_audit_entries
from engine.web.audit.looks import access_of, note_look
from engine.web.audit.wire import AuditList, audit_entry_view
from engine.web.body import Refused, refuse_field
from engine.web.lists import page_of
from engine.web.node import NODE
from engine.web.operator_requests import reading_operator
from engine.web.payments import json_response
from engine.web.render import encode_json

FILTERS: Final = ("card", "payment", "channel", "trace_id", "since", "until")
_TRACE_ID: Final = re.compile(r"[0-9a-f]{32}")
_INSTANT: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?Z")
_CURSOR: Final = re.compile(r"([0-9]{1,17})-([0-9]{1,2})-([0-9]{1,18})")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


async def get_audit(request: web.Request) -> web.Response:
    """`GET /v1/audit`: who has looked at whose data in the operator's region, newest first. This is noted as well."""
    operator = await reading_operator(request)
    page = page_of(request, filters=("purpose", *FILTERS))
    filters = page.filters
    try:
        purpose = purpose_of(filters)
    except Refused as refused:
        await note_look(request, access_of(request, "audit.read", refusal=refused.refusal))
        raise
    wanted = AuditWanted(
        regions=regions_of(operator.region),
        count=page.limit + 1,
        subject=_id_of(filters, "card", IdKind.CARD),
        payment=_id_of(filters, "payment", IdKind.PAYMENT),
        channel=_id_of(filters, "channel", IdKind.CHANNEL),
        trace_id=_trace_id_of(filters),
        since=_instant_of(filters, "since"),
        until=_instant_of(filters, "until"),
        before=_place_of(page.cursor),
    )
    about = "&".join(f"{name}={filters[name]}" for name in FILTERS if name in filters) or None
    look = access_of(
        request, "audit.read", subject=wanted.subject, payment=wanted.payment, purpose=purpose, about=about
    )
    await note_look(request, look)
    entries = await load_audit_entries(request.app[NODE].pool, wanted)
    shown = entries[: page.limit]
    cursor = None
    if len(entries) > page.limit:
        last = shown[-1]
        cursor = f"{microseconds(last.at)}-{last.chain}-{last.n}"
    return json_response(encode_json(AuditList(items=tuple(map(audit_entry_view, shown)), next_cursor=cursor)))


def purpose_of(parameters: dict[str, str]) -> str:
    """What personal data are wanted for.

    Raises:
        Refused: it is not said, or in words that could hide a person's number.
    """
    purpose = parameters.get("purpose")
    if not purpose:
        raise Refused(Refusal.PURPOSE_REQUIRED)
    if not is_purpose(purpose):
        raise refuse_field(
            "/purpose", f"a word or a reference of at most {PURPOSE_CHARS_MAX} characters, without long numbers"
        )
    return purpose


def _id_of(filters: dict[str, str], name: str, kind: IdKind) -> bytes | None:
    if name not in filters:
        return None
    try:
        return parse_id(filters[name], kind)
    except MalformedId:
        raise refuse_field(f"/{name}", f"not the id of a {name}") from None


def _trace_id_of(filters: dict[str, str]) -> str | None:
    trace_id = filters.get("trace_id")
    if trace_id is not None and not _TRACE_ID.fullmatch(trace_id):
        raise refuse_field("/trace_id", "32 digits of hexadecimal, in lower case")
    return trace_id


def _instant_of(filters: dict[str, str], name: str) -> datetime | None:
    text = filters.get(name)
    if text is None:
        return None
    try:
        if not _INSTANT.fullmatch(text):
            raise ValueError
        return datetime.fromisoformat(text)
    except ValueError:
        raise refuse_field(f"/{name}", "an instant is written YYYY-MM-DDThh:mm:ssZ") from None


def _place_of(cursor: str | None) -> AuditPlace | None:
    if cursor is None:
        return None
    found = _CURSOR.fullmatch(cursor)
    if found is None:
        raise refuse_field("/cursor", "not a cursor of this list")
    at_us, chain, n = map(int, found.groups())
    return AuditPlace(_EPOCH + timedelta(microseconds=at_us), chain, n)
