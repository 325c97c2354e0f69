"""Uploads in the flat form: what is read, and how what is wrong is told."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from engine.core.bank_lines import (
    WHOLE_FILE,
    AckLine,
    Acknowledgement,
    AckStatus,
    Direction,
    ReturnLine,
    UploadHeading,
    UploadKind,
    UploadTrailer,
)
from engine.formats.bank_file import MalformedRecord
from engine.formats.uploads import FAULTS_MAX
from tests.formats.uploads import (
    BANK,
    OTHER_BANK,
    PAYMENT,
    SETTLED_ON,
    a_flat_return,
    a_flat_statement,
    a_line,
    faults_of,
    flat,
    has_trailer,
    lines_of,
    read,
)

STATEMENT = a_flat_statement(a_line(2), a_line(3, payment_id="", direction=Direction.CREDIT, amount=7))


def _signed_anew(content: bytes) -> bytes:
    """With the digest that the bytes before the trailer have now."""
    body, trailer = content[: content.index(b"\nT|") + 1], content[content.index(b"\nT|") + 1 :]
    return body + trailer.rpartition(b"|")[0] + b"|" + hashlib.sha256(body).hexdigest().encode() + b"\n"


def test_a_statement_is_read() -> None:
    heading, *lines, trailer = read(STATEMENT)
    assert heading == UploadHeading(
        file_id="UP-20261124-1",
        kind=UploadKind.STATEMENT,
        form="flat",
        sender=BANK,
        business_date=SETTLED_ON,
        cycle=2,
        created_at=datetime(2026, 11, 25, 1, 0, tzinfo=UTC),
    )
    assert lines == [a_line(2), a_line(3, payment_id="", direction=Direction.CREDIT, amount=7)]
    assert trailer == UploadTrailer(count=2, debit_total=23_735, credit_total=7)


def test_a_statement_without_lines_is_whole() -> None:
    heading, trailer = read(a_flat_statement())
    assert isinstance(heading, UploadHeading)
    assert trailer == UploadTrailer(count=0)


def test_a_statement_of_a_whole_day_names_no_cycle() -> None:
    heading = read(_signed_anew(STATEMENT.replace(b"|02|STATEMENT", b"|00|STATEMENT")))[0]
    assert isinstance(heading, UploadHeading)
    assert heading.cycle is None


@pytest.mark.parametrize(
    ("text", "direction"),
    [
        *[(text, Direction.DEBIT) for text in ("D", "d", "DBIT", "Dbit", "DEBIT", "debit")],
        *[(text, Direction.CREDIT) for text in ("C", "c", "CRDT", "crdt", "CREDIT", "Credit")],
    ],
)
def test_directions_and_dates_are_read_as_banks_write_them(text: str, direction: Direction) -> None:
    totals = {f"{direction.lower()}_total": 5}
    _, line, _ = read(flat("STATEMENT", [f"REF-1||{text}|5|2026-11-24"], hash_total=5, **totals))
    assert line == a_line(2, payment_id="", direction=direction, amount=5)


@pytest.mark.parametrize(
    ("debit_bank", "credit_bank", "direction"),
    [(BANK, OTHER_BANK, Direction.DEBIT), (OTHER_BANK, BANK, Direction.CREDIT), (BANK, BANK, None)],
)
def test_a_returned_item_has_its_direction_in_the_clearing_file(
    debit_bank: str, credit_bank: str, direction: Direction | None
) -> None:
    heading, line, trailer = read(a_flat_return(debit_bank=debit_bank, credit_bank=credit_bank))
    assert isinstance(heading, UploadHeading)
    assert heading.kind is UploadKind.RETURN
    assert line == ReturnLine(2, PAYMENT, "BANK", direction, 23_735, "AC04", "", 0, "B-77")
    assert trailer == UploadTrailer(
        count=1,
        debit_total=0 if direction is Direction.CREDIT else 23_735,
        credit_total=23_735 if direction is Direction.CREDIT else 0,
    )


def test_a_return_need_not_have_a_reference_of_the_bank() -> None:
    (line,) = lines_of(read(a_flat_return(remark="MD07")))
    assert isinstance(line, ReturnLine)
    assert (line.reason, line.return_ref) == ("MD07", "")


@pytest.mark.parametrize(
    ("content", "faults"),
    [
        (a_flat_return(debit_bank=OTHER_BANK, credit_bank="102100000004"), [(2, "record")]),
        (a_flat_return(remark=""), [(2, "remark")]),
        (a_flat_return(remark="closed"), [(2, "remark")]),
        (a_flat_return(remark="AC04 "), [(2, "remark")]),
    ],
)
def test_a_return_that_cannot_be_one_is_a_fault(content: bytes, faults: list[tuple[int, str]]) -> None:
    assert faults_of(content)[:1] == faults


@pytest.mark.parametrize(
    ("details", "lines", "answer"),
    [
        ([], [], Acknowledgement(status=AckStatus.ACTC)),
        (["3|AC01", "9|AM09"], [AckLine(2, 3, "AC01"), AckLine(3, 9, "AM09")], Acknowledgement(status=AckStatus.PART)),
        (["0|AM10"], [], Acknowledgement(status=AckStatus.RJCT, reasons=((WHOLE_FILE, "AM10"),))),
        (
            ["0|AM10", "3|AC01"],
            [AckLine(3, 3, "AC01")],
            Acknowledgement(status=AckStatus.RJCT, reasons=((WHOLE_FILE, "AM10"),)),
        ),
    ],
)
def test_an_acknowledgement_says_what_its_lines_say(
    details: list[str], lines: list[AckLine], answer: Acknowledgement
) -> None:
    heading, *found, told, trailer = read(flat("ACK", details))
    assert isinstance(heading, UploadHeading)
    assert (heading.kind, heading.previous_sha256) == (UploadKind.ACK, "0123456789abcdef" * 4)
    assert found == lines
    assert told == answer
    assert trailer == UploadTrailer(count=len(details), credit_total=0)


@pytest.mark.parametrize("details", [["3|AC01", "3|AC01"], ["3|AC01", "2|AC01"], ["0|AM10", "0|AM09"]])
def test_an_acknowledgement_names_a_line_once_and_in_order(details: list[str]) -> None:
    assert faults_of(flat("ACK", details)) == [(3, "line")]


def test_an_acknowledgement_names_its_file() -> None:
    content = _signed_anew(flat("ACK", []).replace(b"0123456789abcdef" * 4, b""))
    assert faults_of(content) == [(1, "previous_sha256")]


def _swap(old: str, new: str) -> Callable[[str], str]:
    return lambda content: content.replace(old, new, 1)


@pytest.mark.parametrize(
    ("damage", "faults"),
    [
        # The heading: nothing after it can be judged.
        (_swap("H|1|", "H|2|"), [(1, "version")]),
        (_swap("|UP-20261124-1|", "||"), [(1, "file_id")]),
        (_swap("|UP-20261124-1|", f"|{'x' * 36}|"), [(1, "file_id")]),
        (_swap(f"|{BANK}|", "|10210000001|"), [(1, "sender")]),
        (_swap("|SSC|", "|XXX|"), [(1, "receiver")]),
        (_swap("|20261124|02", "|20261131|02"), [(1, "business_date")]),
        (_swap("|02|", "|2|"), [(1, "cycle")]),
        (_swap("|STATEMENT|", "|COLLECT|"), [(1, "kind")]),
        (_swap("|STATEMENT|", "|DISBURSEMENT|"), [(1, "kind")]),
        (_swap("T01:00:00Z", "T25:00:00Z"), [(1, "created_at")]),
        (_swap("|156|", "|840|"), [(1, "currency")]),
        (_swap("|156|", "|156|0"), [(1, "previous_sha256")]),
        (_swap("|156|", "|156|x|"), [(1, "record")]),
        (lambda content: content.replace("|02|", "|2|").replace("|156|", "|840|"), [(1, "cycle"), (1, "currency")]),
        # A line: the others are read.
        (_swap("D|2|", "D|3|"), [(3, "seq"), (4, "sha256")]),
        (_swap("D|2|", "D|02|"), [(3, "seq"), (4, "sha256")]),
        (_swap("|REF-1|", "||"), [(2, "bank_ref"), (4, "sha256")]),
        (_swap("|REF-1|", "| REF-1|"), [(2, "bank_ref"), (4, "sha256")]),
        (_swap("|REF-1|", "|REF\t1|"), [(2, "bank_ref"), (4, "sha256")]),
        (_swap("|REF-1|", "|REF|1|"), [(2, "record"), (4, "sha256")]),
        (_swap("|DEBIT|", "|X|"), [(2, "direction"), (4, "sha256")]),
        (_swap("|23735|", "|237.35|"), [(2, "amount"), (4, "sha256")]),
        (_swap("|23735|", "|-23735|"), [(2, "amount"), (4, "sha256")]),
        (_swap("|23735|", "|023735|"), [(2, "amount"), (4, "sha256")]),
        (_swap("|23735|", "|２3735|"), [(2, "amount"), (4, "sha256")]),
        (_swap("|23735|", "|0|"), [(2, "amount"), (4, "sha256")]),
        (_swap("|23735|", f"|{10**18}|"), [(2, "amount"), (4, "sha256")]),
        (_swap("|23735|20261124", "|x|20261131"), [(2, "amount"), (2, "booked_on"), (4, "sha256")]),
        (_swap("|23735|20261124", "|23735|2026-1124"), [(2, "booked_on"), (4, "sha256")]),
        (_swap("|23735|", "|23736|"), [(4, "debit_total"), (4, "hash_total"), (4, "sha256")]),
        (_swap("|CREDIT|", "|DEBIT|"), [(4, "debit_total"), (4, "credit_total"), (4, "sha256")]),
        (_swap("D|1|", "E|1|"), [(2, "record"), (3, "seq"), *[(4, field) for field in ("count", "debit_total")]]),
        (_swap("D|1|", "\nD|1|"), [(2, "record"), (5, "sha256")]),
        # The trailer.
        (_swap("T|2|", "T|3|"), [(4, "count")]),
        (_swap("T|2|", "T|+2|"), [(4, "count")]),
        (_swap("T|2|23735|7|", "T|2|7|23735|"), [(4, "debit_total"), (4, "credit_total")]),
        (_swap("|23749|", "|23750|"), [(4, "hash_total")]),
        (lambda content: content[:-2] + "\n", [(4, "sha256")]),
        (lambda content: content[:-1], [(4, "record")]),
        (lambda content: content[: content.index("\nT|") + 1], [(4, "record")]),
        (lambda content: content + "D|3|\n", [(5, "record")]),
        (lambda content: content + content, [(5, "record")]),
    ],
)
def test_what_is_wrong_is_told_with_its_line_and_field(
    damage: Callable[[str], str], faults: list[tuple[int, str]]
) -> None:
    damaged = damage(STATEMENT.decode()).encode()
    assert faults_of(damaged)[: len(faults)] == faults
    assert not has_trailer(read(damaged))


def test_sums_are_not_judged_if_a_line_cannot_be_read() -> None:
    damaged = _signed_anew(STATEMENT.replace(b"|23735|", b"|x|", 1))
    assert faults_of(damaged) == [(2, "amount")]


@pytest.mark.parametrize(
    ("damaged", "line_number", "reason"),
    [
        (b"\xef\xbb\xbf" + STATEMENT, 1, "begins with a byte order mark"),
        (STATEMENT.replace(b"\n", b"\r\n"), 1, "ends in CR LF where LF is due"),
        (_signed_anew(STATEMENT.replace(b"|REF-1|", "|转账-1|".encode("gbk"), 1)), 2, "GBK where UTF-8 is due"),
        (_signed_anew(STATEMENT.replace(b"|REF-1|", b"|\xff\xff\xff|", 1)), 2, "not UTF-8"),
    ],
)
def test_a_file_from_another_world_is_named_as_such(damaged: bytes, line_number: int, reason: str) -> None:
    assert [found for found in read(damaged) if isinstance(found, MalformedRecord)][:1] == [
        MalformedRecord(line_number, "record", reason)
    ]
    assert not has_trailer(read(damaged))


def test_line_ends_of_another_world_are_told_once() -> None:
    assert faults_of(_signed_anew(STATEMENT.replace(b"\n", b"\r\n"))) == [(1, "record")]


def test_text_that_is_no_ascii_is_read() -> None:
    (line,) = lines_of(read(a_flat_statement(a_line(2, bank_ref="转账-1"))))
    assert line == a_line(2, bank_ref="转账-1")


def test_faults_end_with_the_hundredth() -> None:
    lines = [f"REF-{place}||X|5|20261124" for place in range(1_000)]
    assert faults_of(flat("STATEMENT", lines)) == [(place + 2, "direction") for place in range(FAULTS_MAX)]


def test_a_heading_that_is_not_text_ends_the_reading() -> None:
    assert faults_of(b"H|1|\xff\n" + STATEMENT) == [(1, "record")]


def test_a_fault_does_not_tell_the_value() -> None:
    content = STATEMENT.replace(b"|DEBIT|", b"|SECRET|").replace(b"|7|", b"|SECRET|")
    assert not any("SECRET" in found.reason for found in read(content) if isinstance(found, MalformedRecord))
