"""Applications: what was applied for, its course, and who takes it. Personal data go in and come out sealed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import asyncpg
import msgspec

from engine.codes.keys import FIELD_KEY_ID
from engine.core.applications import (
    Application,
    ApplicationId,
    ApplicationKind,
    ApplicationMove,
    ApplicationState,
    ApplicationStep,
    Office,
)
from engine.core.ids import CardId, PersonId
from engine.core.personal_acts import PersonalAct
from engine.store.connection import AnyConnection
from engine.store.faults import translated
from engine.store.participants import Source
from engine.store.sql import load_queries

FORM_PLACE: Final = "application.form"
NOTE_PLACE: Final = "application_step.note"


class ApplicationsWanted(msgspec.Struct, frozen=True, kw_only=True):
    """A page of applications; what is None does not matter."""

    state: ApplicationState | None
    item: str | None
    before: bytes | None
    count: int


async def load_application(source: Source, application: bytes) -> Application | None:
    """The application of this id."""
    with translated():
        row = await source.fetchrow(load_queries("applications")["application"], application)
    return _application_of(row) if row is not None else None


async def hold_application(connection: AnyConnection, application: bytes) -> Application | None:
    """The application, which nobody else moves until the transaction ends.

    Locks: its row.
    """
    with translated():
        row = await connection.fetchrow(load_queries("applications")["hold_application"], application)
    return _application_of(row) if row is not None else None


async def load_applications_of_channel(source: Source, channel: bytes, wanted: ApplicationsWanted) -> list[Application]:
    """What a channel has made for cards that it is still linked to, newest first."""
    return await _load_page(source, "applications_of_channel", wanted, channel)


async def load_applications_of_office(source: Source, office: bytes, wanted: ApplicationsWanted) -> list[Application]:
    """What an office was handed, newest first."""
    return await _load_page(source, "applications_of_office", wanted, office)


async def load_applications_of_person(
    source: Source, person: PersonId, wanted: ApplicationsWanted
) -> list[Application]:
    """What a person has handed in through whichever channel, newest first."""
    return await _load_page(source, "applications_of_person", wanted, person)


async def load_applications_of_regions(
    source: Source, regions: tuple[int, int], wanted: ApplicationsWanted
) -> list[Application]:
    """What offices of these regions were handed, newest first."""
    return await _load_page(source, "applications_of_regions", wanted, *regions)


async def insert_application(connection: AnyConnection, new: Application) -> bool:
    """Keep a new application; False if the person has an open one for the item."""
    with translated():
        inserted = await connection.fetchval(
            load_queries("applications")["insert_application"],
            new.id,
            new.item,
            new.kind,
            new.person,
            new.card,
            new.region,
            new.channel,
            new.office,
            new.state,
            new.form,
            FIELD_KEY_ID,
            new.created_at,
        )
    return inserted is not None


async def hold_old_draft(
    connection: AnyConnection, person: PersonId, item: str, *, untouched_since: datetime
) -> ApplicationId | None:
    """A person's draft for an item that nobody has touched since then.

    Locks: its row.
    """
    with translated():
        found: bytes | None = await connection.fetchval(
            load_queries("applications")["old_draft"], person, item, ApplicationState.DRAFT, untouched_since
        )
    return ApplicationId(found) if found is not None else None


async def move_application(connection: AnyConnection, moved: Application) -> None:
    """Write where a held application stands, and who has it."""
    with translated():
        await connection.execute(
            load_queries("applications")["move_application"],
            moved.id,
            moved.state,
            moved.office,
            moved.changed_at,
            moved.submitted_at,
        )


async def set_form(connection: AnyConnection, application: ApplicationId, form: bytes) -> None:
    """Put another form, sealed, in the place of a held application's."""
    with translated():
        await connection.execute(load_queries("applications")["set_form"], application, form, FIELD_KEY_ID)


async def insert_step(connection: AnyConnection, application: ApplicationId, step: ApplicationStep) -> None:
    """Add the next line to the course of a held application."""
    with translated():
        await connection.execute(
            load_queries("applications")["insert_step"],
            application,
            step.move,
            step.state,
            step.by,
            step.at,
            step.note,
            FIELD_KEY_ID,
            step.act.kind if step.act is not None else None,
            step.act.digest if step.act is not None else None,
        )


async def load_steps(source: Source, application: ApplicationId) -> list[ApplicationStep]:
    """The course of an application, oldest first."""
    with translated():
        rows = await source.fetch(load_queries("applications")["steps"], application)
    return [
        ApplicationStep(
            move=ApplicationMove(row["move"]),
            state=ApplicationState(row["state"]),
            by=row["by"],
            at=row["at"],
            note=row["note"],
            act=PersonalAct(kind=row["act_kind"], digest=row["act_digest"]) if row["act_kind"] is not None else None,
        )
        for row in rows
    ]


async def load_nearest_office(
    source: Source, kind: ApplicationKind, regions: Sequence[int], *, office: bytes | None
) -> bytes | None:
    """Who takes applications of a kind in the first of these regions in which anybody does; with *office*, only it."""
    with translated():
        found: bytes | None = await source.fetchval(
            load_queries("applications")["nearest_office"], kind, list(regions), office
        )
    return found


async def load_offices(source: Source, kind: ApplicationKind | None) -> list[Office]:
    """Who takes applications, by kind and region."""
    with translated():
        rows = await source.fetch(load_queries("applications")["offices"], kind)
    return [Office(**dict(row) | {"kind": ApplicationKind(row["kind"])}) for row in rows]


async def open_office(connection: AnyConnection, new: Office, *, by: bytes) -> bool:
    """True if it takes applications from now on; False if it, or another agency, does so already."""
    with translated():
        opened = await connection.fetchval(
            load_queries("applications")["open_office"], new.kind, new.region, new.office, by, new.opened_at
        )
    return opened is not None


async def close_office(
    connection: AnyConnection, kind: ApplicationKind, region: int, office: bytes, *, by: bytes, now: datetime
) -> bool:
    """True if it took applications, and is handed no more of them."""
    with translated():
        closed = await connection.fetchval(load_queries("applications")["close_office"], kind, region, office, by, now)
    return closed is not None


async def _load_page(source: Source, query: str, wanted: ApplicationsWanted, *whose: object) -> list[Application]:
    with translated():
        rows = await source.fetch(
            load_queries("applications")[query], *whose, wanted.state, wanted.item, wanted.before, wanted.count
        )
    return [_application_of(row) for row in rows]


def _application_of(row: asyncpg.Record) -> Application:
    return Application(
        id=ApplicationId(row["id"]),
        item=row["item"],
        kind=ApplicationKind(row["kind"]),
        person=PersonId(row["person"]),
        card=CardId(row["card"]),
        region=row["region"],
        channel=row["channel"],
        office=row["office"],
        state=ApplicationState(row["state"]),
        form=row["form"],
        created_at=row["created_at"],
        changed_at=row["changed_at"],
        submitted_at=row["submitted_at"],
    )
