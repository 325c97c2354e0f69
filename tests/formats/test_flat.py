"""The flat form: its layout, what it refuses to write, and how it says what is wrong with a file."""

import hashlib
from collections.abc import Callable, Iterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.clearing_lines import ClearingItem, FileKind
from engine.core.line_columns import columns_of
from engine.formats.bank_file import FieldOverflow, FileHeading, FileTrailer, MalformedRecord
from engine.formats.flat import FORMAT, LINE_BYTES_MAX
from engine.formats.flat_layout import DETAIL, detail_texts
from tests.formats.lines import CARD_BANK, FUND_BANK, a_heading, a_movement, a_refund, an_item, flat_items


def _file(*items: ClearingItem, heading: FileHeading | None = None) -> bytes:
    said = msgspec.structs.replace(heading if heading is not None else a_heading(), totals=None)
    return b"".join(FORMAT.encode(said, items))


def _trailer(*items: ClearingItem, heading: FileHeading | None = None) -> FileTrailer:
    trailer = list(FORMAT.decode([_file(*items, heading=heading)]))[-1]
    assert isinstance(trailer, FileTrailer)
    return trailer


def _faults(content: bytes) -> list[tuple[int, str]]:
    found = [record for record in FORMAT.decode([content]) if isinstance(record, MalformedRecord)]
    return [(fault.line_number, fault.field) for fault in found]


def test_records_have_the_fields_of_the_layout_in_its_order() -> None:
    header, detail, _trailer_line = _file(a_refund()).decode().splitlines()
    assert header.split("|") == [
        *("H", "1", "102100000001-20261124-02-COLLECT-01", "SSC", "102100000001", "20261124", "02", "COLLECT"),
        *("2026-11-24T15:00:00.000000Z", "156", ""),
    ]
    assert detail.split("|") == [
        *("D", "1", "pay_01kav9ft000c21nrag3jz9j6gn", "A-1001", "mer_01kav9ft000c21nrag3jz9j6gp", "REFUND", "BANK"),
        *("102100000003", "mer_01kav9ft000c21nrag3jz9j6gp", "102100000001", "card_01kav9ft000c21nrag3jz9j6gm"),
        *("10000", "2026-11-24T05:30:00.123456Z", "pay_01kav9ft000c21nrag3jz9j6gn"),
        "ref_01kav9ft000c21nrag3jz9j6gq",
    ]


@given(items=st.lists(flat_items, max_size=3))
def test_lines_are_those_of_the_table(items: list[ClearingItem]) -> None:
    assert detail_texts(columns_of(items)) == ["|".join(field.write(item) for field in DETAIL) for item in items]


@given(
    lines=st.lists(flat_items, min_size=1, max_size=3),
    at=st.floats(0, 1, exclude_max=True),
    replacement=st.binary(max_size=3),
    removed=st.integers(0, 3),
)
def test_a_damaged_file_is_never_taken_for_a_whole_one(
    lines: list[ClearingItem], at: float, replacement: bytes, removed: int
) -> None:
    whole = _file(*lines)
    place = int(at * len(whole))
    damaged = whole[:place] + replacement + whole[place + removed :]
    assert bool(_faults(damaged)) == (damaged != whole)


def test_the_trailer_digests_every_byte_before_it() -> None:
    content = _file(an_item(), an_item(amount=7))
    before = content[: content.index(b"\nT|") + 1]
    assert content.endswith(f"|{hashlib.sha256(before).hexdigest()}\n".encode())


def test_the_hash_total_weighs_each_amount_by_its_place() -> None:
    largest = 10**18 - 1
    trailer = _trailer(an_item(amount=largest), an_item(amount=largest), an_item(amount=5))
    assert trailer.hash_total == (largest + 2 * largest + 3 * 5) % 10**18


@pytest.mark.parametrize(
    ("kind", "receiver", "totals"),
    [
        (FileKind.COLLECT, CARD_BANK, (30, 0)),
        (FileKind.CREDIT, CARD_BANK, (0, 30)),
        (FileKind.NET, FUND_BANK, (10, 20)),
        (FileKind.NET, CARD_BANK, (20, 10)),
    ],
)
def test_totals_are_what_is_taken_from_the_receiver_and_given_to_it(
    kind: FileKind, receiver: str, totals: tuple[int, int]
) -> None:
    trailer = _trailer(
        a_movement(debit_bank=CARD_BANK, credit_bank=FUND_BANK, amount=20),
        a_movement(debit_bank=FUND_BANK, credit_bank=CARD_BANK, amount=10),
        heading=a_heading(kind, receiver_bank=receiver),
    )
    assert (trailer.debit_total, trailer.credit_total) == totals


@pytest.mark.parametrize("value", ["a|b", "a\nb", "a\rb", "\n", "\ud800"])
@pytest.mark.parametrize("field", ["order_no", "debit_account", "remark", "leg"])
def test_a_value_that_does_not_fit_its_field_is_refused(field: str, value: str) -> None:
    item = msgspec.structs.replace(an_item(), **{field: value})
    with pytest.raises(FieldOverflow) as refused:
        _file(an_item(), item)
    assert refused.value.field == field
    assert value not in str(refused.value)


def test_a_separator_too_many_is_not_made_up_for_by_a_line_break() -> None:
    with pytest.raises(FieldOverflow):
        _file(an_item(order_no="x\nD|2" + "|" * 13), an_item())


