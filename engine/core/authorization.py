"""Deciding whether a scanned code pays, and from what."""

from datetime import timedelta

from engine.core.accounts import AccountId, bank_receivable, personal_account
from engine.core.answers import EventKind
from engine.core.bills import judge_bill, may_pay
from engine.core.books import Books, CodeUse, Decision, Merchant, Order, answer_with, refuse
from engine.core.commands import Authorize
from engine.core.ids import CardId
from engine.core.payer import Payer, TenderOrder, hold_funds, pay_at_once, why_not_usable
from engine.core.payments import Mode, Payment, State, Tender, TenderKind
from engine.core.postings import Phase, Posting, PostingKind
from engine.core.refusals import Refusal


def decide_authorize(books: Books, command: Authorize) -> Decision:
    """Hold or take the amount of one scanned code, or name the first rule that forbids it.

    An attempt that fails on the cardholder's side, by a genuine code, is stored as a declined payment; it leaves the
    order number free and the code unused.
    """
    merchant = books.seen.merchants.get(command.merchant)
    assert merchant is not None, "a merchant's request is verified with a key of that merchant"
    refusal = _merchant_refusal(books, command, merchant) or _order_refusal(books, command)
    if refusal is not None:
        return refuse(refusal, field="order_no" if refusal in _ABOUT_THE_ORDER else None)
    bill = None
    if command.bill_no is not None:
        assert command.capture, "a bill is paid at once"
        bill = books.seen.bills.get(command.bill_no)
        unpayable = judge_bill(bill, amount=command.amount, now=books.now)
        if unpayable is not None:
            return refuse(unpayable.refusal, field=unpayable.field)
    device = books.seen.devices.get(command.device_no) if command.device_no is not None else None
    if command.code_refusal is not None and device is None:
        return refuse(command.code_refusal, field="pay_code")
    if device is None:
        return refuse(Refusal.PAY_CODE_WRONG, field="pay_code")
    payer = books.seen.payers[device.payer]
    code_use = _code_use(command)
    refusal = (
        command.code_refusal
        or (Refusal.PAY_CODE_USED if code_use in books.seen.codes_used else None)
        or (Refusal.DEVICE_REVOKED if device.is_revoked else None)
        or why_not_usable(payer)
        or (Refusal.RELATIVE_NOT_LINKED if bill is not None and not may_pay(bill, payer.id) else None)
    )
    tenders = () if refusal is not None else _tenders(books, command, payer)
    if refusal is None and not tenders:
        refusal = Refusal.INSUFFICIENT_FUNDS
    payment = _new_payment(books, command, merchant, payer.id, tenders, refusal)
    if refusal is not None:
        return Decision(
            kind=EventKind.DECLINED,
            answer=answer_with(books, payment, refusal=refusal),
            payment=payment,
        )

    # From here on the authorization must succeed.
    phase = Phase.POST if command.capture else Phase.HOLD
    credit = books.payee_of(payment)
    spend = pay_at_once if command.capture else hold_funds
    return Decision(
        kind=EventKind.CAPTURED if command.capture else EventKind.AUTHORIZED,
        answer=answer_with(books, payment),
        payment=payment,
        payer=spend(
            payer,
            personal=_amount_from(tenders, TenderKind.PERSONAL_ACCOUNT),
            bank=_amount_from(tenders, TenderKind.BANK_CARD),
            business_date=books.control.business_date,
        ),
        postings=tuple(
            Posting(payment.id, phase, PostingKind.PAY, tender.source, credit, tender.amount) for tender in tenders
        ),
        code_use=code_use,
        order=((command.merchant, command.order_no), Order(payment.id)),
    )


_ABOUT_THE_ORDER = frozenset({Refusal.ORDER_ALREADY_PAID, Refusal.ORDER_NUMBER_USED, Refusal.ORDER_CANCELLED})


_PAID = frozenset({State.AUTHORIZED, State.CAPTURED, State.PARTIALLY_REFUNDED})


