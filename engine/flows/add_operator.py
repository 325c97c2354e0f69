"""Operators at the machine itself: the first ones, whom nobody can be asked about, and who holds which key."""

import asyncpg
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from engine.codes.http_signature import (
    Algorithm,
    CoveredRequest,
    SigningKey,
    load_verification_key,
    parse_signature,
    sign,
    verify,
)
from engine.codes.keys import CALLER_KEY_PLACE, Keyring
from engine.core.ids import CallerId, IdKind, id_text, kind_number
from engine.core.participants import RIGHTS, ParticipantKind, Registration, Right, WrongField, wrong_fields
from engine.core.refusals import Refusal
from engine.flows.answer_once import NotDone
from engine.flows.clock import IdSource
from engine.flows.participant_keys import issue_key
from engine.store.faults import translated
from engine.store.participant_writes import insert_registration
from engine.store.participants import count_deciding_operators, load_clocks, lock_participant
from engine.store.reads import Reads


class AddedOperator(msgspec.Struct, frozen=True, kw_only=True):
    """An operator, and the key that it signs with: kept nowhere else. `private_key` is PKCS 8 PEM."""

    id: str
    keyid: str
    private_key: str
    deciding_count: int  # operators that may approve what another asks for, with this one

    def __repr__(self) -> str:
        return f"AddedOperator(id={self.id!r}, ***)"


async def add_operator(
    pool: asyncpg.Pool, keyring: Keyring, ids: IdSource, *, name: str, role: str, region: int
) -> AddedOperator | NotDone:
    """Let an operator work, with a fresh key pair of which the engine keeps the public half only.

    Raises:
        Fault: the database cannot do it.
    """
    private = Ed25519PrivateKey.generate()
    registration = Registration(
        kind=ParticipantKind.OPERATOR, code=name, name_zh=name, name_en=name, region=region, role=role
    )
    wrong = tuple(wrong_fields(registration))
    if wrong:
        return NotDone(Refusal.FIELD_INVALID, wrong)
    identifier = ids.new(IdKind.OPERATOR, shard=0, region=region)
    with translated():
        async with pool.acquire() as connection, connection.transaction():
            now = (await load_clocks(connection)).business
            if not await insert_registration(connection, identifier, registration, bank=None, now=now):
                return NotDone(Refusal.PARTICIPANT_EXISTS, (WrongField("code", "taken"),))
            participant = await lock_participant(connection, identifier, now=now)
            assert participant is not None, "it was just brought in"
            key = await issue_key(
                connection,
                keyring,
                ids,
                participant,
                alg=Algorithm.ED25519,
                public_key=private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
                operator=None,
            )
            deciding = [role for role, rights in RIGHTS.items() if Right.DECIDE in rights]
            return AddedOperator(
                id=id_text(identifier),
                keyid=key.keyid,
                private_key=private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
                deciding_count=await count_deciding_operators(connection, deciding),
            )


async def operator_of_key(pool: asyncpg.Pool, keyring: Keyring, keyid: str, key: SigningKey) -> CallerId | NotDone:
    """The operator whose key this is: the engine has its public half, and it is not revoked.

    Raises:
        Fault: the database cannot be asked.
    """
    row = await Reads(pool).caller_key(keyid)
    if row is None or kind_number(row.caller) != IdKind.OPERATOR:
        return NotDone(Refusal.SIGNATURE_KEY_UNKNOWN)
    kept = load_verification_key(Algorithm(row.alg), keyring.unseal(row.sealed, place=CALLER_KEY_PLACE).decode())
    request = CoveredRequest(method="PROOF", target="/")
    headers = sign(request, key, keyid=keyid, created=0, nonce="0")
    parsed = parse_signature(request, headers["Signature-Input"], headers["Signature"])
    if isinstance(parsed, Refusal) or verify(parsed, kept) is not None:
        return NotDone(Refusal.SIGNATURE_INVALID)
    return NotDone(Refusal.CALLER_SUSPENDED) if row.is_suspended else CallerId(row.caller)
