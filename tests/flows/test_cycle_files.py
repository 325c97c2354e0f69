"""Many files written side by side: whole chunks of one size, and the bytes that a file has when it is written alone."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta

from engine.core.accounts import bank_receivable, merchant_payable
from engine.core.calendar import CycleNumber
from engine.core.clearing import Movement, NetPosition, net_positions
from engine.core.clearing_lines import ClearedPosting, ClearingItem, FileKind, LineMaker
from engine.core.ids import BankId, CardId, IdKind, MerchantId, PaymentId
from engine.flows.cycle_files import CycleFiles
from engine.formats import bank_file_formats
from engine.store.clearing_reads import CHUNK_BYTES
from engine.store.clearing_session import ClearingRun
from engine.store.clearing_store import Bank, Chunk, LaneRange, NettedCycle
from tests.builders import an_id
from tests.flows.busy_books import KEY
from tests.flows.clearing_books import read_file

AT = datetime(2026, 11, 24, 5, 30, tzinfo=UTC)
RUN = ClearingRun(CycleNumber(2026112401), AT, AT, AT, None, None)
BANKS = tuple(Bank(BankId(an_id(IdKind.BANK)), f"10210000000{n}", n == 2) for n in range(3))
CNAPS = {bank.id: bank.cnaps for bank in BANKS}
MERCHANT = MerchantId(an_id(IdKind.MERCHANT))
ROUTES = {merchant_payable(MERCHANT): BANKS[1].id}


def _postings(count: int) -> list[ClearedPosting]:
    return [
        ClearedPosting(
            1,
            n,
            0,
            PaymentId(an_id(IdKind.PAYMENT)),
            bank_receivable(BANKS[0].id),
            merchant_payable(MERCHANT),
            n,
            f"A-{n}",
            CardId(an_id(IdKind.CARD)),
            AT + timedelta(seconds=n),
            None,
        )
        for n in range(1, count + 1)
    ]


def _positions(postings: list[ClearedPosting]) -> tuple[NetPosition, ...]:
    total = sum(posting.amount for posting in postings)
    return net_positions([Movement(BANKS[0].id, BANKS[1].id, len(postings), total)], CNAPS)


def _netted(postings: list[ClearedPosting]) -> NettedCycle:
    return NettedCycle(
        positions=_positions(postings),
        banks={bank.id: bank for bank in BANKS},
        routes=ROUTES,
        lanes=(LaneRange(1, 1, 9), LaneRange(3, 20, 21)),
        root=b"r" * 32,
        previous_sha256={},
    )


def _written(postings: list[ClearedPosting], *, page: int) -> tuple[CycleFiles, list[Chunk]]:
    chunks: list[Chunk] = []
    files = CycleFiles(RUN, _netted(postings), chunks.append)
    for start in range(0, len(postings), page):
        files.add(postings[start : start + page])
    files.add_net()
    return files, chunks


def test_chunks_have_one_size_and_join_to_the_file() -> None:
    postings = _postings(2_000)
    files, chunks = _written(postings, page=317)
    manifests = {manifest.name: manifest for manifest in files.finish(KEY)}
    by_name: dict[str, list[bytes]] = defaultdict(list)
    for name, part, content in chunks:
        assert part == len(by_name[name])
        by_name[name].append(content)
    assert by_name.keys() == manifests.keys() == set(files.names())
    assert max(map(len, by_name.values())) > 3
    lines = LineMaker(ROUTES, CNAPS)
    expected = tuple(lines.item(posting) for posting in postings)
    for name, contents in by_name.items():
        assert {len(content) for content in contents[:-1]} <= {CHUNK_BYTES}
        assert 0 < len(contents[-1]) <= CHUNK_BYTES
        whole = b"".join(contents)
        assert manifests[name].size == len(whole)
        file = read_file(name, whole)
        assert b"".join(bank_file_formats()["flat"].encode(file.heading, file.items)) == whole
        if file.items and file.heading.kind is not FileKind.NET:
            assert file.items == expected


def test_the_pages_that_postings_come_in_do_not_show() -> None:
    postings = _postings(700)
    wholes = []
    for page in (1, 128, 700):
        files, chunks = _written(postings, page=page)
        wholes.append([manifest.sha256 for manifest in files.finish(KEY)])
        assert chunks
    assert wholes[0] == wholes[1] == wholes[2]


def test_a_chunk_is_given_out_as_soon_as_it_is_full() -> None:
    """Otherwise memory would grow with the number of items."""
    postings = _postings(3_000)
    chunks: list[Chunk] = []
    files = CycleFiles(RUN, _netted(postings), chunks.append)
    files.add(postings)
    assert len(chunks) >= 2 * (3_000 * 180 // CHUNK_BYTES - 1)


def test_a_manifest_says_which_batches_the_cycle_is_made_of() -> None:
    files, _ = _written(_postings(1), page=1)
    manifest = files.finish(KEY)[0]
    assert (manifest.range_from, manifest.range_to) == ("1.1 3.20", "1.9 3.21")
    assert (manifest.root, manifest.kind, manifest.version) == (b"r" * 32, FileKind.COLLECT, 1)


def test_a_line_is_in_two_files() -> None:
    files, chunks = _written(_postings(1), page=1)
    files.finish(KEY)
    holding = [read_file(name, content) for name, _, content in chunks]
    items: list[ClearingItem] = [item for file in holding for item in file.items if item.payment_id]
    assert len(items) == 2
    assert items[0] == items[1]
