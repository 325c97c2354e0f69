"""What banks give back: checked whole, posted once, settled by the bank that stands in, presented again, given up."""

import asyncio
from collections.abc import Callable

import asyncpg
import msgspec
import pytest

from engine.core.accounts import account_text, bank_payable, benefit_payable
from engine.core.clearing_lines import ClearingItem, FileKind, ItemType
from engine.core.commands import Book
from engine.core.ids import id_text
from engine.core.postings import PostingKind
from engine.core.returns import ReturnState
from engine.flows.receive_upload import Receipt, Rejected
from engine.flows.returned_lines import LinesGivenBack
from engine.store.faults import StoreUnavailable
from engine.store.return_reads import Returns
from tests.flows.busy_books import FUND
from tests.flows.return_books import Day, a_day
from tests.flows.test_other_postings import AREA, post

CARD_PART = 300  # of each payment: 1,500 less 200 of the fund and 1,000 of the personal account


def accepted(outcome: Receipt | Rejected) -> Receipt:
    """The receipt."""
    assert isinstance(outcome, Receipt), outcome
    return outcome


def faults(outcome: Receipt | Rejected) -> set[tuple[str, str]]:
    """Where an upload is wrong, and why."""
    assert isinstance(outcome, Rejected), outcome
    return {(fault.pointer, fault.reason) for fault in outcome.faults}


async def states(day: Day) -> list[tuple[ReturnState, int, int]]:
    """State, returns and presentations of every item that was ever given back."""
    rows = await day.sql.fetch("SELECT state, return_count, present_count FROM returned_item ORDER BY item, direction")
    return [(ReturnState(row["state"]), row["return_count"], row["present_count"]) for row in rows]


async def test_settlement_leaves_every_account_even(dsn: str, sql: asyncpg.Connection) -> None:
    async with a_day(dsn, sql) as day:
        cycle = await day.publish()
        assert len(await day.left()) > 4
        await day.settle(cycle)
        assert await day.left() == {f"fund:{AREA}:310200": 2_000, f"opening:{AREA}": -2_000}
        await day.verify()


async def test_settlement_is_posted_once(dsn: str, sql: asyncpg.Connection) -> None:
    async with a_day(dsn, sql) as day:
        cycle = await day.publish()
        await day.settle(cycle)
        count = await sql.fetchval("SELECT count(*) FROM posting")
        await sql.execute("UPDATE clearing_run SET settled_at = NULL WHERE cycle = $1", cycle)
        await day.settle(cycle)
        assert await sql.fetchval("SELECT count(*) FROM posting") == count


async def test_before_the_instruction_an_item_drops_out(dsn: str, sql: asyncpg.Connection) -> None:
    """The settlement bank advances it; the merchant's bank is paid as it was told."""
    async with a_day(dsn, sql) as day:
        cycle = await day.publish()
        item = await day.card_item(cycle, 0)
        assert item.amount == CARD_PART
        accepted(await day.give_back(0, [item]))
        kinds = await sql.fetch("SELECT kind FROM posting WHERE kind > 3")
        assert [row["kind"] for row in kinds] == [PostingKind.RETURN_UNSETTLED]
        await day.settle(cycle)
        left = await day.left()
        assert {name: amount for name, amount in left.items() if not name.endswith(("310200", str(AREA)))} == {
            "receivable:card-0": -CARD_PART,
            "settlement:bank-3": CARD_PART,
        }
        await day.verify()


async def test_after_the_instruction_an_item_is_undone_in_the_open_cycle(dsn: str, sql: asyncpg.Connection) -> None:
    async with a_day(dsn, sql) as day:
        cycle = await day.publish()
        item = await day.card_item(cycle, 0)
        await day.instruct(cycle)
        accepted(await day.give_back(0, [item]))
        await day.settle(cycle)
        following = await day.publish()
        got = (await day.file(following, 0, FileKind.CREDIT)).items
        assert [(line.type, line.amount, line.payment_id) for line in got] == [
            (ItemType.REVERSAL, CARD_PART, item.payment_id)
        ]
        taken = (await day.file(following, 0, FileKind.COLLECT)).items
        assert [(line.type, line.amount, line.remark) for line in taken] == [(ItemType.PAY, CARD_PART, "represented")]
        await day.settle(following)
        assert not [name for name in await day.left() if not name.endswith(("310200", str(AREA)))]
        assert await states(day) == [(ReturnState.REPRESENTED, 1, 1)]
        await day.publish()
        assert await states(day) == [(ReturnState.COLLECTED, 1, 1)]
        await day.verify()


