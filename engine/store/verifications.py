"""Verifications: what was tried and what came of it, one query and one of our types each."""

from datetime import datetime

import msgspec

from engine.store.connection import AnyConnection
from engine.store.faults import translated
from engine.store.sql import load_queries


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """One verification. `subject` is the index of the ID number that was tried, whoever has it."""

    id: bytes
    caller: bytes
    subject: bytes
    factors: int
    is_match: bool
    request_no: str
    purpose: str
    at: datetime


class Failures(msgspec.Struct, frozen=True):
    """How often it was no match."""

    of_subject: int
    of_caller: int


async def hold_subject(connection: AnyConnection, subject: bytes) -> None:
    """Whoever tries the same ID number waits until the transaction ends."""
    with translated():
        await connection.execute(load_queries("verifications")["hold_subject"], subject)


async def load_failures(connection: AnyConnection, *, subject: bytes, caller: bytes, since: datetime) -> Failures:
    """How often it was no match since then; other callers' attempts count for the subject."""
    with translated():
        row = await connection.fetchrow(load_queries("verifications")["failures"], subject, caller, since)
    assert row is not None, "a row of counts"
    return Failures(row["of_subject"], row["of_caller"])


async def insert_verification(connection: AnyConnection, verification: Verification) -> None:
    """Keep what came of one."""
    with translated():
        await connection.execute(
            load_queries("verifications")["insert_verification"],
            verification.id,
            verification.caller,
            verification.subject,
            verification.factors,
            verification.is_match,
            verification.request_no,
            verification.purpose,
            verification.at,
        )
