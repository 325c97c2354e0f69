"""`engine bank`: a bank's whole day, as it is typed."""

import asyncio
import re
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from engine.cli.options import Exit
from engine.client.credentials import CallerFile, write_caller_file
from engine.core.calendar import CycleNumber, cycle_date
from tests.e2e.processes import run_engine
from tests.web.api import ED25519_KEY, Api
from tests.web.conftest import city

__all__ = ["city"]

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cycle(city: Api) -> CycleNumber:
    """A cycle that is out."""
    for card in range(6):
        await city.paid(card=card, amount=100_000)  # all that is on the personal account; more would want a password
        reply = await city.pay(card=card, amount=500 + card, caller=f"merchant-{card % 2}")
        assert reply.status == 201, reply.body
    return await city.publish()


class Desk:
    """A bank's desk: its key, and a folder."""

    def __init__(self, city: Api, folder: Path) -> None:
        self.folder = folder
        key = ED25519_KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        self._key = folder / "key.json"
        write_caller_file(
            self._key, CallerFile(keyid="bank-0-ed25519", alg="ed25519", key=key, base_url=str(city.base_url))
        )

    async def bank(self, *words: str) -> CompletedProcess[str]:
        """Run a command of `engine bank`, while the engine serves."""
        return await asyncio.to_thread(run_engine, "bank", *words, "--key-file", str(self._key))


@pytest.fixture
def desk(city: Api, tmp_path: Path) -> Desk:
    """The desk of bank 0."""
    return Desk(city, tmp_path)


async def test_a_banks_day(desk: Desk, cycle: CycleNumber) -> None:
    files = str(desk.folder / "files")
    day = ("--business-date", str(cycle_date(cycle)))
    pulled = await desk.bank("pull", "--to", files, *day)
    assert (pulled.returncode, pulled.stdout.splitlines()[-1]) == (Exit.DONE, "7 files"), pulled.stderr
    (collect,) = (desk.folder / "files").glob("*_COLLECT_v1.xml")
    part = await desk.bank("ack", collect.name, "--reject", "2:AC01")
    assert part.stdout == f"{collect.name}  part\n1 files\n"
    rest = await desk.bank("ack", *day)
    assert (rest.returncode, rest.stdout.splitlines()[-1]) == (Exit.DONE, "6 files"), rest.stderr
    assert (await desk.bank("ack")).stdout == "0 files\n"
    statement = await desk.bank("statement", "--make", files, *day)
    assert re.fullmatch(r"ST-\w+: \d+ lines, \w+, rcn_\w+\n", statement.stdout), statement.stderr
    wrong = await desk.bank("statement", "--make", files, "--off-by", "1")
    assert ", different, " in wrong.stdout


async def test_what_is_given_back_is_told(desk: Desk, cycle: CycleNumber) -> None:
    files = str(desk.folder / "files")
    await desk.bank("pull", "--to", files)
    given = await desk.bank("return", "--make", files, "--reason", "AC06")
    assert given.returncode == Exit.DONE, given.stderr
    assert re.fullmatch(r"RT-\w+: 1 items given back, .*\.returns\.txt\n", given.stdout)
    (sent,) = (desk.folder / "files").glob("*.returns.txt")
    assert "|AC06 R01-1\n" in sent.read_text()
    again = await desk.bank("return", str(sent))
    assert (again.returncode, "1 items given back" in again.stdout) == (Exit.DONE, True)
    faulty = desk.folder / "faulty.txt"
    faulty.write_text(sent.read_text().replace("|AC06 R01-1\n", "|AC6 R01-1\n").replace("H|1|RT-", "H|1|RX-"))
    refused = await desk.bank("return", str(faulty))
    assert refused.returncode == Exit.CHECK_FAILED
    assert "/lines/2/" in refused.stderr
    assert "REFUSED: " in refused.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("return",),
        ("return", "--make", "nowhere", __file__),
        ("ack", "--reject", "1:AC01"),
        ("ack", "a", "b", "--reject-file", "AC01"),
        ("ack", "a", "--reject", "AC01"),
        ("ack", "a", "--reject", "0:AC01"),
        ("pull", "--to", "nowhere", "--via", "sftp"),
        ("pull", "--to", "nowhere", "--as", "demo-bank-a"),
        ("statement", "no such file"),
        ("statement", "--make", ".", "--business-date", "today"),
    ],
)
async def test_what_cannot_be_meant_is_wrong_usage(desk: Desk, words: tuple[str, ...]) -> None:
    assert (await desk.bank(*words)).returncode == Exit.WRONG_USAGE


async def test_what_is_not_there_is_told(desk: Desk, cycle: CycleNumber) -> None:
    assert (await desk.bank("ack", "SSC_nothing")).returncode == Exit.CHECK_FAILED
    empty = await desk.bank("statement", "--make", str(desk.folder))
    assert (empty.returncode, "does not hold the flat files" in empty.stderr) == (Exit.CHECK_FAILED, True)
