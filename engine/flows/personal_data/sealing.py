"""What a node seals with: the database says, so all nodes do the same; a setting can change what it says."""

from datetime import datetime

from engine.codes.crypto_profile import CryptoProfile
from engine.codes.hashes import HashAlgorithm
from engine.codes.keys import Keyring
from engine.flows.personal_data.rotate import next_field_key
from engine.store.audit import use_audit_hash
from engine.store.participants import Source
from engine.store.personal_data import fix_index_hash, load_sealing


async def adopt_sealing(source: Source, keyring: Keyring, wanted: CryptoProfile | None, *, now: datetime) -> None:
    """Whatever is sealed from now on, here and on every other node, is sealed by *wanted*; None: as it was before.

    A new cipher gets a new key. What was sealed before stays as it is until a rotation comes by.

    Raises:
        Fault: the database cannot answer.
    """
    in_use = await load_sealing(source)
    if in_use.index_hash is None:
        await fix_index_hash(source, wanted.hash if wanted is not None else HashAlgorithm.SHA256)
    if wanted is not None:
        if in_use.key.cipher is not wanted.cipher:
            await next_field_key(source, wanted.cipher, now=now)
        await use_audit_hash(source, wanted.hash)
    await follow_sealing(source, keyring)


async def follow_sealing(source: Source, keyring: Keyring) -> None:
    """*keyring* seals with the newest key of the database.

    Raises:
        Fault: the database cannot answer.
    """
    in_use = await load_sealing(source)
    assert in_use.index_hash is not None, "a node has started"
    keyring.use(in_use.key, in_use.index_hash)
