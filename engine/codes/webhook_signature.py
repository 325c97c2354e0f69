"""Signatures of notifications: the symmetric scheme of Standard Webhooks.

What is signed is ``{id}.{timestamp}.{body}``, with HMAC-SHA-256; the header holds ``v1,`` and the Base64 of it, for
each secret that is valid at the moment, separated by spaces. Source: standardwebhooks.com, specification 1.0.0.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Final

ID_HEADER: Final = "webhook-id"
TIMESTAMP_HEADER: Final = "webhook-timestamp"
SIGNATURE_HEADER: Final = "webhook-signature"
SECRET_PREFIX: Final = "whsec_"  # noqa: S105  # what every secret begins with
SECRET_BYTES: Final = 32
SECRET_BYTES_MIN: Final = 24
SECRET_BYTES_MAX: Final = 64
SIGNATURES_MAX: Final = 8  # that are looked at: no header makes the receiver work without end
_VERSION: Final = "v1,"
_TIMESTAMP_DIGITS_MAX: Final = 12


class MalformedSecret(ValueError):
    """The text is no secret; the message shows nothing of it."""


class WebhookRejected(ValueError):
    """A notification is not what the engine has sent, or not of this moment."""


def secret_text(secret: bytes) -> str:
    """A secret as it is handed over."""
    assert SECRET_BYTES_MIN <= len(secret) <= SECRET_BYTES_MAX, "the standard's bounds"
    return SECRET_PREFIX + base64.b64encode(secret).decode()


def read_secret(text: str) -> bytes:
    """The secret of a text that `secret_text` wrote.

    Raises:
        MalformedSecret: it is none.
    """
    try:
        secret = base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        secret = b""
    # Written again it has to be the same text: the decoder passes over padding that is too much.
    if not SECRET_BYTES_MIN <= len(secret) <= SECRET_BYTES_MAX or secret_text(secret) != text:
        raise MalformedSecret(f"a secret begins with {SECRET_PREFIX}, and goes on with Base64")
    return secret


def webhook_headers(secrets: Sequence[bytes], *, message_id: str, timestamp_s: int, body: bytes) -> dict[str, str]:
    """The three headers of a notification, signed with each of *secrets*. Units: *timestamp_s* seconds since 1970."""
    assert secrets, "nothing is sent unsigned"
    signatures = (_signature(secret, message_id, str(timestamp_s), body) for secret in secrets)
    return {
        ID_HEADER: message_id,
        TIMESTAMP_HEADER: str(timestamp_s),
        SIGNATURE_HEADER: " ".join(signatures),
    }


def check_webhook(
    headers: Mapping[str, str], body: bytes, secrets: Sequence[bytes], *, now_s: float, tolerance_s: float
) -> str:
    """The id of a notification that one of *secrets* has signed, within *tolerance_s* of now. Names are in lower case.

    Raises:
        WebhookRejected: a header is missing or malformed, it is too old or too new, or nobody known has signed it.
    """
    missing = [name for name in (ID_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER) if not headers.get(name)]
    if missing:
        raise WebhookRejected(f"no {missing[0]}")
    message_id, timestamp = headers[ID_HEADER], headers[TIMESTAMP_HEADER]
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= _TIMESTAMP_DIGITS_MAX):
        raise WebhookRejected(f"{TIMESTAMP_HEADER} is not whole seconds")
    if abs(now_s - int(timestamp)) > tolerance_s:
        raise WebhookRejected(f"{TIMESTAMP_HEADER} is more than {tolerance_s:g} s off")
    given = headers[SIGNATURE_HEADER].split(" ")[:SIGNATURES_MAX]
    expected = [_signature(secret, message_id, timestamp, body) for secret in secrets]
    # Every pair is compared, each in constant time, so that nothing is learned from how long it takes.
    matches = [hmac.compare_digest(_bytes(one), _bytes(other)) for one in given for other in expected]
    if not any(matches):
        raise WebhookRejected("the signature is nobody's that is known")
    return message_id


def _signature(secret: bytes, message_id: str, timestamp: str, body: bytes) -> str:
    signed = b".".join((_bytes(message_id), timestamp.encode(), body))
    return _VERSION + base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()


def _bytes(text: str) -> bytes:
    """A header's text as it came; what is not UTF-8 stays as it is."""
    return text.encode(errors="surrogateescape")
