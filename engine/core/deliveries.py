"""When a bank gets its files: at the end of every cycle, or of some of the day's, with all that has waited."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import msgspec

from engine.core.calendar import CycleNumber, cycle_date, cycle_sequence
from engine.core.clearing import NetPosition
from engine.core.clearing_lines import FileKind
from engine.core.ids import BankId


class LineTotals(msgspec.Struct, frozen=True, kw_only=True):
    """What lines add up to. Units: fen; debits take from the file's receiver, credits give to it."""

    count: int
    debit_total: int
    credit_total: int


class ClearedCycle(msgspec.Struct, frozen=True, kw_only=True):
    """A netted cycle, as far as files need it."""

    cycle: CycleNumber
    closed_at: datetime
    settlement_bank: BankId
    positions: tuple[NetPosition, ...]  # by bank


def is_delivered(places: Collection[int], *, cycle: CycleNumber, following: CycleNumber) -> bool:
    """True if a bank that gets its files at the cycles of *places* in the day (none: at all) gets them at this one.

    The last cycle of a day, which another date's is *following*, always delivers: a day's items settle together.
    """
    return not places or cycle_sequence(cycle) in places or cycle_date(following) != cycle_date(cycle)


def delivered_from(
    places: Collection[int], *, cycle: CycleNumber, following: CycleNumber, waiting_since: CycleNumber | None
) -> CycleNumber | None:
    """The first cycle that a bank's files cover which it gets at *cycle*'s end; None: the cycle's items wait.

    *waiting_since* is the first cycle before this one whose items have waited.
    """
    if not is_delivered(places, cycle=cycle, following=following):
        return None
    return cycle if waiting_since is None else waiting_since


def expected_totals(kind: FileKind, bank: BankId, cycles: Sequence[ClearedCycle]) -> LineTotals:
    """What the lines of a bank's file over *cycles* must add up to, by the net positions."""
    positions = [position for cleared in cycles for position in cleared.positions if position.bank == bank]
    debits, credits_ = sum(position.debits for position in positions), sum(position.credits for position in positions)
    debit_count = sum(position.debit_count for position in positions)
    credit_count = sum(position.credit_count for position in positions)
    match kind:
        case FileKind.COLLECT:
            return LineTotals(count=debit_count, debit_total=debits, credit_total=0)
        case FileKind.CREDIT:
            return LineTotals(count=credit_count, debit_total=0, credit_total=credits_)
        case FileKind.ADVICE:
            return LineTotals(count=debit_count + credit_count, debit_total=debits, credit_total=credits_)
        case FileKind.NET:
            moved = [net for cleared in cycles for net in _moved(bank, cleared)]
            return LineTotals(
                count=len(moved),
                debit_total=-sum(net for net in moved if net < 0),
                credit_total=sum(net for net in moved if net > 0),
            )


def _moved(bank: BankId, cleared: ClearedCycle) -> Sequence[int]:
    """What moves between a bank and the settlement bank: for the settlement bank, once for each other bank."""
    if bank == cleared.settlement_bank:
        return [-position.net for position in cleared.positions if position.net and position.bank != bank]
    return [position.net for position in cleared.positions if position.net and position.bank == bank]


def covered(cycles: Mapping[CycleNumber, ClearedCycle], *, first: CycleNumber, last: CycleNumber) -> list[ClearedCycle]:
    """Those of *cycles* from *first* to *last*, in order."""
    return [cycles[number] for number in sorted(cycles) if first <= number <= last]
