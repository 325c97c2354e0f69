"""Batches of benefits as CSV: what is read, and how what is wrong is told."""

from itertools import repeat

import pytest

from engine.core.bank_lines import DisbursementLine, UploadHeading, UploadKind, UploadTrailer
from engine.formats import disbursement_csv
from engine.formats.bank_file import MalformedRecord
from tests.formats.uploads import CARD, PAYMENT, a_csv, faults_of, has_trailer, lines_of, read

GOOD = f"L-1,{CARD},PENSION,202611,390100,123400"
LINE = DisbursementLine(2, "L-1", CARD, "PENSION", "202611", "390100", 123_400)


def test_a_batch_is_read() -> None:
    heading, line, trailer = read(a_csv(GOOD))
    assert heading == UploadHeading(file_id="", kind=UploadKind.DISBURSEMENT, form="csv")
    assert line == LINE
    assert trailer == UploadTrailer(count=1, credit_total=123_400)


@pytest.mark.parametrize(
    ("header", "line"),
    [
        ("amount,fund_pay_type,period,benefit_code,id,line_no", f"123400,390100,2026-11,PENSION,{CARD},L-1"),
        (
            '"line_no","card_id","benefit_code","period","fund_pay_type","amount"',
            f'"L-1",{CARD},"PENSION",202611,"390100",123400',
        ),
    ],
)
def test_columns_may_be_in_any_order_and_values_in_quotes(header: str, line: str) -> None:
    assert lines_of(read(a_csv(line, header=header))) == [LINE]


def test_quotes_keep_a_comma_and_a_quote() -> None:
    (line,) = lines_of(read(a_csv(GOOD.replace("L-1", '"L,""1"""'))))
    assert isinstance(line, DisbursementLine)
    assert line.line_ref == 'L,"1"'


def test_a_line_without_a_reference_is_known_by_its_place() -> None:
    body = GOOD.removeprefix("L-1,")
    lines = lines_of(read(a_csv(body, body, header="card_id,benefit_code,period,fund_pay_type,amount")))
    assert [(line.line_number, line.line_ref) for line in lines if isinstance(line, DisbursementLine)] == [
        (2, "1"),
        (3, "2"),
    ]


def test_lines_may_end_in_cr_lf_as_in_rfc_4180() -> None:
    content = a_csv(GOOD, "TOTAL,1,123400")
    assert read(content.replace(b"\n", b"\r\n")) == read(content)


@pytest.mark.parametrize("total", ["TOTAL,2,246800", "TOTAL,2,246800,,,", '"TOTAL","2","246800"'])
def test_totals_are_checked_if_they_are_told(total: str) -> None:
    assert has_trailer(read(a_csv(GOOD, GOOD, total)))


@pytest.mark.parametrize(
    ("lines", "faults"),
    [
        (["TOTAL,3,246800"], [(4, "count")]),
        (["TOTAL,2,246801"], [(4, "total")]),
        (["TOTAL,2"], [(4, "record")]),
        (["TOTAL,2,246800,1"], [(4, "record")]),
        (["TOTAL,2,2468.00"], [(4, "record")]),
        (["TOTAL,2,246800", GOOD], [(5, "record")]),
        (["TOTAL,2,246800", "TOTAL,2,246800"], [(5, "record")]),
        ([f"L,{CARD},PENSION,202611,390100,x", "TOTAL,3,0"], [(4, "amount")]),
    ],
)
def test_totals_that_are_not_those_of_the_lines_are_a_fault(lines: list[str], faults: list[tuple[int, str]]) -> None:
    content = a_csv(GOOD, GOOD, *lines)
    assert faults_of(content) == faults
    assert not has_trailer(read(content))


def test_totals_may_be_of_no_lines() -> None:
    assert has_trailer(read(a_csv("TOTAL,0,0")))


@pytest.mark.parametrize(
    ("header", "faults"),
    [
        ("line_no,benefit_code,period,fund_pay_type,amount", [(1, "card_id")]),
        ("line_no,card_id,benefit_code", [(1, "period"), (1, "fund_pay_type"), (1, "amount")]),
        ("line_no,card_id,id,benefit_code,period,fund_pay_type,amount", [(1, "card_id")]),
        ("line_no,card_id,benefit_code,period,fund_pay_type,amount,amount", [(1, "amount")]),
        ("line_no,card_id,benefit_code,period,fund_pay_type,amount,name", [(1, "record")]),
        ("line_no,card_id,benefit_code,period,fund_pay_type,Amount", [(1, "amount"), (1, "record")]),
        ("line_no,card_id,benefit_code,period,fund_pay_type,amount,", [(1, "record")]),
    ],
)
def test_columns_that_are_not_those_of_a_batch_are_a_fault(header: str, faults: list[tuple[int, str]]) -> None:
    assert faults_of(a_csv(GOOD, header=header)) == faults


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        (GOOD.replace("L-1", ""), ["line_no"]),
        (GOOD.replace(CARD, PAYMENT), ["card_id"]),
        (GOOD.replace(CARD, CARD.upper()), ["card_id"]),
        (GOOD.replace("PENSION", "养老"), ["benefit_code"]),
        (GOOD.replace("PENSION", ""), ["benefit_code"]),
        (GOOD.replace("202611", "202613"), ["period"]),
        (GOOD.replace("202611", "2026"), ["period"]),
        (GOOD.replace("390100", "3901"), ["fund_pay_type"]),
        (GOOD.replace("123400", "1234.00"), ["amount"]),
        (GOOD.replace("123400", "0"), ["amount"]),
        (GOOD.replace("123400", "-1"), ["amount"]),
        (GOOD.replace("123400", " 1"), ["amount"]),
        (GOOD.replace("202611", "").replace("123400", ""), ["period", "amount"]),
        (GOOD + ",", ["record"]),
        (GOOD.rpartition(",")[0], ["record"]),
        ("", ["record"]),
        (GOOD.replace("L-1", '"L-1'), ["record"]),
        (GOOD.replace("L-1", '"L"1"'), ["record"]),
    ],
)
def test_what_is_wrong_is_told_with_its_line_and_field(line: str, fields: list[str]) -> None:
    content = a_csv(GOOD, line, GOOD)
    assert faults_of(content) == [(3, field) for field in fields]
    assert len(lines_of(read(content))) == 2
    assert not has_trailer(read(content))


@pytest.mark.parametrize(
    ("content", "line_number", "reason"),
    [
        (b"\xef\xbb\xbf" + a_csv(GOOD), 1, "begins with a byte order mark"),
        (a_csv(GOOD.replace("L-1", "行")).decode().encode("gbk"), 2, "GBK where UTF-8 is due"),
        (a_csv(GOOD)[:-1], 2, "not ended by a line feed"),
    ],
)
def test_a_file_from_another_world_is_named_as_such(content: bytes, line_number: int, reason: str) -> None:
    assert [found for found in read(content) if isinstance(found, MalformedRecord)] == [
        MalformedRecord(line_number, "record", reason)
    ]
    assert not has_trailer(read(content))


def test_an_empty_file_has_no_columns() -> None:
    assert list(disbursement_csv.read([])) == [
        MalformedRecord(1, "record", "the file has no line that names its columns")
    ]


def test_lines_are_given_as_they_come() -> None:
    endless = disbursement_csv.read(repeat(a_csv(*[GOOD] * 100)))
    assert sum(1 for _, found in zip(range(50), endless, strict=False) if isinstance(found, DisbursementLine)) == 49
