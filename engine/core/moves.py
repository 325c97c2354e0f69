"""What every move of a payment that exists needs: who is on either side of it, and the decision that it comes to."""

from engine.core.answers import CancelOutcome, EventKind
from engine.core.books import Books, Decision, RideKey, answer_with
from engine.core.effects import Effects, Parties
from engine.core.payments import Payment, Refund


def parties_of(books: Books, payment: Payment) -> Parties:
    """The payer, the relative who helped, and who is paid. The lane has locked both cards."""
    family = books.seen.payers[payment.family] if payment.family is not None else None
    return Parties(books.seen.payers[payment.payer], family, books.payee_of(payment))


def has_lapsed(books: Books, payment: Payment) -> bool:
    """A hold ends at its instant, whether or not the sweeper has come by."""
    return payment.expires_at is not None and books.now >= payment.expires_at


def decision_of(
    books: Books,
    kind: EventKind,
    made: Effects,
    *,
    refund: Refund | None = None,
    cancelled: CancelOutcome | None = None,
    ride_paid: RideKey | None = None,
) -> Decision:
    """The decision that a payment becomes what *made* says."""
    return Decision(
        kind=kind,
        answer=answer_with(books, made.payment, refund=refund, cancelled=cancelled),
        payment=made.payment,
        payer=made.payer,
        family=made.family,
        postings=made.postings,
        refund=refund,
        ride_paid=ride_paid,
    )
