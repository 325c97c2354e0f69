"""A bank keeps what it has checked: a file that was changed anywhere on its way is rejected, and not kept."""

import hashlib
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from engine.client import Download, EngineClient, Refused
from engine.client.bank import FileRejected, check_file, pull_files
from engine.core.calendar import CycleNumber, cycle_text
from engine.web.wire import FileTotals, ManifestList, ManifestView
from tests.client.relay import Answer, Relay
from tests.web.api import Api, bank_number, credentials

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEYS = {"test-1": KEY.public_key().public_bytes_raw()}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cycle(city: Api) -> CycleNumber:
    """The second of two cycles, which bank-2 has items in."""
    for card in range(3):
        await city.pay(card=card, amount=900)
    await city.publish()
    for card in range(5):
        await city.pay(card=card, amount=700 + card)
    return await city.publish()


def changing_manifests(change: Callable[[ManifestView], ManifestView]) -> Callable[[str, Answer], Answer]:
    """Changes every manifest of a list on its way."""

    def on_the_way(path: str, answer: Answer) -> Answer:
        if not path.startswith("/v1/clearing/files?"):
            return answer
        listed = msgspec.json.decode(answer.body, type=ManifestList)
        changed = msgspec.structs.replace(listed, items=tuple(map(change, listed.items)))
        return Answer(answer.status, msgspec.json.encode(changed))

    return on_the_way


def with_changes(**changes: object) -> Callable[[ManifestView], ManifestView]:
    """The same manifest but for these fields."""
    return lambda manifest: msgspec.structs.replace(manifest, **changes)


async def test_pulled_files_are_kept_as_they_are_with_their_manifests(
    city: Api, cycle: CycleNumber, tmp_path: Path
) -> None:
    folder = tmp_path / "bank" / "inbox"
    async with EngineClient(str(city.base_url), credentials("bank-2")) as client:
        pulled = await pull_files(client, folder)
        assert {manifest.form for manifest in pulled} == {"flat", "xml"}
        assert len([manifest for manifest in pulled if manifest.form == "flat"]) == 6
        names = {manifest.name for manifest in pulled}
        assert {path.name for path in folder.iterdir()} == names | {f"{name}.json" for name in names}
        for manifest in pulled:
            content = (folder / manifest.name).read_bytes()
            assert hashlib.sha256(content).hexdigest() == manifest.sha256
            kept = msgspec.json.decode((folder / f"{manifest.name}.json").read_bytes(), type=ManifestView)
            assert kept == manifest
        assert await pull_files(client, folder) == pulled  # again, over what is there
        assert len(await pull_files(client, None, cycle=cycle_text(cycle), kind="NET", form="flat")) == 1


async def test_banks_own_key_signs_its_pull(city: Api, cycle: CycleNumber) -> None:
    async with EngineClient(str(city.base_url), credentials("bank-0-ed25519")) as client:
        assert len(await pull_files(client, None, cycle=cycle_text(cycle), form="flat")) == 3


async def test_more_files_than_a_page_holds_are_all_pulled(city: Api, cycle: CycleNumber) -> None:
    async with EngineClient(str(city.base_url), credentials("bank-1")) as client:
        one_by_one = [manifest async for manifest in client.clearing_files(limit="1")]
        assert one_by_one == [manifest async for manifest in client.clearing_files()]


async def test_who_is_no_bank_pulls_nothing(city: Api, cycle: CycleNumber) -> None:
    async with EngineClient(str(city.base_url), credentials("merchant-0")) as client:
        with pytest.raises(Refused):
            await pull_files(client, None)


@pytest.mark.parametrize(
    "change",
    [
        with_changes(sha256="0" * 64),
        with_changes(size=1),
        with_changes(count=99),
        with_changes(totals=FileTotals(0, 1)),
        with_changes(signature=b64encode(bytes(64)).decode()),
        with_changes(signature="no base64"),
        with_changes(signature=""),
        with_changes(key_id="engine-2"),
        with_changes(cycle="20200101-01"),
        with_changes(version=2),
        with_changes(kind="CREDIT"),
        with_changes(name="../../escaped.txt"),
        with_changes(name="/tmp/escaped.txt"),  # noqa: S108  # what a hostile engine might say
        with_changes(name=f"SSC_{bank_number(2)}_20200101_01_COLLECT_v1.txt"),
        with_changes(name=f"SSC_{bank_number(1)}_20200101_01_COLLECT_v1.txt"),
    ],
)
async def test_manifest_that_was_changed_is_rejected(
    cycle: CycleNumber, relay: Relay, tmp_path: Path, change: Callable[[ManifestView], ManifestView]
) -> None:
    relay.change = changing_manifests(change)
    async with EngineClient(relay.url, credentials("bank-2")) as client:
        with pytest.raises((FileRejected, Refused)):
            await pull_files(client, tmp_path / "inbox", cycle=cycle_text(cycle), kind="COLLECT")
    assert not (tmp_path / "inbox").exists()
    assert not list(tmp_path.parent.glob("escaped*"))


