"""What every bank file format keeps, found by walking the package: adding one adds its tests."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.clearing_lines import ClearingItem
from engine.formats import bank_file_formats
from engine.formats.bank_file import Decoded, FileHeading, FileTrailer, MalformedRecord
from tests.formats.lines import GOLDEN, a_heading, an_item, headings, items

GOLDEN_FOLDER = Path(__file__).parents[1] / "golden"
FORMATS = bank_file_formats()
every_format = pytest.mark.parametrize("name", sorted(FORMATS))


def _encoded(name: str, heading: FileHeading, lines: Sequence[ClearingItem]) -> bytes:
    return b"".join(FORMATS[name].encode(heading, lines))


def _decoded(name: str, content: bytes, *, chunk_size: int = 1_000_000) -> list[Decoded]:
    chunks = (content[start : start + chunk_size] for start in range(0, len(content), chunk_size))
    return list(FORMATS[name].decode(chunks))


@every_format
@pytest.mark.parametrize("sort", sorted(GOLDEN))
def test_bytes_are_those_that_banks_have_always_got(name: str, sort: str, rewrite_golden: bool) -> None:
    path = GOLDEN_FOLDER / name / f"{sort}.{FORMATS[name].suffix}"
    written = _encoded(name, *GOLDEN[sort])
    if rewrite_golden:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(written)
    assert path.read_bytes() == written


@every_format
@given(heading=headings, lines=st.lists(items, max_size=5), chunk_size=st.integers(1, 400))
def test_what_is_written_is_read_back(
    name: str, heading: FileHeading, lines: list[ClearingItem], chunk_size: int
) -> None:
    decoded = _decoded(name, _encoded(name, heading, lines), chunk_size=chunk_size)
    assert decoded[:-1] == [heading, *lines]
    trailer = decoded[-1]
    assert isinstance(trailer, FileTrailer)
    assert trailer.count == len(lines)
    assert trailer.debit_total + trailer.credit_total == sum(line.amount for line in lines)


@every_format
@given(content=st.binary(max_size=300), chunk_size=st.integers(1, 50))
def test_any_bytes_are_read_without_an_exception(name: str, content: bytes, chunk_size: int) -> None:
    assert any(isinstance(record, MalformedRecord) for record in _decoded(name, content, chunk_size=chunk_size))


@every_format
@given(
    lines=st.lists(items, min_size=1, max_size=3),
    at=st.floats(0, 1, exclude_max=True),
    replacement=st.binary(max_size=3),
    removed=st.integers(0, 3),
)
def test_a_damaged_file_is_never_taken_for_a_whole_one(
    name: str, lines: list[ClearingItem], at: float, replacement: bytes, removed: int
) -> None:
    whole = _encoded(name, a_heading(), lines)
    place = int(at * len(whole))
    damaged = whole[:place] + replacement + whole[place + removed :]
    has_fault = any(isinstance(record, MalformedRecord) for record in _decoded(name, damaged))
    assert has_fault == (damaged != whole)


@every_format
def test_a_file_without_lines_is_whole(name: str) -> None:
    heading, trailer = _decoded(name, _encoded(name, a_heading(), ()))
    assert isinstance(heading, FileHeading)
    assert isinstance(trailer, FileTrailer)
    assert (trailer.count, trailer.debit_total, trailer.credit_total) == (0, 0, 0)


@every_format
def test_writing_and_reading_take_no_more_than_they_give(name: str) -> None:
    taken = 0

    def endless() -> Iterator[ClearingItem]:
        nonlocal taken
        while True:
            taken += 1
            yield an_item(order_no=f"A-{taken}")

    pieces = FORMATS[name].encode(a_heading(), endless())
    read = FORMATS[name].decode(pieces)
    assert len(list(islice(read, 10_000))) == 10_000
    assert taken < 11_000


def test_every_format_that_the_engine_writes_is_found() -> None:
    assert [found.name for found in FORMATS.values()] == sorted(FORMATS)
    assert "flat" in FORMATS
