"""What is read of XML, whatever it is: within its bounds, in memory that does not grow, without an exception."""

import tracemalloc
from collections.abc import Iterable, Iterator
from itertools import repeat

import pytest

from engine.formats.bank_file import MalformedRecord
from engine.formats.upload_fields import read_text, read_yuan
from engine.formats.xml_stream import (
    ATTRIBUTE_CHARS_MAX,
    DEPTH_MAX,
    MARKUP_BYTES_MAX,
    NAMES_MAX,
    TEXT_CHARS_MAX,
    XmlRecord,
    xml_records,
)
from engine.formats.xml_tree import Message, group, leaf, money, namespace_of, record

MESSAGE = Message(
    "test.001.001.01",
    group(
        "Document",
        record("Head", leaf("Id", "id", read_text, is_required=True)),
        record(
            "Line",
            group("Ref", leaf("Own", "ref", read_text, is_required=True), leaf("Other", "ref", read_text)),
            money("Amt", "amount", read_yuan),
            record("Part", leaf("Id", "id", read_text), is_part=True),
            ignored="Free",
            is_numbered=True,
        ),
        ignored="Rest",
    ),
)
NAMESPACE = namespace_of(MESSAGE.name)
START = f'<Document xmlns="{NAMESPACE}">'
FREE = f"{START}<Line><Free>"
CEILING = 3 * 1024 * 1024


def _records(*pieces: str | bytes, bytes_max: int = 10**9) -> list[XmlRecord | MalformedRecord]:
    chunks = [piece.encode() if isinstance(piece, str) else piece for piece in pieces]
    return list(xml_records(chunks, MESSAGE, bytes_max=bytes_max))


def _faults(*pieces: str | bytes, bytes_max: int = 10**9) -> list[tuple[int, str]]:
    found = [item for item in _records(*pieces, bytes_max=bytes_max) if isinstance(item, MalformedRecord)]
    return [(fault.line_number, fault.field) for fault in found]


def _peak(chunks: Iterable[bytes], *, bytes_max: int = 2 * 1024**3) -> tuple[int, list[MalformedRecord]]:
    """The most memory that reading took, and what was wrong."""
    tracemalloc.start()
    try:
        faults = [
            found for found in xml_records(chunks, MESSAGE, bytes_max=bytes_max) if isinstance(found, MalformedRecord)
        ]
        return tracemalloc.get_traced_memory()[1], faults
    finally:
        tracemalloc.stop()


def test_records_come_as_they_end_with_their_values() -> None:
    assert _records(
        f"{START}\n<Head><Id>A</Id></Head>\n<Line><Ref><Own>R</Own></Ref><Amt Ccy='CNY'>1.50</Amt>",
        "<Part><Id>P</Id></Part>\n</Line></Document>\n",
    ) == [
        XmlRecord("Head", 2, 0, {"id": "A"}),
        XmlRecord("Part", 3, 1, {"id": "P"}),
        XmlRecord("Line", 4, 1, {"ref": "R", "amount": 150}),
        XmlRecord("", 5, 1, {}),
    ]


def test_a_prefix_means_what_it_is_bound_to() -> None:
    text = f"<a:Document xmlns:a='{NAMESPACE}'><a:Head><a:Id>A</a:Id></a:Head></a:Document>"
    assert _records(text)[0] == XmlRecord("Head", 1, 0, {"id": "A"})


def test_text_is_one_however_it_is_written() -> None:
    text = f"{START}<Head><Id>A<!-- b --><![CDATA[<]]>&amp;&#x43;</Id></Head></Document>"
    assert _records(text)[0] == XmlRecord("Head", 1, 0, {"id": "A<&C"})


def test_comments_and_what_is_passed_over_change_nothing() -> None:
    text = f"{START}<!-- a --><?b c?><Rest><X y='1'>z<Head/></X></Rest><Head><Id>A</Id></Head></Document>"
    assert _records(text) == [XmlRecord("Head", 1, 0, {"id": "A"}), XmlRecord("", 1, 0, {})]


