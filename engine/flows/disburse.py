"""Disbursement under four eyes: a batch is let go, or a returned line issued again, by two operators.

Both are carried out after the decision and may be asked again: what is owed is posted under the batch's own key, and a
line is replaced once.
"""

from collections.abc import Collection, Sequence
from typing import Final, Protocol, TypeAlias

import asyncpg
import msgspec

from engine.core.approvals import Approval, ApprovalKind, ApprovalState
from engine.core.disbursement import (
    NOT_CERTIFIED,
    BatchState,
    FundTotal,
    LineState,
    Payout,
    entry_of_approval,
)
from engine.core.ids import AgencyId, DisbursementId, DisbursementLineId, IdKind, id_text, parse_id, region_of, shard_of
from engine.core.participants import Right, WrongField
from engine.core.postings import PostingKind
from engine.core.refusals import Refusal
from engine.flows.answer_once import NotDone
from engine.flows.approve import Asking, CarriedOut, ask_approval
from engine.flows.book import book_all, occasion
from engine.flows.clock import IdSource
from engine.ledger.router import Ledger
from engine.store.approvals import load_approval
from engine.store.connection import AnyConnection
from engine.store.disbursements import (
    load_batch,
    load_funds,
    load_line,
    load_totals_of_lines,
    lock_batch,
    set_approval,
    set_approved,
    withdraw_batch,
)
from engine.store.faults import translated
from engine.store.participants import load_clocks
from engine.store.payouts import hold_lines, load_payouts, reissue_line, start_sending

LINES_AT_ONCE: Final = 10_000
_NOT_SO: Final = NotDone(Refusal.DISBURSEMENT_STATE_CONFLICT)


class Eligibility(Protocol):
    """Who still has to show that a benefit is due. Asked when a batch is approved, and again before a line is sent."""

    async def overdue(self, payouts: Sequence[Payout]) -> Collection[DisbursementLineId]:
        """Those whose payee is late with it. They are held, and asked about again in the next cycle.

        Raises:
            Fault: nobody can say now; nothing is sent.
        """


class FundAmount(msgspec.Struct, frozen=True, kw_only=True):
    """What a batch takes from one fund, as the operators see it. Units: fen."""

    region: str
    fund_pay_type: str
    count: int
    amount: int


class ReleaseWish(msgspec.Struct, frozen=True, kw_only=True, tag="release", tag_field="what"):
    """A batch to be let go. Units: fen."""

    disbursement: str
    agency: str
    batch_no: str
    lines: int
    amount: int
    funds: tuple[FundAmount, ...]


class ReissueWish(msgspec.Struct, frozen=True, kw_only=True, tag="reissue", tag_field="what"):
    """A returned line to be issued again. Units: fen."""

    line: str
    returned_for: str
    amount: int


Wish: TypeAlias = ReleaseWish | ReissueWish


async def ask_release(asked: Asking, batch: DisbursementId, *, reason: str) -> Approval | NotDone:
    """Ask for a draft to be let go; it waits for one other operator at a time.

    Locks: the batch's row.
    """
    locked = await lock_batch(asked.connection, batch)
    if locked is None or not asked.operator.may(Right.READ, locked.region):
        return NotDone(Refusal.NOT_FOUND)
    if locked.state is not BatchState.DRAFT:
        return _NOT_SO
    if locked.approval is not None:
        earlier = await load_approval(asked.connection, locked.approval)
        if earlier is not None and earlier.state_at(asked.now) is ApprovalState.PENDING:
            return NotDone(Refusal.DISBURSEMENT_STATE_CONFLICT, (WrongField("id", "waits for approval already"),))
    found = await load_batch(asked.connection, batch)
    assert found is not None, "it is locked"
    approval = await ask_approval(
        asked,
        kind=ApprovalKind.DISBURSEMENT,
        region=locked.region,
        subject=id_text(batch),
        payload=ReleaseWish(
            disbursement=id_text(batch),
            agency=id_text(found.agency),
            batch_no=found.batch_no,
            lines=found.counts.line_count,
            amount=found.amount,
            funds=_amounts((await load_funds(asked.connection, [batch]))[batch]),
        ),
        reason=reason,
    )
    if not isinstance(approval, NotDone):
        await set_approval(asked.connection, batch, approval.id)
    return approval


