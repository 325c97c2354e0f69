"""A merchant's statement as CSV (RFC 4180): UTF-8, a header row, commas, CRLF; amounts are whole fen, never below zero.

| column | what |
|---|---|
| type | `payment` or `refund` |
| payment_id, refund_id | the refund's is empty for a payment |
| order_no, refund_no | the merchant's own numbers |
| terminal_id | where it was paid |
| occurred_at | RFC 3339, UTC |
| amount_fen | all of it |
| pool_fund_fen, personal_account_fen, bank_card_fen, family_account_fen | its parts, empty if there is none |
| funds | fund pay types and fen, such as `310100:2300 310300:100` |
| cycle, clearing_status | when it is cleared, and how far that is |

A spreadsheet takes a cell that begins with `=`, `+`, `-`, `@`, a tab or a line end for a formula, and an order number
may begin so. Such a cell gets an apostrophe in front, which spreadsheets do not show. No value begins with one
otherwise: to have the exact value, take the apostrophe away where it stands before one of these characters.
"""

import csv
import io
from collections.abc import Callable, Iterable
from typing import Final

from engine.core.calendar import CycleNumber, cycle_text
from engine.core.ids import id_text
from engine.core.merchant_statement import StatementLine
from engine.core.payments import TenderKind

COLUMNS: Final = (
    "type",
    "payment_id",
    "refund_id",
    "order_no",
    "refund_no",
    "terminal_id",
    "occurred_at",
    "amount_fen",
    "pool_fund_fen",
    "personal_account_fen",
    "bank_card_fen",
    "family_account_fen",
    "funds",
    "cycle",
    "clearing_status",
)
_FORMULA_MARKS: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


def header() -> bytes:
    """The header row."""
    return _written([COLUMNS])


def rows(lines: Iterable[StatementLine], *, status_of: Callable[[CycleNumber], str]) -> bytes:
    """The rows of some lines. *status_of* says how far the clearing of a cycle is."""
    return _written(_cells(line, status_of(line.cycle)) for line in lines)


def _cells(line: StatementLine, status: str) -> list[str]:
    parts = dict.fromkeys(TenderKind, 0)
    for share in line.shares:
        parts[share.source.kind] += share.amount
    funds = [
        f"{share.source.fund_pay_type}:{share.amount}"
        for share in line.shares
        if share.source.kind is TenderKind.POOL_FUND
    ]
    return [
        line.type,
        id_text(line.payment),
        id_text(line.refund) if line.refund is not None else "",
        harmless(line.order_no),
        harmless(line.refund_no or ""),
        harmless(line.terminal_id),
        line.at.isoformat().replace("+00:00", "Z"),
        str(line.amount),
        *(str(amount) if amount else "" for amount in parts.values()),
        " ".join(funds),
        cycle_text(line.cycle),
        status,
    ]


def harmless(value: str) -> str:
    """The value as a cell that no spreadsheet takes for a formula."""
    return f"'{value}" if value.startswith(_FORMULA_MARKS) else value


def _written(cells: Iterable[Iterable[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(cells)
    return text.getvalue().encode()
