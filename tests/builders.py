"""A small world to test in: one call makes what is needed, and each argument is only for what matters to a test."""

import time
from datetime import UTC, date, datetime

import asyncpg
import msgspec

from engine.core.commands import (
    Authorize,
    CancelOrder,
    Capture,
    Concern,
    Confirm,
    Expire,
    OpenAccount,
    PasswordProof,
    PresentedCode,
    RefundPayment,
    Reinstate,
    ReportLoss,
    Void,
)
from engine.core.ids import (
    NO_ID,
    SHARD_COUNT,
    BankId,
    CallerId,
    CardId,
    IdKind,
    MerchantId,
    PaymentId,
    RefundId,
    make_id,
    shard_of,
)
from engine.core.payer import CardStatus, IssueLevel, Payer, TenderOrder
from engine.core.refusals import Refusal
from engine.core.scenarios import PHARMACY
from engine.store.plans import advance_rules, insert_plans
from engine.store.rows import payer_row
from tests.insured import EMPLOYEES, WORKING, bill_of, plan_of_area

REGION = 110101
NO_LIMIT = 10**12
RIGHT_PASSWORD = PasswordProof(True, 1)
WRONG_PASSWORD = PasswordProof(False, 1)
_entropy = iter(range(1, 2**40))


def an_id(kind: IdKind, *, shard: int = 0, region: int = REGION) -> bytes:
    """A new id."""
    return make_id(kind, at_ms=time.time_ns() // 1_000_000, shard=shard, region=region, entropy=next(_entropy))


class World(msgspec.Struct, frozen=True, kw_only=True):
    """What `a_world` has put into the database."""

    merchants: tuple[MerchantId, ...]
    banks: tuple[BankId, ...]  # the last one is the settlement bank and holds the funds
    cards: tuple[CardId, ...]
    terminal_id: str = "T-01"
    first_device: int = 0  # keeps the phones of several worlds in one database apart

    def device_no(self, card: int) -> int:
        """The device number of the *card*-th card: three digits of shard, eight of its own."""
        return shard_of(self.cards[card]) * 10**8 + self.first_device + card

    def authorize(
        self,
        *,
        card: int = 0,
        merchant: int = 0,
        amount: int = 500,
        order_no: str | None = None,
        key: str | None = None,
        capture: bool = True,
        hold_s: int = 900,
        step: int | None = None,
        refresh: int = 0,
        code_refusal: Refusal | None = None,
        scenario: int = PHARMACY.number,
        terminal_id: str = "T-01",
        bill_no: str | None = None,
        insured: int = 0,
        password: PasswordProof | None = None,
        concern: Concern = Concern.NONE,
    ) -> Authorize:
        """A valid payment by the *card*-th card at the *merchant*-th merchant; a new code, key and order each time."""
        unique = next(_entropy)
        return Authorize(
            caller=CallerId(self.merchants[merchant]),
            key=key if key is not None else f"key-{unique}",
            payment=PaymentId(an_id(IdKind.PAYMENT, shard=shard_of(self.cards[card]))),
            merchant=self.merchants[merchant],
            code=PresentedCode(
                digest=f"{card}.{step}.{refresh}" if step is not None else f"code-{unique}",
                refusal=code_refusal,
                device_no=self.device_no(card),
                step=step if step is not None else int(time.time()) // 30 + unique % 8_000,
                refresh=refresh,
            ),
            order_no=order_no if order_no is not None else f"order-{unique}",
            amount=amount,
            scenario=scenario,
            terminal_id=terminal_id,
            capture=capture,
            hold_s=hold_s,
            description=None,
            bill_no=bill_no,
            bill=bill_of(amount, insured=insured) if insured else None,
            bill_digest=f"{amount}.{insured}" if insured else None,
            password=password,
            concern=concern,
        )

    def confirm(
        self, payment: PaymentId, *, password: PasswordProof | None = RIGHT_PASSWORD, merchant: int | None = 0
    ) -> Confirm:
        """The password is entered at a merchant's terminal or, with None, in an app; no password is an operator's."""
        asker = self.merchants[merchant] if merchant is not None else None
        return Confirm(
            caller=CallerId(asker if asker is not None else self.banks[0]),
            key=_key(),
            payment=payment,
            merchant=asker,
            password=password,
        )

    def capture(
        self, payment: PaymentId, *, amount: int | None = None, final: bool = True, merchant: int = 0
    ) -> Capture:
        """Capture what *payment* holds."""
        return Capture(
            caller=CallerId(self.merchants[merchant]), key=_key(), payment=payment, amount=amount, final=final
        )

    def void(self, payment: PaymentId, *, merchant: int = 0) -> Void:
        """Void *payment*."""
        return Void(caller=CallerId(self.merchants[merchant]), key=_key(), payment=payment)

    def refund(
        self, payment: PaymentId, *, amount: int, refund_no: str | None = None, merchant: int = 0
    ) -> RefundPayment:
        """Give back *amount* of *payment*."""
        return RefundPayment(
            caller=CallerId(self.merchants[merchant]),
            key=_key(),
            payment=payment,
            refund=RefundId(an_id(IdKind.REFUND)),
            refund_no=refund_no if refund_no is not None else f"refund-{next(_entropy)}",
            amount=amount,
            reason=None,
        )

    def cancel(self, order_no: str, *, merchant: int = 0) -> CancelOrder:
        """Cancel an order."""
        return CancelOrder(
            caller=CallerId(self.merchants[merchant]),
            key=_key(),
            order_no=order_no,
            refund=RefundId(an_id(IdKind.REFUND)),
        )

    def report_loss(self, *, card: int = 0) -> ReportLoss:
        """Report a card as lost."""
        return ReportLoss(caller=CallerId(self.banks[0]), key=_key(), card=self.cards[card])

    def reinstate(self, *, card: int = 0) -> Reinstate:
        """Let a card that was reported lost pay again."""
        return Reinstate(caller=CallerId(self.banks[0]), key=_key(), card=self.cards[card])

    def expire(self, payment: PaymentId) -> Expire:
        """What the sweeper asks about a hold."""
        return Expire(caller=CallerId(NO_ID), key=None, payment=payment)

    def open_account(self, *, card: int = 0, amount: int) -> OpenAccount:
        """Bring in the balance of a card's personal account."""
        return OpenAccount(caller=CallerId(NO_ID), key=None, card=self.cards[card], amount=amount)


def _key() -> str:
    return f"key-{next(_entropy)}"


async def a_world(
    sql: asyncpg.Connection,
    *,
    merchant_count: int = 2,
    bank_count: int = 3,
    card_count: int = 4,
    bank_allowance: int = 100_000,
    tender_order: TenderOrder = TenderOrder.PERSONAL_ACCOUNT_FIRST,
    status: CardStatus = CardStatus.ACTIVE,
    issue_level: IssueLevel = IssueLevel.PAYMENT,
) -> World:
    """Merchants, banks and cards without balances, in the database behind *sql*. Personal accounts are opened empty."""
    banks = tuple(BankId(an_id(IdKind.BANK)) for _ in range(bank_count))
    merchants = tuple(MerchantId(an_id(IdKind.MERCHANT)) for _ in range(merchant_count))
    cards = tuple(CardId(an_id(IdKind.CARD, shard=n % SHARD_COUNT)) for n in range(card_count))
    world = World(merchants=merchants, banks=banks, cards=cards)
    await sql.copy_records_to_table(
        "bank",
        records=[
            (bank, 102_100_000_000 + n, f"示例银行{n}", f"Bank {n}", n == bank_count - 1)
            for n, bank in enumerate(banks)
        ],
        columns=("id", "cnaps", "name_zh", "name_en", "is_settlement_bank"),
    )
    await sql.copy_records_to_table(
        "fund", records=[(REGION // 100 * 100, pay_type, banks[-1]) for pay_type in (310100, 310200)]
    )
    await sql.copy_records_to_table(
        "merchant",
        records=[
            (
                merchant,
                f"P{REGION}{n:05d}",
                REGION,
                banks[n % bank_count],
                False,
                [1, 2],
                f"药店{n}",
                f"Pharmacy {n}",
                0,
            )
            for n, merchant in enumerate(merchants)
        ],
    )
    await sql.copy_records_to_table("terminal", records=[(m, world.terminal_id) for m in merchants])
    await sql.copy_records_to_table(
        "payer",
        records=[
            payer_row(
                Payer(
                    id=card,
                    status=status,
                    issue_level=issue_level,
                    bank=banks[n % bank_count],
                    bank_allowance=bank_allowance,
                    tender_order=tender_order,
                    limit_day=date.min,
                    limit_a_day=NO_LIMIT,
                    limit_unconfirmed=NO_LIMIT,
                    no_password_up_to=NO_LIMIT,
                    password_version=1,
                    insured_region=REGION,
                    insurance=EMPLOYEES,
                    person_type=WORKING,
                )
            )
            for n, card in enumerate(cards)
        ],
    )
    await sql.copy_records_to_table(
        "device", records=[(world.device_no(n), card, 1, False) for n, card in enumerate(cards)]
    )
    if not await sql.fetchval("SELECT count(*) FROM benefit_plan"):
        await insert_plans(sql, [plan_of_area(REGION // 100 * 100)], now=datetime.now(UTC))
        await advance_rules(sql)
    return world
