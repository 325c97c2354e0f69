"""What goes over the wire about cycles and their settlement: requests, answers, and one from the other."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from engine.core.books import Control
from engine.core.calendar import cycle_date, cycle_text
from engine.core.clearing import NetPosition
from engine.core.ids import id_text
from engine.core.settlement import CycleState, CycleTimes, Instruction
from engine.store.clearing_session import ClearingRun
from engine.store.cycle_reads import CycleFile, LiquidityLook, RaisedAlarm

StateName = Literal["open", "closed", "netted", "published", "settled"]
AlarmName = Literal[
    "not_pulled", "not_acknowledged", "liquidity", "cap_exceeded", "settlement_failed", "settlement_late"
]
Reference = Annotated[str, Meta(pattern=r"^[0-9A-Za-z_.:/-]{1,35}\Z")]
"""The settlement bank's own; as long as an ISO 20022 reference."""
Cap = Annotated[int, Meta(ge=0, le=10**15, description="fen")]
Why = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*\Z")]


class SettlementRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the settlement bank says of a cycle's instruction."""

    status: Literal["confirmed", "failed"]
    reference: Reference


class CapRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Give a bank another net debit cap, or none; another operator has to approve it."""

    bank: Annotated[str, Meta(max_length=31)]
    cap: Cap | None
    reason: Why


class AlarmView(msgspec.Struct, frozen=True, kw_only=True):
    """What a person has to look at; over once `ended_at` is there."""

    kind: AlarmName
    bank: str
    raised_at: datetime
    ended_at: datetime | None


class CycleView(msgspec.Struct, frozen=True, kw_only=True):
    """A cycle: how far it is, and when it took each step."""

    cycle: str
    business_date: date
    state: StateName
    cutoff_at: datetime | None  # of the open one
    closed_at: datetime | None
    netted_at: datetime | None
    published_at: datetime | None
    settled_at: datetime | None
    settlement_date: date | None
    alarms: tuple[AlarmView, ...]


class CyclePositionView(msgspec.Struct, frozen=True, kw_only=True):
    """What a bank pays and gets. Units: fen; `net` is credits less debits."""

    bank: str
    debits: int
    credits: int
    net: int


class CycleFileView(msgspec.Struct, frozen=True, kw_only=True):
    """A file of the cycle, and what its bank has done with it."""

    name: str
    bank: str
    count: int
    pulled_at: datetime | None
    acknowledged_at: datetime | None


class SettlementView(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt to settle the cycle."""

    cycle: str
    attempt: int
    settlement_date: date
    instructed_at: datetime
    status: Literal["instructed", "confirmed", "failed"]
    reference: str | None
    answered_at: datetime | None


class LiquidityView(msgspec.Struct, frozen=True, kw_only=True):
    """How much of its net debit cap a bank has used over everything that is not settled. Units: fen."""

    bank: str
    cap: int
    used: int
    at: datetime


class CycleDetailView(CycleView, frozen=True, kw_only=True):
    """A cycle with what it moves. Positions and files are there once it is published."""

    positions: tuple[CyclePositionView, ...]
    files: tuple[CycleFileView, ...]
    settlements: tuple[SettlementView, ...]
    settlement_positions: tuple[CyclePositionView, ...]  # of the latest attempt
    liquidity: tuple[LiquidityView, ...]  # with the open cycle


class CycleList(msgspec.Struct, frozen=True, kw_only=True):
    """Cycles, newest first."""

    items: tuple[CycleView, ...]
    next_cursor: str | None


def open_cycle_view(control: Control, alarms: Iterable[RaisedAlarm]) -> CycleView:
    """The open cycle as the wire shows it."""
    return CycleView(
        cycle=cycle_text(control.cycle),
        business_date=control.business_date,
        state=CycleState.OPEN.value,
        cutoff_at=control.cutoff_at,
        closed_at=None,
        netted_at=None,
        published_at=None,
        settled_at=None,
        settlement_date=None,
        alarms=alarm_views(alarms),
    )


def cycle_view(run: ClearingRun, alarms: Iterable[RaisedAlarm]) -> CycleView:
    """A closed cycle as the wire shows it."""
    times = CycleTimes(
        closed_at=run.closed_at,
        netted_at=run.netted_at,
        published_at=run.published_at,
        settled_at=run.settled_at,
    )
    return CycleView(
        cycle=cycle_text(run.cycle),
        business_date=cycle_date(run.cycle),
        state=times.state.value,
        cutoff_at=None,
        closed_at=run.closed_at,
        netted_at=run.netted_at,
        published_at=run.published_at,
        settled_at=run.settled_at,
        settlement_date=run.settlement_date,
        alarms=alarm_views(alarms),
    )


def alarm_views(alarms: Iterable[RaisedAlarm]) -> tuple[AlarmView, ...]:
    """Alarms as the wire shows them."""
    return tuple(
        AlarmView(
            kind=raised.alarm.kind.value,
            bank=id_text(raised.alarm.bank),
            raised_at=raised.raised_at,
            ended_at=raised.ended_at,
        )
        for raised in alarms
    )


def position_views(positions: Iterable[NetPosition]) -> tuple[CyclePositionView, ...]:
    """Positions as the wire shows them, with their banks."""
    return tuple(
        CyclePositionView(
            bank=id_text(position.bank), debits=position.debits, credits=position.credits, net=position.net
        )
        for position in positions
    )


def file_views(files: Iterable[CycleFile]) -> tuple[CycleFileView, ...]:
    """Files as the wire shows them."""
    return tuple(
        CycleFileView(
            name=file.name,
            bank=id_text(file.bank),
            count=file.item_count,
            pulled_at=file.pulled_at,
            acknowledged_at=file.acknowledged_at,
        )
        for file in files
    )


def settlement_view(instruction: Instruction) -> SettlementView:
    """An attempt as the wire shows it: the same bytes on every replay, for an answer never changes."""
    return SettlementView(
        cycle=cycle_text(instruction.cycle),
        attempt=instruction.attempt,
        settlement_date=instruction.settlement_date,
        instructed_at=instruction.instructed_at,
        status=instruction.outcome.value if instruction.outcome is not None else "instructed",
        reference=instruction.reference,
        answered_at=instruction.answered_at,
    )


def liquidity_views(looks: Iterable[LiquidityLook]) -> tuple[LiquidityView, ...]:
    """Used caps as the wire shows them."""
    return tuple(LiquidityView(bank=id_text(look.bank), cap=look.cap, used=look.used, at=look.at) for look in looks)
