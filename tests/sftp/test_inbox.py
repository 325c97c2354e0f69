"""What a bank puts into its inbox: kept as it comes, read once, and told what became of it."""

import asyncio

import asyncssh
import msgspec
import pytest

from engine.core.calendar import CycleNumber
from engine.sftp import inbox as inbox_module
from engine.sftp.inbox import PART_BYTES
from engine.sftp.judging import InboxResult, Judging
from engine.store.inboxes import Inboxes
from tests.sftp.harbour import Harbour
from tests.sftp.statements import a_statement

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def put(client: asyncssh.SFTPClient, name: str, content: bytes) -> None:
    """Write a file of the inbox, whole."""
    async with client.open(f"/inbox/{name}", "wb") as opened:
        await opened.write(content)


async def got(client: asyncssh.SFTPClient, path: str) -> bytes:
    """A file, whole."""
    async with client.open(path, "rb", encoding=None) as opened:
        content = await opened.read()
    assert isinstance(content, bytes)
    return content


async def result_of(client: asyncssh.SFTPClient, name: str) -> InboxResult:
    """What became of a file of the inbox."""
    return msgspec.json.decode(await got(client, f"/inbox/{name}.result.json"), type=InboxResult)


async def names(client: asyncssh.SFTPClient) -> list[str]:
    """What the inbox holds."""
    return sorted(str(name) for name in await client.listdir("/inbox"))


async def test_faults_are_told_by_line_and_field(harbour: Harbour, cycle: CycleNumber) -> None:
    content = await a_statement(harbour.api, cycle, bank=0, file_id="FAULTY")
    lines = content.split(b"\n")
    lines[1] = lines[1].replace(b"|COLLECT0|", b"||")
    async with harbour.client() as client:
        await put(client, "faulty.txt", b"\n".join(lines))
        result = await result_of(client, "faulty.txt")
    assert (result.outcome, result.code) == ("rejected", "file-malformed")
    assert result.title
    assert "/lines/2/bank_ref" in [fault.pointer for fault in result.errors]
    assert result.upload_id is None


async def test_the_same_file_again_is_a_replay_and_others_under_its_id_are_refused(
    harbour: Harbour, cycle: CycleNumber
) -> None:
    content = await a_statement(harbour.api, cycle, bank=0, file_id="AGAIN")
    async with harbour.client() as client:
        await put(client, "again.txt", content)
        first = await result_of(client, "again.txt")
        await put(client, "again.txt", content)
        second = await result_of(client, "again.txt")
        await put(client, "other.txt", content.replace(b"COLLECT0", b"COLLECT9"))
        other = await result_of(client, "other.txt")
    assert (first.outcome, first.is_replay) == ("accepted", False)
    assert second == msgspec.structs.replace(first, is_replay=True)
    assert other.outcome == "rejected"


async def test_a_bank_does_not_speak_for_another(harbour: Harbour, cycle: CycleNumber) -> None:
    content = await a_statement(harbour.api, cycle, bank=0, file_id="FOREIGN")
    async with harbour.client(1) as client:
        await put(client, "foreign.txt", content)
        assert (await result_of(client, "foreign.txt")).outcome == "rejected"


async def test_a_file_that_was_cut_is_not_read_and_can_begin_anew(harbour: Harbour, cycle: CycleNumber) -> None:
    content = await a_statement(harbour.api, cycle, bank=0, file_id="CUT")
    async with harbour.connection(0) as connection, connection.start_sftp_client() as client:
        opened = await client.open("/inbox/cut.txt", "wb")
        await opened.write(content[:-1])
        connection.abort()
        await connection.wait_closed()
    async with harbour.client() as client:
        assert "cut.txt.result.json" not in await names(client)
        with pytest.raises(asyncssh.SFTPFailure, match="not whole"):
            await client.rename("/inbox/cut.txt", "/inbox/whole.txt")
        await put(client, "cut.txt", content)
        assert (await result_of(client, "cut.txt")).outcome == "accepted"


