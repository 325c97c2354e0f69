import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from datetime import date
from itertools import islice

import msgspec
import pytest
from stdnum.cn import ric

from engine.core.payer import CardStatus, IssueLevel, TenderOrder
from engine.sandbox.city import sample_city
from engine.sandbox.names import GIVEN_CHARACTERS, SURNAMES, Sex
from engine.sandbox.numbers import card_number, id_number
from engine.sandbox.people import (
    BANK_ALLOWANCE_SHARES,
    CARDHOLDERS_MAX,
    ISSUE_LEVEL_SHARES,
    NO_PASSWORD_SHARES,
    STATUS_SHARES,
    TENDER_ORDER_SHARES,
    Cardholder,
    cardholder,
    cardholders,
)
from engine.sandbox.regions import BIRTHPLACES, BORN_FIRST_ON, BORN_LAST_ON, birthplace_code

CITY = sample_city()
PEOPLE = tuple(CITY.cardholders())


def test_ten_thousand_people_live_in_the_city() -> None:
    assert len(PEOPLE) == 10_000
    assert list(range(10_000)) == [person.index for person in PEOPLE]


def test_every_id_number_is_valid() -> None:
    assert [person.index for person in PEOPLE if not ric.is_valid(person.id_number)] == []


@pytest.mark.parametrize("place", range(len(BIRTHPLACES)))
def test_birthplace_code_existed_in_every_year_of_birth(place: int) -> None:
    for year in range(BORN_FIRST_ON.year, BORN_LAST_ON.year + 1):
        born_on = date(year, 7, 1)
        number = id_number(region=birthplace_code(place, born_on), born_on=born_on, sequence=996)
        assert ric.is_valid(number), (place, year)


def test_birthplaces_share_no_code() -> None:
    codes = [code for place in BIRTHPLACES for _, code in place]
    assert len(codes) == len(set(codes))


def test_id_numbers_use_only_the_sequences_that_no_living_person_has() -> None:
    assert {"996", "997", "998", "999"} == {person.id_number[14:17] for person in PEOPLE}


def test_names_suit_the_sex_in_the_id_number() -> None:
    surnames = {surname for surname, _ in SURNAMES}
    for person in PEOPLE:
        given = re.sub(f"^({'|'.join(sorted(surnames, key=len, reverse=True))})", "", person.full_name)
        sex: Sex = "male" if int(person.id_number[16]) % 2 else "female"
        assert 1 <= len(given) <= 2
        assert set(given) <= set(GIVEN_CHARACTERS[sex]), person.index


def test_no_two_people_share_a_number() -> None:
    for numbers in (
        {person.id_number for person in PEOPLE},
        {person.card_no for person in PEOPLE},
        {person.phone for person in PEOPLE},
    ):
        assert len(PEOPLE) == len(numbers)


def test_numbers_stay_different_at_the_far_end_of_the_series() -> None:
    last = [cardholder(CARDHOLDERS_MAX - 1 - at, seed=CITY.seed) for at in range(200)]
    assert len({person.id_number for person in (*PEOPLE, *last)}) == 10_200
    assert all(ric.is_valid(person.id_number) for person in last)


def test_nobody_is_made_beyond_the_end_of_the_series() -> None:
    with pytest.raises(AssertionError, match="more numbers than there are"):
        cardholder(CARDHOLDERS_MAX, seed=CITY.seed)


def test_card_numbers_are_well_formed() -> None:
    for person in PEOPLE:
        assert re.fullmatch(r"[A-Z]\d{7}[0-9X]", person.card_no)
        assert person.card_no == card_number(person.card_no[:8])


def test_phones_are_of_a_range_without_an_operator() -> None:
    assert all(re.fullmatch(r"154\d{8}", person.phone) for person in PEOPLE)


