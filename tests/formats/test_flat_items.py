"""Reading published flat files fast: the same lines as the judging reader, whatever the pieces."""

from datetime import UTC, date, datetime

import pytest

from engine.core.clearing_lines import ClearingItem, FileKind, ItemType
from engine.formats import bank_file_formats
from engine.formats.bank_file import FileHeading
from engine.formats.flat_items import FlatItem, FlatItems

AT = datetime(2026, 11, 24, 5, 30, tzinfo=UTC)
ITEMS = [
    ClearingItem(
        payment_id=f"pay_{n}",
        order_no=f"药-{n}",
        merchant_id="mer_1",
        type=ItemType.REFUND if n == 2 else ItemType.PAY,
        leg="BANK" if n else "310100",
        debit_bank="102100000001",
        debit_account=f"card_{n}",
        credit_bank="102100000002",
        credit_account=f"mer_{n}",
        amount=100 + n,
        occurred_at=AT,
        original_payment_id="",
        remark="",
    )
    for n in range(3)
]


def content(kind: FileKind, items: list[ClearingItem]) -> bytes:
    """A file in the flat form."""
    heading = FileHeading(
        file_id="F-1",
        receiver_bank="102100000001",
        business_date=date(2026, 11, 24),
        cycle=1,
        kind=kind,
        created_at=AT,
    )
    return b"".join(bank_file_formats()["flat"].encode(heading, items))


def read(written: bytes, size: int, *, is_debit: bool) -> tuple[list[FlatItem], int]:
    """What is read of a file that comes in pieces, and how many lines it had."""
    file = FlatItems(is_debit=is_debit)
    found = [item for at in range(0, len(written), size) for item in file.read(written[at : at + size])]
    return found, file.finish()


@pytest.mark.parametrize("size", [1, 2, 50, 51, 10_000])
@pytest.mark.parametrize("kind", [FileKind.COLLECT, FileKind.CREDIT])
def test_pieces_of_any_size_give_every_line(kind: FileKind, size: int) -> None:
    is_debit = kind is FileKind.COLLECT
    assert read(content(kind, ITEMS), size, is_debit=is_debit) == (
        [
            (
                item.payment_id,
                item.amount,
                n,
                item.leg,
                item.order_no,
                item.debit_account if is_debit else item.credit_account,
            )
            for n, item in enumerate(ITEMS, 1)
        ],
        3,
    )


def test_a_file_without_lines_is_whole() -> None:
    assert read(content(FileKind.COLLECT, []), 10, is_debit=True) == ([], 0)


def test_a_file_without_its_trailer_is_a_bug() -> None:
    written = content(FileKind.COLLECT, ITEMS)
    with pytest.raises(AssertionError, match="ends with its trailer"):
        read(written[: written.rindex(b"T|")], 100, is_debit=True)


def test_a_line_with_other_fields_is_a_bug() -> None:
    with pytest.raises(AssertionError, match="fields of its layout"):
        read(content(FileKind.COLLECT, ITEMS).replace(b"|310100|", b"|310100||"), 10_000, is_debit=True)
