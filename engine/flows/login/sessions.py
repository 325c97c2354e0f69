"""How a login moves on: a browser asks, a card scans, its person says yes or no. Whoever comes second is told so."""

import base64
import hashlib
from datetime import timedelta
from typing import Final

import asyncpg
import msgspec

from engine.core.calendar import business_date_at
from engine.core.cards import why_not_issued
from engine.core.channels import Product
from engine.core.consents import Scope
from engine.core.ids import CardId
from engine.core.logins import (
    SHOWN_FOR,
    Ask,
    ClientState,
    Login,
    LoginClient,
    LoginScope,
    LoginState,
    scanned,
    why_not_answered,
    why_not_scanned,
)
from engine.core.personal_acts import PersonalAct
from engine.core.refusals import Refusal
from engine.flows.answer_once import NotDone
from engine.flows.channels.standing import why_channel_may_not
from engine.flows.clock import IdSource
from engine.flows.consents.record import GivenConsent, record_consent
from engine.store.connection import AnyConnection
from engine.store.logins import delete_old_logins, insert_login, load_client, lock_login, update_login
from engine.store.participants import Clocks, load_clocks
from engine.store.persons import load_card

LOGIN_PURPOSE: Final = "login"
KEPT_FOR: Final = timedelta(days=7)
UNANSWERED_KEPT_FOR: Final = timedelta(hours=1)
"""Anybody may have a code shown: what comes of that is not for days."""

DELETED_AT_ONCE: Final = 20


class Begun(msgspec.Struct, frozen=True):
    """A login that waits for somebody, and the secret that only the asking browser gets. Its repr does not show it."""

    login: Login
    browser_secret: str

    def __repr__(self) -> str:
        return "Begun(***)"


class Scanning(msgspec.Struct, frozen=True, kw_only=True):
    """Which code was scanned, with whose card, in whose app."""

    token: bytes
    card: CardId
    channel: bytes


class Seen(msgspec.Struct, frozen=True):
    """A login and the portal that asks."""

    login: Login
    client: LoginClient


async def begin_login(pool: asyncpg.Pool, ids: IdSource, client: LoginClient, ask: Ask) -> Begun:
    """A login that anybody may scan for two minutes."""
    now = (await load_clocks(pool)).business
    secret = base64.urlsafe_b64encode(ids.token() + ids.token()).rstrip(b"=").decode()
    login = Login(
        token=ids.token(),
        client=client.id,
        redirect_uri=ask.redirect_uri,
        scopes=ask.scopes,
        client_state=ask.client_state,
        nonce=ask.nonce,
        challenge=ask.challenge,
        browser_hash=hashlib.sha256(secret.encode()).digest(),
        state=LoginState.CREATED,
        created_at=now,
        expires_at=now + SHOWN_FOR,
    )
    await insert_login(pool, login)
    await delete_old_logins(
        pool, before=now - KEPT_FOR, unanswered_before=now - UNANSWERED_KEPT_FOR, count=DELETED_AT_ONCE
    )
    return Begun(login, secret)


async def scan_login(connection: AnyConnection, scan: Scanning) -> Seen | NotDone:
    """Bind a login to a card and the channel that shows it. The same ones again are told the same again."""
    found = await _found(connection, scan)
    if isinstance(found, NotDone):
        return found
    seen, now = found
    refusal = why_not_scanned(seen.login, card=scan.card, channel=scan.channel, now=now.business)
    if refusal is not None:
        return NotDone(refusal)
    return await _moved(connection, seen, scanned(seen.login, card=scan.card, channel=scan.channel, now=now.business))


async def confirm_login(
    connection: AnyConnection,
    ids: IdSource,
    scan: Scanning,
    *,
    scopes: tuple[LoginScope, ...],
    act: PersonalAct,
) -> Seen | NotDone:
    """Log the person in, who agrees to these scopes by *act*. What is told of the person becomes a consent that lasts
    as long as telling it may take, and can be withdrawn like every other.
    """
    found = await _found(connection, scan)
    if isinstance(found, NotDone):
        return found
    seen, now = found
    refusal = why_not_answered(seen.login, card=scan.card, channel=scan.channel, now=now.business)
    if refusal is None and not set(seen.login.scopes).issuperset(scopes):
        refusal = Refusal.SCOPE_NOT_AUTHORIZED
    if refusal is not None:
        return NotDone(refusal)
    if LoginScope.PROFILE in scopes:
        today = business_date_at(now.business)
        consent = GivenConsent(
            card=scan.card,
            channel=seen.client.id,
            department=None,
            scopes=(Scope.PROFILE,),
            purpose=LOGIN_PURPOSE,
            valid_from=today,
            valid_until=today + timedelta(days=1),  # the date may change before the portal has asked
            evidence_kind=act.kind,
            evidence_digest=act.digest,
        )
        kept = await record_consent(connection, ids, consent, now=now.business)
        if isinstance(kept, NotDone):
            return kept
    confirmed = msgspec.structs.replace(
        seen.login,
        state=LoginState.CONFIRMED,
        agreed_scopes=tuple(scope for scope in LoginScope if scope in scopes),
        act=f"{act.kind} {act.digest}",
        confirmed_at=now.wall,
    )
    return await _moved(connection, seen, confirmed)


async def cancel_login(connection: AnyConnection, scan: Scanning) -> Seen | NotDone:
    """Log nobody in: the person has said no."""
    found = await _found(connection, scan)
    if isinstance(found, NotDone):
        return found
    seen, now = found
    refusal = why_not_answered(seen.login, card=scan.card, channel=scan.channel, now=now.business)
    if refusal is not None:
        return NotDone(refusal)
    return await _moved(connection, seen, msgspec.structs.replace(seen.login, state=LoginState.CANCELLED))


async def _found(connection: AnyConnection, scan: Scanning) -> tuple[Seen, Clocks] | NotDone:
    """The login, held, its portal, and the time, read in this order: nothing that is waited for makes it older."""
    login = await lock_login(connection, scan.token)
    if login is None:
        return NotDone(Refusal.NOT_FOUND)
    client = await load_client(connection, login.client)
    assert client is not None, "portals are never deleted"
    if client.state is not ClientState.ACTIVE:
        return NotDone(Refusal.LOGIN_CODE_EXPIRED)
    card = await load_card(connection, scan.card)
    if card is None:
        return NotDone(Refusal.NOT_FOUND)
    refusal = why_not_issued(card.status)
    if refusal is None:
        refusal = await why_channel_may_not(connection, scan.channel, Product.LOGIN, card.region)
    if refusal is not None:
        return NotDone(refusal)
    return Seen(login, client), await load_clocks(connection)


async def _moved(connection: AnyConnection, seen: Seen, login: Login) -> Seen:
    if login != seen.login:
        await update_login(connection, login)
    return Seen(login, seen.client)
