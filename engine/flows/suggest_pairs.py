"""Suggesting pairs: a line without a reference and an item that is missing may be one. Only a person can say so."""

from collections.abc import Mapping, Sequence
from typing import Final

from engine.core.loose_ends import Finding, LooseItem, LooseLine, Place, may_be_one
from engine.store.reconciliation import DifferenceRecord, Reconciliations

ALIKE_MAX: Final = 1_000
SUGGESTED_MAX: Final = 5


async def suggest_pairs(
    reads: Reconciliations, differences: Sequence[DifferenceRecord]
) -> Mapping[Place, Sequence[Place]]:
    """For each of some differences of one bank that are open and loose, at most five that may be its other side.

    Raises:
        Fault: the database cannot answer.
    """
    open_ends = [one for one in differences if one.is_loose and one.settled_at is None and one.account]
    if not open_ends:
        return {}
    accounts = sorted({one.account for one in open_ends})
    others = await reads.alike(open_ends[0].bank, accounts, count=ALIKE_MAX)
    return {
        one.place: [other.place for other in others if _may_be_one(one, other) or _may_be_one(other, one)][
            :SUGGESTED_MAX
        ]
        for one in open_ends
    }


def _may_be_one(lacking: DifferenceRecord, had: DifferenceRecord) -> bool:
    """True if *lacking* is an item, *had* is a line without a payment, and they are alike."""
    if lacking.our_direction is None or lacking.our_amount is None or lacking.our_date is None or had.payment_id:
        return False
    if had.direction is None or had.amount is None or had.booked_on is None:
        return False
    item = LooseItem(lacking.place, lacking.our_date, lacking.our_direction, lacking.our_amount)
    line = LooseLine(had.place, had.booked_on, had.direction, had.amount, Finding(had.kind, had.effect, had.cause))
    return may_be_one(item, line, accounts=(lacking.account, had.account))
