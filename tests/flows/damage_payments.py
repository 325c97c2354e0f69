"""Damage to totals and to payments."""

import asyncpg
import msgspec

from engine.core.accounts import account_text, personal_account
from engine.core.answers import EventKind
from engine.core.ids import IdKind
from engine.core.payments import Tender
from engine.core.violations import ViolationKind
from tests.builders import an_id
from tests.flows.busy_books import BusyBooks
from tests.flows.damage import (
    Place,
    first_posting,
    found_as,
    of_payment,
    rehash,
)


@found_as(ViolationKind.BALANCE_WRONG)
async def balance_edited(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    row = await sql.fetchrow("SELECT account, lane FROM balance ORDER BY account DESC LIMIT 1")
    assert row is not None
    await sql.execute("UPDATE balance SET credits_posted = credits_posted + 1 WHERE account = $1 AND lane = $2", *row)
    return {"account": account_text(row["account"]), "lane": row["lane"]}


@found_as(ViolationKind.BALANCE_WRONG)
async def balance_deleted(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    row = await sql.fetchrow("SELECT account, lane FROM balance ORDER BY account LIMIT 1")
    assert row is not None
    await sql.execute("DELETE FROM balance WHERE account = $1 AND lane = $2", *row)
    return {"account": account_text(row["account"]), "lane": row["lane"]}


@found_as(ViolationKind.BALANCE_WRONG)
async def balance_invented(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("INSERT INTO balance SELECT account, 9, 0, 1, 0, 1, 1 FROM balance ORDER BY account LIMIT 1")
    return {"lane": 9}


@found_as(ViolationKind.PAYER_TOTALS_WRONG)
async def payer_total_edited(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    card = books.world.cards[2]
    await sql.execute("UPDATE payer SET credits_posted = credits_posted + 1 WHERE id = $1", card)
    return {"account": account_text(personal_account(card))}


@found_as(ViolationKind.PAYER_TOTALS_WRONG)
async def payer_deleted(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    card = books.world.cards[3]
    await sql.execute("DELETE FROM payer WHERE id = $1", card)
    return {"account": account_text(personal_account(card))}


@found_as(ViolationKind.PAYMENT_MISSING)
async def payment_deleted(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("DELETE FROM payment WHERE id = $1", books.captured)
    return of_payment(books.captured)


@found_as(ViolationKind.PAYMENT_UNREADABLE)
async def payment_in_no_state(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("UPDATE payment SET state = 99 WHERE id = $1", books.captured)
    return of_payment(books.captured)


@found_as(ViolationKind.PAYMENT_UNREADABLE)
async def tenders_of_nothing_readable(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("UPDATE payment SET tenders = '\\xc1' WHERE id = $1", books.captured)
    return of_payment(books.captured)


@found_as(ViolationKind.PAYMENT_NOT_AUTHORIZED_ONCE)
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
    return of_payment(invented)


@found_as(ViolationKind.PAYMENT_NOT_AUTHORIZED_ONCE)
async def authorized_twice(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await _add_event(sql, books.held, kind=EventKind.AUTHORIZED)
    return of_payment(books.held)


@found_as(ViolationKind.PAYMENT_CAPTURED_TWICE)
async def captured_twice(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await _add_event(sql, books.held_and_captured, kind=EventKind.CAPTURED)
    return of_payment(books.held_and_captured)


async def _add_event(sql: asyncpg.Connection, payment: bytes, *, kind: EventKind) -> None:
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


@found_as(ViolationKind.PAYMENT_IN_TWO_CYCLES)
async def payment_in_two_cycles(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    """One of its two tenders is posted with a refund in the next cycle: every total stays what it was."""
    payment = books.refunded_later
    moved = await first_posting(sql, payment)
    assert moved.posting_count == 2
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
    await sql.execute("UPDATE posting SET n = 0 WHERE lane = $1 AND seq = $2", *moved[:2])
    await rehash(sql)
    return of_payment(payment)


@found_as(ViolationKind.PAYMENT_SUMS_WRONG)
async def amount_edited(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("UPDATE payment SET amount = amount + 1 WHERE id = $1", books.captured)
    return of_payment(books.captured)


@found_as(ViolationKind.PAYMENT_SUMS_WRONG)
async def captured_sum_edited(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("UPDATE payment SET captured = captured - 1 WHERE id = $1", books.captured)
    return of_payment(books.captured)


@found_as(ViolationKind.PAYMENT_SUMS_WRONG)
async def refunded_sum_edited(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("UPDATE payment SET refunded = refunded + 1 WHERE id = $1", books.captured)
    return of_payment(books.captured)


@found_as(ViolationKind.PAYMENT_SUMS_WRONG)
async def hold_declared_void(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("UPDATE payment SET state = 5 WHERE id = $1", books.held)
    return of_payment(books.held)


@found_as(ViolationKind.PAYMENT_CYCLE_WRONG)
async def payment_cycle_edited(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("UPDATE payment SET cycle = cycle + 1 WHERE id = $1", books.captured)
    return of_payment(books.captured)


@found_as(ViolationKind.PAYMENT_CYCLE_WRONG)
async def payment_date_edited(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("UPDATE payment SET business_date = business_date + 1 WHERE id = $1", books.held)
    return of_payment(books.held)


@found_as(ViolationKind.PAYMENT_CYCLE_WRONG)
async def capture_time_edited(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("UPDATE payment SET captured_at = captured_at + interval '1 s' WHERE id = $1", books.captured)
    return of_payment(books.captured)


@found_as(ViolationKind.PAYMENT_STATE_WRONG)
async def refund_forgotten_in_the_state(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("UPDATE payment SET state = 2 WHERE id = $1", books.captured)
    return of_payment(books.captured)


@found_as(ViolationKind.PAYMENT_STATE_WRONG)
async def void_called_expiry(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("UPDATE payment SET state = 6 WHERE id = $1", books.voided)
    return of_payment(books.voided)


@found_as(ViolationKind.PAYMENT_STATE_WRONG)
async def expiry_called_void(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("UPDATE payment SET state = 5 WHERE id = $1", books.lapsed)
    return of_payment(books.lapsed)


@found_as(ViolationKind.PAYMENT_STATE_WRONG)
async def refusal_forgotten(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("UPDATE payment SET refusal = NULL WHERE id = $1", books.declined)
    return of_payment(books.declined)


@found_as(ViolationKind.PAYMENT_ALTERED)
async def payer_of_a_payment_edited(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("UPDATE payment SET payer = $2 WHERE id = $1", books.captured, books.world.cards[3])
    return of_payment(books.captured)


@found_as(ViolationKind.PAYMENT_ALTERED)
async def refusal_edited(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("UPDATE payment SET refusal = 'card_not_usable' WHERE id = $1", books.declined)
    return of_payment(books.declined)


@found_as(ViolationKind.PAYMENT_ALTERED)
async def hold_prolonged(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("UPDATE payment SET expires_at = expires_at + interval '1 h' WHERE id = $1", books.held)
    await sql.execute("UPDATE hold SET due = due + interval '1 h' WHERE payment = $1", books.held)
    return of_payment(books.held)


@found_as(ViolationKind.TENDERS_WRONG)
async def tenders_of_another_payment(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute(
        "UPDATE payment SET tenders = (SELECT tenders FROM payment WHERE id = $2) WHERE id = $1",
        books.captured,
        books.refunded_later,
    )
    return of_payment(books.captured)


@found_as(ViolationKind.TENDERS_WRONG)
async def tender_from_another_account(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    first, *rest = await _tenders(sql, books.captured)
    other = personal_account(books.world.cards[3])
    await _set_tenders(sql, books.captured, [msgspec.structs.replace(first, source=other), *rest])
    return of_payment(books.captured)


@found_as(ViolationKind.TENDERS_WRONG)
async def tender_that_captured_for_another(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    first, second, *rest = await _tenders(sql, books.captured)
    less = msgspec.structs.replace(first, captured=first.captured - 1)
    more = msgspec.structs.replace(second, captured=second.captured + 1)
    await _set_tenders(sql, books.captured, [less, more, *rest])
    return of_payment(books.captured)


@found_as(ViolationKind.TENDERS_WRONG)
async def tender_dropped(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    *rest, _last = await _tenders(sql, books.captured)
    await _set_tenders(sql, books.captured, rest)
    return of_payment(books.captured)


async def _tenders(sql: asyncpg.Connection, payment: bytes) -> list[Tender]:
    stored = await sql.fetchval("SELECT tenders FROM payment WHERE id = $1", payment)
    return msgspec.msgpack.decode(stored, type=list[Tender])


async def _set_tenders(sql: asyncpg.Connection, payment: bytes, tenders: list[Tender]) -> None:
    await sql.execute("UPDATE payment SET tenders = $2 WHERE id = $1", payment, msgspec.msgpack.encode(tenders))
