"""Differences between a bank's books and ours: their classes, causes, what is done about them, and their states."""

import enum
from collections.abc import Mapping
from typing import Final, NamedTuple

import msgspec


class Said(NamedTuple):
    """Words for a person."""

    zh: str
    en: str


class DifferenceClass(enum.IntEnum):
    """What a comparison finds. The number is stored; the name in lower case is the wire's `class`."""

    MATCHED = 1  # id, amount, direction and date are equal
    LONG = 2  # the bank has it, we do not
    SHORT = 3  # we have it, the bank does not
    AMOUNT_DIFF = 4  # both have it, with different amounts
    STATUS_DIFF = 5  # one side has undone it, or never did it, and the other has it
    DATE_DIFF = 6  # both have it, on different dates or in different statements
    DUPLICATE = 7  # the bank has it once more
    DIRECTION_DIFF = 8  # one side debits what the other credits


class Effect(enum.IntEnum):
    """What a difference does to the bank's books, seen from ours. The number is stored."""

    NONE = 0
    LONG = 1  # the bank has booked more
    SHORT = 2  # the bank has booked less
    BOTH = 3  # it has booked what we do not have, and lacks what we have


class Handling(enum.IntEnum):
    """What is done about a difference unless a person knows better. The number is stored."""

    CLOSE = 1
    SUSPEND_LONG = 2
    AWAIT_NEXT_STATEMENT = 3
    SUSPEND_REST = 4
    CORRECT_AT_BANK = 5
    DECIDE = 6
    WRITE_OFF = 7  # never a default


class Cause(enum.IntEnum):
    """Why a difference probably came about. The number is stored; the name in lower case is the wire's `cause`."""

    UNKNOWN_REFERENCE = 1
    NO_REFERENCE = 2
    EXTRA_BOOKING = 3
    NOT_BOOKED = 4
    OTHER_AMOUNT = 5
    LINES_MERGED = 6
    UNIT_MISTAKEN = 7
    NOT_CAPTURED = 8
    REVERSED_AT_BANK = 9
    RETURNED_YET_BOOKED = 10
    NEXT_DAY = 11
    FAR_DAY = 12
    OTHER_STATEMENT = 13
    SENT_TWICE = 14
    BOOKED_TWICE = 15
    CORRECTED_AT_BANK = 16
    SIDES_SWAPPED = 17
    NOT_PUBLISHED = 18


class DifferenceState(enum.IntEnum):
    """How far a difference has come. The number is stored; the name in lower case is the wire's `state`."""

    OPEN = 1
    SUSPENDED = 2  # its money is in a suspense account (挂账)
    RESOLVED = 3  # both books agree (销账)
    WRITTEN_OFF = 4  # nobody will pay for it (抹账)


TRANSITIONS: Final = frozenset(
    {
        (DifferenceState.OPEN, DifferenceState.SUSPENDED),
        (DifferenceState.OPEN, DifferenceState.RESOLVED),
        (DifferenceState.OPEN, DifferenceState.WRITTEN_OFF),
        (DifferenceState.SUSPENDED, DifferenceState.RESOLVED),
        (DifferenceState.SUSPENDED, DifferenceState.WRITTEN_OFF),
    }
)
"""What two persons may do. A pair that is not listed is not allowed; what a later statement explains is RESOLVED by
itself, and is OPEN again only if that statement is replaced."""

UNSETTLED: Final = frozenset({DifferenceState.OPEN, DifferenceState.SUSPENDED})


class ReconciliationState(enum.IntEnum):
    """How far a reconciliation has come. The number is stored; the name in lower case is the wire's `state`."""

    PENDING = 1  # its statement is accepted and still being compared
    BALANCED = 2  # it has no difference that is not settled
    DIFFERENT = 3
    SUPERSEDED = 4  # a later statement of the bank is about the same files


HANDLINGS: Final[Mapping[DifferenceClass, Handling]] = {
    DifferenceClass.MATCHED: Handling.CLOSE,
    DifferenceClass.LONG: Handling.SUSPEND_LONG,
    DifferenceClass.SHORT: Handling.AWAIT_NEXT_STATEMENT,
    DifferenceClass.AMOUNT_DIFF: Handling.SUSPEND_REST,
    DifferenceClass.STATUS_DIFF: Handling.CORRECT_AT_BANK,
    DifferenceClass.DATE_DIFF: Handling.CLOSE,
    DifferenceClass.DUPLICATE: Handling.SUSPEND_LONG,
    DifferenceClass.DIRECTION_DIFF: Handling.DECIDE,
}
"""The default of each class."""

HANDLED_STATES: Final[Mapping[Handling, DifferenceState]] = {
    Handling.CLOSE: DifferenceState.RESOLVED,
    Handling.SUSPEND_LONG: DifferenceState.SUSPENDED,
    Handling.AWAIT_NEXT_STATEMENT: DifferenceState.SUSPENDED,
    Handling.SUSPEND_REST: DifferenceState.SUSPENDED,
    Handling.CORRECT_AT_BANK: DifferenceState.RESOLVED,
    Handling.DECIDE: DifferenceState.RESOLVED,
    Handling.WRITE_OFF: DifferenceState.WRITTEN_OFF,
}
"""Where each handling leads."""

