"""What a channel may do as it stands, what stops it, and which figures do."""

import pytest

from engine.core.channel_risk import CHANNEL_RULES, ChannelFigures, ChannelRule, evidence_of, lifted, worst_hit
from engine.core.channels import (
    CHANNEL_TRANSITIONS,
    NOT_YET_LIVE,
    ChannelMove,
    ChannelState,
    ChannelTerms,
    Product,
    Standing,
    Stop,
    StopKind,
    StoppedChannels,
    after,
    is_in_networks,
    wrong_terms,
)
from engine.core.refusals import Refusal

SUSPENDED, NOT_GRANTED = Refusal.CHANNEL_SUSPENDED, Refusal.CHANNEL_NOT_AUTHORIZED
CHANNEL, OTHER = b"c" * 16, b"d" * 16


def standing(
    state: ChannelState = ChannelState.LIVE,
    *stops: Stop,
    products: frozenset[Product] = frozenset(Product),
    regions: tuple[int, ...] = (0,),
    parent: Standing | None = None,
) -> Standing:
    """A channel that may do everything, unless it is said otherwise."""
    return Standing(state=state, products=products, regions=regions, stops=stops, parent=parent)


def test_every_state_has_a_way_out_but_the_last() -> None:
    assert {state for state, _ in CHANNEL_TRANSITIONS} == set(ChannelState) - {ChannelState.TERMINATED}
    reached = set(CHANNEL_TRANSITIONS.values()) | {ChannelState.APPLIED}
    assert reached == set(ChannelState)


@pytest.mark.parametrize(
    ("state", "move", "outcome"),
    [
        (ChannelState.APPLIED, ChannelMove.GO_LIVE, Refusal.CHANNEL_TESTS_MISSING),
        (ChannelState.FUNCTION_TESTED, ChannelMove.APPROVE, Refusal.CHANNEL_TESTS_MISSING),
        (ChannelState.SECURITY_TESTED, ChannelMove.GO_LIVE, Refusal.CHANNEL_STATE_CONFLICT),
        (ChannelState.APPLIED, ChannelMove.PASS_SECURITY, Refusal.CHANNEL_STATE_CONFLICT),
        (ChannelState.TERMINATED, ChannelMove.RESUME, Refusal.CHANNEL_STATE_CONFLICT),
        (ChannelState.TERMINATED, ChannelMove.CHANGE, Refusal.CHANNEL_STATE_CONFLICT),
        (ChannelState.SUSPENDED, ChannelMove.CHANGE, ChannelState.SUSPENDED),
        (ChannelState.APPROVED, ChannelMove.GO_LIVE, ChannelState.LIVE),
    ],
)
def test_nothing_is_skipped_on_the_way(state: ChannelState, move: ChannelMove, outcome: ChannelState | Refusal) -> None:
    assert after(state, move) is outcome


@pytest.mark.parametrize("state", sorted(NOT_YET_LIVE))
def test_channel_that_is_not_live_yet_may_nothing(state: ChannelState) -> None:
    assert {standing(state).why_not(product, None) for product in Product} == {NOT_GRANTED}


def test_channel_that_rectifies_takes_on_nobody() -> None:
    found = standing(ChannelState.RECTIFYING)
    assert [found.why_not(product, 110101) for product in Product] == [SUSPENDED, *[None] * 5]


@pytest.mark.parametrize(
    ("stop", "product", "region", "refusal"),
    [
        (Stop(StopKind.SUSPEND, None, 0), Product.LOGIN, None, SUSPENDED),
        (Stop(StopKind.SUSPEND, Product.PAYMENT, 0), Product.LOGIN, None, None),
        (Stop(StopKind.SUSPEND, Product.PAYMENT, 0), Product.PAYMENT, None, SUSPENDED),
        (Stop(StopKind.SUSPEND, None, 110000), Product.PAYMENT, 110101, SUSPENDED),
        (Stop(StopKind.SUSPEND, None, 110000), Product.PAYMENT, 310101, None),
        (Stop(StopKind.SUSPEND, None, 110000), Product.PAYMENT, None, None),
        (Stop(StopKind.RECTIFY, None, 110000), Product.PAYMENT, 110101, None),
        (Stop(StopKind.RECTIFY, None, 110000), Product.CARDS, 110101, SUSPENDED),
        (Stop(StopKind.TERMINATE, Product.INQUIRY, 0), Product.INQUIRY, 110101, SUSPENDED),
    ],
)
def test_order_goes_as_far_as_it_says(
    stop: Stop, product: Product, region: int | None, refusal: Refusal | None
) -> None:
    assert standing(ChannelState.LIVE, stop).why_not(product, region) is refusal
    # A tier-2 channel has what its tier-1 channel has, and no more.
    assert standing(parent=standing(ChannelState.LIVE, stop)).why_not(product, region) is refusal