@pytest.mark.parametrize(
    ("body", "faults"),
    [
        ("<Head/>", [(2, "Head/Id")]),
        ("<Head>\n<Id></Id></Head>", [(3, "Head/Id")]),
        ("<Head><Id>A</Id><Id>A</Id></Head>", [(2, "Head/Id")]),
        ("<Head><Id>A</Id><Name/></Head>", [(2, "Head")]),
        ("<Head><Id>A<b/></Id></Head>", [(2, "Head/Id"), (2, "Head/Id")]),
        ("<Line><Ref><Own>A</Own></Ref></Line>\n<Line/>", [(3, "Line[2]/Ref/Own")]),
        ("<Line><Ref><Own>A</Own><Other>B</Other></Ref></Line>", [(2, "Line[1]/Ref/Other")]),
        ("<Line><Ref><Own>A</Own></Ref><Amt>1</Amt></Line>", [(2, "Line[1]/Amt/@Ccy")]),
        ("<Line><Ref><Own>A</Own></Ref><Amt Ccy='USD'>1</Amt></Line>", [(2, "Line[1]/Amt/@Ccy")]),
        ("<Line><Ref><Own>A</Own></Ref><Amt Ccy='CNY' x='y'>1</Amt></Line>", [(2, "Line[1]/Amt/@Ccy")]),
        ("<Line><Ref><Own>A</Own></Ref><Amt Ccy='CNY'>1\n</Amt></Line>", [(3, "Line[1]/Amt")]),
        ("<Line><Ref><Own>A</Own></Ref><Part><Id/></Part></Line>", [(2, "Line[1]/Part/Id")]),
        ("<Other/>\n<Other/>", [(2, "Document"), (3, "Document")]),
        ("<b:Head xmlns:b='urn:other'/>", [(2, "Document")]),
    ],
)
def test_what_is_wrong_is_told_with_its_line_and_path(body: str, faults: list[tuple[int, str]]) -> None:
    assert _faults(f"{START}\n{body}</Document>") == faults


def test_a_record_with_a_fault_is_not_given_out_and_one_in_a_part_is_one_of_the_whole() -> None:
    text = (
        f"{START}<Line><Ref><Own>A</Own></Ref><Part><Id/></Part></Line><Line><Ref><Own>B</Own></Ref></Line></Document>"
    )
    assert [(found.name, found.place) for found in _records(text) if isinstance(found, XmlRecord)] == [
        ("Line", 2),
        ("", 2),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "<Document><Head><Id>A</Id></Head></Document>",
        f"<Document xmlns='{NAMESPACE} '><Head><Id>A</Id></Head></Document>",
        f"<Document xmlns='{NAMESPACE[:-1]}2'><Head><Id>A</Id></Head></Document>",
        f"<BizMsg xmlns='urn:x'><Document xmlns='{NAMESPACE}'><Head><Id>A</Id></Head></Document></BizMsg>",
        f"<Envelope><Document xmlns='{NAMESPACE}'><Head><Id>A</Id></Head></Document></Envelope>",
    ],
)
def test_only_the_message_itself_is_accepted(text: str) -> None:
    assert _faults(text) == [(1, "record")]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            f"<!DOCTYPE a [<!ENTITY b 'c'>]>{START}<Head><Id>&b;</Id></Head></Document>",
            "a document type is not accepted",
        ),
        (f"<!DOCTYPE a SYSTEM 'file:///etc/passwd'>{START}</Document>", "a document type is not accepted"),
        (f"{START}<Head><Id>&b;</Id></Head></Document>", "not XML: undefined entity"),
        (f"<?xml version='1.0' encoding='GBK'?>{START}</Document>", "not UTF-8"),
        (f"<?xml version='1.0' encoding='UTF-16'?>{START}</Document>", "not UTF-8"),
        (f"\ufeff{START}</Document>", "begins with a byte order mark"),
        (f"{START}<Head><Id>转账</Id></Head></Document>".encode("gbk"), "not UTF-8"),
        (f"{START}</Document>".encode("utf-16"), "not UTF-8"),
        (f"{START}</Document>".encode("utf-16-le"), "not UTF-8"),
        (f"{START}<Head></Document>", "not XML: mismatched tag"),
        (f"{START}</Document>{START}</Document>", "not XML: junk after document element"),
        (f"{START}<Head a='1' a='2'/></Document>", "not XML: duplicate attribute"),
        (f"{START}", "the file ends before its last element"),
        (f"{START}".encode() + b"\xe8\xbd", "the file ends within a character"),
        ("", "the file ends before its last element"),
        ("\n\n", "the file ends before its last element"),
    ],
)
def test_what_is_not_accepted_at_all_is_named(text: str | bytes, reason: str) -> None:
    assert [found.reason for found in _records(text) if isinstance(found, MalformedRecord)][:1] == [reason]


def test_the_line_of_bytes_that_are_no_text_is_told() -> None:
    text = f"{START}\n<Head><Id>A</Id></Head>\n".encode() + "<Line>转账".encode("gbk")
    assert _faults(text[:50], text[50:-3], text[-3:]) == [(3, "record")]


