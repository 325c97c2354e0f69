"""What came of the sample city's purchases, counted for people to read."""

from collections import Counter
from typing import Final

import msgspec

from engine.core.refusals import Refusal
from engine.web.wire import PaymentView

AT_A_GATE: Final = "gate without a network"
NO_MISTAKE: Final = frozenset({Refusal.INSUFFICIENT_FUNDS.slug, Refusal.UNPAID_RIDE.slug})
"""What may befall a card that an earlier run has emptied."""


class Tally(msgspec.Struct, kw_only=True):
    """What came of the purchases. Units: fen."""

    purchases: int = 0
    captured: int = 0
    captured_fen: int = 0
    refunded_fen: int = 0
    quoted: int = 0  # medical bills that were pre-settled first
    confirmed: int = 0  # payments for which the password was asked and given
    let_go: int = 0  # payments for which it was asked and not given
    modes: Counter[str] = msgspec.field(default_factory=Counter)  # of captured payments
    scenarios: Counter[str] = msgspec.field(default_factory=Counter)  # of captured payments
    tenders_fen: Counter[str] = msgspec.field(default_factory=Counter)  # what captured payments were paid from
    refusals: Counter[str] = msgspec.field(default_factory=Counter)
    surprises: list[str] = []
    """Purchases that did not end as planned, though the payer had the money."""

    def count_captured(self, payment: PaymentView) -> None:
        """Count a payment that was captured, as it was before any refund."""
        self.captured += 1
        self.captured_fen += payment.captured_amount
        self.modes[payment.mode] += 1
        self.scenarios[payment.scenario] += 1
        for tender in payment.tenders:
            self.tenders_fen[tender.kind] += tender.amount

    def count_ride(self, scenario: str, amount: int) -> None:
        """Count a gate's ticket that was captured. Only bank cards pay these."""
        self.captured += 1
        self.captured_fen += amount
        self.modes[AT_A_GATE] += 1
        self.scenarios[scenario] += 1
        self.tenders_fen["bank_card"] += amount

    def count_refused(self, code: str) -> None:
        """Count a gate's ticket that was not paid: none is planned to be."""
        self.refusals[code] += 1
        if code not in NO_MISTAKE and code != Refusal.PAY_CODE_USED.slug:  # at a till, by an earlier run
            self.surprises.append(f"a ticket was answered with {code}")
