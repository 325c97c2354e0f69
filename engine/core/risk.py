"""Dynamic risk control as one table: what is counted, over which time, from which figure on, and what is done then.

Counters are hints: they are shared between processes late, or not at all. What must hold exactly is a limit on the
payer's row, not a rule here.
"""

import enum
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec

from engine.core.ids import CardId, MerchantId

MINUTE_S: Final = 60
TEN_MINUTES_S: Final = 600
WEEK_S: Final = 7 * 86_400
THRESHOLD_MAX: Final = 10**15
SANDBOX_FACTOR: Final = 1_000
NIGHT_FROM_H: Final = 23
NIGHT_TO_H: Final = 5
_SHANGHAI_AHEAD_S: Final = 8 * 3_600  # all of China, without daylight saving time


class Action(enum.IntEnum):
    """What is done about a payment, in order of severity. Stored; numbers are never re-used."""

    ALLOW = 0
    CHALLENGE = 1  # the cardholder has to confirm with the password
    HOLD_FOR_REVIEW = 2  # the money is held until an operator has looked at it
    DENY = 3


class Counted(enum.Enum):
    """What is counted."""

    ATTEMPTS = "attempts"  # payments that were asked for, however they ended
    CARDS = "cards"  # different ones among them
    PAYMENTS = "payments"  # that were made
    TURNOVER = "turnover"  # of those, in fen
    REFUNDS = "refunds"
    DECLINES = "declines"
    WRONG_PASSWORDS = "wrong_passwords"


class Per(enum.IntEnum):
    """By whom it is counted."""

    PAYER = 0  # the phone whose code is shown, or the card that is read
    TERMINAL = 1
    MERCHANT = 2
    CHANNEL = 3


class Counter(msgspec.Struct, frozen=True):
    """One kind of figure. It begins anew with each window, and windows begin at whole multiples of their length."""

    name: str
    counted: Counted
    per: Per
    window_s: int