def test_what_is_not_granted_is_another_refusal() -> None:
    found = standing(products=frozenset({Product.CARDS}), regions=(110000,))
    assert found.why_not(Product.PAYMENT, None) is NOT_GRANTED
    assert found.why_not(Product.CARDS, 310000) is NOT_GRANTED
    assert found.why_not(Product.CARDS, 110101) is None
    assert standing(parent=found).why_not(Product.LOGIN, 110101) is NOT_GRANTED


def test_batch_knows_where_a_channel_is_stopped() -> None:
    stopped = StoppedChannels([(CHANNEL, 110000), (CHANNEL, 310100)])
    assert not StoppedChannels()
    assert stopped
    assert [stopped.includes(CHANNEL, region) for region in (110101, 310101, 310201)] == [True, True, False]
    assert not stopped.includes(OTHER, 110101)
    assert not stopped.includes(None, 110101)


@pytest.mark.parametrize(
    ("address", "networks", "is_in"),
    [
        ("192.0.2.7", ("192.0.2.0/24",), True),
        ("::ffff:192.0.2.7", ("192.0.2.0/24",), True),
        ("192.0.3.7", ("192.0.2.0/24", "2001:db8::/32"), False),
        ("2001:db8::1", ("192.0.2.0/24", "2001:db8::/32"), True),
        ("fe80::1%eth0", ("fe80::/64",), True),
        ("nonsense", ("0.0.0.0/0",), False),
        (None, ("0.0.0.0/0",), False),
        (None, (), True),
    ],
)
def test_address_is_in_the_list_or_there_is_none(address: str | None, networks: tuple[str, ...], is_in: bool) -> None:
    assert is_in_networks(address, networks) is is_in


def test_terms_are_judged_field_by_field() -> None:
    terms = ChannelTerms(
        name_zh=" ",
        name_en="App",
        contact="desk\n",
        region=1,
        products=(),
        regions=(110000, 1100),
        addresses=("192.0.2.1/24",),
        callback_urls=(),
    )
    wrong = [fault.field for fault in wrong_terms(terms, None)]
    assert wrong == ["name_zh", "contact", "region", "products", "regions", "addresses"]


def test_rules_want_enough_requests_before_a_share_means_anything() -> None:
    assert worst_hit(ChannelFigures(requests=199, errors=199), CHANNEL_RULES) is None
    share = worst_hit(ChannelFigures(requests=200, errors=100), CHANNEL_RULES)
    assert share is not None
    assert (share.name, share.kind) == ("error_share", StopKind.RECTIFY)
    assert worst_hit(ChannelFigures(requests=200, errors=99), CHANNEL_RULES) is None
    extreme = worst_hit(ChannelFigures(requests=1_000, errors=900), CHANNEL_RULES)
    assert extreme is not None
    assert extreme.kind is StopKind.SUSPEND
    assert worst_hit(ChannelFigures(requests=1_000, errors=900), lifted(CHANNEL_RULES)) is None


def test_wrong_signatures_alone_never_suspend() -> None:
    """Anybody can send them who knows a key's name."""
    found = worst_hit(ChannelFigures(signature_failures=10**6), CHANNEL_RULES)
    assert found is not None
    assert found.kind is StopKind.RECTIFY


def test_evidence_tells_what_was_found_and_from_where_on() -> None:
    rule = ChannelRule(name="error_share", kind=StopKind.RECTIFY, least=200, percent=50)
    told = evidence_of(rule, ChannelFigures(requests=210, errors=130), minute="2026-11-24T10:15Z")
    assert told == (
        "error_share: minute 2026-11-24T10:15Z, 210 requests, 130 errors, 0 signature failures;"
        " from 200 requests with 50 % errors on"
    )


def test_what_is_not_granted_is_told_before_what_is_stopped() -> None:
    """A stop of what pays is left to the lane, which knows nothing of grants."""
    few = frozenset({Product.CARDS})
    stopped = standing(ChannelState.SUSPENDED, products=few)
    assert [stopped.why_not(product, None) for product in (Product.CARDS, Product.PAYMENT)] == [SUSPENDED, NOT_GRANTED]
    first = standing(products=few)
    assert standing(ChannelState.SUSPENDED, parent=first).why_not(Product.PAYMENT, None) is NOT_GRANTED
    elsewhere = standing(ChannelState.SUSPENDED, regions=(310000,))
    assert elsewhere.why_not(Product.PAYMENT, 110101) is NOT_GRANTED


def test_channel_is_ended_by_its_own_end_or_that_of_its_tier_1_channel() -> None:
    ended = standing(ChannelState.TERMINATED)
    assert ended.is_ended
    assert standing(parent=ended).is_ended
    assert not standing(ChannelState.SUSPENDED, parent=standing()).is_ended
