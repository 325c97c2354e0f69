"""Busy books in which banks have given items back as well, operators have corrected something, and bills are paid."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import asyncpg

from engine.core.accounts import account_text, bank_receivable, suspense_short
from engine.core.approvals import Approval, ApprovalKind, ApprovalMove, ApprovalOutcome
from engine.core.bank_lines import Direction
from engine.core.calendar import CycleNumber, cycle_date
from engine.core.clearing_lines import BANK_LEG, ClearingItem, FileKind
from engine.core.differences import Handling
from engine.flows.answer_once import NotDone
from engine.flows.approve import Decided, Decision, Executors, carry_out, decide
from engine.flows.correct import Corrections, ManualPosting, ask_posting, ask_resolution
from engine.flows.receive_upload import Receipt
from engine.flows.reconcile_statement import none_returned
from engine.store.connection import open_pool
from tests.agencies import a_bill, an_agency
from tests.flows.busy_books import KEY, BusyBooks, a_ledger, busy_books
from tests.flows.operators import an_operator, at_work
from tests.flows.return_books import Day
from tests.flows.statement_books import Desk, Line, statement

RETURNS = 3  # of one item: it is given up then


class Office:
    """Two operators who agree on everything."""

    def __init__(self, day: Day, operators: Sequence[bytes]) -> None:
        """At work on *day*."""
        self._pool = day.pool
        self._operators = operators
        corrections = Corrections(day.ledger, day.pool, day.dsn, KEY)
        self._executors = Executors(
            effects={},
            actions={
                ApprovalKind.MANUAL_POSTING: corrections.post,
                ApprovalKind.RESOLVE_DIFFERENCE: corrections.resolve,
            },
        )

    async def post(self, posting: ManualPosting) -> None:
        """Something is posted by hand."""
        async with at_work(self._pool, self._operators[0]) as asked:
            approval = await ask_posting(asked, posting, reason="letter 7")
        await self._carry_out(approval)

    async def resolve(self, reconciliation: bytes, n: int, handling: Handling) -> None:
        """Something is done about a difference."""
        async with at_work(self._pool, self._operators[0]) as asked:
            approval = await ask_resolution(asked, reconciliation, n, handling, reason="letter 8")
        await self._carry_out(approval)

    async def _carry_out(self, approval: Approval | NotDone) -> None:
        assert isinstance(approval, Approval), approval
        decision = Decision(approval=approval.id, move=ApprovalMove.APPROVE, note=None)
        async with at_work(self._pool, self._operators[1]) as asked:
            decided = await decide(asked, decision, self._executors)
        assert isinstance(decided, Decided), decided
        done = await carry_out(self._pool, decided.approval, self._executors)
        assert done.outcome is ApprovalOutcome.DONE, done.result


async def returned_books(dsn: str, sql: asyncpg.Connection) -> BusyBooks:
    """One item is given up after its last return, another one waits to be presented again; two corrections; two bills,
    one of which was given back.
    """
    books = await busy_books(dsn, sql)
    pool = await open_pool(dsn, size_max=6)
    try:
        async with a_ledger(dsn) as ledger:
            day = Day(dsn, sql, books.world, ledger, pool)
            await _pay_bills(day)
            await _give_back(day)
            await _correct(day)
            await day.verify()
    finally:
        await pool.close()
    return books


async def _pay_bills(day: Day) -> None:
    agency = await an_agency(day.sql, day.world)
    deadline = datetime.now(UTC) + timedelta(days=9)  # business time has been moved on
    kept, given_back = [await a_bill(day.sql, agency, amount=amount, deadline=deadline) for amount in (70, 9)]
    await day.ledger.submit(day.world.authorize(bill_no=kept, amount=70))
    paid = (await day.ledger.submit(day.world.authorize(bill_no=given_back, amount=9))).answer.payment
    assert paid is not None
    await day.ledger.submit(day.world.refund(paid.id, amount=9))


async def _give_back(day: Day) -> None:
    cycle = await day.publish()
    bank, (first, second, *_) = await _card_items(day, cycle)
    given = first
    for n in range(1, RETURNS + 1):
        assert isinstance(await day.give_back(bank, [given]), Receipt)
        cycle = await day.publish()
        if n < RETURNS:
            _, (given, *_) = await _card_items(day, cycle)
            assert given.payment_id == first.payment_id, "it is presented again"
    assert isinstance(await day.give_back(bank, [second]), Receipt)


async def _card_items(day: Day, cycle: CycleNumber) -> tuple[int, list[ClearingItem]]:
    """The items that the bank with the most of them takes from cards."""
    found = []
    for bank in range(len(day.world.banks)):
        items = (await day.file(cycle, bank, FileKind.COLLECT)).items
        cards = [item for item in items if item.leg == BANK_LEG and item.debit_account.startswith("card_")]
        found.append((len(cards), bank, cards))
    _, bank, cards = max(found, key=lambda one: one[0])
    return bank, cards


async def _correct(day: Day) -> None:
    office = Office(day, [await an_operator(day.pool, code) for code in ("alpha", "beta")])
    bank = day.bank(0)
    await office.post(
        ManualPosting(debit=account_text(suspense_short(bank)), credit=account_text(bank_receivable(bank)), amount=7)
    )
    cycle = (await day.sql.fetchval("SELECT min(cycle) FROM clearing_run")) or 0
    desk = Desk(day.pool, day.dsn, none_returned)
    lines = await _lines(day, CycleNumber(cycle))
    short = Line(lines[0].ref, lines[0].payment_id, lines[0].direction, lines[0].amount - 1, lines[0].booked_on)
    content = statement(
        [short, *lines[1:]],
        business_date=cycle_date(CycleNumber(cycle)),
        cycle=cycle % 100,
        sender=await day.cnaps(0),
    )
    reconciliation = await desk.reconcile(bank, content)
    (difference,) = await desk.differences(reconciliation)
    await office.resolve(reconciliation, difference.n, Handling.SUSPEND_REST)


async def _lines(day: Day, cycle: CycleNumber) -> list[Line]:
    """What the first bank says that has booked a cycle as it should."""
    lines = []
    for kind, direction in ((FileKind.COLLECT, Direction.DEBIT), (FileKind.CREDIT, Direction.CREDIT)):
        for n, item in enumerate((await day.file(cycle, 0, kind)).items):
            lines.append(Line(f"{kind}{n}", item.payment_id, direction, item.amount, cycle_date(cycle)))
    return lines
