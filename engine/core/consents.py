"""Threefold authorization: a person's consent, a department's grant and a channel's grant, each of the same scope and
purpose and with its own dates. One that is missing is enough to refuse.
"""

import enum
import hashlib
from datetime import date, datetime, timedelta
from typing import Final, Literal

import msgspec

from engine.core.audit import is_purpose
from engine.core.ids import CardId, IdKind, id_text
from engine.core.refusals import Refusal

CONSENT_LASTS_MAX: Final = timedelta(days=366)
"""A person is asked again at least once a year."""
GRANT_LASTS_MAX: Final = timedelta(days=5 * 366)
FIRST_VERSION: Final = 1

EvidenceKind = Literal["password", "passkey", "login"]
"""The person's own act: a password or a passkey for just this, or a login that was confirmed on the person's phone."""


class Scope(enum.StrEnum):
    """What may be looked at. Stored by name."""

    SOCIAL_INSURANCE = "social_insurance"
    EMPLOYMENT_SERVICES = "employment_services"
    EMPLOYMENT = "employment"
    VOCATIONAL_TRAINING = "vocational_training"
    QUALIFICATIONS = "qualifications"
    SKILL_LEVELS = "skill_levels"
    GUARANTEED_LOANS = "guaranteed_loans"
    PROFILE = "profile"  # name, masked ID number, region
    BIOMETRIC = "biometric"
    APPLICATIONS = "applications"


class Standing(enum.StrEnum):
    """Where a consent or a grant stands. It is worked out, not stored: time ends one without anybody's doing."""

    GRANTED = "granted"
    REVOKED = "revoked"
    EXPIRED = "expired"


class Authorizations(msgspec.Struct, frozen=True, kw_only=True):
    """Which of the three there are, as of one instant."""

    has_consent: bool
    has_department: bool
    has_channel: bool


class Consent(msgspec.Struct, frozen=True, kw_only=True):
    """What a person has agreed to. `department` is None where the channel shows it to the person alone; `channel` is
    whoever asks: a channel, or a client of a login.
    """

    id: bytes
    card: CardId
    channel: bytes
    department: bytes | None
    scope: Scope
    purpose: str
    valid_from: date
    valid_until: date
    version: int  # counts how often this was agreed to
    evidence_kind: EvidenceKind
    evidence_digest: str
    given_at: datetime
    revoked_at: datetime | None = None
    revoked_by: bytes | None = None


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """What a department or a channel may look at, of the persons of a region and below it."""

    id: bytes
    holder: bytes
    scope: Scope
    purpose: str
    region: int
    valid_from: date
    valid_until: date
    version: int
    approval: str | None
    granted_at: datetime
    revoked_at: datetime | None = None
    revoked_by: bytes | None = None
    revoked_reason: str | None = None


GRANT_HOLDERS: Final = frozenset({IdKind.AGENCY, IdKind.CHANNEL})


def first_missing(held: Authorizations) -> Refusal | None:
    """Which of the three is told to be missing: the person's comes first, for without it the others do not matter."""
    if not held.has_consent:
        return Refusal.CONSENT_REQUIRED
    if not held.has_department:
        return Refusal.DEPARTMENT_NOT_AUTHORIZED
    if not held.has_channel:
        return Refusal.CHANNEL_NOT_AUTHORIZED
    return None


def why_no_purpose(purpose: str | None) -> Refusal | None:
    """Why nothing may be looked at for this purpose: there has to be one, and it is a word, not a text."""
    return None if purpose is not None and is_purpose(purpose) else Refusal.PURPOSE_REQUIRED


def standing_of(one: Consent | Grant, *, today: date) -> Standing:
    """Where it stands on a day; its last day is `valid_until`."""
    if one.revoked_at is not None:
        return Standing.REVOKED
    return Standing.EXPIRED if one.valid_until < today else Standing.GRANTED


def wrong_period(valid_from: date, valid_until: date, *, today: date, lasts_max: timedelta) -> tuple[str, str] | None:
    """The first field of a period that cannot be so, and why."""
    if valid_until < valid_from:
        return "valid_until", "before it begins"
    if valid_until < today:
        return "valid_until", "in the past"
    if valid_until - max(valid_from, today) > lasts_max:
        return "valid_until", f"more than {lasts_max.days} days"
    return None


def agreement(
    *,
    card: CardId,
    channel: bytes,
    department: bytes | None,
    scopes: tuple[Scope, ...],
    purpose: str,
    valid_until: date,
) -> str:
    """What a person's act has to be bound to, so that an act for one consent is none for another.

    Shape: SHA-256 in hex of these lines in UTF-8, joined by line feeds: the ids of card, channel and department (empty
    if there is none), the scopes in order of their names with commas between them, the purpose, the last day.
    """
    lines = (
        id_text(card),
        id_text(channel),
        id_text(department) if department is not None else "",
        ",".join(sorted(scopes)),
        purpose,
        valid_until.isoformat(),
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
