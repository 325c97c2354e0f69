"""The sample city's gates: terminals of the metro, the park and the museum that need no network."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import asyncpg
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from engine.core.ids import MerchantId
from engine.sandbox.participants import Merchant
from engine.store.gates import set_terminal_key
from engine.store.sql import load_queries

_SINCE: Final = datetime(2020, 1, 1, tzinfo=UTC)
"""Since when gates' keys count: before any of the city's payments."""

Secret = Callable[[str], bytes]
"""Thirty-two bytes that follow from a name."""


class SandboxGate(msgspec.Struct, frozen=True, kw_only=True):
    """A gate as `sandbox.json` lists it; `key` is what it signs tickets with."""

    terminal_id: str
    key: str


def describe_gates(merchant: Merchant, secret: Secret) -> tuple[SandboxGate, ...] | None:
    """What `sandbox.json` lists of a merchant's gates; None if it has none."""
    return (
        tuple(
            SandboxGate(
                terminal_id=gate,
                key=_key(merchant, gate, secret)
                .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
                .decode(),
            )
            for gate in merchant.gates
        )
        or None
    )


async def load_gates(
    connection: asyncpg.Connection, merchant_id: MerchantId, merchant: Merchant, secret: Secret
) -> None:
    """Register a merchant's gates and their keys."""
    await connection.execute(load_queries("participants")["insert_terminals"], merchant_id, list(merchant.gates))
    for gate in merchant.gates:
        public = _key(merchant, gate, secret).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        await set_terminal_key(connection, merchant_id, gate, public, now=_SINCE)


def _key(merchant: Merchant, gate: str, secret: Secret) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(secret(f"{merchant.slug} {gate}"))
