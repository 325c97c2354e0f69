"""Damage to the audit trail."""

from datetime import UTC, datetime

import asyncpg

from engine.codes.audit_hash import entry_hash
from engine.core.audit import CHAINS, Access, AuditHead
from engine.core.ids import IdKind, make_id
from engine.core.violations import ViolationKind
from engine.store.audit import append_access, load_audit_stretch
from tests.flows.busy_books import BusyBooks
from tests.flows.damage import Place, found_as

CHAIN = 5


def looked_at(card: int = CHAIN) -> Access:
    """Somebody has looked at a card, whose chain is its number's."""
    subject, caller = (
        make_id(kind, at_ms=1_795_000_000_000, shard=0, region=110101, entropy=CHAINS * 8 + card)
        for kind in (IdKind.CARD, IdKind.OPERATOR)
    )
    return Access(
        caller=caller,
        subject=subject,
        action="card.read",
        purpose=None,
        object=None,
        result="allowed",
        trace_id="0af7651916cd43dd8448eb211c80319c",
    )


async def six_looks(sql: asyncpg.Connection) -> None:
    """A chain of six entries: two slices of three."""
    async with sql.transaction():
        for _ in range(6):
            await append_access(sql, looked_at(), now=datetime(2026, 11, 24, 4, tzinfo=UTC))


@found_as(ViolationKind.AUDIT_TRUNCATED)
async def looks_cut_off(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await six_looks(sql)
    await sql.execute("DELETE FROM audit_entry WHERE chain = $1 AND n > 4", CHAIN)
    return {"table": "audit_chain", "chain": CHAIN, "n": 6}


@found_as(ViolationKind.AUDIT_TRUNCATED)
async def looks_all_cut_off(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await six_looks(sql)
    await sql.execute("DELETE FROM audit_entry")
    return {"table": "audit_chain", "chain": CHAIN, "n": 6}


@found_as(ViolationKind.AUDIT_TRUNCATED)
async def chain_gone_with_all_its_looks(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await six_looks(sql)
    await sql.execute("DELETE FROM audit_entry")
    await sql.execute("DELETE FROM audit_chain WHERE chain = $1", CHAIN)
    return {"table": "audit_chain", "chain": CHAIN}


@found_as(ViolationKind.AUDIT_TRUNCATED)
async def look_added_behind_the_end(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await six_looks(sql)
    (last,) = await load_audit_stretch(sql, AuditHead(CHAIN, 5, b""), last=6, count=1)
    columns = "at, region, caller, channel, subject, payment, action, purpose, object, result, trace_id, hash_algorithm"
    await sql.execute(
        f"INSERT INTO audit_entry (chain, n, {columns}, prev, hash)"  # noqa: S608  # names from the line above
        f" SELECT chain, 7, {columns}, hash, $2 FROM audit_entry WHERE chain = $1 AND n = 6",
        CHAIN,
        last.hash,
    )
    return {"table": "audit_chain", "chain": CHAIN, "n": 6}


@found_as(ViolationKind.AUDIT_ENTRY_MISSING)
async def look_taken_out(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await six_looks(sql)
    await sql.execute("DELETE FROM audit_entry WHERE chain = $1 AND n = 3", CHAIN)
    return {"table": "audit_entry", "chain": CHAIN, "n": 4}


@found_as(ViolationKind.AUDIT_ENTRY_MISSING)
async def first_look_taken_out(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await six_looks(sql)
    await sql.execute("DELETE FROM audit_entry WHERE chain = $1 AND n = 1", CHAIN)
    return {"table": "audit_entry", "chain": CHAIN, "n": 2}


@found_as(ViolationKind.AUDIT_ENTRY_ALTERED)
async def look_for_another_purpose(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await six_looks(sql)
    await sql.execute("UPDATE audit_entry SET purpose = 'complaint' WHERE chain = $1 AND n = 2", CHAIN)
    return {"table": "audit_entry", "chain": CHAIN, "n": 2}


@found_as(ViolationKind.AUDIT_ENTRY_ALTERED)
async def look_moved_to_another_region(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await six_looks(sql)
    await sql.execute("UPDATE audit_entry SET region = 310000 WHERE chain = $1 AND n = 6", CHAIN)
    return {"table": "audit_entry", "chain": CHAIN, "n": 6}


@found_as(ViolationKind.AUDIT_LINK_BROKEN)
async def look_rewritten_with_its_hash(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await six_looks(sql)
    await sql.execute("UPDATE audit_entry SET at = at - interval '1 hour' WHERE chain = $1 AND n = 3", CHAIN)
    (edited,) = await load_audit_stretch(sql, AuditHead(CHAIN, 2, b""), last=3, count=1)
    await sql.execute("UPDATE audit_entry SET hash = $2 WHERE chain = $1 AND n = 3", CHAIN, entry_hash(edited))
    return {"table": "audit_entry", "chain": CHAIN, "n": 4}


@found_as(ViolationKind.AUDIT_LINK_BROKEN)
async def last_look_rewritten_with_its_hash(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await six_looks(sql)
    await sql.execute("UPDATE audit_entry SET result = 'not-found' WHERE chain = $1 AND n = 6", CHAIN)
    (edited,) = await load_audit_stretch(sql, AuditHead(CHAIN, 5, b""), last=6, count=1)
    await sql.execute("UPDATE audit_entry SET hash = $2 WHERE chain = $1 AND n = 6", CHAIN, entry_hash(edited))
    return {"table": "audit_chain", "chain": CHAIN, "n": 6}


@found_as(ViolationKind.STRAY_ROW)
async def look_in_no_chain(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await six_looks(sql)
    columns = "at, region, caller, action, result, trace_id, hash_algorithm, prev, hash"
    await sql.execute(
        f"INSERT INTO audit_entry (chain, n, {columns})"  # noqa: S608  # names from the line above
        f" SELECT 16, n, {columns} FROM audit_entry WHERE n = 1"
    )
    return {"table": "audit_entry"}