class Kind(enum.Enum):
    """What is compared with a rule's threshold."""

    COUNT = "count"  # the counter, this payment included
    NIGHT_AMOUNT = "night_amount"  # this payment in fen, at night
    SPIKE = "spike"  # this payment in percent of the usual one: the mean of the window
    SHARE = "share"  # the counter in percent of the one that it is set against


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule: it hits from its threshold on. With ALLOW for its action it is switched off.

    `least`: with fewer than so many in `against`, nothing is usual and no share means anything.
    """

    name: str
    kind: Kind
    counter: Counter | None = None
    against: Counter | None = None
    threshold: int
    action: Action
    least: int = 0


ATTEMPTS_OF_PAYER: Final = Counter("attempts_of_payer", Counted.ATTEMPTS, Per.PAYER, MINUTE_S)
ATTEMPTS_AT_TERMINAL: Final = Counter("attempts_at_terminal", Counted.ATTEMPTS, Per.TERMINAL, MINUTE_S)
ATTEMPTS_AT_MERCHANT: Final = Counter("attempts_at_merchant", Counted.ATTEMPTS, Per.MERCHANT, MINUTE_S)
ATTEMPTS_OF_CHANNEL: Final = Counter("attempts_of_channel", Counted.ATTEMPTS, Per.CHANNEL, MINUTE_S)
CARDS_AT_TERMINAL: Final = Counter("cards_at_terminal", Counted.CARDS, Per.TERMINAL, MINUTE_S)
PAYMENTS_AT_MERCHANT: Final = Counter("payments_at_merchant", Counted.PAYMENTS, Per.MERCHANT, WEEK_S)
TURNOVER_OF_MERCHANT: Final = Counter("turnover_of_merchant", Counted.TURNOVER, Per.MERCHANT, WEEK_S)
REFUNDS_OF_MERCHANT: Final = Counter("refunds_of_merchant", Counted.REFUNDS, Per.MERCHANT, WEEK_S)
DECLINES_OF_PAYER: Final = Counter("declines_of_payer", Counted.DECLINES, Per.PAYER, TEN_MINUTES_S)
WRONG_OF_PAYER: Final = Counter("wrong_passwords_of_payer", Counted.WRONG_PASSWORDS, Per.PAYER, TEN_MINUTES_S)
WRONG_AT_TERMINAL: Final = Counter("wrong_passwords_at_terminal", Counted.WRONG_PASSWORDS, Per.TERMINAL, TEN_MINUTES_S)

RULES: Final[tuple[Rule, ...]] = (
    # A phone makes twenty codes a minute at most, so more than that are codes that were shown again.
    Rule(
        name="payer_velocity", kind=Kind.COUNT, counter=ATTEMPTS_OF_PAYER, threshold=30, action=Action.HOLD_FOR_REVIEW
    ),
    # A busy till takes five payments a second, a busy hospital fifty.
    Rule(name="terminal_velocity", kind=Kind.COUNT, counter=ATTEMPTS_AT_TERMINAL, threshold=900, action=Action.DENY),
    Rule(name="merchant_velocity", kind=Kind.COUNT, counter=ATTEMPTS_AT_MERCHANT, threshold=12_000, action=Action.DENY),
    Rule(name="channel_velocity", kind=Kind.COUNT, counter=ATTEMPTS_OF_CHANNEL, threshold=120_000, action=Action.DENY),
    Rule(name="many_cards", kind=Kind.COUNT, counter=CARDS_AT_TERMINAL, threshold=600, action=Action.HOLD_FOR_REVIEW),
    # 100,000.00 yuan: above what a bank card pays in a day, and above nearly every hospital's deposit.
    Rule(name="night_amount", kind=Kind.NIGHT_AMOUNT, threshold=10_000_000, action=Action.CHALLENGE),
    Rule(
        name="amount_spike",
        kind=Kind.SPIKE,
        counter=TURNOVER_OF_MERCHANT,
        against=PAYMENTS_AT_MERCHANT,
        threshold=100_000,  # a thousand times the usual: a hospital's bills differ that much from its registration fees
        action=Action.CHALLENGE,
        least=1_000,
    ),
    Rule(
        name="refund_share",
        kind=Kind.SHARE,
        counter=REFUNDS_OF_MERCHANT,
        against=PAYMENTS_AT_MERCHANT,
        threshold=60,
        action=Action.HOLD_FOR_REVIEW,
        least=500,
    ),
    Rule(name="payer_declines", kind=Kind.COUNT, counter=DECLINES_OF_PAYER, threshold=60, action=Action.CHALLENGE),
    # Five in a row lock the password anyway; this is for those who stop at four.
    Rule(name="payer_passwords", kind=Kind.COUNT, counter=WRONG_OF_PAYER, threshold=10, action=Action.DENY),
    Rule(name="terminal_passwords", kind=Kind.COUNT, counter=WRONG_AT_TERMINAL, threshold=50, action=Action.DENY),
)
RULE_NAMES: Final = tuple(rule.name for rule in RULES)
BY_NAME: Final[Mapping[str, Rule]] = {rule.name: rule for rule in RULES}
COUNTERS: Final[tuple[Counter, ...]] = tuple(
    {
        counter.name: counter for rule in RULES for counter in (rule.counter, rule.against) if counter is not None
    }.values()
)

assert len(BY_NAME) == len(RULES), "a rule's name is its own"


class RiskFacts(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is known about a payment before it is decided. Units: fen. `region` is the merchant's.

    Of the payer there is the phone's number, the card, or neither: then nothing is counted by payer.
    """

    merchant: MerchantId
    region: int
    terminal_id: str
    amount: int = 0
    device_no: int | None = None
    card: CardId | None = None
    channel: bytes | None = None


class Hit(msgspec.Struct, frozen=True, gc=False):
    """A rule that hits: the figure that it has found, and from which one on it hits."""

    rule: str
    found: int
    threshold: int
    action: Action


class Assessment(msgspec.Struct, frozen=True, gc=False):
    """What is to be done about a payment: the most severe action of the rules that hit."""

    action: Action
    hits: tuple[Hit, ...]


ALLOWED: Final = Assessment(Action.ALLOW, ())


