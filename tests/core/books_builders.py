"""Pure builders: one cardholder, two merchants and one phone, and every command about them, valid by default."""

import itertools
from datetime import UTC, date, datetime, timedelta
from typing import Final

import msgspec

from engine.core.accounts import pool_fund, pooling_area
from engine.core.books import Books, Control, Decision, Device, Merchant, Seen
from engine.core.calendar import CycleNumber, cut_over_of, cycle_number
from engine.core.commands import (
    AnyCommand,
    Authorize,
    CancelOrder,
    Capture,
    Concern,
    Expire,
    OpenAccount,
    PasswordProof,
    PresentedCode,
    RefundPayment,
    Reinstate,
    ReportLoss,
    Void,
)
from engine.core.decide import decide
from engine.core.ids import NO_ID, BankId, CallerId, CardId, IdKind, MerchantId, PaymentId, RefundId, make_id
from engine.core.payer import CardStatus, IssueLevel, Payer, TenderOrder
from engine.core.payments import Payment
from engine.core.refusals import Refusal
from engine.core.scenarios import BY_NUMBER, OUTPATIENT, PHARMACY
from tests.insured import EMPLOYEES, WORKING, bill_of, rules_of

NOON: Final = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)  # in Shanghai
TODAY: Final = date(2026, 11, 24)
TOMORROW: Final = date(2026, 11, 25)
HOLD_S: Final = 900
LAPSED: Final = timedelta(seconds=HOLD_S)
MOMENT: Final = timedelta(microseconds=1)
REGION: Final = 110101
SHARD: Final = 7
TERMINAL: Final = "T-01"
DEVICE_NO: Final = 700_000_001
STEP: Final = 59_849_784
NO_LIMIT: Final = 10**12
EVERY_SCENARIO: Final = tuple(BY_NUMBER)

_numbers = itertools.count(1)


def an_id(kind: IdKind, number: int) -> bytes:
    """The *number*-th id of a kind, made at noon."""
    return make_id(kind, at_ms=int(NOON.timestamp() * 1000), shard=SHARD, region=REGION, entropy=number)


BANK: Final = BankId(an_id(IdKind.BANK, 1))
CARD: Final = CardId(an_id(IdKind.CARD, 1))
MERCHANT: Final = MerchantId(an_id(IdKind.MERCHANT, 1))
OTHER_MERCHANT: Final = MerchantId(an_id(IdKind.MERCHANT, 2))
FUND: Final = pool_fund(110100, 310100)
UNKNOWN_PAYMENT: Final = PaymentId(an_id(IdKind.PAYMENT, 2**40))
UNKNOWN_CARD: Final = CardId(an_id(IdKind.CARD, 2**40))


def a_payer(
    *,
    personal: int = 30_000,
    allowance: int = 100_000,
    tender_order: TenderOrder = TenderOrder.PERSONAL_ACCOUNT_FIRST,
    status: CardStatus = CardStatus.ACTIVE,
    issue_level: IssueLevel = IssueLevel.PAYMENT,
) -> Payer:
    """A cardholder who can pay, with *personal* fen in the personal account."""
    return Payer(
        id=CARD,
        status=status,
        issue_level=issue_level,
        bank=BANK,
        bank_allowance=allowance,
        tender_order=tender_order,
        credits_posted=personal,
        limit_a_day=NO_LIMIT,
        limit_unconfirmed=NO_LIMIT,
        no_password_up_to=NO_LIMIT,
        password_version=1,
        insured_region=REGION,
        insurance=EMPLOYEES,
        person_type=WORKING,
    )


def a_control(*, business_date: date = TODAY, sequence: int = 1, published: int = 0) -> Control:
    """The *sequence*-th cycle of a day is open; of that day, *published* cycles have their files out."""
    return Control(
        business_date=business_date,
        cycle=cycle_number(business_date, sequence),
        cutoff_at=cut_over_of(business_date),
        published_cycle=CycleNumber(cycle_number(business_date, 1) - 1 + published),
    )