@pytest.mark.parametrize("amount", [0, -1, 10**18])
def test_an_amount_that_is_none_is_refused(amount: int) -> None:
    with pytest.raises(FieldOverflow) as refused:
        _file(an_item(amount=amount))
    assert refused.value.field == "amount"


def test_a_heading_that_does_not_fit_is_refused() -> None:
    with pytest.raises(FieldOverflow) as refused:
        _file(heading=msgspec.structs.replace(a_heading(), file_id="a|b"))
    assert refused.value.field == "file_id"


def _swap(old: str, new: str) -> Callable[[str], str]:
    return lambda content: content.replace(old, new, 1)


@pytest.mark.parametrize(
    ("damage", "faults"),
    [
        # The heading: nothing after it can be judged.
        (_swap("H|1|", "H|2|"), [(1, "version")]),
        (_swap("|SSC|", "|XXX|"), [(1, "sender")]),
        (_swap("|102100000001|2026", "|10210000001|2026"), [(1, "receiver_bank")]),
        (_swap("|20261124|", "|20261131|"), [(1, "business_date")]),
        (_swap("|02|COLLECT", "|2|COLLECT"), [(1, "cycle")]),
        (_swap("|COLLECT|", "|TAKE|"), [(1, "kind")]),
        (_swap("|COLLECT|", "|ADVICE|"), [(1, "kind")]),
        (_swap("|156|", "|840|"), [(1, "currency")]),
        (_swap("15:00:00.000000Z", "25:00:00.000000Z"), [(1, "created_at")]),
        (_swap("15:00:00.000000Z", "15:00:00Z"), [(1, "created_at")]),
        (_swap("H|", "X|"), [(1, "record")]),
        (_swap("|156|", "|156|x|"), [(1, "record")]),
        # A line: the others are read, and the trailer shows that bytes were changed.
        (_swap("D|2|", "D|3|"), [(3, "seq"), (4, "sha256")]),
        (_swap("D|2|", "D|02|"), [(3, "seq"), (4, "sha256")]),
        (_swap("|PAY|", "|PAID|"), [(2, "type"), *[(4, field) for field in ("count", "debit_total", "hash_total")]]),
        (_swap("|23735|", "|023735|"), [(2, "amount")]),
        (_swap("|23735|", "|23 735|"), [(2, "amount")]),
        (_swap("|23735|", "|２3735|"), [(2, "amount")]),
        (_swap("|23735|", "|0|"), [(2, "amount")]),
        (_swap("|23735|", "|23736|"), [(4, "debit_total"), (4, "hash_total"), (4, "sha256")]),
        (_swap("05:30:00.123456Z", "05:30:00.12345Z"), [(2, "occurred_at")]),
        (_swap("05:30:00.123456Z", "05:30:60.123456Z"), [(2, "occurred_at")]),
        (_swap("|102100000003|", "|1021000000037|"), [(2, "credit_bank")]),
        (_swap("A-1001", "A-1|001"), [(2, "record")]),
        (_swap("A-1001", "A-1\r001"), [(2, "order_no")]),
        (_swap("D|1|", "E|1|"), [(2, "record"), (3, "seq")]),
        (_swap("D|1|", "\nD|1|"), [(2, "record")]),
        # The trailer.
        (_swap("T|2|", "T|3|"), [(4, "count")]),
        (_swap("T|2|", "T|+2|"), [(4, "count")]),
        (_swap("T|2|23742|0|", "T|2|0|23742|"), [(4, "debit_total"), (4, "credit_total")]),
        (lambda content: content[:-2] + "\n", [(4, "sha256")]),
        (lambda content: content[:-1], [(4, "record")]),
        (lambda content: content[: content.index("\nT|") + 1], [(4, "record")]),
        (lambda content: content + "D|3|\n", [(5, "record")]),
        (lambda content: content + content, [(5, "record")]),
        (lambda _: "", [(1, "record")]),
    ],
)
def test_what_is_wrong_is_told_with_its_line_and_field(
    damage: Callable[[str], str], faults: list[tuple[int, str]]
) -> None:
    content = _file(an_item(amount=23_735), an_item(amount=7)).decode()
    found = _faults(damage(content).encode())
    assert found[: len(faults)] == faults


def test_the_lines_beside_a_malformed_one_are_still_read() -> None:
    content = _file(an_item(amount=1), an_item(amount=2), an_item(amount=3)).replace(b"|2|2026", b"|x|2026", 1)
    amounts = [record.amount for record in FORMAT.decode([content]) if isinstance(record, ClearingItem)]
    assert amounts == [1, 3]


def test_bytes_that_are_no_text_are_a_malformed_record() -> None:
    assert _faults(_file(an_item()).replace(b"A-1001", b"A-\xff01"))[0] == (2, "record")


def test_a_line_without_an_end_is_given_up_before_it_fills_the_memory() -> None:
    taken = 0

    def endless() -> Iterator[bytes]:
        nonlocal taken
        yield _file().split(b"T|0")[0]
        while True:
            taken += 1
            yield b"D" * 1_000

    faults = [record for record in FORMAT.decode(endless()) if isinstance(record, MalformedRecord)]
    assert [(fault.line_number, fault.field) for fault in faults] == [(2, "record")]
    assert taken <= LINE_BYTES_MAX // 1_000 + 1


def test_a_fault_does_not_tell_the_value() -> None:
    content = _file(an_item()).replace(b"|PAY|", b"|SECRET|")
    faults = [record for record in FORMAT.decode([content]) if isinstance(record, MalformedRecord)]
    assert faults
    assert not any("SECRET" in fault.reason for fault in faults)
