"""The cardholders of the sample city: valid invented identities, a realistic spread of money and states."""

from collections.abc import Iterator
from datetime import date
from typing import Final

import msgspec

from engine.core.payer import NO_PASSWORD_UP_TO_FEN, CardStatus, IssueLevel, TenderOrder
from engine.sandbox.draws import Draws, Series, scattered
from engine.sandbox.names import Sex, full_name
from engine.sandbox.numbers import (
    CARD_NUMBERS_MAX,
    PHONES_MAX,
    id_number,
    sample_card_number,
    sample_phone,
)
from engine.sandbox.participants import BANKS, CHANNELS
from engine.sandbox.regions import BIRTHPLACES, BORN_FIRST_ON, BORN_LAST_ON, DISTRICTS, birthplace_code

CARDHOLDERS_DEFAULT: Final = 10_000

STATUS_SHARES: Final = (
    (CardStatus.ACTIVE, 9_880),
    (CardStatus.LOST, 50),
    (CardStatus.SUSPENDED, 30),
    (CardStatus.CANCELLED, 30),
    (CardStatus.EXPIRED, 10),
)
ISSUE_LEVEL_SHARES: Final = ((IssueLevel.PAYMENT, 9_700), (IssueLevel.QUERY, 300))
TENDER_ORDER_SHARES: Final = (
    (TenderOrder.PERSONAL_ACCOUNT_FIRST, 9_000),
    (TenderOrder.BANK_CARD_ONLY, 800),
    (TenderOrder.PERSONAL_ACCOUNT_ONLY, 200),
)
# What cardholders let be paid without their password, in fen: most leave it as it is.
NO_PASSWORD_SHARES: Final = (
    (NO_PASSWORD_UP_TO_FEN, 8_600),
    (200_000, 300),
    (80_000, 100),
    (50_000, 400),
    (20_000, 400),
    (0, 200),
)
# What a cardholder's bank lets be collected in a day, in fen. The most is the daily limit of payments
# verified by two factors.
BANK_ALLOWANCE_SHARES: Final = ((100_000, 1_500), (200_000, 3_500), (300_000, 2_500), (500_000, 2_500))
# Opening balances in fen: one in eleven has nothing, most have 200 to 3,000 yuan, a few 20,000.
PERSONAL_ACCOUNT_CURVE: Final = (
    (0, 0),
    (900, 0),
    (1_800, 20_000),
    (5_000, 90_000),
    (8_200, 300_000),
    (9_600, 800_000),
    (9_900, 1_600_000),
    (10_000, 2_500_000),
)

# The standard kept these for people over a hundred years of age, so that in the years of `BORN_FIRST_ON` to
# `BORN_LAST_ON` they were given to nobody: a sample number is valid and yet no real person's.
_SEQUENCES: Final[dict[Sex, tuple[int, int]]] = {"male": (997, 999), "female": (996, 998)}
_SEXES: Final[tuple[Sex, Sex]] = ("female", "male")
_BIRTHDAYS: Final = BORN_LAST_ON.toordinal() - BORN_FIRST_ON.toordinal() + 1
CARDHOLDERS_MAX: Final = len(BIRTHPLACES) * _BIRTHDAYS * 2
"""As many as have different birthplaces, birthdays and sequence numbers."""

_DISTRICT_SHARES: Final = tuple((district.code, district.residents) for district in DISTRICTS)
_BANK_SHARES: Final = tuple((bank.cnaps, bank.card_share) for bank in BANKS)
_CHANNEL_SHARES: Final = tuple((channel.channel_no, channel.user_share) for channel in CHANNELS)


class Cardholder(msgspec.Struct, frozen=True, kw_only=True):
    """A person with a social security card and its electronic counterpart. Units: fen."""

    index: int
    full_name: str
    id_number: str
    phone: str
    card_no: str  # of the physical card
    region: int  # the district that issued the card, not the birthplace in the ID number
    cnaps: str  # the bank of the card's account
    channel_no: str  # the app that shows the card
    personal_account_fen: int
    bank_allowance_fen: int  # a day
    issue_level: IssueLevel
    status: CardStatus
    tender_order: TenderOrder
    no_password_up_to_fen: int  # of one payment

    def __repr__(self) -> str:
        return f"Cardholder(index={self.index})"  # even invented personal data stays out of logs

    @property
    def can_pay_at_once(self) -> bool:
        """True if the card pays ordinary amounts without more ado, from its account and from its bank card."""
        return (
            self.status is CardStatus.ACTIVE
            and self.issue_level is IssueLevel.PAYMENT
            and self.no_password_up_to_fen >= NO_PASSWORD_UP_TO_FEN
            and self.personal_account_fen > 0
            and self.bank_allowance_fen > 0
        )

    @property
    def spendable_fen(self) -> int:
        """The most that the tenders can give in a day."""
        match self.tender_order:
            case TenderOrder.PERSONAL_ACCOUNT_FIRST:
                return self.personal_account_fen + self.bank_allowance_fen
            case TenderOrder.BANK_CARD_ONLY:
                return self.bank_allowance_fen
            case TenderOrder.PERSONAL_ACCOUNT_ONLY:
                return self.personal_account_fen


def cardholders(count: int = CARDHOLDERS_DEFAULT, *, seed: int) -> Iterator[Cardholder]:
    """The first *count* people of the city with this seed, made one at a time.

    Order: a longer series begins with the shorter one.
    Bounds: at most `CARDHOLDERS_MAX`; ID numbers, phones and card numbers are all different.
    """
    for index in range(count):
        yield cardholder(index, seed=seed)


def cardholder(index: int, *, seed: int) -> Cardholder:
    """The person at that place of the series, made without the ones before."""
    draws = Draws(seed, Series.CARDHOLDERS, index)
    offsets = Draws(seed, Series.OFFSETS)
    sex = draws.one_of(_SEXES)
    return Cardholder(
        index=index,
        full_name=full_name(draws, sex),
        id_number=_id_number(index, sex, offset=offsets.below(CARDHOLDERS_MAX)),
        phone=sample_phone(index, offset=offsets.below(PHONES_MAX)),
        card_no=sample_card_number(index, offset=offsets.below(CARD_NUMBERS_MAX)),
        region=draws.by_share(_DISTRICT_SHARES),
        cnaps=draws.by_share(_BANK_SHARES),
        channel_no=draws.by_share(_CHANNEL_SHARES),
        personal_account_fen=draws.along(PERSONAL_ACCOUNT_CURVE),
        bank_allowance_fen=draws.by_share(BANK_ALLOWANCE_SHARES),
        issue_level=draws.by_share(ISSUE_LEVEL_SHARES),
        status=draws.by_share(STATUS_SHARES),
        tender_order=draws.by_share(TENDER_ORDER_SHARES),
        no_password_up_to_fen=draws.by_share(NO_PASSWORD_SHARES),
    )


def _id_number(index: int, sex: Sex, *, offset: int) -> str:
    place_and_day, nth = divmod(scattered(index, size=CARDHOLDERS_MAX, offset=offset), 2)
    day, place = divmod(place_and_day, len(BIRTHPLACES))
    born_on = date.fromordinal(BORN_FIRST_ON.toordinal() + day)
    return id_number(region=birthplace_code(place, born_on), born_on=born_on, sequence=_SEQUENCES[sex][nth])
