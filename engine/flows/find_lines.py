"""Which lines of a flat file are a payment's: searched for by halves, for a file has no index.

A file's lines are in the order of the journal (cycle, lane, sequence). What a line says does not tell its place there,
but whose it is and when does, with one look at the payment's events. So about as many parts of a file are read as its
size has binary digits. Were a look to mislead, the payment would not be where it should be, and the whole file is read.
"""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Final

from engine.core.calendar import CycleNumber
from engine.core.ids import IdKind, MalformedId, PaymentId, id_text, parse_id
from engine.formats.flat_search import FoundLine, first_lines, lines_of
from engine.store.clearing_reads import CHUNK_BYTES
from engine.store.timelines import TimelineFile, Timelines

BatchPlace = tuple[CycleNumber, int, int]
"""Cycle, lane and sequence: the order of a file's lines."""

PARTS_OF_A_BATCH: Final = 8  # the lines of one batch are in few parts
LOOKS_A_PART: Final = 8  # at its first lines, for one that is a payment's


async def find_lines(
    reads: Timelines, file: TimelineFile, payment: PaymentId, batch: BatchPlace, at: datetime
) -> Sequence[int]:
    """The places in *file*, from one, of the lines that a batch of the instant *at* has made of a payment.

    Raises:
        Fault: the database cannot answer.
    """
    low, high = 0, max(1, -(-file.size // CHUNK_BYTES))  # the batch's lines begin in one of these parts
    while high - low > 1:
        middle = (low + high) // 2
        found = await _first_batch(reads, file, middle)
        if found is None or found >= batch:
            high = middle
        else:
            low = middle
    content = await reads.content(file.name, first_part=low, count=PARTS_OF_A_BATCH)
    return _of_instant(content, payment, at) or await _search_all(reads, file, payment, at)


async def _first_batch(reads: Timelines, file: TimelineFile, part: int) -> BatchPlace | None:
    """The batch of the first line in a part that is a payment's; None if there is none."""
    content = await reads.content(file.name, first_part=part, count=1)
    for line in first_lines(content, count=LOOKS_A_PART):
        found = await _batch_of(reads, file, line)
        if found is not None:
            return found
    return None


async def _batch_of(reads: Timelines, file: TimelineFile, line: FoundLine) -> BatchPlace | None:
    with suppress(MalformedId):
        payment = PaymentId(parse_id(line.payment_id, IdKind.PAYMENT))
        return await reads.batch_of_line(payment, line.occurred_at, file.cycle)
    return None


async def _search_all(reads: Timelines, file: TimelineFile, payment: PaymentId, at: datetime) -> Sequence[int]:
    found: list[int] = []
    part, rest = 0, b""
    while content := await reads.content(file.name, first_part=part, count=PARTS_OF_A_BATCH):
        part += PARTS_OF_A_BATCH
        found += _of_instant(rest + content, payment, at)
        rest = (rest + content).rpartition(b"\n")[2]
    return found


def _of_instant(content: bytes, payment: PaymentId, at: datetime) -> list[int]:
    return [line.seq for line in lines_of(content, id_text(payment)) if line.occurred_at == at]