async def test_genuine_file_of_another_cycle_is_rejected(
    city: Api, cycle: CycleNumber, relay: Relay, tmp_path: Path
) -> None:
    async with EngineClient(str(city.base_url), credentials("bank-2")) as client:
        today, earlier = [manifest async for manifest in client.clearing_files(kind="COLLECT", form="flat")]
        content = (await client.download(earlier)).content
    passed_off = msgspec.structs.replace(
        earlier, name=today.name, cycle=today.cycle, business_date=today.business_date, published_at=today.published_at
    )

    def on_the_way(path: str, answer: Answer) -> Answer:
        if path.startswith("/v1/clearing/files?"):
            return Answer(200, msgspec.json.encode(ManifestList(items=(passed_off,), next_cursor=None)))
        return Answer(200, content, "text/plain") if path.startswith("/v1/clearing/files/") else answer

    relay.change = on_the_way
    async with EngineClient(relay.url, credentials("bank-2")) as client:
        with pytest.raises(FileRejected, match="holds another file"):
            await pull_files(client, tmp_path / "inbox", kind="COLLECT")
    assert not (tmp_path / "inbox").exists()


@pytest.mark.parametrize("form", ["flat", "xml"])
@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-1],
        lambda content: content + b"\n",
        lambda content: content[:0],
        lambda content: content.replace(b"1", b"2", 1),
        lambda content: content[:-2] + bytes([content[-2] ^ 1]) + content[-1:],
    ],
)
async def test_content_that_was_changed_is_rejected(
    cycle: CycleNumber, relay: Relay, tmp_path: Path, damage: Callable[[bytes], bytes], form: str
) -> None:
    filters = {"cycle": cycle_text(cycle), "kind": "COLLECT", "form": form}
    relay.change = lambda path, answer: (
        Answer(200, damage(answer.body), "text/plain") if path.startswith("/v1/clearing/files/") else answer
    )
    async with EngineClient(relay.url, credentials("bank-2")) as client:
        (manifest,) = [found async for found in client.clearing_files(**filters)]
        with pytest.raises(ValueError, match="not what its manifest promises"):
            await client.download(manifest)
        with pytest.raises(FileRejected):
            await pull_files(client, tmp_path / "inbox", **filters)
    assert not (tmp_path / "inbox").exists()


def signed_anew(manifest: ManifestView, content: bytes) -> Download:
    """What a bank would get if the engine itself had written these bytes."""
    digest = hashlib.sha256(content).digest()
    signature = b64encode(KEY.sign(digest)).decode()
    described = msgspec.structs.replace(
        manifest, size=len(content), sha256=digest.hex(), key_id="test-1", signature=signature
    )
    return Download(described, content)


@pytest.mark.parametrize(
    ("form", "damage"),
    [
        ("flat", lambda lines: [lines[0], *lines[2:]]),
        ("flat", lambda lines: [lines[0], lines[2], lines[1], *lines[3:]]),
        ("flat", lambda lines: [lines[0], lines[1].replace(b"|70", b"|71"), *lines[2:]]),
        ("flat", lambda lines: lines[:-1]),
        ("flat", lambda lines: [*lines, lines[1]]),
        ("flat", lambda lines: lines[1:]),
        ("flat", lambda lines: [lines[0].replace(b"COLLECT", b"CREDIT"), *lines[1:]]),
        ("xml", lambda lines: [*lines[:5], *lines[6:]]),
        ("xml", lambda lines: [*lines[:6], lines[5], *lines[6:]]),
        ("xml", lambda lines: [*lines[:5], lines[5].replace(b">7.0", b">7.1"), *lines[6:]]),
        ("xml", lambda lines: lines[:-1]),
        ("xml", lambda lines: [*lines, lines[5]]),
        ("xml", lambda lines: [*lines[:2], *lines[3:]]),
    ],
)
async def test_file_that_does_not_add_up_is_rejected_though_its_signature_holds(
    city: Api, cycle: CycleNumber, form: str, damage: Callable[[list[bytes]], list[bytes]]
) -> None:
    filters = {"cycle": cycle_text(cycle), "kind": "COLLECT", "form": form}
    async with EngineClient(str(city.base_url), credentials("bank-2")) as client:
        (manifest,) = [found async for found in client.clearing_files(**filters)]
        content = (await client.download(manifest)).content
    check_file(signed_anew(manifest, content), KEYS)
    lines = content.splitlines(keepends=True)
    assert damage(list(lines)) != lines
    with pytest.raises(FileRejected, match=r" line \d+, "):
        check_file(signed_anew(manifest, b"".join(damage(lines))), KEYS)