HANDLING_TEXTS: Final[Mapping[Handling, Said]] = {
    Handling.CLOSE: Said("平账", "Nothing to do."),
    Handling.SUSPEND_LONG: Said(
        "挂长款,核实后退回或补记", "Keep it in suspense as a long item; return or book it once it is proved."
    ),
    Handling.AWAIT_NEXT_STATEMENT: Said(
        "存疑,等待次日对账,T+2 仍无则向银行追查", "Doubtful: wait for the next statement, from T+2 on ask the bank."
    ),
    Handling.SUSPEND_REST: Said("差额挂账", "Keep the amount between the two in suspense."),
    Handling.CORRECT_AT_BANK: Said("通知银行冲正,或补记本方", "Let the bank reverse it, or complete it on this side."),
    Handling.DECIDE: Said("人工处理", "A person has to decide."),
    Handling.WRITE_OFF: Said("核销", "Write it off: nobody will pay for it."),
}

CAUSE_TEXTS: Final[Mapping[Cause, Said]] = {
    Cause.UNKNOWN_REFERENCE: Said("平台无此流水", "The reference names no item of this bank."),
    Cause.NO_REFERENCE: Said("银行流水未带平台流水号", "The bank gives no reference to a payment."),
    Cause.EXTRA_BOOKING: Said("银行对该笔支付多记一笔", "The bank has one booking more of a payment that we know."),
    Cause.NOT_BOOKED: Said("银行尚未入账", "The bank has not booked it yet."),
    Cause.OTHER_AMOUNT: Said("银行记账金额不符", "The bank has booked another amount."),
    Cause.LINES_MERGED: Said(
        "银行将多笔合并或拆分记账", "The bank has booked several items as one, or one as several."
    ),
    Cause.UNIT_MISTAKEN: Said("元、分单位错误", "Yuan and fen were mistaken for each other."),
    Cause.NOT_CAPTURED: Said(
        "平台未入账(已撤销、过期、拒绝或仅预授权),银行已记账",
        "Nothing was captured here (voided, expired, declined or only held), and the bank has booked it.",
    ),
    Cause.REVERSED_AT_BANK: Said("银行已冲正,平台有效", "The bank has reversed what stands here."),
    Cause.RETURNED_YET_BOOKED: Said("银行已退回又记账", "The bank has booked what it had returned."),
    Cause.NEXT_DAY: Said("日切差异", "The two sides have it on neighbouring business dates."),
    Cause.FAR_DAY: Said("记账日期相差过大", "The dates are more than one business day apart."),
    Cause.OTHER_STATEMENT: Said("见于另一份对账单", "It is in a statement of another date or cycle."),
    Cause.SENT_TWICE: Said("银行同一流水出现两次", "The bank's reference is in its books twice."),
    Cause.BOOKED_TWICE: Said("银行重复记账", "The bank has booked the item twice."),
    Cause.CORRECTED_AT_BANK: Said("银行已自行冲正", "The bank has corrected its own booking."),
    Cause.SIDES_SWAPPED: Said("借贷方向相反", "Debit and credit are swapped."),
    Cause.NOT_PUBLISHED: Said("所属场次尚未发布", "Its cycle is not published yet."),
}


class Resolution(msgspec.Struct, frozen=True):
    """What settling a difference does: its next state, and what moves between the bank's receivable account and a
    suspense account. Units: fen; above zero the suspense account gets more of it, below zero it gives it back.
    """

    state: DifferenceState
    suspense: Effect  # LONG: what the bank has too much, SHORT: what it has too little; NONE: nothing moves
    amount: int


def resolution_of(
    handling: Handling, *, state: DifferenceState, effect: Effect, ours: int | None, theirs: int | None
) -> Resolution | None:
    """What *handling* does about a difference; None if it cannot be done to it, as it is now.

    *ours* and *theirs* are the amounts of both sides, in fen; None for a side that is not there.
    """
    after = HANDLED_STATES[handling]
    rest = abs((theirs or 0) - (ours or 0))
    has_one_side = effect in (Effect.LONG, Effect.SHORT)
    if (state, after) not in TRANSITIONS or (after is DifferenceState.SUSPENDED and not has_one_side):
        return None
    if after is DifferenceState.SUSPENDED:
        return Resolution(after, effect, rest)
    if state is DifferenceState.SUSPENDED:
        return Resolution(after, effect, -rest)
    return Resolution(after, Effect.NONE, 0)


def effect_of_amounts(ours: int, theirs: int) -> Effect:
    """Which side has booked more. Units: fen."""
    if ours == theirs:
        return Effect.NONE
    return Effect.LONG if theirs > ours else Effect.SHORT
