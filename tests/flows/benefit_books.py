"""An agency that pays out benefits in a small world: batches sent in, let go by two operators, sent, and given back."""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager

import asyncpg

from engine.core.approvals import Approval, ApprovalKind, ApprovalMove, ApprovalOutcome
from engine.core.bank_lines import UploadKind
from engine.core.commands import AnyCommand
from engine.core.disbursement import LineStatus, Payout, line_status
from engine.core.ids import AgencyId, BankId, CardId, DisbursementId, DisbursementLineId
from engine.flows.answer_once import NotDone
from engine.flows.approve import Decided, Decision, Executors, carry_out, decide
from engine.flows.clock import IdSource
from engine.flows.disburse import Payments, ask_line_again, ask_release
from engine.flows.disburse_send import Sender
from engine.flows.disburse_upload import Disbursements
from engine.flows.ledger_clearing import LedgerClearing
from engine.flows.receive_upload import Receipt, Rejected, UploadSource, receive_upload
from engine.ledger.queue import Outcome
from engine.ledger.router import Ledger
from engine.store.disbursements import (
    Batch,
    Line,
    LinesWanted,
    load_batch,
    load_batch_of_upload,
    load_funds,
    load_lines,
)
from engine.store.faults import StoreUnavailable
from engine.web.wire_disbursements import DisbursementView, disbursement_view
from tests.agencies import an_agency
from tests.builders import REGION
from tests.flows.operators import an_operator, at_work
from tests.flows.return_books import Day, a_day
from tests.flows.statement_books import chunks_of

ALL_LINES = LinesWanted(after=0, states=None, is_settled=None, count=1_000)


class Late:
    """Says who is late with showing that a benefit is due, and keeps how often it was asked about whom."""

    def __init__(self) -> None:
        """Nobody is."""
        self.cards: set[CardId] = set()
        self.asked: list[CardId] = []

    async def overdue(self, payouts: Sequence[Payout]) -> Collection[DisbursementLineId]:
        """The lines of those who are late."""
        self.asked += [payout.card for payout in payouts]
        return [payout.id for payout in payouts if payout.card in self.cards]


class LostAnswers:
    """A ledger whose answers get lost from the *first*-th command on: what was asked is done, and nobody is told."""

    def __init__(self, ledger: Ledger, *, first: int, is_done: bool = True) -> None:
        """Before that it answers; not *is_done*: it does not even do what is asked."""
        self._ledger = ledger
        self._left = first - 1
        self._is_done = is_done

    async def submit(self, command: AnyCommand) -> Outcome:
        """The outcome, or nothing."""
        self._left -= 1
        if self._left < 0 and not self._is_done:
            raise StoreUnavailable("not now")
        outcome = await self._ledger.submit(command)
        if self._left < 0:
            raise StoreUnavailable("the answer is lost")
        return outcome


