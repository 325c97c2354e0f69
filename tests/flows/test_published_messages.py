"""The messages of a whole cycle: valid, understood by others, and adding up to the ledger as the flat files do."""

from decimal import Decimal

import asyncpg

from engine.core.calendar import CycleNumber
from engine.core.clearing_lines import FileKind
from tests.builders import a_world
from tests.flows.busy_books import a_ledger
from tests.flows.clearing_books import close, of_kind, pay_and_refund, publish, read_all_files, stored_bytes
from tests.formats.iso_checks import parsed, schema_folder, validate


async def _published(dsn: str, sql: asyncpg.Connection) -> CycleNumber:
    """A cycle with payments from all sources and a refund."""
    world = await a_world(sql, bank_count=4)
    async with a_ledger(dsn) as ledger:
        await pay_and_refund(ledger, world)
    cycle = await close(dsn)
    await publish(dsn, cycle)
    return cycle


async def test_every_message_is_valid(dsn: str, sql: asyncpg.Connection) -> None:
    folder = schema_folder()
    contents = await stored_bytes(sql, await _published(dsn, sql))
    messages = {validate(content, folder) for name, content in contents.items() if name.endswith(".xml")}
    assert messages == {"pacs.003.001.08", "pacs.008.001.08", "pacs.029.001.02", "camt.054.001.08"}


async def test_another_library_reads_the_ledgers_totals_from_them(dsn: str, sql: asyncpg.Connection) -> None:
    cycle = await _published(dsn, sql)
    posted = await sql.fetchval(
        "SELECT sum(amount)::bigint FROM posting WHERE cycle = $1 AND phase = 3 AND kind IN (1, 2)", cycle
    )
    collected = credited = Decimal(0)
    for name, content in (await stored_bytes(sql, cycle)).items():
        if name.endswith("COLLECT_v1.xml"):
            _, document = parsed(content)
            lines = document.fito_ficstmr_drct_dbt.drct_dbt_tx_inf
            collected += sum(line.intr_bk_sttlm_amt.value for line in lines)
        elif name.endswith("CREDIT_v1.xml"):
            _, document = parsed(content)
            lines = document.fito_ficstmr_cdt_trf.cdt_trf_tx_inf
            credited += sum(line.intr_bk_sttlm_amt.value for line in lines)
    assert (collected * 100, credited * 100) == (posted, posted)


async def test_both_forms_of_a_file_have_the_same_lines(dsn: str, sql: asyncpg.Connection) -> None:
    files = await read_all_files(sql, await _published(dsn, sql))
    compared = 0
    for kind in (FileKind.COLLECT, FileKind.CREDIT):
        for file in of_kind(files, kind):
            if file.name.endswith(".xml"):
                (flat,) = [other for other in files if other.name == file.name.replace(".xml", ".txt")]
                assert file.totals.count == flat.totals.count
                for line, other in zip(file.items, flat.items, strict=True):
                    assert (line.payment_id, line.amount, line.debit_bank, line.credit_bank, line.order_no) == (
                        *(other.payment_id, other.amount, other.debit_bank, other.credit_bank, other.order_no),
                    )
                    assert line.item_id.count(".") == 2
                    compared += 1
    assert compared > 8
