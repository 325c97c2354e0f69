"""Deciding whether an order is paid: by a shown code, by a card, or as its holder asks in an app; and from what."""

from datetime import timedelta
from typing import Final

import msgspec

from engine.core import benefits
from engine.core.answers import EventKind
from engine.core.bills import judge_bill, may_pay
from engine.core.books import Books, CodeUse, Decision, Merchant, Order, OrderKey, answer_with, refuse
from engine.core.channel_stops import channel_refusal
from engine.core.claims import Settled, settle_bill
from engine.core.commands import Authorize, Concern, PasswordProof, PresentedCode
from engine.core.ids import MerchantId
from engine.core.pay_orders import judge_pay_order
from engine.core.payer import LimitClass, Payer, help_family, hold_funds, pay_at_once, why_not_usable
from engine.core.payments import HELD, Awaiting, Claim, Details, Payment, State, Tender, TenderKind
from engine.core.postings import Phase, Posting, PostingKind
from engine.core.refusals import Refusal
from engine.core.rides import after_paying
from engine.core.scenarios import BY_NUMBER, Scenario
from engine.core.tenders import amount_from, family_of, funded, judge_limits, own_tenders, spending_of

CONFIRM_WITHIN_S: Final = 120
"""What a cardholder has for entering the password, while the cashier waits; then the payment voids itself."""

REVIEW_WITHIN_S: Final = 86_400
"""What an operator has for looking at a payment; then it voids itself."""

QUOTE_ORDER: Final = "$quote/"
"""What order numbers begin with under which a merchant's pre-settlements are claimed: no merchant can send these."""


