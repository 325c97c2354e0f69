"""Endpoints of merchants, agencies and channels: registered, given new secrets, stopped, and told again."""

from datetime import datetime
from typing import Final

import msgspec

from engine.codes.keys import Keyring
from engine.codes.webhook_signature import SECRET_BYTES, secret_text
from engine.core.ids import IdKind, region_of, shard_of
from engine.core.participants import WrongField
from engine.core.refusals import Refusal
from engine.core.webhooks import (
    ENDPOINTS_MAX,
    GIVE_UP_AFTER,
    OVERLAP,
    TEST_TYPE,
    EndpointState,
    unknown_types,
)
from engine.flows.answer_once import NotDone
from engine.flows.clock import IdSource
from engine.store.connection import AnyConnection
from engine.store.participants import load_clocks
from engine.store.webhooks import (
    SECRET_PLACE,
    Endpoint,
    Message,
    count_endpoints,
    insert_endpoint,
    insert_messages,
    load_message,
    lock_endpoint,
    remove_endpoint,
    send_again,
    set_secret,
    set_state,
)

OWNER_KINDS: Final = (IdKind.MERCHANT, IdKind.AGENCY, IdKind.CHANNEL)
"""Who may be told."""


class EndpointWish(msgspec.Struct, frozen=True, kw_only=True):
    """Where an owner wants to be told, and of what: everything if `types` is empty."""

    url: str
    types: tuple[str, ...]
    description: str | None


class EndpointWithSecret(msgspec.Struct, frozen=True):
    """An endpoint whose secret is told this once. Its repr shows nothing of it."""

    endpoint: Endpoint
    secret: str

    def __repr__(self) -> str:
        return f"EndpointWithSecret({self.endpoint.id.hex()}, ***)"


class Desk(msgspec.Struct, frozen=True, kw_only=True):
    """Whose endpoints they are, and what changing them needs. `now` is wall time."""

    connection: AnyConnection
    keyring: Keyring
    ids: IdSource
    owner: bytes
    now: datetime

    def seal(self, secret: bytes) -> bytes:
        """A secret as it is kept."""
        return self.keyring.seal(secret, place=SECRET_PLACE, nonce=self.ids.nonce())


async def register_endpoint(desk: Desk, wish: EndpointWish) -> EndpointWithSecret | NotDone:
    """The endpoint is told what happens from now on. Its address was judged before."""
    unknown = unknown_types(wish.types)
    if unknown:
        return NotDone(Refusal.FIELD_INVALID, (WrongField("types", f"unknown, or given twice: {unknown[0][:64]}"),))
    if await count_endpoints(desk.connection, desk.owner) >= ENDPOINTS_MAX:
        return NotDone(Refusal.FIELD_INVALID, (WrongField("url", f"at most {ENDPOINTS_MAX} endpoints"),))
    secret = desk.ids.token() + desk.ids.token()
    assert len(secret) == SECRET_BYTES
    endpoint = Endpoint(
        id=desk.ids.new(IdKind.WEBHOOK_ENDPOINT, shard=0, region=region_of(desk.owner)),
        owner=desk.owner,
        url=wish.url,
        types=wish.types,
        description=wish.description,
        sealed=desk.seal(secret),
        earlier_sealed=None,
        earlier_ends=None,
        state=EndpointState.ENABLED,
        is_gone=False,
        created_at=(await load_clocks(desk.connection)).business,
    )
    await insert_endpoint(desk.connection, endpoint)
    return EndpointWithSecret(endpoint, secret_text(secret))


async def rotate_secret(desk: Desk, identifier: bytes) -> EndpointWithSecret | NotDone:
    """The endpoint has a new secret; the one before signs along for a day, and one before that no more."""
    endpoint = await lock_endpoint(desk.connection, identifier, desk.owner)
    if endpoint is None:
        return NotDone(Refusal.NOT_FOUND)
    secret = desk.ids.token() + desk.ids.token()
    sealed, ends = desk.seal(secret), desk.now + OVERLAP
    await set_secret(desk.connection, identifier, sealed=sealed, earlier=endpoint.sealed, earlier_ends=ends)
    changed = msgspec.structs.replace(endpoint, sealed=sealed, earlier_sealed=endpoint.sealed, earlier_ends=ends)
    return EndpointWithSecret(changed, secret_text(secret))


async def change_state(desk: Desk, identifier: bytes, state: EndpointState) -> Endpoint | NotDone:
    """The endpoint is enabled or disabled. What waited for it goes on; what happened meanwhile is not told."""
    endpoint = await lock_endpoint(desk.connection, identifier, desk.owner)
    if endpoint is None:
        return NotDone(Refusal.NOT_FOUND)
    if endpoint.state is state:
        return endpoint
    await set_state(desk.connection, identifier, state)
    return msgspec.structs.replace(endpoint, state=state, is_gone=False)


async def drop_endpoint(desk: Desk, identifier: bytes) -> bool:
    """The endpoint is gone, and what waited for it; False if the owner has none such."""
    if await lock_endpoint(desk.connection, identifier, desk.owner) is None:
        return False
    await remove_endpoint(desk.connection, identifier)
    return True


async def send_test(desk: Desk, identifier: bytes) -> Message | NotDone:
    """A message about nothing is on its way to the endpoint."""
    endpoint = await lock_endpoint(desk.connection, identifier, desk.owner)
    if endpoint is None:
        return NotDone(Refusal.NOT_FOUND)
    business = (await load_clocks(desk.connection)).business
    message = desk.ids.new(IdKind.EVENT, shard=shard_of(desk.owner), region=region_of(desk.owner))
    row = (identifier, message, None, None, TEST_TYPE, None, None, None, None, business)
    await insert_messages(desk.connection, [row], now=desk.now, give_up_at=desk.now + GIVE_UP_AFTER)
    made = await load_message(desk.connection, identifier, message)
    assert made is not None, "it was inserted in this transaction"
    return made


async def resend(desk: Desk, identifier: bytes, message: bytes) -> Message | NotDone:
    """A message is sent again, at once and for three more days, whatever became of it before."""
    if await lock_endpoint(desk.connection, identifier, desk.owner) is None:
        return NotDone(Refusal.NOT_FOUND)
    again = await send_again(desk.connection, identifier, message, now=desk.now, give_up_at=desk.now + GIVE_UP_AFTER)
    return again if again is not None else NotDone(Refusal.NOT_FOUND)
