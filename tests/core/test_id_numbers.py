"""ID numbers: the check, the old form, dates that cannot be, regions, and characters that only look like digits."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.cn import ric

from engine.core.id_numbers import IdNumber, check_character, is_card_region, is_id_region, parse_id_number
from engine.sandbox.city import SEED_DEFAULT
from engine.sandbox.people import cardholders

TODAY = date(2026, 11, 24)
GOOD = "110101199003079972"


def read(text: str) -> IdNumber:
    """The number that the text must be."""
    number = parse_id_number(text, today=TODAY)
    assert isinstance(number, IdNumber), number
    return number


def test_number_says_where_when_and_whose() -> None:
    number = read(GOOD)
    assert (number.text, number.region, number.born_on, number.sex) == (GOOD, 110101, date(1990, 3, 7), "male")


def test_published_example_of_the_standard() -> None:
    assert read("11010519491231002X").sex == "female"
    assert read("440524188001010014").sex == "male"


def test_lower_case_x_is_an_x() -> None:
    assert read("11010519491231002x").text == "11010519491231002X"


def test_old_number_is_brought_into_the_new_form() -> None:
    assert read("110105491231002").text == "11010519491231002X"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("110101199003079973", "its check character does not fit"),
        ("11010519491231002", "not eighteen characters"),
        ("1101051949123100200", "not eighteen characters"),
        ("", "not eighteen characters"),
        (" 11010519491231002X", "not eighteen characters"),
        ("11010519491231002X\n", "not eighteen characters"),
        ("110105194912310021１", "not eighteen characters"),
        ("11010519491231００２X", "not eighteen characters"),
        ("١١٠١٠٥١٩٤٩١٢٣١٠٠٢X", "not eighteen characters"),
        ("X10105194912310021", "not eighteen characters"),
        ("110105490229002", "there is not"),  # 1949 was no leap year
        ("99010119900307997", "not eighteen characters"),
    ],
)
def test_what_is_none(text: str, reason: str) -> None:
    told = parse_id_number(text, today=TODAY)
    assert isinstance(told, str)
    assert reason in told
    assert not text.strip() or text not in told


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("11010519900230997", "there is not"),
        ("11010519901307997", "there is not"),
        ("11010519900007997", "there is not"),
        ("11010520261125001", "cannot be"),
        ("11010518491231001", "cannot be"),
        ("99010119900307997", "no region"),
        ("00010119900307997", "no region"),
        ("11000119900307997", "no region"),
    ],
)
def test_right_check_makes_no_wrong_number_right(body: str, reason: str) -> None:
    told = parse_id_number(body + check_character(body), today=TODAY)
    assert isinstance(told, str)
    assert reason in told


def test_born_today_is_born() -> None:
    body = "11010520261124001"
    assert read(body + check_character(body)).age_on(TODAY) == 0


@pytest.mark.parametrize(
    ("day", "age"), [(date(2026, 3, 6), 35), (date(2026, 3, 7), 36), (date(2026, 3, 8), 36), (date(2027, 3, 6), 36)]
)
def test_age_is_in_full_years(day: date, age: int) -> None:
    assert read(GOOD).age_on(day) == age


def test_sample_citys_people_have_numbers_that_an_independent_reader_takes() -> None:
    for holder in cardholders(300, seed=SEED_DEFAULT):
        assert read(holder.id_number).text == ric.validate(holder.id_number)


@given(st.from_regex(r"\A[0-9]{17}\Z"), st.sampled_from("0123456789X"))
def test_exactly_one_character_fits(body: str, last: str) -> None:
    fits = check_character(body) == last
    told = parse_id_number(body + last, today=TODAY)
    assert fits or told == "its check character does not fit"
    assert not isinstance(told, IdNumber) or fits


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    told = parse_id_number(text, today=TODAY)
    assert isinstance(told, IdNumber | str)


def test_number_is_not_shown_by_accident() -> None:
    assert GOOD not in repr(read(GOOD))
    assert GOOD not in f"{read(GOOD)}"


@pytest.mark.parametrize(
    ("region", "is_card", "is_id"), [(110000, True, False), (110101, True, True), (0, False, False)]
)
def test_regions(region: int, is_card: bool, is_id: bool) -> None:
    assert (is_card_region(region), is_id_region(region)) == (is_card, is_id)


@pytest.mark.parametrize("region", [810000, 820000, 830000])
def test_residents_from_hong_kong_macao_and_taiwan_have_numbers_too(region: int) -> None:
    body = f"{region}19900307997"
    assert read(body + check_character(body)).region == region
