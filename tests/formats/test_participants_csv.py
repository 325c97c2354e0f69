"""Files of participants: what is in them, and every fault with its line and field."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.participants import ParticipantKind
from engine.formats.bank_file import MalformedRecord
from engine.formats.participants_csv import LINES_MAX, ParticipantLine, Reading, TerminalsLine, read

EXAMPLE = Path(__file__).parents[2] / "schemas" / "participants.csv"
HEADER = "kind,code,name_zh,name_en,region,bank,scenarios,terminals,item,public_key"
BANK = "102100099996"
GOOD = f"merchant,P11010100042,药店,Pharmacy,110101,{BANK},pharmacy,T-01,,"


def readings(*lines: str, header: str = HEADER, end: str = "\n") -> list[Reading]:
    """What a file of these lines says."""
    return list(read([(end.join((header, *lines)) + end).encode()]))


def faults(*lines: str, header: str = HEADER) -> list[tuple[int, str]]:
    """Line and field of everything that is wrong."""
    return [
        (record.line_number, record.field)
        for record in readings(*lines, header=header)
        if isinstance(record, MalformedRecord)
    ]


def test_example_is_right_and_has_every_kind() -> None:
    found = list(read([EXAMPLE.read_bytes()]))
    assert not [record for record in found if isinstance(record, MalformedRecord)]
    kinds = {record.registration.kind for record in found if isinstance(record, ParticipantLine)}
    assert kinds == set(ParticipantKind) - {ParticipantKind.OPERATOR}
    (terminals,) = (record for record in found if isinstance(record, TerminalsLine))
    assert (terminals.merchant_code, terminals.terminals) == ("P11010100042", ("T-03", "T-04"))


def test_line_is_a_registration() -> None:
    (record,) = readings(GOOD)
    assert isinstance(record, ParticipantLine)
    given = record.registration
    assert (record.line_number, given.kind, given.code, given.region) == (2, "merchant", "P11010100042", 110101)
    assert (given.bank, given.scenarios, given.terminals) == (BANK, ("pharmacy",), ("T-01",))


WITH_LEVEL = HEADER + ",level"


def test_grade_is_read_if_the_line_says_it() -> None:
    hospital = GOOD.replace("P1", "H1")
    for cell, level in (("", 0), ("0", 0), ("3", 3)):
        (record,) = readings(f"{hospital},{cell}", header=WITH_LEVEL)
        assert isinstance(record, ParticipantLine)
        assert (record.registration.level, record.says_level) == (level, bool(cell))
    (older,) = readings(hospital)
    assert isinstance(older, ParticipantLine)
    assert (older.registration.level, older.says_level) == (0, False)


@pytest.mark.parametrize("cell", ["4", "-1", "03", "x", "３", " 1", "1.0"])
def test_grade_that_cannot_be(cell: str) -> None:
    assert faults(f"{GOOD},{cell}", header=WITH_LEVEL) == [(2, "level")]


@pytest.mark.parametrize("cell", ["1", "x"])
def test_grade_is_a_merchants(cell: str) -> None:
    bank = f"bank,{BANK},银行,Bank,110000,,,,,,{cell}"
    terminal = f"terminal,P11010100042,,,,,,T-01,,,{cell}"
    assert faults(bank, terminal, header=WITH_LEVEL) == [(2, "level"), (3, "level")]


def test_spreadsheets_line_ends_and_quotes_are_taken() -> None:
    (record,) = readings(GOOD.replace("Pharmacy", '"Pharmacy, East"'), end="\r\n")
    assert isinstance(record, ParticipantLine)
    assert record.registration.name_en == "Pharmacy, East"


@pytest.mark.parametrize(
    ("line", "field"),
    [
        (GOOD.replace("merchant", "shop"), "kind"),
        (GOOD.replace("merchant", "operator"), "kind"),
        (GOOD.replace("P11010100042", "P1101010004"), "code"),
        (GOOD.replace("110101,", "110102,"), "region"),
        (GOOD.replace("110101,", "11010,"), "region"),
        (GOOD.replace("药店", ""), "name_zh"),
        (GOOD.replace("Pharmacy", "P" * 101), "name_en"),
        (GOOD.replace(BANK, ""), "bank"),
        (GOOD.replace(BANK, BANK[:-1] + "7"), "bank"),
        (GOOD.replace(",pharmacy,", ",teleport,"), "scenarios"),
        (GOOD.replace("T-01", "T-01 T-01"), "terminals"),
        (GOOD.replace("T-01,,", "T-01,premium,"), "item"),
        (GOOD + ",", "record"),
        (GOOD.replace("Pharmacy", '"Pharmacy'), "record"),
        (GOOD.replace("Pharmacy", '"Phar"macy'), "record"),
        ("", "record"),
        (GOOD.replace("Pharmacy", "x" * 5_000), "record"),
        ("terminal,P1101,,,,,,T-01,,", "code"),
        ("terminal,P11010100042,,,,,,,,", "terminals"),
        ("terminal,P11010100042,name,,,,,T-01,,", "name_zh"),
    ],
)
def test_bad_line_is_named_and_the_others_are_read(line: str, field: str) -> None:
    assert (3, field) in faults(GOOD, line)
    assert {number for number, _ in faults(GOOD, line)} == {3}


@pytest.mark.parametrize(
    ("header", "field"),
    [
        (HEADER.replace("kind", "sort"), "record"),
        (HEADER.replace("region,", ""), "region"),
        (HEADER.replace("item", "code"), "code"),
        ("", "kind"),
    ],
)
def test_first_line_that_does_not_name_the_columns(header: str, field: str) -> None:
    assert (1, field) in faults(GOOD, header=header)
    assert not [record for record in readings(GOOD, header=header) if isinstance(record, ParticipantLine)]


def test_file_without_anything() -> None:
    assert [type(record) for record in read([])] == [MalformedRecord]


def test_text_in_another_code_is_named() -> None:
    (fault,) = read([f"{HEADER}\n".encode() + GOOD.encode("gbk") + b"\n"])
    assert isinstance(fault, MalformedRecord)
    assert (fault.line_number, "GBK" in fault.reason) == (2, True)
    (mark, record) = read([b"\xef\xbb\xbf" + f"{HEADER}\n{GOOD}\n".encode()])
    assert isinstance(mark, MalformedRecord)
    assert (mark.line_number, isinstance(record, ParticipantLine)) == (1, True)


@given(content=st.binary(max_size=300), size=st.integers(1, 50))
def test_any_bytes_are_read_without_an_exception(content: bytes, size: int) -> None:
    chunks = [content[start : start + size] for start in range(0, len(content), size)]
    assert all(isinstance(record, MalformedRecord) for record in read(chunks))


@given(size=st.integers(1, 60))
def test_file_says_the_same_however_it_is_cut(size: int) -> None:
    content = EXAMPLE.read_bytes()
    assert list(read(content[start : start + size] for start in range(0, len(content), size))) == list(read([content]))


@given(at=st.integers(0, 400))
def test_file_that_is_cut_off_within_a_line_is_not_whole(at: int) -> None:
    content = EXAMPLE.read_bytes()[:at]
    is_cut = not content.endswith(b"\n")
    assert any(isinstance(record, MalformedRecord) for record in read([content])) or not is_cut


def test_reading_takes_no_more_than_it_gives_and_ends_at_the_limit() -> None:
    taken = 0

    def endless() -> Iterator[bytes]:
        nonlocal taken
        yield f"{HEADER}\n".encode()
        while True:
            taken += 1
            yield f"{GOOD}\n".encode()

    records = read(endless())
    assert len(list(islice(records, 1_000))) == 1_000
    assert taken < 2_000
    *_, last = records
    assert isinstance(last, MalformedRecord)
    assert taken <= LINES_MAX + 2
