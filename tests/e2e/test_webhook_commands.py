"""`engine webhooks listen`, as it is typed beside an engine that serves."""

import asyncio
from pathlib import Path

import pytest

from engine.background import webhook_parts
from engine.cli.options import Exit
from engine.client.credentials import CallerFile, write_caller_file
from engine.workers.webhooks import run_webhooks
from tests.e2e.processes import ENGINE, engine_environ, run_engine
from tests.web.api import SECRET, Api, open_api
from tests.web.webhook_receiver import ENDPOINTS


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """Where the first merchant's key is going to be."""
    return tmp_path / "key.json"


def write_key(path: Path, api: Api, keyid: str = "merchant-0") -> str:
    """Keep a merchant's key in a file. Returns its name."""
    write_caller_file(path, CallerFile(keyid=keyid, alg="hmac-sha256", key=SECRET, base_url=str(api.base_url)))
    return str(path)


async def test_messages_are_printed_as_they_come_and_the_endpoint_is_removed(
    dsn: str, tmp_path: Path, key_file: Path
) -> None:
    async with open_api(dsn, tmp_path) as api:
        stopping = asyncio.Event()
        telling = asyncio.create_task(run_webhooks(webhook_parts(api.node), stopping))
        process = await asyncio.create_subprocess_exec(
            *(*ENGINE, "webhooks", "listen", "--count", "2", "--key-file", write_key(key_file, api)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=engine_environ(),
        )
        assert process.stdout is not None
        assert process.stderr is not None
        assert b"listening on http://127.0.0.1:" in await process.stderr.readline()
        payment = await api.paid(order_no="A-7", capture=False)
        await api.post(f"{payment}/void")
        identifier = payment.rpartition("/")[2]
        lines = [(await process.stdout.readline()).decode() for _ in range(2)]
        assert lines[0].endswith(f"payment.authorized  #1  {identifier}  A-7  authorized  500\n")
        assert lines[1].endswith(f"payment.voided  #2  {identifier}  A-7  voided  500\n")
        assert (await process.wait(), await process.stderr.read()) == (Exit.DONE, b"")
        assert (await api.get(ENDPOINTS)).items == []
        stopping.set()
        await telling


async def test_outside_a_sandbox_this_machine_is_not_called(dsn: str, tmp_path: Path, key_file: Path) -> None:
    async with open_api(dsn, tmp_path, is_sandbox=False) as api:
        command = ("webhooks", "listen", "--key-file", write_key(key_file, api))
        ended = await asyncio.to_thread(run_engine, *command)
        assert (ended.returncode, "callback-url-not-allowed" in ended.stderr) == (Exit.CHECK_FAILED, True)
        unknown = ("webhooks", "listen", "--key-file", write_key(tmp_path / "other.json", api, "nobody"))
        assert (await asyncio.to_thread(run_engine, *unknown)).returncode == Exit.CHECK_FAILED
