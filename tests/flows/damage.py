"""Ways to damage books, each with what the books check has to say about it."""

from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

import asyncpg
import msgspec

from engine.core.accounts import account_text, personal_account
from engine.core.calendar import CycleNumber
from engine.core.clearing import LaneEnd, seal_root
from engine.core.ids import IdKind, id_text
from engine.core.journal import GENESIS, BatchHeader, EventRow, PostingRow, batch_hash
from engine.core.violations import ViolationKind
from tests.builders import an_id
from tests.flows.busy_books import KEY, BusyBooks

Place = Mapping[str, object]
"""What the violation's `where` must say."""

DamageBooks = Callable[[asyncpg.Connection, BusyBooks], Awaitable[Place]]


class Damage(NamedTuple):
    """One way, with what is to be found."""

    kind: ViolationKind
    do: DamageBooks


DAMAGES: list[Damage] = []


def _found_as(kind: ViolationKind) -> Callable[[DamageBooks], DamageBooks]:
    def register(do: DamageBooks) -> DamageBooks:
        DAMAGES.append(Damage(kind, do))
        return do

    return register


# The journal


class PostingKey(NamedTuple):
    """Where a posting is, and how many its batch has."""

    lane: int
    seq: int
    n: int
    count: int

    @property
    def batch(self) -> Place:
        """Its batch's place."""
        return {"lane": self.lane, "seq": self.seq}


async def _posting(sql: asyncpg.Connection, payment: bytes, *, last: bool = False) -> PostingKey:
    """The first or last posting of a payment's first batch."""
    row = await sql.fetchrow(
        """
        SELECT p.lane, p.seq, min(p.n) AS first, max(p.n) AS last, count(*) AS count
          FROM posting p WHERE p.payment = $1 GROUP BY p.lane, p.seq ORDER BY p.seq LIMIT 1
        """,
        payment,
    )
    assert row is not None
    return PostingKey(row["lane"], row["seq"], row["last" if last else "first"], row["count"])


async def rehash(sql: asyncpg.Connection) -> None:
    """Make the chains right again after an edit, as somebody could who can write every table but has not the key."""
    await sql.execute("DELETE FROM seal")
    await sql.execute("UPDATE clearing_run SET sealed_at = NULL")
    for lane in await sql.fetch("SELECT id FROM lane"):
        head = GENESIS
        for batch in await sql.fetch("SELECT * FROM batch WHERE lane = $1 ORDER BY seq", lane["id"]):
            key = (batch["business_date"], batch["lane"], batch["seq"])
            where = "WHERE business_date = $1 AND lane = $2 AND seq = $3 ORDER BY n"
            postings = [PostingRow._make(row) for row in await sql.fetch(f"SELECT * FROM posting {where}", *key)]
            events = [EventRow._make(row) for row in await sql.fetch(f"SELECT * FROM event {where}", *key)]
            header = BatchHeader(
                batch["lane"], batch["seq"], batch["at"], batch["business_date"], CycleNumber(batch["cycle"])
            )
            link = batch_hash(head, header, postings, events)
            await sql.execute(
                "UPDATE batch SET prev = $3, hash = $4, n = $5 WHERE lane = $1 AND seq = $2",
                batch["lane"],
                batch["seq"],
                head,
                link,
                len(events),
            )
            head = link
        await sql.execute("UPDATE lane SET head = $2 WHERE id = $1", lane["id"], head)


