"""What the cardholders of the sample city buy, and what goes wrong: a stream of planned purchases."""

import enum
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Literal

import msgspec

from engine.core.benefits import MedicalBill
from engine.core.payer import CardStatus, IssueLevel, TenderOrder
from engine.core.payments import Mode, TenderKind
from engine.core.refusals import Refusal
from engine.core.scenarios import (
    BY_NAME,
    INPATIENT,
    MUSEUM,
    OUTPATIENT,
    PARK,
    PHARMACY,
    SMALL_PAYMENT,
    TRANSIT,
    TRAVEL,
    UTILITIES,
)
from engine.sandbox.draws import Draws, Series
from engine.sandbox.medical_bills import Venue, covered, cut_to, sample_bill
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
    DEPOSIT = "deposit"  # of a hospital stay: raised once, and then the final bill decides
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


class Consent(enum.StrEnum):
    """What the cardholder does when asked for the password."""

    GIVEN = "given"
    MISTYPED = "mistyped"  # and given then
    WITHHELD = "withheld"  # the cashier lets the payment go


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a flavour of purchase needs and leads to."""

    share: int  # of ten thousand purchases
    is_captured: bool  # one payment of it reaches the merchant, whatever is refunded or refused after that
    refusal: Refusal | None = None  # of its only request, or of its second where the first is captured
    payer: Standing = "able"


PLANS: Final[Mapping[Flavour, Plan]] = {
    Flavour.PLAIN: Plan(share=8_900, is_captured=True),
    Flavour.REPEATED: Plan(share=50, is_captured=True),
    # Four in a hundred are captured in a second step.
    Flavour.AUTHORIZE_THEN_CAPTURE: Plan(share=300, is_captured=True),
    Flavour.PARTIAL_CAPTURE: Plan(share=100, is_captured=True),
    Flavour.VOID: Plan(share=50, is_captured=False),
    Flavour.DEPOSIT: Plan(share=100, is_captured=True),
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
HELD_FIRST: Final = frozenset({Flavour.AUTHORIZE_THEN_CAPTURE, Flavour.PARTIAL_CAPTURE, Flavour.VOID, Flavour.DEPOSIT})

# Most people show a code. The other ways are taken where nothing else is special about the purchase.
MODE_SHARES: Final = (
    (Mode.SHOW_CODE, 8_150),
    (Mode.SCAN_ORDER, 1_090),
    (Mode.CARD_READ, 540),
    (Mode.CASHIER, 220),
)
ANY_MODE: Final = frozenset({Flavour.PLAIN, Flavour.REFUND_FULL, Flavour.REFUND_PARTIAL})
BY_ORDER: Final = frozenset({Mode.SCAN_ORDER, Mode.CASHIER})

CONSENT_SHARES: Final = ((Consent.GIVEN, 88), (Consent.MISTYPED, 8), (Consent.WITHHELD, 4))

BILLED_SHARES: Final = ((True, 85), (False, 15))
"""Of what is bought at hospitals and pharmacies, how much is paid with the insurance's help."""

QUOTED_SHARES: Final = ((True, 20), (False, 80))
"""Of these bills, how many are pre-settled before they are paid."""

BILL_FEN_MAX: Final = 300_000
"""What one visit comes to at most: a hospital stay is another thing."""

NO_BILL: Final = frozenset({Flavour.PARTIAL_CAPTURE, Flavour.OVER_BALANCE})
"""A bill is captured whole; and with its fund somebody might have the money."""

STAY_LINES: Final = 60
DEPOSIT_CURVE: Final = ((0, 100_000), (10_000, 200_000))
RAISED_CURVE: Final = ((0, 50_000), (10_000, 150_000))

