"""Postings that no payment's own life makes: cleared, in files, settled, and still the books are right."""

import asyncpg

from engine.core.accounts import (
    AccountId,
    agency_payable,
    bank_payable,
    bank_receivable,
    benefit_payable,
    card_receivable,
    merchant_payable,
    pool_fund,
    suspense_long,
    suspense_short,
)
from engine.core.clearing_lines import FileKind, ItemType
from engine.core.commands import Entry
from engine.core.ids import NO_ID, AgencyId, IdKind, PaymentId, id_text
from engine.core.postings import PostingKind
from engine.flows.book import book, occasion
from engine.flows.verify_books import verify_books
from engine.ledger.router import Ledger
from tests.builders import REGION, World, a_world, an_id
from tests.flows.busy_books import FUND, PUBLIC_KEYS, a_ledger
from tests.flows.clearing_books import all_items, close, pay_and_refund, publish, read_all_files, read_files

AREA = REGION // 100 * 100


async def post(
    ledger: Ledger, kind: PostingKind, debit: AccountId, credit: AccountId, *, about: bytes = NO_ID, amount: int = 7
) -> None:
    """Post one entry of a kind; the same one once."""
    key = f"{kind.name} {debit.hex()} {credit.hex()}"
    await book(ledger, occasion(key, about=about, kind=kind, entries=[Entry(debit, credit, amount)]))


async def an_agency(sql: asyncpg.Connection, world: World) -> AgencyId:
    """An agency whose bank is the first one."""
    agency = AgencyId(an_id(IdKind.AGENCY))
    await sql.execute(
        "INSERT INTO agency (id, code, region, item, bank, name_zh, name_en) VALUES ($1, 'A-1', $2, 1, $3, '局', 'A')",
        agency,
        REGION,
        world.banks[0],
    )
    return agency


async def post_every_kind(ledger: Ledger, world: World, payment: PaymentId, agency: AgencyId) -> None:
    """One of everything that can be posted beside payments."""
    bank, card, other = world.banks[0], world.cards[0], world.banks[1]
    benefit = benefit_payable(AREA, 310100)
    returned = (card_receivable(card), bank_receivable(bank))
    await post(ledger, PostingKind.RETURN, *returned, about=payment)
    await post(ledger, PostingKind.REPRESENT, *reversed(returned), about=payment)
    await post(ledger, PostingKind.RETURN, suspense_short(other), FUND, about=payment)
    await post(ledger, PostingKind.RETURN, merchant_payable(world.merchants[1]), suspense_long(other), about=payment)
    await post(ledger, PostingKind.BENEFIT_APPROVED, FUND, benefit)
    await post(ledger, PostingKind.BENEFIT, benefit, bank_payable(bank))
    await post(ledger, PostingKind.RETURN, bank_payable(bank), benefit)
    await post(ledger, PostingKind.PAY, bank_receivable(bank), agency_payable(agency))
    await post(ledger, PostingKind.RETURN_UNSETTLED, *returned, about=payment)
    await post(ledger, PostingKind.ADJUST, suspense_short(bank), card_receivable(card), about=payment)