def some_books(
    payer: Payer | None = None,
    *,
    now: datetime = NOON,
    control: Control | None = None,
    is_suspended: bool = False,
    is_revoked: bool = False,
    scenarios: tuple[int, ...] = EVERY_SCENARIO,
) -> Books:
    """Books in which nothing has been paid yet."""
    payer = payer if payer is not None else a_payer()
    merchants = [
        Merchant(id=merchant, region=REGION, is_suspended=is_suspended, scenarios=scenarios)
        for merchant in (MERCHANT, OTHER_MERCHANT)
    ]
    return Books(
        Seen(
            control=control if control is not None else a_control(),
            now=now,
            payers={payer.id: payer},
            devices={DEVICE_NO: Device(payer.id, is_revoked)},
            merchants={merchant.id: merchant for merchant in merchants},
            terminals={(merchant.id, TERMINAL) for merchant in merchants},
            rules=rules_of(pooling_area(REGION)),
        )
    )


def later(
    books: Books, by: timedelta = timedelta(), *, control: Control | None = None, payer: Payer | None = None
) -> Books:
    """The next batch's books: everything as *books* left it, at a later time."""
    seen = msgspec.structs.replace(
        books.seen,
        now=books.now + by,
        control=control if control is not None else books.control,
        payers=books.seen.payers | ({payer.id: payer} if payer is not None else {}),
        payments=dict(books.seen.payments),
        orders=dict(books.seen.orders),
        codes_used=set(books.seen.codes_used),
        refund_numbers=set(books.seen.refund_numbers),
        bills=dict(books.seen.bills),
        unpaid_rides={key: set(orders) for key, orders in books.seen.unpaid_rides.items()},
        visits={visit: list(settled) for visit, settled in books.seen.visits.items()},
    )
    return Books(seen)


def carry_out(books: Books, command: AnyCommand) -> Decision:
    """Decide *command* and take it into the books."""
    decision = decide(books, command)
    books.apply(len(books.events), command, decision)
    return decision


def held(books: Books, *, amount: int = 500, order_no: str | None = None, insured: int = 0) -> Payment:
    """A payment that has just been authorized and not captured."""
    made = carry_out(books, an_authorize(amount=amount, capture=False, order_no=order_no, insured=insured)).payment
    assert made is not None
    return made


def captured(books: Books, *, amount: int = 500, order_no: str | None = None, insured: int = 0) -> Payment:
    """A payment that has just been captured."""
    made = carry_out(books, an_authorize(amount=amount, capture=True, order_no=order_no, insured=insured)).payment
    assert made is not None
    return made


def a_hold_of_600() -> tuple[Books, Payment]:
    """600 fen on hold: 400 that empty the personal account, 200 of the bank card."""
    books = some_books(a_payer(personal=400, allowance=1_000))
    return books, held(books, amount=600)


def a_payment_of_600() -> tuple[Books, Payment]:
    """600 fen captured: 400 that empty the personal account, 200 of the bank card."""
    books = some_books(a_payer(personal=400, allowance=1_000))
    return books, captured(books, amount=600)


def a_held_bill_of_600() -> tuple[Books, Payment]:
    """A medical bill of 600 fen on hold: 100 of the fund, 300 that empty the personal account, 200 of the bank card."""
    books = some_books(a_payer(personal=300, allowance=1_000))
    return books, held(books, amount=600, insured=100)


def a_paid_bill_of_600() -> tuple[Books, Payment]:
    """The same bill captured."""
    books = some_books(a_payer(personal=300, allowance=1_000))
    return books, captured(books, amount=600, insured=100)


def outcome_of(decision: Decision) -> tuple[str | None, str | None]:
    """The refusal and the field that it is about."""
    return decision.answer.refusal, decision.answer.field


def refusal_of(decision: Decision) -> Refusal | None:
    """The refusal, if it is one."""
    return Refusal(decision.answer.refusal) if decision.answer.refusal is not None else None


def payer_in(books: Books) -> Payer:
    """The cardholder as the books have it."""
    return books.seen.payers[CARD]


