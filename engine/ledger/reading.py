"""What few batches need to be decided, beside what S2 has read."""

from collections.abc import Sequence

from engine.core.books import Seen
from engine.ledger.batch import Claimed, bills_named, visits_named
from engine.store.books_reader import BooksReader, Wanted
from engine.store.rows import bill_of, pay_orders_of, unpaid_rides_of, visits_of
from engine.store.rules import RulesShelf


async def read_more(
    reader: BooksReader, wanted: Wanted, claims: Sequence[Claimed], seen: Seen, shelf: RulesShelf
) -> None:
    """Put the rest into *seen*. Each kind of thing is a statement of its own, so that the others do not pay for it.

    Raises:
        Fault: the database cannot answer.
    """
    named = bills_named(wanted, seen)
    if named:
        seen.bills = {row["bill_no"]: bill_of(row) for row in await reader.read_bills(named)}
    if wanted.pay_orders:
        seen.pay_orders = pay_orders_of(await reader.read_orders(wanted.pay_orders))
    blocked = [payer.id for payer in seen.payers.values() if payer.blocked_scenarios]
    if blocked:
        seen.unpaid_rides = unpaid_rides_of(await reader.read_rides(blocked))
    visits = visits_named(claims, seen)
    if visits:
        seen.visits = visits_of(await reader.read_visits(visits))
    seen.rules = await reader.read_rules(shelf, seen.control.rules_version)
    if seen.rules.stopped and wanted.devices:
        seen.device_channels = await reader.read_device_channels(wanted.devices)
