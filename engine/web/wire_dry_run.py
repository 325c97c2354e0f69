"""What a payment would do, over the wire."""

import msgspec

from engine.web.wire import PaymentView


class PostingView(msgspec.Struct, frozen=True, kw_only=True):
    """One posting that would be made. Units: fen."""

    phase: str
    debit: str
    credit: str
    amount: int


class BalanceView(msgspec.Struct, frozen=True, kw_only=True):
    """What would be left of one of the cardholder's sources. Units: fen."""

    account: str
    available: int


class DryRunView(msgspec.Struct, frozen=True, kw_only=True):
    """The decision about a payment that nothing came of."""

    would_be_refused: bool
    code: str | None
    payment: PaymentView | None
    postings: tuple[PostingView, ...]
    balances: tuple[BalanceView, ...]
    cycle: str
