"""Headings and lines to write files of: fixed ones for golden files, and any that can be."""

from collections.abc import Sequence
from datetime import UTC, date, datetime

import msgspec
from hypothesis import strategies as st

from engine.core.clearing_lines import ClearingItem, FileKind, ItemType
from engine.core.deliveries import LineTotals
from engine.core.line_columns import columns_of
from engine.formats.bank_file import FileHeading, ReplacedFile, TotalsSoFar

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
        settles_on=date(2026, 11, 25),
        totals=LineTotals(count=0, debit_total=0, credit_total=0),
    )


def promising(heading: FileHeading, items: Sequence[ClearingItem]) -> FileHeading:
    """The same heading, with the totals of these lines."""
    totals = TotalsSoFar(heading)
    totals.add(columns_of(items), range(len(items)))
    return msgspec.structs.replace(heading, totals=totals.totals)


def an_item(
    *,
    amount: int = 23_735,
    order_no: str = "A-1001",
    leg: str = "BANK",
    debit_bank: str = CARD_BANK,
    debit_account: str = "card_01kav9ft000c21nrag3jz9j6gm",
    credit_bank: str = HOSPITAL_BANK,
    remark: str = "",
    item_id: str = "2.17.0",
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
        item_id=item_id,
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
        item_id="1.9.2",
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


def _golden(heading: FileHeading, *lines: ClearingItem) -> tuple[FileHeading, tuple[ClearingItem, ...]]:
    return promising(heading, lines), lines


GOLDEN: dict[str, tuple[FileHeading, tuple[ClearingItem, ...]]] = {
    "collect": _golden(
        a_heading(FileKind.COLLECT, receiver_bank=FUND_BANK, previous_sha256="0123456789abcdef" * 4),
        an_item(amount=16_236, leg="310100", debit_bank=FUND_BANK, debit_account="fund:110100:310100"),
        an_item(amount=40_000, leg="310200", debit_bank=FUND_BANK, item_id="2.17.1"),
    ),
    "credit": _golden(a_heading(FileKind.CREDIT), a_refund()),
    "corrected": _golden(
        msgspec.structs.replace(
            a_heading(FileKind.CREDIT),
            file_id=f"{CARD_BANK}-20261124-02-CREDIT-02",
            replaces=ReplacedFile(f"{CARD_BANK}-20261124-02-CREDIT-01", datetime(2026, 11, 24, 15, tzinfo=UTC)),
        ),
        a_refund(),
    ),
    "net": _golden(
        a_heading(FileKind.NET, receiver_bank=FUND_BANK),
        a_movement(),
        a_movement(debit_bank=FUND_BANK, credit_bank=HOSPITAL_BANK, amount=79_971),
    ),
    "empty": _golden(a_heading(FileKind.COLLECT, receiver_bank=HOSPITAL_BANK)),
    "advice": _golden(
        a_heading(FileKind.ADVICE),
        an_item(),
        a_refund(),
        an_item(credit_bank=CARD_BANK, amount=5, item_id="2.17.1"),  # both sides are the receiver's
    ),
    "advice_empty": _golden(a_heading(FileKind.ADVICE, receiver_bank=HOSPITAL_BANK)),
}
"""One file of each sort. The bytes that a format makes of them are kept in `tests/golden`, and never change."""


def as_read(form: str, heading: FileHeading, lines: Sequence[ClearingItem]) -> list[FileHeading | ClearingItem]:
    """What a file of these says to who reads it: no form has a field for everything."""
    if form == "flat":
        said = msgspec.structs.replace(heading, settles_on=None, totals=None, replaces=None)
        return [said, *(msgspec.structs.replace(line, item_id="") for line in lines)]
    kind = heading.kind
    said = msgspec.structs.replace(
        heading,
        previous_sha256="",
        replaces=None,
        settles_on=heading.settles_on if kind in (FileKind.COLLECT, FileKind.CREDIT) else None,
        totals=heading.totals if kind is not FileKind.NET else None,
    )
    if kind is FileKind.NET:
        return [said, *(msgspec.structs.replace(line, occurred_at=heading.created_at) for line in lines)]
    if kind is FileKind.ADVICE:
        sides = [
            line for line in lines for bank in (line.debit_bank, line.credit_bank) if bank == heading.receiver_bank
        ]
        made = {"merchant_id": "", "occurred_at": heading.created_at}
        return [said, *(msgspec.structs.replace(line, **made) for line in sides)]
    return [said, *lines]


bank_numbers = st.from_regex(r"[0-9]{12}", fullmatch=True)
instants = st.datetimes(timezones=st.just(UTC))
flat_texts = st.text(st.characters(exclude_characters="|\r\n", exclude_categories=["Cs"]), max_size=12)
flat_items = st.builds(
    ClearingItem,
    payment_id=flat_texts,
    order_no=flat_texts,
    merchant_id=flat_texts,
    type=st.sampled_from(ItemType),
    leg=flat_texts,
    debit_bank=bank_numbers,
    debit_account=flat_texts,
    credit_bank=bank_numbers,
    credit_account=flat_texts,
    amount=st.integers(1, 10**18 - 1),
    occurred_at=instants,
    original_payment_id=flat_texts,
    remark=flat_texts,
)
flat_headings = st.builds(
    FileHeading,
    file_id=st.from_regex(r"[0-9A-Z-]{1,35}", fullmatch=True),
    receiver_bank=bank_numbers,
    business_date=st.dates(min_value=date(1000, 1, 1)),
    cycle=st.integers(0, 99),
    kind=st.sampled_from([FileKind.COLLECT, FileKind.CREDIT, FileKind.NET]),
    created_at=instants,
    previous_sha256=st.from_regex(r"([0-9a-f]{64})?", fullmatch=True),
)
_marks = st.characters(categories=["L", "N", "P", "S"], exclude_characters="/")
iso_texts = st.text(_marks, min_size=1, max_size=30).filter(str.isprintable)
iso_texts_or_none = st.one_of(st.just(""), iso_texts)
iso_banks = st.sampled_from([CARD_BANK, FUND_BANK, HOSPITAL_BANK])
iso_items = st.builds(
    ClearingItem,
    payment_id=iso_texts,
    order_no=iso_texts_or_none,
    merchant_id=iso_texts_or_none,
    type=st.sampled_from([ItemType.PAY, ItemType.REFUND]),
    leg=iso_texts,
    debit_bank=iso_banks,
    debit_account=st.one_of(st.just("card_01kav9ft000c21nrag3jz9j6gm"), iso_texts),
    credit_bank=iso_banks,
    credit_account=st.one_of(st.just("card_01kav9ft000c21nrag3jz9j6gm"), iso_texts),
    amount=st.integers(1, 10**15),
    occurred_at=instants,
    original_payment_id=iso_texts_or_none,
    remark=iso_texts_or_none,
    item_id=iso_texts,
)
iso_movements = st.builds(
    a_movement, debit_bank=st.just(FUND_BANK), credit_bank=iso_banks, amount=st.integers(1, 10**15)
)


@st.composite
def flat_files(draw: st.DrawFn) -> tuple[FileHeading, list[ClearingItem]]:
    """Any file that the flat form can hold."""
    heading, lines = draw(flat_headings), draw(st.lists(flat_items, max_size=5))
    return promising(heading, lines), lines


@st.composite
def iso_files(draw: st.DrawFn) -> tuple[FileHeading, list[ClearingItem]]:
    """Any file that the messages can hold."""
    kind = draw(st.sampled_from(FileKind))
    lines = draw(st.lists(iso_movements if kind is FileKind.NET else iso_items, max_size=5))
    heading = msgspec.structs.replace(
        a_heading(kind, receiver_bank=draw(iso_banks)), created_at=draw(instants), settles_on=draw(st.dates())
    )
    return promising(heading, lines), lines


FILES: dict[str, st.SearchStrategy[tuple[FileHeading, list[ClearingItem]]]] = {
    "flat": flat_files(),
    "xml": iso_files(),
}
"""Any file, by form."""
