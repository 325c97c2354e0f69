"""Keys of channels: more of them, and others in their place, by two operators; taken away by one."""

import base64
import secrets
from datetime import timedelta

import msgspec

from engine.codes.http_signature import Algorithm
from engine.codes.keys import CALLER_KEY_PLACE, Keyring
from engine.core.approvals import Approval, ApprovalKind
from engine.core.ids import IdKind, id_text, parse_id
from engine.core.participants import Right
from engine.core.refusals import Refusal
from engine.flows.answer_once import NotDone
from engine.flows.approve import Asking, CarriedOut, IssuedSecret, ask_approval
from engine.flows.clock import IdSource
from engine.flows.participant_keys import SECRET_BYTES, IssuedKey, NewKey
from engine.store.channels import load_channel, lock_channel
from engine.store.connection import AnyConnection
from engine.store.participant_writes import insert_key, retire_other_keys, revoke_key
from engine.store.participants import KeyState, count_keys, load_clocks, load_keys


async def give_key(
    connection: AnyConnection,
    keyring: Keyring,
    ids: IdSource,
    channel: bytes,
    *,
    alg: Algorithm,
    public_key: str,
    operator: bytes,
) -> IssuedKey:
    """Give a channel, new or locked, one more key. A secret is made here and told once."""
    keyid = f"{id_text(channel)}.{await count_keys(connection, channel) + 1}"
    secret = None
    text = public_key
    if alg is Algorithm.HMAC_SHA256:
        text = base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()
        secret = IssuedSecret(keyid=keyid, alg=alg.value, key=text)
    await insert_key(
        connection,
        channel,
        keyid=keyid,
        alg=alg.value,
        sealed=keyring.seal(text.encode(), place=CALLER_KEY_PLACE, nonce=ids.nonce()),
        is_suspended=False,
        now=(await load_clocks(connection)).wall,
        operator=operator,
    )
    return IssuedKey(keyid=keyid, alg=alg, secret=secret)


async def ask_channel_key(asked: Asking, channel: bytes, wanted: NewKey, *, reason: str) -> Approval | NotDone:
    """Ask for a key of a channel, beside its others or in their place."""
    found = await load_channel(asked.connection, channel)
    if found is None:
        return NotDone(Refusal.NOT_FOUND)
    return await ask_approval(
        asked,
        kind=ApprovalKind.CHANNEL_KEY,
        region=found.region,
        subject=id_text(channel),
        payload=wanted,
        reason=reason,
    )


class GiveChannelKey:
    """The effect of CHANNEL_KEY."""

    def __init__(self, keyring: Keyring, ids: IdSource) -> None:
        """Seal with *keyring*."""
        self._keyring = keyring
        self._ids = ids

    async def __call__(self, connection: AnyConnection, approval: Approval, /) -> CarriedOut | NotDone:
        wanted = msgspec.json.decode(approval.payload, type=NewKey)
        channel = await lock_channel(connection, parse_id(wanted.id, IdKind.CHANNEL))
        assert channel is not None, "channels are never deleted"
        key = await give_key(
            connection,
            self._keyring,
            self._ids,
            channel.id,
            alg=wanted.alg,
            public_key=wanted.public_key,
            operator=approval.requested_by,
        )
        if wanted.overlap_s is not None:
            retires_at = (await load_clocks(connection)).wall + timedelta(seconds=wanted.overlap_s)
            await retire_other_keys(connection, channel.id, keyid=key.keyid, retires_at=retires_at)
        return CarriedOut({"keyid": key.keyid, "alg": key.alg.value}, key.secret)


async def revoke_channel_key(asked: Asking, identifier: bytes, keyid: str, *, reason: str) -> KeyState | NotDone:
    """Take a key away: processes that have just used it forget it within moments. Again, it changes nothing."""
    channel = await lock_channel(asked.connection, identifier)
    if channel is None:
        return NotDone(Refusal.NOT_FOUND)
    refused = asked.why_not(Right.STOP, channel.region)
    if refused is not None:
        return refused
    await revoke_key(
        asked.connection, identifier, keyid=keyid, now=asked.clocks.wall, operator=asked.operator.id, reason=reason
    )
    for key in await load_keys(asked.connection, identifier):
        if key.keyid == keyid:
            return key
    return NotDone(Refusal.NOT_FOUND)
