"""Balances of a local platform as CSV: every fault in its place, and never the value."""

from pathlib import Path

import pytest

from engine.formats.balances_csv import BalanceLine, read
from engine.formats.bank_file import MalformedRecord

EXAMPLE = Path(__file__).parents[2] / "schemas" / "balances.csv"
GOOD = "Z75831460"


def test_example_is_read_as_it_says() -> None:
    assert list(read([EXAMPLE.read_bytes()])) == [
        BalanceLine(2, "Z75831460", 128_800),
        BalanceLine(3, "Z20189079", 0),
        BalanceLine(4, "Z64546680", 4_215),
    ]


@pytest.mark.parametrize("size", [1, 7, 1_000])
def test_columns_may_be_in_any_order_and_pieces_of_any_size(size: int) -> None:
    content = f'balance,card_no\r\n12,{GOOD}\r\n"34","{GOOD}"\r\n'.encode()
    pieces = [content[at : at + size] for at in range(0, len(content), size)]
    assert list(read(pieces)) == [BalanceLine(2, GOOD, 12), BalanceLine(3, GOOD, 34)]


@pytest.mark.parametrize(
    ("line", "field"),
    [
        (f"{GOOD},-1", "balance"),
        (f"{GOOD},1.5", "balance"),
        (f"{GOOD},", "balance"),
        (f"{GOOD},01", "balance"),
        (f"{GOOD},１２", "balance"),
        ("Z75831461,1", "card_no"),
        ("z75831460,1", "card_no"),
        (",1", "card_no"),
        (GOOD, "record"),
        (f"{GOOD},1,1", "record"),
        (f'"{GOOD},1', "record"),
    ],
)
def test_wrong_line_is_told_without_its_value(line: str, field: str) -> None:
    (fault, good) = read([f"card_no,balance\n{line}\n{GOOD},1\n".encode()])
    assert isinstance(fault, MalformedRecord)
    assert (fault.line_number, fault.field) == (2, field)
    assert not any(cell in fault.reason for cell in line.split(",") if len(cell) > 1)
    assert good == BalanceLine(3, GOOD, 1)


@pytest.mark.parametrize("content", [b"", b"card_no\n", b"card_no,balance,x\nZ,1,1\n", b"\xff\n", b"card_no,card_no\n"])
def test_file_without_its_columns_has_no_lines(content: bytes) -> None:
    found = list(read([content]))
    assert found
    assert all(isinstance(one, MalformedRecord) for one in found)


def test_bytes_that_are_no_text_are_told_with_their_line() -> None:
    found = list(read([b"card_no,balance\n" + f"{GOOD},1\n".encode() + b"\xff\xfe,1\n" + f"{GOOD},2\n".encode()]))
    assert [one.line_number for one in found if isinstance(one, MalformedRecord)] == [3]
    assert [one.amount for one in found if isinstance(one, BalanceLine)] == [1, 2]
