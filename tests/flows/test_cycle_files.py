"""Many files written side by side: whole chunks of one size, and the bytes that a file has when it is written alone."""

import hashlib
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest

from engine.core.accounts import bank_receivable, merchant_payable
from engine.core.calendar import CycleNumber
from engine.core.clearing import Movement, NetPosition, net_positions
from engine.core.clearing_lines import ClearingFile, FileKind
from engine.core.deliveries import ClearedCycle
from engine.core.ids import BankId, CardId, IdKind, MerchantId, PaymentId
from engine.core.line_columns import ClearedPostings
from engine.core.line_maker import LineMaker
from engine.flows.cycle_files import CycleFiles, TotalsDiffer, manifest_of
from engine.flows.file_plans import plans_of
from engine.formats import bank_file_formats
from engine.store.clearing_reads import CHUNK_BYTES
from engine.store.clearing_session import ClearingRun
from engine.store.clearing_store import Bank, LaneRange
from engine.store.file_store import Chunk, Delivery
from tests.builders import an_id
from tests.flows.busy_books import KEY
from tests.flows.clearing_books import read_file
from tests.formats.lines import as_read

AT = datetime(2026, 11, 24, 5, 30, tzinfo=UTC)
CYCLE = CycleNumber(2026112401)
RUN = ClearingRun(CYCLE, AT, AT, AT, None, None, date(2026, 11, 25))
BANKS = tuple(Bank(BankId(an_id(IdKind.BANK)), f"10210000000{n}", n == 2) for n in range(3))
CNAPS = {bank.id: bank.cnaps for bank in BANKS}
MERCHANT = MerchantId(an_id(IdKind.MERCHANT))
ROUTES = {merchant_payable(MERCHANT): BANKS[1].id}


def _postings(count: int) -> ClearedPostings:
    numbers = range(1, count + 1)
    return ClearedPostings(
        lane=1,
        seqs=numbers,
        ns=[0] * count,
        payments=[PaymentId(an_id(IdKind.PAYMENT)) for _ in numbers],
        debits=[bank_receivable(BANKS[0].id)] * count,
        credits=[merchant_payable(MERCHANT)] * count,
        amounts=numbers,
        order_nos=[f"A-{n}" for n in numbers],
        payers=[CardId(an_id(IdKind.CARD)) for _ in numbers],
        instants=[AT + timedelta(seconds=n) for n in numbers],
        refunds=[None] * count,
    )


def _some(postings: ClearedPostings, start: int, end: int) -> ClearedPostings:
    """Those from *start* up to *end*, not included."""
    columns = {
        name: column[start:end]
        for name, column in msgspec.structs.asdict(postings).items()
        if name not in ("lane", "others")
    }
    return msgspec.structs.replace(postings, **columns)


def _positions(postings: ClearedPostings) -> tuple[NetPosition, ...]:
    count, total = len(postings.amounts), sum(postings.amounts)
    return net_positions([Movement(BANKS[0].id, BANKS[1].id, count, total)], CNAPS)


def _delivery(postings: ClearedPostings) -> Delivery:
    cleared = ClearedCycle(cycle=CYCLE, closed_at=AT, settlement_bank=BANKS[2].id, positions=_positions(postings))
    return Delivery(
        cycle=CYCLE,
        cycles={CYCLE: cleared},
        lanes={CYCLE: (LaneRange(1, 1, 9), LaneRange(3, 20, 21))},
        delivers_from=dict.fromkeys(CNAPS, CYCLE),
        cnaps=CNAPS,
        root=b"r" * 32,
        previous_sha256={},
    )


def _written(postings: ClearedPostings, *, page: int) -> tuple[CycleFiles, list[Chunk]]:
    """All files, but for what comes after their lines."""
    chunks: list[Chunk] = []
    delivery = _delivery(postings)
    files = CycleFiles(delivery, plans_of(delivery, RUN, tuple(bank_file_formats())), chunks.append)
    files.begin_cycle(CYCLE, ROUTES)
    for start in range(0, len(postings.seqs), page):
        files.add(_some(postings, start, start + page))
    return files, chunks


def _finished(postings: ClearedPostings, *, page: int) -> tuple[dict[str, ClearingFile], dict[str, list[bytes]]]:
    """Manifests and parts of all files."""
    files, chunks = _written(postings, page=page)
    files.finish()
    parts: dict[str, list[bytes]] = defaultdict(list)
    for name, part, content in chunks:
        assert part == len(parts[name])
        parts[name].append(content)
    delivery = _delivery(postings)
    return {builder.name: manifest_of(builder, delivery, KEY) for builder in files.builders}, parts


