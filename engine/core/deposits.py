"""Deposits of a hospital stay: more can be put on hold, and the final bill decides what of it is taken."""

import msgspec

from engine.core import effects
from engine.core.answers import EventKind
from engine.core.authorization import code_refusal, code_use, merchant_refusal
from engine.core.benefits import BillFault
from engine.core.books import Books, Decision, answer_with, refuse
from engine.core.channel_stops import channel_refusal
from engine.core.claims import settle_bill
from engine.core.commands import Capture, Raise
from engine.core.money import fill
from engine.core.moves import decision_of, has_lapsed, parties_of
from engine.core.payer import LimitClass, Payer, hold_funds, use_benefits, why_not_usable
from engine.core.payments import TRANSITIONS, Details, Move, Payment, State, Tender, TenderKind
from engine.core.postings import Phase, Posting, PostingKind
from engine.core.refusals import Refusal
from engine.core.scenarios import BY_NUMBER
from engine.core.tenders import amount_from, funded, own_tenders, spending_of


def decide_raise(books: Books, command: Raise) -> Decision:
    """Put more of the same cardholder's money on hold. Nothing of the payment changes if that cannot be done."""
    payment = books.seen.payments.get(command.payment)
    if payment is None or bytes(payment.merchant) != command.caller:
        return refuse(Refusal.PAYMENT_NOT_FOUND)
    if payment.state is not State.AUTHORIZED or has_lapsed(books, payment) or payment.claim is not None:
        return refuse(Refusal.PAYMENT_STATE_CONFLICT)
    closed = merchant_refusal(books, books.seen.merchants[payment.merchant], payment.scenario) or channel_refusal(
        books, command.caller, command.code, payment.region
    )
    if closed is not None:
        return refuse(closed)
    device = books.seen.devices.get(command.code.device_no) if command.code.device_no is not None else None
    if device is None:
        return refuse(command.code.refusal or Refusal.PAY_CODE_WRONG, field="pay_code")
    if device.payer != payment.payer:
        return refuse(Refusal.IDENTITY_MISMATCH, field="pay_code")
    parties = parties_of(books, payment)
    payer = parties.payer
    refusal = code_refusal(books, command.code) or why_not_usable(payer)
    if refusal is not None:
        return refuse(refusal)
    added = own_tenders(books, payer, BY_NUMBER[payment.scenario], command.amount, split=None)
    if added is None:
        return refuse(Refusal.INSUFFICIENT_FUNDS)
    if _is_over_limits(books, payment, payer, added=command.amount, bank=amount_from(added, TenderKind.BANK_CARD)):
        return refuse(Refusal.LIMIT_EXCEEDED)

    # From here on the raise must succeed.
    details = payment.details if payment.details is not None else Details()
    raised = msgspec.structs.replace(
        payment,
        state=TRANSITIONS[payment.state, Move.RAISE],
        amount=payment.amount + command.amount,
        tenders=_joined(payment.tenders, added),
        details=msgspec.structs.replace(details, raised=details.raised + command.amount),
        sequence=payment.sequence + 1,
    )
    return Decision(
        kind=EventKind.RAISED,
        answer=answer_with(books, raised),
        payment=raised,
        payer=hold_funds(payer, spending_of(added, payment.limit, None), books.control.business_date),
        postings=tuple(
            Posting(payment.id, Phase.HOLD, PostingKind.PAY, tender.source, parties.payee, tender.amount)
            for tender in added
        ),
        code_use=code_use(command.code),
    )


def _is_over_limits(books: Books, payment: Payment, payer: Payer, *, added: int, bank: int) -> bool:
    """True if so much may not be added without asking the cardholder, or not on this day at all.

    Whoever was not asked for the password at first is not asked now: then no more is held than needs none.
    """
    day = books.control.business_date
    if payment.limit is LimitClass.UNCONFIRMED and BY_NUMBER[payment.scenario].must_confirm(
        payment.amount + added, no_password_up_to=payer.no_password_up_to
    ):
        return True
    # What is held counts against one day: that of the authorization. A later day's needs a hold of its own.
    return bank > payer.left_in(payment.limit, day) or (bank > 0 and payment.limit_day != day)


def decide_final_bill(books: Books, command: Capture, payment: Payment) -> Decision:
    """Take what the final bill leaves to the cardholder from the deposit, let the funds pay the rest, release what is
    left of it.
    """
    assert command.bill is not None
    if not command.final or payment.captured_amount or payment.claim is not None:
        return refuse(Refusal.PAYMENT_STATE_CONFLICT)
    if TenderKind.POOL_FUND not in BY_NUMBER[payment.scenario].tenders:
        return refuse(Refusal.BILL_INVALID, field="bill")
    merchant = books.seen.merchants[payment.merchant]
    parties = parties_of(books, payment)
    settled = settle_bill(books, parties.payer, merchant, command.bill, amount=command.amount, quoted=None)
    if isinstance(settled, BillFault):
        return refuse(settled.refusal, field=settled.pointer.removeprefix("/") or None)
    split, claim = settled.split, settled.claim
    own = _own_shares(payment.tenders, split.person_part, split.account_eligible)
    if own is None:
        return refuse(Refusal.CAPTURE_EXCEEDS_AUTHORIZATION, field="bill")

    # From here on the capture must succeed.
    funds = funded(split, parties.payer)
    details = payment.details if payment.details is not None else Details()
    held = msgspec.structs.replace(
        payment,
        amount=payment.amount + sum(tender.amount for tender in funds),
        tenders=funds + payment.tenders,
        details=msgspec.structs.replace(details, claim=claim),
    )
    payer = use_benefits(parties.payer, claim.year, claim.deductible, claim.pool)
    made = effects.capture(
        held,
        msgspec.structs.replace(parties, payer=payer),
        shares=tuple(tender.amount for tender in funds) + own,
        is_final=True,
        control=books.control,
        now=books.now,
    )
    # The funds' shares were never on hold: they are now, for the instant in which they are taken.
    holds = tuple(
        Posting(payment.id, Phase.HOLD, PostingKind.PAY, tender.source, parties.payee, tender.amount)
        for tender in funds
    )
    return decision_of(books, EventKind.CAPTURED, msgspec.structs.replace(made, postings=holds + made.postings))


def _own_shares(tenders: tuple[Tender, ...], amount: int, account_eligible: int) -> tuple[int, ...] | None:
    """What each tender of a deposit pays of *amount*; None if they hold too little of what may pay it."""
    room = []
    left_for_accounts = account_eligible
    for tender in tenders:
        held = tender.amount - tender.captured
        if tender.kind is not TenderKind.BANK_CARD:
            held = min(held, left_for_accounts)
            left_for_accounts -= held
        room.append(held)
    return fill(amount, room) if amount <= sum(room) else None


def _joined(tenders: tuple[Tender, ...], added: tuple[Tender, ...]) -> tuple[Tender, ...]:
    """One tender a source, those that are new last."""
    by_source = {tender.source: tender for tender in added}
    grown = []
    for tender in tenders:
        more = by_source.pop(tender.source, None)
        grown.append(tender if more is None else msgspec.structs.replace(tender, amount=tender.amount + more.amount))
    return (*grown, *by_source.values())