def test_people_belong_to_districts_banks_and_channels_of_the_city() -> None:
    districts = {region.code for region in CITY.regions if region.parent == CITY.pooling_area}
    assert districts == {person.region for person in PEOPLE}
    assert {bank.cnaps for bank in CITY.banks} == {person.cnaps for person in PEOPLE}
    assert {channel.channel_no for channel in CITY.channels} == {person.channel_no for person in PEOPLE}


def test_shares_are_as_the_tables_say() -> None:
    for shares, seen in (
        (STATUS_SHARES, Counter[object](person.status for person in PEOPLE)),
        (ISSUE_LEVEL_SHARES, Counter(person.issue_level for person in PEOPLE)),
        (TENDER_ORDER_SHARES, Counter(person.tender_order for person in PEOPLE)),
        (NO_PASSWORD_SHARES, Counter(person.no_password_up_to_fen for person in PEOPLE)),
        (BANK_ALLOWANCE_SHARES, Counter(person.bank_allowance_fen for person in PEOPLE)),
    ):
        expected = {value: pytest.approx(share, rel=0.05, abs=35) for value, share in shares}
        assert sum(share for _, share in shares) == 10_000
        assert expected == seen


def test_most_cards_pay_and_every_kind_of_bad_card_is_there() -> None:
    assert dict(ISSUE_LEVEL_SHARES) == {IssueLevel.PAYMENT: 9_700, IssueLevel.QUERY: 300}
    counts = Counter(person.status for person in PEOPLE)
    assert counts[CardStatus.ACTIVE] > 9_800
    assert all(counts[status] > 0 for status in CardStatus)


def test_balances_are_skewed() -> None:
    balances = sorted(person.personal_account_fen for person in PEOPLE)
    assert 850 < balances.count(0) < 980
    assert 80_000 < balances[5_000] < 100_000
    assert 6_000 < sum(20_000 <= balance <= 300_000 for balance in balances) < 6_700
    assert 2_000_000 < balances[-1] <= 2_500_000
    assert sum(balances) / len(balances) > 2 * balances[5_000]


def test_money_is_whole_fen() -> None:
    for person in PEOPLE:
        assert type(person.personal_account_fen) is type(person.bank_allowance_fen) is int


@pytest.mark.parametrize(
    ("order", "spendable"),
    [
        (TenderOrder.PERSONAL_ACCOUNT_FIRST, 800),
        (TenderOrder.BANK_CARD_ONLY, 500),
        (TenderOrder.PERSONAL_ACCOUNT_ONLY, 300),
    ],
)
def test_only_the_chosen_tenders_can_be_spent(order: TenderOrder, spendable: int) -> None:
    person = msgspec.structs.replace(PEOPLE[0], personal_account_fen=300, bank_allowance_fen=500, tender_order=order)
    assert spendable == person.spendable_fen


def test_same_seed_gives_the_same_people_for_ever() -> None:
    digest = hashlib.sha256(msgspec.json.encode(PEOPLE)).hexdigest()
    assert digest == "c0fc912a910ba308682f1da355330bb2c1be3b4c4816437a3db104f8cda28cda"


def test_another_seed_gives_other_people() -> None:
    assert set() == {_essence(person) for person in cardholders(100, seed=CITY.seed + 1)} & {
        _essence(person) for person in PEOPLE[:100]
    }


def _essence(person: Cardholder) -> tuple[str, str, str]:
    return person.id_number, person.phone, person.card_no


def test_a_longer_series_begins_with_the_shorter_one() -> None:
    assert PEOPLE[:50] == tuple(cardholders(50, seed=CITY.seed))
    assert PEOPLE[9_999] == cardholder(9_999, seed=CITY.seed)


def test_people_are_made_one_at_a_time() -> None:
    series = cardholders(CARDHOLDERS_MAX, seed=CITY.seed)
    assert isinstance(series, Iterator)
    assert PEOPLE[:3] == tuple(islice(series, 3))


def test_nobody_is_shown_in_a_log() -> None:
    assert repr(PEOPLE[7]) == "Cardholder(index=7)"
