"""A bank sees its own files, as they are over HTTP, and nobody else's."""

import asyncio
import random

import asyncssh
import msgspec
import pytest

from engine.core.calendar import CycleNumber
from engine.web.wire import ManifestList
from tests.sftp.harbour import Harbour, told

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_each_bank_finds_its_files_and_their_manifests_by_day(harbour: Harbour, cycle: CycleNumber) -> None:
    for bank in range(3):
        file = await told(harbour.api, cycle, bank=bank)
        listed = (await harbour.api.get("/v1/clearing/files?limit=100", caller=f"bank-{bank}")).body
        manifests = {manifest.name: manifest for manifest in msgspec.json.decode(listed, type=ManifestList).items}
        async with harbour.client(bank) as client:
            assert sorted(await client.listdir("/")) == ["inbox", "outbox"]
            assert file.day in await client.listdir("/outbox")
            found = {str(entry.filename): entry.attrs for entry in await client.readdir(f"/outbox/{file.day}")}
            assert set(found) == set(manifests) | {f"{name}.json" for name in manifests}
            for name, manifest in manifests.items():
                assert (found[name].size, found[name].mtime) == (
                    manifest.size,
                    int(manifest.published_at.timestamp()),
                )
                async with client.open(f"/outbox/{file.day}/{name}.json", "rb", encoding=None) as opened:
                    shown = await bytes_of(opened)
                assert found[f"{name}.json"].size == len(shown)
                assert msgspec.json.decode(shown, type=type(manifest)) == manifest


async def test_files_are_the_same_bytes_as_over_http(harbour: Harbour, cycle: CycleNumber) -> None:
    async with harbour.client() as client:
        for form in ("flat", "xml"):
            file = await told(harbour.api, cycle, bank=0, form=form)
            async with client.open(file.path, "rb", encoding=None) as opened:
                assert await bytes_of(opened) == file.content


async def test_another_banks_file_does_not_exist(harbour: Harbour, cycle: CycleNumber) -> None:
    theirs = await told(harbour.api, cycle, bank=1)
    async with harbour.client() as client:
        for path in (theirs.path, f"{theirs.path}.json", f"/outbox/20200101/{theirs.name}", "/outbox/20200101", "/x"):
            for act in (client.stat, client.lstat, client.open, client.remove, client.readdir):
                with pytest.raises(asyncssh.SFTPNoSuchFile) as nothing:
                    await act(path)
                assert nothing.value.reason == "No such file"


async def test_a_file_is_only_where_its_day_is(harbour: Harbour, cycle: CycleNumber) -> None:
    file = await told(harbour.api, cycle, bank=0)
    async with harbour.client() as client:
        with pytest.raises(asyncssh.SFTPNoSuchFile):
            await client.open(f"/outbox/20200101/{file.name}", "rb", encoding=None)


async def test_nothing_of_the_outbox_can_be_changed(harbour: Harbour, cycle: CycleNumber) -> None:
    file = await told(harbour.api, cycle, bank=0)
    async with harbour.client() as client:
        for mode in ("wb", "ab", "r+b", "xb"):
            with pytest.raises(asyncssh.SFTPPermissionDenied):
                await client.open(file.path, mode)
        for path in (file.path, f"{file.path}.json", f"/outbox/{file.day}", "/outbox", "/inbox", "/"):
            with pytest.raises(asyncssh.SFTPPermissionDenied):
                await client.remove(path)
            with pytest.raises(asyncssh.SFTPPermissionDenied):
                await client.rename(path, "/inbox/mine.txt")
            with pytest.raises(asyncssh.SFTPPermissionDenied):
                await client.chmod(path, 0o777)
            with pytest.raises(asyncssh.SFTPPermissionDenied):
                await client.rmdir(path)
            with pytest.raises(asyncssh.SFTPPermissionDenied):
                await client.mkdir(f"{path}/new")
        async with client.open(file.path, "rb", encoding=None) as opened:
            with pytest.raises(asyncssh.SFTPPermissionDenied):
                await opened.write(b"x")
            with pytest.raises(asyncssh.SFTPPermissionDenied):
                await opened.chmod(0o777)


