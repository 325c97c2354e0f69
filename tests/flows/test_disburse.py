"""A batch of benefits: checked whole, let go by two operators, every line sent once, paid when its cycle is settled."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from engine.core.accounts import bank_payable, benefit_payable
from engine.core.approvals import Approval, ApprovalOutcome
from engine.core.bank_lines import Direction
from engine.core.clearing_lines import FileKind, ItemType
from engine.core.disbursement import NOT_CERTIFIED, LineState, LineStatus
from engine.core.ids import CardId, IdKind, id_text
from engine.core.postings import PostingKind
from engine.core.refusals import Refusal
from engine.flows.answer_once import NotDone
from engine.flows.approve import Decided, carry_out_waiting
from engine.flows.disburse import take_back_batch
from engine.flows.disburse_send import note_returned
from engine.flows.disburse_upload import drop_unwanted
from engine.flows.receive_upload import Receipt, Rejected
from engine.store.disbursements import begin_batch, drop_lines
from engine.store.faults import StoreUnavailable
from engine.store.returns import ReturnRow
from tests.agencies import a_batch, an_agency, benefit_line, one_line_each
from tests.builders import an_id
from tests.flows.benefit_books import Agency, LostAnswers, a_benefit_day, fault_pointers


@pytest.fixture
async def agency(dsn: str, sql: asyncpg.Connection) -> AsyncIterator[Agency]:
    """An agency, two operators, and a day of a node's clearing."""
    async with a_benefit_day(dsn, sql) as opened:
        yield opened


async def nothing_is_left(agency: Agency) -> bool:
    """No line claims a benefit."""
    return not await agency.day.sql.fetchval("SELECT count(*) FROM disbursement_line")


async def test_batch_is_paid_from_its_fund_to_the_banks_of_its_payees(agency: Agency) -> None:
    batch = await agency.draft(one_line_each(agency.cards, amount=1_000))
    assert (await agency.view(batch)).status == "draft"
    await agency.let_go(batch)
    assert await agency.posted(PostingKind.BENEFIT_APPROVED) == [4_000]
    assert (await agency.view(batch)).status == "approved"
    assert await agency.send() == 4
    assert (await agency.view(batch)).status == "sent"
    assert await agency.left() == {}, "what was owed is sent"
    cycle = await agency.day.publish()
    found = {}
    for bank in range(4):
        for item in (await agency.day.file(cycle, bank, FileKind.CREDIT)).items:
            if item.type is ItemType.BENEFIT:
                found[item.payment_id] = (item.credit_account, item.amount)
    lines = await agency.lines(batch)
    assert found == {id_text(line.id): (id_text(line.card), 1_000) for line in lines}
    assert {line.cycle for line in lines} == {cycle}
    assert await agency.statuses(batch) == [LineStatus.SENT] * 4
    await agency.day.settle(cycle)
    assert await agency.statuses(batch) == [LineStatus.PAID] * 4
    assert (await agency.view(batch)).status == "completed"
    await agency.day.verify()


async def test_every_fault_is_named_by_line_and_nothing_is_left(agency: Agency) -> None:
    stranger = CardId(an_id(IdKind.CARD))
    elsewhere = CardId(an_id(IdKind.CARD, region=310101))
    content = a_batch(
        [
            benefit_line(agency.cards[0], line_no="1"),
            benefit_line(stranger),
            benefit_line(elsewhere),
            benefit_line(agency.cards[1], fund_pay_type=999999),
            benefit_line(agency.cards[1], line_no="1", benefit_code="CHILD"),
            benefit_line(agency.cards[0]),
        ]
    )
    refused = await agency.send_in(content)
    assert fault_pointers(refused) == [
        "/lines/3/card_id",
        "/lines/4/card_id",
        "/lines/5/fund_pay_type",
        "/lines/6/line_ref",
        "/lines/7/benefit_code",
    ]
    assert isinstance(refused, Rejected)
    assert refused.refusal is Refusal.FILE_MALFORMED
    assert await nothing_is_left(agency)
    assert await agency.day.sql.fetchval("SELECT count(*) FROM disbursement") == 0
    await agency.draft(one_line_each(agency.cards[:1]))


@pytest.mark.parametrize(
    ("content", "pointer"),
    [
        (a_batch([benefit_line("card_1")]), "/lines/2/card_id"),
        (a_batch([]), "/lines"),
        (b"line_no,benefit_code\n", "/lines/1/card_id"),
        (b"", "/lines/1/record"),
        (a_batch(["TOTAL,1,1"]), "/lines/2/count"),
    ],
    ids=["malformed", "empty batch", "columns missing", "no bytes", "wrong total"],
)
async def test_what_cannot_be_read_is_refused(agency: Agency, content: bytes, pointer: str) -> None:
    assert pointer in fault_pointers(await agency.send_in(content))
    assert await nothing_is_left(agency)


