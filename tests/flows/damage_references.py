"""Damage to what belongs to a payment: refunds, holds, orders, answers; and to what was cleared."""

import asyncpg

from engine.core.ids import IdKind, id_text
from engine.core.violations import ViolationKind
from tests.builders import an_id
from tests.flows.busy_books import BusyBooks
from tests.flows.damage import (
    Place,
    found_as,
    of_payment,
)


@found_as(ViolationKind.REFUNDS_WRONG)
async def refund_edited(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("UPDATE refund SET amount = amount + 1 WHERE payment = $1", books.captured)
    return of_payment(books.captured)


@found_as(ViolationKind.REFUNDS_WRONG)
async def refund_in_another_cycle(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("UPDATE refund SET cycle = cycle + 1 WHERE payment = $1", books.captured)
    return of_payment(books.captured)


@found_as(ViolationKind.REFUNDS_WRONG)
async def refund_on_another_date(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("UPDATE refund SET business_date = business_date + 1 WHERE payment = $1", books.captured)
    return {"table": "refund", **of_payment(books.captured)}


@found_as(ViolationKind.REFUNDS_WRONG)
async def refund_deleted(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("DELETE FROM refund WHERE payment = $1", books.captured)
    return of_payment(books.captured)


@found_as(ViolationKind.REFUNDS_WRONG)
async def refund_with_other_tenders(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute(
        "UPDATE refund SET tenders = (SELECT tenders FROM payment WHERE id = $1) WHERE payment = $1", books.captured
    )
    return {"table": "refund", **of_payment(books.captured)}


@found_as(ViolationKind.HOLD_WRONG)
async def hold_deleted(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("DELETE FROM hold WHERE payment = $1", books.held)
    return of_payment(books.held)


@found_as(ViolationKind.HOLD_WRONG)
async def hold_without_authorization(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("INSERT INTO hold (due, payment) VALUES (now(), $1)", books.captured)
    return {"table": "hold", **of_payment(books.captured)}


@found_as(ViolationKind.HOLD_WRONG)
async def hold_left_behind(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("INSERT INTO hold (due, payment) SELECT expires_at, id FROM payment WHERE id = $1", books.voided)
    return of_payment(books.voided)


@found_as(ViolationKind.HOLD_WRONG)
async def second_hold_of_a_payment(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("INSERT INTO hold SELECT due + interval '1 h', payment FROM hold WHERE payment = $1", books.held)
    return {"table": "hold", **of_payment(books.held)}


@found_as(ViolationKind.HOLD_WRONG)
async def hold_of_no_payment(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    missing = an_id(IdKind.PAYMENT)
    await sql.execute("INSERT INTO hold (due, payment) VALUES (now(), $1)", missing)
    return {"table": "hold", **of_payment(missing)}


@found_as(ViolationKind.ORDER_WRONG)
async def order_missing(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("DELETE FROM order_ref WHERE payment = $1", books.captured)
    return of_payment(books.captured)


@found_as(ViolationKind.ORDER_WRONG)
async def order_of_a_declined_payment(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("UPDATE order_ref SET payment = $1 WHERE order_no = 'too-much'", books.declined)
    return of_payment(books.declined)


@found_as(ViolationKind.ORDER_WRONG)
async def order_of_no_payment(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    missing = an_id(IdKind.PAYMENT)
    await sql.execute("INSERT INTO order_ref VALUES ($1, 'lost', $2)", books.world.merchants[0], missing)
    return {"table": "order_ref", **of_payment(missing)}


@found_as(ViolationKind.ORDER_WRONG)
async def second_order_of_a_payment(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("INSERT INTO order_ref VALUES ($1, 'more', $2)", books.world.merchants[0], books.captured)
    return {"table": "order_ref", **of_payment(books.captured)}


@found_as(ViolationKind.ANSWER_WITHOUT_EVENT)
async def answer_that_points_nowhere(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    row = await sql.fetchrow("UPDATE answer SET seq = 999 WHERE ctid = (SELECT max(ctid) FROM answer) RETURNING lane")
    assert row is not None
    return {"table": "answer", "lane": row["lane"], "seq": 999}


async def _file(sql: asyncpg.Connection) -> str:
    name: str = await sql.fetchval("SELECT name FROM clearing_file WHERE kind = 'CREDIT' AND item_count > 0 LIMIT 1")
    return name


@found_as(ViolationKind.FILE_ALTERED)
async def file_bytes_edited(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    name = await _file(sql)
    await sql.execute(
        "UPDATE clearing_chunk SET bytes = set_byte(bytes, 40, get_byte(bytes, 40) # 1) WHERE name = $1 AND part = 0",
        name,
    )
    return {"table": "clearing_file", "name": name}


@found_as(ViolationKind.FILE_ALTERED)
async def file_cut_short(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    name = await _file(sql)
    await sql.execute(
        "DELETE FROM clearing_chunk WHERE name = $1 AND part = (SELECT max(part) FROM clearing_chunk WHERE name = $1)",
        name,
    )
    return {"table": "clearing_file", "name": name}


@found_as(ViolationKind.FILE_ALTERED)
async def file_made_again_without_the_key(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    name = await _file(sql)
    await sql.execute("UPDATE clearing_chunk SET bytes = '\\x2a' WHERE name = $1", name)
    await sql.execute("UPDATE clearing_file SET size = 1, sha256 = sha256('\\x2a') WHERE name = $1", name)
    return {"table": "clearing_file", "name": name}


@found_as(ViolationKind.FILE_ALTERED)
async def file_under_another_seal(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    name = await _file(sql)
    await sql.execute("UPDATE clearing_file SET root = sha256(root) WHERE name = $1", name)
    return {"table": "clearing_file", "name": name}


@found_as(ViolationKind.FILE_WRONG)
async def file_total_edited(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    name = await _file(sql)
    await sql.execute("UPDATE clearing_file SET credit_total = credit_total + 1 WHERE name = $1", name)
    return {"table": "clearing_file", "name": name}


@found_as(ViolationKind.FILE_WRONG)
async def file_deleted(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    name = await _file(sql)
    await sql.execute("DELETE FROM clearing_file WHERE name = $1", name)
    return {"table": "clearing_file", "name": name}


@found_as(ViolationKind.FILE_WRONG)
async def file_deleted_in_every_form(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    name = await _file(sql)
    row = await sql.fetchrow("DELETE FROM clearing_file WHERE name LIKE $1 RETURNING bank", f"{name[:-4]}%")
    assert row is not None
    return {"table": "clearing_file", "bank": id_text(row["bank"]), "name": "CREDIT"}


@found_as(ViolationKind.FILE_WRONG)
async def every_message_deleted(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("DELETE FROM clearing_file WHERE form = 'xml'")
    return {"table": "clearing_file", "cycle": books.first_cycle}


@found_as(ViolationKind.FILE_WRONG)
async def file_that_says_another_instant(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    name = await _file(sql)
    await sql.execute("UPDATE clearing_file SET created_at = created_at + interval '1 s' WHERE name = $1", name)
    return {"table": "clearing_file", "name": name}


@found_as(ViolationKind.NETS_NOT_ZERO)
async def nets_that_do_not_sum_to_zero(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    bank = books.world.banks[0]
    await sql.execute("UPDATE net_position SET debits = debits + 1 WHERE bank = $1", bank)
    return {"table": "net_position", "cycle": books.first_cycle}


@found_as(ViolationKind.NET_WRONG)
async def net_moved_from_bank_to_bank(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    first, second = books.world.banks[:2]
    await sql.execute(
        "UPDATE net_position SET debits = debits + CASE bank WHEN $1 THEN 1 ELSE -1 END WHERE bank IN ($1, $2)",
        first,
        second,
    )
    return {"table": "net_position", "cycle": books.first_cycle, "bank": id_text(min(first, second))}


@found_as(ViolationKind.NET_WRONG)
async def nets_deleted(sql: asyncpg.Connection, books: BusyBooks) -> Place:
    await sql.execute("DELETE FROM net_position WHERE cycle = $1", books.first_cycle)
    return {"table": "net_position", "cycle": books.first_cycle}
