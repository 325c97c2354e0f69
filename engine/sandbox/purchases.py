"""What the cardholders of the sample city buy, and what goes wrong: a stream of planned purchases."""

import enum
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Literal

import msgspec

from engine.core.payer import CardStatus, IssueLevel
from engine.core.refusals import Refusal
from engine.core.scenarios import OUTPATIENT, PHARMACY
from engine.sandbox.draws import Draws, Series
from engine.sandbox.participants import Merchant, MerchantKind
from engine.sandbox.people import Cardholder

Standing = Literal["able", "level_one", "lost", "unusable"]


class Flavour(enum.StrEnum):
    """How a purchase is meant to go."""

    PLAIN = "plain"
    REPEATED = "repeated"  # sent again with the same key, as after a lost answer
    AUTHORIZE_THEN_CAPTURE = "authorize_then_capture"
    PARTIAL_CAPTURE = "partial_capture"
    VOID = "void"
    REFUND_FULL = "refund_full"
    REFUND_PARTIAL = "refund_partial"
    EXPIRED_CODE = "expired_code"
    REUSED_CODE = "reused_code"  # a payment, then another with its code
    BAD_CODE = "bad_code"  # a digit misread
    WRONG_CODE = "wrong_code"  # well-formed, but not what the phone would show
    FOREIGN_CODE = "foreign_code"  # another wallet's
    OVER_BALANCE = "over_balance"
    REPEATED_ORDER = "repeated_order"  # a payment, then its order number with a new key and code
    LEVEL_ONE_CARD = "level_one_card"
    LOST_CARD = "lost_card"
    UNUSABLE_CARD = "unusable_card"
    SUSPENDED_MERCHANT = "suspended_merchant"
    UNKNOWN_TERMINAL = "unknown_terminal"


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a flavour of purchase needs and leads to."""

    share: int  # of ten thousand purchases
    is_captured: bool  # one payment of it reaches the merchant, whatever is refunded or refused after that
    refusal: Refusal | None = None  # of its only request, or of its second where the first is captured
    payer: Standing = "able"


PLANS: Final[Mapping[Flavour, Plan]] = {
    Flavour.PLAIN: Plan(share=9_000, is_captured=True),
    Flavour.REPEATED: Plan(share=50, is_captured=True),
    # Four in a hundred are captured in a second step.
    Flavour.AUTHORIZE_THEN_CAPTURE: Plan(share=300, is_captured=True),
    Flavour.PARTIAL_CAPTURE: Plan(share=100, is_captured=True),
    Flavour.VOID: Plan(share=50, is_captured=False),
    # Two in a hundred are refunded.
    Flavour.REFUND_FULL: Plan(share=120, is_captured=True),
    Flavour.REFUND_PARTIAL: Plan(share=80, is_captured=True),
    # Three in a hundred are refused.
    Flavour.EXPIRED_CODE: Plan(share=70, is_captured=False, refusal=Refusal.PAY_CODE_EXPIRED),
    Flavour.REUSED_CODE: Plan(share=40, is_captured=True, refusal=Refusal.PAY_CODE_USED),
    Flavour.BAD_CODE: Plan(share=30, is_captured=False, refusal=Refusal.PAY_CODE_MALFORMED),
    Flavour.WRONG_CODE: Plan(share=10, is_captured=False, refusal=Refusal.PAY_CODE_WRONG),
    Flavour.FOREIGN_CODE: Plan(share=50, is_captured=False, refusal=Refusal.PAY_CODE_FOREIGN),
    Flavour.OVER_BALANCE: Plan(share=40, is_captured=False, refusal=Refusal.INSUFFICIENT_FUNDS),
    Flavour.REPEATED_ORDER: Plan(share=20, is_captured=True, refusal=Refusal.ORDER_ALREADY_PAID),
    Flavour.LEVEL_ONE_CARD: Plan(share=15, is_captured=False, refusal=Refusal.PAYMENT_NOT_ENABLED, payer="level_one"),
    Flavour.LOST_CARD: Plan(share=10, is_captured=False, refusal=Refusal.CARD_REPORTED_LOST, payer="lost"),
    Flavour.UNUSABLE_CARD: Plan(share=5, is_captured=False, refusal=Refusal.CARD_NOT_USABLE, payer="unusable"),
    Flavour.SUSPENDED_MERCHANT: Plan(share=5, is_captured=False, refusal=Refusal.MERCHANT_SUSPENDED),
    Flavour.UNKNOWN_TERMINAL: Plan(share=5, is_captured=False, refusal=Refusal.TERMINAL_UNKNOWN),
}
PARTIAL: Final = frozenset({Flavour.PARTIAL_CAPTURE, Flavour.REFUND_PARTIAL})

VENUE_SHARES: Final[tuple[tuple[tuple[MerchantKind, str], int], ...]] = (
    (("hospital", OUTPATIENT.name), 5_500),
    (("hospital", PHARMACY.name), 500),
    (("pharmacy", PHARMACY.name), 4_000),
)
# Amounts in fen. Both rise like a log-normal distribution: a median of 60 and 260 yuan, a tail to thousands.
AMOUNT_CURVES: Final[Mapping[str, tuple[tuple[int, int], ...]]] = {
    PHARMACY.name: (
        (0, 500),
        (1_000, 2_400),
        (2_500, 3_800),
        (5_000, 6_000),
        (7_500, 9_600),
        (9_000, 14_800),
        (9_900, 30_600),
        (9_990, 52_000),
        (10_000, 120_000),
    ),
    OUTPATIENT.name: (
        (0, 1_000),
        (1_000, 8_200),
        (2_500, 14_200),
        (5_000, 26_000),
        (7_500, 47_700),
        (9_000, 82_400),
        (9_900, 211_000),
        (9_990, 420_000),
        (10_000, 800_000),
    ),
}
UNREGISTERED_TERMINAL: Final = "T-99"


class Purchase(msgspec.Struct, frozen=True, kw_only=True):
    """One planned purchase. Units: fen."""

    number: int
    flavour: Flavour
    merchant: int  # position among the merchants given
    terminal: str
    scenario: str
    amount_fen: int
    part_fen: int | None  # what is captured or refunded of it; None where that is all or nothing
    cardholder: int  # position among the cardholders given


def purchases(
    merchants: Sequence[Merchant], payers: Sequence[Cardholder], *, count: int, seed: int
) -> Iterator[Purchase]:
    """Plan *count* purchases that end as their flavour says, whatever the order in which they are made.

    Nobody is planned to spend more in all than the tenders can give in one day, so that only `OVER_BALANCE`
    lacks funds. Flavours that need a card or a merchant which is not there do not occur.

    Order: a longer series begins with the shorter one.

    Raises:
        ValueError: nobody has the money for another purchase.
    """
    shops = _Shops(merchants)
    purses = _Purses(payers)
    shares = tuple(
        (flavour, plan.share)
        for flavour, plan in PLANS.items()
        if purses.have(plan.payer) and (flavour is not Flavour.SUSPENDED_MERCHANT or shops.have_suspended)
    )
    for number in range(count):
        draws = Draws(seed, Series.PURCHASES, number)
        flavour = draws.by_share(shares)
        merchant, terminal, scenario = shops.place(draws, flavour)
        amount = draws.along(AMOUNT_CURVES[scenario])
        payer, amount = purses.payer(draws, flavour, amount)
        yield Purchase(
            number=number,
            flavour=flavour,
            merchant=merchant,
            terminal=terminal,
            scenario=scenario,
            amount_fen=amount,
            part_fen=amount * (1_000 + draws.below(8_001)) // 10_000 if flavour in PARTIAL else None,
            cardholder=payer,
        )


class _Shops:
    """Where one can buy."""

    def __init__(self, merchants: Sequence[Merchant]) -> None:
        self._merchants = merchants
        self._suspended = [at for at, merchant in enumerate(merchants) if merchant.is_suspended]
        self._open: dict[tuple[MerchantKind, str], list[int]] = {venue: [] for venue, _ in VENUE_SHARES}
        for at, merchant in enumerate(merchants):
            for scenario in merchant.scenarios:
                if not merchant.is_suspended:
                    self._open[merchant.kind, scenario].append(at)
        self._venues = tuple((venue, share) for venue, share in VENUE_SHARES if self._open[venue])

    @property
    def have_suspended(self) -> bool:
        return bool(self._suspended)

    def place(self, draws: Draws, flavour: Flavour) -> tuple[int, str, str]:
        """Merchant, terminal and scenario."""
        if flavour is Flavour.SUSPENDED_MERCHANT:
            at = draws.one_of(self._suspended)
            scenario = draws.one_of(self._merchants[at].scenarios)
        else:
            kind, scenario = draws.by_share(self._venues)
            at = draws.one_of(self._open[kind, scenario])
        terminal = draws.one_of(self._merchants[at].terminals)
        return at, UNREGISTERED_TERMINAL if flavour is Flavour.UNKNOWN_TERMINAL else terminal, scenario


class _Purses:
    """What everybody can still spend."""

    def __init__(self, payers: Sequence[Cardholder]) -> None:
        self._whole = [payer.spendable_fen for payer in payers]
        self._left = list(self._whole)
        self._by_standing: dict[Standing, list[int]] = {
            "able": [],
            "level_one": [],
            "lost": [],
            "unusable": [],
        }
        for at, payer in enumerate(payers):
            self._by_standing[_standing(payer)].append(at)

    def have(self, standing: Standing) -> bool:
        return bool(self._by_standing[standing])

    def payer(self, draws: Draws, flavour: Flavour, amount: int) -> tuple[int, int]:
        """Who pays or tries to, and how much."""
        plan = PLANS[flavour]
        if plan.is_captured or plan.refusal is None:
            return self._able(draws, amount), amount
        at = draws.one_of(self._by_standing[plan.payer])
        if flavour is Flavour.OVER_BALANCE:
            return at, self._whole[at] + amount
        return at, amount

    def _able(self, draws: Draws, amount: int) -> int:
        able = self._by_standing["able"]
        start = draws.below(len(able))
        for step in range(len(able)):
            at = able[(start + step) % len(able)]
            if self._left[at] >= amount:
                self._left[at] -= amount
                return at
        raise ValueError("nobody has the money for another purchase")


def _standing(payer: Cardholder) -> Standing:
    if payer.status is CardStatus.LOST:
        return "lost"
    if payer.status is not CardStatus.ACTIVE:
        return "unusable"
    return "able" if payer.issue_level is IssueLevel.PAYMENT else "level_one"
