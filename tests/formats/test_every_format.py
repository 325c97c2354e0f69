"""What every bank file format keeps, found by walking the package: adding one adds its tests."""

import hashlib
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.clearing_lines import ClearingItem, FileKind
from engine.core.deliveries import LineTotals
from engine.core.line_columns import columns_of
from engine.formats import bank_file_formats
from engine.formats.bank_file import Decoded, FileHeading, LineBatch, MalformedRecord, TotalsUnmet
from tests.formats.lines import FILES, GOLDEN, a_heading, a_movement, a_refund, an_item, as_read, promising

GOLDEN_FOLDER = Path(__file__).parents[1] / "golden"
FORMATS = bank_file_formats()
every_format = pytest.mark.parametrize("name", sorted(FORMATS))


def _encoded(name: str, heading: FileHeading, lines: Sequence[ClearingItem]) -> bytes:
    return b"".join(FORMATS[name].encode(heading, lines))


def _decoded(name: str, content: bytes, *, chunk_size: int = 1_000_000) -> list[Decoded]:
    chunks = (content[start : start + chunk_size] for start in range(0, len(content), chunk_size))
    return list(FORMATS[name].decode(chunks))


@pytest.mark.parametrize(
    ("name", "sort"),
    [
        (name, sort)
        for name, file_format in sorted(FORMATS.items())
        for sort, (heading, lines) in GOLDEN.items()
        if file_format.has_file(heading.kind, count=len(lines))
    ],
)
def test_bytes_are_those_that_banks_have_always_got(name: str, sort: str, rewrite_golden: bool) -> None:
    path = GOLDEN_FOLDER / name / f"{sort}.{FORMATS[name].suffix}"
    written = _encoded(name, *GOLDEN[sort])
    if rewrite_golden:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(written)
    assert path.read_bytes() == written


@every_format
@given(data=st.data(), chunk_size=st.integers(1, 400))
def test_what_is_written_is_read_back(name: str, data: st.DataObject, chunk_size: int) -> None:
    heading, lines = data.draw(FILES[name])
    decoded = _decoded(name, _encoded(name, heading, lines), chunk_size=chunk_size)
    assert decoded[:-1] == as_read(name, heading, lines)
    totals = decoded[-1]
    assert isinstance(totals, LineTotals)
    assert heading.totals is not None
    assert msgspec.structs.asdict(totals).items() >= msgspec.structs.asdict(heading.totals).items()


@every_format
@given(content=st.binary(max_size=300), chunk_size=st.integers(1, 50))
def test_any_bytes_are_read_without_an_exception(name: str, content: bytes, chunk_size: int) -> None:
    assert any(isinstance(record, MalformedRecord) for record in _decoded(name, content, chunk_size=chunk_size))


@every_format
@given(data=st.data(), at=st.floats(0, 1, exclude_max=True))
def test_a_file_that_ends_too_early_is_never_taken_for_a_whole_one(name: str, data: st.DataObject, at: float) -> None:
    whole = _encoded(name, *data.draw(FILES[name])).rstrip()
    cut = _decoded(name, whole[: int(at * len(whole))])
    assert any(isinstance(record, MalformedRecord) for record in cut)


@every_format
@pytest.mark.parametrize("sort", ["collect", "credit", "net", "advice"])
def test_a_line_that_is_missing_or_there_twice_shows(name: str, sort: str) -> None:
    heading, lines = GOLDEN[sort]
    if not FORMATS[name].has_file(heading.kind, count=len(lines)):
        return
    parts = _encoded(name, heading, lines).splitlines(keepends=True)
    first, *_ = [
        n for n, part in enumerate(parts) if part.startswith((b"D|", b"<Drct", b"<CdtTrf", b"<Sttlm", b"<Ntry"))
    ]
    for damaged in (parts[:first] + parts[first + 1 :], parts[: first + 1] + parts[first:]):
        assert any(isinstance(record, MalformedRecord) for record in _decoded(name, b"".join(damaged)))


@every_format
def test_a_bank_without_items_gets_files_that_are_whole(name: str) -> None:
    for kind in FORMATS[name].kinds_without_lines:
        heading, totals = _decoded(name, _encoded(name, a_heading(kind), ()))
        assert isinstance(heading, FileHeading)
        assert isinstance(totals, LineTotals)
        assert (totals.count, totals.debit_total, totals.credit_total) == (0, 0, 0)


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


@every_format
def test_lines_that_a_heading_does_not_promise_are_refused(name: str) -> None:
    heading = promising(a_heading(), [an_item()])
    for lines in ([], [an_item(), an_item()], [an_item(amount=1)]):
        with pytest.raises(TotalsUnmet):
            _encoded(name, heading, lines)


@every_format
def test_lines_that_come_one_by_one_or_together_make_the_same_bytes(name: str) -> None:
    lines = [an_item(amount=n, item_id=f"1.{n}.0") for n in range(1, 600)]
    heading = promising(a_heading(), lines)
    writer = FORMATS[name].writer(heading)
    one_by_one = [writer.begin(), *(writer.lines(LineBatch(columns_of([line])), [0]) for line in lines), writer.end()]
    assert b"".join(one_by_one) == _encoded(name, heading, lines)


@every_format
def test_a_batch_is_shared_by_the_files_that_its_lines_are_in(name: str) -> None:
    lines = [an_item(amount=n, item_id=f"1.{n}.0") for n in range(1, 9)]
    batch = LineBatch(columns_of(lines))
    for picked in ([0, 2, 4], [1, 2, 7]):
        some = [lines[n] for n in picked]
        heading = promising(a_heading(), some)
        writer = FORMATS[name].writer(heading)
        written = writer.begin() + writer.lines(batch, picked) + writer.end()
        assert written == _encoded(name, heading, some)


@every_format
@pytest.mark.parametrize(
    ("kind", "line"),
    [
        (FileKind.COLLECT, an_item()),
        (FileKind.CREDIT, a_refund()),
        (FileKind.NET, a_movement()),
        (FileKind.ADVICE, an_item()),
    ],
)
def test_a_writers_digest_is_over_the_whole_file(name: str, kind: FileKind, line: ClearingItem) -> None:
    if kind in FORMATS[name].kinds:
        writer = FORMATS[name].writer(promising(a_heading(kind), [line]))
        content = writer.begin() + writer.lines(LineBatch(columns_of([line])), [0]) + writer.end()
        assert writer.digest() == hashlib.sha256(content).digest()


def test_every_format_that_the_engine_writes_is_found() -> None:
    assert [found.name for found in FORMATS.values()] == sorted(FORMATS)
    assert set(FORMATS) == {"flat", "xml"}
    assert set(FILES) == set(FORMATS)


def test_a_bank_gets_every_kind_in_some_form_if_it_has_items() -> None:
    assert {kind for found in FORMATS.values() for kind in found.kinds} == set(FileKind)
    assert {(name, kind) for name, found in FORMATS.items() for kind in FileKind if found.has_file(kind, count=0)} == {
        *(("flat", kind) for kind in (FileKind.COLLECT, FileKind.CREDIT, FileKind.NET)),
        ("xml", FileKind.ADVICE),
    }