async def test_benefit_is_in_a_batch_once_and_in_one_batch_for_ever(agency: Agency) -> None:
    twice = a_batch([benefit_line(agency.cards[0]), benefit_line(agency.cards[0])])
    inside = await agency.send_in(twice)
    assert fault_pointers(inside) == ["/lines/3/benefit_code"]
    assert isinstance(inside, Rejected)
    assert inside.refusal is Refusal.DISBURSEMENT_DUPLICATE

    await agency.paid_out(one_line_each(agency.cards[:2]))
    other = await an_agency(agency.day.sql, agency.day.world)
    mixed = a_batch([benefit_line(agency.cards[2]), benefit_line(agency.cards[1], amount=7)])
    across = await agency.send_in(mixed, agency=other)
    assert fault_pointers(across) == ["/lines/3/benefit_code"]
    assert isinstance(across, Rejected)
    assert across.refusal is Refusal.DISBURSEMENT_DUPLICATE
    others = [
        benefit_line(agency.cards[0], period="202612"),
        benefit_line(agency.cards[0], benefit_code="CHILD"),
        benefit_line(agency.cards[0], fund_pay_type=310200),
        benefit_line(agency.cards[2]),
    ]
    await agency.draft(a_batch(others), agency=other)


async def test_two_batches_at_once_share_no_benefit(agency: Agency) -> None:
    lines = [benefit_line(card, period=f"2026{month:02d}") for card in agency.cards for month in range(1, 13)]
    outcomes = await asyncio.gather(
        agency.send_in(a_batch(lines), batch_no="one"), agency.send_in(a_batch(reversed(lines)), batch_no="two")
    )
    accepted = [outcome for outcome in outcomes if isinstance(outcome, Receipt)]
    assert len(accepted) <= 1
    kept = await agency.day.sql.fetchval("SELECT count(*) FROM disbursement_line")
    assert kept == (len(lines) if accepted else 0)


async def test_same_file_is_the_same_batch_and_another_one_is_not(agency: Agency) -> None:
    content = one_line_each(agency.cards)
    first, again = await agency.send_in(content, batch_no="N-1"), await agency.send_in(content, batch_no="N-1")
    assert isinstance(first, Receipt)
    assert isinstance(again, Receipt)
    assert (again.upload.id, again.is_replay) == (first.upload.id, True)
    other = await agency.send_in(one_line_each(agency.cards, period="202612"), batch_no="N-1")
    assert isinstance(other, Rejected)
    assert other.refusal is Refusal.FILE_DUPLICATE


async def test_upload_that_is_cut_short_leaves_nothing(agency: Agency) -> None:
    async def cut() -> AsyncIterator[bytes]:
        yield one_line_each(agency.cards)
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await agency.send_in(b"", chunks=cut())
    assert await nothing_is_left(agency)


async def test_batch_whose_process_ended_while_it_was_read_is_taken_away(agency: Agency) -> None:
    batch = await agency.draft(one_line_each(agency.cards))
    sql = agency.day.sql
    await sql.execute("UPDATE disbursement SET state = 1, created_at = created_at - interval '1 day'")
    assert await drop_unwanted(agency.pool) == 1
    assert await nothing_is_left(agency)
    assert await sql.fetchval("SELECT count(*) FROM disbursement WHERE id = $1", batch) == 0
    await begin_batch(agency.pool, batch, agency.id, region=110101, now=await sql.fetchval("SELECT now()"))
    assert await drop_unwanted(agency.pool) == 0, "one that is read now stays"


async def test_withdrawn_draft_lets_go_of_its_benefits_and_an_approved_one_does_not(agency: Agency) -> None:
    batch = await agency.draft(one_line_each(agency.cards))
    other = await an_agency(agency.day.sql, agency.day.world)
    async with agency.pool.acquire() as connection:
        assert await take_back_batch(connection, batch, other) == NotDone(Refusal.NOT_FOUND)
        for _ in range(2):
            assert await take_back_batch(connection, batch, agency.id) is None
    assert await drop_unwanted(agency.pool) == 1
    assert (await agency.view(batch)).status == "withdrawn"
    assert await agency.ask(batch) == NotDone(Refusal.DISBURSEMENT_STATE_CONFLICT)

    again = await agency.paid_out(one_line_each(agency.cards, amount=2))
    async with agency.pool.acquire() as connection:
        refused = await take_back_batch(connection, again, agency.id)
    assert refused == NotDone(Refusal.DISBURSEMENT_STATE_CONFLICT)
    await drop_lines(agency.pool, again)
    assert len(await agency.lines(again)) == 4


