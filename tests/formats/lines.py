"""Headings and lines to write files of: fixed ones for golden files, and any that can be."""

from datetime import UTC, date, datetime

from hypothesis import strategies as st

from engine.core.clearing_lines import ClearingItem, FileKind, ItemType
from engine.formats.bank_file import FileHeading

CARD_BANK = "102100000001"
FUND_BANK = "102100000002"
HOSPITAL_BANK = "102100000003"
AT = datetime(2026, 11, 24, 5, 30, 0, 123_456, tzinfo=UTC)


def a_heading(
    kind: FileKind = FileKind.COLLECT, *, receiver_bank: str = CARD_BANK, previous_sha256: str = ""
) -> FileHeading:
    """A valid heading."""
    return FileHeading(
        file_id=f"{receiver_bank}-20261124-02-{kind}-01",
        receiver_bank=receiver_bank,
        business_date=date(2026, 11, 24),
        cycle=2,
        kind=kind,
        created_at=datetime(2026, 11, 24, 15, 0, tzinfo=UTC),
        previous_sha256=previous_sha256,
    )


def an_item(
    *,
    amount: int = 23_735,
    order_no: str = "A-1001",
    leg: str = "BANK",
    debit_bank: str = CARD_BANK,
    debit_account: str = "card_01kav9ft000c21nrag3jz9j6gm",
    credit_bank: str = HOSPITAL_BANK,
    remark: str = "",
) -> ClearingItem:
    """A valid line of a payment."""
    return ClearingItem(
        payment_id="pay_01kav9ft000c21nrag3jz9j6gn",
        order_no=order_no,
        merchant_id="mer_01kav9ft000c21nrag3jz9j6gp",
        type=ItemType.PAY,
        leg=leg,
        debit_bank=debit_bank,
        debit_account=debit_account,
        credit_bank=credit_bank,
        credit_account="mer_01kav9ft000c21nrag3jz9j6gp",
        amount=amount,
        occurred_at=AT,
        original_payment_id="",
        remark=remark,
    )


def a_refund() -> ClearingItem:
    """A valid line of a refund."""
    return ClearingItem(
        payment_id="pay_01kav9ft000c21nrag3jz9j6gn",
        order_no="A-1001",
        merchant_id="mer_01kav9ft000c21nrag3jz9j6gp",
        type=ItemType.REFUND,
        leg="BANK",
        debit_bank=HOSPITAL_BANK,
        debit_account="mer_01kav9ft000c21nrag3jz9j6gp",
        credit_bank=CARD_BANK,
        credit_account="card_01kav9ft000c21nrag3jz9j6gm",
        amount=10_000,
        occurred_at=AT,
        original_payment_id="pay_01kav9ft000c21nrag3jz9j6gn",
        remark="ref_01kav9ft000c21nrag3jz9j6gq",
    )


def a_movement(*, debit_bank: str = CARD_BANK, credit_bank: str = FUND_BANK, amount: int = 300) -> ClearingItem:
    """A valid line of a net position."""
    return ClearingItem(
        payment_id="",
        order_no="",
        merchant_id="",
        type=ItemType.NET,
        leg="BANK",
        debit_bank=debit_bank,
        debit_account=f"settlement:{debit_bank}",
        credit_bank=credit_bank,
        credit_account=f"settlement:{credit_bank}",
        amount=amount,
        occurred_at=AT,
        original_payment_id="",
        remark="20261124-02",
    )


GOLDEN: dict[str, tuple[FileHeading, tuple[ClearingItem, ...]]] = {
    "collect": (
        a_heading(FileKind.COLLECT, receiver_bank=FUND_BANK, previous_sha256="0123456789abcdef" * 4),
        (
            an_item(amount=16_236, leg="310100", debit_bank=FUND_BANK, debit_account="fund:110100:310100"),
            an_item(amount=40_000, leg="310200", debit_bank=FUND_BANK),
        ),
    ),
    "credit": (a_heading(FileKind.CREDIT), (a_refund(),)),
    "net": (
        a_heading(FileKind.NET, receiver_bank=FUND_BANK),
        (a_movement(), a_movement(debit_bank=FUND_BANK, credit_bank=HOSPITAL_BANK, amount=79_971)),
    ),
    "empty": (a_heading(FileKind.COLLECT, receiver_bank=HOSPITAL_BANK), ()),
}
"""One file of each sort. The bytes that a format makes of them are kept in `tests/golden`, and never change."""

texts = st.text(st.characters(exclude_characters="|\r\n", exclude_categories=["Cs"]), max_size=12)
bank_numbers = st.from_regex(r"[0-9]{12}", fullmatch=True)
instants = st.datetimes(timezones=st.just(UTC))
items = st.builds(
    ClearingItem,
    payment_id=texts,
    order_no=texts,
    merchant_id=texts,
    type=st.sampled_from(ItemType),
    leg=texts,
    debit_bank=bank_numbers,
    debit_account=texts,
    credit_bank=bank_numbers,
    credit_account=texts,
    amount=st.integers(1, 10**18 - 1),
    occurred_at=instants,
    original_payment_id=texts,
    remark=texts,
)
headings = st.builds(
    FileHeading,
    file_id=st.from_regex(r"[0-9A-Z-]{1,35}", fullmatch=True),
    receiver_bank=bank_numbers,
    business_date=st.dates(min_value=date(1000, 1, 1)),
    cycle=st.integers(0, 99),
    kind=st.sampled_from(FileKind),
    created_at=instants,
    previous_sha256=st.from_regex(r"([0-9a-f]{64})?", fullmatch=True),
)
