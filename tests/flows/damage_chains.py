"""Damage to the chains, to what they cover, and to the seals."""

import asyncpg
import msgspec

from engine.core.clearing import LaneEnd, seal_root
from engine.core.ids import id_text
from engine.core.violations import ViolationKind
from tests.flows.busy_books import KEY, BusyBooks
from tests.flows.damage import (
    Place,
    PostingKey,
    first_posting,
    found_as,
    last_posting,
    rehash,
)


@found_as(ViolationKind.BATCH_ALTERED)
async def posting_amount_edited(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    key = await first_posting(sql, books.captured)
    await sql.execute("UPDATE posting SET amount = amount + 1 WHERE lane = $1 AND seq = $2 AND n = $3", *key[:3])
    return key.batch


@found_as(ViolationKind.BATCH_ALTERED)
async def posting_amount_edited_beyond_all_sums(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    key = await first_posting(sql, books.captured)
    await sql.execute("UPDATE posting SET amount = 9223372036854775807 WHERE lane = $1 AND seq = $2", *key[:2])
    return key.batch


@found_as(ViolationKind.POSTING_MISSING)
async def first_posting_deleted(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    key = await first_posting(sql, books.captured)
    assert key.posting_count == 3
    await sql.execute("DELETE FROM posting WHERE lane = $1 AND seq = $2 AND n = $3", *key[:3])
    return key.batch


@found_as(ViolationKind.BATCH_ALTERED)
async def last_posting_deleted(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    key = await last_posting(sql, books.captured)
    await sql.execute("DELETE FROM posting WHERE lane = $1 AND seq = $2 AND n = $3", *key[:3])
    return key.batch


@found_as(ViolationKind.BATCH_ALTERED)
async def posting_added(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    key = await last_posting(sql, books.captured)
    await sql.execute(
        """
        INSERT INTO posting
        SELECT business_date, lane, seq, n + 1::smallint, event, cycle, region, payment, phase, kind, debit, credit,
               amount
          FROM posting WHERE lane = $1 AND seq = $2 AND n = $3
        """,
        *key[:3],
    )
    return key.batch


@found_as(ViolationKind.BATCH_ALTERED)
async def posting_moved_to_another_date(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    key = await last_posting(sql, books.captured)
    await _move_to_next_date(sql, key)
    return key.batch


async def _move_to_next_date(sql: asyncpg.Connection, key: PostingKey) -> None:
    await sql.execute(
        "UPDATE posting SET business_date = business_date + 1 WHERE lane = $1 AND seq = $2 AND n = $3", *key[:3]
    )


@found_as(ViolationKind.STRAY_ROW)
async def posting_moved_to_another_date_and_chain_made_again(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    key = await last_posting(sql, books.captured)
    await _move_to_next_date(sql, key)
    await rehash(sql)
    return {"table": "posting", **key.batch, "n": key.n}


@found_as(ViolationKind.STRAY_ROW)
async def posting_of_no_batch(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    key = await first_posting(sql, books.captured)
    await sql.execute(
        """
        INSERT INTO posting
        SELECT business_date, lane, 999, n, event, cycle, region, payment, phase, kind, debit, credit, amount
          FROM posting WHERE lane = $1 AND seq = $2 AND n = $3
        """,
        *key[:3],
    )
    return {"table": "posting", "lane": key.lane, "seq": 999}


@found_as(ViolationKind.STRAY_ROW)
async def event_of_no_lane(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute(
        "INSERT INTO event SELECT business_date, 77, seq, n, kind, region, payment, at, body FROM event LIMIT 1"
    )
    return {"table": "event", "lane": 77}


@found_as(ViolationKind.EVENT_MISSING)
async def event_deleted(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    key = await first_posting(sql, books.captured)
    await sql.execute("DELETE FROM event WHERE lane = $1 AND seq = $2", *key[:2])
    return key.batch


@found_as(ViolationKind.BATCH_ALTERED)
async def event_body_edited(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    key = await first_posting(sql, books.captured)
    await sql.execute(
        "UPDATE event SET body = set_byte(body, 5, (get_byte(body, 5) + 1) % 256) WHERE lane = $1 AND seq = $2",
        *key[:2],
    )
    return key.batch


@found_as(ViolationKind.BATCH_ALTERED)
async def batch_time_edited(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    key = await first_posting(sql, books.captured)
    await sql.execute("UPDATE batch SET at = at + interval '1 us' WHERE lane = $1 AND seq = $2", *key[:2])
    return key.batch


@found_as(ViolationKind.POSTING_IN_OTHER_CYCLE)
async def posting_cycle_edited(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    key = await first_posting(sql, books.captured)
    await sql.execute("UPDATE posting SET cycle = cycle + 1 WHERE lane = $1 AND seq = $2 AND n = $3", *key[:3])
    await rehash(sql)
    return {**key.batch, "n": key.n, "payment": id_text(books.captured)}


@found_as(ViolationKind.POSTING_MALFORMED)
async def posting_without_amount(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    key = await first_posting(sql, books.captured)
    await sql.execute("ALTER TABLE posting DROP CONSTRAINT posting_amount_positive")
    await sql.execute("UPDATE posting SET amount = 0 WHERE lane = $1 AND seq = $2 AND n = $3", *key[:3])
    await rehash(sql)
    return {**key.batch, "n": key.n}


@found_as(ViolationKind.POSTING_MALFORMED)
async def posting_between_one_account(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    key = await first_posting(sql, books.captured)
    await sql.execute("ALTER TABLE posting DROP CONSTRAINT posting_two_accounts")
    await sql.execute("UPDATE posting SET credit = debit WHERE lane = $1 AND seq = $2 AND n = $3", *key[:3])
    await rehash(sql)
    return {**key.batch, "n": key.n}


@found_as(ViolationKind.POSTING_WITHOUT_EVENT)
async def posting_of_no_event(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    key = await first_posting(sql, books.captured)
    await sql.execute("UPDATE posting SET event = 99 WHERE lane = $1 AND seq = $2 AND n = $3", *key[:3])
    await rehash(sql)
    return {**key.batch, "n": key.n}


@found_as(ViolationKind.POSTING_WITHOUT_EVENT)
async def posting_of_another_payments_event(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    key = await first_posting(sql, books.captured)
    await sql.execute(
        "UPDATE posting SET payment = $4 WHERE lane = $1 AND seq = $2 AND n = $3", *key[:3], books.refunded_later
    )
    await rehash(sql)
    return {**key.batch, "n": key.n}


@found_as(ViolationKind.CHAIN_LINK_BROKEN)
async def link_edited(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("UPDATE batch SET prev = sha256(prev) WHERE lane = 2 AND seq = 4")
    return {"lane": 2, "seq": 4}


@found_as(ViolationKind.BATCH_ALTERED)
async def hash_edited(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("UPDATE batch SET hash = sha256(hash) WHERE lane = 2 AND seq = 4")
    return {"lane": 2, "seq": 4}


@found_as(ViolationKind.CHAIN_LINK_BROKEN)
async def lane_head_edited(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("UPDATE lane SET head = sha256(head) WHERE id = 1")
    return {"table": "lane", "lane": 1}


@found_as(ViolationKind.BATCH_MISSING)
async def batch_deleted(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("DELETE FROM batch WHERE lane = 2 AND seq = 4")
    return {"lane": 2, "seq": 5}


async def _cut_back(sql: asyncpg.Connection, seq: int) -> None:
    await sql.execute("DELETE FROM batch WHERE lane = 1 AND seq >= $1", seq)
    await sql.execute("DELETE FROM posting WHERE lane = 1 AND seq >= $1", seq)
    await sql.execute("DELETE FROM event WHERE lane = 1 AND seq >= $1", seq)


@found_as(ViolationKind.CHAIN_TRUNCATED)
async def last_batch_deleted(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    last = await sql.fetchval("SELECT seq FROM lane WHERE id = 1")
    await _cut_back(sql, last)
    return {"lane": 1, "seq": last - 1}


@found_as(ViolationKind.CHAIN_TRUNCATED)
async def chain_cut_back_behind_a_seal(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    """Only the seal tells: everything that is left of the chain is right."""
    cycle = await sql.fetchval("SELECT max(cycle) FROM seal")
    last = await sql.fetchval("SELECT max(seq) FROM batch WHERE lane = 1 AND cycle <= $1", cycle)
    await _cut_back(sql, last)
    await sql.execute(
        "UPDATE lane SET seq = b.seq, head = b.hash FROM batch b WHERE id = 1 AND b.lane = 1 AND b.seq = $1", last - 1
    )
    return {"table": "seal", "cycle": cycle, "lane": 1, "seq": last}


@found_as(ViolationKind.CHAIN_TRUNCATED)
async def lane_set_back(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute(
        "UPDATE lane SET seq = b.seq, head = b.hash FROM batch b WHERE id = 1 AND b.lane = 1 AND b.seq = 3"
    )
    return {"lane": 1}


@found_as(ViolationKind.CHAIN_TRUNCATED)
async def lane_deleted(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("DELETE FROM lane WHERE id = 2")
    return {"lane": 2}


@found_as(ViolationKind.CYCLE_WENT_BACK)
async def batch_in_an_earlier_cycle(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    last = await sql.fetchval("SELECT seq FROM lane WHERE id = 1")
    await sql.execute("UPDATE batch SET cycle = $2 WHERE lane = 1 AND seq = $1", last, books.first_cycle)
    await sql.execute("UPDATE posting SET cycle = $2 WHERE lane = 1 AND seq = $1", last, books.first_cycle)
    await rehash(sql)
    return {"lane": 1, "seq": last}


@found_as(ViolationKind.CYCLE_WENT_BACK)
async def batch_on_an_earlier_date(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    last = await sql.fetchval("SELECT seq FROM lane WHERE id = 1")
    await sql.execute("UPDATE batch SET business_date = business_date - 1 WHERE lane = 1 AND seq = $1", last)
    await sql.execute("UPDATE posting SET business_date = business_date - 1 WHERE lane = 1 AND seq = $1", last)
    await sql.execute("UPDATE event SET business_date = business_date - 1 WHERE lane = 1 AND seq = $1", last)
    await rehash(sql)
    return {"lane": 1, "seq": last}


@found_as(ViolationKind.CHAIN_REWRITTEN)
async def chain_made_again_under_the_seals(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    key = await first_posting(sql, books.captured)
    await sql.execute("UPDATE posting SET amount = amount + 1 WHERE lane = $1 AND seq = $2 AND n = $3", *key[:3])
    seals = await sql.fetch("SELECT * FROM seal")
    await rehash(sql)
    await sql.copy_records_to_table("seal", records=[tuple(seal) for seal in seals])
    return {"table": "seal", "cycle": books.first_cycle, "lane": key.lane}


@found_as(ViolationKind.SEAL_MISSING)
async def seal_deleted(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("DELETE FROM seal WHERE cycle = $1", books.first_cycle)
    return {"table": "seal", "cycle": books.first_cycle}


@found_as(ViolationKind.SEAL_BROKEN)
async def seal_root_edited(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("UPDATE seal SET root = sha256(root) WHERE cycle = $1", books.first_cycle)
    return {"table": "seal", "cycle": books.first_cycle}


@found_as(ViolationKind.SEAL_BROKEN)
async def seal_signature_edited(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("UPDATE seal SET signature = sha512(signature) WHERE cycle = $1", books.first_cycle)
    return {"table": "seal", "cycle": books.first_cycle}


@found_as(ViolationKind.SEAL_BROKEN)
async def seal_of_an_unknown_key(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("UPDATE seal SET key_id = 'another' WHERE cycle = $1", books.first_cycle)
    return {"table": "seal", "cycle": books.first_cycle}


@found_as(ViolationKind.SEAL_BROKEN)
async def seal_of_nothing_readable(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("UPDATE seal SET lanes = '\\x01' WHERE cycle = $1", books.first_cycle)
    return {"table": "seal", "cycle": books.first_cycle}


@found_as(ViolationKind.SEAL_INCOMPLETE)
async def seal_that_leaves_a_batch_out(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    """Signed with the right key: the closer, not a forger, made the mistake."""
    seal = await sql.fetchval("SELECT lanes FROM seal WHERE cycle = $1", books.first_cycle)
    ends = msgspec.msgpack.decode(seal, type=list[LaneEnd])
    lane, seq = ends[0].lane, ends[0].seq - 1
    ends[0] = LaneEnd(lane, seq, await sql.fetchval("SELECT hash FROM batch WHERE lane = $1 AND seq = $2", lane, seq))
    root = seal_root(ends)
    await sql.execute(
        "UPDATE seal SET lanes = $2, root = $3, signature = $4 WHERE cycle = $1",
        books.first_cycle,
        msgspec.msgpack.encode(ends),
        root,
        KEY.sign(root),
    )
    return {"table": "seal", "cycle": books.first_cycle, "lane": ends[0].lane, "seq": ends[0].seq}


@found_as(ViolationKind.SEAL_INCOMPLETE)
async def seal_that_leaves_a_lane_out(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    seal = await sql.fetchval("SELECT lanes FROM seal WHERE cycle = $1", books.first_cycle)
    left_out, *ends = msgspec.msgpack.decode(seal, type=list[LaneEnd])
    root = seal_root(ends)
    await sql.execute(
        "UPDATE seal SET lanes = $2, root = $3, signature = $4 WHERE cycle = $1",
        books.first_cycle,
        msgspec.msgpack.encode(ends),
        root,
        KEY.sign(root),
    )
    return {"table": "seal", "lane": left_out.lane, "seq": 0}
