"""Banks that give items back, cycles that are settled, and what is left in the accounts afterwards."""

import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import asyncpg
import msgspec

from engine.core.accounts import account_text
from engine.core.bank_lines import UploadKind
from engine.core.calendar import CycleNumber
from engine.core.clearing_lines import ClearingItem, FileKind
from engine.core.ids import BankId, PaymentId, id_text
from engine.core.line_columns import columns_of
from engine.core.settlement import Outcome
from engine.flows.clock import IdSource
from engine.flows.ledger_clearing import LedgerClearing
from engine.flows.receive_upload import Receipt, Rejected, UploadHandler, UploadSource, receive_upload
from engine.flows.settle_cycle import Answered, answer_settlement
from engine.flows.take_acknowledgement import AcknowledgementUploads
from engine.flows.take_returns import ReturnUploads
from engine.flows.verify_books import verify_books
from engine.formats.flat_layout import detail_texts
from engine.ledger.router import Ledger
from engine.store.connection import open_pool
from engine.store.returns import ReturnRow
from engine.workers.timetable import close_and_publish, instruct_by_hand
from tests.builders import World, a_world
from tests.flows.busy_books import KEY, PUBLIC_KEYS, a_ledger
from tests.flows.clearing_books import ReadFile, pay_and_refund, read_files
from tests.flows.settlement_books import balances
from tests.flows.statement_books import chunks_of