async def test_any_range_of_a_file_of_many_parts_is_its_own_bytes(harbour: Harbour) -> None:
    content, path = await a_long_file(harbour)
    async with harbour.client() as client, client.open(path, "rb", encoding=None) as opened:
        for start, length in ((0, 10), (65_530, 20), (262_140, 10), (262_144, 1), (len(content) - 3, 99), (0, 261_120)):
            assert await bytes_of(opened, length, start) == content[start : start + length]
        assert await bytes_of(opened, 1, len(content)) == b""
        assert await bytes_of(opened, 1, 1 << 62) == b""
        assert await bytes_of(opened, -1, 0) == content


async def test_a_download_goes_on_where_it_was_cut(harbour: Harbour) -> None:
    content, path = await a_long_file(harbour)
    async with harbour.connection(0) as connection, connection.start_sftp_client() as client:
        opened = await client.open(path, "rb", encoding=None)
        half = await bytes_of(opened, 300_000, 0)
        connection.abort()
        await connection.wait_closed()
    async with harbour.client() as client, client.open(path, "rb", encoding=None) as opened:
        assert half + await bytes_of(opened, -1, len(half)) == content


async def test_a_hundred_times_the_same_range_is_the_same_and_keeps_nothing(harbour: Harbour) -> None:
    content, path = await a_long_file(harbour)
    async with harbour.client() as client:
        for _ in range(100):
            async with client.open(path, "rb", encoding=None) as opened:
                assert await bytes_of(opened, 1_000, 262_000) == content[262_000:263_000]


async def test_two_banks_side_by_side_get_their_own(harbour: Harbour, cycle: CycleNumber) -> None:
    async def pull(bank: int) -> bool:
        file = await told(harbour.api, cycle, bank=bank, kind="ADVICE", form="xml")
        async with harbour.client(bank) as client:
            for _ in range(10):
                async with client.open(file.path, "rb", encoding=None) as opened:
                    assert await bytes_of(opened) == file.content
        return True

    assert await asyncio.gather(*(pull(bank) for bank in (0, 1, 0, 1))) == [True] * 4


async def test_a_pull_counts_once_its_last_byte_was_read(harbour: Harbour, cycle: CycleNumber) -> None:
    file = await told(harbour.api, cycle, bank=2, kind="NET")
    pulled = "SELECT pulled_at FROM file_receipt WHERE name = $1"
    while await harbour.api.sql.fetchval(pulled, file.name) is None:
        continue  # it was just pulled over HTTP, which is noted after the last byte as well
    await harbour.api.sql.execute("DELETE FROM file_receipt WHERE name = $1", file.name)
    async with harbour.client(2) as client, client.open(file.path, "rb", encoding=None) as opened:
        await bytes_of(opened, len(file.content) - 1, 0)
        await client.stat("/")
        assert await harbour.api.sql.fetchval(pulled, file.name) is None
        await bytes_of(opened, 1, len(file.content) - 1)
        await client.stat("/")
        assert await harbour.api.sql.fetchval(pulled, file.name) is not None


async def bytes_of(opened: asyncssh.SFTPClientFile, length: int = -1, at: int | None = None) -> bytes:
    """What an open file says there."""
    content: bytes | str = await opened.read(length, at)
    assert isinstance(content, bytes)
    return content


async def a_long_file(harbour: Harbour) -> tuple[bytes, str]:
    """A published file of bank 0 that has many parts; not one that any cycle has made."""
    api = harbour.api
    name, content = "SSC_102100000000_20251231_01_COLLECT_v1.txt", random.Random(1).randbytes(700_001)
    if not await api.sql.fetchval("SELECT true FROM clearing_file WHERE name = $1", name):
        parts = [(name, n, content[n * 65_536 : (n + 1) * 65_536]) for n in range(11)]
        await api.sql.copy_records_to_table("clearing_chunk", records=parts)
        columns = [
            row["column_name"]
            for row in await api.sql.fetch(
                "SELECT column_name FROM information_schema.columns WHERE table_name = 'clearing_file'"
            )
        ]
        changes = {
            "name": f"'{name}'",
            "cycle": "2025123101",
            "first_cycle": "2025123101",
            "business_date": "'2025-12-31'::date",
            "size": str(len(content)),
        }
        values = ", ".join(changes.get(column, column) for column in columns)
        await api.sql.execute(
            f"INSERT INTO clearing_file ({', '.join(columns)}) SELECT {values} FROM clearing_file"  # noqa: S608  # columns of the schema, values from above
            " WHERE bank = $1 AND kind = 'COLLECT' AND form = 'flat' LIMIT 1",
            api.world.banks[0],
        )
    return content, f"/outbox/20251231/{name}"
