"""A bank pulls its files: each whole or in parts, always the same bytes, provably the engine's, and nobody else's."""

import base64
import gzip
import hashlib
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from engine.core.calendar import CycleNumber, cycle_date, cycle_text, next_cycle
from engine.core.clearing_lines import ClearingItem
from engine.core.deliveries import LineTotals
from engine.flows.reissue_file import reissue_file
from engine.formats import bank_file_formats
from engine.formats.bank_file import FileHeading, MalformedRecord
from engine.store.clearing_session import open_clearing
from tests.web.api import Api, Json, Reply, bank_number

pytestmark = pytest.mark.asyncio(loop_scope="module")

FILES = "/v1/clearing/files"
POSITIONS = "/v1/clearing/positions"
BANKS = ("bank-0", "bank-1", "bank-2")
MANIFEST_FIELDS = {
    *("name", "kind", "form", "version", "business_date", "cycle", "count", "totals", "size", "sha256", "range"),
    "first_cycle",  # of those that the file covers
    *("key_id", "signature", "replaces", "replaced_by", "published_at", "status"),
    "root",  # of the cycle's seal
}


class Clearing(msgspec.Struct, frozen=True):
    """Two cycles that are published: all banks have items in the first; in the second, bank-1 has none."""

    first: CycleNumber
    second: CycleNumber
    paid: dict[str, int]  # of the first cycle: fen by payment id
    pulled: dict[str, bytes]  # bank-2's files, as they were before the second cycle


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def clearing(city: Api) -> Clearing:
    """Payments by cards of every bank at merchants of two, some above what a personal account has."""
    paid = {}
    for card, amount in ((0, 99_900), (0, 600), (1, 99_800), (1, 900), (2, 900), (3, 5), (4, 77)):
        reply = await city.pay(card=card, amount=amount, caller=f"merchant-{card % 2}")
        paid[str(reply["id"])] = amount
    await city.pay(capture=False)
    first = await city.publish()
    pulled = {
        str(manifest["name"]): (await download(city, manifest)).body for manifest in await manifests(city, "bank-2")
    }
    payment = await city.paid(card=3, amount=1_000)
    await city.post(f"{payment}/refunds", {"refund_no": "R", "amount": 400})
    return Clearing(first, await city.publish(), paid, pulled)


async def manifests(api: Api, caller: str, query: str = "") -> list[Json]:
    """One page of manifests."""
    reply = await api.get(f"{FILES}?{query}", caller=caller)
    assert reply.status == 200, reply.body
    return reply.items


async def a_file(
    api: Api, clearing: Clearing, *, caller: str = "bank-2", kind: str = "COLLECT", form: str = "flat"
) -> Json:
    """A manifest of the first cycle."""
    (manifest,) = await manifests(api, caller, f"cycle={cycle_text(clearing.first)}&kind={kind}&form={form}")
    return manifest