class Day:
    """A node's clearing over a world of four banks; the last one is the settlement bank and keeps the funds."""

    def __init__(self, dsn: str, sql: asyncpg.Connection, world: World, ledger: Ledger, pool: asyncpg.Pool) -> None:
        """Use `a_day`."""
        self.dsn = dsn
        self.sql = sql
        self.world = world
        self.ledger = ledger
        self.pool = pool
        self.told: list[ReturnRow] = []
        self.payments: list[PaymentId] = []
        self.clearing = LedgerClearing(pool, ledger, dsn, on_benefit_returned=self._benefit_returned)
        self._files = 0

    async def _benefit_returned(self, row: ReturnRow) -> None:
        self.told.append(row)

    async def publish(self) -> CycleNumber:
        """Close the open cycle and put its files out."""
        return await close_and_publish(self.dsn, KEY, books=self.clearing)

    async def instruct(self, cycle: CycleNumber) -> None:
        """Tell the settlement bank what a cycle moves."""
        await instruct_by_hand(self.dsn, cycle=cycle, books=self.clearing)

    async def settle(self, cycle: CycleNumber) -> None:
        """A cycle is instructed, and the settlement bank has moved what it had to."""
        await self.instruct(cycle)
        if await self.sql.fetchval("SELECT settled_at IS NULL FROM clearing_run WHERE cycle = $1", cycle):
            answered = await answer_settlement(
                self.pool, cycle=cycle, outcome=Outcome.CONFIRMED, reference="R", books=self.clearing
            )
            assert isinstance(answered, Answered)

    async def file(self, cycle: CycleNumber, bank: int, kind: FileKind) -> ReadFile:
        """A bank's flat file of a kind."""
        cnaps = await self.cnaps(bank)
        (found,) = [
            file
            for file in await read_files(self.sql, cycle)
            if file.heading.kind is kind and file.heading.receiver_bank == cnaps
        ]
        return found

    async def cnaps(self, bank: int) -> str:
        """The twelve digits of a bank's number."""
        number = await self.sql.fetchval("SELECT cnaps FROM bank WHERE id = $1", self.world.banks[bank])
        return f"{number:012d}"

    async def card_item(self, cycle: CycleNumber, bank: int) -> ClearingItem:
        """The part of a payment that a bank was to collect from a card."""
        (item,) = [
            item
            for item in (await self.file(cycle, bank, FileKind.COLLECT)).items
            if item.leg == "BANK" and item.debit_account.startswith("card_")
        ]
        return item

    async def send(self, bank: int, content: bytes) -> Receipt | Rejected:
        """What is said of an upload."""
        uploads: dict[UploadKind, UploadHandler] = {
            UploadKind.RETURN: ReturnUploads(self.clearing.returns),
            UploadKind.ACK: AcknowledgementUploads(self.clearing.returns),
        }
        source = UploadSource(bank=self.world.banks[bank])
        return await receive_upload(self.pool, chunks_of(content, 50_000), source, handlers=uploads, ids=IdSource())

    async def give_back(
        self, bank: int, items: Sequence[ClearingItem], *, reason: str = "AC04", file_id: str | None = None
    ) -> Receipt | Rejected:
        """What is said of a file of returns."""
        return await self.send(bank, await self.returns(bank, items, reason=reason, file_id=file_id))

    async def returns(
        self, bank: int, items: Sequence[ClearingItem], *, reason: str = "AC04", file_id: str | None = None
    ) -> bytes:
        """A file of returns in the flat form."""
        self._files += 1
        sender = await self.cnaps(bank)
        name = file_id or f"RT-{self._files}"
        rows = [f"H|1|{name}|{sender}|SSC|20261124|01|RETURN|2026-11-25T00:00:00.000000Z|156|"]
        told = [msgspec.structs.replace(item, remark=f"{reason} B{n}") for n, item in enumerate(items, 1)]
        rows += [f"D|{n}|{text}" for n, text in enumerate(detail_texts(columns_of(told)), 1)]
        return with_trailer(rows, told, sender)

    async def acknowledgement(self, bank: int, file: ReadFile, lines: Sequence[tuple[int, str]]) -> bytes:
        """An acknowledgement in the flat form."""
        self._files += 1
        sender = await self.cnaps(bank)
        sha256 = await self.sql.fetchval("SELECT sha256 FROM clearing_file WHERE name = $1", file.name)
        rows = [f"H|1|ACK-{self._files}|{sender}|SSC|20261124|01|ACK|2026-11-25T00:00:00.000000Z|156|{sha256.hex()}"]
        rows += [f"D|{n}|{place}|{code}" for n, (place, code) in enumerate(lines, 1)]
        body = "".join(f"{row}\n" for row in rows).encode()
        return body + f"T|{len(lines)}|0|0|0|{hashlib.sha256(body).hexdigest()}\n".encode()

    async def left(self) -> dict[str, int]:
        """What accounts have that are not even, banks by their number."""
        return {self._named(account_text(account)): left for account, left in (await balances(self.sql)).items()}

    async def verify(self) -> None:
        """The books are right."""
        report = await verify_books(self.dsn, public_keys=PUBLIC_KEYS, progress=lambda *_: None)
        assert report.violation is None, report.violation.text

    def _named(self, text: str) -> str:
        kinds = (("bank", self.world.banks), ("card", self.world.cards), ("merchant", self.world.merchants))
        for name, ids in kinds:
            for n, identifier in enumerate(ids):
                text = text.replace(id_text(identifier), f"{name}-{n}")
        return text

    def bank(self, n: int) -> BankId:
        """A bank's id."""
        return self.world.banks[n]


@asynccontextmanager
async def a_day(dsn: str, sql: asyncpg.Connection) -> AsyncIterator[Day]:
    """Two payments, each from a fund, a personal account and a bank card, and a refund, in a cycle that is open."""
    world = await a_world(sql, bank_count=4)
    pool = await open_pool(dsn, size_max=6)
    try:
        async with a_ledger(dsn) as ledger:
            day = Day(dsn, sql, world, ledger, pool)
            day.payments = await pay_and_refund(ledger, world)
            yield day
    finally:
        await pool.close()


def with_trailer(rows: Sequence[str], items: Sequence[ClearingItem], sender: str) -> bytes:
    """Rows with the trailer that they need."""
    body = "".join(f"{row}\n" for row in rows).encode()
    debits = sum(item.amount for item in items if item.debit_bank == sender)
    credits_ = sum(item.amount for item in items if item.debit_bank != sender)
    hash_total = sum(n * item.amount for n, item in enumerate(items, 1)) % 10**18
    digest = hashlib.sha256(body).hexdigest()
    return body + f"T|{len(items)}|{debits}|{credits_}|{hash_total}|{digest}\n".encode()
