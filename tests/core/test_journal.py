"""The hash chain: no column, no row and no order can change without it; and the root over many chains."""

import hashlib
from datetime import UTC, date, datetime, timedelta

import pytest

from engine.core.calendar import CycleNumber
from engine.core.journal import (
    GENESIS,
    BatchHeader,
    EventRow,
    NewPosting,
    PostingRow,
    batch_hash,
    lane_leaf,
    merkle_root,
    microseconds,
    new_batch_hash,
)

AT = datetime(2026, 11, 24, 4, 0, 0, 123_456, UTC)
DAY = date(2026, 11, 24)
HEADER = BatchHeader(lane=3, seq=41, at=AT, business_date=DAY, cycle=CycleNumber(2026112401))
POSTING = PostingRow(
    business_date=DAY,
    lane=3,
    seq=41,
    n=0,
    event=1,
    cycle=2026112401,
    region=110101,
    payment=b"p" * 16,
    phase=3,
    kind=1,
    debit=b"d" * 16,
    credit=b"c" * 16,
    amount=79_971,
)
EVENT = EventRow(
    business_date=DAY, lane=3, seq=41, n=1, kind=2, region=110101, payment=b"p" * 16, at=AT, body=b"asked, answered"
)
LINK = batch_hash(GENESIS, HEADER, [POSTING, POSTING._replace(n=1)], [EVENT, EVENT._replace(n=2)])

# The columns that a row shares with its batch are covered by the header.
SHARED = {"business_date", "lane", "seq"}
OTHER_VALUES: dict[str, object] = {
    "lane": 4,
    "seq": 42,
    "at": AT + timedelta(microseconds=1),
    "business_date": DAY + timedelta(days=1),
    "n": 5,
    "event": 2,
    "cycle": 2026112402,
    "region": 110102,
    "payment": b"p" * 15 + b"q",
    "phase": 1,
    "kind": 3,
    "debit": b"d" * 15 + b"e",
    "credit": b"c" * 15 + b"d",
    "amount": 79_970,
    "body": b"asked, answereD",
}


def with_another(row: BatchHeader | PostingRow | EventRow, column: str) -> list[object]:
    """The row's values, with another one in *column*."""
    return [OTHER_VALUES[name] if name == column else getattr(row, name) for name in row._fields]


def test_rows_to_be_written_have_the_link_of_the_rows_that_are_written() -> None:
    new: NewPosting = (
        POSTING.event,
        POSTING.region,
        POSTING.payment,
        POSTING.phase,
        POSTING.kind,
        POSTING.debit,
        POSTING.credit,
        POSTING.amount,
    )
    written = [POSTING, POSTING._replace(n=1)]
    events = [(EVENT.n, EVENT.kind, EVENT.region, EVENT.payment, EVENT.body)]
    assert new_batch_hash(GENESIS, HEADER, [new, new], events) == batch_hash(GENESIS, HEADER, written, [EVENT])


def test_link_is_fixed_for_ever() -> None:
    assert LINK.hex() == "972a6e8b3760caeea1b33fab822874d2a15bd2fa2f48745fc552c7e8039546f0"


@pytest.mark.parametrize("column", BatchHeader._fields)
def test_link_covers_every_column_of_the_header(column: str) -> None:
    header = BatchHeader._make(with_another(HEADER, column))
    assert batch_hash(GENESIS, header, [POSTING, POSTING._replace(n=1)], [EVENT, EVENT._replace(n=2)]) != LINK


@pytest.mark.parametrize("row", [0, 1])
@pytest.mark.parametrize("column", [column for column in PostingRow._fields if column not in SHARED])
def test_link_covers_every_column_of_a_posting(column: str, row: int) -> None:
    postings = [POSTING, POSTING._replace(n=1)]
    postings[row] = PostingRow._make(with_another(postings[row], column))
    assert batch_hash(GENESIS, HEADER, postings, [EVENT, EVENT._replace(n=2)]) != LINK


