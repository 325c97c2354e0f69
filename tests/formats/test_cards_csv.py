"""Files of cards: what is in them, and every fault with its line and field."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.formats.cards_csv import CardFault, CardLine, read
from tests.people import HEADER, TODAY, person

EXAMPLE = Path(__file__).parents[2] / "schemas" / "cards.csv"
GOOD = person(1).line()


def readings(*lines: str, header: str = HEADER, end: str = "\n") -> list[CardLine | CardFault]:
    """What a file of these lines says."""
    return list(read([(end.join((header, *lines)) + end).encode()], today=TODAY))


def faults(*lines: str, header: str = HEADER) -> list[tuple[int, str]]:
    """Line and field of everything that is wrong."""
    return [(one.line, one.field) for one in readings(*lines, header=header) if isinstance(one, CardFault)]


def test_example_is_right() -> None:
    found = list(read([EXAMPLE.read_bytes()], today=TODAY))
    assert len(found) == 3
    assert all(isinstance(one, CardLine) for one in found)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_line_is_a_card(end: str) -> None:
    (line,) = readings(GOOD, end=end)
    assert isinstance(line, CardLine)
    record = line.record
    assert (line.line_number, record.name, record.card_no, record.region) == (
        2,
        person(1).name,
        person(1).card_no,
        110101,
    )
    assert (record.insurance, record.bank_account) == (0, person(1).account)
    assert person(1).name not in repr(line)


def test_columns_come_in_any_order_and_may_be_left_out() -> None:
    columns = HEADER.split(",")
    cells = dict(zip(columns, GOOD.split(","), strict=True))
    order = [name for name in reversed(columns) if name not in ("phone", "bank_account")]
    (line,) = readings(",".join(cells[name] for name in order), header=",".join(order))
    assert isinstance(line, CardLine)
    assert (line.record.phone, line.record.bank_account) == (None, None)


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"name": ""}, ["name"]),
        ({"name": " 张三"}, ["name"]),
        ({"name": "张" * 51}, ["name"]),
        ({"id_number": "110101199003079973"}, ["id_number"]),
        ({"id_number": "11010119900307997２"}, ["id_number"]),
        ({"phone": "1234"}, ["phone"]),
        ({"phone": "１５４０００００００１"}, ["phone"]),
        ({"card_no": "Q00000010"}, ["card_no"]),
        ({"region": "990101"}, ["region"]),
        ({"region": "1101"}, ["region"]),
        ({"bank": "102100099995"}, ["bank"]),
        ({"bank_account": "62 1"}, ["bank_account"]),
        ({"issued_on": "2026-02-30"}, ["issued_on"]),
        ({"issued_on": "20260105"}, ["issued_on"]),
        ({"valid_until": "2025-01-05"}, ["valid_until"]),
        ({"issued_on": "2027-01-05"}, ["issued_on"]),
        ({"id_number": "1", "region": "1", "issued_on": ""}, ["id_number", "region", "issued_on"]),
    ],
)
def test_every_fault_is_told_with_its_field_and_without_its_value(
    changes: dict[str, object], fields: list[str]
) -> None:
    found = readings(GOOD, person(2).line(**changes), person(3).line())
    assert [(one.line, one.field) for one in found if isinstance(one, CardFault)] == [(3, field) for field in fields]
    assert sum(isinstance(one, CardLine) for one in found) == 2
    told = "".join(one.reason for one in found if isinstance(one, CardFault))
    assert not [value for value in changes.values() if len(str(value)) > 4 and str(value) in told]


def test_insurance_and_kind_of_person_come_together() -> None:
    header = HEADER + ",insurance,person_type"
    lines = [GOOD + tail for tail in (",310,11", ",,", ",310,", ",,11", ",999,11", ",310,99", ",３10,11")]
    assert faults(*lines, header=header) == [
        (4, "person_type"),
        (5, "person_type"),
        (6, "insurance"),
        (7, "person_type"),
        (8, "insurance"),
    ]


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ("", "record"),
        (HEADER.replace(",card_no", ""), "card_no"),
        (HEADER + ",name", "name"),
        (HEADER + ",mother", "record"),
    ],
)
def test_first_line_that_does_not_name_the_columns_ends_it(header: str, field: str) -> None:
    found = readings(GOOD, GOOD, header=header)
    assert (1, field) in [(one.line, one.field) for one in found if isinstance(one, CardFault)]
    assert not [one for one in found if isinstance(one, CardLine)]


def test_lines_that_are_no_lines() -> None:
    assert faults("a,b", '"' + GOOD, GOOD) == [(2, "record"), (3, "record")]
    content = f"{HEADER}\n".encode() + GOOD.encode("gbk") + f"\n{GOOD}\n".encode()
    found = list(read([content], today=TODAY))
    assert [type(one) for one in found] == [CardFault, CardLine]
    assert [one.line for one in read([b""], today=TODAY) if isinstance(one, CardFault)] == [1]
    unended = list(read([f"{HEADER}\n{GOOD}".encode()], today=TODAY))
    assert [(one.line, one.field) for one in unended if isinstance(one, CardFault)] == [(2, "record")]


def test_a_quoted_name_is_the_name() -> None:
    (line,) = readings(GOOD.replace(person(1).name, '"张, 三"'))
    assert isinstance(line, CardLine)
    assert line.record.name == "张, 三"


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_told(content: bytes) -> None:
    for one in read([content], today=TODAY):
        assert isinstance(one, CardFault)


def test_nothing_is_read_ahead_of_what_is_asked_for() -> None:
    asked = 0

    def endless() -> Iterator[bytes]:
        nonlocal asked
        yield f"{HEADER}\n".encode()
        while True:
            asked += 1
            assert asked < 10
            yield f"{GOOD}\n".encode()

    assert len(list(islice(read(endless(), today=TODAY), 5))) == 5
