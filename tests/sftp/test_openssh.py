"""A bank's day with OpenSSH's own `sftp`: list, get, resume, put, read the result."""

import asyncio
import shutil
from pathlib import Path

import msgspec
import pytest

from engine.core.calendar import CycleNumber
from engine.sftp.judging import InboxResult
from tests.sftp.harbour import Harbour, told
from tests.sftp.statements import a_statement
from tests.web.api import bank_number

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(shutil.which("sftp") is None, reason="OpenSSH's sftp is not installed (openssh-client)"),
]


class Ran(msgspec.Struct, frozen=True):
    """How a batch of commands ended, and what was said."""

    code: int
    said: str


async def sftp(
    harbour: Harbour, folder: Path, *commands: str, bank: int = 0, username: str | None = None, password: bool = False
) -> Ran:
    """`sftp -b` as a bank, in *folder*."""
    key, known = harbour.write_keys(folder, bank)
    batch = folder / "batch"
    batch.write_text("\n".join(commands) + "\n")
    options = {
        "UserKnownHostsFile": str(known),
        "StrictHostKeyChecking": "yes",
        "IdentitiesOnly": "yes",
        "PreferredAuthentications": "password,keyboard-interactive" if password else "publickey",
        "NumberOfPasswordPrompts": "0",
    }
    process = await asyncio.create_subprocess_exec(
        "sftp",
        *("-F", "none", "-P", str(harbour.address.port), "-i", str(key), "-b", str(batch)),
        *(word for name, value in options.items() for word in ("-o", f"{name}={value}")),
        f"{username or bank_number(bank)}@{harbour.address.host}",
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode is not None
    return Ran(process.returncode, said.decode())


async def test_lists_and_gets(harbour: Harbour, cycle: CycleNumber, tmp_path: Path) -> None:
    file = await told(harbour.api, cycle, bank=0)
    ran = await sftp(
        harbour,
        tmp_path,
        "pwd",
        "ls -l",
        f"cd outbox/{file.day}",
        "cd ..",
        f"cd {file.day}",
        "ls -l",
        "get *_COLLECT_*",
    )
    assert ran.code == 0, ran.said
    assert "Remote working directory: /" in ran.said
    assert file.name in ran.said
    assert f" {len(file.content)} " in ran.said
    assert (tmp_path / file.name).read_bytes() == file.content
    manifest = msgspec.json.decode((tmp_path / f"{file.name}.json").read_bytes())
    assert (manifest["name"], manifest["size"]) == (file.name, len(file.content))


async def test_goes_on_where_a_download_was_cut(harbour: Harbour, cycle: CycleNumber, tmp_path: Path) -> None:
    file = await told(harbour.api, cycle, bank=0)
    (tmp_path / file.name).write_bytes(b"#" * 100)
    ran = await sftp(harbour, tmp_path, f"reget {file.path}")
    assert ran.code == 0, ran.said
    assert (tmp_path / file.name).read_bytes() == b"#" * 100 + file.content[100:]  # what it has it does not get again


async def test_puts_a_statement_and_gets_its_result(harbour: Harbour, cycle: CycleNumber, tmp_path: Path) -> None:
    content = await a_statement(harbour.api, cycle, bank=0, file_id="OPENSSH")
    (tmp_path / "statement.txt").write_bytes(content)
    ran = await sftp(
        harbour, tmp_path, "put -p statement.txt inbox/", "ls -l inbox", "get inbox/statement.txt.result.json"
    )
    assert ran.code == 0, ran.said
    result = msgspec.json.decode((tmp_path / "statement.txt.result.json").read_bytes(), type=InboxResult)
    assert (result.outcome, result.kind, result.file_id) == ("accepted", "STATEMENT", "OPENSSH")
    shown = await harbour.api.get(f"/v1/reconciliations/{result.reconciliation_id}", caller="bank-0")
    assert shown["state"] == "balanced"


async def test_goes_on_where_an_upload_was_cut(harbour: Harbour, cycle: CycleNumber, tmp_path: Path) -> None:
    content = await a_statement(harbour.api, cycle, bank=0, file_id="RESUMED")
    (tmp_path / "resumed.txt").write_bytes(b"#" * 150 + content[150:])
    async with harbour.connection(0) as connection, connection.start_sftp_client() as client:
        opened = await client.open("/inbox/resumed.txt", "wb")
        await opened.write(content[:150])
        connection.abort()
        await connection.wait_closed()
    ran = await sftp(harbour, tmp_path, "reput resumed.txt inbox/resumed.txt", "get inbox/resumed.txt.result.json")
    assert ran.code == 0, ran.said
    result = msgspec.json.decode((tmp_path / "resumed.txt.result.json").read_bytes(), type=InboxResult)
    assert (result.outcome, result.file_id, result.size) == ("accepted", "RESUMED", len(content))


async def test_renames_when_a_file_is_whole(harbour: Harbour, cycle: CycleNumber, tmp_path: Path) -> None:
    (tmp_path / "late.tmp").write_bytes(await a_statement(harbour.api, cycle, bank=0, file_id="RENAMED"))
    ran = await sftp(
        harbour,
        tmp_path,
        "put late.tmp inbox/late.tmp",
        "-get inbox/late.tmp.result.json",
        "rename inbox/late.tmp inbox/late.txt",
        "get inbox/late.txt.result.json",
        "rm inbox/late.txt",
        "rm inbox/late.txt.result.json",
        "ls inbox/late*",
    )
    assert not (tmp_path / "late.tmp.result.json").exists()
    assert b"RENAMED" in (tmp_path / "late.txt.result.json").read_bytes()
    assert ran.code == 1
    assert '"/inbox/late*" not found' in ran.said


@pytest.mark.parametrize(
    "command",
    ["mkdir inbox/new", "rmdir outbox", "put batch outbox/", "symlink inbox/a inbox/b", "rm outbox/20200101/x"],
)
async def test_what_a_bank_cannot_do(harbour: Harbour, cycle: CycleNumber, tmp_path: Path, command: str) -> None:
    assert (await sftp(harbour, tmp_path, command)).code == 1


async def test_other_ways_in_are_shut(harbour: Harbour, tmp_path: Path) -> None:
    strange = await sftp(harbour, tmp_path, "ls", username="999999999999")
    assert (strange.code, "Permission denied (publickey)" in strange.said) == (255, True)
    password = await sftp(harbour, tmp_path, "ls", password=True)
    assert (password.code, "Permission denied (publickey)" in password.said) == (255, True)
