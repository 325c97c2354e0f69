"""The keys of id tokens: made when there is none or the newest is old, published until what they have signed is dead.

They are read anew each time: a login is rare beside a payment, and so no node signs with what another has replaced.
"""

from datetime import datetime, timedelta
from typing import Final

import asyncpg

from engine.codes.keys import Keyring
from engine.codes.login_code import LoginKey, login_key_of, new_login_key
from engine.flows.clock import IdSource
from engine.store.logins import SealedLoginKey, insert_login_key, load_login_keys

LOGIN_KEY_PLACE: Final = "login_key.secret"
ROTATE_AFTER: Final = timedelta(days=90)
PUBLISHED_AFTER: Final = timedelta(days=1)
"""For so long a key is published once it signs no more. Its tokens live for minutes."""


async def login_keys(pool: asyncpg.Pool, keyring: Keyring, ids: IdSource, *, now: datetime) -> tuple[LoginKey, ...]:
    """The keys that are published, newest first; the first one signs. A database without one, or whose newest is 90
    days old, gets one more, however many nodes notice it at once.

    Raises:
        Fault: the database cannot answer.
        SealBroken: they were sealed with another master secret.
    """
    known = await load_login_keys(pool)
    if not known or now - known[0].created_at >= ROTATE_AFTER:
        fresh = new_login_key(f"login-{len(known) + 1}")
        sealed = keyring.seal(fresh.to_der(), place=LOGIN_KEY_PLACE, nonce=ids.nonce())
        await insert_login_key(pool, SealedLoginKey(fresh.key_id, sealed, now))
        known = await load_login_keys(pool)
    followed_at = [now, *(key.created_at for key in known)]  # when each one's successor came
    return tuple(
        login_key_of(key.key_id, keyring.unseal(key.sealed, place=LOGIN_KEY_PLACE))
        for key, until in zip(known, followed_at, strict=False)
        if now - until < PUBLISHED_AFTER
    )