def test_a_file_is_as_large_as_it_may_be_and_no_larger() -> None:
    text = f"{START}<Head><Id>A</Id></Head></Document>"
    assert _faults(text, bytes_max=len(text)) == []
    assert _faults(text, bytes_max=len(text) - 1) == [(1, "record")]


@pytest.mark.parametrize(
    ("text", "is_bound"),
    [
        (FREE + "<a>" * (DEPTH_MAX - 3) + "</a>" * (DEPTH_MAX - 3) + "</Free>", False),
        (FREE + "<a>" * (DEPTH_MAX - 2), True),
        (FREE + "x" * TEXT_CHARS_MAX + "</Free>", False),
        (FREE + "x" * (TEXT_CHARS_MAX + 1), True),
        (FREE + "</Free>" + " " * (TEXT_CHARS_MAX + 1), True),
        (FREE + "<a b='" + "x" * (ATTRIBUTE_CHARS_MAX - 1) + "'/></Free>", False),
        (FREE + "<a b='" + "x" * ATTRIBUTE_CHARS_MAX + "'/></Free>", True),
        (FREE + "".join(f"<a{n}/>" for n in range(NAMES_MAX + 1)), True),
        (FREE + "<!-- " + "x" * 3 * MARKUP_BYTES_MAX, True),
        (FREE + "<" + "x" * 3 * MARKUP_BYTES_MAX, True),
        (FREE + "<?x " + "x" * 3 * MARKUP_BYTES_MAX, True),
        (FREE + "<a b='" + "x" * 3 * MARKUP_BYTES_MAX, True),
        (FREE + "&" + "x" * 3 * MARKUP_BYTES_MAX, True),
    ],
)
@pytest.mark.parametrize("size", [1_000, 100_000])
def test_what_goes_beyond_a_bound_ends_the_reading(text: str, is_bound: bool, size: int) -> None:
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    *_, last = _records(*pieces, "" if is_bound else "<Ref><Own>A</Own></Ref></Line></Document>")
    assert isinstance(last, MalformedRecord) == is_bound
    assert not isinstance(last, MalformedRecord) or "more than" in last.reason


def test_a_record_that_is_far_from_the_next_is_no_markup_without_end() -> None:
    padding = "<Rest>" + "<a>x</a>" * 20_000 + "</Rest>"
    *_, last = _records(f"{START}{padding}<Head><Id>A</Id></Head>{padding}</Document>")
    assert isinstance(last, XmlRecord)


def test_a_gigabyte_of_whitespace_takes_no_memory() -> None:
    space = b" " * 65_536
    many = 512 * 1024**2 // len(space)
    for before, after in ((b"", b""), (START.encode(), b""), (f"{START}</Document>".encode(), b" ")):
        chunks = _joined([before], repeat(space, many), [after])
        peak, faults = _peak(chunks)
        assert peak < CEILING
        assert bool(faults) == (after == b"")


def test_a_million_nested_elements_take_no_memory() -> None:
    peak, faults = _peak(_joined([FREE.encode()], repeat(b"<a>" * 1_000, 1_000)))
    assert peak < CEILING
    assert [fault.reason for fault in faults] == [f"more than {DEPTH_MAX} elements inside each other"]


def test_a_billion_laughs_are_not_laughed() -> None:
    entities = "".join(f"<!ENTITY l{n} '{f'&l{n - 1};' * 10}'>" for n in range(1, 10))
    peak, faults = _peak([f"<!DOCTYPE a [<!ENTITY l0 'ha'>{entities}]>{START}&l9;</Document>".encode()])
    assert peak < CEILING
    assert [fault.reason for fault in faults] == ["a document type is not accepted"]


@pytest.mark.parametrize("piece", [b"<!--" + b"x" * 10_000, b"<a " + b"x='y' " * 1_000, b"<Line" + b" " * 10_000])
def test_markup_without_end_takes_no_memory(piece: bytes) -> None:
    peak, faults = _peak(_joined([START.encode(), piece], repeat(piece[-1_000:], 1_000_000)))
    assert peak < CEILING
    assert len(faults) == 1


def test_an_endless_file_takes_no_memory() -> None:
    line = b"<Line><Ref><Own>A</Own></Ref></Line>\n" * 500
    peak, faults = _peak(_joined([START.encode()], repeat(line)), bytes_max=2_000_000)
    assert peak < CEILING
    assert [fault.reason for fault in faults] == ["the file is larger than it may be"]


def _joined(*parts: Iterable[bytes]) -> Iterator[bytes]:
    for part in parts:
        yield from part