async def download(api: Api, manifest: Json, *, caller: str = "bank-2", **headers: str) -> Reply:
    """A file, or what its bank asked for of it."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await api.get(f"{FILES}/{manifest['name']}", caller=caller, headers=named)


async def test_manifest_is_as_promised(city: Api, clearing: Clearing) -> None:
    manifest = await a_file(city, clearing)
    assert set(manifest) == MANIFEST_FIELDS
    day = cycle_date(clearing.first)
    assert (
        manifest.items()
        >= {
            "name": f"SSC_{bank_number(2)}_{day:%Y%m%d}_01_COLLECT_v1.txt",
            "kind": "COLLECT",
            "form": "flat",
            "version": 1,
            "business_date": str(day),
            "cycle": f"{day:%Y%m%d}-01",
            "first_cycle": f"{day:%Y%m%d}-01",
            "replaces": None,
            "replaced_by": None,
            "status": "published",
        }.items()
    )
    totals, span = manifest["totals"], manifest["range"]
    assert isinstance(totals, dict)
    assert isinstance(span, dict)
    assert (set(totals), set(span)) == ({"debit", "credit"}, {"from", "to"})
    assert str(manifest["published_at"]).endswith("Z")


@pytest.mark.parametrize("caller", BANKS)
@pytest.mark.parametrize("cycle", ["first", "second"])
async def test_each_file_is_what_its_manifest_says(city: Api, clearing: Clearing, caller: str, cycle: str) -> None:
    keys = (await city.send("GET", "/v1/keys")).json["keys"]
    assert isinstance(keys, list)
    public = {key["kid"]: base64.urlsafe_b64decode(key["x"] + "=") for key in keys}
    listed = await manifests(city, caller, f"cycle={cycle_text(getattr(clearing, cycle))}")
    assert {manifest["kind"] for manifest in listed} == {"COLLECT", "CREDIT", "NET", "ADVICE"}
    for manifest in listed:
        content = (await download(city, manifest, caller=caller)).body
        digest = hashlib.sha256(content)
        assert (manifest["size"], manifest["sha256"]) == (len(content), digest.hexdigest())
        signature = base64.b64decode(str(manifest["signature"]), validate=True)
        Ed25519PublicKey.from_public_bytes(public[str(manifest["key_id"])]).verify(signature, digest.digest())
        records = list(bank_file_formats()[str(manifest["form"])].decode([content]))
        assert not [record for record in records if isinstance(record, MalformedRecord)]
        heading, totals = records[0], records[-1]
        assert isinstance(heading, FileHeading)
        assert isinstance(totals, LineTotals)
        assert heading.receiver_bank == bank_number(BANKS.index(caller))
        assert {"debit": totals.debit_total, "credit": totals.credit_total} == manifest["totals"]
        assert manifest["count"] == totals.count == len(records) - 2


@pytest.mark.parametrize("form", ["flat", "xml"])
@pytest.mark.parametrize("kind", ["COLLECT", "CREDIT"])
async def test_every_fen_of_a_payment_is_collected_and_credited_once(
    city: Api, clearing: Clearing, kind: str, form: str
) -> None:
    found: dict[str, int] = {}
    for caller in BANKS:
        for manifest in await manifests(city, caller, f"cycle={cycle_text(clearing.first)}&kind={kind}&form={form}"):
            content = (await download(city, manifest, caller=caller)).body
            for record in bank_file_formats()[form].decode([content]):
                if isinstance(record, ClearingItem):
                    found[record.payment_id] = found.get(record.payment_id, 0) + record.amount
    assert found == clearing.paid


async def test_advices_hold_both_sides_of_every_item(city: Api, clearing: Clearing) -> None:
    total = 0
    for caller in BANKS:
        totals = (await a_file(city, clearing, caller=caller, kind="ADVICE", form="xml"))["totals"]
        assert isinstance(totals, dict)
        positions = (await city.get(POSITIONS, caller=caller)).items
        (position,) = [item for item in positions if item["cycle"] == cycle_text(clearing.first)]
        assert totals == {"debit": position["debits"], "credit": position["credits"]}
        total += totals["debit"]
    assert total == sum(clearing.paid.values())


async def test_bank_without_items_gets_empty_files(city: Api, clearing: Clearing) -> None:
    listed = await manifests(city, "bank-1", f"cycle={cycle_text(clearing.second)}")
    assert [(manifest["count"], manifest["totals"]) for manifest in listed] == [(0, {"debit": 0, "credit": 0})] * 4
    kinds = sorted((manifest["form"], manifest["kind"]) for manifest in listed)
    assert kinds == [("flat", "COLLECT"), ("flat", "CREDIT"), ("flat", "NET"), ("xml", "ADVICE")]
    content = (await download(city, listed[0], caller="bank-1")).body
    assert [line[:1] for line in content.splitlines()] == [b"H", b"T"]


@pytest.mark.parametrize("cycle", ["first", "second"])
async def test_positions_of_all_banks_sum_to_nothing(city: Api, clearing: Clearing, cycle: str) -> None:
    text = cycle_text(getattr(clearing, cycle))
    positions = []
    for caller in BANKS:
        (position,) = [item for item in (await city.get(POSITIONS, caller=caller)).items if item["cycle"] == text]
        assert set(position) == {"business_date", "cycle", "debits", "credits", "net"}
        positions.append(msgspec.convert(position, dict[str, int | str]))
    nets = [int(position["net"]) for position in positions]
    assert sum(nets) == 0
    assert any(nets)
    assert nets == [int(position["credits"]) - int(position["debits"]) for position in positions]


async def test_positions_are_listed_newest_first_page_by_page(city: Api, clearing: Clearing) -> None:
    one = await city.get(f"{POSITIONS}?limit=1", caller="bank-0")
    two = await city.get(f"{POSITIONS}?limit=1&cursor={one['next_cursor']}", caller="bank-0")
    assert [item["cycle"] for item in one.items + two.items] == [
        cycle_text(clearing.second),
        cycle_text(clearing.first),
    ]
    assert two["next_cursor"] is None
    day = cycle_date(clearing.first)
    for query, count in ((f"business_date={day}", 2), (f"business_date={day - timedelta(days=1)}", 0)):
        assert len((await city.get(f"{POSITIONS}?{query}", caller="bank-0")).items) == count


async def test_files_are_listed_newest_first_page_by_page(city: Api, clearing: Clearing) -> None:
    everything = [manifest["name"] for manifest in await manifests(city, "bank-0")]
    assert everything == sorted((str(name) for name in everything), reverse=True)
    assert len(everything) > 8
    pages: list[object] = []
    cursor: object = ""
    while cursor is not None:
        page = await city.get(f"{FILES}?limit=4" + (f"&cursor={cursor}" if cursor else ""), caller="bank-0")
        pages += [manifest["name"] for manifest in page.items]
        cursor = page["next_cursor"]
    assert pages == everything


async def test_filters_hold_together(city: Api, clearing: Clearing) -> None:
    day = cycle_date(clearing.first)
    first, second = cycle_text(clearing.first), cycle_text(clearing.second)
    another_day = day - timedelta(days=1)
    for query, count in (
        (f"cycle={first}&form=flat", 3),
        (f"cycle={second}&kind=NET&form=flat", 1),
        ("kind=CREDIT&form=flat", 2),
        ("kind=ADVICE", 2),
        ("kind=ADVICE&form=flat", 0),
        ("form=flat", 6),
        (f"business_date={day}&form=flat", 6),
        (f"business_date={day}&cycle={first}&kind=COLLECT&form=flat", 1),
        (f"business_date={another_day}", 0),
        (f"business_date={another_day}&cycle={first}", 0),
        (f"cycle={another_day:%Y%m%d}-01", 0),
    ):
        assert len(await manifests(city, "bank-0", query)) == count, query


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("kind=collect", "/kind"),
        ("kind=", "/kind"),
        ("form=pdf", "/form"),
        ("cycle=20261124", "/cycle"),
        ("cycle=20261124-00", "/cycle"),
        ("cycle=20261324-01", "/cycle"),
        ("cycle=20261124-1", "/cycle"),
        ("business_date=20261124", "/business_date"),
        ("business_date=yesterday&cycle=20261124-01", "/business_date"),
        ("cursor=x", "/cursor"),
        ("cursor=../../etc/passwd", "/cursor"),
        ("limit=201", "/limit"),
    ],
)
async def test_filter_is_read_strictly(city: Api, clearing: Clearing, query: str, pointer: str) -> None:
    reply = await city.get(f"{FILES}?{query}", caller="bank-0")
    assert (reply.refused, reply.pointers) == ((400, "field-invalid"), [pointer])


@pytest.mark.parametrize(("form", "media_type"), [("flat", "text/plain; charset=utf-8"), ("xml", "application/xml")])
async def test_whole_file_says_how_to_check_it(city: Api, clearing: Clearing, form: str, media_type: str) -> None:
    manifest = await a_file(city, clearing, form=form)
    reply = await download(city, manifest)
    sha256 = str(manifest["sha256"])
    assert (reply.status, reply.headers["Content-Type"]) == (200, media_type)
    assert reply.headers["ETag"] == f'"{sha256}"'
    assert reply.headers["Repr-Digest"] == f"sha-256=:{base64.b64encode(bytes.fromhex(sha256)).decode()}:"
    assert reply.headers["Accept-Ranges"] == "bytes"
    assert int(reply.headers["Content-Length"]) == manifest["size"] == len(reply.body)
    assert "traceparent" in reply.headers


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-99", 0, 100),
        ("bytes=100-199", 100, 200),
        ("Bytes=100-199", 100, 200),
        ("bytes=150-", 150, None),
        ("bytes=-50", -50, None),
        ("bytes=0-", 0, None),
        ("bytes=200-999999999", 200, None),
        ("bytes=-999999999", 0, None),
    ],
)
async def test_part_of_a_file_is_that_part(
    city: Api, clearing: Clearing, asked: str, start: int, end: int | None
) -> None:
    manifest = await a_file(city, clearing)
    whole = (await download(city, manifest)).body
    reply = await download(city, manifest, Range=asked, Accept_Encoding="gzip")
    first = start % len(whole)
    assert (reply.status, reply.body) == (206, whole[start:end])
    assert reply.headers["Content-Range"] == f"bytes {first}-{first + len(reply.body) - 1}/{len(whole)}"
    assert "Content-Encoding" not in reply.headers


async def test_parts_make_up_the_file(city: Api, clearing: Clearing) -> None:
    manifest = await a_file(city, clearing)
    size = int(str(manifest["size"]))
    parts = [(await download(city, manifest, Range=f"bytes={at}-{at + 96}")).body for at in range(0, size, 97)]
    assert hashlib.sha256(b"".join(parts)).hexdigest() == manifest["sha256"]


@pytest.mark.parametrize("asked", ["bytes={size}-", "bytes={size}-{size}", "bytes=9999999999-", "bytes=-0"])
async def test_part_that_there_is_not(city: Api, clearing: Clearing, asked: str) -> None:
    manifest = await a_file(city, clearing)
    reply = await download(city, manifest, Range=asked.format(size=manifest["size"]))
    assert (reply.status, reply.body) == (416, b"")
    assert reply.headers["Content-Range"] == f"bytes */{manifest['size']}"
    assert "Cache-Control" not in reply.headers  # it is no version of the file


@pytest.mark.parametrize(
    "asked", ["bytes=0-1,4-5", "bytes=5-4", "bytes=a-b", "bytes=", "bytes=-", "lines=0-1", "0-1", "bytes=１-２", ""]
)
async def test_range_that_is_not_understood_is_ignored(city: Api, clearing: Clearing, asked: str) -> None:
    manifest = await a_file(city, clearing)
    reply = await download(city, manifest, Range=asked)
    assert (reply.status, len(reply.body)) == (200, manifest["size"])


@pytest.mark.parametrize(
    ("condition", "status"),
    [('"{sha256}"', 206), ('"another"', 200), ('W/"{sha256}"', 200), ("Tue, 24 Nov 2026 00:00:00 GMT", 200)],
)
async def test_part_is_sent_only_of_the_version_that_is_meant(
    city: Api, clearing: Clearing, condition: str, status: int
) -> None:
    manifest = await a_file(city, clearing)
    reply = await download(city, manifest, Range="bytes=0-9", If_Range=condition.format(sha256=manifest["sha256"]))
    assert reply.status == status


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        ('"{sha256}"', 304),
        ('W/"{sha256}"', 304),
        ('"another", "{sha256}"', 304),
        ("*", 304),
        ('"another"', 200),
        ("", 200),
        ("{sha256}", 200),
    ],
)
async def test_file_that_the_bank_has_is_not_sent_again(
    city: Api, clearing: Clearing, condition: str, status: int
) -> None:
    manifest = await a_file(city, clearing)
    sha256 = manifest["sha256"]
    reply = await download(city, manifest, If_None_Match=condition.format(sha256=sha256), Range="bytes=0-9999999")
    assert reply.status == (304 if status == 304 else 206)
    assert reply.headers["ETag"] == f'"{sha256}"'
    assert status == 200 or reply.body == b""


@pytest.mark.parametrize("accepted", ["gzip", "gzip, deflate, br", "br;q=1, GZIP ;q=0.5"])
async def test_gzip_is_the_same_file(city: Api, clearing: Clearing, accepted: str) -> None:
    manifest = await a_file(city, clearing)
    reply = await download(city, manifest, Accept_Encoding=accepted)
    assert (reply.status, reply.headers["Content-Encoding"]) == (200, "gzip")
    assert gzip.decompress(reply.body) == (await download(city, manifest)).body
    assert "Accept-Encoding" in reply.headers["Vary"]


async def test_part_of_what_was_coded_cannot_be_mistaken_for_a_part_of_the_file(city: Api, clearing: Clearing) -> None:
    manifest = await a_file(city, clearing)
    tag = (await download(city, manifest, Accept_Encoding="gzip")).headers["ETag"]
    resumed = await download(city, manifest, Range="bytes=10-", If_Range=tag)
    assert (resumed.status, len(resumed.body)) == (200, manifest["size"])
    assert (await download(city, manifest, If_None_Match=tag)).status == 304


@pytest.mark.parametrize("accepted", ["", "identity", "gzip;q=0", "gzip; q=0.000, br", "x-gzip-not", "br"])
async def test_who_does_not_take_gzip_gets_none(city: Api, clearing: Clearing, accepted: str) -> None:
    reply = await download(city, await a_file(city, clearing), Accept_Encoding=accepted)
    assert "Content-Encoding" not in reply.headers


async def test_file_is_the_same_for_ever(city: Api, clearing: Clearing) -> None:
    assert {name[-3:] for name in clearing.pulled} == {"txt", "xml"}
    for name, content in clearing.pulled.items():
        assert (await download(city, {"name": name})).body == content


@pytest.mark.parametrize(
    ("kind", "form"), [("COLLECT", "flat"), ("CREDIT", "flat"), ("NET", "flat"), ("COLLECT", "xml"), ("ADVICE", "xml")]
)
async def test_another_banks_file_does_not_exist(city: Api, clearing: Clearing, kind: str, form: str) -> None:
    manifest = await a_file(city, clearing, kind=kind, form=form)
    for caller in ("bank-0", "bank-1"):
        assert (await download(city, manifest, caller=caller)).refused == (404, "not-found")


async def test_file_of_a_cycle_that_is_not_out_yet_is_worth_waiting_for(city: Api, clearing: Clearing) -> None:
    open_cycle = (await city.node.reads.business_now()).control.cycle
    for cycle in (open_cycle, next_cycle(open_cycle, datetime.now(UTC))):
        name = f"SSC_{bank_number(0)}_{cycle_date(cycle):%Y%m%d}_{cycle % 100:02d}_COLLECT_v1.txt"
        reply = await city.get(f"{FILES}/{name}", caller="bank-0")
        assert (reply.refused, reply.headers["Retry-After"]) == ((409, "clearing-file-not-ready"), "60")
        assert (await city.get(f"{FILES}/{name}", caller="bank-1")).refused == (404, "not-found")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("_v1", "_v2"),
        ("_v1", "_v01"),
        ("_v1", ""),
        (".txt", ".pdf"),
        (".txt", ".txt.gz"),
        (".txt", ""),
        ("SSC", "ssc"),
        ("COLLECT", "collect"),
        ("COLLECT", "ADVICE"),
        ("_01_", "_00_"),
        ("_01_", "_1_"),
        ("SSC_", "..%2FSSC_"),
        (".txt", ".txt%00"),
        (".txt", ".txt%0A"),
    ],
)
async def test_file_that_there_is_not(city: Api, clearing: Clearing, old: str, new: str) -> None:
    name = str((await a_file(city, clearing))["name"]).replace(old, new)
    assert (await city.get(f"{FILES}/{name}", caller="bank-2")).refused == (404, "not-found")


async def test_correction_and_what_it_corrects_name_each_other(city: Api, clearing: Clearing) -> None:
    old = await a_file(city, clearing, caller="bank-0", kind="NET")
    before = (await download(city, old, caller="bank-0")).body
    async with open_clearing(city.node.database_url) as session:
        corrected = await reissue_file(session, str(old["name"]), signing_key=city.node.signing_keys[0])
    assert corrected is not None
    listed = {item["name"]: item for item in await manifests(city, "bank-0", "kind=NET&form=flat")}
    assert listed[old["name"]] == {**old, "replaced_by": corrected.name}
    assert (listed[corrected.name]["replaces"], listed[corrected.name]["version"]) == (old["name"], 2)
    assert (await download(city, old, caller="bank-0")).body == before
    assert (await download(city, listed[corrected.name], caller="bank-0")).body != before


async def test_bank_that_gets_files_later_has_none_yet(city: Api, clearing: Clearing) -> None:
    await city.sql.execute("UPDATE bank SET delivery = '{99}' WHERE id = $1", city.world.banks[1])
    cycle = await city.publish()
    await city.sql.execute("UPDATE bank SET delivery = NULL WHERE id = $1", city.world.banks[1])
    assert await manifests(city, "bank-1", f"cycle={cycle_text(cycle)}") == []
    assert await manifests(city, "bank-0", f"cycle={cycle_text(cycle)}")
    following = await city.publish()
    covering = await manifests(city, "bank-1", f"cycle={cycle_text(following)}")
    assert {(item["first_cycle"], item["cycle"]) for item in covering} == {(cycle_text(cycle), cycle_text(following))}
