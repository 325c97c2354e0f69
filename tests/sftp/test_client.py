"""Pulling over SFTP is pulling over HTTP: the same files, checked in the same way."""

from pathlib import Path

import asyncssh
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from engine.client import EngineClient, Unreachable
from engine.client.bank import FileRejected, pull_files
from engine.client.sftp import SftpPlace, open_bank_sftp, pull_over_sftp
from engine.core.calendar import CycleNumber, cycle_date
from tests.sftp.harbour import Harbour
from tests.web.api import bank_number, credentials

pytestmark = pytest.mark.asyncio(loop_scope="module")


def place(harbour: Harbour, bank: int = 0) -> SftpPlace:
    """Where a bank goes."""
    address = harbour.address
    return SftpPlace(host=address.host, port=address.port, host_key=address.host_key, username=bank_number(bank))


def pem(harbour: Harbour, bank: int = 0) -> str:
    """A bank's key as it signs requests with."""
    return harbour.keys[bank].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


async def test_both_ways_bring_the_same_files(harbour: Harbour, cycle: CycleNumber, tmp_path: Path) -> None:
    over_http, over_sftp = tmp_path / "http", tmp_path / "sftp"
    for bank in range(3):
        async with EngineClient(str(harbour.api.base_url), credentials(f"bank-{bank}")) as client:
            keys = await client.engine_keys()
            await pull_files(client, over_http)
        async with open_bank_sftp(place(harbour, bank), pem(harbour, bank)) as opened:
            pulled = await pull_over_sftp(opened, keys, over_sftp)
            assert len(pulled) == 7 if bank == 0 else len(pulled) >= 5
            assert await pull_over_sftp(opened, keys, None, business_date=cycle_date(cycle)) == pulled
            assert await pull_over_sftp(opened, keys, None, business_date=cycle_date(CycleNumber(2020010101))) == []
    kept = [{path.name: path.read_bytes() for path in folder.iterdir()} for folder in (over_http, over_sftp)]
    assert kept[0] == kept[1]


async def test_files_of_an_engine_that_signs_with_another_key_are_rejected(
    harbour: Harbour, cycle: CycleNumber, tmp_path: Path
) -> None:
    async with open_bank_sftp(place(harbour), pem(harbour)) as opened:
        with pytest.raises(FileRejected):
            await pull_over_sftp(opened, {}, tmp_path / "inbox")
    assert not (tmp_path / "inbox").exists()


async def test_another_server_is_not_trusted(harbour: Harbour, cycle: CycleNumber) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    for wrong in (
        SftpPlace(host="127.0.0.1", port=harbour.address.port, host_key=other, username=bank_number(0)),
        SftpPlace(host="127.0.0.1", port=1, host_key=harbour.address.host_key, username=bank_number(0)),
    ):
        with pytest.raises(Unreachable):
            async with open_bank_sftp(wrong, pem(harbour)):
                pass