@pytest.mark.parametrize("row", [0, 1])
@pytest.mark.parametrize("column", [column for column in EventRow._fields if column not in SHARED])
def test_link_covers_every_column_of_an_event(column: str, row: int) -> None:
    events = [EVENT, EVENT._replace(n=2)]
    events[row] = EventRow._make(with_another(events[row], column))
    assert batch_hash(GENESIS, HEADER, [POSTING, POSTING._replace(n=1)], events) != LINK


def test_columns_that_a_row_shares_with_its_batch_are_in_the_header() -> None:
    assert set(BatchHeader._fields) >= SHARED


@pytest.mark.parametrize(
    ("postings", "events"),
    [
        ([POSTING], [EVENT, EVENT._replace(n=2)]),
        ([POSTING, POSTING._replace(n=1)], [EVENT]),
        ([POSTING._replace(n=1), POSTING], [EVENT, EVENT._replace(n=2)]),
        ([POSTING, POSTING._replace(n=1)], [EVENT._replace(n=2), EVENT]),
        ([POSTING, POSTING._replace(n=1), POSTING._replace(n=2)], [EVENT, EVENT._replace(n=2)]),
        ([], []),
    ],
    ids=["posting gone", "event gone", "postings swapped", "events swapped", "posting added", "all gone"],
)
def test_link_covers_which_rows_there_are(postings: list[PostingRow], events: list[EventRow]) -> None:
    assert batch_hash(GENESIS, HEADER, postings, events) != LINK


def test_link_follows_the_one_before() -> None:
    assert batch_hash(LINK, HEADER, [POSTING], [EVENT]) != batch_hash(GENESIS, HEADER, [POSTING], [EVENT])


def test_bytes_cannot_move_from_one_events_body_to_the_next() -> None:
    one = batch_hash(GENESIS, HEADER, [], [EVENT._replace(body=b"ab"), EVENT._replace(body=b"")])
    other = batch_hash(GENESIS, HEADER, [], [EVENT._replace(body=b"a"), EVENT._replace(body=b"b")])
    assert one != other


def test_posting_cannot_pass_for_an_event_with_the_same_bytes() -> None:
    posting = POSTING._replace(cycle=1, payment=b"p" * 8 + microseconds(AT).to_bytes(8, "big"), phase=0, kind=40)
    event = EVENT._replace(
        n=posting.n,
        kind=posting.event,
        region=0,
        payment=(1).to_bytes(4, "big") + posting.region.to_bytes(4, "big") + b"p" * 8,
        body=posting.debit + posting.credit + posting.amount.to_bytes(8, "big"),  # the forty bytes that are left
    )
    assert batch_hash(GENESIS, HEADER, [posting], []) != batch_hash(GENESIS, HEADER, [], [event])


def test_microseconds_are_exact() -> None:
    assert microseconds(AT) == 1_795_492_800_123_456


# The reference leaves and roots of RFC 6962's own implementation.
LEAVES = [
    b"",
    b"\x00",
    b"\x10",
    b"\x20\x21",
    b"\x30\x31",
    b"\x40\x41\x42\x43",
    b"\x50\x51\x52\x53\x54\x55\x56\x57",
    b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


@pytest.mark.parametrize("count", range(9))
def test_root_is_the_standards(count: int) -> None:
    assert merkle_root(LEAVES[:count]).hex() == ROOTS[count]


def test_leaf_does_not_pass_for_a_node() -> None:
    left, right = (hashlib.sha256(b"\0" + leaf).digest() for leaf in LEAVES[:2])
    assert merkle_root([left + right]) != merkle_root(LEAVES[:2])


@pytest.mark.parametrize(("lane", "seq", "head"), [(2, 41, LINK), (3, 42, LINK), (3, 41, GENESIS)])
def test_leaf_says_which_lane_ended_where(lane: int, seq: int, head: bytes) -> None:
    assert lane_leaf(lane, seq, head) != lane_leaf(3, 41, LINK)


def test_leaf_is_fixed_for_ever() -> None:
    assert lane_leaf(3, 41, GENESIS).hex() == "0003" + "0000000000000029" + "00" * 32
