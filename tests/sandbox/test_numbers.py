from datetime import date

import pytest
from stdnum.cn import ric
from stdnum.iso7064 import mod_11_10

from engine.sandbox.numbers import (
    bank_number,
    card_number,
    id_number,
    sample_card_number,
    sample_phone,
)


def test_id_number_is_the_example_of_the_standard() -> None:
    assert id_number(region=110_105, born_on=date(1949, 12, 31), sequence=2) == "11010519491231002X"


@pytest.mark.parametrize("sequence", range(1, 40))
def test_id_number_has_the_check_digit_of_another_implementation(sequence: int) -> None:
    assert ric.is_valid(id_number(region=110_108, born_on=date(1984, 2, 29), sequence=sequence))


def test_card_number_has_the_check_of_the_example_in_its_standard() -> None:
    assert card_number("D2143569") == "D2143569X"


def test_card_number_is_checked_by_zero_when_nothing_remains() -> None:
    assert card_number("00000000") == "000000000"


@pytest.mark.parametrize(
    "published",
    [
        "102100099996",
        "103100000026",
        "104100000004",
        "105100000017",
        "301290000007",
        "403100000004",
        "308584000013",
        "313651027012",
    ],
)
def test_bank_number_has_the_check_digit_of_published_ones(published: str) -> None:
    made = bank_number(bank_class=int(published[:3]), area=int(published[3:7]), serial=int(published[7:11]))
    assert published == made
    assert mod_11_10.is_valid(made)


def test_sample_numbers_keep_their_shape() -> None:
    assert sample_card_number(0, offset=2) == "Z00000021"
    assert sample_phone(0, offset=2) == "15400000002"
