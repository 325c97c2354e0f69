"""All files of one cycle while they are written side by side: lines become bytes, bytes become chunks of one size."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Final, assert_never

from engine.codes.keys import SigningKey
from engine.core.calendar import cycle_date, cycle_sequence
from engine.core.clearing import NetPosition
from engine.core.clearing_lines import ClearedPosting, ClearingFile, ClearingItem, FileKind, LineMaker, net_items
from engine.core.ids import BankId
from engine.formats import bank_file_formats
from engine.formats.bank_file import FileHeading, FileTrailer, FileWriter
from engine.formats.file_names import FileName
from engine.store.clearing_reads import CHUNK_BYTES
from engine.store.clearing_session import ClearingRun
from engine.store.clearing_store import Chunk, NettedCycle
from engine.store.faults import Fault

LINES_AT_ONCE: Final = 128  # a file's lines are written together: one call for many is several times faster


class TotalsDiffer(Fault):
    """A file does not add up to its bank's position: the cycle stays unpublished, and a person has to look."""


class NoSettlementBank(Fault):
    """Net positions are settled at one bank, and none is named."""


class FileBuilder:
    """One file while it is written: its lines become bytes, its bytes become chunks of one size."""

    def __init__(self, name: FileName, bank: BankId, writer: FileWriter, emit: Callable[[Chunk], None]) -> None:
        """*emit* takes the chunks as they are full."""
        self.name = name
        self.bank = bank
        self.size = 0
        self._text = name.text
        self._writer = writer
        self._emit = emit
        self._waiting: list[ClearingItem] = []
        self._buffer = bytearray()
        self._part = 0
        self._take(writer.begin())

    def add(self, items: Sequence[ClearingItem]) -> None:
        """Write some lines, some time before `finish`."""
        self._waiting.extend(items)
        if len(self._waiting) >= LINES_AT_ONCE:
            self._write_waiting()

    def finish(self) -> tuple[FileTrailer, bytes]:
        """Write what is left. Returns what the lines add up to, and the SHA-256 of the whole file."""
        self._write_waiting()
        self._take(self._writer.end())
        if self._buffer:
            self._emit((self._text, self._part, bytes(self._buffer)))
            self._buffer.clear()
        return self._writer.trailer, self._writer.digest()

    def _write_waiting(self) -> None:
        if self._waiting:
            self._take(self._writer.lines(self._waiting))
            self._waiting.clear()

    def _take(self, content: bytes) -> None:
        self.size += len(content)
        self._buffer += content
        while len(self._buffer) >= CHUNK_BYTES:
            self._emit((self._text, self._part, bytes(self._buffer[:CHUNK_BYTES])))
            del self._buffer[:CHUNK_BYTES]
            self._part += 1


class CycleFiles:
    """All files of one cycle, written side by side. Memory: a chunk and some lines for each file."""

    def __init__(self, run: ClearingRun, netted: NettedCycle, emit: Callable[[Chunk], None]) -> None:
        """Files that have their headings."""
        self._run = run
        self._netted = netted
        self._cnaps = {bank.id: bank.cnaps for bank in netted.banks.values()}
        self._lines = LineMaker(netted.routes, self._cnaps)
        self._builders = {
            (self._cnaps[position.bank], kind): tuple(
                self._new(position.bank, kind, form, emit) for form in bank_file_formats()
            )
            for position in netted.positions
            for kind in FileKind
        }

    def names(self) -> list[str]:
        """The names of all files."""
        return [builder.name.text for builders in self._builders.values() for builder in builders]

    def add(self, postings: Sequence[ClearedPosting]) -> None:
        """Write the lines of some postings: each to its debtor's file and to its creditor's."""
        collected: dict[str, list[ClearingItem]] = defaultdict(list)
        credited: dict[str, list[ClearingItem]] = defaultdict(list)
        for posting in postings:
            item = self._lines.item(posting)
            collected[item.debit_bank].append(item)
            credited[item.credit_bank].append(item)
        self._add(FileKind.COLLECT, collected)
        self._add(FileKind.CREDIT, credited)

    def add_net(self) -> None:
        """Write the lines of the net positions: to the bank's file, and to the settlement bank's."""
        moved: dict[str, list[ClearingItem]] = defaultdict(list)
        for item in net_items(
            self._netted.positions,
            settlement_bank=_settlement_bank(self._netted),
            cnaps=self._cnaps,
            cycle=self._run.cycle,
            at=self._run.closed_at,
        ):
            moved[item.debit_bank].append(item)
            moved[item.credit_bank].append(item)
        self._add(FileKind.NET, moved)

    def finish(self, signing_key: SigningKey) -> list[ClearingFile]:
        """Write what is left, and make the manifests.

        Raises:
            TotalsDiffer: a file does not add up to its bank's position.
        """
        return [
            self._manifest(builder, position, signing_key)
            for position in self._netted.positions
            for kind in FileKind
            for builder in self._builders[self._cnaps[position.bank], kind]
        ]

    def _add(self, kind: FileKind, items: Mapping[str, Sequence[ClearingItem]]) -> None:
        for bank, some in items.items():
            for builder in self._builders[bank, kind]:
                builder.add(some)

    def _new(self, bank: BankId, kind: FileKind, form: str, emit: Callable[[Chunk], None]) -> FileBuilder:
        cnaps = self._cnaps[bank]
        name = FileName(cnaps=cnaps, cycle=self._run.cycle, kind=kind, form=form)
        previous = self._netted.previous_sha256.get((bank, kind, form), b"")
        heading = FileHeading(
            file_id=name.file_id,
            receiver_bank=cnaps,
            business_date=cycle_date(self._run.cycle),
            cycle=cycle_sequence(self._run.cycle),
            kind=kind,
            created_at=self._run.closed_at,
            previous_sha256=previous.hex(),
        )
        return FileBuilder(name, bank, bank_file_formats()[form].writer(heading), emit)

    def _manifest(self, builder: FileBuilder, position: NetPosition, signing_key: SigningKey) -> ClearingFile:
        trailer, sha256 = builder.finish()
        name = builder.name
        _check(name, trailer, position)
        return ClearingFile(
            name=name.text,
            bank=builder.bank,
            cycle=name.cycle,
            kind=name.kind,
            form=name.form,
            version=name.version,
            item_count=trailer.count,
            debit_total=trailer.debit_total,
            credit_total=trailer.credit_total,
            size=builder.size,
            sha256=sha256,
            range_from=" ".join(f"{lane.lane}.{lane.first_seq}" for lane in self._netted.lanes),
            range_to=" ".join(f"{lane.lane}.{lane.last_seq}" for lane in self._netted.lanes),
            root=self._netted.root,
            key_id=signing_key.key_id,
            signature=signing_key.sign(sha256),
        )


def _settlement_bank(netted: NettedCycle) -> BankId:
    for bank in netted.banks.values():
        if bank.is_settlement_bank:
            return bank.id
    raise NoSettlementBank("no bank is the settlement bank: net positions cannot be settled")


def _check(name: FileName, trailer: FileTrailer, position: NetPosition) -> None:
    """The lines were counted one by one, the position was added up by the database: they must agree."""
    match name.kind:
        case FileKind.COLLECT:
            agrees = (trailer.count, trailer.debit_total) == (position.debit_count, position.debits)
        case FileKind.CREDIT:
            agrees = (trailer.count, trailer.credit_total) == (position.credit_count, position.credits)
        case FileKind.NET:
            agrees = trailer.credit_total - trailer.debit_total == position.net
        case _:
            assert_never(name.kind)
    if not agrees:
        raise TotalsDiffer(f"{name.text} does not add up to its bank's position")
