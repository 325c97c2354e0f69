"""A look at what is known of a person: authorized three ways at the instant of the look, written down either way."""

from datetime import date, datetime
from typing import Final

import asyncpg
import msgspec

from engine.codes.keys import Keyring
from engine.core.audit import Access
from engine.core.cards import why_not_issued
from engine.core.channels import Product
from engine.core.consents import first_missing, why_no_purpose
from engine.core.ids import id_text
from engine.core.inquiry import InquiryRecord, Topic
from engine.core.participants import WrongField
from engine.core.refusals import Refusal
from engine.flows.answer_once import NotDone
from engine.flows.channels.standing import why_channel_may_not
from engine.flows.inquiry.regional_systems import Asking, Question, RegionalSystems
from engine.store.audit import append_access
from engine.store.connection import AnyConnection
from engine.store.consents import Look, Looked, RecordsWanted, look
from engine.store.faults import translated
from engine.store.inquiry import CONTENT_PLACE, RegionalSource, load_source
from engine.store.persons import ID_NUMBER_PLACE, RegisteredCard

FIRST_PAGE: Final = 2**63 - 1
ALLOWED: Final = "allowed"


class Inquiry(msgspec.Struct, frozen=True, kw_only=True):
    """What a channel wants to see of the person of a card."""

    topic: Topic
    card: RegisteredCard
    channel: bytes
    department: bytes | None
    purpose: str | None
    cursor: str | None
    limit: int
    trace_id: str
    today: date
    now: datetime


class Found(msgspec.Struct, frozen=True):
    """A page, newest first. Its repr shows nothing of the person."""

    items: tuple[InquiryRecord, ...]
    next_cursor: str | None


class InquiryDesk(msgspec.Struct, frozen=True, kw_only=True):
    """What inquiries are answered with."""

    pool: asyncpg.Pool
    keyring: Keyring
    regional: RegionalSystems
    asking: Asking


async def inquire(desk: InquiryDesk, asked: Inquiry) -> Found | NotDone:
    """A page of a topic. The look, or its refusal, is in the audit trail before anything of it is told to anybody.

    Consent and grants are read by the very statement that reads the records. A region's own system is asked in between
    two readings of them, so what is withdrawn while it thinks is not shown any more.

    Raises:
        Fault: the database cannot answer.
    """
    source = await load_source(desk.pool, asked.topic.name, asked.card.region)
    if source is None:
        before = _place_in(asked.cursor)
        if before is None:
            return NotDone(Refusal.FIELD_INVALID, (WrongField("cursor", "not a cursor of this list"),))
        looked = await _look(desk, asked, RecordsWanted(asked.topic.name, before, asked.limit + 1))
        return looked if isinstance(looked, NotDone) else _page_of(desk.keyring, asked, looked)
    allowed = await _look(desk, asked)
    if isinstance(allowed, NotDone):
        return allowed
    return await _ask_region(desk, asked, source)


async def _ask_region(desk: InquiryDesk, asked: Inquiry, source: RegionalSource) -> Found | NotDone:
    question = Question(
        id_number=desk.keyring.unseal(asked.card.id_number, place=ID_NUMBER_PLACE).decode(),
        cursor=asked.cursor,
        limit=asked.limit,
    )
    page = await desk.regional.ask(desk.asking, source, asked.topic, question)
    if page is None:
        with translated():
            async with desk.pool.acquire() as connection, connection.transaction():
                await _write_down(connection, asked, Refusal.UPSTREAM_UNAVAILABLE)
        return NotDone(Refusal.UPSTREAM_UNAVAILABLE, (WrongField("region", f"{source.region:06d} does not answer"),))
    still = await _look(desk, asked, is_again=True)
    return still if isinstance(still, NotDone) else Found(page.items, page.next_cursor)


async def _look(
    desk: InquiryDesk, asked: Inquiry, wanted: RecordsWanted | None = None, *, is_again: bool = False
) -> Looked | NotDone:
    """What the authorizations let see. *is_again*: that they do is in the audit trail already."""
    with translated():
        async with desk.pool.acquire() as connection, connection.transaction():
            looked, refusal = await _judged(connection, asked, wanted)
            if refusal is not None or not is_again:
                await _write_down(connection, asked, refusal)
    return NotDone(refusal) if refusal is not None else looked


async def _judged(
    connection: AnyConnection, asked: Inquiry, wanted: RecordsWanted | None
) -> tuple[Looked, Refusal | None]:
    """What there is to see, and the first reason for which it is not shown."""
    looked = await look(
        connection,
        Look(
            card=asked.card.id,
            region=asked.card.region,
            department=asked.department,
            channel=asked.channel,
            scope=asked.topic.scope,
            purpose=asked.purpose or "",
            today=asked.today,
        ),
        wanted,
    )
    refusal = why_no_purpose(asked.purpose) or why_not_issued(asked.card.status) or first_missing(looked.held)
    if refusal is None:  # a channel may be live, and yet not for this in the person's region
        refusal = await why_channel_may_not(connection, asked.channel, Product.INQUIRY, asked.card.region)
    return looked, refusal


async def _write_down(connection: AnyConnection, asked: Inquiry, refusal: Refusal | None) -> None:
    access = Access(
        caller=asked.channel,
        subject=asked.card.id,
        action=f"inquiry.{asked.topic.name}",
        purpose=asked.purpose if why_no_purpose(asked.purpose) is None else None,
        object=id_text(asked.department) if asked.department is not None else None,
        result=refusal.slug if refusal is not None else ALLOWED,
        trace_id=asked.trace_id,
        channel=asked.channel,
    )
    await append_access(connection, access, now=asked.now)


def _place_in(cursor: str | None) -> int | None:
    """Where a page begins; None if the text is no cursor."""
    if cursor is None:
        return FIRST_PAGE
    return int(cursor) if cursor.isascii() and cursor.isdigit() and len(cursor) <= len(str(10**17)) else None


def _page_of(keyring: Keyring, asked: Inquiry, looked: Looked) -> Found:
    shown = looked.records[: asked.limit]
    decoder = msgspec.json.Decoder(asked.topic.record)
    items = tuple(decoder.decode(keyring.unseal(one.content, place=CONTENT_PLACE)) for one in shown)
    return Found(items, str(shown[-1].n) if len(looked.records) > len(shown) else None)