async def test_two_operators_who_approve_at_once_let_it_go_once(agency: Agency) -> None:
    batch = await agency.draft(one_line_each(agency.cards))
    asked = await agency.ask(batch)
    assert isinstance(asked, Approval)
    assert await agency.decide(asked, by=0) == NotDone(Refusal.APPROVAL_REQUIRED), "who asked is one pair of eyes"
    outcomes = await asyncio.gather(agency.decide(asked, by=1), agency.decide(asked, by=2))
    (decided,) = (outcome for outcome in outcomes if isinstance(outcome, Decided))
    assert NotDone(Refusal.APPROVAL_DECIDED) in outcomes
    await asyncio.gather(*(agency.carry_out(decided.approval) for _ in range(3)))
    assert await agency.posted(PostingKind.BENEFIT_APPROVED) == [4_000]
    assert await agency.ask(batch) == NotDone(Refusal.DISBURSEMENT_STATE_CONFLICT)


async def test_batch_waits_for_one_operator_at_a_time(agency: Agency) -> None:
    batch = await agency.draft(one_line_each(agency.cards))
    assert isinstance(await agency.ask(batch, by=0), Approval)
    second = await agency.ask(batch, by=1)
    assert isinstance(second, NotDone)
    assert second.refusal is Refusal.DISBURSEMENT_STATE_CONFLICT


async def test_draft_that_is_withdrawn_before_it_is_approved_is_not_paid(agency: Agency) -> None:
    batch = await agency.draft(one_line_each(agency.cards))
    asked = await agency.ask(batch)
    assert isinstance(asked, Approval)
    async with agency.pool.acquire() as connection:
        await take_back_batch(connection, batch, agency.id)
    decided = await agency.decide(asked)
    assert isinstance(decided, Decided)
    done = await agency.carry_out(decided.approval)
    assert done.outcome is ApprovalOutcome.REFUSED
    assert (await agency.send(), await agency.posted(PostingKind.BENEFIT_APPROVED)) == (0, [])


@pytest.mark.parametrize("is_done", [False, True])
async def test_approval_that_is_cut_short_is_finished_and_nothing_is_sent_before(agency: Agency, is_done: bool) -> None:
    batch = await agency.draft(a_batch(benefit_line(agency.cards[0], fund_pay_type=fund) for fund in (310100, 310200)))
    asked = await agency.ask(batch)
    assert isinstance(asked, Approval)
    decided = await agency.decide(asked)
    assert isinstance(decided, Decided)
    with pytest.raises(StoreUnavailable):
        await agency.carry_out(decided.approval, ledger=LostAnswers(agency.day.ledger, first=1, is_done=is_done))
    assert await agency.send() == 0
    assert await carry_out_waiting(agency.pool, agency.executors()) == 1
    assert await agency.posted(PostingKind.BENEFIT_APPROVED) == [1_000, 1_000]
    assert await agency.send() == 2
    assert await agency.left() == {}


@pytest.mark.parametrize("is_done", [False, True])
async def test_sending_that_is_cut_short_goes_on_and_sends_nothing_twice(agency: Agency, is_done: bool) -> None:
    batch = await agency.draft(a_batch(benefit_line(card, amount=n) for n, card in enumerate(agency.cards, 1)))
    await agency.let_go(batch)
    with pytest.raises(StoreUnavailable):
        await agency.send(ledger=LostAnswers(agency.day.ledger, first=3, is_done=is_done))
    first = await agency.day.publish()
    await agency.send()
    assert await agency.send() == 0
    assert await agency.posted(PostingKind.BENEFIT) == [1, 2, 3, 4]
    second = await agency.day.publish()
    booked = {id_text(line.id): line.cycle for line in await agency.lines(batch)}
    for cycle in (first, second):
        items = [
            item
            for bank in range(4)
            for item in (await agency.day.file(cycle, bank, FileKind.CREDIT)).items
            if item.type is ItemType.BENEFIT
        ]
        assert {item.payment_id for item in items} == {line for line, sent in booked.items() if sent == cycle}
    assert (await agency.view(batch)).lines.sent == 4
    await agency.day.verify()


async def test_two_processes_that_send_at_once_send_each_line_once(agency: Agency) -> None:
    batch = await agency.draft(one_line_each(agency.cards))
    await agency.let_go(batch)
    await asyncio.gather(*(agency.send() for _ in range(3)))
    assert await agency.posted(PostingKind.BENEFIT) == [1_000] * 4
    assert (await agency.view(batch)).lines.pending == 0


