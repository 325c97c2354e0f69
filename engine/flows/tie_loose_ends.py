"""Tying loose ends: what one statement lacks and another has is found again, whichever of them came first."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Final

from engine.core.ids import BankId
from engine.core.loose_ends import LooseItem, Place, Tie, tie
from engine.store.payments_of_bank import ClearedItem, PaymentsOfBank
from engine.store.reconciliation_session import ReconciliationSession
from engine.store.reconciliation_writer import LooseEnds, ReconciliationWriter

PAYMENTS_AT_ONCE: Final = 500


async def tie_loose_ends(
    session: ReconciliationSession,
    writer: ReconciliationWriter,
    *,
    bank: BankId,
    business_date: date,
    at: datetime,
) -> None:
    """All loose ends that a new reconciliation has to do with are tied anew: its own, and those of other dates that
    were waiting for it.

    Raises:
        Fault: the database cannot do it; the same call does it again.
    """
    payments = PaymentsOfBank(session.connection, bank)
    async for payment_ids in writer.loose_payments(business_date, count=PAYMENTS_AT_ONCE):
        ends = await writer.loose_ends(payment_ids)
        cleared = await payments.cleared(payment_ids)
        covered = await payments.covered(sorted({item.business_date for items in cleared.values() for item in items}))
        ties: dict[Place, Tie] = {}
        owners: dict[Place, LooseEnds] = {}
        for payment_id, loose in ends.items():
            found = _tied(loose, cleared.get(payment_id, []), covered)
            ties |= found
            owners |= dict.fromkeys(found, loose)
        await writer.tie(ties, owners, at=at)


def _tied(loose: LooseEnds, cleared: Sequence[ClearedItem], covered: Sequence[tuple[int, int]]) -> Mapping[Place, Tie]:
    """One payment. An item that no standing statement is about can be tied as well: its own has still to come."""
    waiting = [
        LooseItem(None, item.business_date, item.direction, item.amount)
        for item in cleared
        if item.is_published and not any(first <= item.cycle <= last for first, last in covered)
    ]
    return tie(
        [*loose.items, *waiting],
        loose.lines,
        published=frozenset((item.direction, item.amount) for item in cleared if item.is_published)
        | frozenset((item.direction, item.amount) for item in loose.items),
        unpublished=frozenset((item.direction, item.amount) for item in cleared if not item.is_published),
    )