def an_authorize(
    *,
    merchant: MerchantId = MERCHANT,
    key: str | None = None,
    amount: int = 500,
    order_no: str | None = None,
    capture: bool = True,
    hold_s: int = HOLD_S,
    device_no: int | None = DEVICE_NO,
    step: int = STEP,
    refresh: int | None = None,
    code_refusal: Refusal | None = None,
    scenario: int = PHARMACY.number,
    terminal_id: str = TERMINAL,
    description: str | None = None,
    bill_no: str | None = None,
    insured: int = 0,
    password: PasswordProof | None = None,
    concern: Concern = Concern.NONE,
    ticket: str | None = None,
) -> Authorize:
    """A payment by a new code for a new order; *insured* fen of it are the pooled fund's."""
    number = next(_numbers)
    return Authorize(
        caller=CallerId(merchant),
        key=key if key is not None else f"key-{number}",
        payment=PaymentId(an_id(IdKind.PAYMENT, number)),
        merchant=merchant,
        code=PresentedCode(
            digest=f"code-{number}",
            refusal=code_refusal,
            device_no=device_no,
            step=step,
            refresh=refresh if refresh is not None else number,
            ticket=ticket,
        ),
        order_no=order_no if order_no is not None else f"order-{number}",
        amount=amount,
        scenario=scenario,
        terminal_id=terminal_id,
        capture=capture,
        hold_s=hold_s,
        description=description,
        bill_no=bill_no,
        bill=bill_of(amount, insured=insured) if insured else None,
        bill_digest=f"bill-{insured}" if insured else None,
        password=password,
        concern=concern,
    )


def a_capture(
    payment: PaymentId, *, amount: int | None = None, final: bool = True, merchant: MerchantId = MERCHANT
) -> Capture:
    """Capture all that is held, for good."""
    return Capture(caller=CallerId(merchant), key=_key(), payment=payment, amount=amount, final=final)


def a_void(payment: PaymentId, *, merchant: MerchantId = MERCHANT) -> Void:
    """Let go of a hold."""
    return Void(caller=CallerId(merchant), key=_key(), payment=payment)


def an_expire(payment: PaymentId) -> Expire:
    """What the sweeper asks."""
    return Expire(caller=CallerId(NO_ID), key=None, payment=payment)


def a_refund(
    payment: PaymentId,
    *,
    amount: int,
    refund_no: str | None = None,
    reason: str | None = None,
    merchant: MerchantId = MERCHANT,
) -> RefundPayment:
    """Give back *amount* under a new refund number."""
    number = next(_numbers)
    return RefundPayment(
        caller=CallerId(merchant),
        key=_key(),
        payment=payment,
        refund=RefundId(an_id(IdKind.REFUND, number)),
        refund_no=refund_no if refund_no is not None else f"refund-{number}",
        amount=amount,
        reason=reason,
    )


def a_cancel(order_no: str, *, merchant: MerchantId = MERCHANT) -> CancelOrder:
    """Make sure that an order is not paid."""
    return CancelOrder(
        caller=CallerId(merchant),
        key=_key(),
        order_no=order_no,
        refund=RefundId(an_id(IdKind.REFUND, next(_numbers))),
    )


def a_loss_report(card: CardId = CARD) -> ReportLoss:
    """Stop a card."""
    return ReportLoss(caller=CallerId(BANK), key=_key(), card=card)


def a_reinstatement(card: CardId = CARD) -> Reinstate:
    """Let a card pay again."""
    return Reinstate(caller=CallerId(BANK), key=_key(), card=card)


def an_opening(amount: int, card: CardId = CARD) -> OpenAccount:
    """Bring in the balance of a personal account."""
    return OpenAccount(caller=CallerId(NO_ID), key=_key(), card=card, amount=amount)


def an_outpatient_authorize(*, amount: int = 500, capture: bool = False) -> Authorize:
    """A deposit at a hospital, which may wait for thirty days."""
    return an_authorize(amount=amount, capture=capture, scenario=OUTPATIENT.number, hold_s=OUTPATIENT.hold_s_max)


def _key() -> str:
    return f"key-{next(_numbers)}"


def snapshot_of(books: Books) -> tuple[object, ...]:
    """A copy of everything that a decision may change, to be compared with a later one."""
    seen = books.seen
    return (
        dict(seen.payers),
        dict(seen.payments),
        dict(seen.orders),
        dict(seen.bills),
        {key: set(orders) for key, orders in seen.unpaid_rides.items()},
        {visit: list(settled) for visit, settled in seen.visits.items()},
        set(seen.codes_used),
        set(seen.refund_numbers),
        list(books.postings),
        set(books.holds_opened),
        set(books.holds_closed),
        list(books.refunds_new),
    )


def captured_of(payment: Payment) -> list[int]:
    """Fen captured of each tender."""
    return [tender.captured for tender in payment.tenders]


def refunded_of(payment: Payment) -> list[int]:
    """Fen given back of each tender."""
    return [tender.refunded for tender in payment.tenders]
