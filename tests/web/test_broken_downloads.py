"""A download that cannot be finished is cut off: nothing in it looks like the end of a file."""

import asyncio

import aiohttp
import pytest
import structlog

from engine.core.calendar import cycle_date
from tests.web.api import Api, bank_number

pytestmark = pytest.mark.asyncio(loop_scope="module")

PARTS = 256  # 16 MiB: more than the sockets between two ends hold
A_LARGE_FILE = """
    INSERT INTO clearing_file (name, bank, cycle, first_cycle, kind, form, version, business_date, item_count,
                               debit_total, credit_total, size, sha256, range_from, range_to, root, key_id, signature,
                               created_at, published_at)
    SELECT $1, bank, cycle, first_cycle, kind, form, 9, business_date, item_count, debit_total, credit_total,
           $2::bigint * 65536, sha256, range_from, range_to, root, key_id, signature, created_at, published_at
      FROM clearing_file WHERE bank = $3 AND kind = 'COLLECT' AND form = 'flat' AND version = 1 LIMIT 1
"""
ITS_PARTS = "INSERT INTO clearing_chunk SELECT $1, n, decode(repeat('41', 65536), 'hex') FROM generate_series(0, $2) n"


async def a_large_file(api: Api, *, stored_parts: int) -> str:
    """The path of a file of bank-0, of which only so many parts are stored."""
    cycle = await api.publish()
    name = f"SSC_{bank_number(0)}_{cycle_date(cycle):%Y%m%d}_{cycle % 100:02d}_COLLECT_v9.txt"
    await api.sql.execute("DELETE FROM clearing_file WHERE version = 9")
    await api.sql.execute(A_LARGE_FILE, name, PARTS, api.world.banks[0])
    await api.sql.execute(ITS_PARTS, name, stored_parts - 1)
    return f"/v1/clearing/files/{name}"


@pytest.mark.parametrize("accepted", ["identity", "gzip"])
async def test_file_of_which_a_part_is_lost_is_cut_off(city: Api, accepted: str) -> None:
    path = await a_large_file(city, stored_parts=5)
    with structlog.testing.capture_logs() as logs, pytest.raises(aiohttp.ClientPayloadError):
        await city.get(path, caller="bank-0", headers={"Accept-Encoding": accepted})
    assert [line["event"] for line in logs] == ["request.failed"]


async def test_file_is_cut_off_when_the_database_fails_in_the_middle(city: Api) -> None:
    path = await a_large_file(city, stored_parts=PARTS)
    headers = city.signed("GET", path, caller="bank-0")
    async with city.session.get(city.base_url / path[1:], headers=headers) as response:
        assert response.status == 200
        await response.content.readexactly(65_536)
        await city.sql.execute("ALTER TABLE clearing_chunk RENAME TO mislaid")
        try:
            with structlog.testing.capture_logs() as logs, pytest.raises(aiohttp.ClientPayloadError):
                await response.content.read()
        finally:
            await city.sql.execute("ALTER TABLE mislaid RENAME TO clearing_chunk")
    assert [line["event"] for line in logs] == ["request.failed"]


async def test_bank_that_hangs_up_in_the_middle_is_nobodys_fault(city: Api) -> None:
    path = await a_large_file(city, stored_parts=PARTS)
    headers = city.signed("GET", path, caller="bank-0")
    with structlog.testing.capture_logs() as logs:
        async with city.session.get(city.base_url / path[1:], headers=headers) as response:
            await response.content.readexactly(65_536)
            response.close()
        running = {task for task in asyncio.all_tasks() if "RequestHandler" in repr(task.get_coro())}
        await asyncio.wait(running - {asyncio.current_task()}, timeout=5.0)
    assert [line for line in logs if line["log_level"] == "error"] == []
