"""Sealing a card's password for the engine: on the terminal or the phone on which it was entered, and nowhere else.

    sealer = PasswordSealer(await client.request("GET", "/v1/keys"))
    block = sealer.seal("704192", order_no="A-1001", merchant_id="mer_…")

The block goes into the request in place of the password. It is good for five minutes, and for this order alone.
"""

import secrets

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec

from engine.codes.password_block import IV_BYTES, EncryptionJwk, PasswordBlock, seal_password
from engine.flows.clock import Clock


class NoSealingKey(ValueError):
    """The key document has no key that passwords can be sealed for."""


class _KeySet(msgspec.Struct, frozen=True):
    keys: list[dict[str, str]]


class PasswordSealer:
    """Seals for the newest encryption key of a key document, which may be kept: old keys stay good."""

    def __init__(self, keys_document: bytes, *, clock: Clock | None = None) -> None:
        """*keys_document* is what `GET /v1/keys` answered.

        Raises:
            NoSealingKey: it is no such document, or has no key for passwords.
        """
        try:
            keys = msgspec.json.decode(keys_document, type=_KeySet).keys
            self._key = next(msgspec.convert(key, EncryptionJwk) for key in keys if key.get("use") == "enc")
        except (msgspec.MsgspecError, StopIteration):
            raise NoSealingKey("not a key document with an encryption key") from None
        self._clock = clock if clock is not None else Clock()

    def seal(
        self,
        password: str,
        *,
        order_no: str | None = None,
        payment_id: str | None = None,
        card_id: str | None = None,
        merchant_id: str | None = None,
    ) -> str:
        """The password block that confirms one order (name its merchant, so that it is good for no other) or payment,
        or is a card's old or new password.

        Raises:
            ValueError: the password is not six digits, or not one of the three is named; it is not quoted.
        """
        if [order_no, payment_id, card_id].count(None) != 2:
            raise ValueError("a password confirms either an order, or a payment, or is a card's own")
        block = PasswordBlock(
            password=password,
            iat=int(self._clock.wall_s()),
            order_no=order_no,
            payment_id=payment_id,
            card_id=card_id,
            merchant_id=merchant_id,
        )
        ephemeral = ec.generate_private_key(ec.SECP256R1())
        return seal_password(self._key, block, ephemeral=ephemeral, iv=secrets.token_bytes(IV_BYTES))
