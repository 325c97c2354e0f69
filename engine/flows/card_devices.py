"""A card's phones: one that is registered gets its number and its secret, once."""

from datetime import datetime
from typing import Final

import msgspec

from engine.codes.keys import DEVICE_KEY_ID, Keyring
from engine.codes.pay_code import device_key
from engine.core.cards import DEVICES_MAX, why_not_issued
from engine.core.ids import CardId, IdKind, device_number, shard_of
from engine.core.refusals import Refusal
from engine.flows.answer_once import NotDone
from engine.flows.clock import IdSource
from engine.store.connection import AnyConnection
from engine.store.persons import hold_card, insert_device, load_card, load_devices

_SERIALS: Final = 10**8
_DRAWS_MAX: Final = 8


class NewDevice(msgspec.Struct, frozen=True, kw_only=True):
    """A phone, and the key that it makes codes with. Its repr does not show the key."""

    device_no: int
    key_id: int
    key: bytes
    registered_at: datetime

    def __repr__(self) -> str:
        return f"NewDevice(device_no={self.device_no}, key=<masked>)"


async def register_device(
    connection: AnyConnection, keyring: Keyring, ids: IdSource, card: CardId, *, by: bytes, now: datetime
) -> NewDevice | NotDone:
    """Give a card one more phone. The key follows from the master secret, so it is kept nowhere."""
    if not await hold_card(connection, card):
        return NotDone(Refusal.NOT_FOUND)
    seen = await load_card(connection, card)
    assert seen is not None, "it is held"
    refusal = why_not_issued(seen.status)
    if refusal is not None:
        return NotDone(refusal)
    devices = await load_devices(connection, card)
    if sum(1 for one in devices if one.registered_at is not None and not one.is_revoked) >= DEVICES_MAX:
        return NotDone(Refusal.DEVICES_TOO_MANY)
    shard = shard_of(card)
    for _ in range(_DRAWS_MAX):
        drawn = int.from_bytes(ids.new(IdKind.CARD, shard=shard, region=0)[-5:]) % _SERIALS
        device_no = device_number(shard, drawn)
        if await insert_device(connection, device_no, card, key_id=DEVICE_KEY_ID, by=by, now=now):
            key = device_key(keyring.device_master, DEVICE_KEY_ID, device_no)
            return NewDevice(device_no=device_no, key_id=DEVICE_KEY_ID, key=key, registered_at=now)
    return NotDone(Refusal.OVERLOADED)