@_found_as(ViolationKind.BATCH_ALTERED)
async def posting_amount_edited(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    key = await _posting(sql, books.captured)
    await sql.execute("UPDATE posting SET amount = amount + 1 WHERE lane = $1 AND seq = $2 AND n = $3", *key[:3])
    return key.batch


@_found_as(ViolationKind.BATCH_ALTERED)
async def posting_amount_edited_beyond_all_sums(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    key = await _posting(sql, books.captured)
    await sql.execute("UPDATE posting SET amount = 9223372036854775807 WHERE lane = $1 AND seq = $2", *key[:2])
    return key.batch


@_found_as(ViolationKind.POSTING_MISSING)
async def first_posting_deleted(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    key = await _posting(sql, books.captured)
    assert key.count == 3
    await sql.execute("DELETE FROM posting WHERE lane = $1 AND seq = $2 AND n = $3", *key[:3])
    return key.batch


@_found_as(ViolationKind.BATCH_ALTERED)
async def last_posting_deleted(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    key = await _posting(sql, books.captured, last=True)
    await sql.execute("DELETE FROM posting WHERE lane = $1 AND seq = $2 AND n = $3", *key[:3])
    return key.batch


@_found_as(ViolationKind.BATCH_ALTERED)
async def posting_added(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    key = await _posting(sql, books.captured, last=True)
    await sql.execute(
        """
        INSERT INTO posting
        SELECT business_date, lane, seq, n + 1::smallint, event, cycle, region, payment, phase, kind, debit, credit, amount
          FROM posting WHERE lane = $1 AND seq = $2 AND n = $3
        """,
        *key[:3],
    )
    return key.batch


@_found_as(ViolationKind.BATCH_ALTERED)
async def posting_moved_to_another_date(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    key = await _posting(sql, books.captured, last=True)
    await _move_to_next_date(sql, key)
    return key.batch


async def _move_to_next_date(sql: asyncpg.Connection, key: PostingKey) -> None:
    await sql.execute(
        "UPDATE posting SET business_date = business_date + 1 WHERE lane = $1 AND seq = $2 AND n = $3", *key[:3]
    )


@_found_as(ViolationKind.STRAY_ROW)
async def posting_moved_to_another_date_and_chain_made_again(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    key = await _posting(sql, books.captured, last=True)
    await _move_to_next_date(sql, key)
    await rehash(sql)
    return {"table": "posting", **key.batch, "n": key.n}


@_found_as(ViolationKind.STRAY_ROW)
async def posting_of_no_batch(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    key = await _posting(sql, books.captured)
    await sql.execute(
        """
        INSERT INTO posting
        SELECT business_date, lane, 999, n, event, cycle, region, payment, phase, kind, debit, credit, amount
          FROM posting WHERE lane = $1 AND seq = $2 AND n = $3
        """,
        *key[:3],
    )
    return {"table": "posting", "lane": key.lane, "seq": 999}


@_found_as(ViolationKind.STRAY_ROW)
async def event_of_no_lane(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute(
        "INSERT INTO event SELECT business_date, 77, seq, n, kind, region, payment, at, body FROM event LIMIT 1"
    )
    return {"table": "event", "lane": 77}


@_found_as(ViolationKind.EVENT_MISSING)
async def event_deleted(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    key = await _posting(sql, books.captured)
    await sql.execute("DELETE FROM event WHERE lane = $1 AND seq = $2", *key[:2])
    return key.batch


@_found_as(ViolationKind.BATCH_ALTERED)
async def event_body_edited(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    key = await _posting(sql, books.captured)
    await sql.execute(
        "UPDATE event SET body = set_byte(body, 5, (get_byte(body, 5) + 1) % 256) WHERE lane = $1 AND seq = $2",
        *key[:2],
    )
    return key.batch


@_found_as(ViolationKind.BATCH_ALTERED)
async def batch_time_edited(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    key = await _posting(sql, books.captured)
    await sql.execute("UPDATE batch SET at = at + interval '1 us' WHERE lane = $1 AND seq = $2", *key[:2])
    return key.batch


@_found_as(ViolationKind.POSTING_IN_OTHER_CYCLE)
async def posting_cycle_edited(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    key = await _posting(sql, books.captured)
    await sql.execute("UPDATE posting SET cycle = cycle + 1 WHERE lane = $1 AND seq = $2 AND n = $3", *key[:3])
    await rehash(sql)
    return {**key.batch, "n": key.n, "payment": id_text(books.captured)}


@_found_as(ViolationKind.POSTING_MALFORMED)
async def posting_without_amount(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    key = await _posting(sql, books.captured)
    await sql.execute("ALTER TABLE posting DROP CONSTRAINT posting_amount_positive")
    await sql.execute("UPDATE posting SET amount = 0 WHERE lane = $1 AND seq = $2 AND n = $3", *key[:3])
    await rehash(sql)
    return {**key.batch, "n": key.n}


@_found_as(ViolationKind.POSTING_MALFORMED)
async def posting_between_one_account(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    key = await _posting(sql, books.captured)
    await sql.execute("ALTER TABLE posting DROP CONSTRAINT posting_two_accounts")
    await sql.execute("UPDATE posting SET credit = debit WHERE lane = $1 AND seq = $2 AND n = $3", *key[:3])
    await rehash(sql)
    return {**key.batch, "n": key.n}


@_found_as(ViolationKind.POSTING_WITHOUT_EVENT)
async def posting_of_no_event(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    key = await _posting(sql, books.captured)
    await sql.execute("UPDATE posting SET event = 99 WHERE lane = $1 AND seq = $2 AND n = $3", *key[:3])
    await rehash(sql)
    return {**key.batch, "n": key.n}


@_found_as(ViolationKind.POSTING_WITHOUT_EVENT)
async def posting_of_another_payments_event(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    key = await _posting(sql, books.captured)
    await sql.execute(
        "UPDATE posting SET payment = $4 WHERE lane = $1 AND seq = $2 AND n = $3", *key[:3], books.refunded_later
    )
    await rehash(sql)
    return {**key.batch, "n": key.n}


@_found_as(ViolationKind.CHAIN_LINK_BROKEN)
async def link_edited(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("UPDATE batch SET prev = sha256(prev) WHERE lane = 2 AND seq = 4")
    return {"lane": 2, "seq": 4}


@_found_as(ViolationKind.BATCH_ALTERED)
async def hash_edited(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("UPDATE batch SET hash = sha256(hash) WHERE lane = 2 AND seq = 4")
    return {"lane": 2, "seq": 4}


@_found_as(ViolationKind.CHAIN_LINK_BROKEN)
async def lane_head_edited(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("UPDATE lane SET head = sha256(head) WHERE id = 1")
    return {"table": "lane", "lane": 1}


@_found_as(ViolationKind.BATCH_MISSING)
async def batch_deleted(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("DELETE FROM batch WHERE lane = 2 AND seq = 4")
    return {"lane": 2, "seq": 5}


@_found_as(ViolationKind.CHAIN_TRUNCATED)
async def last_batch_deleted(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    last = await sql.fetchval("SELECT seq FROM lane WHERE id = 1")
    for table in ("batch", "posting", "event"):
        await sql.execute(f"DELETE FROM {table} WHERE lane = 1 AND seq = $1", last)
    return {"lane": 1, "seq": last - 1}


@_found_as(ViolationKind.CHAIN_TRUNCATED)
async def chain_cut_back_behind_a_seal(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    """Only the seal tells: everything that is left of the chain is right."""
    cycle = await sql.fetchval("SELECT max(cycle) FROM seal")
    last = await sql.fetchval("SELECT max(seq) FROM batch WHERE lane = 1 AND cycle <= $1", cycle)
    for table in ("batch", "posting", "event"):
        await sql.execute(f"DELETE FROM {table} WHERE lane = 1 AND seq >= $1", last)
    await sql.execute(
        "UPDATE lane SET seq = b.seq, head = b.hash FROM batch b WHERE id = 1 AND b.lane = 1 AND b.seq = $1", last - 1
    )
    return {"table": "seal", "cycle": cycle, "lane": 1, "seq": last}


@_found_as(ViolationKind.CHAIN_TRUNCATED)
async def lane_set_back(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute(
        "UPDATE lane SET seq = b.seq, head = b.hash FROM batch b WHERE id = 1 AND b.lane = 1 AND b.seq = 3"
    )
    return {"lane": 1}


@_found_as(ViolationKind.CHAIN_TRUNCATED)
async def lane_deleted(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("DELETE FROM lane WHERE id = 2")
    return {"lane": 2}


@_found_as(ViolationKind.CYCLE_WENT_BACK)
async def batch_in_an_earlier_cycle(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    last = await sql.fetchval("SELECT seq FROM lane WHERE id = 1")
    await sql.execute("UPDATE batch SET cycle = $2 WHERE lane = 1 AND seq = $1", last, books.first_cycle)
    await sql.execute("UPDATE posting SET cycle = $2 WHERE lane = 1 AND seq = $1", last, books.first_cycle)
    await rehash(sql)
    return {"lane": 1, "seq": last}


# Seals


@_found_as(ViolationKind.CHAIN_REWRITTEN)
async def chain_made_again_under_the_seals(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    key = await _posting(sql, books.captured)
    await sql.execute("UPDATE posting SET amount = amount + 1 WHERE lane = $1 AND seq = $2 AND n = $3", *key[:3])
    seals = await sql.fetch("SELECT * FROM seal")
    await rehash(sql)
    await sql.copy_records_to_table("seal", records=seals)
    return {"table": "seal", "cycle": books.first_cycle, "lane": key.lane}


@_found_as(ViolationKind.SEAL_MISSING)
async def seal_deleted(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("DELETE FROM seal WHERE cycle = $1", books.first_cycle)
    return {"table": "seal", "cycle": books.first_cycle}


@_found_as(ViolationKind.SEAL_BROKEN)
async def seal_root_edited(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("UPDATE seal SET root = sha256(root) WHERE cycle = $1", books.first_cycle)
    return {"table": "seal", "cycle": books.first_cycle}


@_found_as(ViolationKind.SEAL_BROKEN)
async def seal_signature_edited(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("UPDATE seal SET signature = sha512(signature) WHERE cycle = $1", books.first_cycle)
    return {"table": "seal", "cycle": books.first_cycle}


@_found_as(ViolationKind.SEAL_BROKEN)
async def seal_of_an_unknown_key(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("UPDATE seal SET key_id = 'another' WHERE cycle = $1", books.first_cycle)
    return {"table": "seal", "cycle": books.first_cycle}


@_found_as(ViolationKind.SEAL_BROKEN)
async def seal_of_nothing_readable(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("UPDATE seal SET lanes = '\\x01' WHERE cycle = $1", books.first_cycle)
    return {"table": "seal", "cycle": books.first_cycle}


@_found_as(ViolationKind.SEAL_INCOMPLETE)
async def seal_that_leaves_a_batch_out(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    """Signed with the right key: the closer, not a forger, made the mistake."""
    seal = await sql.fetchval("SELECT lanes FROM seal WHERE cycle = $1", books.first_cycle)
    ends = msgspec.msgpack.decode(seal, type=list[LaneEnd])
    before = await sql.fetchrow(
        "SELECT lane, seq, hash FROM batch WHERE lane = $1 AND seq = $2", ends[0].lane, ends[0].seq - 1
    )
    ends[0] = LaneEnd._make(before)
    root = seal_root(ends)
    await sql.execute(
        "UPDATE seal SET lanes = $2, root = $3, signature = $4 WHERE cycle = $1",
        books.first_cycle,
        msgspec.msgpack.encode(ends),
        root,
        KEY.sign(root),
    )
    return {"table": "seal", "cycle": books.first_cycle, "lane": ends[0].lane, "seq": ends[0].seq}


@_found_as(ViolationKind.SEAL_INCOMPLETE)
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


# Totals


@_found_as(ViolationKind.BALANCE_WRONG)
async def balance_edited(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    row = await sql.fetchrow("SELECT account, lane FROM balance ORDER BY account DESC LIMIT 1")
    assert row is not None
    await sql.execute("UPDATE balance SET credits_posted = credits_posted + 1 WHERE account = $1 AND lane = $2", *row)
    return {"account": account_text(row["account"]), "lane": row["lane"]}


@_found_as(ViolationKind.BALANCE_WRONG)
async def balance_deleted(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    row = await sql.fetchrow("SELECT account, lane FROM balance ORDER BY account LIMIT 1")
    assert row is not None
    await sql.execute("DELETE FROM balance WHERE account = $1 AND lane = $2", *row)
    return {"account": account_text(row["account"]), "lane": row["lane"]}


@_found_as(ViolationKind.BALANCE_WRONG)
async def balance_invented(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("INSERT INTO balance SELECT account, 9, 0, 1, 0, 1, 1 FROM balance ORDER BY account LIMIT 1")
    return {"lane": 9}


@_found_as(ViolationKind.PAYER_TOTALS_WRONG)
async def payer_total_edited(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    card = books.world.cards[2]
    await sql.execute("UPDATE payer SET credits_posted = credits_posted + 1 WHERE id = $1", card)
    return {"account": account_text(personal_account(card))}


@_found_as(ViolationKind.PAYER_TOTALS_WRONG)
async def payer_deleted(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    card = books.world.cards[3]
    await sql.execute("DELETE FROM payer WHERE id = $1", card)
    return {"account": account_text(personal_account(card))}


# Payments


def _of(payment: bytes) -> Place:
    return {"payment": id_text(payment)}


@_found_as(ViolationKind.PAYMENT_MISSING)
async def payment_deleted(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("DELETE FROM payment WHERE id = $1", books.captured)
    return _of(books.captured)


@_found_as(ViolationKind.PAYMENT_UNREADABLE)
async def payment_in_no_state(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("UPDATE payment SET state = 99 WHERE id = $1", books.captured)
    return _of(books.captured)


@_found_as(ViolationKind.PAYMENT_UNREADABLE)
async def tenders_of_nothing_readable(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("UPDATE payment SET tenders = '\\xc1' WHERE id = $1", books.captured)
    return _of(books.captured)


@_found_as(ViolationKind.PAYMENT_NOT_AUTHORIZED_ONCE)
async def payment_invented(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    invented = an_id(IdKind.PAYMENT)
    await sql.execute(
        """
        INSERT INTO payment
        SELECT $2, region, merchant, payer, order_no, amount, scenario, mode, terminal_id, description, state, refusal,
               captured, refunded, tenders, business_date, cycle, limit_day, created_at, expires_at, captured_at
          FROM payment WHERE id = $1
        """,
        books.captured,
        invented,
    )
    return _of(invented)


@_found_as(ViolationKind.PAYMENT_NOT_AUTHORIZED_ONCE)
async def authorized_twice(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await _add_event(sql, books.held, kind=1)
    return _of(books.held)


@_found_as(ViolationKind.PAYMENT_CAPTURED_TWICE)
async def captured_twice(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await _add_event(sql, books.held_and_captured, kind=2)
    return _of(books.held_and_captured)


async def _add_event(sql: asyncpg.Connection, payment: bytes, *, kind: int) -> None:
    """Another event in the batch of the payment's first, and the chain made again."""
    await sql.execute(
        """
        INSERT INTO event
        SELECT business_date, lane, seq, 77, $2, region, payment, at, body
          FROM event WHERE payment = $1 ORDER BY business_date, seq LIMIT 1
        """,
        payment,
        kind,
    )
    await rehash(sql)


@_found_as(ViolationKind.PAYMENT_IN_TWO_CYCLES)
async def payment_in_two_cycles(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    """One of its two tenders is posted with a refund in the next cycle: every sum stays what it was."""
    payment = books.refunded_later
    moved = await _posting(sql, payment, last=True)
    assert moved.count == 2
    await sql.execute(
        """
        UPDATE posting p
           SET business_date = r.business_date, seq = r.seq, n = r.n + 1, event = r.event, cycle = r.cycle
          FROM (SELECT * FROM posting WHERE payment = $4 AND kind = 2 ORDER BY seq, n DESC LIMIT 1) r
         WHERE p.lane = $1 AND p.seq = $2 AND p.n = $3 AND r.lane = p.lane AND r.cycle > p.cycle
        """,
        *moved[:3],
        payment,
    )
    await rehash(sql)
    return _of(payment)


@_found_as(ViolationKind.PAYMENT_SUMS_WRONG)
async def captured_sum_edited(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("UPDATE payment SET captured = captured - 1 WHERE id = $1", books.captured)
    return _of(books.captured)


@_found_as(ViolationKind.PAYMENT_SUMS_WRONG)
async def refunded_sum_edited(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("UPDATE payment SET refunded = refunded + 1 WHERE id = $1", books.captured)
    return _of(books.captured)


@_found_as(ViolationKind.PAYMENT_SUMS_WRONG)
async def hold_declared_void(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("UPDATE payment SET state = 5 WHERE id = $1", books.held)
    return _of(books.held)


@_found_as(ViolationKind.PAYMENT_CYCLE_WRONG)
async def payment_cycle_edited(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("UPDATE payment SET cycle = cycle + 1 WHERE id = $1", books.captured)
    return _of(books.captured)


@_found_as(ViolationKind.PAYMENT_CYCLE_WRONG)
async def payment_date_edited(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("UPDATE payment SET business_date = business_date + 1 WHERE id = $1", books.held)
    return _of(books.held)


@_found_as(ViolationKind.PAYMENT_CYCLE_WRONG)
async def capture_time_edited(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("UPDATE payment SET captured_at = captured_at + interval '1 s' WHERE id = $1", books.captured)
    return _of(books.captured)


@_found_as(ViolationKind.PAYMENT_STATE_WRONG)
async def refund_forgotten_in_the_state(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("UPDATE payment SET state = 2 WHERE id = $1", books.captured)
    return _of(books.captured)


@_found_as(ViolationKind.PAYMENT_STATE_WRONG)
async def void_called_expiry(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("UPDATE payment SET state = 6 WHERE id = $1", books.voided)
    return _of(books.voided)


@_found_as(ViolationKind.PAYMENT_STATE_WRONG)
async def refusal_forgotten(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("UPDATE payment SET refusal = NULL WHERE id = $1", books.declined)
    return _of(books.declined)


@_found_as(ViolationKind.PAYMENT_ALTERED)
async def payer_of_a_payment_edited(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("UPDATE payment SET payer = $2 WHERE id = $1", books.captured, books.world.cards[3])
    return _of(books.captured)


@_found_as(ViolationKind.PAYMENT_ALTERED)
async def refusal_edited(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("UPDATE payment SET refusal = 'card_not_usable' WHERE id = $1", books.declined)
    return _of(books.declined)


@_found_as(ViolationKind.PAYMENT_ALTERED)
async def hold_prolonged(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("UPDATE payment SET expires_at = expires_at + interval '1 h' WHERE id = $1", books.held)
    await sql.execute("UPDATE hold SET due = due + interval '1 h' WHERE payment = $1", books.held)
    return _of(books.held)


@_found_as(ViolationKind.TENDERS_WRONG)
async def tenders_of_another_payment(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute(
        "UPDATE payment SET tenders = (SELECT tenders FROM payment WHERE id = $2) WHERE id = $1",
        books.captured,
        books.refunded_later,
    )
    return _of(books.captured)


@_found_as(ViolationKind.REFUNDS_WRONG)
async def refund_edited(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("UPDATE refund SET amount = amount + 1 WHERE payment = $1", books.captured)
    return _of(books.captured)


@_found_as(ViolationKind.REFUNDS_WRONG)
async def refund_in_another_cycle(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("UPDATE refund SET cycle = cycle + 1 WHERE payment = $1", books.captured)
    return _of(books.captured)


@_found_as(ViolationKind.REFUNDS_WRONG)
async def refund_deleted(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("DELETE FROM refund WHERE payment = $1", books.captured)
    return _of(books.captured)


@_found_as(ViolationKind.REFUNDS_WRONG)
async def refund_with_other_tenders(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute(
        "UPDATE refund SET tenders = (SELECT tenders FROM payment WHERE id = $1) WHERE payment = $1", books.captured
    )
    return {"table": "refund", **_of(books.captured)}


@_found_as(ViolationKind.HOLD_WRONG)
async def hold_deleted(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("DELETE FROM hold WHERE payment = $1", books.held)
    return _of(books.held)


@_found_as(ViolationKind.HOLD_WRONG)
async def hold_without_authorization(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("INSERT INTO hold (due, payment) VALUES (now(), $1)", books.captured)
    return {"table": "hold", **_of(books.captured)}


@_found_as(ViolationKind.HOLD_WRONG)
async def hold_left_behind(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("INSERT INTO hold (due, payment) SELECT expires_at, id FROM payment WHERE id = $1", books.voided)
    return _of(books.voided)


@_found_as(ViolationKind.HOLD_WRONG)
async def hold_of_no_payment(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    missing = an_id(IdKind.PAYMENT)
    await sql.execute("INSERT INTO hold (due, payment) VALUES (now(), $1)", missing)
    return {"table": "hold", **_of(missing)}


@_found_as(ViolationKind.ORDER_WRONG)
async def order_missing(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("DELETE FROM order_ref WHERE payment = $1", books.captured)
    return _of(books.captured)


@_found_as(ViolationKind.ORDER_WRONG)
async def order_of_a_declined_payment(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("UPDATE order_ref SET payment = $1 WHERE order_no = 'too-much'", books.declined)
    return _of(books.declined)


@_found_as(ViolationKind.ORDER_WRONG)
async def order_of_no_payment(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    missing = an_id(IdKind.PAYMENT)
    await sql.execute("INSERT INTO order_ref VALUES ($1, 'lost', $2)", books.world.merchants[0], missing)
    return {"table": "order_ref", **_of(missing)}


@_found_as(ViolationKind.ORDER_WRONG)
async def second_order_of_a_payment(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("INSERT INTO order_ref VALUES ($1, 'more', $2)", books.world.merchants[0], books.captured)
    return {"table": "order_ref", **_of(books.captured)}


@_found_as(ViolationKind.ANSWER_WITHOUT_EVENT)
async def answer_that_points_nowhere(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    row = await sql.fetchrow("UPDATE answer SET seq = 999 WHERE ctid = (SELECT max(ctid) FROM answer) RETURNING lane")
    assert row is not None
    return {"table": "answer", "lane": row["lane"], "seq": 999}


# Clearing


async def _file(sql: asyncpg.Connection) -> str:
    name: str = await sql.fetchval("SELECT name FROM clearing_file WHERE kind = 'CREDIT' AND item_count > 0 LIMIT 1")
    return name


@_found_as(ViolationKind.FILE_ALTERED)
async def file_bytes_edited(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    name = await _file(sql)
    await sql.execute(
        "UPDATE clearing_chunk SET bytes = set_byte(bytes, 40, get_byte(bytes, 40) # 1) WHERE name = $1 AND part = 0",
        name,
    )
    return {"table": "clearing_file", "name": name}


@_found_as(ViolationKind.FILE_ALTERED)
async def file_cut_short(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    name = await _file(sql)
    await sql.execute(
        "DELETE FROM clearing_chunk c WHERE name = $1 AND part = (SELECT max(part) FROM clearing_chunk x WHERE x.name = $1)",
        name,
    )
    return {"table": "clearing_file", "name": name}


@_found_as(ViolationKind.FILE_ALTERED)
async def file_made_again_without_the_key(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    name = await _file(sql)
    await sql.execute("UPDATE clearing_chunk SET bytes = '\\x2a' WHERE name = $1", name)
    await sql.execute("UPDATE clearing_file SET size = 1, sha256 = sha256('\\x2a') WHERE name = $1", name)
    return {"table": "clearing_file", "name": name}


@_found_as(ViolationKind.FILE_ALTERED)
async def file_under_another_seal(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    name = await _file(sql)
    await sql.execute("UPDATE clearing_file SET root = sha256(root) WHERE name = $1", name)
    return {"table": "clearing_file", "name": name}


@_found_as(ViolationKind.FILE_WRONG)
async def file_total_edited(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    name = await _file(sql)
    await sql.execute("UPDATE clearing_file SET credit_total = credit_total + 1 WHERE name = $1", name)
    return {"table": "clearing_file", "name": name}


@_found_as(ViolationKind.FILE_WRONG)
async def file_deleted(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    name = await _file(sql)
    row = await sql.fetchrow("DELETE FROM clearing_file WHERE name = $1 RETURNING bank", name)
    assert row is not None
    return {"table": "clearing_file", "bank": id_text(row["bank"]), "name": "CREDIT"}


@_found_as(ViolationKind.NETS_NOT_ZERO)
async def nets_that_do_not_sum_to_zero(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    bank = books.world.banks[0]
    await sql.execute("UPDATE net_position SET debits = debits + 1 WHERE bank = $1", bank)
    return {"table": "net_position", "cycle": books.first_cycle}


@_found_as(ViolationKind.NET_WRONG)
async def net_moved_from_bank_to_bank(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    first, second = books.world.banks[:2]
    await sql.execute(
        "UPDATE net_position SET debits = debits + CASE bank WHEN $1 THEN 1 ELSE -1 END WHERE bank IN ($1, $2)",
        first,
        second,
    )
    return {"table": "net_position", "cycle": books.first_cycle, "bank": id_text(min(first, second))}


@_found_as(ViolationKind.NET_WRONG)
async def nets_deleted(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("DELETE FROM net_position WHERE cycle = $1", books.first_cycle)
    return {"table": "net_position", "cycle": books.first_cycle}
