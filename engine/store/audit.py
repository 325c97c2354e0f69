"""The audit trail: entries are added in the caller's transaction, at the end of their chain, and read."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import asyncpg
import msgspec

from engine.codes.audit_hash import link_hash
from engine.codes.hashes import HashAlgorithm
from engine.core.audit import Access, AuditEntry, AuditHead, chain_of, region_of_access
from engine.store.connection import AnyConnection
from engine.store.faults import translated
from engine.store.participants import Source
from engine.store.sql import load_queries

_ACCESS_COLUMNS: Final = Access.__struct_fields__


class AuditPlace(msgspec.Struct, frozen=True):
    """Where an entry is in the list, newest first."""

    at: datetime
    chain: int
    n: int


class AuditWanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries are asked for: those of all the filters that are given, older than `before`."""

    regions: tuple[int, int]
    count: int
    subject: bytes | None = None
    payment: bytes | None = None
    channel: bytes | None = None
    trace_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: AuditPlace | None = None


async def append_access(connection: AnyConnection, access: Access, *, now: datetime) -> None:
    """The look is in the audit trail once the caller's transaction commits, and is not if it does not.

    Locks: the row of its chain, until that transaction ends; so do it last, and once a transaction where it can be.
    """
    queries = load_queries("audit")
    chain = chain_of(access)
    with translated():
        head = await connection.fetchrow(queries["lock_audit_chain"], chain)
        assert head is not None, "every chain has a row"
        n, algorithm = head["n"] + 1, HashAlgorithm(head["hash_algorithm"])
        await connection.execute(
            queries["append_audit_entry"],
            chain,
            n,
            now,
            region_of_access(access),
            access.caller,
            access.channel,
            access.subject,
            access.payment,
            access.action,
            access.purpose,
            access.object,
            access.result,
            access.trace_id,
            algorithm.value,
            head["hash"],
            link_hash(algorithm, head["hash"], chain, n, now, access),
        )


async def use_audit_hash(source: Source, algorithm: HashAlgorithm) -> None:
    """Entries are hashed with *algorithm* from now on, whichever node adds them; earlier ones say what theirs is."""
    with translated():
        await source.execute(load_queries("audit")["use_audit_hash"], algorithm.value)


async def load_audit_entries(source: Source, wanted: AuditWanted) -> list[AuditEntry]:
    """The entries asked for, newest first."""
    before = wanted.before
    with translated():
        rows = await source.fetch(
            load_queries("audit")["audit_entries"],
            *wanted.regions,
            wanted.subject,
            wanted.payment,
            wanted.channel,
            wanted.trace_id,
            wanted.since,
            wanted.until,
            before.at if before is not None else None,
            before.chain if before is not None else None,
            before.n if before is not None else None,
            wanted.count,
        )
    return [_entry_of(row) for row in rows]


async def load_audit_heads(source: Source) -> list[tuple[AuditHead, int]]:
    """Where each chain ends as its row says, and the number of its last entry at the same moment."""
    with translated():
        rows = await source.fetch(load_queries("audit")["audit_heads"])
    return [(AuditHead(row["chain"], row["n"], row["hash"]), row["last_n"]) for row in rows]


async def count_audit_strays(source: Source) -> int:
    """How many entries are in no chain that there is."""
    with translated():
        count: int = await source.fetchval(load_queries("audit")["audit_strays"])
    return count


async def load_audit_stretch(source: Source, after: AuditHead, *, last: int, count: int) -> Sequence[AuditEntry]:
    """The entries of a chain that follow *after*, in order: no more than *count*, and none behind *last*."""
    with translated():
        rows = await source.fetch(load_queries("audit")["audit_stretch"], after.chain, after.n, last, count)
    return [_entry_of(row) for row in rows]


def _entry_of(row: asyncpg.Record) -> AuditEntry:
    return AuditEntry(
        chain=row["chain"],
        n=row["n"],
        at=row["at"],
        region=row["region"],
        access=Access(**{column: row[column] for column in _ACCESS_COLUMNS}),
        hash_algorithm=row["hash_algorithm"],
        prev=row["prev"],
        hash=row["hash"],
    )