async def test_every_kind_of_posting_is_cleared_and_proved(dsn: str, sql: asyncpg.Connection) -> None:
    world = await a_world(sql, bank_count=4)
    agency = await an_agency(sql, world)
    async with a_ledger(dsn) as ledger:
        payments = await pay_and_refund(ledger, world)
        await post_every_kind(ledger, world, payments[0], agency)
        cycle = await close(dsn)
        await publish(dsn, cycle)
        report = await verify_books(dsn, public_keys=PUBLIC_KEYS, progress=lambda *_: None)
    assert report.violation is None, report.violation.text
    cnaps = {row["id"]: f"{row['cnaps']:012d}" for row in await sql.fetch("SELECT id, cnaps FROM bank")}
    items = all_items(await read_files(sql, cycle), FileKind.COLLECT)
    assert {item.item_id for item in items} == {""}
    assert items == all_items(await read_files(sql, cycle), FileKind.CREDIT)
    assert len(await read_all_files(sql, cycle)) > len(await read_files(sql, cycle))
    own = [cnaps[world.banks[n]] for n in range(4)]
    card, payment = id_text(world.cards[0]), id_text(payments[0])
    reversals = {
        (item.debit_bank, item.debit_account, item.credit_bank, item.credit_account, item.leg)
        for item in items
        if item.type is ItemType.REVERSAL and item.payment_id == payment
    }
    assert reversals == {
        (own[3], card, own[0], card, "BANK"),
        (own[3], f"suspense:{own[1]}", own[3], f"fund:{AREA}:310100", "310100"),
        (own[1], id_text(world.merchants[1]), own[3], f"suspense:{own[1]}", "BANK"),
    }
    (again,) = [item for item in items if item.remark == "represented"]
    assert (again.type, again.remark, again.payment_id) == (ItemType.PAY, "represented", payment)
    assert (again.debit_bank, again.debit_account, again.credit_bank) == (own[0], card, own[3])
    (fee,) = [item for item in items if item.type is ItemType.FEE]
    assert (fee.merchant_id, fee.credit_bank) == (id_text(agency), own[0])
    (benefit,) = [item for item in items if item.type is ItemType.BENEFIT]
    assert (benefit.debit_bank, benefit.debit_account) == (own[3], f"benefit:{AREA}:310100:payable")
    assert (benefit.credit_bank, benefit.leg) == (own[0], "310100")


async def test_a_benefit_names_its_payee(dsn: str, sql: asyncpg.Connection) -> None:
    world = await a_world(sql)
    line, card, bank = an_id(IdKind.DISBURSEMENT_LINE), world.cards[0], world.banks[0]
    await sql.execute(
        "INSERT INTO disbursement_line (id, batch, n, line_ref, card, benefit_code, period, region, pay_type, amount,"
        " bank, state) VALUES ($1, $1, 1, 'L-1', $2, 'PENSION', 202611, $3, 310100, 7, $4, 3)",
        *(line, card, AREA, bank),
    )
    benefit = benefit_payable(AREA, 310100)
    async with a_ledger(dsn) as ledger:
        await post(ledger, PostingKind.BENEFIT, benefit, bank_payable(bank), about=line)
        cycle = await close(dsn)
        await publish(dsn, cycle)
        await post(ledger, PostingKind.RETURN, bank_payable(bank), benefit, about=line)
        following = await close(dsn)
        await publish(dsn, following)
    (paid,) = all_items(await read_files(sql, cycle), FileKind.CREDIT)
    assert (paid.type, paid.payment_id) == (ItemType.BENEFIT, id_text(line))
    assert (paid.credit_account, paid.order_no, paid.merchant_id) == (id_text(card), "", "")
    (back,) = all_items(await read_files(sql, following), FileKind.COLLECT)
    assert (back.type, back.payment_id, back.original_payment_id) == (ItemType.REVERSAL, id_text(line), id_text(line))
    assert (back.debit_account, back.leg) == (id_text(card), "310100")
    report = await verify_books(dsn, public_keys=PUBLIC_KEYS, progress=lambda *_: None)
    assert report.violation is None, report.violation.text


async def test_routes_do_not_grow_with_cards(dsn: str, sql: asyncpg.Connection) -> None:
    world = await a_world(sql, card_count=20)
    async with a_ledger(dsn) as ledger:
        for card in world.cards:
            await post(ledger, PostingKind.RETURN, card_receivable(card), bank_receivable(world.banks[0]))
    cycle = await close(dsn)
    await publish(dsn, cycle)
    assert await sql.fetchval("SELECT count(*) FROM clearing_route WHERE cycle = $1", cycle) == 1
    assert pool_fund(AREA, 310100) == FUND
