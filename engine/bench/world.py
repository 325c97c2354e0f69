"""The small world of `engine bench ledger`: whose payments they are, and the payments themselves.

Every payment pays a medical bill of two lines by three tenders, hence three postings: the pooled fund, all that is left
on the personal account, and the bank card. For that, a card's personal account is given `PERSONAL_FEN` before the card
pays; that is outside the clock.
"""

from datetime import UTC, date, datetime
from typing import Final

import asyncpg
import msgspec

from engine.codes.pay_code import REFRESH_MAX
from engine.core.accounts import PERSONAL_ACCOUNT_PAY_TYPE, pooling_area
from engine.core.benefits import HOSPITAL_LEVELS, BillLine, BillPart, CatalogueItem, ItemClass, MedicalBill, Plan
from engine.core.commands import Authorize, OpenAccount, PresentedCode
from engine.core.ids import (
    NO_ID,
    SHARD_COUNT,
    BankId,
    CallerId,
    CardId,
    IdKind,
    MerchantId,
    PaymentId,
    device_number,
    shard_of,
)
from engine.core.payer import CardStatus, IssueLevel, Payer, TenderOrder
from engine.core.scenarios import OUTPATIENT, PHARMACY
from engine.flows.clock import IdSource
from engine.store.plans import advance_rules, insert_plans
from engine.store.rows import payer_row

REGION: Final = 110101
POOL_FUND_PAY_TYPE: Final = 310100  # employees' basic medical insurance
BANK_COUNT: Final = 10
MERCHANT_COUNT: Final = 64
TERMINAL: Final = "T-01"
BANK_ALLOWANCE_FEN: Final = 10**12  # no run reaches it
FUND_FEN: Final = 1_000
PERSONAL_FEN: Final = 700
AMOUNT_FEN: Final = 3_000
LIMIT_FEN: Final = 10**12

_EMPLOYEES: Final = 310
_WORKING: Final = 11
_INSURED, _OWN = "XA01", "ZZ01"

PLAN: Final = Plan(
    id="bench-310",
    region=pooling_area(REGION),
    insurance=_EMPLOYEES,
    name="压测职工医保",
    valid_from=date(2000, 1, 1),
    valid_to=None,
    fund_pay_type=POOL_FUND_PAY_TYPE,
    deductible=0,
    annual_cap=10**10,
    rates_e4={_WORKING: (10_000,) * len(HOSPITAL_LEVELS)},
    account_pays=frozenset(BillPart),
    items={_INSURED: CatalogueItem(ItemClass.A), _OWN: CatalogueItem(ItemClass.C)},
)
"""Of every bill the fund pays the line in scope, and the rest is the cardholder's."""


class World(msgspec.Struct, frozen=True, kw_only=True):
    """Who takes part."""

    banks: tuple[BankId, ...]
    merchants: tuple[MerchantId, ...]
    cards: tuple[CardId, ...]

    def device_no(self, n: int) -> int:
        """The phone of the *n*-th card."""
        return device_number(shard_of(self.cards[n]), n)

    def payer(self, n: int, *, personal: int) -> Payer:
        """The *n*-th card's row, with *personal* fen on its account."""
        return Payer(
            id=self.cards[n],
            status=CardStatus.ACTIVE,
            issue_level=IssueLevel.PAYMENT,
            bank=self.banks[n % BANK_COUNT],
            bank_allowance=BANK_ALLOWANCE_FEN,
            tender_order=TenderOrder.PERSONAL_ACCOUNT_FIRST,
            credits_posted=personal,
            limit_day=date.min,
            limit_a_day=LIMIT_FEN,
            limit_unconfirmed=LIMIT_FEN,
            insured_region=REGION,
            insurance=_EMPLOYEES,
            person_type=_WORKING,
        )


def new_world(ids: IdSource, *, card_count: int) -> World:
    """A world of new ids."""
    return World(
        banks=tuple(BankId(ids.new(IdKind.BANK, shard=0, region=REGION)) for _ in range(BANK_COUNT)),
        merchants=tuple(MerchantId(ids.new(IdKind.MERCHANT, shard=0, region=REGION)) for _ in range(MERCHANT_COUNT)),
        cards=tuple(CardId(ids.new(IdKind.CARD, shard=n % SHARD_COUNT, region=REGION)) for n in range(card_count)),
    )


