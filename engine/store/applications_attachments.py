"""Files of applications: in sealed parts while they come, one row for what was kept."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from engine.codes.keys import FIELD_KEY_ID
from engine.core.applications import ApplicationId, Attachment
from engine.store.connection import AnyConnection
from engine.store.faults import StoreUnavailable, translated
from engine.store.participants import Source
from engine.store.sql import load_queries

PART_PLACE: Final = "application_attachment_part.bytes"
PART_BYTES: Final = 65_536
"""Of the file; sealed they are a few more."""


async def begin_attachment(
    source: Source, attachment: bytes, application: ApplicationId, *, started_at: datetime
) -> None:
    """A file that has no bytes yet. *started_at* is the database's own clock."""
    with translated():
        await source.execute(
            load_queries("application_attachments")["begin_attachment"], attachment, application, started_at
        )


async def insert_attachment_part(source: Source, attachment: bytes, part: int, sealed: bytes) -> None:
    """Keep the next part of a file."""
    with translated():
        await source.execute(
            load_queries("application_attachments")["insert_attachment_part"], attachment, part, sealed, FIELD_KEY_ID
        )


async def keep_attachment(connection: AnyConnection, kept: Attachment) -> None:
    """The file is the application's from now on.

    Raises:
        StoreUnavailable: it took so long that it was given up; sent again, it is kept.
    """
    with translated():
        found = await connection.fetchval(
            load_queries("application_attachments")["keep_attachment"],
            kept.id,
            kept.sha256,
            kept.media_type,
            kept.size,
            kept.kept_at,
        )
    if found is None:
        raise StoreUnavailable("the file took so long that it was given up")


async def load_attachments(source: Source, application: ApplicationId) -> Sequence[Attachment]:
    """The files of an application, oldest first."""
    with translated():
        rows = await source.fetch(load_queries("application_attachments")["attachments"], application)
    return [Attachment(**dict(row)) for row in rows]


async def load_attachment_part(source: Source, attachment: bytes, part: int) -> bytes:
    """A part of a file that was kept, sealed."""
    with translated():
        found: bytes = await source.fetchval(
            load_queries("application_attachments")["attachment_part"], attachment, part
        )
    return found


async def drop_attachment(source: Source, attachment: bytes) -> None:
    """Nothing is left of a file that was not kept."""
    with translated():
        await source.execute(load_queries("application_attachments")["drop_attachment"], attachment)


async def drop_attachments_cut_short(source: Source, *, before: datetime) -> None:
    """Nothing is left of files that were begun before that instant and have not come to their end."""
    with translated():
        rows = await source.fetch(load_queries("application_attachments")["attachments_cut_short"], before)
    for row in rows:
        await drop_attachment(source, row["id"])
