"""A person's device in software: it makes passkeys and signs with them, and can be told to do each of it wrongly."""

import hashlib
import json
import secrets
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from engine.codes.webauthn_answers import ES256, base64url_text

Json = dict[str, Any]
USER_PRESENT, USER_VERIFIED, ATTESTED = 0x01, 0x04, 0x40


class Authenticator:
    """One passkey in one device, as the page of *origin* sees it."""

    def __init__(self, origin: str, *, rp_id: str = "localhost") -> None:
        """It is new, and has signed nothing."""
        self.origin = origin
        self.rp_id = rp_id
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.id = secrets.token_bytes(16)
        self.count = 0
        self.flags = USER_PRESENT | USER_VERIFIED

    def create(self, options: Json, *, vouches: bool = False) -> Json:
        """What the browser gives to a page that asks for a passkey with these options. *vouches*: with an attestation,
        signed by the passkey itself.
        """
        numbers = self.key.public_key().public_numbers()
        public_key = cbor2.dumps({1: 2, 3: ES256, -1: 1, -2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32)})
        attested = bytes(16) + len(self.id).to_bytes(2) + self.id + public_key
        about = self._about(self.flags | ATTESTED) + attested
        client_data = self._client_data("webauthn.create", options["challenge"])
        statement = {"alg": ES256, "sig": self._signature(about, client_data)} if vouches else {}
        made = cbor2.dumps({"fmt": "packed" if vouches else "none", "attStmt": statement, "authData": about})
        return self._given({"clientDataJSON": client_data, "attestationObject": made}) | {
            "authenticatorAttachment": "platform",
            "clientExtensionResults": {},
        }

    def sign(self, options: Json) -> Json:
        """What the browser gives to a page that asks for a signature with these options."""
        self.count += 1
        about = self._about(self.flags)
        client_data = self._client_data("webauthn.get", options["challenge"])
        signature = self._signature(about, client_data)
        return self._given({"clientDataJSON": client_data, "authenticatorData": about, "signature": signature})

    def _signature(self, about: bytes, client_data: bytes) -> bytes:
        return self.key.sign(about + hashlib.sha256(client_data).digest(), ec.ECDSA(hashes.SHA256()))

    def _about(self, flags: int) -> bytes:
        return hashlib.sha256(self.rp_id.encode()).digest() + bytes([flags]) + self.count.to_bytes(4)

    def _client_data(self, kind: str, challenge: str) -> bytes:
        told = {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}
        return json.dumps(told).encode()

    def _given(self, response: dict[str, bytes]) -> Json:
        answer = {name: base64url_text(value) for name, value in response.items()}
        return {
            "id": base64url_text(self.id),
            "rawId": base64url_text(self.id),
            "type": "public-key",
            "response": answer,
        }
