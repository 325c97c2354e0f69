import hashlib
from collections import Counter
from collections.abc import Iterator
from itertools import islice, pairwise

import msgspec
import pytest

from engine.core.money import AMOUNT_FEN_MAX, AMOUNT_FEN_MIN
from engine.core.payer import CardStatus, IssueLevel
from engine.core.refusals import Refusal
from engine.core.scenarios import BY_NAME
from engine.sandbox.city import sample_city
from engine.sandbox.draws import CURVE_SCALE
from engine.sandbox.people import Cardholder
from engine.sandbox.purchases import (
    AMOUNT_CURVES,
    PARTIAL,
    PLANS,
    UNREGISTERED_TERMINAL,
    VENUE_SHARES,
    Flavour,
    Purchase,
    purchases,
)

CITY = sample_city()
PEOPLE = tuple(CITY.cardholders())
COUNT = 20_000
SOLD = tuple(purchases(CITY.merchants, PEOPLE, count=COUNT, seed=CITY.seed))


def of(*flavours: Flavour) -> list[Purchase]:
    return [purchase for purchase in SOLD if purchase.flavour in flavours]


def median(amounts: list[int]) -> int:
    return sorted(amounts)[len(amounts) // 2]


def test_every_flavour_has_a_plan_and_shares_sum_to_ten_thousand() -> None:
    assert set(Flavour) == set(PLANS)
    assert sum(plan.share for plan in PLANS.values()) == 10_000
    assert sum(share for _, share in VENUE_SHARES) == 10_000


def test_three_in_a_hundred_are_refused_two_refunded_four_captured_later() -> None:
    def share(*flavours: Flavour) -> int:
        return sum(PLANS[flavour].share for flavour in flavours)

    assert share(*(flavour for flavour in Flavour if PLANS[flavour].refusal is not None)) == 300
    assert share(Flavour.REFUND_FULL, Flavour.REFUND_PARTIAL) == 200
    assert share(Flavour.AUTHORIZE_THEN_CAPTURE, Flavour.PARTIAL_CAPTURE) == 400
    assert share(Flavour.PLAIN) == 9_000


def test_flavours_come_as_often_as_planned() -> None:
    counts = Counter(purchase.flavour for purchase in SOLD)
    planned = {flavour: pytest.approx(plan.share * COUNT / 10_000, rel=0.02, abs=40) for flavour, plan in PLANS.items()}
    assert planned == counts


def test_different_refusals_have_different_causes() -> None:
    refusals = [plan.refusal for plan in PLANS.values() if plan.refusal is not None]
    assert len(refusals) == len(set(refusals))
    assert {
        Refusal.PAY_CODE_EXPIRED,
        Refusal.PAY_CODE_USED,
        Refusal.PAY_CODE_FOREIGN,
        Refusal.PAY_CODE_MALFORMED,
        Refusal.INSUFFICIENT_FUNDS,
        Refusal.PAYMENT_NOT_ENABLED,
        Refusal.CARD_REPORTED_LOST,
    } <= set(refusals)


def test_every_planned_merchant_terminal_and_scenario_fits() -> None:
    for purchase in SOLD:
        merchant = CITY.merchants[purchase.merchant]
        assert purchase.scenario in merchant.scenarios
        assert (purchase.flavour is Flavour.SUSPENDED_MERCHANT) == merchant.is_suspended
        if purchase.flavour is Flavour.UNKNOWN_TERMINAL:
            assert purchase.terminal == UNREGISTERED_TERMINAL
        else:
            assert purchase.terminal in merchant.terminals


def test_unregistered_terminal_belongs_to_nobody() -> None:
    assert all(UNREGISTERED_TERMINAL not in merchant.terminals for merchant in CITY.merchants)


def test_every_open_merchant_sells_at_every_terminal() -> None:
    tills = {(purchase.merchant, purchase.terminal) for purchase in SOLD if PLANS[purchase.flavour].is_captured}
    assert {
        (at, terminal)
        for at, merchant in enumerate(CITY.merchants)
        if not merchant.is_suspended
        for terminal in merchant.terminals
    } == tills


def _is_able(person: Cardholder) -> bool:
    return person.status is CardStatus.ACTIVE and person.issue_level is IssueLevel.PAYMENT


def test_payer_has_the_card_that_the_flavour_needs() -> None:
    for purchase in SOLD:
        person = PEOPLE[purchase.cardholder]
        match purchase.flavour:
            case Flavour.LOST_CARD:
                assert person.status is CardStatus.LOST
            case Flavour.UNUSABLE_CARD:
                assert person.status in (CardStatus.SUSPENDED, CardStatus.CANCELLED, CardStatus.EXPIRED)
            case Flavour.LEVEL_ONE_CARD:
                assert (person.status, person.issue_level) == (CardStatus.ACTIVE, IssueLevel.QUERY)
            case _:
                assert _is_able(person)


def test_nobody_spends_more_than_the_tenders_can_give() -> None:
    spent = Counter[int]()
    for purchase in SOLD:
        if PLANS[purchase.flavour].is_captured or purchase.flavour is Flavour.VOID:
            spent[purchase.cardholder] += purchase.amount_fen
    assert [at for at, amount in spent.items() if amount > PEOPLE[at].spendable_fen] == []
    assert len(spent) > 7_500, "purchases are spread over the people"


def test_over_balance_is_more_than_the_payer_ever_had() -> None:
    assert of(Flavour.OVER_BALANCE)
    for purchase in of(Flavour.OVER_BALANCE):
        assert purchase.amount_fen > PEOPLE[purchase.cardholder].spendable_fen


def test_a_city_that_has_spent_everything_says_so() -> None:
    poor = [msgspec.structs.replace(next(filter(_is_able, PEOPLE)), bank_allowance_fen=10_000)]
    with pytest.raises(ValueError, match="nobody has the money"):
        list(purchases(CITY.merchants, poor, count=1_000, seed=1))


def test_flavours_without_their_card_or_merchant_do_not_occur() -> None:
    people = [person for person in PEOPLE if _is_able(person)]
    merchants = [merchant for merchant in CITY.merchants if not merchant.is_suspended]
    flavours = {purchase.flavour for purchase in purchases(merchants, people, count=COUNT, seed=CITY.seed)}
    assert set(Flavour) - flavours == {
        Flavour.LOST_CARD,
        Flavour.UNUSABLE_CARD,
        Flavour.LEVEL_ONE_CARD,
        Flavour.SUSPENDED_MERCHANT,
    }


def test_only_partial_flavours_have_a_part_and_it_is_less_than_the_whole() -> None:
    assert of(*PARTIAL)
    for purchase in SOLD:
        if purchase.flavour in PARTIAL:
            assert purchase.part_fen is not None
            assert 0 < purchase.part_fen < purchase.amount_fen
        else:
            assert purchase.part_fen is None


@pytest.mark.parametrize(
    ("scenario", "lowest", "highest", "tail_from", "end"),
    [("pharmacy", 5_500, 6_500, 30_000, 120_000), ("outpatient", 24_000, 28_000, 200_000, 800_000)],
)
def test_amounts_have_a_typical_middle_and_a_long_tail(
    scenario: str, lowest: int, highest: int, tail_from: int, end: int
) -> None:
    amounts = [purchase.amount_fen for purchase in of(Flavour.PLAIN) if purchase.scenario == scenario]
    assert lowest < median(amounts) < highest
    assert sum(amounts) / len(amounts) > 1.2 * median(amounts)
    assert 0.005 < sum(amount > tail_from for amount in amounts) / len(amounts) < 0.02
    assert max(amounts) < end


def test_every_scenario_is_sold_and_each_has_a_growing_curve() -> None:
    assert set(BY_NAME) == set(AMOUNT_CURVES) == {purchase.scenario for purchase in SOLD}
    for curve in AMOUNT_CURVES.values():
        assert (curve[0][0], curve[-1][0]) == (0, CURVE_SCALE)
        assert all(low < high for low, high in pairwise(curve))
        assert all(low[1] < high[1] for low, high in pairwise(curve))


def test_money_is_whole_fen_within_bounds() -> None:
    for purchase in SOLD:
        assert type(purchase.amount_fen) is int
        assert purchase.part_fen is None or type(purchase.part_fen) is int
        assert AMOUNT_FEN_MIN < purchase.amount_fen <= AMOUNT_FEN_MAX


def test_same_seed_gives_the_same_purchases_for_ever() -> None:
    digest = hashlib.sha256(msgspec.json.encode(SOLD)).hexdigest()
    assert digest == "767b623bad848e1498c1bb138710000a06e4f6905dd9943fbbcb010b129e9d8f"


def test_another_seed_gives_other_purchases() -> None:
    other = tuple(purchases(CITY.merchants, PEOPLE, count=100, seed=CITY.seed + 1))
    assert set() == {msgspec.json.encode(purchase) for purchase in other} & {
        msgspec.json.encode(purchase) for purchase in SOLD[:100]
    }


def test_purchases_are_planned_one_at_a_time() -> None:
    series = purchases(CITY.merchants, PEOPLE, count=10**9, seed=CITY.seed)
    assert isinstance(series, Iterator)
    assert SOLD[:50] == tuple(islice(series, 50))


def test_exactly_as_many_are_planned_as_asked_for() -> None:
    assert list(range(COUNT)) == [purchase.number for purchase in SOLD]
    assert list(purchases(CITY.merchants, PEOPLE, count=0, seed=1)) == []
