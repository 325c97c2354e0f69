"""Files while they are written side by side: lines become bytes, bytes become chunks of one size."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from engine.codes.keys import SigningKey
from engine.core.accounts import AccountId
from engine.core.calendar import CycleNumber
from engine.core.clearing_lines import ClearingFile, FileKind, net_items
from engine.core.ids import BankId
from engine.core.line_columns import ClearedPostings, columns_of
from engine.core.line_maker import LineMaker
from engine.flows.file_plans import FilePlan
from engine.formats import bank_file_formats
from engine.formats.bank_file import LineBatch, TotalsUnmet
from engine.store.clearing_reads import CHUNK_BYTES
from engine.store.faults import Fault
from engine.store.file_store import Chunk, Delivery

Emit = Callable[[Chunk], None]
"""Takes the parts of files as they are full."""


class TotalsDiffer(Fault):
    """A file does not add up to its bank's position: the cycle stays unpublished, and a person has to look."""


class NoSettlementBank(Fault):
    """Net positions are settled at one bank, and none is named."""


class FileBuilder:
    """One file while it is written: its lines become bytes, its bytes become chunks of one size."""

    def __init__(self, plan: FilePlan, emit: Emit) -> None:
        """A file that has its heading."""
        self.plan = plan
        self.size = 0
        self.name = plan.name.text
        self.writer = bank_file_formats()[plan.name.form].writer(plan.heading)
        self._emit = emit
        self._buffer = bytearray()
        self._part = 0
        self._take(self.writer.begin())

    def add(self, batch: LineBatch, picked: Sequence[int]) -> None:
        """Write those items of a batch that are in this file."""
        self._take(self.writer.lines(batch, picked))

    def finish(self) -> None:
        """Write what comes after the lines.

        Raises:
            TotalsDiffer: the lines were counted one by one, the position was added up by the database: they disagree.
        """
        try:
            self._take(self.writer.end())
        except TotalsUnmet as error:
            raise TotalsDiffer(f"{self.name} does not add up to its bank's position") from error
        if self._buffer:
            self._emit((self.name, self._part, bytes(self._buffer)))
            self._buffer.clear()

    def _take(self, content: bytes) -> None:
        self.size += len(content)
        self._buffer += content
        while len(self._buffer) >= CHUNK_BYTES:
            self._emit((self.name, self._part, bytes(self._buffer[:CHUNK_BYTES])))
            del self._buffer[:CHUNK_BYTES]
            self._part += 1


class CycleFiles:
    """Files of one delivery, written side by side. Memory: a chunk and some lines for each file.

    The covered cycles come in order, each with `begin_cycle` and then its postings with `add`.
    """

    def __init__(self, delivery: Delivery, plans: Iterable[FilePlan], emit: Emit) -> None:
        """Files that have their headings."""
        self.builders = [FileBuilder(plan, emit) for plan in plans]
        self._delivery = delivery
        self._lines = LineMaker({}, {})
        self._open: dict[tuple[str, FileKind], list[FileBuilder]] = {}

    @property
    def cycles(self) -> Sequence[CycleNumber]:
        """The cycles whose items are in any of the files, in order."""
        first = min((builder.plan.first_cycle for builder in self.builders), default=None)
        return [cycle for cycle in sorted(self._delivery.cycles) if first is not None and cycle >= first]

    def begin_cycle(self, cycle: CycleNumber, routes: Mapping[AccountId, BankId]) -> None:
        """What comes next are items of *cycle*, in which accounts cleared through the banks of *routes*. Its net
        positions are written at once.
        """
        self._lines = LineMaker(routes, self._delivery.cnaps)
        self._open = defaultdict(list)
        for builder in self.builders:
            if builder.plan.first_cycle <= cycle:
                self._open[builder.plan.name.cnaps, builder.plan.name.kind].append(builder)
        cleared = self._delivery.cycles[cycle]
        items = net_items(
            cleared.positions,
            settlement_bank=cleared.settlement_bank,
            cnaps=self._delivery.cnaps,
            cycle=cycle,
            at=cleared.closed_at,
        )
        batch = LineBatch(columns_of(items))
        for bank, (paid, got) in _sides(batch).items():
            self._write(bank, FileKind.NET, batch, sorted(paid + got))

    def add(self, postings: ClearedPostings) -> None:
        """Write the lines of some postings: each to its debtor's files and to its creditor's."""
        batch = LineBatch(self._lines.lines(postings))
        for bank, (paid, got) in _sides(batch).items():
            self._write(bank, FileKind.COLLECT, batch, paid)
            self._write(bank, FileKind.CREDIT, batch, got)
            self._write(bank, FileKind.ADVICE, batch, sorted({*paid, *got}))

    def finish(self) -> None:
        """Write what comes after the lines.

        Raises:
            TotalsDiffer: a file does not add up to its bank's position.
        """
        for builder in self.builders:
            builder.finish()

    def _write(self, bank: str, kind: FileKind, batch: LineBatch, picked: Sequence[int]) -> None:
        if picked:
            for builder in self._open.get((bank, kind), ()):
                builder.add(batch, picked)


def manifest_of(builder: FileBuilder, delivery: Delivery, signing_key: SigningKey) -> ClearingFile:
    """The manifest of a file that is finished."""
    name, heading, totals = builder.plan.name, builder.plan.heading, builder.writer.totals
    sha256 = builder.writer.digest()
    cycles = [cycle for cycle in sorted(delivery.lanes) if cycle >= builder.plan.first_cycle]
    lanes = [lane for cycle in cycles for lane in delivery.lanes[cycle]]
    first = {lane.lane: lane.first_seq for lane in reversed(lanes)}
    last = {lane.lane: lane.last_seq for lane in lanes}
    return ClearingFile(
        name=builder.name,
        bank=builder.plan.bank,
        cycle=name.cycle,
        first_cycle=builder.plan.first_cycle,
        kind=name.kind,
        form=name.form,
        version=name.version,
        item_count=totals.count,
        debit_total=totals.debit_total,
        credit_total=totals.credit_total,
        size=builder.size,
        sha256=sha256,
        range_from=" ".join(f"{lane}.{first[lane]}" for lane in sorted(first)),
        range_to=" ".join(f"{lane}.{last[lane]}" for lane in sorted(last)),
        root=delivery.root,
        key_id=signing_key.key_id,
        signature=signing_key.sign(sha256),
        created_at=heading.created_at,
        previous_sha256=bytes.fromhex(heading.previous_sha256),
        replaces=builder.plan.replaces,
    )


def _sides(batch: LineBatch) -> dict[str, tuple[list[int], list[int]]]:
    """For each bank the places of the lines that it pays, and of those that it gets."""
    sides: dict[str, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    for n, (debtor, creditor) in enumerate(zip(batch.lines.debit_bank, batch.lines.credit_bank, strict=True)):
        sides[debtor][0].append(n)
        sides[creditor][1].append(n)
    return sides
