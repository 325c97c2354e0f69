"""Threefold authorization as rules: which of the three is named, what a person's act is bound to, when one is over."""

import hashlib
from datetime import UTC, date, datetime, timedelta
from itertools import product

import pytest

from engine.core.consents import (
    Authorizations,
    Grant,
    Scope,
    Standing,
    agreement,
    first_missing,
    standing_of,
    why_no_purpose,
    wrong_period,
)
from engine.core.ids import CardId, IdKind, id_text, make_id
from engine.core.refusals import Refusal

TODAY = date(2026, 11, 24)
DAY = timedelta(days=1)
YEAR = timedelta(days=365)


def an_id(kind: IdKind) -> bytes:
    """Always the same one."""
    return make_id(kind, at_ms=1, shard=0, region=110101, entropy=1)


@pytest.mark.parametrize(("consent", "department", "channel"), [*product((True, False), repeat=3)])
def test_person_comes_first_then_the_department_then_the_channel(
    consent: bool, department: bool, channel: bool
) -> None:
    held = Authorizations(has_consent=consent, has_department=department, has_channel=channel)
    expected = (
        Refusal.CONSENT_REQUIRED
        if not consent
        else Refusal.DEPARTMENT_NOT_AUTHORIZED
        if not department
        else Refusal.CHANNEL_NOT_AUTHORIZED
        if not channel
        else None
    )
    assert first_missing(held) is expected


@pytest.mark.parametrize(
    ("purpose", "refusal"),
    [
        ("job_application", None),
        ("contract 12/3", None),
        (None, Refusal.PURPOSE_REQUIRED),
        ("", Refusal.PURPOSE_REQUIRED),
        ("x" * 65, Refusal.PURPOSE_REQUIRED),
        ("110101199003079972", Refusal.PURPOSE_REQUIRED),
        ("1390 000 0001", Refusal.PURPOSE_REQUIRED),
        ("张三", Refusal.PURPOSE_REQUIRED),
    ],
)
def test_purpose_is_a_word_that_names_nobody(purpose: str | None, refusal: Refusal | None) -> None:
    assert why_no_purpose(purpose) is refusal


@pytest.mark.parametrize(
    ("revoked", "days", "standing"),
    [
        (False, 0, Standing.GRANTED),
        (False, -1, Standing.EXPIRED),
        (True, 0, Standing.REVOKED),
        (True, -1, Standing.REVOKED),
    ],
)
def test_last_day_still_counts(revoked: bool, days: int, standing: Standing) -> None:
    grant = Grant(
        id=an_id(IdKind.GRANT),
        holder=an_id(IdKind.CHANNEL),
        scope=Scope.EMPLOYMENT,
        purpose="x",
        region=0,
        valid_from=TODAY - YEAR,
        valid_until=TODAY + days * DAY,
        version=1,
        approval=None,
        granted_at=datetime(2026, 1, 1, tzinfo=UTC),
        revoked_at=datetime(2026, 2, 1, tzinfo=UTC) if revoked else None,
    )
    assert standing_of(grant, today=TODAY) is standing


@pytest.mark.parametrize(
    ("begins", "ends", "wrong"),
    [
        (0, 0, False),
        (0, 365, False),
        (-900, 365, False),  # what has passed of it does not count
        (0, 366, True),
        (10, 375, False),
        (10, 376, True),
        (1, 0, True),
        (-2, -1, True),
    ],
)
def test_period_ends_in_time(begins: int, ends: int, wrong: bool) -> None:
    found = wrong_period(TODAY + begins * DAY, TODAY + ends * DAY, today=TODAY, lasts_max=YEAR)
    assert (found is not None) is wrong
    assert found is None or found[0] == "valid_until"


def test_act_is_bound_to_everything_that_is_agreed_to() -> None:
    card, channel, department = CardId(an_id(IdKind.CARD)), an_id(IdKind.CHANNEL), an_id(IdKind.AGENCY)
    scopes = (Scope.PROFILE, Scope.EMPLOYMENT)
    lines = (id_text(card), id_text(channel), id_text(department), "employment,profile", "housing", "2026-11-24")
    expected = hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def made(
        department: bytes | None = department,
        scopes: tuple[Scope, ...] = scopes,
        purpose: str = "housing",
        until: date = TODAY,
    ) -> str:
        return agreement(
            card=card, channel=channel, department=department, scopes=scopes, purpose=purpose, valid_until=until
        )

    assert made() == made(scopes=scopes[::-1]) == expected
    others = (made(department=None), made(scopes=scopes[:1]), made(purpose="x"), made(until=TODAY + DAY))
    assert len({expected, *others}) == 5
