"""Receiving notifications: what a receiver checks before it believes one.

from engine.client.webhooks import WebhookRejected, verify_webhook

try:
    message_id = verify_webhook(request.headers, body, [secret], now_s=time.time())
except WebhookRejected:
    ...  # answer 400 and look no further
...      # seen before by its id? then it is done; else keep it, and answer 204 within five seconds
"""

from collections.abc import Mapping, Sequence
from typing import Final

from engine.codes.webhook_signature import WebhookRejected, check_webhook, read_secret

TOLERANCE_S: Final = 300.0

__all__ = ["TOLERANCE_S", "WebhookRejected", "verify_webhook"]


def verify_webhook(
    headers: Mapping[str, str],
    body: bytes,
    secrets: Sequence[str],
    now_s: float,
    tolerance_s: float = TOLERANCE_S,
) -> str:
    """The id of a genuine notification: the same for every attempt, so that it is acted upon once.

    Shape: *headers* with names in any case; *body* the bytes as they came; *secrets* as they were handed over, two
    while one is being replaced. Units: seconds since 1970.

    Raises:
        WebhookRejected: it is not genuine, or a replay of an old one.
        MalformedSecret: one of *secrets* is none.
    """
    lowered = {name.lower(): value for name, value in headers.items()}
    known = [read_secret(secret) for secret in secrets]
    return check_webhook(lowered, body, known, now_s=now_s, tolerance_s=tolerance_s)