async def test_line_is_held_until_its_payee_is_not_late_any_more(agency: Agency) -> None:
    agency.late.cards = {agency.cards[0]}
    batch = await agency.draft(one_line_each(agency.cards))
    await agency.let_go(batch)
    assert (await agency.statuses(batch))[0] is LineStatus.HELD
    agency.late.cards.add(agency.cards[1])  # late by the time that its line is to be sent
    assert await agency.send() == 2
    assert await agency.statuses(batch) == [LineStatus.HELD] * 2 + [LineStatus.SENT] * 2
    assert {line.reason for line in (await agency.lines(batch))[:2]} == {NOT_CERTIFIED}
    assert await agency.posted(PostingKind.BENEFIT_APPROVED) == [4_000], "what is held is owed all the same"
    agency.late.cards.clear()
    agency.late.asked.clear()
    assert await agency.send() == 0, "asked again once in a cycle"
    assert agency.late.asked == []
    first = await agency.day.publish()
    await agency.day.settle(first)
    assert (await agency.view(batch)).status == "partially_paid"
    assert await agency.send() == 2
    second = await agency.day.publish()
    await agency.day.settle(second)
    assert (await agency.view(batch)).status == "completed"
    await agency.day.verify()


@pytest.mark.parametrize("is_settled", [False, True])
async def test_returned_line_is_issued_again_by_two_operators(agency: Agency, is_settled: bool) -> None:
    batch = await agency.paid_out(one_line_each(agency.cards[:2]))
    first = await agency.day.publish()
    if is_settled:
        await agency.day.settle(first)
    items = [item for item in (await agency.day.file(first, 0, FileKind.CREDIT)).items if item.type is ItemType.BENEFIT]
    assert isinstance(await agency.day.give_back(0, items, reason="AC04"), Receipt)
    returned, other = await agency.lines(batch)
    assert (returned.state, returned.reason) == (LineState.RETURNED, "AC04")
    assert await agency.left() == {"benefit:110100:310100:payable": 1_000}, "it is owed again"
    if not is_settled:
        await agency.day.settle(first)
    assert (await agency.view(batch)).status == "partially_paid"
    assert await agency.send() == 0

    await agency.issue_again(batch, returned.id)
    assert await agency.send() == 1
    old, _, fresh = await agency.lines(batch)
    assert (old.state, fresh.state, fresh.replaces) == (LineState.REISSUED, LineState.SENT, old.id)
    second = await agency.day.publish()
    await agency.day.settle(second)
    assert await agency.statuses(batch) == [LineStatus.REISSUED, LineStatus.PAID, LineStatus.PAID]
    assert (await agency.view(batch)).status == "completed"
    assert other.state is LineState.SENT
    assert await agency.left() == {}
    await agency.day.verify()


async def test_line_is_issued_again_once_and_only_if_it_came_back(agency: Agency) -> None:
    batch = await agency.paid_out(one_line_each(agency.cards[:2]))
    cycle = await agency.day.publish()
    items = [item for item in (await agency.day.file(cycle, 0, FileKind.CREDIT)).items if item.type is ItemType.BENEFIT]
    await agency.day.give_back(0, items, reason="MD07")
    returned, sent = await agency.lines(batch)
    with pytest.raises(AssertionError, match="DISBURSEMENT_STATE_CONFLICT"):
        await agency.issue_again(batch, sent.id)
    await agency.issue_again(batch, returned.id)
    with pytest.raises(AssertionError, match="DISBURSEMENT_STATE_CONFLICT"):
        await agency.issue_again(batch, returned.id)
    assert await agency.send() == 1
    assert len(await agency.lines(batch)) == 3


async def test_return_is_counted_once_and_before_the_line_is_marked_too(agency: Agency) -> None:
    batch = await agency.draft(one_line_each(agency.cards[:1]))
    await agency.let_go(batch)
    with pytest.raises(StoreUnavailable):
        await agency.send(ledger=LostAnswers(agency.day.ledger, first=1))
    (line,) = await agency.lines(batch)
    assert line.state is LineState.PENDING
    row = ReturnRow(
        batch=bytes(16),
        n=1,
        line=1,
        bank=agency.day.bank(0),
        item="1.1.0",
        direction=Direction.CREDIT,
        payment=line.id,
        cycle=await agency.day.publish(),
        leg="310100",
        amount=line.amount,
        account=bank_payable(agency.day.bank(0)),
        stand_in=benefit_payable(110100, 310100),
        file=None,
        seq=None,
        reason="AC06",
        return_ref="R",
    )
    for _ in range(2):
        await note_returned(agency.pool, agency.day.ledger, row)
    (line,) = await agency.lines(batch)
    assert (line.state, line.reason, line.cycle) == (LineState.RETURNED, "AC06", row.cycle)
    view = await agency.view(batch)
    assert (view.lines.returned, view.lines.pending, view.lines.sent) == (1, 0, 0)
