"""What a load test's user needs: codes as phones show them, and requests that are signed."""

import base64
import itertools
import secrets
import time
from collections.abc import Sequence

import msgspec

from engine.client.credentials import Credentials
from engine.codes.http_signature import CoveredRequest, content_digest, sign
from engine.codes.pay_code import pay_code_at
from engine.sandbox.load import SandboxCaller, SandboxCard

CARDS_USED = 5_000  # the guide lists those that can pay first


class Phones:
    """The cardholders' phones, taken in turn, each with its own refresh digit."""

    def __init__(self, cards: Sequence[SandboxCard]) -> None:
        """The phones of the cards that can pay."""
        self._keys = [(int(card.device_no), base64.b64decode(card.totp_key)) for card in cards[:CARDS_USED]]
        self._turn = itertools.count(secrets.randbelow(CARDS_USED))

    def next_code(self) -> str:
        """A code that no other call gets: ten refresh digits a card and step."""
        turn = next(self._turn)
        device_no, key = self._keys[turn % len(self._keys)]
        return pay_code_at(key, device_no, turn // len(self._keys) % 10, time.time())


class SignedCalls:
    """Signs the requests of one caller."""

    def __init__(self, caller: SandboxCaller) -> None:
        """Sign as *caller*."""
        self._credentials = Credentials.load(keyid=caller.keyid, alg=caller.alg, key=caller.key)
        self.terminal_id = (caller.terminals or ("T-01",))[0]

    def post(self, path: str, body: dict[str, object], *, key: str) -> tuple[dict[str, str], bytes]:
        """Headers and body of a signed POST."""
        content = msgspec.json.encode(body)
        covered = CoveredRequest(
            method="POST",
            target=path,
            content_digest=content_digest(content),
            idempotency_key=f'"{key}"',
        )
        headers = sign(
            covered,
            self._credentials.key,
            keyid=self._credentials.keyid,
            created=int(time.time()),
            nonce=secrets.token_urlsafe(12),
        )
        return headers | {"Content-Type": "application/json"}, content
