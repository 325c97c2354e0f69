"""Bills of one visit: what they used of the year is given back newest first, since each was split on what those before
it had left.
"""

from typing import NamedTuple

from engine.core.ids import CardId, MerchantId, PaymentId
from engine.core.payments import TERMINAL, Payment, State

VisitKey = tuple[CardId, MerchantId, str]  # whose visit it is, to whom, under which number of theirs


class Settlement(NamedTuple):
    """A bill of a visit that is settled, and not given back."""

    visit: VisitKey
    number: int  # grows within the visit
    payment: PaymentId


class Visits:
    """The live settlements of the visits that a batch is about, as its decisions leave them."""

    def __init__(self, live: dict[VisitKey, list[Settlement]]) -> None:
        """Start from what was read, each visit's oldest first; it is changed in place."""
        self._live = live
        self.begun: set[Settlement] = set()
        self.ended: set[Settlement] = set()

    def has_newer(self, payment: Payment) -> bool:
        """True if a later bill of the same visit has to be given back first.

        What still waits for its cardholder is not settled yet, and may be given up at any time.
        """
        visit = visit_of(payment)
        if visit is None or payment.state is State.AWAITING_USER:
            return False
        payments = [settlement.payment for settlement in self._live.get(visit, [])]
        return payment.id in payments[:-1]

    def take(self, before: Payment | None, payment: Payment) -> None:
        """Count a payment among its visit's from the claim on, until all of it is given back."""
        visit = visit_of(payment)
        if visit is None:
            return
        live = self._live.setdefault(visit, [])
        if payment.state not in TERMINAL:
            if before is None or before.claim is None:
                settlement = Settlement(visit, live[-1].number + 1 if live else 1, payment.id)
                live.append(settlement)
                self.begun.add(settlement)
            return
        for settlement in live:
            if settlement.payment == payment.id:
                live.remove(settlement)
                if settlement in self.begun:
                    self.begun.remove(settlement)
                else:
                    self.ended.add(settlement)
                return


def visit_of(payment: Payment) -> VisitKey | None:
    """The visit whose bill a payment has settled."""
    claim = payment.claim
    if claim is None or claim.visit_no is None:
        return None
    return (payment.payer, payment.merchant, claim.visit_no)