class Override(msgspec.Struct, frozen=True, kw_only=True):
    """A rule as operators want it, for a region with all below it, or for one merchant (`region` is then its own)."""

    rule: str
    region: int
    merchant: MerchantId | None
    threshold: int
    action: Action


def assess(facts: RiskFacts, counts: Mapping[str, int], rules: tuple[Rule, ...], *, now_s: float) -> Assessment:
    """The most severe action of the rules that hit, and all of these.

    Shape: *counts* by the names of counters, this payment included among the attempts and cards; what is not there is
    zero. Units: *now_s* in unix seconds of business time.
    """
    hits: list[Hit] | None = None
    for rule in rules:
        kind = rule.kind
        if kind is Kind.COUNT:
            assert rule.counter is not None
            found = counts.get(rule.counter.name, 0)
        elif kind is Kind.NIGHT_AMOUNT:
            found = facts.amount if is_night(now_s) else 0
        else:
            found = _percent(rule, facts, counts)
        if found >= rule.threshold and rule.action is not Action.ALLOW:
            if hits is None:
                hits = []
            hits.append(Hit(rule.name, found, rule.threshold, rule.action))
    if hits is None:
        return ALLOWED
    return Assessment(max(hit.action for hit in hits), tuple(hits))


def is_night(now_s: float) -> bool:
    """True from 23:00 to 05:00 in China. Units: unix seconds."""
    hour = (int(now_s) + _SHANGHAI_AHEAD_S) // 3_600 % 24
    return hour >= NIGHT_FROM_H or hour < NIGHT_TO_H


def rules_for(
    rules: tuple[Rule, ...], overrides: Iterable[Override], *, merchant: MerchantId | None, region: int
) -> tuple[Rule, ...]:
    """The rules that hold for a merchant of a region: its own, else those of the nearest region, else the table's."""
    nearest = nearest_overrides(overrides, merchant=merchant, region=region)
    return tuple(_overridden(rule, nearest.get(rule.name)) for rule in rules)


def nearest_overrides(
    overrides: Iterable[Override], *, merchant: MerchantId | None, region: int
) -> dict[str, Override]:
    """What holds in place of the table's own rules, by name: what is said of the merchant, else of the nearest region.

    Without *merchant*, what holds for a merchant of the region of which nothing is said.
    """
    places: list[int | MerchantId] = list(enclosing(region))
    if merchant is not None:
        places.insert(0, merchant)
    nearest: dict[str, tuple[int, Override]] = {}
    for override in overrides:
        place = override.merchant if override.merchant is not None else override.region
        if place not in places:
            continue
        distance = places.index(place)
        if override.rule not in nearest or distance < nearest[override.rule][0]:
            nearest[override.rule] = (distance, override)
    return {name: override for name, (_, override) in nearest.items()}


def enclosing(region: int) -> Iterator[int]:
    """The region, its city, its province and the country, each once.

    Source: GB/T 2260, two digits each of province, city and district.
    """
    yield from dict.fromkeys((region, region // 100 * 100, region // 10_000 * 10_000, 0))


def is_as_strict(new: Rule, old: Rule) -> bool:
    """True if nobody can do more under *new* than under *old*."""
    return new.threshold <= old.threshold and new.action >= old.action


def lifted(rules: tuple[Rule, ...], factor: int = SANDBOX_FACTOR) -> tuple[Rule, ...]:
    """The rules with so many times the figures, so that a load test is no attack."""
    return tuple(msgspec.structs.replace(rule, threshold=rule.threshold * factor) for rule in rules)


def _percent(rule: Rule, facts: RiskFacts, counts: Mapping[str, int]) -> int:
    """The payment in percent of the usual one, or one counter in percent of the other; nothing while there are few."""
    assert rule.counter is not None
    assert rule.against is not None
    counted, against = counts.get(rule.counter.name, 0), counts.get(rule.against.name, 0)
    if against < rule.least or against == 0:
        return 0
    if rule.kind is Kind.SHARE:
        return counted * 100 // against
    return facts.amount * against * 100 // counted if counted > 0 else 0


def _overridden(rule: Rule, override: Override | None) -> Rule:
    if override is None:
        return rule
    return msgspec.structs.replace(rule, threshold=override.threshold, action=override.action)
