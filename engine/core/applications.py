"""Applications to offices and banks: their kinds, what may happen to one, and what becomes of it."""

import enum
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, NewType

import msgspec

from engine.core.ids import CardId, PersonId
from engine.core.personal_acts import PersonalAct

ApplicationId = NewType("ApplicationId", bytes)

ATTACHMENTS_MAX: Final = 20
ATTACHMENT_BYTES_MAX: Final = 10 * 1024 * 1024
DRAFT_LASTS: Final = timedelta(days=30)
"""A draft that nobody has touched for so long does not stand in the way of another application."""


class ApplicationKind(enum.IntEnum):
    """The families of applications. Stored; numbers are never re-used."""

    EMPLOYMENT_ENTREPRENEURSHIP = 1
    SOCIAL_SECURITY = 2
    LABOR_RELATIONS = 3
    TALENT = 4
    MEDIATION_ARBITRATION = 5
    FINANCE = 6  # handled by a bank, which reports the status and no more


class ApplicationState(enum.IntEnum):
    """Where an application stands. Stored."""

    DRAFT = 1
    SUBMITTED = 2
    ACCEPTED = 3
    IN_REVIEW = 4
    NEED_MORE_INFO = 5
    APPROVED = 6
    REJECTED = 7
    ARCHIVED = 8
    WITHDRAWN = 9


class ApplicationMove(enum.IntEnum):
    """What happens to an application; all but changes are lines of its course. Stored."""

    DRAFT = 1
    CHANGE = 2  # its form or its attachments
    SUBMIT = 3
    ACCEPT = 4
    REVIEW = 5
    NEED_MORE_INFO = 6
    APPROVE = 7
    REJECT = 8
    ARCHIVE = 9
    WITHDRAW = 10


OPEN_STATES: Final = frozenset(
    {
        ApplicationState.DRAFT,
        ApplicationState.SUBMITTED,
        ApplicationState.ACCEPTED,
        ApplicationState.IN_REVIEW,
        ApplicationState.NEED_MORE_INFO,
    }
)
"""A person has one application for an item in any of these."""

APPLICATION_TRANSITIONS: Final[Mapping[tuple[ApplicationState, ApplicationMove], ApplicationState]] = {
    (ApplicationState.DRAFT, ApplicationMove.CHANGE): ApplicationState.DRAFT,
    (ApplicationState.DRAFT, ApplicationMove.SUBMIT): ApplicationState.SUBMITTED,
    (ApplicationState.SUBMITTED, ApplicationMove.ACCEPT): ApplicationState.ACCEPTED,
    (ApplicationState.ACCEPTED, ApplicationMove.REVIEW): ApplicationState.IN_REVIEW,
    (ApplicationState.IN_REVIEW, ApplicationMove.NEED_MORE_INFO): ApplicationState.NEED_MORE_INFO,
    (ApplicationState.NEED_MORE_INFO, ApplicationMove.CHANGE): ApplicationState.NEED_MORE_INFO,
    (ApplicationState.NEED_MORE_INFO, ApplicationMove.SUBMIT): ApplicationState.SUBMITTED,
    (ApplicationState.IN_REVIEW, ApplicationMove.APPROVE): ApplicationState.APPROVED,
    (ApplicationState.IN_REVIEW, ApplicationMove.REJECT): ApplicationState.REJECTED,
    (ApplicationState.APPROVED, ApplicationMove.ARCHIVE): ApplicationState.ARCHIVED,
    (ApplicationState.REJECTED, ApplicationMove.ARCHIVE): ApplicationState.ARCHIVED,
    **{(state, ApplicationMove.WITHDRAW): ApplicationState.WITHDRAWN for state in OPEN_STATES},
}
"""A pair that is not listed is not allowed."""

OFFICE_MOVES: Final = frozenset(
    {
        ApplicationMove.ACCEPT,
        ApplicationMove.REVIEW,
        ApplicationMove.NEED_MORE_INFO,
        ApplicationMove.APPROVE,
        ApplicationMove.REJECT,
        ApplicationMove.ARCHIVE,
    }
)
"""Made by the agency or the bank that an application was handed to; all others by the channel that has made it."""

SAYS_WHY: Final = frozenset({ApplicationMove.NEED_MORE_INFO, ApplicationMove.REJECT})
"""Moves that need a note: the person has to know what is missing, or why not."""


class Application(msgspec.Struct, frozen=True, kw_only=True):
    """An application as it stands; `form` is sealed. Its repr shows no more than its id and state."""

    id: ApplicationId
    item: str
    kind: ApplicationKind
    person: PersonId
    card: CardId
    region: int
    channel: bytes
    office: bytes
    state: ApplicationState
    form: bytes
    created_at: datetime
    changed_at: datetime
    submitted_at: datetime | None

    def __repr__(self) -> str:
        return f"Application(id={self.id.hex()}, state={self.state.name})"


class ApplicationStep(msgspec.Struct, frozen=True, kw_only=True):
    """One line of an application's course; `note` is sealed. `act` is what showed that the person wanted it."""

    move: ApplicationMove
    state: ApplicationState
    by: bytes
    at: datetime
    note: bytes | None = None
    act: PersonalAct | None = None


class Attachment(msgspec.Struct, frozen=True, kw_only=True):
    """A file of an application. Units: bytes."""

    id: bytes
    sha256: bytes
    media_type: str
    size: int
    kept_at: datetime


class Office(msgspec.Struct, frozen=True, kw_only=True):
    """An agency or a bank that takes applications of a kind in a region, with everything below it."""

    kind: ApplicationKind
    region: int
    office: bytes
    opened_at: datetime


def media_type_of(first: bytes) -> str | None:
    """What a file is, by its first bytes; None if it is nothing that an office takes.

    Source: PDF, ISO 32000-1, section 7.5.2; JPEG, ITU-T T.81, annex B; PNG, third edition, section 5.2.
    """
    for magic, media_type in _MAGIC.items():
        if first.startswith(magic):
            return media_type
    return None


_MAGIC: Final[Mapping[bytes, str]] = {
    b"%PDF-": "application/pdf",
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG\r\n\x1a\n": "image/png",
}
MAGIC_BYTES_MAX: Final = max(map(len, _MAGIC))
