"""Cards from a file, or one by one: what is right comes into the register, what is not is told with line and field.

Each page of lines is a transaction of its own, so a file of any length needs the memory of a page, and one bad line
costs nobody else the card. To bring the same lines in again changes nothing.
"""

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from itertools import islice
from typing import Final

import msgspec

from engine.codes.field_keys import PERSON_KEY_PLACE
from engine.codes.keys import FIELD_KEY_ID, Keyring
from engine.core.card_records import CardRecord
from engine.core.ids import BankId, CardId, IdKind, PersonId
from engine.core.participants import covers
from engine.core.payer import LIMIT_A_DAY_FEN, CardStatus, IssueLevel, Payer, TenderOrder
from engine.core.refusals import Refusal
from engine.flows.clock import IdSource
from engine.formats.cards_csv import CardFault, CardLine, read
from engine.store.card_imports import (
    TABLES,
    KnownPerson,
    keep_import_report,
    load_banks,
    load_given_numbers,
    load_import_report,
    load_known,
    write_cards,
)
from engine.store.connection import AnyConnection
from engine.store.faults import PoisonedBatch, RunAgain, translated
from engine.store.persons import (
    BANK_ACCOUNT_PLACE,
    CARD_NUMBER_PLACE,
    ID_NUMBER_PLACE,
    NAME_PLACE,
    PHONE_PLACE,
    index_of,
)
from engine.store.rows import Row, payer_row

LINES_AT_ONCE: Final = 2_000
FAULTS_KEPT_MAX: Final = 100
_RUNS_MAX: Final = 3


