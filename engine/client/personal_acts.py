"""What a person's act is bound to: each request that needs one names what is agreed to, and an act for one is no act
for another.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, Final

from engine.client.passwords import PasswordSealer
from engine.core.consents import Scope, agreement
from engine.core.ids import CardId, IdKind, parse_id
from engine.core.personal_acts import act_text

_PAYMENT: Final = re.compile(r"/v1/payments/([^/]+)/confirmation")
_BY_PATH: Final = (
    (re.compile(r"/v1/identity/logins/([^/]+)/confirm"), "login"),
    (re.compile(r"/v1/consents/([^/]+)/withdraw"), "withdraw"),
    (re.compile(r"/v1/applications/([^/]+)/submit"), "submit"),
    (re.compile(r"/v1/applications/([^/]+)/withdraw"), "withdraw"),
    (re.compile(r"/v1/cards/[^/]+/signs/([^/]+)/unlink"), "unlink"),
    (re.compile(r"/v1/cards/([^/]+)/cancel"), "cancel"),
)
_BY_BODY: Final = {
    "/v1/consents": "consent",
    "/v1/identity/certifications": "certify",
    "/v1/identity/passkeys/registration-options": "register_passkey",
    "/v1/identity/passkeys/links": "register_passkey",
}


def bound_to(target: str, body: Mapping[str, Any], *, channel: str | None = None) -> str | None:
    """What the person's act has to name in the request that POSTs *body* to *target*; None if it needs no such act.

    Shape: *channel* is the id of who calls; a consent names it. For a payment's confirmation it is the payment's id.

    Raises:
        ValueError: the body is not one of that request, or a consent has no channel; nothing of it is quoted.
    """
    if target == "/v1/consents":
        return _consent(body, channel)
    if target in _BY_BODY:
        card = body.get("card_id")
        if not isinstance(card, str):
            raise ValueError("the body names no card_id")
        return card
    found = _PAYMENT.fullmatch(target) or next((hit for hit, _ in _acts(target)), None)
    return found[1] if found is not None else None


def sealed(sealer: PasswordSealer, password: str, target: str, bound: str) -> str:
    """The password as a block that is good for this act about *bound* alone.

    Raises:
        ValueError: it is not six digits; it is not quoted.
    """
    if _PAYMENT.fullmatch(target):
        return sealer.seal(password, payment_id=bound)
    act = _BY_BODY.get(target) or next(name for _, name in _acts(target))
    return sealer.seal(password, order_no=act_text(act, bound))


def _acts(target: str) -> Iterator[tuple[re.Match[str], str]]:
    for pattern, act in _BY_PATH:
        found = pattern.fullmatch(target)
        if found is not None:
            yield found, act


def _consent(body: Mapping[str, Any], channel: str | None) -> str:
    if channel is None:
        raise ValueError("a consent names the channel, whose id is not known")
    department = body.get("department_id")
    try:
        return agreement(
            card=CardId(parse_id(body["card_id"], IdKind.CARD)),
            channel=parse_id(channel, IdKind.CHANNEL),
            department=parse_id(department, IdKind.AGENCY) if department is not None else None,
            scopes=tuple(map(Scope, body["scopes"])),
            purpose=body["purpose"],
            valid_until=date.fromisoformat(body["valid_until"]),
        )
    except (KeyError, TypeError, ValueError):
        raise ValueError("the body is not one of a consent: card_id, scopes, purpose, valid_until") from None
