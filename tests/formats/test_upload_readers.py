"""What every form of uploads keeps: it is known by its first bytes, and damage is never taken for a whole file."""

import tracemalloc
from collections.abc import Iterator
from itertools import chain, islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.bank_lines import (
    AckLine,
    Direction,
    DisbursementLine,
    ReturnLine,
    StatementLine,
    UploadHeading,
    UploadTrailer,
)
from engine.formats.bank_file import MalformedRecord
from engine.formats.upload_readers import FIRST_BYTES, upload_reader
from engine.formats.uploads import FAULTS_MAX
from tests.formats.uploads import (
    CARD,
    PAYMENT,
    SETTLED_ON,
    a_camt053,
    a_csv,
    a_flat_return,
    a_flat_statement,
    a_line,
    a_pacs002,
    a_pacs004,
    a_pain001,
    a_payment_group,
    a_returned_item,
    a_zm_line,
    an_order,
    flat,
    has_trailer,
    in_chunks,
    read,
    wrapped,
)

LINES = [a_line(place, payment_id=f"{PAYMENT[:-1]}{place}", amount=place * 100) for place in range(1, 4)]
CREDITS = [a_line(4, direction=Direction.CREDIT, payment_id="", amount=5)]
CSV_LINE = f"L-1,{CARD},PENSION,202611,390100,123400"

WHOLE = {
    "flat statement": a_flat_statement(*LINES, *CREDITS),
    "flat return": a_flat_return(),
    "flat acknowledgement": flat("ACK", ["3|AC01", "9|AM09"]),
    "camt.053.001.08": a_camt053(*LINES, *CREDITS),
    "camt.053.001.08 after its header": wrapped(a_camt053(*LINES, *CREDITS), name="camt.053.001.08"),
    "pacs.004.001.09": a_pacs004(a_returned_item(), a_returned_item(place=2), total=47_470),
    "pacs.002.001.10": a_pacs002(),
    "pain.001.001.09": a_pain001(a_payment_group(an_order(), an_order(place=2)), count=2, total=246_800),
    "csv": a_csv(CSV_LINE, CSV_LINE, "TOTAL,2,246800"),
    "unionpay_zm": a_zm_line() + a_zm_line({20: "04"}),
}
"""One whole file of each form."""

SIGNED = [name for name in WHOLE if name.startswith("flat")]
every_form = pytest.mark.parametrize("name", WHOLE)


@every_form
def test_a_form_is_known_by_its_first_bytes(name: str) -> None:
    content = WHOLE[name]
    for first_bytes in (content, content[:FIRST_BYTES], b"\xef\xbb\xbf" + content):
        reader = upload_reader(first_bytes, name="misleading.pdf")
        assert reader is not None
        assert reader.name == name.split(" ")[0]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"<",
        b"<Document/>",
        b'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.054.001.08"/>',
        b'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.080"/>',
        b"%PDF-1.7\n",
        b"H",
        b"D|1|",
        b"a,b,c\n",
        b"\x1f\x8b\x08\x00",
        "H|1|".encode("utf-16"),
        a_zm_line()[:600] + b"\n",
    ],
)
def test_what_is_in_no_form_has_no_reader(content: bytes) -> None:
    assert upload_reader(content) is None


@every_form
@given(chunk_size=st.integers(1, 300))
def test_a_file_says_the_same_however_it_is_cut(name: str, chunk_size: int) -> None:
    readings = read(WHOLE[name])
    assert not any(isinstance(found, MalformedRecord) for found in readings)
    assert isinstance(readings[0], UploadHeading)
    assert isinstance(readings[-1], UploadTrailer)
    assert read(WHOLE[name], chunk_size=chunk_size) == readings


@every_form
def test_a_file_that_is_cut_off_is_never_whole(name: str) -> None:
    content = WHOLE[name]
    reader = upload_reader(content, settled_on=SETTLED_ON)
    assert reader is not None
    end = len(content.rstrip()) if content.startswith(b"<") else len(content)
    for length in range(end):
        readings = list(reader.read([content[:length]]))
        # What has no totals of its own cannot show that whole lines are missing.
        is_shorter = name in ("csv", "unionpay_zm") and content[:length].endswith(b"\n")
        assert has_trailer(readings) <= is_shorter
        assert has_trailer(readings) or any(isinstance(found, MalformedRecord) for found in readings)


@every_form
@given(
    at=st.floats(0, 1, exclude_max=True),
    replacement=st.binary(max_size=4),
    removed=st.integers(0, 4),
    chunk_size=st.integers(1, 2_000),
)
def test_damage_never_raises_and_gives_a_trailer_or_a_fault(
    name: str, at: float, replacement: bytes, removed: int, chunk_size: int
) -> None:
    content = WHOLE[name]
    place = int(at * len(content))
    damaged = content[:place] + replacement + content[place + removed :]
    reader = upload_reader(content, settled_on=SETTLED_ON)
    assert reader is not None
    readings = list(reader.read(in_chunks(damaged, chunk_size)))
    faults = [found for found in readings if isinstance(found, MalformedRecord)]
    assert has_trailer(readings) == (not faults)
    assert len(faults) <= FAULTS_MAX
    if name in SIGNED:
        assert bool(faults) == (damaged != content)


