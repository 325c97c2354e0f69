"""Reviews: an operator lets a payment go whose money is held, or gives it up; decided once, and carried out once."""

from typing import Final, Protocol, assert_never

import asyncpg
import msgspec

from engine.core.commands import Confirm, Void
from engine.core.ids import CallerId, PaymentId
from engine.core.participants import Right
from engine.core.refusals import Refusal
from engine.flows.answer_once import NotDone
from engine.flows.approve import Asking
from engine.ledger.router import Ledger
from engine.store.participants import load_clocks
from engine.store.risk import (
    Review,
    ReviewState,
    decide_review,
    finish_review,
    load_review,
    load_reviews_under_way,
    lock_review,
)

UNDER_WAY_AT_ONCE: Final = 50


class ReviewedPayments(Protocol):
    """Does with a held payment what was decided, as often as it is asked with the same effect as once."""

    async def release(self, review: Review, /) -> Refusal | None:
        """Let the payment go on, or say why that is too late.

        Raises:
            Fault: not now; it is asked again.
        """

    async def reject(self, review: Review, /) -> Refusal | None:
        """Give the money back to the cardholder, or say why that is too late.

        Raises:
            Fault: not now; it is asked again.
        """


class LedgerReviews:
    """Reviewed payments in the books."""

    def __init__(self, ledger: Ledger) -> None:
        """Through the lanes of *ledger*."""
        self._ledger = ledger

    async def release(self, review: Review, /) -> Refusal | None:
        """The payment is confirmed in place of its cardholder."""
        assert review.decided_by is not None, "an open review is not carried out"
        outcome = await self._ledger.submit(
            Confirm(
                caller=CallerId(review.decided_by),
                key=_key(review),
                payment=review.payment,
                merchant=None,
                password=None,
            )
        )
        return _refusal(outcome.answer.refusal)

    async def reject(self, review: Review, /) -> Refusal | None:
        """The hold is let go."""
        outcome = await self._ledger.submit(
            Void(caller=CallerId(review.merchant), key=_key(review), payment=review.payment)
        )
        return _refusal(outcome.answer.refusal)


async def decide_on(asked: Asking, payment: PaymentId, state: ReviewState, *, reason: str) -> Review | NotDone:
    """Decide on a payment that waits, whoever else decides meanwhile. It is carried out afterwards.

    Letting somebody do more needs the right to decide; giving a payment up only stops something.
    Locks: the review's row; whoever comes second is told that it is decided.
    """
    review = await lock_review(asked.connection, payment)
    if review is None or not asked.operator.may(Right.READ, review.region):
        return NotDone(Refusal.NOT_FOUND)
    refused = asked.why_not(Right.DECIDE if state is ReviewState.RELEASED else Right.STOP, review.region)
    if refused is not None:
        return refused
    if review.state is not ReviewState.OPEN:
        return NotDone(Refusal.APPROVAL_DECIDED)
    decided = msgspec.structs.replace(
        review, state=state, decided_by=asked.operator.id, decided_at=asked.now, reason=reason
    )
    return await decide_review(asked.connection, decided)


async def carry_out_review(pool: asyncpg.Pool, review: Review, payments: ReviewedPayments) -> Review:
    """Do what was decided on a payment.

    Raises:
        Fault: it cannot be done now.
    """
    match review.state:
        case ReviewState.OPEN:
            raise AssertionError("an open review is not carried out")
        case ReviewState.RELEASED:
            refusal = await payments.release(review)
        case ReviewState.REJECTED:
            refusal = await payments.reject(review)
        case _:
            assert_never(review.state)
    now = (await load_clocks(pool)).business
    finished = await finish_review(
        pool, review.payment, refusal=refusal.value if refusal is not None else None, now=now
    )
    if finished is None:
        finished = await load_review(pool, review.payment)
        assert finished is not None, "reviews stay"
    return finished


async def carry_out_reviews(pool: asyncpg.Pool, payments: ReviewedPayments) -> int:
    """Do what was decided and left undone by a process that ended or a fault. Returns how many were done.

    Raises:
        Fault: the first that could not be done now.
    """
    waiting = await load_reviews_under_way(pool, count=UNDER_WAY_AT_ONCE)
    for review in waiting:
        await carry_out_review(pool, review, payments)
    return len(waiting)


def _key(review: Review) -> str:
    """No key that a merchant can take first: theirs are ASCII."""
    return f"复核/{review.payment.hex()}"


def _refusal(value: str | None) -> Refusal | None:
    return Refusal(value) if value is not None else None