class _Plan(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How an order is going to be paid."""

    tenders: tuple[Tender, ...]
    limit: LimitClass
    claim: Claim | None
    awaiting: Awaiting | None


class _No(msgspec.Struct, frozen=True, gc=False):
    """The first rule that forbids it."""

    refusal: Refusal
    field: str | None = None
    is_stored: bool = True  # as a declined payment
    payer: Payer | None = None  # who has one try less
    tries_left: int | None = None


def decide_authorize(books: Books, command: Authorize) -> Decision:
    """Hold or take the amount of one order, or name the first rule that forbids it.

    An attempt that fails on the cardholder's side, by a genuine code, is stored as a declined payment; it leaves the
    order number free and the code unused.
    """
    merchant = books.seen.merchants.get(command.merchant)
    assert merchant is not None, "a merchant's request is verified with a key of that merchant"
    scenario = BY_NUMBER[command.scenario]
    refusal = (
        _merchant_refusal(books, command, merchant)
        or channel_refusal(books, command.caller, command.code, merchant.region)
        or order_refusal(books, (command.merchant, command.order_no))
    )
    if refusal is not None:
        return refuse(refusal, field="order_no" if refusal in _ABOUT_THE_ORDER else None)
    unpayable = _unpayable(books, command)
    if unpayable is not None:
        return refuse(unpayable.refusal, field=unpayable.field)
    payer = _presenter(books, command)
    if isinstance(payer, _No):
        return refuse(payer.refusal, field=payer.field)
    plan = _why_not(books, command, payer, scenario) or _plan(books, command, merchant, payer, scenario)
    if isinstance(plan, _No):
        return _declined(books, command, merchant, payer, plan)

    # From here on the authorization must succeed.
    is_captured = command.capture and plan.awaiting is None
    payment = _new_payment(books, command, merchant, payer, plan=plan)
    credit = books.payee_of(payment)
    phase = Phase.POST if is_captured else Phase.HOLD
    spend = pay_at_once if is_captured else hold_funds
    family = family_of(books, payer) if payment.family is not None else None
    helped = amount_from(plan.tenders, TenderKind.FAMILY_ACCOUNT)
    changed = spend(payer, spending_of(plan.tenders, plan.limit, plan.claim), books.control.business_date)
    if payer.password_tries and command.password is not None:
        changed = msgspec.structs.replace(changed, password_tries=0)
    ride = None
    if is_captured and payer.blocked_scenarios:
        changed, ride = after_paying(books, changed, command.scenario, payment.ride)
    orders: tuple[tuple[OrderKey, Order], ...] = (((command.merchant, command.order_no), Order(payment.id)),)
    if command.quoted is not None:
        orders += ((quote_key(command.merchant, command.quoted.quote), Order(payment.id)),)
    return Decision(
        kind=EventKind.CAPTURED if is_captured else EventKind.AUTHORIZED,
        answer=answer_with(books, payment),
        payment=payment,
        payer=changed,
        family=help_family(family, pending=0 if is_captured else helped, posted=helped if is_captured else 0)
        if family is not None
        else None,
        postings=tuple(
            Posting(payment.id, phase, PostingKind.PAY, tender.source, credit, tender.amount) for tender in plan.tenders
        ),
        code_use=code_use(command.code) if command.code is not None else None,
        orders=orders,
        ride_paid=ride,
    )


def why_not_presented(books: Books, command: Authorize) -> Payer | benefits.BillFault:
    """Who presents a code or a card, or why that is not good enough to be told anything."""
    merchant = books.seen.merchants[command.merchant]
    refusal = _merchant_refusal(books, command, merchant) or channel_refusal(
        books, command.caller, command.code, merchant.region
    )
    if refusal is not None:
        return benefits.BillFault("", "", refusal)
    payer = _presenter(books, command)
    if isinstance(payer, _No):
        return benefits.BillFault(f"/{payer.field}", "", payer.refusal)
    refusal = (code_refusal(books, command.code) if command.code is not None else None) or why_not_usable(payer)
    return benefits.BillFault("", "", refusal) if refusal is not None else payer


def quote_key(merchant: MerchantId, quote: bytes) -> OrderKey:
    """What claims a pre-settlement, so that it is paid once."""
    return (merchant, f"{QUOTE_ORDER}{quote.hex()}")


_ABOUT_THE_ORDER: Final = frozenset({Refusal.ORDER_ALREADY_PAID, Refusal.ORDER_NUMBER_USED, Refusal.ORDER_CANCELLED})
_PAID: Final = HELD | {State.CAPTURED, State.PARTIALLY_REFUNDED}


def _merchant_refusal(books: Books, command: Authorize, merchant: Merchant) -> Refusal | None:
    if merchant.is_suspended:
        return Refusal.MERCHANT_SUSPENDED
    if (command.merchant, command.terminal_id) not in books.seen.terminals:
        return Refusal.TERMINAL_UNKNOWN
    return merchant_refusal(books, merchant, command.scenario)


def merchant_refusal(books: Books, merchant: Merchant, scenario: int) -> Refusal | None:
    """Why a merchant may not take new money for a scenario."""
    if merchant.is_suspended:
        return Refusal.MERCHANT_SUSPENDED
    is_on = scenario in merchant.scenarios and books.seen.rules.rollout.is_on(merchant.region, scenario)
    return None if is_on else Refusal.SCENARIO_NOT_ENABLED


def order_refusal(books: Books, key: OrderKey) -> Refusal | None:
    """Why an order number cannot be used, if something has claimed it."""
    order = books.seen.orders.get(key)
    if order is None:
        return None
    if order.payment is None:
        return Refusal.ORDER_CANCELLED
    payment = books.seen.payments[order.payment]
    has_lapsed = payment.expires_at is not None and books.now >= payment.expires_at
    return Refusal.ORDER_ALREADY_PAID if payment.state in _PAID and not has_lapsed else Refusal.ORDER_NUMBER_USED


def _unpayable(books: Books, command: Authorize) -> _No | None:
    """What is wrong with what is to be paid, whoever pays it."""
    if command.pay_order is not None:
        shown = books.seen.pay_orders.get((command.merchant, command.order_no))
        refusal = judge_pay_order(
            shown, command.pay_order, amount=command.amount, until=command.pay_order_until, now=books.now
        )
        if refusal is not None:
            return _No(refusal, "amount" if refusal is Refusal.ORDER_AMOUNT_CHANGED else None)
    if command.quoted is not None:
        if order_refusal(books, quote_key(command.merchant, command.quoted.quote)) is not None:
            return _No(Refusal.ORDER_ALREADY_PAID, "quote_id")
        if books.now >= command.quoted.expires_at:
            return _No(Refusal.QUOTE_EXPIRED, "quote_id")
    if command.bill_no is not None:
        assert command.capture, "a bill is paid at once"
        unpayable = judge_bill(books.seen.bills.get(command.bill_no), amount=command.amount, now=books.now)
        if unpayable is not None:
            return _No(unpayable.refusal, unpayable.field)
    return None


def _presenter(books: Books, command: Authorize) -> Payer | _No:
    """Whose code or card was presented."""
    code = command.code
    if code is None:
        assert command.card is not None, "a payment has a presenter"
        payer = books.seen.payers.get(command.card)
        return payer if payer is not None else _No(Refusal.NOT_FOUND, "card_no")
    device = books.seen.devices.get(code.device_no) if code.device_no is not None else None
    if device is None:
        return _No(code.refusal or Refusal.PAY_CODE_WRONG, "pay_code")
    return books.seen.payers[device.payer]


def code_refusal(books: Books, code: PresentedCode) -> Refusal | None:
    """What is wrong with a genuine code of a device that exists."""
    assert code.device_no is not None
    if code.refusal is not None:
        return code.refusal
    if code_use(code) in books.seen.codes_used:
        return Refusal.PAY_CODE_USED
    return Refusal.DEVICE_REVOKED if books.seen.devices[code.device_no].is_revoked else None


def code_use(code: PresentedCode) -> CodeUse:
    """What is taken by the payment that a code makes."""
    assert code.device_no is not None
    return (code.step, code.device_no, code.refresh)


def _why_not(books: Books, command: Authorize, payer: Payer, scenario: Scenario) -> _No | None:
    """Why this cardholder may not pay it, whatever it costs."""
    refusal = (code_refusal(books, command.code) if command.code is not None else None) or why_not_usable(payer)
    if refusal is not None:
        return _No(refusal)
    bill = books.seen.bills.get(command.bill_no) if command.bill_no is not None else None
    if bill is not None and not may_pay(bill, payer.id):
        return _No(Refusal.RELATIVE_NOT_LINKED)
    if command.quoted is not None and command.quoted.payer != payer.id:
        return _No(Refusal.IDENTITY_MISMATCH, "quote_id", is_stored=False)
    if payer.blocked_scenarios >> scenario.number & 1:
        due = books.seen.unpaid_rides.get((payer.id, scenario.number))
        if due is None or (command.merchant, command.ride_no or command.order_no) not in due:
            return _No(Refusal.UNPAID_RIDE)
    return judge_password(payer, command.password) if command.password is not None else None


def judge_password(payer: Payer, proof: PasswordProof) -> _No | None:
    """None if the password that came along is the cardholder's; a wrong one is one try less.

    One that was compared with a password that was changed meanwhile is wrong, and costs nothing.
    """
    if proof.refusal is not None:
        return _No(proof.refusal, "password_block", is_stored=False)
    if payer.is_password_locked:
        return _No(Refusal.PASSWORD_LOCKED, tries_left=0)
    if proof.version != payer.password_version or not payer.password_version:
        return _No(Refusal.PASSWORD_INCORRECT)
    if proof.is_right:
        return None
    after = msgspec.structs.replace(payer, password_tries=payer.password_tries + 1)
    return _No(Refusal.PASSWORD_INCORRECT, payer=after, tries_left=after.password_tries_left)


def refuse_password(why: _No) -> Decision:
    """The refusal of a password that came along with what is about a payment that exists; a wrong one is counted."""
    no = refuse(why.refusal, field="password_block")
    answer = msgspec.structs.replace(no.answer, tries_left=why.tries_left)
    return msgspec.structs.replace(no, answer=answer, payer=why.payer)


def _plan(books: Books, command: Authorize, merchant: Merchant, payer: Payer, scenario: Scenario) -> _Plan | _No:
    settled: Settled | None = None
    if command.bill is not None:
        found = settle_bill(books, payer, merchant, command.bill, amount=command.amount, quoted=command.quoted)
        if isinstance(found, benefits.BillFault):
            is_stored = found.refusal is Refusal.PLAN_MISSING
            return _No(found.refusal, found.pointer.removeprefix("/") or None, is_stored=is_stored)
        settled = found
    if command.concern is Concern.DENY:
        return _No(Refusal.RISK_DECLINED)
    split = settled.split if settled is not None else None
    own = split.person_part if split is not None else command.amount
    paid = own_tenders(books, payer, scenario, own, split=split)
    if paid is None:
        return _No(Refusal.INSUFFICIENT_FUNDS)
    bank = amount_from(paid, TenderKind.BANK_CARD)
    if command.code is not None and command.code.ticket is not None:
        if bank > payer.left_in(LimitClass.OFFLINE, books.control.business_date):
            return _No(Refusal.LIMIT_EXCEEDED)
        limit, awaiting = LimitClass.OFFLINE, None
    else:
        limits = judge_limits(books, payer, bank)
        if limits.is_over:
            return _No(Refusal.LIMIT_EXCEEDED)
        must_confirm = (
            scenario.must_confirm(own, no_password_up_to=payer.no_password_up_to)
            or limits.is_over_unconfirmed
            or command.concern is Concern.CHALLENGE
        )
        limit = LimitClass.CONFIRMED if must_confirm or command.password is not None else LimitClass.UNCONFIRMED
        awaiting = _awaiting(command, must_confirm=must_confirm and command.password is None)
    is_captured = command.capture and awaiting is None
    tenders = funded(split, payer) + paid if split is not None else paid
    if is_captured:
        tenders = tuple([msgspec.structs.replace(tender, captured=tender.amount) for tender in tenders])
    return _Plan(tenders=tenders, limit=limit, claim=settled.claim if settled is not None else None, awaiting=awaiting)


def _awaiting(command: Authorize, *, must_confirm: bool) -> Awaiting | None:
    if command.concern is Concern.REVIEW:
        return Awaiting(command.capture, command.hold_s, True)
    return Awaiting(command.capture, command.hold_s, False) if must_confirm else None


def _declined(books: Books, command: Authorize, merchant: Merchant, payer: Payer, why: _No) -> Decision:
    if not why.is_stored:
        return refuse(why.refusal, field=why.field)
    payment = _new_payment(books, command, merchant, payer, refusal=why.refusal)
    is_ride = command.code is not None and command.code.ticket is not None
    is_unpaid = is_ride and why.refusal in _LEAVES_A_RIDE_UNPAID
    changed = why.payer
    if is_unpaid:
        changed = msgspec.structs.replace(payer, blocked_scenarios=payer.blocked_scenarios | 1 << command.scenario)
    return Decision(
        kind=EventKind.DECLINED,
        answer=msgspec.structs.replace(
            answer_with(books, payment, refusal=why.refusal), field=why.field, tries_left=why.tries_left
        ),
        payment=payment,
        payer=changed,
        ride_unpaid=(payer.id, command.scenario, (command.merchant, command.order_no)) if is_unpaid else None,
    )


_LEAVES_A_RIDE_UNPAID: Final = frozenset(
    {Refusal.INSUFFICIENT_FUNDS, Refusal.LIMIT_EXCEEDED, Refusal.CARD_NOT_USABLE, Refusal.UNPAID_RIDE}
)


def _new_payment(
    books: Books,
    command: Authorize,
    merchant: Merchant,
    payer: Payer,
    *,
    plan: _Plan | None = None,
    refusal: Refusal | None = None,
) -> Payment:
    """*plan* None: it was declined."""
    awaiting = plan.awaiting if plan is not None else None
    if plan is None:
        state = State.DECLINED
    elif awaiting is not None:
        state = State.AWAITING_USER
    else:
        state = State.CAPTURED if command.capture else State.AUTHORIZED
    is_captured = state is State.CAPTURED
    hold_s = command.hold_s
    if awaiting is not None:
        hold_s = REVIEW_WITHIN_S if awaiting.is_review else CONFIRM_WITHIN_S
    has_family = plan is not None and bool(amount_from(plan.tenders, TenderKind.FAMILY_ACCOUNT))
    return Payment(
        id=command.payment,
        region=merchant.region,
        merchant=merchant.id,
        payer=payer.id,
        order_no=command.order_no,
        amount=command.amount,
        scenario=command.scenario,
        mode=command.mode,
        terminal_id=command.terminal_id,
        description=command.description,
        state=state,
        refusal=refusal.value if refusal is not None else None,
        tenders=plan.tenders if plan is not None else (),
        business_date=books.control.business_date,
        cycle=books.control.cycle if is_captured else None,
        limit_day=books.control.business_date,
        created_at=books.now,
        expires_at=books.now + timedelta(seconds=hold_s) if state in HELD else None,
        captured_at=books.now if is_captured else None,
        bill_no=command.bill_no,
        limit=plan.limit if plan is not None else LimitClass.UNCONFIRMED,
        details=_details(command, plan),
        family=payer.family if has_family else None,
    )


_NO_DETAILS: Final = Details()


def _details(command: Authorize, plan: _Plan | None) -> Details | None:
    claim = plan.claim if plan is not None else None
    awaiting = plan.awaiting if plan is not None else None
    quote = command.quoted.quote if command.quoted is not None else None
    ticket = command.code.ticket if command.code is not None else None
    channel = command.caller if bytes(command.caller) != command.merchant else None
    details = Details(
        claim=claim,
        awaiting=awaiting,
        quote=quote,
        pay_order=command.pay_order,
        channel=channel,
        ticket=ticket,
        ride_no=command.ride_no,
    )
    return details if details != _NO_DETAILS else None
