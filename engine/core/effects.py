"""What follows from an allowed move: the payment afterwards, the payer afterwards, and the postings.

The functions here refuse nothing; `engine.core.decide` has already said yes.
"""

from datetime import datetime

import msgspec

from engine.core.accounts import AccountId
from engine.core.books import Control
from engine.core.ids import RefundId
from engine.core.money import fill
from engine.core.payer import Payer, give_back, give_benefits_back, help_family, settle_hold
from engine.core.payments import TRANSITIONS, Move, Payment, Refund, Tender, TenderKind
from engine.core.postings import Phase, Posting, PostingKind


class Effects(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a move makes of a payment and its payer."""

    payment: Payment
    payer: Payer
    postings: tuple[Posting, ...]
    family: Payer | None = None  # the relative whose personal account helped


class Parties(msgspec.Struct, frozen=True, gc=False):
    """Who is on either side of a payment."""

    payer: Payer
    family: Payer | None
    payee: AccountId


def capture(
    payment: Payment, parties: Parties, *, shares: tuple[int, ...], is_final: bool, control: Control, now: datetime
) -> Effects:
    """Post *shares* of what is held, one for each tender; a final capture releases the rest."""
    left = [tender.amount - tender.captured for tender in payment.tenders]
    released = tuple(left) if is_final else shares
    postings = _release_postings(payment, parties.payee, released)
    postings += tuple(
        _posting(payment, parties.payee, tender, share, Phase.POST)
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
        sequence=payment.sequence + 1,
    )
    return Effects(
        payment=captured,
        payer=_settled(parties.payer, payment, released, shares),
        family=_family_settled(parties.family, payment, released, shares),
        postings=postings,
    )


def in_order(payment: Payment, amount: int) -> tuple[int, ...]:
    """The shares of a capture of *amount*: tender by tender, in their order."""
    return fill(amount, [tender.amount - tender.captured for tender in payment.tenders])


def release(payment: Payment, parties: Parties, *, move: Move, refusal: str | None = None) -> Effects:
    """Let go of everything that is still held. What was captured before stands, so the payment ends captured.

    What a bill used of the year is given back with it: a bill is captured as a whole, or not at all.
    """
    left = tuple(tender.amount - tender.captured for tender in payment.tenders)
    taken = Move.RELEASE_REST if payment.captured_amount else move
    released = msgspec.structs.replace(
        payment,
        state=TRANSITIONS[payment.state, taken],
        expires_at=None if taken is Move.RELEASE_REST else payment.expires_at,
        refusal=refusal if refusal is not None else payment.refusal,
        sequence=payment.sequence + 1,
    )
    nothing = (0,) * len(left)
    payer = _settled(parties.payer, payment, left, nothing)
    return Effects(
        payment=released,
        payer=payer if payment.captured_amount else _benefits_back(payer, payment),
        family=_family_settled(parties.family, payment, left, nothing),
        postings=_release_postings(payment, parties.payee, left),
    )


def refundable(payment: Payment, amount: int) -> tuple[int, ...] | None:
    """The shares of a refund of *amount*, one for each tender, the last first: the bank card before the accounts.

    The funds' shares of a bill are given back with all the rest or not at all, since the bill has to be settled anew
    then. None: there is not so much to be given back.
    """
    left = [tender.captured - tender.refunded for tender in payment.tenders]
    if amount == sum(left):
        return tuple(left)
    if payment.claim is not None:
        left = [
            0 if tender.kind is TenderKind.POOL_FUND else share
            for tender, share in zip(payment.tenders, left, strict=True)
        ]
    return fill(amount, left[::-1])[::-1] if amount <= sum(left) else None


def refund(
    payment: Payment,
    parties: Parties,
    *,
    refund_id: RefundId,
    refund_no: str,
    shares: tuple[int, ...],
    reason: str | None,
    control: Control,
    now: datetime,
) -> tuple[Effects, Refund]:
    """Give back *shares* from the payee, one for each tender."""
    amount = sum(shares)
    is_rest = amount == payment.captured_amount - payment.refunded_amount
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
            parties.payee,
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
        sequence=payment.sequence + 1,
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
    payer = give_back(parties.payer, personal=_share_of(payment, shares, TenderKind.PERSONAL_ACCOUNT))
    helped = _share_of(payment, shares, TenderKind.FAMILY_ACCOUNT)
    effects = Effects(
        payment=refunded,
        payer=_benefits_back(payer, payment) if is_rest else payer,
        family=give_back(parties.family, personal=helped) if parties.family is not None else None,
        postings=postings,
    )
    return effects, record


def _posting(payment: Payment, payee: AccountId, tender: Tender, amount: int, phase: Phase) -> Posting:
    return Posting(payment.id, phase, PostingKind.PAY, tender.source, payee, amount)


def _benefits_back(payer: Payer, payment: Payment) -> Payer:
    claim = payment.claim
    return payer if claim is None else give_benefits_back(payer, claim.year, claim.deductible, claim.pool)


def _release_postings(payment: Payment, payee: AccountId, released: tuple[int, ...]) -> tuple[Posting, ...]:
    return tuple(
        _posting(payment, payee, tender, share, Phase.RELEASE)
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
        limit=held.limit,
        limit_day=held.limit_day,
    )


def _family_settled(
    family: Payer | None, held: Payment, released: tuple[int, ...], posted: tuple[int, ...]
) -> Payer | None:
    if family is None:
        return None
    return help_family(
        family,
        pending=-_share_of(held, released, TenderKind.FAMILY_ACCOUNT),
        posted=_share_of(held, posted, TenderKind.FAMILY_ACCOUNT),
    )


def _share_of(payment: Payment, shares: tuple[int, ...], kind: TenderKind) -> int:
    return sum(share for tender, share in zip(payment.tenders, shares, strict=True) if tender.kind is kind)