async def test_what_came_of_a_cut_file_is_kept_to_the_byte(harbour: Harbour) -> None:
    content = bytes(range(256)) * (PART_BYTES // 256) + b"and a rest"
    async with harbour.connection(0) as connection, connection.start_sftp_client() as client:
        opened = await client.open("/inbox/long.txt", "wb")
        await opened.write(content)
        connection.abort()
        await connection.wait_closed()
    async with harbour.client() as client:
        opened = await client.open("/inbox/long.txt", "ab")
        assert (await opened.stat()).size == len(content)
        store = Inboxes(harbour.api.node.pool)
        file = await store.find(harbour.api.world.banks[0], "long.txt")
        assert file is not None
        assert b"".join([part async for part in store.content(file.id)]) == content
        await client.remove("/inbox/long.txt")
        assert "long.txt" not in await names(client)
        with pytest.raises(asyncssh.SFTPFailure):
            await opened.close()


async def test_only_the_last_who_opened_a_file_writes_it(harbour: Harbour) -> None:
    async with harbour.client() as early, harbour.client() as late:
        first = await early.open("/inbox/shared.txt", "wb")
        await first.write(b"one")
        second = await late.open("/inbox/shared.txt", "wb")
        await second.write(b"two")
        with pytest.raises(asyncssh.SFTPFailure, match="opened elsewhere"):
            await first.close()
        await second.close()
        assert (await result_of(late, "shared.txt")).outcome == "rejected"


async def test_whoever_goes_on_with_a_file_shuts_its_first_writer_out(harbour: Harbour) -> None:
    async with harbour.client() as early, harbour.client() as late:
        first = await early.open("/inbox/resumed.part", "wb")
        await first.write(b"one")
        await first.fsync()
        second = await late.open("/inbox/resumed.part", "ab")
        await first.write(b"two")
        with pytest.raises(asyncssh.SFTPFailure, match="opened elsewhere"):
            await first.fsync()
        with pytest.raises(asyncssh.SFTPFailure, match="opened elsewhere"):
            await first.close()
        await second.write(b"three")
        await second.close()
        assert (await late.stat("/inbox/resumed.part")).size == len(b"onethree")


async def test_bytes_are_taken_in_their_order(harbour: Harbour) -> None:
    async with harbour.client() as client:
        opened = await client.open("/inbox/order.part", "wb")
        with pytest.raises(asyncssh.SFTPFailure, match="the next one is 0"):
            await opened.write(b"x", offset=5)
        await opened.write(b"x", offset=0)
        with pytest.raises(asyncssh.SFTPFailure, match="the next one is 1"):
            await opened.write(b"x", offset=0)
        await opened.close()
        await client.remove("/inbox/order.part")


async def test_a_name_that_says_so_waits_until_it_is_renamed(harbour: Harbour, cycle: CycleNumber) -> None:
    content = await a_statement(harbour.api, cycle, bank=0, file_id="WAITS")
    async with harbour.client() as client:
        await put(client, "waits.filepart", content)
        assert "waits.filepart.result.json" not in await names(client)
        await put(client, "taken.txt", b"no upload")
        with pytest.raises(asyncssh.SFTPFailure, match="file of the new name"):
            await client.rename("/inbox/waits.filepart", "/inbox/taken.txt")
        await client.posix_rename("/inbox/waits.filepart", "/inbox/taken.txt")
        assert (await result_of(client, "taken.txt")).file_id == "WAITS"
        with pytest.raises(asyncssh.SFTPPermissionDenied):
            await client.rename("/inbox/taken.txt", "/inbox/moved.txt")
        with pytest.raises(asyncssh.SFTPPermissionDenied):
            await client.rename("/inbox/taken.txt", "/outbox/20260101/taken.txt")


async def test_a_file_is_removed_and_its_result_stays_until_it_is_removed_too(
    harbour: Harbour, cycle: CycleNumber
) -> None:
    async with harbour.client() as client:
        for first, second in (("gone.txt", "gone.txt.result.json"), ("gone.txt.result.json", "gone.txt")):
            await put(client, "gone.txt", b"no upload")
            await client.remove(f"/inbox/{first}")
            assert first not in await names(client)
            assert second in await names(client)
            with pytest.raises(asyncssh.SFTPNoSuchFile):
                await client.remove(f"/inbox/{first}")
            await client.remove(f"/inbox/{second}")
            assert not [name for name in await names(client) if name.startswith("gone")]


async def test_files_of_the_inbox_are_not_read_back(harbour: Harbour) -> None:
    async with harbour.client() as client:
        await put(client, "secret.txt", b"no upload")
        for mode in ("rb", "r+b", "w+b"):
            with pytest.raises(asyncssh.SFTPPermissionDenied):
                await client.open("/inbox/secret.txt", mode)
        with pytest.raises(asyncssh.SFTPPermissionDenied):
            await client.open("/inbox/secret.txt.result.json", "wb")


async def test_what_a_node_left_unread_is_read_by_the_next(harbour: Harbour, cycle: CycleNumber) -> None:
    """A node that ends between the last byte and the judgement, or whose database does, costs time only."""
    api = harbour.api
    store, bank = Inboxes(api.node.pool), api.world.banks[0]
    file = await store.begin(bank, "left.txt")
    assert file is not None
    content = await a_statement(api, cycle, bank=0, file_id="LEFT")
    assert await store.append(file, at=0, content=content)
    assert await store.close(file, size=len(content), is_due=True)
    assert await store.begin(bank, "left.txt") is None  # nobody changes what is being read
    assert not await store.drop(bank, "left.txt")
    judging = Judging(
        api.node.pool, api.node.uploads, api.node.ids, title=lambda refusal: refusal.slug, spawn=asyncio.ensure_future
    )
    await store.take(file.id, seconds=600)
    await judging.judge_due()
    left = await store.find(bank, "left.txt")
    assert left is not None
    assert left.result is None  # another node reads it
    async with harbour.client() as client:
        with pytest.raises(asyncssh.SFTPFailure, match="being read"):
            await client.remove("/inbox/left.txt")
        for mode in ("wb", "ab"):
            with pytest.raises(asyncssh.SFTPFailure, match="being read"):
                await client.open("/inbox/left.txt", mode)
    await store.release(file.id, seconds=-1)
    await judging.judge_due()
    async with harbour.client() as client:
        assert (await result_of(client, "left.txt")).file_id == "LEFT"


async def test_an_inbox_has_an_end(harbour: Harbour, monkeypatch: pytest.MonkeyPatch) -> None:
    async with harbour.client(2) as client:
        monkeypatch.setattr(inbox_module, "FILES_MAX", 1)
        await put(client, "one.part", b"x")
        with pytest.raises(asyncssh.SFTPFailure, match="full"):
            await client.open("/inbox/two.part", "wb")
        monkeypatch.setattr(inbox_module, "FILES_MAX", 9)
        monkeypatch.setattr(inbox_module, "UPLOAD_BYTES_MAX", 10)
        opened = await client.open("/inbox/three.part", "wb")
        with pytest.raises(asyncssh.SFTPFailure, match="at most 10 bytes"):
            await opened.write(b"eleven byte")
        await opened.close()
