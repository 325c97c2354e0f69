"""UnionPay's ZM file: which field becomes what, and how what is wrong is told."""

from datetime import date

import pytest

from engine.core.bank_lines import Direction, StatementLine, UploadHeading, UploadKind, UploadTrailer
from engine.formats.bank_file import MalformedRecord
from engine.formats.unionpay_zm import settlement_date_in
from engine.formats.upload_readers import upload_reader
from tests.formats.uploads import CARD, PAYMENT, REFUND, SETTLED_ON, a_zm_line, faults_of, has_trailer, lines_of, read

QUERY_ID = "202611241330001234567"


def test_a_purchase_takes_from_the_cardholders_bank() -> None:
    heading, line, trailer = read(a_zm_line())
    assert heading == UploadHeading(file_id="", kind=UploadKind.STATEMENT, form="unionpay_zm", business_date=SETTLED_ON)
    assert line == StatementLine(1, QUERY_ID, PAYMENT, Direction.DEBIT, 23_735, SETTLED_ON)
    assert trailer == UploadTrailer(count=1, debit_total=23_735)


@pytest.mark.parametrize(
    "line", [a_zm_line(tail=98), a_zm_line(tail=99), a_zm_line(separator=b"|"), a_zm_line(separator=b"\t")]
)
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_both_tails_and_any_separator_are_read(line: bytes, end: bytes) -> None:
    (found,) = lines_of(read(line.removesuffix(b"\n") + end))
    assert found == StatementLine(1, QUERY_ID, PAYMENT, Direction.DEBIT, 23_735, SETTLED_ON)


def test_one_tail_field_of_131_bytes_is_as_long_as_two() -> None:
    line = a_zm_line({41: "x" * 32})
    one_field = line[:-132] + b"x" * 131 + b"\n"
    assert len(one_field) == len(line)
    assert read(one_field) == read(line)


@pytest.mark.parametrize(
    ("txn_type", "direction", "is_reversal"),
    [
        ("01", Direction.DEBIT, False),
        ("03", Direction.DEBIT, False),
        ("04", Direction.CREDIT, True),
        ("11", Direction.DEBIT, False),
        ("12", Direction.CREDIT, False),
        ("13", Direction.DEBIT, False),
        ("31", Direction.CREDIT, True),
        ("33", Direction.CREDIT, True),
    ],
)
def test_the_type_says_the_direction_and_whether_another_is_undone(
    txn_type: str, direction: Direction, is_reversal: bool
) -> None:
    (line,) = lines_of(read(a_zm_line({20: txn_type})))
    assert isinstance(line, StatementLine)
    assert (line.direction, line.is_reversal) == (direction, is_reversal)


@pytest.mark.parametrize(
    ("values", "payment_id"),
    [
        ({12: "A-1001", 35: PAYMENT}, PAYMENT),
        ({12: "A-1001", 25: PAYMENT}, PAYMENT),
        ({12: REFUND, 41: PAYMENT}, PAYMENT),
        ({12: PAYMENT, 41: "pay_other"}, PAYMENT),
        ({12: "A-1001"}, ""),
        ({12: CARD}, ""),
    ],
)
def test_the_payment_is_the_first_order_that_is_one(values: dict[int, str], payment_id: str) -> None:
    (line,) = lines_of(read(a_zm_line(values)))
    assert isinstance(line, StatementLine)
    assert line.payment_id == payment_id


def test_without_a_query_id_the_order_is_the_reference() -> None:
    (line,) = lines_of(read(a_zm_line({10: ""})))
    assert isinstance(line, StatementLine)
    assert line.bank_ref == PAYMENT


def test_the_card_number_is_not_carried_over() -> None:
    assert not any("6212260000000000000" in repr(found) for found in read(a_zm_line()))


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({7: "000000000000"}, "txnAmt"),
        ({7: "       23735"}, "txnAmt"),
        ({7: "23735"}, "txnAmt"),
        ({17: "X000000023635"}, "settleAmt"),
        ({17: ""}, "settleAmt"),
        ({20: "71"}, "txnType"),
        ({20: ""}, "txnType"),
        ({10: "", 12: ""}, "queryId"),
        ({10: " 1"}, "queryId"),
        ({12: "a\tb"}, "orderId"),
    ],
)
def test_what_is_wrong_is_told_with_its_line_and_field(values: dict[int, str], field: str) -> None:
    content = a_zm_line() + a_zm_line(values)
    assert faults_of(content) == [(2, field)]
    assert not has_trailer(read(content))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (a_zm_line()[1:], "not 607 or 608 bytes"),
        (a_zm_line({31: ""}).replace(b" \n", b"\n"), "not 607 or 608 bytes"),
        (a_zm_line()[:40] + b"x" + a_zm_line()[41:], None),
        (a_zm_line()[:3] + b"x" + a_zm_line()[4:], "no separator where one is due"),
        (a_zm_line()[:3] + b"|" + a_zm_line()[4:], "no separator where one is due"),
        (a_zm_line().replace("仁和药房".encode("gbk"), b"\xff" * 8), "not GBK"),
        (a_zm_line()[:-1], "not ended by a line feed"),
    ],
)
def test_a_line_that_is_cut_wrongly_is_a_fault(line: bytes, reason: str | None) -> None:
    reasons = [found.reason for found in read(a_zm_line() + line) if isinstance(found, MalformedRecord)]
    assert reasons[:1] == ([reason] if reason is not None else [])


@pytest.mark.parametrize(
    ("name", "settled_on"),
    [
        ("INN26112488ZM_777290058110097", date(2026, 11, 24)),
        ("INN26113188ZM_777290058110097", None),
        ("INN26112488ZME_777290058110097", None),
        ("statement.txt", None),
        ("", None),
    ],
)
def test_the_name_tells_the_settlement_date(name: str, settled_on: date | None) -> None:
    assert settlement_date_in(name) == settled_on
    reader = upload_reader(a_zm_line(), name=name)
    assert reader is not None
    readings = list(reader.read([a_zm_line()]))
    assert has_trailer(readings) == (settled_on is not None)
    assert [line.booked_on for line in readings if isinstance(line, StatementLine)] == (
        [settled_on] if settled_on else []
    )
