import hashlib
from collections import Counter
from collections.abc import Iterator
from itertools import islice, pairwise

import msgspec
import pytest

from engine.core.benefits import ItemClass
from engine.core.money import AMOUNT_FEN_MAX, AMOUNT_FEN_MIN
from engine.core.payer import CardStatus, IssueLevel, TenderOrder
from engine.core.payments import Mode, TenderKind
from engine.core.refusals import Refusal
from engine.core.scenarios import BY_NAME, TRANSIT
from engine.sandbox.catalogue import CATALOGUE
from engine.sandbox.city import sample_city
from engine.sandbox.draws import CURVE_SCALE
from engine.sandbox.people import Cardholder
from engine.sandbox.purchases import (
    AMOUNT_CURVES,
    ANY_MODE,
    BILL_FEN_MAX,
    BY_ORDER,
    HELD_FIRST,
    NO_BILL,
    PARTIAL,
    PLANS,
    UNREGISTERED_TERMINAL,
    VENUE_SHARES,
    Consent,
    Flavour,
    Purchase,
    is_ride,
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
    assert share(Flavour.DEPOSIT) == 100
    assert share(Flavour.PLAIN) == 8_900


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
        if not merchant.is_suspended and merchant.kind in {kind for (kind, _), _ in VENUE_SHARES}
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


def _takes(purchase: Purchase) -> int:
    """What a purchase takes of its payer at most: nothing if it is refused, and a deposit with what is added to it."""
    if not PLANS[purchase.flavour].is_captured and purchase.flavour is not Flavour.VOID:
        return 0
    return purchase.amount_fen + ((purchase.part_fen or 0) if purchase.flavour is Flavour.DEPOSIT else 0)


def test_nobody_spends_more_than_the_bank_card_can_give() -> None:
    """Whatever the accounts and the insurance pay, and in whichever order people buy."""
    spent = Counter[int]()
    for purchase in SOLD:
        spent[purchase.cardholder] += _takes(purchase)
    for at, amount in spent.items():
        person = PEOPLE[at]
        has_card = person.tender_order is not TenderOrder.PERSONAL_ACCOUNT_ONLY
        assert amount <= (person.bank_allowance_fen if has_card else person.personal_account_fen) or amount == 0
    assert len([at for at, amount in spent.items() if amount]) > 7_500, "purchases are spread over the people"


def test_who_has_an_account_alone_buys_only_what_it_may_pay() -> None:
    alone = [
        purchase
        for purchase in SOLD
        if _takes(purchase) and PEOPLE[purchase.cardholder].tender_order is TenderOrder.PERSONAL_ACCOUNT_ONLY
    ]
    assert alone
    for purchase in alone:
        assert purchase.bill is None
        assert TenderKind.PERSONAL_ACCOUNT in BY_NAME[purchase.scenario].tenders


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
        elif purchase.flavour is not Flavour.DEPOSIT:
            assert purchase.part_fen is None


def test_ways_to_pay_come_as_often_as_planned() -> None:
    shares = Counter(purchase.mode for purchase in SOLD)
    assert set(shares) == set(Mode)
    assert 0.09 < shares[Mode.SCAN_ORDER] / COUNT < 0.11
    assert 0.045 < shares[Mode.CARD_READ] / COUNT < 0.055
    assert 0.015 < shares[Mode.CASHIER] / COUNT < 0.025


def test_only_what_is_ordinary_is_paid_in_another_way_and_nobody_orders_at_a_gate() -> None:
    for purchase in SOLD:
        if purchase.mode is not Mode.SHOW_CODE:
            assert purchase.flavour in ANY_MODE
            assert purchase.scenario != TRANSIT.name
    assert 0.06 < sum(is_ride(purchase) for purchase in SOLD) / COUNT < 0.1


def test_most_medical_purchases_have_a_bill_that_adds_up_and_some_are_quoted() -> None:
    medical = [purchase for purchase in of(Flavour.PLAIN) if purchase.scenario in ("outpatient", "pharmacy")]
    at_the_till = [purchase for purchase in medical if purchase.mode not in BY_ORDER]
    billed = [purchase for purchase in at_the_till if purchase.bill is not None]
    assert 0.82 < len(billed) / len(at_the_till) < 0.88
    assert 0.17 < sum(purchase.is_quoted for purchase in billed) / len(billed) < 0.23
    for purchase in SOLD:
        if purchase.bill is None or purchase.flavour is Flavour.DEPOSIT:
            assert purchase.bill is not None or not purchase.is_quoted
            continue
        assert purchase.scenario in ("outpatient", "pharmacy")
        assert purchase.mode not in BY_ORDER
        assert purchase.flavour not in NO_BILL
        assert sum(line.amount for line in purchase.bill.lines) == purchase.amount_fen <= BILL_FEN_MAX


def test_a_stay_is_billed_with_no_more_than_its_deposit_and_with_what_any_account_may_pay() -> None:
    items = {item.code: item.coverage for item in CATALOGUE}
    assert of(Flavour.DEPOSIT)
    for purchase in of(Flavour.DEPOSIT):
        assert purchase.scenario == "inpatient"
        assert purchase.bill is not None
        assert purchase.part_fen is not None
        assert 0 < sum(line.amount for line in purchase.bill.lines) <= purchase.amount_fen + purchase.part_fen
        coverages = [items[line.item] for line in purchase.bill.lines]
        assert all(item.item_class is not ItemClass.C and item.price_limit_e6 is None for item in coverages)


def test_passwords_are_mistyped_and_withheld_now_and_then() -> None:
    shares = Counter(purchase.consent for purchase in SOLD)
    assert 0.06 < shares[Consent.MISTYPED] / COUNT < 0.1
    assert 0.02 < shares[Consent.WITHHELD] / COUNT < 0.05
    assert {purchase.flavour for purchase in SOLD if purchase.consent is Consent.WITHHELD} == {Flavour.PLAIN}


@pytest.mark.parametrize(
    ("scenario", "lowest", "highest", "tail_from", "end"),
    [("pharmacy", 5_500, 6_500, 30_000, 120_000), ("outpatient", 24_000, 28_000, 200_000, 480_000)],
)
def test_amounts_have_a_typical_middle_and_a_long_tail(
    scenario: str, lowest: int, highest: int, tail_from: int, end: int
) -> None:
    sold = [purchase for purchase in of(Flavour.PLAIN) if purchase.scenario == scenario and purchase.bill is None]
    amounts = [purchase.amount_fen for purchase in sold]
    assert lowest < median(amounts) < highest
    assert sum(amounts) / len(amounts) > 1.2 * median(amounts)
    assert 0.005 < sum(amount > tail_from for amount in amounts) / len(amounts) < 0.02
    assert max(amounts) < end


def test_amounts_are_reserved_first_only_where_that_is_allowed() -> None:
    assert of(*HELD_FIRST)
    assert all(BY_NAME[purchase.scenario].may_hold for purchase in of(*HELD_FIRST))


def test_nothing_outside_medicine_needs_a_password() -> None:
    for scenario, curve in AMOUNT_CURVES.items():
        if TenderKind.POOL_FUND not in BY_NAME[scenario].tenders:
            assert curve[-1][1] <= BY_NAME[scenario].no_password_up_to


def test_every_venue_sells_and_each_scenario_has_a_growing_curve() -> None:
    sold = {scenario for (_, scenario), _ in VENUE_SHARES}
    at_tills = [purchase for purchase in SOLD if purchase.flavour is not Flavour.DEPOSIT]
    assert sold == set(AMOUNT_CURVES) == {purchase.scenario for purchase in at_tills}
    assert {(kind, scenario) for (kind, scenario), _ in VENUE_SHARES} == {
        (CITY.merchants[purchase.merchant].kind, purchase.scenario) for purchase in at_tills
    }
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
    assert digest == "de79dfcc7ad9cfe2dda8160867c4ea0cb17f73ce36ccbbfb06b724005ef587f3"


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
