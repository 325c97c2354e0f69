"""Comparing one statement with the files that it is about: two streams in order of payments, read side by side.

Most payments agree line for line, and that takes one look at their keys. Only the others are read in full and
classified. Memory: some pages of either side, whatever their number.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from datetime import date, datetime
from operator import itemgetter
from typing import Final, Generic, TypeVar

import msgspec

from engine.core.bank_lines import StatementLine
from engine.core.reconciliation import UNKNOWN_PAYMENT, Classified, Item, PaymentFacts, classify
from engine.core.side_by_side import ItemKey, LineKey, MatchRow, look
from engine.store.payments_of_bank import PaymentsOfBank
from engine.store.reconciliation import MATCHES_A_ROW, Reconciliation
from engine.store.reconciliation_session import ReconciliationSession
from engine.store.reconciliation_writer import FoundDifference, ReconciliationWriter

PAYMENTS_AT_ONCE: Final = 500
DIFFERENCES_AT_ONCE: Final = 5_000
MATCH_ROWS_AT_ONCE: Final = 8

Key = TypeVar("Key", ItemKey, LineKey)


class Seen(msgspec.Struct, frozen=True):
    """When a comparison is made, in business time."""

    at: datetime
    on: date


async def compare_statement(
    session: ReconciliationSession,
    writer: ReconciliationWriter,
    reconciliation: Reconciliation,
    *,
    seen: Seen,
    returned: Collection[tuple[int, int]],
    has_unattached: bool,
) -> int:
    """Everything on both sides is matched, or a difference that is kept. Returns how many items matched.

    *returned* are the items that the bank has given back, by place of their file and place in it.

    Raises:
        Fault: the database cannot do it; what was written so far is to be dropped.
    """
    comparison = _Comparison(session, writer, reconciliation, seen, returned)
    async for items, lines in _aligned(session.item_keys(), session.line_keys()):
        await comparison.add(items, lines)
    if has_unattached:
        async for unattached in session.unattached_lines():
            await comparison.add_unattached(unattached)
    return await comparison.finish()


class _Comparison:
    """One comparison, page by page."""

    def __init__(
        self,
        session: ReconciliationSession,
        writer: ReconciliationWriter,
        reconciliation: Reconciliation,
        seen: Seen,
        returned: Collection[tuple[int, int]],
    ) -> None:
        self._session = session
        self._writer = writer
        self._reconciliation = reconciliation
        self._payments = PaymentsOfBank(session.connection, reconciliation.bank)
        self._seen = seen
        self._returned = returned
        self._matched = 0
        self._matches: list[MatchRow] = []
        self._match_rows: list[list[MatchRow]] = []
        self._n = 0
        self._differences: list[FoundDifference] = []
        self._reference: tuple[object, ...] = ()  # of the last line without a payment

    async def add(self, items: Sequence[ItemKey], lines: Sequence[LineKey]) -> None:
        """Take the next payments, all of theirs on both sides."""
        matches, troubled = look(
            items, lines, business_date=self._reconciliation.business_date, returned=self._returned
        )
        if troubled:
            for start in range(0, len(troubled), PAYMENTS_AT_ONCE):
                for classified in await self._classified(troubled[start : start + PAYMENTS_AT_ONCE]):
                    matches += [
                        (match.item.payment_id, match.item.file, match.item.seq, match.line.line_number)
                        for match in classified.matches
                    ]
            matches.sort()
        await self._keep_matches(matches)
        await self._keep_differences(at_least=DIFFERENCES_AT_ONCE)

    async def add_unattached(self, lines: Iterable[StatementLine]) -> None:
        """Take the next lines without a payment; those that say the same follow each other."""
        for line in lines:
            reference = (line.bank_ref, line.direction, line.amount)
            is_repeated = bool(line.bank_ref) and reference == self._reference
            alike = [msgspec.structs.replace(line, line_number=0), line] if is_repeated else [line]
            classified = classify((), alike, business_date=self._reconciliation.business_date)
            self._found("", classified, lines={line.line_number})
            self._reference = reference
        await self._keep_differences(at_least=DIFFERENCES_AT_ONCE)

    async def finish(self) -> int:
        """Keep what is left. Returns how many items matched."""
        if self._matches:
            self._match_rows.append(self._matches)
        if self._match_rows:
            await self._writer.add_matches(self._match_rows)
        await self._keep_differences(at_least=1)
        return self._matched

    async def _classified(self, payment_ids: Sequence[str]) -> list[Classified]:
        items: dict[str, list[Item]] = defaultdict(list)
        for item in await self._session.items_of(payment_ids, business_date=self._reconciliation.business_date):
            is_returned = (item.file, item.seq) in self._returned
            items[item.payment_id].append(msgspec.structs.replace(item, is_returned=True) if is_returned else item)
        lines: dict[str, list[StatementLine]] = defaultdict(list)
        for attached in await self._session.lines_of(payment_ids):
            lines[attached.payment_id].append(attached.line)
        unknown = [payment_id for payment_id in payment_ids if payment_id not in items]
        facts: dict[str, PaymentFacts] = await self._payments.facts(unknown) if unknown else {}
        found = []
        for payment_id in payment_ids:
            classified = classify(
                items[payment_id],
                lines[payment_id],
                business_date=self._reconciliation.business_date,
                facts=facts.get(payment_id, UNKNOWN_PAYMENT),
            )
            self._found(payment_id, classified)
            found.append(classified)
        return found

    def _found(self, payment_id: str, classified: Classified, *, lines: Collection[int] | None = None) -> None:
        for difference in classified.differences:
            if lines is None or (difference.line is not None and difference.line.line_number in lines):
                self._n += 1
                self._differences.append(FoundDifference(self._n, payment_id, difference))

    async def _keep_matches(self, matches: Sequence[MatchRow]) -> None:
        """Gather matches in rows that end where a payment does."""
        self._matched += len(matches)
        for match in matches:
            if len(self._matches) >= MATCHES_A_ROW and match[0] != self._matches[-1][0]:
                self._match_rows.append(self._matches)
                self._matches = []
            self._matches.append(match)
        if len(self._match_rows) >= MATCH_ROWS_AT_ONCE:
            await self._writer.add_matches(self._match_rows)
            self._match_rows = []

    async def _keep_differences(self, *, at_least: int) -> None:
        if len(self._differences) >= at_least:
            await self._writer.add_differences(
                self._differences, files=self._reconciliation.files, seen_at=self._seen.at, seen_on=self._seen.on
            )
            self._differences = []


class _Side(Generic[Key]):
    """One stream of keys, and what is read of it and not taken yet."""

    def __init__(self, pages: AsyncIterator[list[Key]]) -> None:
        self.rows: list[Key] = []
        self.is_over = False
        self._pages: AsyncIterator[list[Key]] = pages

    @property
    def last(self) -> str:
        """The payment that the next page may have more of."""
        return self.rows[-1][0]

    async def fill(self) -> None:
        """Read one page more."""
        page = await anext(self._pages, None)
        if page is None:
            self.is_over = True
        else:
            self.rows += page

    def take(self, before: str | None) -> list[Key]:
        """Everything of the payments before that one, or all there is."""
        end = len(self.rows) if before is None else bisect_left(self.rows, before, key=itemgetter(0))
        taken, self.rows = self.rows[:end], self.rows[end:]
        return taken


async def _aligned(
    item_pages: AsyncIterator[list[ItemKey]], line_pages: AsyncIterator[list[LineKey]]
) -> AsyncIterator[tuple[list[ItemKey], list[LineKey]]]:
    """Both streams in parts that have the same payments, each payment whole."""
    items: _Side[ItemKey] = _Side(item_pages)
    lines: _Side[LineKey] = _Side(line_pages)
    await items.fill()
    await lines.fill()
    while items.rows or lines.rows:
        before = min(
            [side.last for side in (items, lines) if not side.is_over],
            default=None,
        )
        taken = items.take(before), lines.take(before)
        if any(taken):
            yield taken
        for side in (items, lines):
            if not side.is_over and side.last == before:
                await side.fill()