# A day of the city. What an agency bills takes more than a purchase at a till, and a hospital stay has its own flavour.
VENUE_SHARES: Final[tuple[tuple[tuple[MerchantKind, str], int], ...]] = (
    (("hospital", OUTPATIENT.name), 4_500),
    (("hospital", PHARMACY.name), 500),
    (("pharmacy", PHARMACY.name), 2_000),
    (("metro", TRANSIT.name), 1_000),
    (("store", SMALL_PAYMENT.name), 1_000),
    (("utility", UTILITIES.name), 400),
    (("park", PARK.name), 300),
    (("museum", MUSEUM.name), 150),
    (("travel_agency", TRAVEL.name), 150),
)
# Amounts in fen. The first two rise like a log-normal distribution: a median of 60 and 260 yuan, a tail to thousands.
# The others stay below what their scenarios let people pay without a password.
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
        (10_000, 480_000),
    ),
    TRANSIT.name: ((0, 300), (6_000, 600), (9_500, 1_000), (10_000, 4_000)),
    SMALL_PAYMENT.name: ((0, 300), (5_000, 2_500), (9_000, 6_000), (10_000, 19_000)),
    UTILITIES.name: ((0, 2_000), (5_000, 12_000), (9_000, 25_000), (10_000, 48_000)),
    PARK.name: ((0, 200), (5_000, 1_500), (9_000, 4_000), (10_000, 12_000)),
    MUSEUM.name: ((0, 1_000), (5_000, 4_000), (9_000, 8_000), (10_000, 18_000)),
    TRAVEL.name: ((0, 5_000), (5_000, 18_000), (10_000, 48_000)),
}
UNREGISTERED_TERMINAL: Final = "T-99"


class Purchase(msgspec.Struct, frozen=True, kw_only=True):
    """One planned purchase. Units: fen."""

    number: int
    flavour: Flavour
    mode: Mode
    merchant: int  # position among the merchants given
    terminal: str
    scenario: str
    amount_fen: int  # of a hospital stay: the deposit
    part_fen: (
        int | None
    )  # what is captured, refunded at most, or added to the deposit; None where that is all or nothing
    bill: MedicalBill | None  # what the insurance pays a part of
    is_quoted: bool  # the bill is pre-settled first
    consent: Consent  # should the payment need it
    cardholder: int  # position among the cardholders given


class Basket(msgspec.Struct, frozen=True):
    """What is bought. Units: fen."""

    amount: int
    part: int | None
    bill: MedicalBill | None
    is_quoted: bool


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
        if purses.have(plan.payer)
        and (flavour is not Flavour.SUSPENDED_MERCHANT or shops.have_suspended)
        and (flavour is not Flavour.DEPOSIT or shops.have_wards)
    )
    for number in range(count):
        draws = Draws(seed, Series.PURCHASES, number)
        flavour = draws.by_share(shares)
        mode = draws.by_share(MODE_SHARES) if flavour in ANY_MODE else Mode.SHOW_CODE
        merchant, terminal, scenario = shops.place(draws, flavour, mode)
        basket = _basket(draws, Draws(seed, Series.BILLS, number), flavour, mode, merchants[merchant].kind, scenario)
        payer, amount = purses.payer(draws, flavour, scenario, basket)
        consent = draws.by_share(CONSENT_SHARES)
        yield Purchase(
            number=number,
            flavour=flavour,
            mode=mode,
            merchant=merchant,
            terminal=terminal,
            scenario=scenario,
            amount_fen=amount,
            part_fen=basket.part,
            bill=basket.bill,
            is_quoted=basket.is_quoted,
            consent=consent if flavour is Flavour.PLAIN or consent is not Consent.WITHHELD else Consent.GIVEN,
            cardholder=payer,
        )


def _basket(draws: Draws, bills: Draws, flavour: Flavour, mode: Mode, kind: MerchantKind, scenario: str) -> Basket:
    """What is bought, and whether the insurance pays a part of it."""
    if flavour is Flavour.DEPOSIT:
        amount, raised = draws.along(DEPOSIT_CURVE), draws.along(RAISED_CURVE)
        stay = covered(sample_bill(bills, "hospital", line_count=STAY_LINES))
        return Basket(amount, raised, cut_to(stay, amount + raised), False)
    bill = None
    if kind in ("hospital", "pharmacy") and mode not in BY_ORDER and flavour not in NO_BILL:
        bill = _bill(bills, "hospital" if kind == "hospital" else "pharmacy")
    amount = sum(line.amount for line in bill.lines) if bill is not None else draws.along(AMOUNT_CURVES[scenario])
    part = amount * (1_000 + draws.below(8_001)) // 10_000 if flavour in PARTIAL else None
    is_quoted = bill is not None and PLANS[flavour].is_captured and bills.by_share(QUOTED_SHARES)
    return Basket(amount, part, bill, is_quoted)


def _bill(bills: Draws, venue: Venue) -> MedicalBill | None:
    """A visit's bill, if the insurance is asked to pay a part."""
    return cut_to(sample_bill(bills, venue), BILL_FEN_MAX) if bills.by_share(BILLED_SHARES) else None


def is_ride(purchase: Purchase) -> bool:
    """True if the cardholder goes through a gate that has no network: its ticket is brought in afterwards."""
    return purchase.flavour is Flavour.PLAIN and purchase.scenario == TRANSIT.name