class Agency:
    """One agency, two operators, and a day of a node's clearing."""

    def __init__(self, day: Day, agency: AgencyId, operators: Sequence[bytes]) -> None:
        """Use `a_benefit_day`."""
        self.day = day
        self.id = agency
        self.operators = operators
        self.late = Late()
        self.pool: asyncpg.Pool = day.pool
        self.ids = IdSource()

    @property
    def cards(self) -> tuple[CardId, ...]:
        """Everybody's."""
        return self.day.world.cards

    async def send_in(
        self,
        content: bytes,
        *,
        batch_no: str = "",
        agency: AgencyId | None = None,
        region: int = REGION,
        chunks: AsyncIterator[bytes] | None = None,
    ) -> Receipt | Rejected:
        """What is said of a batch."""
        source = UploadSource(bank=BankId(agency or self.id), kind=UploadKind.DISBURSEMENT, name=batch_no)
        handlers = {UploadKind.DISBURSEMENT: Disbursements(self.pool, self.ids, region=region)}
        coming = chunks if chunks is not None else chunks_of(content, 50_000)
        return await receive_upload(self.pool, coming, source, handlers=handlers, ids=self.ids)

    async def draft(self, content: bytes, *, agency: AgencyId | None = None) -> DisbursementId:
        """A batch that was accepted."""
        receipt = await self.send_in(content, agency=agency)
        assert isinstance(receipt, Receipt), receipt
        batch = await load_batch_of_upload(self.pool, receipt.upload.id)
        assert batch is not None
        return batch

    def executors(self, ledger: object = None) -> Executors:
        """Carries out what is approved, by *ledger* in place of the day's own."""
        through = ledger if ledger is not None else self.day.ledger
        payments = Payments(self.pool, through, self.ids, self.late)  # type: ignore[arg-type]  # as far as it is used
        return Executors(effects={}, actions={ApprovalKind.DISBURSEMENT: payments})

    async def ask(self, batch: DisbursementId, *, by: int = 0) -> Approval | NotDone:
        """What an operator gets who asks for a draft to be let go."""
        async with at_work(self.pool, self.operators[by]) as asked:
            return await ask_release(asked, batch, reason="pay day")

    async def decide(self, approval: Approval, *, by: int = 1) -> Decided | NotDone:
        """What an operator gets who approves it; nothing is carried out yet."""
        decision = Decision(approval=approval.id, move=ApprovalMove.APPROVE, note=None)
        async with at_work(self.pool, self.operators[by]) as asked:
            return await decide(asked, decision, self.executors())

    async def carry_out(self, approval: Approval, *, ledger: object = None) -> Approval:
        """The request once it is carried out."""
        return await carry_out(self.pool, approval, self.executors(ledger))

    async def let_go(self, batch: DisbursementId) -> None:
        """Two operators let a draft go."""
        asked = await self.ask(batch)
        assert isinstance(asked, Approval), asked
        await self._carried_out(asked)

    async def issue_again(self, batch: DisbursementId, line: DisbursementLineId) -> None:
        """Two operators have a returned line issued again."""
        async with at_work(self.pool, self.operators[0]) as asked:
            approval = await ask_line_again(asked, batch, line, reason="a new account")
        assert isinstance(approval, Approval), approval
        await self._carried_out(approval)

    async def paid_out(self, content: bytes) -> DisbursementId:
        """A batch that was sent in, let go and sent."""
        batch = await self.draft(content)
        await self.let_go(batch)
        await self.send()
        return batch

    async def send(self, *, ledger: object = None) -> int:
        """How many lines were sent."""
        through = ledger if ledger is not None else self.day.ledger
        return await Sender(self.pool, through, self.late).send_due()  # type: ignore[arg-type]  # as far as it is used

    async def view(self, batch: DisbursementId) -> DisbursementView:
        """A batch as its readers see it."""
        found = await self.batch(batch)
        return disbursement_view(found, (await load_funds(self.pool, [batch]))[batch])

    async def batch(self, batch: DisbursementId) -> Batch:
        """A batch."""
        found = await load_batch(self.pool, batch)
        assert found is not None
        return found

    async def lines(self, batch: DisbursementId) -> list[Line]:
        """Its lines."""
        return await load_lines(self.pool, batch, ALL_LINES)

    async def statuses(self, batch: DisbursementId) -> list[LineStatus]:
        """Where its lines stand."""
        return [line_status(line.state, is_settled=line.is_settled) for line in await self.lines(batch)]

    async def posted(self, kind: int) -> list[int]:
        """The amounts of all postings of a kind, sorted."""
        rows = await self.day.sql.fetch("SELECT amount FROM posting WHERE kind = $1 ORDER BY amount", kind)
        return [row["amount"] for row in rows]

    async def left(self) -> dict[str, int]:
        """What accounts have that are not even, but for those of payments."""
        return {name: amount for name, amount in (await self.day.left()).items() if "benefit" in name}

    async def _carried_out(self, approval: Approval) -> None:
        decided = await self.decide(approval)
        assert isinstance(decided, Decided), decided
        done = await self.carry_out(decided.approval)
        assert done.outcome is ApprovalOutcome.DONE, done.result


@asynccontextmanager
async def a_benefit_day(dsn: str, sql: asyncpg.Connection) -> AsyncIterator[Agency]:
    """An agency, two operators, and a day of a node's clearing, in which returned benefits are told to it."""
    async with a_day(dsn, sql) as day:
        day.clearing = LedgerClearing(day.pool, day.ledger, dsn)
        agency = await an_agency(sql, day.world)
        operators = [await an_operator(day.pool, code) for code in ("alpha", "beta", "gamma")]
        yield Agency(day, agency, operators)


def fault_pointers(outcome: Receipt | Rejected) -> list[str]:
    """Where a refused batch is wrong."""
    assert isinstance(outcome, Rejected), outcome
    return [fault.pointer for fault in outcome.faults]
