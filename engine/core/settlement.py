"""The life of a cycle, what its settlement moves, and what the people who watch it have to be told.

A cycle's net positions are what its postings give. For an item that was returned or rejected before the cycle was
instructed, another bank stands in for the one that gave it back, so the bank at its other end is paid as it was told.
Over all banks the nets sum to zero, so at the settlement bank every bank that pays and every bank that gets ends even.
"""

import enum
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Final

import msgspec

from engine.core.bank_lines import Direction
from engine.core.calendar import CycleNumber
from engine.core.clearing import Movement, NetPosition
from engine.core.ids import BankId
from engine.core.refusals import Refusal
from engine.core.timetable import Timetable, answer_deadline, local_date

LIQUIDITY_ALARM_PERCENT: Final = 80


class CycleState(enum.Enum):
    """Where a cycle is in its life. The value is the wire's `state`."""

    OPEN = "open"
    CLOSED = "closed"
    NETTED = "netted"
    PUBLISHED = "published"
    SETTLED = "settled"


class CycleMove(enum.Enum):
    """What can happen to a cycle."""

    CLOSE = "close"
    NET = "net"
    PUBLISH = "publish"
    FAIL = "fail"  # the settlement bank could not settle it: it joins the next working day's instruction
    CONFIRM = "confirm"
    SETTLE_EMPTY = "settle_empty"  # nothing has to move between banks


CYCLE_TRANSITIONS: Final[Mapping[tuple[CycleState, CycleMove], CycleState]] = {
    (CycleState.OPEN, CycleMove.CLOSE): CycleState.CLOSED,
    (CycleState.CLOSED, CycleMove.NET): CycleState.NETTED,
    (CycleState.NETTED, CycleMove.PUBLISH): CycleState.PUBLISHED,
    (CycleState.PUBLISHED, CycleMove.FAIL): CycleState.PUBLISHED,
    (CycleState.PUBLISHED, CycleMove.CONFIRM): CycleState.SETTLED,
    (CycleState.PUBLISHED, CycleMove.SETTLE_EMPTY): CycleState.SETTLED,
}
"""A pair that is not listed is not allowed. The diagram in engine/README.md is compared with this by a test."""


class Outcome(enum.StrEnum):
    """What the settlement bank says of an instruction. The value is stored, and on the wire."""

    CONFIRMED = "confirmed"
    FAILED = "failed"


MOVE_OF: Final = {Outcome.CONFIRMED: CycleMove.CONFIRM, Outcome.FAILED: CycleMove.FAIL}


class CycleTimes(msgspec.Struct, frozen=True, kw_only=True):
    """When a closed cycle took each step; None if it has still to."""

    closed_at: datetime
    netted_at: datetime | None
    published_at: datetime | None
    settled_at: datetime | None

    @property
    def state(self) -> CycleState:
        """How far the cycle is."""
        if self.settled_at is not None:
            return CycleState.SETTLED
        if self.published_at is not None:
            return CycleState.PUBLISHED
        return CycleState.NETTED if self.netted_at is not None else CycleState.CLOSED


