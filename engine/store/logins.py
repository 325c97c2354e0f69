"""Logins by QR code, the portals that ask for them, and the keys of id tokens: one query and one of our types each."""

from datetime import datetime

import asyncpg
import msgspec

from engine.codes.keys import FIELD_KEY_ID
from engine.core.logins import ClientState, Login, LoginClient, LoginScope, LoginState
from engine.store.connection import AnyConnection
from engine.store.faults import translated
from engine.store.participants import Source
from engine.store.sql import load_queries


class SealedLoginKey(msgspec.Struct, frozen=True):
    """A key of id tokens as stored: the secret is sealed."""

    key_id: str
    sealed: bytes
    created_at: datetime


async def load_client(source: Source, identifier: bytes) -> LoginClient | None:
    """The portal of this id."""
    with translated():
        row = await source.fetchrow(load_queries("logins")["client"], identifier)
    return _client_of(row) if row is not None else None


async def lock_client(connection: AnyConnection, identifier: bytes) -> LoginClient | None:
    """The portal of this id, which nobody else changes until the transaction ends."""
    with translated():
        row = await connection.fetchrow(load_queries("logins")["lock_client"], identifier)
    return _client_of(row) if row is not None else None


async def load_clients(
    source: Source, *, regions: tuple[int, int], before: bytes | None, count: int
) -> list[LoginClient]:
    """Portals of these regions, newest first."""
    with translated():
        rows = await source.fetch(load_queries("logins")["clients"], *regions, before, count)
    return [_client_of(row) for row in rows]


async def insert_client(connection: AnyConnection, client: LoginClient) -> None:
    """Keep a new portal."""
    with translated():
        await connection.execute(
            load_queries("logins")["insert_client"],
            client.id,
            client.region,
            client.name_zh,
            client.name_en,
            client.place,
            client.redirect_uris,
            client.scopes,
            client.secret_hash,
            client.state,
            client.changed_by,
            client.created_at,
        )


async def set_client_secret(
    connection: AnyConnection, identifier: bytes, secret_hash: bytes, *, earlier_ends_at: datetime
) -> None:
    """Give a portal a new secret; the one that it had is good until then."""
    with translated():
        await connection.execute(load_queries("logins")["set_client_secret"], identifier, secret_hash, earlier_ends_at)


async def set_client_state(
    connection: AnyConnection, identifier: bytes, state: ClientState, *, by: bytes, now: datetime
) -> None:
    """Let a portal log people in, or not any more."""
    with translated():
        await connection.execute(load_queries("logins")["set_client_state"], identifier, state, by, now)


async def insert_login(source: Source, login: Login) -> None:
    """Keep a new login."""
    with translated():
        await source.execute(
            load_queries("logins")["insert_login"],
            login.token,
            login.client,
            login.redirect_uri,
            login.scopes,
            login.client_state,
            login.nonce,
            login.challenge,
            login.browser_hash,
            login.state,
            login.created_at,
            login.expires_at,
        )


async def delete_old_logins(source: Source, *, before: datetime, unanswered_before: datetime, count: int) -> None:
    """Let a few of the logins go that had expired by then, and of those to which nobody had said yes by then."""
    with translated():
        await source.execute(load_queries("logins")["delete_old_logins"], before, unanswered_before, count)


async def load_login(source: Source, token: bytes) -> Login | None:
    """The login whose QR code has this token."""
    with translated():
        row = await source.fetchrow(load_queries("logins")["login"], token)
    return _login_of(row) if row is not None else None


async def lock_login(connection: AnyConnection, token: bytes) -> Login | None:
    """The login whose QR code has this token, which nobody else moves on until the transaction ends."""
    with translated():
        row = await connection.fetchrow(load_queries("logins")["lock_login"], token)
    return _login_of(row) if row is not None else None


async def update_login(connection: AnyConnection, login: Login) -> None:
    """Write down how a locked login has moved on."""
    with translated():
        await connection.execute(
            load_queries("logins")["update_login"],
            login.token,
            login.state,
            login.expires_at,
            login.card,
            login.channel,
            login.agreed_scopes,
            login.act,
            login.confirmed_at,
            login.redeemed_at,
            login.revoked_at,
        )


async def load_login_keys(source: Source) -> list[SealedLoginKey]:
    """The keys of id tokens, newest first."""
    with translated():
        rows = await source.fetch(load_queries("logins")["login_keys"])
    return [SealedLoginKey(row["key_id"], row["secret"], row["created_at"]) for row in rows]


async def insert_login_key(source: Source, key: SealedLoginKey) -> None:
    """Keep a key, unless there is one of that name."""
    with translated():
        await source.execute(
            load_queries("logins")["insert_login_key"], key.key_id, key.sealed, FIELD_KEY_ID, key.created_at
        )


def _client_of(row: asyncpg.Record) -> LoginClient:
    values = dict(row)
    return LoginClient(
        **values
        | {
            "redirect_uris": tuple(values["redirect_uris"]),
            "scopes": tuple(map(LoginScope, values["scopes"])),
            "state": ClientState(values["state"]),
        }
    )


def _login_of(row: asyncpg.Record) -> Login:
    values = dict(row)
    agreed = values["agreed_scopes"]
    return Login(
        **values
        | {
            "scopes": tuple(map(LoginScope, values["scopes"])),
            "state": LoginState(values["state"]),
            "agreed_scopes": tuple(map(LoginScope, agreed)) if agreed is not None else None,
        }
    )