class ImportReport(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a file: how many lines it has, what became of them, and the first of its faults."""

    sha256: str
    lines: int = 0
    fresh: int = 0
    unchanged: int = 0
    faulty: int = 0
    faults: tuple[CardFault, ...] = ()


class Importing(msgspec.Struct, frozen=True, kw_only=True):
    """Who brings cards in, and when. `region` is where this one may; 0 is everywhere."""

    keyring: Keyring
    ids: IdSource
    operator: bytes
    region: int
    today: date
    now: datetime


class PageDone(msgspec.Struct, frozen=True):
    """What became of a page: the cards that are new, how many were known, and what is wrong with the others."""

    fresh: tuple[CardId, ...]
    unchanged: int
    faults: tuple[CardFault, ...]


async def import_cards(
    connection: AnyConnection,
    importing: Importing,
    sha256: bytes,
    chunks: Iterable[bytes],
    *,
    is_dry_run: bool = False,
    on_fault: Callable[[CardFault], None] = lambda _: None,
) -> ImportReport:
    """Bring a file in. *sha256* is that of its bytes; one that came to its end is answered as it was the first time, to
    whoever answers for the same region: others may bring in other cards of it.

    A dry run does everything and takes it back. *on_fault* is told each fault as it is found.

    Raises:
        Fault: the database cannot do it now; what came before stands, and the file may be brought in again.
    """
    earlier = await load_import_report(connection, sha256, importing.region)
    if earlier is not None:
        report = msgspec.msgpack.decode(earlier, type=ImportReport)
        for fault in report.faults:
            on_fault(fault)
        return report
    if is_dry_run:
        transaction = connection.transaction()
        with translated():
            await transaction.start()
        try:
            return await _import_all(connection, importing, sha256, chunks, on_fault)
        finally:
            with translated():
                await transaction.rollback()
    report = await _import_all(connection, importing, sha256, chunks, on_fault)
    await keep_import_report(
        connection,
        sha256,
        importing.region,
        msgspec.msgpack.encode(report),
        operator=importing.operator,
        now=importing.now,
    )
    return report


async def _import_all(
    connection: AnyConnection,
    importing: Importing,
    sha256: bytes,
    chunks: Iterable[bytes],
    on_fault: Callable[[CardFault], None],
) -> ImportReport:
    banks = await load_banks(connection)
    readings = read(chunks, today=importing.today)
    fresh = unchanged = 0
    bad_lines: set[int] = set()
    faulty = 0
    kept: list[CardFault] = []
    while page := await asyncio.to_thread(_next_page, readings):
        done = await bring_in(connection, importing, banks, [one for one in page if isinstance(one, CardLine)])
        found = sorted((*(one for one in page if isinstance(one, CardFault)), *done.faults), key=lambda one: one.line)
        bad_lines = {fault.line for fault in found} - bad_lines  # a line's faults may lie on both sides of a page's end
        faulty += len(bad_lines)
        for fault in found:
            on_fault(fault)
        kept += found[: FAULTS_KEPT_MAX - len(kept)]
        fresh += len(done.fresh)
        unchanged += done.unchanged
    return ImportReport(
        sha256=sha256.hex(),
        lines=fresh + unchanged + faulty,
        fresh=fresh,
        unchanged=unchanged,
        faulty=faulty,
        faults=tuple(kept),
    )


async def bring_in(
    connection: AnyConnection, importing: Importing, banks: Mapping[int, BankId], lines: Sequence[CardLine]
) -> PageDone:
    """Bring some cards in, in one transaction, those that may be.

    Raises:
        Fault: the database cannot do it.
    """
    if not lines:
        return PageDone((), 0, ())
    for _ in range(_RUNS_MAX - 1):
        try:
            return await _bring_in(connection, importing, banks, lines)
        except (PoisonedBatch, RunAgain):
            continue  # somebody else has brought one of them in meanwhile, or is about to: look again
    return await _bring_in(connection, importing, banks, lines)


async def _bring_in(
    connection: AnyConnection, importing: Importing, banks: Mapping[int, BankId], lines: Sequence[CardLine]
) -> PageDone:
    page = _Page(importing, banks, lines)
    with translated():
        async with connection.transaction():
            # In this order: what comes in between is then known, and not a number of somebody else's.
            given = await load_given_numbers(connection, page.numbers)
            known = await load_known(connection, page.persons)
            await asyncio.to_thread(page.judge, known, given)
            await write_cards(connection, page.rows, ended=page.ended, now=importing.now)
    return PageDone(tuple(page.fresh), page.unchanged, tuple(page.faults))


class _Page:
    """Some lines, their indexes, and what becomes of each."""

    def __init__(self, importing: Importing, banks: Mapping[int, BankId], lines: Sequence[CardLine]) -> None:
        self._importing = importing
        self._banks = banks
        self._lines = lines
        keyring = importing.keyring
        self.persons = [index_of(keyring, ID_NUMBER_PLACE, line.record.id_number) for line in lines]
        self.numbers = [index_of(keyring, CARD_NUMBER_PLACE, line.record.card_no) for line in lines]
        self.rows: dict[str, list[Row]] = {table: [] for table in TABLES}
        self.fresh: list[CardId] = []
        self.ended: list[CardId] = []
        self.unchanged = 0
        self.faults: list[CardFault] = []

    def judge(self, known: Mapping[bytes, KnownPerson], given: set[bytes]) -> None:
        """Decide on each line; rows are made of those that are new."""
        persons_here: set[bytes] = set()
        numbers_here: set[bytes] = set()
        for line, person, number in zip(self._lines, self.persons, self.numbers, strict=True):
            record = line.record
            bank = self._banks.get(record.bank)
            if not covers(self._importing.region, record.region):
                self._blame(line, "region", "outside the operator's region", Refusal.REGION_NOT_PERMITTED)
            elif bank is None:
                self._blame(line, "bank", "no bank takes part with this number")
            elif person in persons_here:
                self._blame(line, "id_number", "named twice in this file", Refusal.CARD_ALREADY_EXISTS)
            elif number in numbers_here:
                self._blame(line, "card_no", "named twice in this file", Refusal.CARD_ALREADY_EXISTS)
            elif self._is_new(line, bank, known.get(person), number, is_given=number in given):
                persons_here.add(person)
                numbers_here.add(number)
                self._add(record, bank, known.get(person), person, number)

    def _is_new(
        self, line: CardLine, bank: BankId, known: KnownPerson | None, number: bytes, *, is_given: bool
    ) -> bool:
        """True if the line says of nobody what the register says already, or says otherwise."""
        if known is not None:
            name = self._importing.keyring.unseal(known.name, place=NAME_PLACE).decode()
            if name != line.record.name:
                self._blame(line, "name", "not the name that the register has", Refusal.IDENTITY_MISMATCH)
                return False
            if known.number_index == number and known.bank == bank and known.region == line.record.region:
                self.unchanged += 1
                return False
            if known.card is not None and known.status is not CardStatus.CANCELLED:
                self._blame(line, "id_number", "the person has a card already", Refusal.CARD_ALREADY_EXISTS)
                return False
        if is_given:
            self._blame(line, "card_no", "the number was given before", Refusal.CARD_ALREADY_EXISTS)
            return False
        return True

    def _add(
        self, record: CardRecord, bank: BankId, known: KnownPerson | None, person_index: bytes, number: bytes
    ) -> None:
        asked, ids = self._importing, self._importing.ids
        key: bytes | None
        shard = person_index[0]  # a keyed hash: evenly spread
        card = CardId(ids.new(IdKind.CARD, shard=shard, region=record.region))
        if known is None:
            person = PersonId(ids.new(IdKind.PERSON, shard=shard, region=record.region))
            key = ids.token() + ids.token()
            sealed_key = asked.keyring.seal(key, place=PERSON_KEY_PLACE, nonce=ids.nonce())
            self.rows["person_key"].append((person, sealed_key, FIELD_KEY_ID, asked.now, None))
            self.rows["person"].append(
                (
                    person,
                    record.region,
                    person_index,
                    self._seal(key, ID_NUMBER_PLACE, record.id_number),
                    self._seal(key, NAME_PLACE, record.name),
                    self._seal(key, PHONE_PLACE, record.phone) if record.phone else None,
                    FIELD_KEY_ID,
                    asked.now,
                )
            )
        else:
            person, key = known.person, self._key_of(known)
            if known.card is not None:
                self.ended.append(known.card)
        account = record.bank_account
        sealed = self._seal(key, BANK_ACCOUNT_PLACE, account) if account else None
        account_index = index_of(asked.keyring, BANK_ACCOUNT_PLACE, account) if account else None
        self.rows["payer"].append(payer_row(_new_payer(card, record, bank)))
        self.rows["card"].append(
            (card, person, record.region, bank, sealed, account_index, FIELD_KEY_ID, asked.now, None)
        )
        sealed_number = self._seal(key, CARD_NUMBER_PLACE, record.card_no)
        self.rows["physical_card"].append(
            (card, 1, number, sealed_number, FIELD_KEY_ID, record.issued_on, record.valid_until, None)
        )
        self.rows["card_number"].append((number, card))
        self.fresh.append(card)

    def _key_of(self, known: KnownPerson) -> bytes | None:
        """The person's own key; none of who came in before there were any."""
        if known.sealed_key is None:
            return None
        return self._importing.keyring.unseal(known.sealed_key, place=PERSON_KEY_PLACE)

    def _seal(self, key: bytes | None, place: str, text: str) -> bytes:
        keyring, nonce = self._importing.keyring, self._importing.ids.nonce()
        if key is None:
            return keyring.seal(text.encode(), place=place, nonce=nonce)
        return keyring.seal_for(key, text.encode(), place=place, nonce=nonce)

    def _blame(self, line: CardLine, field: str, reason: str, refusal: Refusal = Refusal.FIELD_INVALID) -> None:
        self.faults.append(CardFault(line.line_number, field, reason, refusal))


def digest_of(chunks: Iterable[bytes]) -> bytes:
    """SHA-256 of a file."""
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return digest.digest()


def _next_page(readings: Iterator[CardLine | CardFault]) -> list[CardLine | CardFault]:
    return list(islice(readings, LINES_AT_ONCE))


def _new_payer(card: CardId, record: CardRecord, bank: BankId) -> Payer:
    """A cardholder who has nothing yet, and pays only after the second issue level."""
    return Payer(
        id=card,
        status=CardStatus.ACTIVE,
        issue_level=IssueLevel.QUERY,
        bank=bank,
        bank_allowance=LIMIT_A_DAY_FEN,
        tender_order=TenderOrder.PERSONAL_ACCOUNT_FIRST,
        insured_region=record.region if record.insurance else 0,
        insurance=record.insurance,
        person_type=record.person_type,
    )
