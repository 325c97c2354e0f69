"""Taking a local platform's file of balances: all of it or nothing, and posted nowhere yet.

What counts is the newest file that was taken whole. It is staged first because what is posted stays: a balance of the
wrong card could not be taken back from it.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final

import msgspec

from engine.codes.keys import Keyring
from engine.core.local_platforms import PLATFORM_TRANSITIONS, LocalPlatform, PlatformMove
from engine.core.money import AMOUNT_FEN_MAX
from engine.formats.balances_csv import BalanceLine, read
from engine.formats.bank_file import MalformedRecord
from engine.store.connection import AnyConnection
from engine.store.faults import translated
from engine.store.local_platforms import BalanceRow, analyze_balances, begin_balances, insert_balances, lock_platform
from engine.store.persons import CARD_NUMBER_PLACE, index_of

LINES_AT_ONCE: Final = 2_000
FAULTS_KEPT_MAX: Final = 100


class BalancesTaken(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a file: how many lines are right, what they add up to, and what is wrong. One fault, and none of it
    counts. Units: fen.
    """

    sha256: str
    lines: int
    balance: int
    faulty: int
    faults: tuple[MalformedRecord, ...]

    @property
    def is_taken(self) -> bool:
        """True if the file counts from now on."""
        return not self.faulty


async def take_balances(
    connection: AnyConnection,
    keyring: Keyring,
    region: int,
    sha256: bytes,
    chunks: Iterable[bytes],
    *,
    on_fault: Callable[[MalformedRecord], None] = lambda _: None,
) -> BalancesTaken | LocalPlatform | None:
    """Take a file in place of the one before, unless a line of it is wrong. *sha256* is that of its bytes.

    The local platform instead, if it is too far for another file; None if the region has none. *on_fault* is told
    each fault as it is found.

    Locks: the local platform.

    Raises:
        Fault: the database cannot do it now; nothing was taken.
    """
    transaction = connection.transaction()
    with translated():
        await transaction.start()
    taken: BalancesTaken | LocalPlatform | None = None
    try:
        platform = await lock_platform(connection, region)
        if platform is None or not platform.may(PlatformMove.TAKE_BALANCES):
            taken = platform
        else:
            state = PLATFORM_TRANSITIONS[platform.state, PlatformMove.TAKE_BALANCES]
            await begin_balances(connection, platform, state, sha256)
            taken = await _take_all(connection, keyring, platform, sha256, chunks, on_fault)
    finally:
        with translated():
            if isinstance(taken, BalancesTaken) and taken.is_taken:
                await transaction.commit()
            else:
                await transaction.rollback()
    return taken


async def _take_all(
    connection: AnyConnection,
    keyring: Keyring,
    platform: LocalPlatform,
    sha256: bytes,
    chunks: Iterable[bytes],
    on_fault: Callable[[MalformedRecord], None],
) -> BalancesTaken:
    readings = read(chunks)
    lines = balance = faulty = 0
    kept: list[MalformedRecord] = []
    while page := await asyncio.to_thread(_next_page, readings, keyring):
        rows = [one for one in page if isinstance(one, BalanceRow)]
        fresh = await insert_balances(connection, platform.id, rows) if rows else set()
        faults = [one for one in page if isinstance(one, MalformedRecord)]
        faults += [MalformedRecord(row.line, "card_no", "named before") for row in rows if row.line not in fresh]
        for fault in sorted(faults, key=lambda one: one.line_number):
            on_fault(fault)
            if len(kept) < FAULTS_KEPT_MAX:
                kept.append(fault)
        faulty += len(faults)
        lines += len(fresh)
        balance += sum(row.amount for row in rows if row.line in fresh)
    if not faulty:
        await analyze_balances(connection)
    return BalancesTaken(sha256=sha256.hex(), lines=lines, balance=balance, faulty=faulty, faults=tuple(kept))


def _next_page(
    readings: Iterator[BalanceLine | MalformedRecord], keyring: Keyring
) -> list[BalanceRow | MalformedRecord]:
    return [_row_of(reading, keyring) for reading in islice(readings, LINES_AT_ONCE)]


def _row_of(reading: BalanceLine | MalformedRecord, keyring: Keyring) -> BalanceRow | MalformedRecord:
    if isinstance(reading, MalformedRecord):
        return reading
    if reading.amount > AMOUNT_FEN_MAX:
        return MalformedRecord(reading.line_number, "balance", "more than an account can be given")
    return BalanceRow(index_of(keyring, CARD_NUMBER_PLACE, reading.card_no), reading.line_number, reading.amount)