def _merchant_refusal(books: Books, command: Authorize, merchant: Merchant) -> Refusal | None:
    if merchant.is_suspended:
        return Refusal.MERCHANT_SUSPENDED
    if (command.merchant, command.terminal_id) not in books.seen.terminals:
        return Refusal.TERMINAL_UNKNOWN
    if command.scenario not in merchant.scenarios:
        return Refusal.SCENARIO_NOT_ENABLED
    return None


def _order_refusal(books: Books, command: Authorize) -> Refusal | None:
    order = books.seen.orders.get((command.merchant, command.order_no))
    if order is None:
        return None
    if order.payment is None:
        return Refusal.ORDER_CANCELLED
    payment = books.seen.payments[order.payment]
    has_lapsed = payment.expires_at is not None and books.now >= payment.expires_at
    return Refusal.ORDER_ALREADY_PAID if payment.state in _PAID and not has_lapsed else Refusal.ORDER_NUMBER_USED


def _code_use(command: Authorize) -> CodeUse:
    assert command.device_no is not None
    return (command.code_step, command.device_no, command.code_refresh)


def _tenders(books: Books, command: Authorize, payer: Payer) -> tuple[Tender, ...]:
    """How the amount is made up, or nothing when the payer has not enough.

    The funds' shares are given; the rest is a waterfall over the payer's own sources in the payer's order.
    """
    rest = command.amount
    tenders = []
    is_captured = command.capture
    for share in command.fund_shares:
        rest -= share.amount
        captured = share.amount if is_captured else 0
        tenders.append(Tender(TenderKind.POOL_FUND, share.account, share.amount, captured, 0, share.fund_pay_type))
    assert rest >= 0, "the funds pay no more than the bill"
    for kind, account, available in _own_sources(books, payer):
        amount = min(rest, available)
        if amount > 0:
            rest -= amount
            tenders.append(Tender(kind, account, amount, amount if is_captured else 0, 0))
    return tuple(tenders) if rest == 0 else ()


def _own_sources(books: Books, payer: Payer) -> tuple[tuple[TenderKind, AccountId, int], ...]:
    """What the payer can spend, in the payer's order, with what each still holds."""
    personal = (
        TenderKind.PERSONAL_ACCOUNT,
        personal_account(payer.id),
        payer.personal_account_available,
    )
    if payer.tender_order is TenderOrder.PERSONAL_ACCOUNT_ONLY:
        return (personal,)
    left = max(0, payer.bank_allowance - payer.spent_on(books.control.business_date))
    bank = (TenderKind.BANK_CARD, bank_receivable(payer.bank), left)
    if payer.tender_order is TenderOrder.BANK_CARD_ONLY:
        return (bank,)
    return (personal, bank)


def _amount_from(tenders: tuple[Tender, ...], kind: TenderKind) -> int:
    for tender in tenders:
        if tender.kind is kind:
            return tender.amount
    return 0


def _new_payment(
    books: Books,
    command: Authorize,
    merchant: Merchant,
    payer: CardId,
    tenders: tuple[Tender, ...],
    refusal: Refusal | None,
) -> Payment:
    is_captured = refusal is None and command.capture
    is_held = refusal is None and not command.capture
    state = State.CAPTURED if is_captured else State.AUTHORIZED if is_held else State.DECLINED
    return Payment(
        id=command.payment,
        region=merchant.region,
        merchant=merchant.id,
        payer=payer,
        order_no=command.order_no,
        amount=command.amount,
        scenario=command.scenario,
        mode=Mode.SHOW_CODE,
        terminal_id=command.terminal_id,
        description=command.description,
        state=state,
        refusal=refusal.value if refusal is not None else None,
        tenders=tenders,
        business_date=books.control.business_date,
        cycle=books.control.cycle if is_captured else None,
        limit_day=books.control.business_date,
        created_at=books.now,
        expires_at=books.now + timedelta(seconds=command.hold_s) if is_held else None,
        captured_at=books.now if is_captured else None,
        bill_no=command.bill_no,
    )
