"""A payment's lines are found in the bytes of a flat file, wherever they are cut."""

import msgspec

from engine.core.clearing_lines import ClearingItem, FileKind
from engine.formats import bank_file_formats
from engine.formats.flat_search import FoundLine, first_lines, lines_of
from tests.formats.lines import a_heading, an_item, promising

OTHER = "pay_01kav9ft000c21nrag3jz9j6g0"
PAYMENT = "pay_01kav9ft000c21nrag3jz9j6gn"


def a_file(*items: ClearingItem) -> bytes:
    """A COLLECT file."""
    return b"".join(bank_file_formats()["flat"].encode(promising(a_heading(kind=FileKind.COLLECT), items), items))


ITEMS = tuple(
    msgspec.structs.replace(an_item(), payment_id=payment, original_payment_id=original)
    for payment, original in ((OTHER, ""), (PAYMENT, ""), (PAYMENT, PAYMENT), (OTHER, PAYMENT))
)
CONTENT = a_file(*ITEMS)
FOUND = [FoundLine(place, PAYMENT, ITEMS[place - 1].occurred_at) for place in (2, 3)]


def test_each_line_is_found_once_by_its_own_payment() -> None:
    """A refund's line has the payment's id twice; another's that only refers to it is not its own."""
    assert lines_of(CONTENT, PAYMENT) == FOUND


def test_line_that_is_cut_is_not_found() -> None:
    second = CONTENT.index(b"D|2|")
    third = CONTENT.index(b"D|3|")
    assert lines_of(CONTENT[second + 1 :], PAYMENT) == FOUND[1:]
    assert lines_of(CONTENT[: third - 1], PAYMENT) == []
    assert lines_of(CONTENT[:third], PAYMENT) == FOUND[:1]


def test_first_lines_are_the_whole_ones() -> None:
    inside = CONTENT[CONTENT.index(b"D|1|") + 5 :]
    assert [line.seq for line in first_lines(inside, count=2)] == [2, 3]
    assert [line.seq for line in first_lines(inside, count=9)] == [2, 3, 4]
    assert [line.payment_id for line in first_lines(inside, count=3)] == [PAYMENT, PAYMENT, OTHER]
    assert first_lines(b"", count=3) == first_lines(b"no end of line", count=3) == []
    assert first_lines(CONTENT, count=9)[0].seq == 1, "the heading is no line"
