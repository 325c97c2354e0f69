"""BER-TLV is read whole or not at all, and written in one way."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.codes import tlv
from engine.codes.tlv import Element, Leaf, MalformedTlv, Template

PROPERTY = settings(deadline=None)  # a shared machine may be slow

LEAF_TAGS = (0x4F, 0x50, 0x5A, 0x85, 0x5F20, 0x9F10, 0xDF01, 0xDF8101)
TEMPLATE_TAGS = (0x61, 0x62, 0x63, 0x64, 0x7F49)


def leaves() -> st.SearchStrategy[Element]:
    values = st.one_of(st.binary(max_size=20), st.binary(min_size=120, max_size=300))
    return st.builds(Leaf, st.sampled_from(LEAF_TAGS), values)


def elements(depth: int = tlv.DEPTH_MAX) -> st.SearchStrategy[Element]:
    if depth == 1:
        return leaves()
    parts = st.lists(elements(depth - 1), max_size=3).map(tuple)
    return st.one_of(leaves(), st.builds(Template, st.sampled_from(TEMPLATE_TAGS), parts))


@pytest.mark.parametrize(
    ("content", "element"),
    [
        ("8505 4350563031", Leaf(0x85, b"CPV01")),
        ("5000", Leaf(0x50, b"")),
        ("9F3602 0001", Leaf(0x9F36, b"\x00\x01")),
        ("DF810101 AA", Leaf(0xDF8101, b"\xaa")),
        ("6100", Template(0x61, ())),
        ("6204 6402 5000", Template(0x62, (Template(0x64, (Leaf(0x50, b""),)),))),
        ("50 7F" + "00" * 0x7F, Leaf(0x50, bytes(0x7F))),
        ("50 8180" + "00" * 0x80, Leaf(0x50, bytes(0x80))),
        ("50 81FF" + "00" * 0xFF, Leaf(0x50, bytes(0xFF))),
        ("50 820100" + "00" * 0x100, Leaf(0x50, bytes(0x100))),
    ],
)
def test_an_element_is_written_and_read(content: str, element: Element) -> None:
    assert tlv.encode((element,)) == bytes.fromhex(content)
    assert tlv.decode(bytes.fromhex(content)) == (element,)


def test_nothing_is_no_element() -> None:
    assert tlv.decode(b"") == ()
    assert tlv.encode(()) == b""


@pytest.mark.parametrize(
    ("content", "offset", "reason"),
    [
        ("6180 50000000", 1, "indefinite length"),
        ("5080", 1, "indefinite length"),
        ("5002 AA", 1, "length past the end"),
        ("50818050", 1, "length past the end"),
        ("6103 5002AA", 3, "length past the end"),
        ("6102 5001 AA", 3, "length past the end"),  # within the content, past the template
        ("5000 50", 3, "tag without a length"),
        ("6101 50 00", 3, "tag without a length"),
        ("5081", 1, "length without an end"),
        ("508201", 1, "length without an end"),
        ("508300000100", 1, "length of more than two bytes"),
        ("50FF00", 1, "length of more than two bytes"),
        ("508101AA", 1, "length longer than needed"),
        ("50817F" + "00" * 0x7F, 1, "length longer than needed"),
        ("508200FF" + "00" * 0xFF, 1, "length longer than needed"),
        ("0000", 0, "padding in place of a tag"),
        ("5000 00", 2, "padding in place of a tag"),
        ("5000 0000", 2, "padding in place of a tag"),
        ("9F", 0, "tag without an end"),
        ("9F8080 01 00", 0, "tag without an end"),
        ("61019F", 2, "tag without an end"),
        ("61019F 5000", 2, "tag without an end"),  # within the content, past the template
        ("6108610661046102 5000", 8, "templates nested too deeply"),
    ],
)
def test_bytes_that_are_not_whole_elements_are_refused(content: str, offset: int, reason: str) -> None:
    with pytest.raises(MalformedTlv) as caught:
        tlv.decode(bytes.fromhex(content))
    assert (caught.value.offset, caught.value.reason) == (offset, reason)


def test_an_element_may_be_nested_four_deep() -> None:
    content = bytes.fromhex("6106 6104 6102 5000")
    assert tlv.encode(tlv.decode(content)) == content


@pytest.mark.parametrize(
    ("element", "reason"),
    [
        (Leaf(0, b""), "0 is no tag"),
        (Leaf(-1, b""), "-1 is no tag"),
        (Leaf(0x5001, b""), "5001 is more than one tag"),
        (Leaf(0x9F, b""), "tag without an end"),
        (Leaf(0x61, b""), "61 is of the other kind"),
        (Leaf(0x7F49, b""), "7F49 is of the other kind"),
        (Template(0x50, ()), "50 is of the other kind"),
        (Leaf(0x50, bytes(0x10000)), "a value of 65536 bytes is longer than 65535"),
    ],
)
def test_an_element_that_could_not_be_read_is_not_written(element: Element, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        tlv.encode((element,))


def test_the_longest_value_is_written() -> None:
    longest = (Leaf(0x50, bytes(tlv.LENGTH_MAX)),)
    assert tlv.decode(tlv.encode(longest)) == longest


@PROPERTY
@given(written=st.lists(elements(), max_size=4).map(tuple))
def test_what_is_written_reads_back(written: tuple[Element, ...]) -> None:
    assert tlv.decode(tlv.encode(written)) == written


@PROPERTY
@given(written=st.lists(elements(), max_size=4), position=st.integers(min_value=0), value=st.integers(0, 255))
def test_what_is_read_is_written_the_same(written: list[Element], position: int, value: int) -> None:
    content = bytearray(tlv.encode(written) + b"\x50\x00")
    content[position % len(content)] = value
    _assert_refused_or_canonical(bytes(content))


@PROPERTY
@given(content=st.binary(max_size=400))
def test_any_bytes_are_refused_or_canonical(content: bytes) -> None:
    _assert_refused_or_canonical(content)


def _assert_refused_or_canonical(content: bytes) -> None:
    try:
        read = tlv.decode(content)
    except MalformedTlv:
        return
    assert tlv.encode(read) == content
