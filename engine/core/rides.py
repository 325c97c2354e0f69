"""Rides that a gate let through and nobody has paid: until they are, the cardholder cannot pay for more of the kind."""

import msgspec

from engine.core.books import Books, OrderKey, RideKey
from engine.core.payer import Payer


def after_paying(books: Books, payer: Payer, scenario: int, order: OrderKey) -> tuple[Payer, RideKey | None]:
    """The payer once an order is paid, and the ride that it was, if it was one that was due."""
    due = books.seen.unpaid_rides.get((payer.id, scenario))
    if due is None or order not in due:
        return payer, None
    if due == {order}:
        payer = msgspec.structs.replace(payer, blocked_scenarios=payer.blocked_scenarios & ~(1 << scenario))
    return payer, (payer.id, scenario, order)