async def test_an_item_is_presented_twice_and_then_given_up(dsn: str, sql: asyncpg.Connection) -> None:
    async with a_day(dsn, sql) as day:
        cycle = await day.publish()
        payment = id_text(day.payments[0])
        for n in range(3):
            item = await day.card_item(cycle, 0)
            assert (item.payment_id, item.remark) == (payment, "represented" if n else "")
            if n == 1:
                await day.settle(cycle)
            accepted(await day.give_back(0, [item]))
            cycle = await day.publish()
        assert await states(day) == [(ReturnState.SUSPENDED, 3, 2)]
        assert [row["kind"] for row in await sql.fetch("SELECT kind FROM clearing_case")] == ["suspense"]
        for row in await sql.fetch("SELECT cycle FROM clearing_run ORDER BY cycle"):
            await day.settle(row["cycle"])
        await day.publish()
        left = await day.left()
        assert left["suspense:short:bank-0"] == -CARD_PART == -left["settlement:bank-3"]
        assert "receivable:card-0" not in left
        assert (await day.file(cycle, 0, FileKind.COLLECT)).items == ()
        await day.verify()


async def test_anything_else_goes_to_suspense_at_once(dsn: str, sql: asyncpg.Connection) -> None:
    """A fund's part, a personal account's, a merchant's credit: the other end is untouched."""
    async with a_day(dsn, sql) as day:
        cycle = await day.publish()
        collected = (await day.file(cycle, 3, FileKind.COLLECT)).items
        credited = (await day.file(cycle, 1, FileKind.CREDIT)).items
        first, second = (id_text(payment) for payment in day.payments)
        accepted(await day.give_back(3, [line for line in collected if line.payment_id == first]))
        paid = [line for line in credited if line.payment_id == second and line.type is ItemType.PAY]
        accepted(await day.give_back(1, [line for line in paid if line.leg != "BANK"]))
        await day.settle(cycle)
        left = await day.left()
        assert left["suspense:short:bank-3"] == -1_200
        assert left["suspense:long:bank-1"] == 1_200  # all that the merchant got but from a card of the same bank
        assert {name: left[name] for name in left if name.startswith(("merchant", "bank"))} == {}
        assert "settlement:bank-3" not in left  # what it has advanced is what it has kept
        assert {state for state, _, _ in await states(day)} == {ReturnState.SUSPENDED}
        await day.verify()


@pytest.mark.parametrize("is_settled", [False, True])
async def test_a_benefit_that_is_returned_is_owed_again(dsn: str, sql: asyncpg.Connection, *, is_settled: bool) -> None:
    async with a_day(dsn, sql) as day:
        benefit, payable = benefit_payable(AREA, 310100), bank_payable(day.bank(0))
        await post(day.ledger, PostingKind.BENEFIT_APPROVED, FUND, benefit, about=day.payments[1])
        await post(day.ledger, PostingKind.BENEFIT, benefit, payable, about=day.payments[1])
        cycle = await day.publish()
        lines = (await day.file(cycle, 0, FileKind.CREDIT)).items
        if is_settled:
            await day.settle(cycle)
        accepted(await day.give_back(0, [line for line in lines if line.type is ItemType.BENEFIT], reason="MD07"))
        assert [(row.reason, account_text(row.stand_in)) for row in day.told] == [
            ("MD07", f"benefit:{AREA}:310100:payable")
        ]
        await day.settle(cycle)
        await day.settle(await day.publish())
        left = await day.left()
        assert (left[f"benefit:{AREA}:310100:payable"], left[f"fund:{AREA}:310100"]) == (7, -7)
        assert not [name for name in left if name.startswith(("bank", "settlement"))]
        assert await states(day) == [(ReturnState.RETURNED, 1, 0)]
        await day.verify()


def changed(**changes: object) -> Callable[[ClearingItem], ClearingItem]:
    """The same item with *changes*."""
    return lambda item: msgspec.structs.replace(item, **changes)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (changed(amount=CARD_PART + 1), ("/lines/2/amount", "not the item's amount")),
        (changed(leg="310300"), ("/lines/2/leg", "the payment has no such part")),
        (changed(payment_id="pay_00000000000000000000000000"), ("/lines/2/payment_id", "unknown reference")),
        (changed(payment_id="nonsense"), ("/lines/2/payment_id", "unknown reference")),
    ],
)
async def test_a_line_that_is_no_item_is_named(
    dsn: str, sql: asyncpg.Connection, change: Callable[[ClearingItem], ClearingItem], fault: tuple[str, str]
) -> None:
    async with a_day(dsn, sql) as day:
        cycle = await day.publish()
        assert faults(await day.give_back(0, [change(await day.card_item(cycle, 0))])) == {fault}
        assert await sql.fetchval("SELECT count(*) FROM item_return") == 0
        assert await sql.fetchval("SELECT count(*) FROM posting WHERE kind > 3") == 0


async def test_a_wrong_line_keeps_the_others_from_counting(dsn: str, sql: asyncpg.Connection) -> None:
    async with a_day(dsn, sql) as day:
        cycle = await day.publish()
        item = await day.card_item(cycle, 0)
        wrong = msgspec.structs.replace(item, amount=1)
        assert faults(await day.give_back(0, [item, wrong])) == {("/lines/3/amount", "not the item's amount")}
        assert await states(day) == []


