"""Passkeys, the challenges that they sign, and the links to the page on which people use them."""

from datetime import datetime

import asyncpg
import msgspec

from engine.codes.keys import FIELD_KEY_ID
from engine.core.ids import CardId, PaymentId
from engine.core.passkeys import Passkey, PasskeyId
from engine.core.payer import CardStatus
from engine.store.connection import AnyConnection
from engine.store.faults import translated
from engine.store.participants import Source
from engine.store.sql import load_queries


class NewChallenge(msgspec.Struct, frozen=True, kw_only=True):
    """What a passkey may sign, once. `expires_at` is wall time."""

    digest: bytes
    card: CardId
    channel: bytes
    act: str
    bound_to: str
    expires_at: datetime


class Challenge(NewChallenge, frozen=True, kw_only=True):
    """The same as it is kept; the last two are None until it was signed."""

    evidence: bytes | None
    used_key: str | None


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """How a challenge was signed: by which passkey, for the request of which key, and the digest of what shows it."""

    passkey: PasskeyId
    evidence: bytes
    key: str


class HeldPasskey(Passkey, frozen=True, kw_only=True):
    """A passkey that is about to be used, and how its card stands."""

    card_status: CardStatus


class PasskeyLink(msgspec.Struct, frozen=True, kw_only=True):
    """A link to the page: for a payment, or with the label of a passkey that is registered there, which is sealed."""

    digest: bytes
    card: CardId
    channel: bytes
    payment: PaymentId | None
    label: bytes | None
    expires_at: datetime
    used_at: datetime | None = None


async def insert_challenge(source: Source, challenge: NewChallenge, *, wall: datetime) -> None:
    """Keep a challenge."""
    with translated():
        await source.execute(
            load_queries("passkeys")["insert_challenge"],
            challenge.digest,
            challenge.card,
            challenge.channel,
            challenge.act,
            challenge.bound_to,
            challenge.expires_at,
            wall,
        )


async def hold_challenge(connection: AnyConnection, digest: bytes) -> Challenge | None:
    """The challenge of this digest. Locks: its row."""
    with translated():
        row = await connection.fetchrow(load_queries("passkeys")["hold_challenge"], digest)
    return Challenge(**dict(row)) if row is not None else None


async def use_challenge(connection: AnyConnection, digest: bytes, use: Use, *, now: datetime) -> None:
    """A held challenge was signed."""
    with translated():
        await connection.execute(
            load_queries("passkeys")["use_challenge"], digest, use.passkey, use.evidence, use.key, now
        )


async def hold_credential(connection: AnyConnection, credential_id: bytes) -> HeldPasskey | None:
    """The passkey whose device calls it by this id. Locks: its row."""
    with translated():
        row = await connection.fetchrow(load_queries("passkeys")["hold_credential"], credential_id)
    if row is None:
        return None
    values = dict(row)
    return HeldPasskey(**values | {"card_status": CardStatus(values["card_status"])})


async def load_passkeys(source: Source, card: CardId) -> list[Passkey]:
    """Every passkey of a card, newest first."""
    with translated():
        rows = await source.fetch(load_queries("passkeys")["passkeys_of_card"], card)
    return [_passkey_of(row) for row in rows]


async def load_passkey(source: Source, passkey: PasskeyId) -> Passkey | None:
    """One of them."""
    with translated():
        row = await source.fetchrow(load_queries("passkeys")["passkey_of_id"], passkey)
    return _passkey_of(row) if row is not None else None


async def insert_passkey(connection: AnyConnection, passkey: Passkey) -> bool:
    """True if the passkey is the card's from now on; False if its credential is known already."""
    with translated():
        inserted = await connection.fetchval(
            load_queries("passkeys")["insert_passkey"],
            passkey.id,
            passkey.card,
            passkey.credential_id,
            passkey.public_key,
            passkey.sign_count,
            passkey.label,
            FIELD_KEY_ID,
            passkey.registered_by,
            passkey.registered_at,
        )
    return inserted is not None


async def count_use(connection: AnyConnection, passkey: PasskeyId, *, sign_count: int, now: datetime) -> None:
    """A held passkey has signed this often."""
    with translated():
        await connection.execute(load_queries("passkeys")["count_use"], passkey, sign_count, now)


async def mark_copied(connection: AnyConnection, passkey: PasskeyId, *, now: datetime) -> None:
    """There are two of a passkey: neither is good for anything."""
    with translated():
        await connection.execute(load_queries("passkeys")["mark_copied"], passkey, now)


async def revoke_passkey(connection: AnyConnection, passkey: PasskeyId, *, now: datetime) -> None:
    """Nothing is agreed to by a passkey any more. Doing it twice changes nothing."""
    with translated():
        await connection.execute(load_queries("passkeys")["revoke_passkey"], passkey, now)


async def insert_link(source: Source, link: PasskeyLink, *, old_before: datetime) -> None:
    """Keep a link, and let a few of those go whose time was over by then."""
    with translated():
        await source.execute(
            load_queries("passkeys")["insert_link"],
            link.digest,
            link.card,
            link.channel,
            link.payment,
            link.label,
            FIELD_KEY_ID,
            link.expires_at,
            old_before,
        )


async def load_link(source: Source, digest: bytes) -> PasskeyLink | None:
    """The link whose token has this digest."""
    with translated():
        row = await source.fetchrow(load_queries("passkeys")["link_of_digest"], digest)
    return PasskeyLink(**dict(row)) if row is not None else None


async def hold_link(connection: AnyConnection, digest: bytes) -> bool:
    """True if the link was not used, and is nobody else's to use until the transaction ends. Locks: its row."""
    with translated():
        found = await connection.fetchval(load_queries("passkeys")["hold_link"], digest)
    return found is not None


async def use_link(source: Source, digest: bytes, *, now: datetime) -> None:
    """The link has done what it is for."""
    with translated():
        await source.execute(load_queries("passkeys")["use_link"], digest, now)


def _passkey_of(row: asyncpg.Record) -> Passkey:
    return Passkey(**dict(row))
