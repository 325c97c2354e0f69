"""The queue: bounded, fair to every caller, and nothing in it is lost."""

import asyncio
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.commands import ReportLoss
from engine.core.ids import CallerId, CardId
from engine.ledger.queue import Entry, LaneQueue, Overloaded


def an_entry(caller: str = "A") -> Entry:
    """An entry of a caller that is called by one letter."""
    command = ReportLoss(caller=CallerId(caller.encode()), key=None, card=CardId(bytes(16)))
    return Entry(command, asyncio.get_running_loop().create_future(), now=0.0, wait_s=1.0)


def callers_of(entries: list[Entry]) -> str:
    """The callers of entries, letter by letter."""
    return "".join(entry.command.caller.decode() for entry in entries)


async def test_callers_take_turns_whoever_has_more() -> None:
    queue = LaneQueue(size_max=10)
    for caller in "AAAAABCC":
        queue.put(an_entry(caller))
    assert callers_of(queue.take(4)) == "ABCA"
    assert callers_of(queue.take(4)) == "CAAA"


async def test_entries_of_one_caller_keep_their_order() -> None:
    queue = LaneQueue(size_max=10)
    entries = [an_entry() for _ in range(5)]
    for entry in entries:
        queue.put(entry)
    assert queue.take(2) + queue.take(5) == entries


async def test_full_queue_takes_nothing_new() -> None:
    queue = LaneQueue(size_max=2)
    queue.put(an_entry())
    queue.put(an_entry("B"))
    with pytest.raises(Overloaded):
        queue.put(an_entry("C"))
    queue.take(1)
    queue.put(an_entry("C"))
    assert len(queue) == 2


async def test_what_was_given_back_goes_first_and_is_never_too_many() -> None:
    queue = LaneQueue(size_max=2)
    given_back = [an_entry("B"), an_entry("B")]
    queue.put(an_entry("A"))
    queue.put(an_entry("A"))
    queue.put_again(given_back)
    assert len(queue) == 4
    assert callers_of(queue.take(3)) == "BBA"


async def test_what_was_given_back_leaves_half_of_a_batch_to_others() -> None:
    queue = LaneQueue(size_max=9)
    for _ in range(3):
        queue.put(an_entry("A"))
    queue.put_again([an_entry("B") for _ in range(9)])
    assert callers_of(queue.take(4)) == "BBAA"
    assert callers_of(queue.take(4)) == "BBA"
    assert callers_of(queue.take(4)) == "BBBB"


async def test_closed_queue_takes_nothing_new_and_gives_out_what_it_has() -> None:
    queue = LaneQueue(size_max=2)
    queue.put(an_entry())
    queue.close()
    with pytest.raises(Overloaded):
        queue.put(an_entry())
    assert not queue.is_finished
    queue.put_again([an_entry("B")])
    assert callers_of(queue.take(5)) == "BA"
    assert queue.is_finished
    await queue.wait_filled()


async def test_waiting_ends_when_something_comes_and_when_nothing_will() -> None:
    for wake in (LaneQueue.close, lambda queue: queue.put(an_entry()), lambda queue: queue.put_again([an_entry()])):
        queue = LaneQueue(size_max=2)
        waiting = asyncio.create_task(queue.wait_filled())
        await asyncio.sleep(0)
        assert not waiting.done()
        wake(queue)
        await waiting


@given(st.lists(st.one_of(st.sampled_from("ABC"), st.integers(1, 5)), max_size=40))
def test_nothing_is_lost_and_nothing_is_given_out_twice(steps: list[str | int]) -> None:
    async def walk() -> None:
        queue = LaneQueue(size_max=100)
        put: list[Entry] = []
        taken: Counter[Entry] = Counter()
        for step in steps:
            if isinstance(step, str):
                put.append(an_entry(step))
                queue.put(put[-1])
                continue
            batch = queue.take(step)
            assert len(batch) <= step
            queue.put_again(batch[1::2])
            taken.update(batch[::2])
        while rest := queue.take(3):
            taken.update(rest)
        assert Counter(put) == taken
        assert len(queue) == 0

    asyncio.run(walk())