async def store_world(connection: asyncpg.Connection, world: World) -> None:
    """Everybody is in the database; the personal accounts are empty."""
    tables = {
        "bank": (
            # Files at the end of every cycle: no choice of delivery.
            (bank, 102_100_009_000 + n, f"压测银行{n}", f"Bench Bank {n}", n == 0, None)
            for n, bank in enumerate(world.banks)
        ),
        "fund": (
            (pooling_area(REGION), pay_type, world.banks[1])
            for pay_type in (POOL_FUND_PAY_TYPE, PERSONAL_ACCOUNT_PAY_TYPE)
        ),
        "merchant": (
            (
                merchant,
                f"H{REGION}{n:05d}",
                REGION,
                world.banks[n % BANK_COUNT],
                False,
                [OUTPATIENT.number, PHARMACY.number],
                f"压测医院{n}",
                f"Bench Hospital {n}",
                3,
            )
            for n, merchant in enumerate(world.merchants)
        ),
        "terminal": ((merchant, TERMINAL) for merchant in world.merchants),
        "payer": (payer_row(world.payer(n, personal=0)) for n in range(len(world.cards))),
        "device": ((world.device_no(n), card, 1, False) for n, card in enumerate(world.cards)),
    }
    for table, rows in tables.items():
        await connection.copy_records_to_table(table, records=list(rows))
    await insert_plans(connection, [PLAN], now=datetime(2000, 1, 1, tzinfo=UTC))
    await advance_rules(connection)


class Customers:
    """Sends the cards to pay, one after the other and round again, each time with a code of its own."""

    def __init__(self, world: World, ids: IdSource, *, first_step: int) -> None:
        """Nobody has paid yet. Codes are of *first_step* and those that follow."""
        self._world = world
        self._ids = ids
        self._first_step = first_step
        self._turn = 0

    def openings(self, count: int) -> list[OpenAccount]:
        """What the next *count* cards need on their personal accounts before they pay."""
        assert count <= len(self._world.cards), "a card that pays twice has an empty account the second time"
        cards = self._world.cards
        return [
            OpenAccount(
                caller=CallerId(NO_ID), key=None, card=cards[(self._turn + n) % len(cards)], amount=PERSONAL_FEN
            )
            for n in range(count)
        ]

    def payments(self, count: int) -> list[Authorize]:
        """The next *count* payments: of the pooled fund, the personal account if it holds anything, the bank card."""
        return [self._payment() for _ in range(count)]

    def payers(self, count: int) -> list[Payer]:
        """The rows of the next *count* cards, as they are once `openings` are in the books."""
        size = len(self._world.cards)
        return [self._world.payer((self._turn + n) % size, personal=PERSONAL_FEN) for n in range(count)]

    def _payment(self, *, is_insured: bool = True) -> Authorize:
        world = self._world
        turn, self._turn = self._turn, self._turn + 1
        round_no, card = divmod(turn, len(world.cards))
        steps, refresh = divmod(round_no, REFRESH_MAX + 1)
        merchant = world.merchants[turn % MERCHANT_COUNT]
        key = self._ids.trace_id()
        amount = AMOUNT_FEN + turn % 100
        bill = bill_of(amount) if is_insured else None
        return Authorize(
            caller=CallerId(merchant),
            key=key,
            trace_id=None,
            payment=PaymentId(self._ids.new(IdKind.PAYMENT, shard=shard_of(world.cards[card]), region=REGION)),
            merchant=merchant,
            code=PresentedCode(
                digest=key[:16],
                refusal=None,
                device_no=world.device_no(card),
                step=self._first_step + steps,
                refresh=refresh,
            ),
            order_no=f"B{turn:010d}",
            amount=amount,
            scenario=OUTPATIENT.number,
            terminal_id=TERMINAL,
            capture=True,
            hold_s=OUTPATIENT.hold_s_default,
            description=None,
            bill=bill,
            bill_digest=key[:32] if is_insured else None,
        )


def bill_of(amount: int) -> MedicalBill:
    """A bill of *amount* fen, of which the fund pays `FUND_FEN`."""
    lines = (_INSURED, FUND_FEN), (_OWN, amount - FUND_FEN)
    return MedicalBill(tuple(BillLine(item, 10_000, fen * 10_000, fen) for item, fen in lines))