class _Shops:
    """Where one can buy."""

    def __init__(self, merchants: Sequence[Merchant]) -> None:
        self._merchants = merchants
        self._suspended = [at for at, merchant in enumerate(merchants) if merchant.is_suspended]
        self._wards = [
            at
            for at, merchant in enumerate(merchants)
            if INPATIENT.name in merchant.scenarios and not merchant.is_suspended
        ]
        self._open: dict[tuple[MerchantKind, str], list[int]] = {venue: [] for venue, _ in VENUE_SHARES}
        for at, merchant in enumerate(merchants):
            for scenario in merchant.scenarios:
                if not merchant.is_suspended and (merchant.kind, scenario) in self._open:
                    self._open[merchant.kind, scenario].append(at)
        self._venues = tuple((venue, share) for venue, share in VENUE_SHARES if self._open[venue])
        self._holding = tuple((venue, share) for venue, share in self._venues if BY_NAME[venue[1]].may_hold)
        self._counters = tuple((venue, share) for venue, share in self._venues if venue[1] != TRANSIT.name)

    @property
    def have_suspended(self) -> bool:
        return bool(self._suspended)

    @property
    def have_wards(self) -> bool:
        return bool(self._wards)

    def place(self, draws: Draws, flavour: Flavour, mode: Mode) -> tuple[int, str, str]:
        """Merchant, terminal and scenario."""
        if flavour is Flavour.SUSPENDED_MERCHANT:
            at = draws.one_of(self._suspended)
            scenario = draws.one_of(self._merchants[at].scenarios)
        elif flavour is Flavour.DEPOSIT:
            at, scenario = draws.one_of(self._wards), INPATIENT.name
        else:
            venues = self._holding if flavour in HELD_FIRST else self._venues
            # At a gate nobody has the time for an order.
            kind, scenario = draws.by_share(self._counters if mode is not Mode.SHOW_CODE else venues)
            at = draws.one_of(self._open[kind, scenario])
        terminal = draws.one_of(self._merchants[at].terminals)
        return at, UNREGISTERED_TERMINAL if flavour is Flavour.UNKNOWN_TERMINAL else terminal, scenario


class _Purses:
    """What everybody can still spend: who has a bank card from that, others from the personal account.

    What the accounts and the insurance pay is left out where there is a bank card: it could pay all of it. So whatever
    comes first, and whoever's account helps whom, there is enough.
    """

    def __init__(self, payers: Sequence[Cardholder]) -> None:
        self._whole = [payer.spendable_fen for payer in payers]
        self._left = [_left(payer) for payer in payers]
        self._has_card = [payer.tender_order is not TenderOrder.PERSONAL_ACCOUNT_ONLY for payer in payers]
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

    def payer(self, draws: Draws, flavour: Flavour, scenario: str, basket: Basket) -> tuple[int, int]:
        """Who pays or tries to, and how much."""
        plan = PLANS[flavour]
        if plan.is_captured or plan.refusal is None:
            raised = basket.part or 0 if flavour is Flavour.DEPOSIT else 0
            return self._able(draws, scenario, basket.amount + raised, has_bill=basket.bill is not None), basket.amount
        at = draws.one_of(self._by_standing[plan.payer])
        if flavour is Flavour.OVER_BALANCE:
            return at, self._whole[at] + basket.amount
        return at, basket.amount

    def _able(self, draws: Draws, scenario: str, amount: int, *, has_bill: bool) -> int:
        """Somebody with the money. Of a bill the account may not pay everything, so who has it alone pays none."""
        by_card_only = has_bill or TenderKind.PERSONAL_ACCOUNT not in BY_NAME[scenario].tenders
        able = self._by_standing["able"]
        start = draws.below(len(able))
        for step in range(len(able)):
            at = able[(start + step) % len(able)]
            if self._left[at] >= amount and (self._has_card[at] or not by_card_only):
                self._left[at] -= amount
                return at
        raise ValueError("nobody has the money for another purchase")


def _left(payer: Cardholder) -> int:
    if payer.tender_order is TenderOrder.PERSONAL_ACCOUNT_ONLY:
        return payer.personal_account_fen
    return payer.bank_allowance_fen


def _standing(payer: Cardholder) -> Standing:
    if payer.status is CardStatus.LOST:
        return "lost"
    if payer.status is not CardStatus.ACTIVE:
        return "unusable"
    return "able" if payer.issue_level is IssueLevel.PAYMENT else "level_one"
