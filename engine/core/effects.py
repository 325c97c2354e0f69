"""What follows from an allowed move: the payment afterwards, the payer afterwards, and the postings.

The functions here refuse nothing; `engine.core.decide` has already said yes.
"""

from datetime import datetime

import msgspec

from engine.core.accounts import AccountId, merchant_payable
from engine.core.books import Control
from engine.core.ids import RefundId
from engine.core.money import fill
from engine.core.payer import Payer, give_back, settle_hold
from engine.core.payments import TRANSITIONS, Move, Payment, Refund, Tender, TenderKind
from engine.core.postings import Phase, Posting, PostingKind


class Effects(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a move makes of a payment and its payer."""

    payment: Payment
    payer: Payer
    postings: tuple[Posting, ...]


def capture(payment: Payment, payer: Payer, *, amount: int, is_final: bool, control: Control, now: datetime) -> Effects:
    """Post *amount* of what is held, tender by tender in their order; a final capture releases the rest."""
    left = [tender.amount - tender.captured for tender in payment.tenders]
    shares = fill(amount, left)
    released = tuple(left) if is_final else shares
    postings = _release_postings(payment, released)
    postings += tuple(
        _posting(payment, tender, share, Phase.POST)
        for tender, share in zip(payment.tenders, shares, strict=True)
        if share
    )
    is_first = payment.cycle is None
    captured = msgspec.structs.replace(
        payment,
        state=TRANSITIONS[payment.state, Move.CAPTURE_FINAL if is_final else Move.CAPTURE_PART],
        tenders=tuple(
            msgspec.structs.replace(tender, captured=tender.captured + share)
            for tender, share in zip(payment.tenders, shares, strict=True)
        ),
        business_date=control.business_date if is_first else payment.business_date,
        cycle=control.cycle if is_first else payment.cycle,
        captured_at=now if is_first else payment.captured_at,
        expires_at=None if is_final else payment.expires_at,
    )
    return Effects(payment=captured, payer=_settled(payer, payment, released, shares), postings=postings)


def release(payment: Payment, payer: Payer, *, move: Move) -> Effects:
    """Let go of everything that is still held. What was captured before stands, so the payment ends captured."""
    left = tuple(tender.amount - tender.captured for tender in payment.tenders)
    taken = Move.RELEASE_REST if payment.captured_amount else move
    released = msgspec.structs.replace(
        payment,
        state=TRANSITIONS[payment.state, taken],
        expires_at=None if taken is Move.RELEASE_REST else payment.expires_at,
    )
    nothing = (0,) * len(left)
    return Effects(
        payment=released,
        payer=_settled(payer, payment, left, nothing),
        postings=_release_postings(payment, left),
    )


def refund(
    payment: Payment,
    payer: Payer,
    *,
    refund_id: RefundId,
    refund_no: str,
    amount: int,
    reason: str | None,
    payee: AccountId,
    control: Control,
    now: datetime,
) -> tuple[Effects, Refund]:
    """Give back *amount* from *payee*, the last tender first: the bank card before the personal account before the
    fund.
    """
    left = [tender.captured - tender.refunded for tender in payment.tenders]
    shares = fill(amount, left[::-1])[::-1]
    is_rest = amount == sum(left)
    given = tuple(
        msgspec.structs.replace(tender, amount=share, captured=share, refunded=share)
        for tender, share in zip(payment.tenders, shares, strict=True)
        if share
    )
    postings = tuple(
        Posting(
            payment.id,
            Phase.POST,
            PostingKind.REFUND,
            payee,
            tender.refund_account,
            tender.amount,
        )
        for tender in given
    )
    refunded = msgspec.structs.replace(
        payment,
        state=TRANSITIONS[payment.state, Move.REFUND_REST if is_rest else Move.REFUND_PART],
        tenders=tuple(
            msgspec.structs.replace(tender, refunded=tender.refunded + share)
            for tender, share in zip(payment.tenders, shares, strict=True)
        ),
    )
    record = Refund(
        id=refund_id,
        payment=payment.id,
        refund_no=refund_no,
        amount=amount,
        tenders=given,
        reason=reason,
        business_date=control.business_date,
        cycle=control.cycle,
        created_at=now,
    )
    personal = _share_of(payment, shares, TenderKind.PERSONAL_ACCOUNT)
    effects = Effects(payment=refunded, payer=give_back(payer, personal=personal), postings=postings)
    return effects, record


def _posting(payment: Payment, tender: Tender, amount: int, phase: Phase) -> Posting:
    return Posting(payment.id, phase, PostingKind.PAY, tender.source, merchant_payable(payment.merchant), amount)


def _release_postings(payment: Payment, released: tuple[int, ...]) -> tuple[Posting, ...]:
    return tuple(
        _posting(payment, tender, share, Phase.RELEASE)
        for tender, share in zip(payment.tenders, released, strict=True)
        if share
    )


def _settled(payer: Payer, held: Payment, released: tuple[int, ...], posted: tuple[int, ...]) -> Payer:
    bank_released = _share_of(held, released, TenderKind.BANK_CARD)
    return settle_hold(
        payer,
        personal_released=_share_of(held, released, TenderKind.PERSONAL_ACCOUNT),
        personal_posted=_share_of(held, posted, TenderKind.PERSONAL_ACCOUNT),
        bank_returned=bank_released - _share_of(held, posted, TenderKind.BANK_CARD),
        limit_day=held.limit_day,
    )


def _share_of(payment: Payment, shares: tuple[int, ...], kind: TenderKind) -> int:
    return sum(share for tender, share in zip(payment.tenders, shares, strict=True) if tender.kind is kind)
