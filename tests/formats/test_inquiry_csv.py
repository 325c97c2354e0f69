"""Files of records: what is written is read back, any bytes are read, and faults do not tell values."""

from collections.abc import Iterator
from datetime import date
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.inquiry import TOPICS, SocialInsurance
from engine.formats.inquiry_csv import RecordLine, read
from tests.people import TODAY, person

INSURANCE = TOPICS["social_insurance"]
COLUMNS = ("id_number", "region", "insurance", "employer", "status", "months_paid", "base", "account_balance", "as_of")
CELLS = (person(1).id_number, "110101", "pension", "某厂", "normal", "0", "9", "", "2026-10-31")


def a_file(*lines: str, columns: tuple[str, ...] = COLUMNS) -> bytes:
    """Such a file."""
    return "\n".join((",".join(columns), *lines, "")).encode()


def faults_of(content: bytes) -> list[tuple[int, str]]:
    """What is wrong with it: lines and fields."""
    readings = read(INSURANCE, [content], today=TODAY)
    return [(fault.line, fault.field) for one in readings if not isinstance(one, RecordLine) for fault in one]


def changed(**changes: str) -> str:
    """A line that is right but for these cells."""
    cells = dict(zip(COLUMNS, CELLS, strict=True)) | changes
    return ",".join(cells[column] for column in COLUMNS)


@given(chunk_size=st.integers(1, 200), order=st.permutations(range(len(COLUMNS))), is_quoted=st.booleans())
def test_columns_come_in_any_order_and_bytes_in_any_pieces(chunk_size: int, order: list[int], is_quoted: bool) -> None:
    cells = [f'"{cell}"' if is_quoted else cell for cell in CELLS]
    content = a_file(",".join(cells[n] for n in order) + "\r", columns=tuple(COLUMNS[n] for n in order))
    chunks = (content[at : at + chunk_size] for at in range(0, len(content), chunk_size))
    expected = SocialInsurance(
        region="110101",
        insurance="pension",
        employer="某厂",
        status="normal",
        months_paid=0,
        base=9,
        account_balance=None,
        as_of=date(2026, 10, 31),
    )
    assert list(read(INSURANCE, chunks, today=TODAY)) == [RecordLine(2, person(1).id_number, expected)]


@given(content=st.binary(max_size=300), chunk_size=st.integers(1, 50))
def test_any_bytes_are_read_without_an_exception(content: bytes, chunk_size: int) -> None:
    chunks = [content[at : at + chunk_size] for at in range(0, len(content), chunk_size)]
    assert all(isinstance(one, tuple) for one in read(INSURANCE, chunks, today=TODAY))


@pytest.mark.parametrize(
    ("field", "cell"),
    [
        *(("months_paid", cell) for cell in ("", "-1", "1.0", "1e3", "01", "１", " 1", "1201", "9" * 5000, "null")),
        *(("account_balance", cell) for cell in ("null", "none", "0.5")),
        *(("as_of", cell) for cell in ("2026-13-01", "20261031", "2026-10-31T00:00:00Z", "")),
        *(("region", cell) for cell in ("11010", "1101011", "１10101", "")),
        *(("employer", cell) for cell in ("", "某" * 101, "a\x00b")),
        *(("insurance", cell) for cell in ("", "PENSION", "pension ")),
        *(("id_number", cell) for cell in ("", "1", person(1).id_number[:-1] + "?")),
    ],
)
def test_cell_that_cannot_be_so_is_told_without_its_value(field: str, cell: str) -> None:
    content = a_file(changed(**{field: cell}))
    readings = list(read(INSURANCE, [content], today=TODAY))
    if len(cell) > 4096:
        assert faults_of(content) == [(2, "record")]
        return
    (faults,) = readings
    assert isinstance(faults, tuple)
    assert [(fault.line, fault.field) for fault in faults] == [(2, field)]
    assert not (len(cell) > 4 and any(cell in fault.reason for fault in faults))


def test_first_line_has_to_name_the_columns() -> None:
    assert faults_of(a_file(columns=COLUMNS[1:])) == [(1, "id_number")]
    assert faults_of(a_file(columns=(*COLUMNS, "as_of"))) == [(1, "as_of")]
    assert faults_of(a_file(columns=(*COLUMNS, "shoe_size"))) == [(1, "record")]
    assert faults_of(b"") == [(1, "record")]
    optional = tuple(column for column in COLUMNS if column != "account_balance")
    assert faults_of(a_file(columns=optional)) == []


def test_line_that_is_no_line_costs_the_others_nothing() -> None:
    good = ",".join(CELLS)
    content = a_file(good, good + ",1", f'"{good}', good).replace(b"\n" + good.encode() + b"\n", b"\n\xff\n", 1)
    assert faults_of(content) == [(2, "record"), (3, "record"), (4, "record")]
    assert sum(isinstance(one, RecordLine) for one in read(INSURANCE, [content], today=TODAY)) == 1


def test_reading_takes_no_more_than_it_gives() -> None:
    taken = 0

    def endless() -> Iterator[bytes]:
        nonlocal taken
        yield a_file()
        while True:
            taken += 1
            yield f"{','.join(CELLS)}\n".encode()

    assert len(list(islice(read(INSURANCE, endless(), today=TODAY), 1_000))) == 1_000
    assert taken < 1_100


def test_repr_shows_nobody() -> None:
    (line,) = read(INSURANCE, [a_file(",".join(CELLS))], today=TODAY)
    assert person(1).id_number not in repr(line)
