"""Admissions, and what they share with payments: the payer's row and the uses of codes."""

from datetime import datetime

import msgspec

from engine.core.books import CodeUse
from engine.core.ids import CardId
from engine.core.payer import CardStatus
from engine.store.connection import AnyConnection
from engine.store.faults import translated
from engine.store.participants import Source
from engine.store.sql import load_queries


class Admission(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who was let in. `entitlement` is the number of `core.admission.Entitlement`."""

    id: bytes
    caller: bytes
    card: CardId
    scenario: str
    terminal_id: str
    purpose: str
    is_by_code: bool
    has_face: bool
    entitlement: int
    at: datetime


class Place(msgspec.Struct, frozen=True):
    """A merchant as far as letting people in goes."""

    region: int
    is_suspended: bool
    scenarios: tuple[int, ...]
    has_terminal: bool


class Presenter(msgspec.Struct, frozen=True):
    """Whose phone shows a code, while nothing changes about it."""

    card: CardId
    is_revoked: bool
    status: CardStatus
    channel: bytes | None  # that has registered the phone


async def load_place(source: Source, merchant: bytes, terminal_id: str) -> Place | None:
    """Where a merchant lets people in; None if it is not registered."""
    with translated():
        row = await source.fetchrow(load_queries("admissions")["place"], merchant, terminal_id)
    if row is None:
        return None
    return Place(row["region"], row["is_suspended"], tuple(row["scenarios"]), row["has_terminal"])


async def hold_presenter(connection: AnyConnection, device_no: int) -> Presenter | None:
    """Whose phone this is. Locks: the payer's row, and the phone's against being revoked."""
    with translated():
        row = await connection.fetchrow(load_queries("admissions")["hold_presenter"], device_no)
    if row is None:
        return None
    return Presenter(CardId(row["card"]), row["is_revoked"], CardStatus(row["status"]), row["registered_by"])


async def hold_payer(connection: AnyConnection, card: CardId) -> CardStatus | None:
    """The status of a card, which stays so until the transaction ends. Locks: the payer's row."""
    with translated():
        status: int | None = await connection.fetchval(load_queries("admissions")["hold_payer"], card)
    return CardStatus(status) if status is not None else None


async def use_code(connection: AnyConnection, use: CodeUse) -> bool:
    """True if the code was not used before, by a payment or an admission, and is from now on."""
    with translated():
        taken: bool | None = await connection.fetchval(load_queries("admissions")["use_code"], *use)
    return taken is not None


async def insert_admission(connection: AnyConnection, admission: Admission) -> None:
    """Keep who was let in."""
    with translated():
        await connection.execute(
            load_queries("admissions")["insert_admission"],
            admission.id,
            admission.caller,
            admission.card,
            admission.scenario,
            admission.terminal_id,
            admission.purpose,
            admission.is_by_code,
            admission.has_face,
            admission.entitlement,
            admission.at,
        )