async def test_another_banks_item_does_not_exist(dsn: str, sql: asyncpg.Connection) -> None:
    async with a_day(dsn, sql) as day:
        cycle = await day.publish()
        item = await day.card_item(cycle, 0)
        as_own = msgspec.structs.replace(item, debit_bank=await day.cnaps(2))
        assert faults(await day.give_back(2, [as_own])) == {("/lines/2/payment_id", "unknown reference")}


async def test_what_was_never_published_is_not_returned(dsn: str, sql: asyncpg.Connection) -> None:
    async with a_day(dsn, sql) as day:
        cycle = await day.publish()
        item = await day.card_item(cycle, 0)
        await day.ledger.submit(day.world.authorize(card=0, amount=50))
        (row,) = await sql.fetch("SELECT id FROM payment WHERE amount = 50")
        unpublished = msgspec.structs.replace(item, payment_id=id_text(row["id"]), amount=50)
        fault = ("/lines/2/payment_id", "in no file that is published yet")
        assert faults(await day.give_back(0, [unpublished])) == {fault}


async def test_an_item_is_given_back_once(dsn: str, sql: asyncpg.Connection) -> None:
    async with a_day(dsn, sql) as day:
        cycle = await day.publish()
        item = await day.card_item(cycle, 0)
        twice = ("/lines/3/payment_id", "given back twice in this file")
        assert faults(await day.give_back(0, [item, item])) == {twice}
        content = await day.returns(0, [item], file_id="R-1")
        first, again = await day.send(0, content), await day.send(0, content)
        assert (accepted(first).is_replay, accepted(again).is_replay) == (False, True)
        before = ("/lines/2/payment_id", "given back before")
        assert faults(await day.give_back(0, [item])) == {before}
        assert await states(day) == [(ReturnState.RETURNED, 1, 0)]
        await day.verify()


async def test_many_files_at_once_give_an_item_back_once(dsn: str, sql: asyncpg.Connection) -> None:
    async with a_day(dsn, sql) as day:
        cycle = await day.publish()
        item = await day.card_item(cycle, 0)
        files = [await day.returns(0, [item]) for _ in range(5)]
        outcomes = await asyncio.gather(*(day.send(0, file) for file in files))
        assert len([one for one in outcomes if isinstance(one, Receipt)]) == 1
        assert await sql.fetchval("SELECT count(*) FROM posting WHERE kind > 3") == 1


async def test_what_was_cut_short_is_posted_by_whoever_comes_next(
    dsn: str, sql: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger fails half-way: the file counts, and the next turn, or the same file again, posts what is left."""
    async with a_day(dsn, sql) as day:
        cycle = await day.publish()
        items = [line for line in (await day.file(cycle, 3, FileKind.COLLECT)).items if line.leg == "310200"]
        assert len(items) == 2
        submit, failures = day.ledger.submit, [1]

        async def failing(command: Book) -> object:
            outcome = await submit(command)
            if failures and command.operation is Book.operation:
                failures.pop()
                raise StoreUnavailable("the answer is lost")
            return outcome

        monkeypatch.setattr(day.ledger, "submit", failing)
        with pytest.raises(StoreUnavailable):
            await day.give_back(3, items)
        assert await sql.fetchval("SELECT count(*) FROM return_batch WHERE done_at IS NULL") == 1
        await day.clearing.finish_returns()
        assert await sql.fetchval("SELECT count(*) FROM return_batch WHERE done_at IS NULL") == 0
        assert await sql.fetchval("SELECT count(*) FROM posting WHERE kind > 3") == 2
        await day.clearing.finish_returns()
        await day.settle(cycle)
        assert (await day.left())["suspense:short:bank-3"] == -2_000
        await day.verify()


async def test_statements_do_not_miss_what_was_given_back(dsn: str, sql: asyncpg.Connection) -> None:
    async with a_day(dsn, sql) as day:
        cycle = await day.publish()
        file = await day.file(cycle, 3, FileKind.COLLECT)
        returned = LinesGivenBack(dsn)
        assert not await returned(sql, file.name)
        accepted(await day.give_back(3, [file.items[2]]))
        alike = [
            n
            for n, line in enumerate(file.items, 1)
            if (line.payment_id, line.leg) == (file.items[2].payment_id, file.items[2].leg)
        ]
        assert list(await returned(sql, file.name)) == alike == [3]


async def test_a_payment_shows_that_something_of_it_is_returned(dsn: str, sql: asyncpg.Connection) -> None:
    async with a_day(dsn, sql) as day:
        returns = Returns(day.pool)
        cycle = await day.publish()
        accepted(await day.give_back(0, [await day.card_item(cycle, 0)]))
        assert await returns.returned_payments(day.payments) == {day.payments[0]}
        following = await day.publish()
        await day.settle(cycle)
        await day.settle(following)
        await day.publish()
        assert await returns.returned_payments(day.payments) == set()
