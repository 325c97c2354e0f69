"""Damage to what is posted beside payments' own lives, and to what it is posted for; for `returned_books`."""

import asyncpg

from engine.core.ids import IdKind, id_text
from engine.core.violations import ViolationKind
from tests.builders import an_id
from tests.flows.busy_books import BusyBooks
from tests.flows.damage import Place, found_as, of_payment, rehash

GIVEN_UP = "SELECT item FROM returned_item WHERE state = 4"
WAITING = "SELECT item FROM returned_item WHERE state = 1"


async def _given_up(sql: asyncpg.Connection) -> str:
    item: str = await sql.fetchval(GIVEN_UP)
    return item


async def _waiting(sql: asyncpg.Connection) -> str:
    item: str = await sql.fetchval(WAITING)
    return item


@found_as(ViolationKind.RETURN_NOT_POSTED)
async def return_of_another_amount(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    item = await _waiting(sql)
    await sql.execute("UPDATE item_return SET amount = amount + 1 WHERE item = $1", item)
    return {"table": "item_return", "name": f"return/{item}/DEBIT"}


@found_as(ViolationKind.RETURN_NOT_POSTED)
async def return_of_another_kind(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    item = await _waiting(sql)
    await sql.execute("UPDATE item_return SET kind = 4 WHERE item = $1", item)
    return {"table": "item_return", "name": f"return/{item}/DEBIT"}


@found_as(ViolationKind.RETURN_NOT_POSTED)
async def return_that_is_not_posted(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute(
        "INSERT INTO item_return SELECT batch, 99, line, bank, '9.9.9', direction, payment, cycle, leg, amount,"
        " account, stand_in, file, seq, reason, return_ref, original, kind, place, is_posted FROM item_return"
        " WHERE item = $1",
        await _waiting(sql),
    )
    return {"table": "item_return", "name": "return/9.9.9/DEBIT"}


@found_as(ViolationKind.RETURN_NOT_POSTED)
async def return_posted_to_another_payment(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    item = await _waiting(sql)
    place = await sql.fetchrow("SELECT lane, seq, n FROM answer WHERE key = $1", f"return/{item}/DEBIT")
    assert place is not None
    for statement in (
        "UPDATE event SET payment = $4 WHERE lane = $1 AND seq = $2 AND n = $3",
        "UPDATE posting SET payment = $4 WHERE lane = $1 AND seq = $2 AND event = $3",
    ):
        await sql.execute(statement, *place, books.held)
    await rehash(sql)
    return {"table": "item_return", "name": f"return/{item}/DEBIT"}


@found_as(ViolationKind.RETURN_NOT_POSTED)
async def suspense_of_another_bank(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    item = await _given_up(sql)
    await sql.execute("UPDATE item_return SET bank = $2 WHERE original = $1", item, books.world.banks[2])
    return {"table": "item_return", "name": f"suspend/{item}/DEBIT"}


@found_as(ViolationKind.RETURN_NOT_POSTED)
async def presented_once_more_than_posted(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    item = await _given_up(sql)
    await sql.execute("UPDATE returned_item SET present_count = present_count + 1 WHERE item = $1", item)
    return {"table": "returned_item", "name": f"represent/{item}/3"}


@found_as(ViolationKind.RETURN_UNFOUNDED)
async def return_deleted(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    item = await _waiting(sql)
    await sql.execute("DELETE FROM item_return WHERE item = $1", item)
    return {"table": "answer", "name": f"return/{item}/DEBIT"}


@found_as(ViolationKind.RETURN_UNFOUNDED)
async def fate_of_a_return_deleted(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    item = await _waiting(sql)
    await sql.execute("DELETE FROM returned_item WHERE item = $1", item)
    return {"table": "returned_item", "name": item}


@found_as(ViolationKind.RETURN_UNFOUNDED)
async def presented_less_often_than_posted(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    item = await _given_up(sql)
    await sql.execute("UPDATE returned_item SET present_count = 1 WHERE item = $1", item)
    return {"table": "answer", "name": f"represent/{item}/2"}


@found_as(ViolationKind.RETURN_UNFOUNDED)
async def suspended_and_not_given_up(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    item = await _given_up(sql)
    await sql.execute("UPDATE returned_item SET state = 3 WHERE item = $1", item)
    return {"table": "answer", "name": f"suspend/{item}/DEBIT"}


@found_as(ViolationKind.RETURN_UNFOUNDED)
async def key_that_names_no_item(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    key = f"return/{await _waiting(sql)}/DEBIT"
    await sql.execute("UPDATE answer SET key = 'return/nothing' WHERE key = $1", key)
    return {"table": "answer", "name": "return/nothing"}


async def _correction(sql: asyncpg.Connection, kind: int) -> bytes:
    approval: bytes = await sql.fetchval("SELECT id FROM approval WHERE kind = $1", kind)
    return approval


@found_as(ViolationKind.RESOLUTION_NOT_POSTED)
async def posting_by_hand_that_is_not_posted(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    fresh = an_id(IdKind.APPROVAL)
    await sql.execute(
        "INSERT INTO approval SELECT $2, kind, state, region, subject, payload, payload_sha256, reason, requested_by,"
        " requested_at, expires_at, decided_by, decided_at, note, outcome, result FROM approval WHERE id = $1",
        await _correction(sql, 8),
        fresh,
    )
    return {"table": "approval", "name": f"approval/{id_text(fresh)}"}


@found_as(ViolationKind.RESOLUTION_NOT_POSTED)
async def difference_of_another_amount(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("UPDATE difference SET amount = amount - 1")
    return {"table": "approval", "name": f"approval/{id_text(await _correction(sql, 9))}"}


@found_as(ViolationKind.RESOLUTION_UNFOUNDED)
async def posting_by_hand_that_was_refused(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    approval = await _correction(sql, 8)
    await sql.execute("UPDATE approval SET outcome = 3 WHERE id = $1", approval)
    return {"table": "answer", "name": f"approval/{id_text(approval)}"}


@found_as(ViolationKind.RESOLUTION_UNFOUNDED)
async def difference_that_nobody_agreed_on(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("UPDATE difference SET resolution = $1", id_text(await _correction(sql, 8)))
    return {"table": "difference"}


@found_as(ViolationKind.RESOLUTION_UNFOUNDED)
async def difference_that_is_just_settled(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("UPDATE difference SET resolution = ''")
    return {"table": "difference"}


@found_as(ViolationKind.BOOKING_NOT_ANSWERED_ONCE)
async def answer_of_a_booking_deleted(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    row = await sql.fetchrow("DELETE FROM answer WHERE key LIKE 'suspend/%' RETURNING lane, seq, n")
    assert row is not None
    return {"table": "event", **row}


@found_as(ViolationKind.BOOKING_NOT_ANSWERED_ONCE)
async def one_booking_for_two_keys(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    row = await sql.fetchrow(
        "INSERT INTO answer SELECT caller, operation, 'settle/1/1', business_date, lane, seq, n FROM answer"
        " WHERE key LIKE 'suspend/%' RETURNING lane, seq, n"
    )
    assert row is not None
    return {"table": "event", **row}


async def _bill(sql: asyncpg.Connection, state: int) -> str:
    bill_no: str = await sql.fetchval("SELECT bill_no FROM bill WHERE state = $1", state)
    return bill_no


@found_as(ViolationKind.BILL_WRONG)
async def bill_of_another_amount(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    bill_no = await _bill(sql, 2)
    await sql.execute("UPDATE bill SET amount = amount + 1 WHERE bill_no = $1", bill_no)
    return {"table": "bill", "name": bill_no}


@found_as(ViolationKind.BILL_WRONG)
async def bill_of_another_cardholder(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    bill_no = await _bill(sql, 2)
    await sql.execute("UPDATE bill SET card = $2 WHERE bill_no = $1", bill_no, books.world.cards[3])
    return {"table": "bill", "name": bill_no}


@found_as(ViolationKind.BILL_WRONG)
async def bill_that_is_over_though_nothing_was_given_back(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    bill_no = await _bill(sql, 2)
    await sql.execute("UPDATE bill SET state = 3 WHERE bill_no = $1", bill_no)
    return {"table": "bill", "name": bill_no}


@found_as(ViolationKind.BILL_WRONG)
async def bill_that_is_paid_though_all_was_given_back(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    bill_no = await _bill(sql, 3)
    await sql.execute("UPDATE bill SET state = 2 WHERE bill_no = $1", bill_no)
    return {"table": "bill", "name": bill_no}


@found_as(ViolationKind.BILL_WRONG)
async def bill_paid_by_another_payment(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    bill_no = await _bill(sql, 2)
    before = await sql.fetchval("SELECT payment FROM bill WHERE bill_no = $1", bill_no)
    await sql.execute("UPDATE bill SET payment = $2 WHERE bill_no = $1", bill_no, books.captured)
    return {"table": "bill", "name": bill_no, **of_payment(before)}


@found_as(ViolationKind.BILL_WRONG)
async def bill_that_waits_though_it_was_paid(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    bill_no = await _bill(sql, 2)
    await sql.execute("UPDATE bill SET payment = NULL, state = 1 WHERE bill_no = $1", bill_no)
    return {"table": "bill", "name": bill_no}


@found_as(ViolationKind.BILL_WRONG)
async def bill_deleted(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    bill_no = await _bill(sql, 2)
    await sql.execute("DELETE FROM bill WHERE bill_no = $1", bill_no)
    return {"table": "bill", "name": bill_no}


@found_as(ViolationKind.BILL_WRONG)
async def bill_paid_by_what_paid_no_bill(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute(
        "INSERT INTO bill SELECT 'B-more', b.id, agency, item, NULL, p.captured, deadline, NULL, b.created_at, 2, p.id"
        " FROM bill b, (SELECT x.id, x.captured FROM payment x WHERE x.id = $2) p WHERE b.bill_no = $1",
        await _bill(sql, 2),
        books.captured,
    )
    return {"table": "bill", "name": "B-more", **of_payment(books.captured)}
