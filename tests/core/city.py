"""A small city: two merchants, two banks, and four cardholders who differ in what they may do."""

from datetime import date
from typing import Final

import msgspec

from engine.core.accounts import AccountId, pool_fund, pooling_area
from engine.core.benefits import Plan
from engine.core.books import Device, Merchant
from engine.core.ids import BankId, CardId, IdKind, MerchantId
from engine.core.payer import CardStatus, IssueLevel, Payer, TenderOrder
from engine.core.plan_book import PlanBook
from engine.core.rules import Rules
from engine.core.scenarios import OUTPATIENT, PHARMACY
from tests.builders import NO_LIMIT, World, an_id
from tests.insured import EMPLOYEES, WORKING, plan_of_area

BANK_ALLOWANCE: Final = 1_000
DEVICES_A_CITY: Final = 10
FUND_PAY_TYPE: Final = 310100
ANNUAL_CAP: Final = 120  # of what the fund pays for one person
LIMIT_A_DAY: Final = 600  # from a bank card
LIMIT_UNCONFIRMED: Final = 350

# Who pays from what, and who may not pay at all; and up to what amount without a password.
CARDHOLDERS: Final = (
    (TenderOrder.PERSONAL_ACCOUNT_FIRST, IssueLevel.PAYMENT, NO_LIMIT),
    (TenderOrder.BANK_CARD_ONLY, IssueLevel.PAYMENT, 300),
    (TenderOrder.PERSONAL_ACCOUNT_ONLY, IssueLevel.PAYMENT, NO_LIMIT),
    (TenderOrder.PERSONAL_ACCOUNT_FIRST, IssueLevel.QUERY, NO_LIMIT),
)
SCENARIOS_SERVED: Final = ((OUTPATIENT.number, PHARMACY.number), (PHARMACY.number,))


class City(msgspec.Struct, frozen=True, kw_only=True):
    """Who is in a city. No two cities share a participant or an account."""

    region: int
    world: World
    payers: tuple[Payer, ...]

    @property
    def fund(self) -> AccountId:
        """The city's pooled fund."""
        return pool_fund(pooling_area(self.region), FUND_PAY_TYPE)

    @property
    def plan(self) -> Plan:
        """The city's benefit plan: the fund pays what is covered, up to its cap."""
        return msgspec.structs.replace(plan_of_area(pooling_area(self.region)), annual_cap=ANNUAL_CAP)

    @property
    def rules(self) -> Rules:
        """The rules as they are in this city."""
        return Rules(version=1, plans=PlanBook([self.plan]))

    @property
    def merchants(self) -> dict[MerchantId, Merchant]:
        """The merchants as a batch sees them."""
        return {
            merchant: Merchant(id=merchant, region=self.region, is_suspended=False, scenarios=scenarios)
            for merchant, scenarios in zip(self.world.merchants, SCENARIOS_SERVED, strict=True)
        }

    @property
    def devices(self) -> dict[int, Device]:
        """One phone a card."""
        return {self.world.device_no(n): Device(payer.id, False) for n, payer in enumerate(self.payers)}

    @property
    def terminals(self) -> set[tuple[MerchantId, str]]:
        """One terminal a merchant."""
        return {(merchant, self.world.terminal_id) for merchant in self.world.merchants}


def a_city(number: int) -> City:
    """The *number*-th city; its cardholders have nothing yet."""
    region = 110_001 + 100 * number
    banks = tuple(BankId(an_id(IdKind.BANK, region=region)) for _ in range(2))
    cards = tuple(CardId(an_id(IdKind.CARD, region=region, shard=10 + n)) for n in range(len(CARDHOLDERS)))
    return City(
        region=region,
        world=World(
            merchants=tuple(MerchantId(an_id(IdKind.MERCHANT, region=region)) for _ in SCENARIOS_SERVED),
            banks=banks,
            cards=cards,
            first_device=number * DEVICES_A_CITY,
        ),
        payers=tuple(
            Payer(
                id=card,
                status=CardStatus.ACTIVE,
                issue_level=level,
                bank=banks[n % len(banks)],
                bank_allowance=BANK_ALLOWANCE,
                tender_order=order,
                limit_day=date.min,
                limit_a_day=LIMIT_A_DAY,
                limit_unconfirmed=LIMIT_UNCONFIRMED,
                no_password_up_to=no_password_up_to,
                password_version=1,
                insured_region=region,
                insurance=EMPLOYEES,
                person_type=WORKING,
            )
            for n, (card, (order, level, no_password_up_to)) in enumerate(zip(cards, CARDHOLDERS, strict=True))
        ),
    )
