"""What a person has to take up with a bank, as operators see it."""

from datetime import datetime
from typing import Final

import asyncpg
import msgspec

from engine.core.bank_lines import Direction
from engine.core.ids import BankId
from engine.store.connection import AnyConnection
from engine.store.faults import translated
from engine.store.settlement import DIRECTIONS
from engine.store.sql import load_queries

_QUERIES: Final = load_queries("cases")


class CaseKey(msgspec.Struct, frozen=True):
    """What names a case: a file's name, or an item and its direction."""

    kind: str
    subject: str


class CaseRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One case with what it is about. Units: fen. What does not apply to its kind is None."""

    key: CaseKey
    bank: BankId
    reason: str
    opened_at: datetime
    amount: int | None
    payment: bytes | None
    direction: Direction | None


class CasesWanted(msgspec.Struct, frozen=True, kw_only=True):
    """A page of cases; what is None does not matter."""

    kind: str | None
    bank: BankId | None
    before: CaseKey | None
    count: int


async def load_cases(source: "asyncpg.Pool | AnyConnection", wanted: CasesWanted) -> list[CaseRecord]:
    """Cases, newest first."""
    before = wanted.before
    with translated():
        rows = await source.fetch(
            _QUERIES["cases"],
            wanted.kind,
            wanted.bank,
            before.kind if before is not None else None,
            before.subject if before is not None else None,
            wanted.count,
        )
    return [_case_of(row) for row in rows]


async def load_case(source: "asyncpg.Pool | AnyConnection", key: CaseKey) -> CaseRecord | None:
    """One case."""
    with translated():
        row = await source.fetchrow(_QUERIES["case"], key.kind, key.subject)
    return _case_of(row) if row is not None else None


def _case_of(row: asyncpg.Record) -> CaseRecord:
    return CaseRecord(
        key=CaseKey(row["kind"], row["subject"]),
        bank=BankId(row["bank"]),
        reason=row["reason"],
        opened_at=row["opened_at"],
        amount=row["amount"],
        payment=row["payment"],
        direction=DIRECTIONS.get(row["direction"]),
    )