def test_chunks_have_one_size_and_join_to_the_file() -> None:
    postings = _postings(2_000)
    manifests, parts = _finished(postings, page=317)
    assert parts.keys() == manifests.keys()
    assert max(map(len, parts.values())) > 3
    expected = LineMaker(ROUTES, CNAPS).lines(postings).items()
    for name, contents in parts.items():
        assert {len(content) for content in contents[:-1]} <= {CHUNK_BYTES}
        assert 0 < len(contents[-1]) <= CHUNK_BYTES
        whole = b"".join(contents)
        assert (manifests[name].size, manifests[name].sha256) == (len(whole), hashlib.sha256(whole).digest())
        file = read_file(name, whole)
        if file.heading.kind in (FileKind.COLLECT, FileKind.CREDIT) and file.items:
            form = manifests[name].form
            assert list(file.items) == as_read(form, file.heading, expected)[1:]


def test_a_flat_file_is_the_one_that_is_written_alone() -> None:
    _, parts = _finished(_postings(300), page=77)
    for name, contents in parts.items():
        if name.endswith(".txt"):
            file = read_file(name, b"".join(contents))
            assert b"".join(bank_file_formats()["flat"].encode(file.heading, file.items)) == b"".join(contents)


def test_the_pages_that_postings_come_in_do_not_show() -> None:
    postings = _postings(700)
    digests = [
        {name: manifest.sha256 for name, manifest in _finished(postings, page=page)[0].items()}
        for page in (1, 128, 700)
    ]
    assert digests[0] == digests[1] == digests[2]


def test_a_chunk_is_given_out_as_soon_as_it_is_full() -> None:
    """Otherwise memory would grow with the number of items."""
    files, chunks = _written(_postings(3_000), page=3_000)
    waiting = sum(builder.size for builder in files.builders) - sum(len(content) for _, _, content in chunks)
    assert waiting < len(files.builders) * CHUNK_BYTES


def test_a_manifest_says_which_batches_the_cycle_is_made_of() -> None:
    manifests, _ = _finished(_postings(1), page=1)
    manifest = manifests["SSC_102100000000_20261124_01_COLLECT_v1.txt"]
    assert (manifest.range_from, manifest.range_to) == ("1.1 3.20", "1.9 3.21")
    assert (manifest.root, manifest.kind, manifest.version) == (b"r" * 32, FileKind.COLLECT, 1)
    assert (manifest.created_at, manifest.first_cycle, manifest.previous_sha256) == (AT, CYCLE, b"")


def test_a_line_is_in_two_files_and_two_advices() -> None:
    _, parts = _finished(_postings(1), page=1)
    files = [read_file(name, b"".join(contents)) for name, contents in parts.items()]
    holding = [(file.name[4:16], file.name.split("_")[4], file.name[-3:]) for file in files if file.items]
    assert sorted(holding) == [
        *(("102100000000", "ADVICE", "xml"), ("102100000000", "COLLECT", "txt"), ("102100000000", "COLLECT", "xml")),
        *(("102100000000", "NET", "txt"), ("102100000000", "NET", "xml")),
        *(("102100000001", "ADVICE", "xml"), ("102100000001", "CREDIT", "txt"), ("102100000001", "CREDIT", "xml")),
        *(("102100000001", "NET", "txt"), ("102100000001", "NET", "xml")),
        *(("102100000002", "NET", "txt"), ("102100000002", "NET", "xml")),
    ]


def test_a_bank_without_items_gets_flat_files_and_an_advice_without_entries() -> None:
    manifests, _ = _finished(_postings(0), page=1)
    assert sorted(manifests) == sorted(
        f"SSC_{cnaps}_20261124_01_{kind}_v1.{suffix}"
        for cnaps in CNAPS.values()
        for kind, suffix in (("COLLECT", "txt"), ("CREDIT", "txt"), ("NET", "txt"), ("ADVICE", "xml"))
    )
    assert {manifest.item_count for manifest in manifests.values()} == {0}


def test_a_file_that_does_not_add_up_to_its_banks_position_is_refused() -> None:
    postings = _postings(3)
    delivery = _delivery(postings)
    files = CycleFiles(delivery, plans_of(delivery, RUN, tuple(bank_file_formats())), lambda _: None)
    files.begin_cycle(CYCLE, ROUTES)
    files.add(_some(postings, 0, 2))
    with pytest.raises(TotalsDiffer):
        files.finish()
