"""Keys of participants: added and rotated by two operators, revoked by one; a secret is made here and told once."""

import base64
import secrets
from datetime import timedelta
from typing import Final

import asyncpg
import msgspec

from engine.codes.http_signature import Algorithm
from engine.codes.keys import CALLER_KEY_PLACE, Keyring
from engine.core.approvals import Approval, ApprovalKind
from engine.core.ids import IdKind, id_text, kind_number
from engine.core.participants import (
    KEY_PAIR_ONLY,
    Participant,
    Right,
    WrongField,
    may_share_secret,
    parse_participant_id,
)
from engine.core.refusals import Refusal
from engine.flows.answer_once import NotDone
from engine.flows.approve import Asking, CarriedOut, IssuedSecret, ask_approval
from engine.flows.clock import IdSource
from engine.store.connection import AnyConnection
from engine.store.faults import translated
from engine.store.participant_writes import end_retired_keys, insert_key, retire_other_keys, revoke_key
from engine.store.participants import (
    KeyState,
    count_keys,
    load_clocks,
    load_keys,
    load_participant,
    lock_participant,
)

SECRET_BYTES: Final = 32
OVERLAP_S_MAX: Final = 90 * 86_400


class NewKey(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A key that is asked for. `public_key` is PEM, empty for a shared secret; with `overlap_s` it takes the place of
    all others, which end after so many seconds.
    """

    id: str
    alg: Algorithm
    public_key: str = ""
    overlap_s: int | None = None


class IssuedKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key as it was given."""

    keyid: str
    alg: Algorithm
    secret: IssuedSecret | None


async def issue_key(
    connection: AnyConnection,
    keyring: Keyring,
    ids: IdSource,
    participant: Participant,
    *,
    alg: Algorithm,
    public_key: str,
    operator: bytes | None,
) -> IssuedKey:
    """Give a locked participant one more key; a suspended one can use it once it is reinstated."""
    keyid = f"{id_text(participant.id)}.{await count_keys(connection, participant.id) + 1}"
    secret = None
    if alg is Algorithm.HMAC_SHA256:
        text = base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()
        secret = IssuedSecret(keyid=keyid, alg=alg.value, key=text)
    else:
        text = public_key
    await insert_key(
        connection,
        participant.id,
        keyid=keyid,
        alg=alg.value,
        sealed=keyring.seal(text.encode(), place=CALLER_KEY_PLACE, nonce=ids.nonce()),
        is_suspended=participant.is_suspended and kind_number(participant.id) != IdKind.MERCHANT,
        now=(await load_clocks(connection)).wall,
        operator=operator,
    )
    return IssuedKey(keyid=keyid, alg=alg, secret=secret)


async def ask_new_key(asked: Asking, participant: Participant, wanted: NewKey, *, reason: str) -> Approval | NotDone:
    """Ask for a key of a participant, beside its others or in their place."""
    if wanted.alg is Algorithm.HMAC_SHA256 and not may_share_secret(participant.kind):
        return NotDone(Refusal.FIELD_INVALID, (WrongField("alg", KEY_PAIR_ONLY),))
    return await ask_approval(
        asked,
        kind=ApprovalKind.CHANGE_KEYS,
        region=participant.region,
        subject=id_text(participant.id),
        payload=wanted,
        reason=reason,
    )


class GiveKey:
    """The effect of CHANGE_KEYS."""

    def __init__(self, keyring: Keyring, ids: IdSource) -> None:
        """Seal with *keyring*."""
        self._keyring = keyring
        self._ids = ids

    async def __call__(self, connection: AnyConnection, approval: Approval, /) -> CarriedOut | NotDone:
        wanted = msgspec.json.decode(approval.payload, type=NewKey)
        clocks = await load_clocks(connection)
        participant = await lock_participant(connection, parse_participant_id(wanted.id), now=clocks.business)
        assert participant is not None, "participants are never deleted"
        key = await issue_key(
            connection,
            self._keyring,
            self._ids,
            participant,
            alg=wanted.alg,
            public_key=wanted.public_key,
            operator=approval.requested_by,
        )
        if wanted.overlap_s is not None:
            retires_at = clocks.wall + timedelta(seconds=wanted.overlap_s)
            await retire_other_keys(connection, participant.id, keyid=key.keyid, retires_at=retires_at)
        return CarriedOut({"keyid": key.keyid, "alg": key.alg.value}, key.secret)


async def revoke(asked: Asking, identifier: bytes, keyid: str, *, reason: str) -> KeyState | NotDone:
    """Take a key away: processes that have just used it forget it within moments. One operator is enough.

    Revoking it again changes nothing.
    """
    participant = await load_participant(asked.connection, identifier)
    if participant is None:
        return NotDone(Refusal.NOT_FOUND)
    refused = asked.why_not(Right.STOP, participant.region)
    if refused is not None:
        return refused
    await lock_participant(asked.connection, identifier, now=asked.now)
    await revoke_key(
        asked.connection, identifier, keyid=keyid, now=asked.clocks.wall, operator=asked.operator.id, reason=reason
    )
    for key in await load_keys(asked.connection, identifier):
        if key.keyid == keyid:
            return key
    return NotDone(Refusal.NOT_FOUND)


async def end_overlaps(pool: asyncpg.Pool) -> int:
    """Take away the keys whose overlap with their successor is over. Returns how many.

    Raises:
        Fault: the database cannot do it now.
    """
    with translated():
        async with pool.acquire() as connection, connection.transaction():
            return await end_retired_keys(connection, now=(await load_clocks(connection)).wall)
