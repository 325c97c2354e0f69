"""What is paid by bill is cleared like everything else: the cardholder's side pays, and the agency's bank gets it."""

import asyncpg

from engine.core.clearing_lines import FileKind, ItemType
from engine.core.ids import id_text
from tests.agencies import a_bill, an_agency
from tests.flows.return_books import a_day


async def test_fee_reaches_the_agencys_bank_and_what_is_given_back_leaves_it(dsn: str, sql: asyncpg.Connection) -> None:
    async with a_day(dsn, sql) as day:
        agency = await an_agency(sql, day.world, bank=2)
        paid, refunded = [await a_bill(sql, agency, amount=amount) for amount in (700, 90)]
        kept = (await day.ledger.submit(day.world.authorize(bill_no=paid, amount=700))).answer.payment
        given = (await day.ledger.submit(day.world.authorize(bill_no=refunded, amount=90))).answer.payment
        assert kept is not None
        assert given is not None
        await day.ledger.submit(day.world.refund(given.id, amount=90))
        cycle = await day.publish()
        credits_ = [item for item in (await day.file(cycle, 2, FileKind.CREDIT)).items if item.type is ItemType.FEE]
        assert [(item.payment_id, item.credit_account, item.amount) for item in credits_] == [
            (id_text(kept.id), id_text(agency), 700),
            (id_text(given.id), id_text(agency), 90),
        ]
        collected = [
            (item.payment_id, item.debit_account, item.amount)
            for item in (await day.file(cycle, 2, FileKind.COLLECT)).items
            if item.type is ItemType.REFUND
        ]
        assert collected == [(id_text(given.id), id_text(agency), 90)]
        await day.settle(cycle)
        assert not [account for account in await day.left() if account.startswith("agency:")]
        await day.verify()
