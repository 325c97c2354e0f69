"""What an act is bound to is what the engine wants it bound to: each is told from the request alone."""

from datetime import date

import pytest

from engine.client.personal_acts import bound_to
from engine.core.consents import Scope, agreement
from engine.core.ids import CardId, IdKind, id_text
from tests.builders import an_id

CARD, CHANNEL = CardId(an_id(IdKind.CARD)), an_id(IdKind.CHANNEL)
CONSENT: dict[str, object] = {
    "card_id": id_text(CARD),
    "scopes": ["social_insurance", "employment"],
    "purpose": "personal_use",
    "valid_until": "2027-01-31",
}


@pytest.mark.parametrize(
    ("target", "bound"),
    [
        ("/v1/identity/logins/T0k/confirm", "T0k"),
        ("/v1/identity/logins/T0k/cancel", None),
        ("/v1/consents/con_1/withdraw", "con_1"),
        ("/v1/applications/app_1/submit", "app_1"),
        ("/v1/applications/app_1/withdraw", "app_1"),
        ("/v1/cards/card_1/signs/sgn_1/unlink", "sgn_1"),
        ("/v1/cards/card_1/cancel", "card_1"),
        ("/v1/payments/pay_1/confirmation", "pay_1"),
        ("/v1/identity/passkeys/links", "card_2"),
        ("/v1/cards/search", None),
    ],
)
def test_each_request_names_what_is_agreed_to(target: str, bound: str | None) -> None:
    assert bound_to(target, {"card_id": "card_2"}) == bound


def test_consent_names_all_of_itself() -> None:
    wanted = agreement(
        card=CARD,
        channel=CHANNEL,
        department=None,
        scopes=(Scope.SOCIAL_INSURANCE, Scope.EMPLOYMENT),
        purpose="personal_use",
        valid_until=date(2027, 1, 31),
    )
    assert bound_to("/v1/consents", CONSENT, channel=id_text(CHANNEL)) == wanted


@pytest.mark.parametrize(
    ("body", "channel"),
    [
        (CONSENT, None),
        (CONSENT | {"scopes": ["everything"]}, id_text(CHANNEL)),
        (CONSENT | {"valid_until": 5}, id_text(CHANNEL)),
        ({}, id_text(CHANNEL)),
    ],
    ids=["nobody", "scope", "date", "nothing"],
)
def test_what_is_no_consent_is_not_agreed_to(body: dict[str, object], channel: str | None) -> None:
    with pytest.raises(ValueError, match="consent"):
        bound_to("/v1/consents", body, channel=channel)


def test_card_that_is_not_named_is_missed() -> None:
    with pytest.raises(ValueError, match="card_id"):
        bound_to("/v1/identity/passkeys/registration-options", {})