@pytest.mark.parametrize("name", [name for name in WHOLE if b"Ccy=" in WHOLE[name]])
@given(at=st.floats(0, 1, exclude_max=True), digit=st.sampled_from(b"0123456789"))
def test_a_digit_of_an_amount_is_never_changed_unseen(name: str, at: float, digit: int) -> None:
    content = WHOLE[name]
    start = content.index(b'Ccy="CNY">', content.index(b"<Ntry>") if b"<Ntry>" in content else 0)
    digits = [place for place in range(start, len(content)) if content[place : place + 1].isdigit()]
    amounts = [place for place in digits if content.rfind(b'"CNY">', 0, place) > content.rfind(b"<", 0, place)]
    place = amounts[int(at * len(amounts))]
    damaged = content[:place] + bytes((digit,)) + content[place + 1 :]
    assert has_trailer(read(damaged)) == (damaged == content)


@given(content=st.binary(max_size=300), chunk_size=st.integers(1, 50))
@every_form
def test_any_bytes_are_read_without_an_exception(name: str, content: bytes, chunk_size: int) -> None:
    reader = upload_reader(WHOLE[name], settled_on=SETTLED_ON)
    assert reader is not None
    readings = list(reader.read(in_chunks(content, chunk_size)))
    assert has_trailer(readings) != any(isinstance(found, MalformedRecord) for found in readings)


@every_form
def test_a_trailer_is_what_the_lines_add_up_to(name: str) -> None:
    readings = read(WHOLE[name])
    lines = [found for found in readings if isinstance(found, StatementLine | ReturnLine | DisbursementLine | AckLine)]
    trailer = readings[-1]
    assert isinstance(trailer, UploadTrailer)
    assert trailer.count == len(lines)
    assert trailer.debit_total + trailer.credit_total == sum(getattr(line, "amount", 0) for line in lines)


@every_form
def test_places_of_lines_grow(name: str) -> None:
    lines = [found for found in read(WHOLE[name]) if isinstance(found, StatementLine | ReturnLine | DisbursementLine)]
    places = [line.line_number for line in lines]
    assert places == sorted(set(places))


def _endless(name: str) -> Iterator[bytes]:
    """A file of that form that never ends, in pieces of some hundred lines."""
    match name:
        case "flat":
            yield WHOLE["flat statement"].partition(b"\n")[0] + b"\n"
            for start in range(1, 1_000_000, 200):
                yield "".join(
                    f"D|{place}|REF-{place}|{PAYMENT}|D|{place}|20261124\n" for place in range(start, start + 200)
                ).encode()
        case "csv":
            yield from chain([a_csv()], (f"{CSV_LINE}\n".encode() * 200 for _ in range(1_000_000)))
        case "unionpay_zm":
            yield from (a_zm_line() * 100 for _ in range(1_000_000))
        case _:
            whole = WHOLE[name]
            first, last = {
                "camt.053.001.08": (b"\n<Ntry>", b"\n</Stmt>"),
                "pacs.004.001.09": (b"\n<TxInf>", b"\n</PmtRtr>"),
                "pacs.002.001.10": (b"\n<TxInfAndSts>", b"\n</FIToFI"),
                "pain.001.001.09": (b"\n<CdtTrfTxInf>", b"</PmtInf>"),
            }[name]
            start, end = whole.index(first), whole.index(last)
            yield whole[:start]
            yield from (whole[start:end] * 20 for _ in range(1_000_000))


@pytest.mark.parametrize("name", sorted({name.split(" ")[0] for name in WHOLE}))
def test_reading_takes_no_more_than_it_gives_in_memory_that_does_not_grow(name: str) -> None:
    pieces = _endless(name)
    first = next(pieces)
    reader = upload_reader(first if name != "pacs.002.001.10" else WHOLE[name], settled_on=SETTLED_ON)
    assert reader is not None
    taken = 0

    def counted() -> Iterator[bytes]:
        nonlocal taken
        for piece in chain([first], pieces):
            taken += len(piece)
            yield piece

    readings = reader.read(counted())
    assert len(list(islice(readings, 1_000))) == 1_000
    before = taken
    tracemalloc.start()
    try:
        assert sum(1 for _ in islice(readings, 10_000)) == 10_000
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert taken - before < 30 * before
    assert peak < 2 * 1024 * 1024


@pytest.mark.parametrize("name", ["flat", "csv", "unionpay_zm"])
def test_a_line_without_an_end_is_given_up_before_it_fills_the_memory(name: str) -> None:
    taken = 0

    def endless() -> Iterator[bytes]:
        nonlocal taken
        yield next(_endless(name))
        while True:
            taken += 1
            yield b"D" * 1_000

    reader = upload_reader(next(_endless(name)), settled_on=SETTLED_ON)
    assert reader is not None
    faults = [found for found in reader.read(endless()) if isinstance(found, MalformedRecord)]
    assert [fault.reason for fault in faults] == ["longer than a line can be"]
    assert taken < 10


@pytest.mark.parametrize("name", ["flat statement", "csv", "unionpay_zm"])
def test_a_line_that_is_too_long_is_told_with_its_place(name: str) -> None:
    first, rest = WHOLE[name].split(b"\n", 1)
    content = first + b"\n" + b"D" * 5_000 + b"\n" + rest
    assert [found.line_number for found in read(content) if isinstance(found, MalformedRecord)] == [2]


def test_an_entry_without_a_known_payment_is_read() -> None:
    content = a_camt053(a_line(1, payment_id=""))
    assert b"<EndToEndId>NOTPROVIDED</EndToEndId>" in content
    assert [found.payment_id for found in read(content) if isinstance(found, StatementLine)] == [""]
