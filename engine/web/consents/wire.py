"""What goes over the wire about consents and grants: requests, answers, and one from the other."""

from datetime import date, datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from engine.core.audit import PURPOSE_CHARS_MAX
from engine.core.consents import Consent, EvidenceKind, Grant, Scope, standing_of
from engine.core.ids import id_text
from engine.web.wire_cards import AgreementRequest
from engine.web.wire_participants import Reason, RegionCode

Purpose = Annotated[str, Meta(min_length=1, max_length=PURPOSE_CHARS_MAX)]
IdText = Annotated[str, Meta(min_length=1, max_length=31)]
Scopes = Annotated[tuple[Scope, ...], Meta(min_length=1, max_length=len(Scope))]
StandingName = Literal["granted", "revoked", "expired"]


class ConsentRequest(AgreementRequest, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Keep what a person agrees to, by an act of the person's own that is bound to just this."""

    card_id: IdText
    scopes: Scopes
    purpose: Purpose
    department_id: IdText | None = None
    valid_until: date


class ConsentView(msgspec.Struct, frozen=True, kw_only=True):
    """What a person has agreed to, and what shows it."""

    id: str
    card_id: str
    channel_id: str
    department_id: str | None
    scope: Scope
    purpose: str
    valid_from: date
    valid_until: date
    version: int
    status: StandingName
    evidence_kind: EvidenceKind
    evidence_digest: str
    given_at: datetime
    revoked_at: datetime | None


class ConsentList(msgspec.Struct, frozen=True, kw_only=True):
    """Consents."""

    items: tuple[ConsentView, ...]
    next_cursor: str | None = None


class GrantRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Let a department or a channel look at something; another operator has to approve it."""

    holder: IdText
    scopes: Scopes
    purpose: Purpose
    region: RegionCode
    valid_from: date
    valid_until: date
    reason: Reason


class GrantView(msgspec.Struct, frozen=True, kw_only=True):
    """What a department or a channel may look at."""

    id: str
    holder: str
    scope: Scope
    purpose: str
    region: str
    valid_from: date
    valid_until: date
    version: int
    status: StandingName
    granted_at: datetime
    revoked_at: datetime | None
    revoked_reason: str | None


class GrantList(msgspec.Struct, frozen=True, kw_only=True):
    """Grants, newest first."""

    items: tuple[GrantView, ...]
    next_cursor: str | None = None


def consent_view(consent: Consent, *, today: date) -> ConsentView:
    """A consent as the wire shows it."""
    return ConsentView(
        id=id_text(consent.id),
        card_id=id_text(consent.card),
        channel_id=id_text(consent.channel),
        department_id=id_text(consent.department) if consent.department is not None else None,
        scope=consent.scope,
        purpose=consent.purpose,
        valid_from=consent.valid_from,
        valid_until=consent.valid_until,
        version=consent.version,
        status=standing_of(consent, today=today).value,
        evidence_kind=consent.evidence_kind,
        evidence_digest=consent.evidence_digest,
        given_at=consent.given_at,
        revoked_at=consent.revoked_at,
    )


def grant_view(grant: Grant, *, today: date) -> GrantView:
    """A grant as the wire shows it."""
    return GrantView(
        id=id_text(grant.id),
        holder=id_text(grant.holder),
        scope=grant.scope,
        purpose=grant.purpose,
        region=f"{grant.region:06d}",
        valid_from=grant.valid_from,
        valid_until=grant.valid_until,
        version=grant.version,
        status=standing_of(grant, today=today).value,
        granted_at=grant.granted_at,
        revoked_at=grant.revoked_at,
        revoked_reason=grant.revoked_reason,
    )
