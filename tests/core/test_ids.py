"""Ids: what they say, how they are ordered, and which texts are none."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from engine.core.ids import (
    PREFIXES,
    REGION_MAX,
    SHARD_COUNT,
    IdKind,
    MalformedId,
    at_ms_of,
    id_text,
    kind_number,
    make_id,
    parse_id,
    region_of,
    shard_of,
    with_kind_number,
)

INSTANTS = st.integers(0, 2**48 - 1)
SHARDS = st.integers(0, SHARD_COUNT - 1)
REGIONS = st.integers(0, REGION_MAX)
ENTROPIES = st.integers(0, 2**44 - 1)
KINDS = st.sampled_from(IdKind)
IDS = st.builds(make_id, KINDS, at_ms=INSTANTS, shard=SHARDS, region=REGIONS, entropy=ENTROPIES)

PAYMENT = make_id(IdKind.PAYMENT, at_ms=1_795_492_800_000, shard=7, region=110101, entropy=1)
TEXT = "pay_01m85vbsg00w0hnrag00000001"


@given(kind=KINDS, at_ms=INSTANTS, shard=SHARDS, region=REGIONS, entropy=ENTROPIES)
def test_id_says_what_it_was_made_of(kind: IdKind, at_ms: int, shard: int, region: int, entropy: int) -> None:
    made = make_id(kind, at_ms=at_ms, shard=shard, region=region, entropy=entropy)
    assert (kind_number(made), at_ms_of(made), shard_of(made), region_of(made)) == (kind, at_ms, shard, region)
    assert int.from_bytes(made, "big") & (2**44 - 1) == entropy


@given(identifier=IDS)
def test_text_form_is_read_back(identifier: bytes) -> None:
    assert parse_id(id_text(identifier), IdKind(kind_number(identifier))) == identifier


@given(identifier=IDS)
def test_text_form_fits_a_field_of_thirty_one_characters(identifier: bytes) -> None:
    assert len(id_text(identifier)) <= 31


@given(one=IDS, other=IDS)
def test_ids_sort_by_the_time_they_were_made(one: bytes, other: bytes) -> None:
    assume(at_ms_of(one) != at_ms_of(other))
    assert (at_ms_of(one) < at_ms_of(other)) == (one < other)


@given(one=IDS, other=IDS)
def test_texts_of_one_kind_sort_like_their_ids(one: bytes, other: bytes) -> None:
    other = with_kind_number(other, kind_number(one))
    assert (one < other) == (id_text(one) < id_text(other))


@given(identifier=IDS, kind=KINDS)
def test_id_is_read_as_no_other_kind(identifier: bytes, kind: IdKind) -> None:
    assume(kind != kind_number(identifier))
    with pytest.raises(MalformedId):
        parse_id(id_text(identifier), kind)


@given(identifier=IDS, kind=KINDS)
def test_prefix_of_another_kind_does_not_make_it_one(identifier: bytes, kind: IdKind) -> None:
    assume(kind != kind_number(identifier))
    coded = id_text(identifier).removeprefix(PREFIXES[IdKind(kind_number(identifier))])
    with pytest.raises(MalformedId):
        parse_id(PREFIXES[kind] + coded, kind)


def test_text_form_is_fixed_for_ever() -> None:
    assert id_text(PAYMENT) == TEXT


@pytest.mark.parametrize(
    "text",
    [
        "",
        "pay_",
        TEXT[:-1],
        TEXT + "0",
        TEXT.upper(),
        TEXT.replace("pay_", "PAY_"),
        TEXT.removeprefix("pay_"),
        " " + TEXT,
        TEXT + "\n",
        TEXT.replace("m8", "mi"),  # i, l, o and u are not in the alphabet
        TEXT.replace("m8", "ml"),
        TEXT.replace("m8", "mo"),
        TEXT.replace("m8", "mu"),
        TEXT.replace("m8", "m-"),
        TEXT.replace("m8", "m="),
        TEXT.replace("m8", "mé"),
        TEXT.replace("m8", "m\ud800"),
        TEXT.replace("m8", "m\0"),
        "pay_" + "１" + TEXT[5:],  # a full-width digit
        "pay_8" + TEXT[5:],  # more than 128 bits
        "pay_z" + TEXT[5:],
    ],
)
def test_text_that_is_no_payment_id_is_refused(text: str) -> None:
    with pytest.raises(MalformedId, match="not an id that starts with pay_"):
        parse_id(text, IdKind.PAYMENT)


@given(text=st.text(max_size=40))
def test_any_text_is_an_id_or_malformed(text: str) -> None:
    try:
        parsed = parse_id(text, IdKind.CARD)
    except MalformedId:
        return
    assert id_text(parsed) == text


def test_complaint_does_not_repeat_what_was_sent() -> None:
    with pytest.raises(MalformedId) as caught:
        parse_id("pay_11010119900307123X", IdKind.PAYMENT)
    assert "110101" not in str(caught.value)


def test_every_kind_has_a_prefix_of_its_own() -> None:
    assert set(PREFIXES) == set(IdKind)
    assert len(set(PREFIXES.values())) == len(IdKind)


def test_region_of_seven_digits_is_a_bug() -> None:
    with pytest.raises(AssertionError, match="six digits"):
        make_id(IdKind.CARD, at_ms=0, shard=0, region=1_000_000, entropy=0)
