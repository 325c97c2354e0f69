"""Portals that let people log in: one operator registers one, another lets it, anyone in charge stops it."""

import base64
import hashlib
from datetime import timedelta

import msgspec

from engine.core.ids import IdKind
from engine.core.logins import ClientState, LoginClient, LoginScope, why_no_redirect
from engine.core.participants import Right, WrongField, is_region
from engine.core.refusals import Refusal
from engine.flows.answer_once import NotDone
from engine.flows.approve import Asking
from engine.store.logins import insert_client, load_client, lock_client, set_client_secret, set_client_state


class ClientWish(msgspec.Struct, frozen=True, kw_only=True):
    """Who is to be registered."""

    region: int
    name_zh: str
    name_en: str
    place: str
    redirect_uris: tuple[str, ...]
    scopes: tuple[LoginScope, ...]


class ClientWithSecret(msgspec.Struct, frozen=True):
    """A portal and its secret, which is shown in one answer and kept nowhere. Its repr does not show it."""

    client: LoginClient
    secret: str

    def __repr__(self) -> str:
        return f"ClientWithSecret(client={self.client.id.hex()}, ***)"


async def register_client(asked: Asking, wish: ClientWish) -> ClientWithSecret | NotDone:
    """Register a portal. It cannot ask anybody to log in until another operator lets it."""
    if not is_region(wish.region):
        return NotDone(Refusal.REGION_UNKNOWN, (WrongField("region", "not a region of GB/T 2260"),))
    refused = asked.why_not(Right.REQUEST, wish.region)
    if refused is not None:
        return refused
    for at, uri in enumerate(wish.redirect_uris):
        why = why_no_redirect(uri) if uri not in wish.redirect_uris[:at] else "given twice"
        if why is not None:
            return NotDone(Refusal.FIELD_INVALID, (WrongField(f"redirect_uris/{at}", why),))
    secret = _new_secret(asked)
    client = LoginClient(
        id=asked.ids.new(IdKind.LOGIN_CLIENT, shard=0, region=wish.region),
        region=wish.region,
        name_zh=wish.name_zh,
        name_en=wish.name_en,
        place=wish.place,
        redirect_uris=wish.redirect_uris,
        scopes=wish.scopes,
        secret_hash=_hash_of(secret),
        earlier_secret_hash=None,
        earlier_ends_at=None,
        state=ClientState.REGISTERED,
        changed_by=asked.operator.id,
        changed_at=asked.now,
        created_at=asked.now,
    )
    await insert_client(asked.connection, client)
    return ClientWithSecret(client, secret)


async def rotate_client_secret(
    asked: Asking, identifier: bytes, *, earlier_lasts: timedelta
) -> ClientWithSecret | NotDone:
    """Give a portal a new secret. The one that it had goes on working for as long as is said, at most a day or not at
    all; the one before that does not.
    """
    client = await _in_charge(asked, identifier, Right.REQUEST)
    if isinstance(client, NotDone):
        return client
    secret = _new_secret(asked)
    await set_client_secret(
        asked.connection, client.id, _hash_of(secret), earlier_ends_at=asked.clocks.wall + earlier_lasts
    )
    return ClientWithSecret(await _again(asked, client), secret)


async def suspend_client(asked: Asking, identifier: bytes) -> LoginClient | NotDone:
    """Let nobody log in at a portal; what it was told opens nothing any more. Doing it twice changes nothing."""
    client = await _in_charge(asked, identifier, Right.STOP)
    if isinstance(client, NotDone) or client.state is ClientState.SUSPENDED:
        return client
    await set_client_state(asked.connection, client.id, ClientState.SUSPENDED, by=asked.operator.id, now=asked.now)
    return await _again(asked, client)


async def enable_client(asked: Asking, identifier: bytes) -> LoginClient | NotDone:
    """Let people log in at a portal. It takes another operator than the one who registered or suspended it."""
    client = await _in_charge(asked, identifier, Right.DECIDE)
    if isinstance(client, NotDone) or client.state is ClientState.ACTIVE:
        return client
    if client.changed_by == asked.operator.id:
        return NotDone(Refusal.APPROVAL_REQUIRED)
    await set_client_state(asked.connection, client.id, ClientState.ACTIVE, by=asked.operator.id, now=asked.now)
    return await _again(asked, client)


async def _in_charge(asked: Asking, identifier: bytes, right: Right) -> LoginClient | NotDone:
    client = await lock_client(asked.connection, identifier)
    if client is None or asked.why_not(Right.READ, client.region) is not None:
        return NotDone(Refusal.NOT_FOUND)
    return asked.why_not(right, client.region) or client


async def _again(asked: Asking, client: LoginClient) -> LoginClient:
    found = await load_client(asked.connection, client.id)
    assert found is not None, "portals are never deleted"
    return found


def _new_secret(asked: Asking) -> str:
    return base64.urlsafe_b64encode(asked.ids.token() + asked.ids.token()).rstrip(b"=").decode()


def _hash_of(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