class Instruction(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt to settle a cycle, and what came of it; None while the settlement bank has not answered."""

    cycle: CycleNumber
    attempt: int  # from one
    settlement_date: date
    instructed_at: datetime
    outcome: Outcome | None = None
    reference: str | None = None
    answered_at: datetime | None = None


class SettledCycle(msgspec.Struct, frozen=True, kw_only=True):
    """A cycle whose settlement is confirmed, as the ledger posts it."""

    cycle: CycleNumber
    settlement_bank: BankId
    nets: Sequence[NetPosition]  # of every bank; what dropped out is the stand-in's
    transfers: Sequence[Movement]  # what the settlement bank has moved


class Dropped(msgspec.Struct, frozen=True):
    """Items of a cycle that a bank does not settle, and the bank that does in its place. Units: fen."""

    direction: Direction  # as in the bank's file: a DEBIT is taken from it
    bank: BankId
    stand_in: BankId
    count: int
    amount: int


def without_dropped(positions: Iterable[NetPosition], dropped: Iterable[Dropped]) -> tuple[NetPosition, ...]:
    """What a cycle takes and gives when some of its items are settled by a bank that stands in.

    Order: by bank id. The nets still sum to zero: an item goes from one bank's position into another's.
    """
    left = {position.bank: position for position in positions}
    for item in dropped:
        for bank, sign in ((item.bank, -1), (item.stand_in, 1)):  # perhaps the same bank
            left[bank] = _with_more(left[bank], item.direction, sign * item.count, sign * item.amount)
    assert all(min(one.debits, one.credits, one.debit_count, one.credit_count) >= 0 for one in left.values()), (
        "no more drops out of a position than is in it"
    )
    return tuple(left[bank] for bank in sorted(left))


def _with_more(position: NetPosition, direction: Direction, count: int, amount: int) -> NetPosition:
    if direction is Direction.DEBIT:
        return msgspec.structs.replace(
            position, debits=position.debits + amount, debit_count=position.debit_count + count
        )
    return msgspec.structs.replace(
        position, credits=position.credits + amount, credit_count=position.credit_count + count
    )


def transfers(positions: Iterable[NetPosition], settlement_bank: BankId) -> tuple[Movement, ...]:
    """What the settlement bank moves: each net debtor pays to it, each net creditor is paid by it.

    Order: by bank id. The settlement bank's own net is what the others leave with it; afterwards everybody is even.
    """
    moved = []
    for position in sorted(positions, key=lambda position: position.bank):
        if position.bank == settlement_bank or position.net == 0:
            continue
        pair = (settlement_bank, position.bank) if position.net > 0 else (position.bank, settlement_bank)
        moved.append(Movement(*pair, 1, abs(position.net)))
    return tuple(moved)


class Unsettled(msgspec.Struct, frozen=True, kw_only=True):
    """A published cycle that is not settled, with its latest instruction."""

    cycle: CycleNumber
    due_on: date  # the first working day on which it may be instructed
    item_count: int
    latest: Instruction | None


class SettlementStep(enum.Enum):
    """What is to be done about a published cycle."""

    SETTLE_EMPTY = "settle_empty"
    INSTRUCT = "instruct"
    FINISH = "finish"  # it was confirmed, and whoever took the answer did not come to the end


def settlement_step(unsettled: Unsettled, *, now: datetime, timetable: Timetable) -> SettlementStep | None:
    """What is due for a published cycle now; None if it waits for its day, or for the settlement bank.

    A cycle whose settlement failed joins the instruction of the first working day after the one on which it did.
    """
    if unsettled.item_count == 0:
        return SettlementStep.SETTLE_EMPTY
    earliest = unsettled.due_on
    latest = unsettled.latest
    if latest is not None:
        if latest.outcome is Outcome.CONFIRMED:
            return SettlementStep.FINISH
        if latest.answered_at is None:
            return None
        earliest = timetable.settlement_date(local_date(latest.answered_at))
    return SettlementStep.INSTRUCT if timetable.may_instruct(earliest, now) else None


def judge_answer(instructions: Sequence[Instruction], *, outcome: Outcome, reference: str) -> Instruction | Refusal:
    """The instruction that the settlement bank's answer is about: an unanswered one that it now answers, or the one
    that it has answered with these very words before. *instructions* are the cycle's, by attempt.

    A confirmation is final. A reference is good for one instruction, so a failure that is told twice never fails the
    attempt after it.
    """
    for instruction in instructions:
        if instruction.reference == reference and instruction.outcome is outcome:
            return instruction
    latest = instructions[-1] if instructions else None
    if latest is not None and latest.outcome is Outcome.CONFIRMED:
        return Refusal.SETTLEMENT_FINAL
    if any(instruction.reference == reference for instruction in instructions):
        return Refusal.SETTLEMENT_REFERENCE_USED
    if latest is None or latest.outcome is not None:
        return Refusal.SETTLEMENT_NOT_INSTRUCTED
    return latest


class AlarmKind(enum.StrEnum):
    """What a person has to look at. The value is stored, on the wire, and a metric's label."""

    NOT_PULLED = "not_pulled"
    NOT_ACKNOWLEDGED = "not_acknowledged"
    LIQUIDITY = "liquidity"  # a bank has used most of its net debit cap
    CAP_EXCEEDED = "cap_exceeded"  # a cycle is not published because of it
    SETTLEMENT_FAILED = "settlement_failed"
    SETTLEMENT_LATE = "settlement_late"


class Alarm(msgspec.Struct, frozen=True, order=True):
    """One thing that a person has to look at: a bank's, in a cycle."""

    cycle: CycleNumber
    bank: BankId
    kind: AlarmKind


class Receipts(msgspec.Struct, frozen=True, kw_only=True):
    """What a bank has done with its files of a cycle."""

    cycle: CycleNumber
    bank: BankId
    published_at: datetime
    has_pulled: bool  # one of them at least
    has_acknowledged: bool  # every one that it has pulled, and one at least


def overdue_receipts(receipts: Iterable[Receipts], *, now: datetime, timetable: Timetable) -> set[Alarm]:
    """The alarms of banks that have not done by the deadline what they have to do. Who does it late has none then."""
    alarms = set()
    for one in receipts:
        if not one.has_pulled and now >= timetable.pull_deadline(one.published_at):
            alarms.add(Alarm(one.cycle, one.bank, AlarmKind.NOT_PULLED))
        if not one.has_acknowledged and now >= timetable.acknowledgement_deadline(one.published_at):
            alarms.add(Alarm(one.cycle, one.bank, AlarmKind.NOT_ACKNOWLEDGED))
    return alarms


def settlement_alarms(unsettled: Iterable[Unsettled], *, settlement_bank: BankId, now: datetime) -> set[Alarm]:
    """The alarms of cycles that the settlement bank could not settle, or has not answered for within the day."""
    alarms = set()
    for one in unsettled:
        latest = one.latest
        if latest is None:
            continue
        if latest.outcome is Outcome.FAILED:
            alarms.add(Alarm(one.cycle, settlement_bank, AlarmKind.SETTLEMENT_FAILED))
        if latest.outcome is None and now >= answer_deadline(latest.settlement_date):
            alarms.add(Alarm(one.cycle, settlement_bank, AlarmKind.SETTLEMENT_LATE))
    return alarms


class Exposure(msgspec.Struct, frozen=True, kw_only=True):
    """What a bank owes over everything that is not settled, beside what it may owe. Units: fen."""

    bank: BankId
    cap: int
    used: int  # zero if it is owed rather than owes

    @property
    def is_exceeded(self) -> bool:
        """True if the bank owes more than it may."""
        return self.used > self.cap

    @property
    def is_high(self) -> bool:
        """True if a person should look before the cap is reached."""
        return self.used > 0 and self.used * 100 >= self.cap * LIQUIDITY_ALARM_PERCENT


def exposures(positions: Iterable[Iterable[NetPosition]], caps: Mapping[BankId, int]) -> tuple[Exposure, ...]:
    """What each bank that has a cap owes over several cycles' *positions*: what it gets in one counts in another.

    Order: by bank id.
    """
    nets = dict.fromkeys(caps, 0)
    for cycle in positions:
        for position in cycle:
            if position.bank in nets:
                nets[position.bank] += position.net
    return tuple(Exposure(bank=bank, cap=caps[bank], used=max(0, -nets[bank])) for bank in sorted(nets))
