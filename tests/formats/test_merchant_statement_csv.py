"""A merchant's statement as CSV: what any reader of CSV reads, and no spreadsheet runs."""

import csv
import io
from datetime import UTC, datetime

import pytest

from engine.core.calendar import CycleNumber
from engine.core.ids import IdKind, PaymentId, RefundId, id_text
from engine.core.merchant_statement import LineType, Share, Source, StatementLine
from engine.core.payments import TenderKind
from engine.formats.merchant_statement_csv import COLUMNS, harmless, header, rows
from tests.builders import an_id

PAYMENT = PaymentId(an_id(IdKind.PAYMENT))
REFUND = RefundId(an_id(IdKind.REFUND))
AT = datetime(2026, 11, 24, 1, 2, 3, 45, tzinfo=UTC)


def a_line(**changes: object) -> StatementLine:
    """A payment of two funds, a personal account and a bank card."""
    values: dict[str, object] = {
        "type": LineType.PAYMENT,
        "place": (1, 2, 3),
        "payment": PAYMENT,
        "order_no": "A-1",
        "terminal_id": "T-01",
        "refund": None,
        "refund_no": None,
        "at": AT,
        "cycle": CycleNumber(20261124_01),
        "shares": (
            Share(Source(TenderKind.POOL_FUND, 310100), 2_300),
            Share(Source(TenderKind.POOL_FUND, 310300), 100),
            Share(Source(TenderKind.PERSONAL_ACCOUNT), 40),
            Share(Source(TenderKind.BANK_CARD), 5),
        ),
    }
    return StatementLine(**(values | changes))  # type: ignore[arg-type]  # each as it is declared


def read(content: bytes) -> list[dict[str, str]]:
    """The rows as a reader of CSV sees them, strictly."""
    return list(csv.DictReader(io.StringIO(content.decode(), newline=""), strict=True))


def status_of(cycle: CycleNumber) -> str:
    """How far the clearing is."""
    return f"at-{cycle}"


def test_every_column_is_filled() -> None:
    (row,) = read(header() + rows([a_line()], status_of=status_of))
    assert row == {
        "type": "payment",
        "payment_id": id_text(PAYMENT),
        "refund_id": "",
        "order_no": "A-1",
        "refund_no": "",
        "terminal_id": "T-01",
        "occurred_at": "2026-11-24T01:02:03.000045Z",
        "amount_fen": "2445",
        "pool_fund_fen": "2400",
        "personal_account_fen": "40",
        "bank_card_fen": "5",
        "family_account_fen": "",
        "funds": "310100:2300 310300:100",
        "cycle": "20261124-01",
        "clearing_status": "at-2026112401",
    }


def test_refund_names_both_numbers_and_is_no_negative_amount() -> None:
    line = a_line(
        type=LineType.REFUND, refund=REFUND, refund_no="R-1", shares=(Share(Source(TenderKind.BANK_CARD), 7),)
    )
    (row,) = read(header() + rows([line], status_of=status_of))
    assert (row["type"], row["refund_id"], row["refund_no"]) == ("refund", id_text(REFUND), "R-1")
    assert (row["amount_fen"], row["bank_card_fen"], row["pool_fund_fen"], row["funds"]) == ("7", "7", "", "")


def test_rows_end_as_the_standard_says() -> None:
    content = header() + rows([a_line(), a_line()], status_of=status_of)
    assert content.count(b"\r\n") == content.count(b"\n") == 3
    assert content.endswith(b"\r\n")
    assert not content.startswith(b"\xef\xbb\xbf")


def test_no_lines_leave_the_header() -> None:
    assert header() + rows([], status_of=status_of) == ",".join(COLUMNS).encode() + b"\r\n"


@pytest.mark.parametrize("value", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "-cmd|' /C calc'!A0"])
def test_cell_that_would_be_a_formula_is_made_harmless(value: str) -> None:
    assert harmless(value) == "'" + value
    (row,) = read(header() + rows([a_line(order_no=value, terminal_id=value, refund_no=value)], status_of=status_of))
    assert {row["order_no"], row["terminal_id"], row["refund_no"]} == {"'" + value}


@pytest.mark.parametrize("value", ["", "A-1", "1-2", "a=b", "_x", "0", "$cancel"])
def test_any_other_cell_is_left_as_it_is(value: str) -> None:
    assert harmless(value) == value


@pytest.mark.parametrize("value", ['say "hi"', "a,b", "two\r\nlines"])
def test_cell_with_marks_of_csv_is_read_as_it_was(value: str) -> None:
    (row,) = read(header() + rows([a_line(order_no=value)], status_of=status_of))
    assert row["order_no"] == value