async def ask_line_again(
    asked: Asking, batch: DisbursementId, line: DisbursementLineId, *, reason: str
) -> Approval | NotDone:
    """Ask for a returned line to be issued again, to the bank that keeps the payee's account by now."""
    locked = await lock_batch(asked.connection, batch)
    found = await load_line(asked.connection, line)
    if locked is None or found is None or found.batch != batch or not asked.operator.may(Right.READ, locked.region):
        return NotDone(Refusal.NOT_FOUND)
    if found.state is not LineState.RETURNED:
        return _NOT_SO
    return await ask_approval(
        asked,
        kind=ApprovalKind.DISBURSEMENT,
        region=locked.region,
        subject=id_text(line),
        payload=ReissueWish(line=id_text(line), returned_for=found.reason or "", amount=found.amount),
        reason=reason,
    )


async def take_back_batch(connection: AnyConnection, batch: DisbursementId, agency: AgencyId) -> NotDone | None:
    """A draft is withdrawn, and its benefits may be in another batch. Doing it twice is no mistake."""
    await withdraw_batch(connection, batch, agency)
    found = await load_batch(connection, batch)
    if found is None or found.agency != agency:
        return NotDone(Refusal.NOT_FOUND)
    return None if found.state is BatchState.WITHDRAWN else _NOT_SO


class Payments:
    """Carries out what two operators have agreed on about disbursements."""

    def __init__(self, pool: asyncpg.Pool, ledger: Ledger, ids: IdSource, eligibility: Eligibility) -> None:
        """Through *ledger*; *eligibility* is asked about every line."""
        self._pool = pool
        self._ledger = ledger
        self._ids = ids
        self._eligibility = eligibility

    async def __call__(self, approval: Approval, /) -> CarriedOut | NotDone:
        """The action of DISBURSEMENT.

        Raises:
            Fault: not now; what is done already is not done again.
        """
        wish: Wish = msgspec.json.decode(approval.payload, type=Wish)
        match wish:
            case ReleaseWish():
                return await self._release(approval, wish)
            case ReissueWish():
                return await self._reissue(wish)

    async def _release(self, approval: Approval, wish: ReleaseWish) -> CarriedOut | NotDone:
        batch = DisbursementId(parse_id(wish.disbursement, IdKind.DISBURSEMENT))
        with translated():
            async with self._pool.acquire() as connection, connection.transaction():
                funds = await _claim(connection, batch, approval, wish)
        if isinstance(funds, NotDone):
            return funds
        await self._hold_overdue(batch)
        await book_all(
            self._ledger,
            [
                occasion(
                    f"approved/{id_text(batch)}/{total.fund.region}.{total.fund.pay_type}",
                    about=batch,
                    kind=PostingKind.BENEFIT_APPROVED,
                    entries=[entry_of_approval(total)],
                )
                for total in funds
            ],
        )
        await start_sending(self._pool, batch, now=(await load_clocks(self._pool)).business)
        return CarriedOut({"disbursement": wish.disbursement, "lines": wish.lines, "amount": wish.amount})

    async def _hold_overdue(self, batch: DisbursementId) -> None:
        after = 0
        while payouts := await load_payouts(self._pool, batch, LineState.PENDING, after=after, count=LINES_AT_ONCE):
            overdue = await self._eligibility.overdue(payouts)
            if overdue:
                await hold_lines(self._pool, batch, list(overdue), reason=NOT_CERTIFIED)
            after = payouts[-1].n

    async def _reissue(self, wish: ReissueWish) -> CarriedOut | NotDone:
        line = DisbursementLineId(parse_id(wish.line, IdKind.DISBURSEMENT_LINE))
        fresh = self._ids.new(IdKind.DISBURSEMENT_LINE, shard=shard_of(line), region=region_of(line))
        replacement = await reissue_line(self._pool, line, DisbursementLineId(fresh))
        if replacement is None:
            return _NOT_SO
        return CarriedOut({"line": wish.line, "replaced_by": id_text(replacement)})


async def _claim(
    connection: AnyConnection, batch: DisbursementId, approval: Approval, wish: ReleaseWish
) -> list[FundTotal] | NotDone:
    """The funds of a batch that cannot be withdrawn any more, or why it is not let go.

    Locks: the batch's row.
    """
    locked = await lock_batch(connection, batch)
    if locked is None or locked.approval != approval.id or locked.state not in (BatchState.DRAFT, BatchState.APPROVED):
        return _NOT_SO
    funds = await load_totals_of_lines(connection, batch)
    assert _amounts(funds) == wish.funds, "the lines add up to what was approved, fund by fund"
    await set_approved(connection, batch)
    return funds


def _amounts(funds: Sequence[FundTotal]) -> tuple[FundAmount, ...]:
    return tuple(
        FundAmount(
            region=f"{total.fund.region:06d}",
            fund_pay_type=f"{total.fund.pay_type:06d}",
            count=total.count,
            amount=total.amount,
        )
        for total in funds
    )
