"""Reads statements in ISO 20022: `camt.053.001.08`, bank to customer statement.

One file is one whole statement of one account at the sender: the one that its clearing with us is booked on. Each
`Ntry` becomes one line, or one line for each of its `TxDtls` if there are several, which then add up to it.
"""

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Final

import msgspec

from engine.core.bank_lines import Direction, StatementLine, UploadKind
from engine.formats.bank_file import MalformedRecord
from engine.formats.messages import MessageHeading, readings
from engine.formats.upload_fields import (
    Misfit,
    read_count,
    read_day,
    read_day_of_instant,
    read_direction,
    read_end_to_end_id,
    read_flag,
    read_instant,
    read_text,
    read_yuan,
    read_yuan_total,
)
from engine.formats.uploads import BYTES_MAX, Reading, Tally
from engine.formats.xml_stream import XmlRecord
from engine.formats.xml_tree import Element, Message, bank, group, leaf, money, record

DETAILS_MAX: Final = 10_000  # of one entry; they are kept until it ends
_OPENING: Final = "OPBD"
_CLOSING: Final = "CLBD"


def read(chunks: Iterable[bytes], *, bytes_max: int = BYTES_MAX) -> Iterator[Reading]:
    """What a statement says, entry by entry, in memory that does not grow with it.

    Shape: `StatementLine`s; the heading comes before them, with the date of the closing balance as business date.
    `bank_ref` is the `AcctSvcrRef` of the detail or the entry, else the `NtryRef`; `payment_id` is the `EndToEndId`.
    Checked: the currency, the number and sums of `TxsSummry`, opening balance and entries against closing balance.
    Source: ISO 20022 camt.053.001.08.
    """
    return readings(chunks, MESSAGE, _Statement(), bytes_max=bytes_max)


def _account(name: str, key: str) -> Element:
    other = group("Othr", leaf("Id", key, read_text), ignored="SchmeNm Issr")
    return group(name, group("Id", other, ignored="IBAN"), ignored="Tp Ccy Nm Prxy")


def _sums(name: str, prefix: str, *, ignored: str = "") -> Element:
    count, total = leaf("NbOfNtries", f"{prefix}count", read_count), leaf("Sum", f"{prefix}total", read_yuan_total)
    return group(name, count, total, ignored=ignored)


def _booked(text: str) -> str:
    if text != "BOOK":
        raise Misfit("not booked")
    return text


def _last_page(text: str) -> bool:
    if not read_flag(text):
        raise Misfit("a statement is one whole file")
    return True


_LAST_PAGE: Final = leaf("LastPgInd", "is_last", _last_page)
_DETAIL: Final = record(
    "TxDtls",
    group(
        "Refs",
        leaf("AcctSvcrRef", "bank_ref", read_text),
        leaf("EndToEndId", "payment_id", read_end_to_end_id),
        ignored="MsgId PmtInfId InstrId UETR TxId MndtId ChqNb ClrSysRef AcctOwnrTxId AcctSvcrTxId MktInfrstrctrTxId"
        " PrcgId Prtry",
    ),
    money("Amt", "amount", read_yuan),
    leaf("CdtDbtInd", "direction", read_direction),
    group(
        "RltdPties",
        _account("DbtrAcct", "debit_account"),
        _account("CdtrAcct", "credit_account"),
        ignored="InitgPty Dbtr UltmtDbtr Cdtr UltmtCdtr TradgPty Prtry",
    ),
    ignored="AmtDtls Avlbty BkTxCd Chrgs Intrst RltdAgts LclInstrm Purp RltdRmtInf RmtInf RltdDts RltdPric RltdQties"
    " FinInstrmId Tax RtrInf CorpActn SfkpgAcct CshDpst CardTx AddtlTxInf SplmtryData",
    is_part=True,
)
_ENTRY: Final = record(
    "Ntry",
    leaf("NtryRef", "entry_ref", read_text),
    money("Amt", "amount", read_yuan, is_required=True),
    leaf("CdtDbtInd", "direction", read_direction, is_required=True),
    leaf("RvslInd", "is_reversal", read_flag),
    group("Sts", leaf("Cd", "status", _booked, is_required=True), ignored="Prtry"),
    group(
        "BookgDt",
        leaf("Dt", "booked_on", read_day, is_required=True),
        leaf("DtTm", "booked_on", read_day_of_instant, is_required=True),
    ),
    leaf("AcctSvcrRef", "bank_ref", read_text),
    group("NtryDtls", _DETAIL, ignored="Btch"),
    ignored="ValDt Avlbty BkTxCd ComssnWvrInd AddtlInfInd AmtDtls Chrgs TechInptChanl Intrst CardTx AddtlNtryInf",
    is_numbered=True,
)
_BALANCE: Final = record(
    "Bal",
    group("Tp", group("CdOrPrtry", leaf("Cd", "kind", read_text), ignored="Prtry"), ignored="SubTp"),
    money("Amt", "amount", read_yuan_total, is_required=True),
    leaf("CdtDbtInd", "direction", read_direction, is_required=True),
    group(
        "Dt", leaf("Dt", "on", read_day, is_required=True), leaf("DtTm", "on", read_day_of_instant, is_required=True)
    ),
    ignored="CdtLine Avlbty",
)
MESSAGE: Final = Message(
    "camt.053.001.08",
    group(
        "Document",
        group(
            "BkToCstmrStmt",
            record(
                "GrpHdr",
                leaf("MsgId", "file_id", read_text, is_required=True),
                leaf("CreDtTm", "created_at", read_instant, is_required=True),
                group("MsgPgntn", _LAST_PAGE, ignored="PgNb"),
                ignored="MsgRcpt OrgnlBizQry AddtlInf",
            ),
            record(
                "Stmt",
                record("StmtPgntn", _LAST_PAGE, ignored="PgNb"),
                record("Acct", bank("Svcr", "sender"), ignored="Id Tp Ccy Nm Prxy Ownr"),
                _BALANCE,
                record(
                    "TxsSummry",
                    _sums("TtlNtries", "", ignored="TtlNetNtry"),
                    _sums("TtlCdtNtries", "credit_"),
                    _sums("TtlDbtNtries", "debit_"),
                    ignored="TtlNtriesPerBkTxCd",
                ),
                _ENTRY,
                ignored="Id ElctrncSeqNb RptgSeq LglSeqNb CreDtTm FrToDt CpyDplctInd RptgSrc RltdAcct Intrst"
                " AddtlStmtInf",
            ),
            ignored="SplmtryData",
        ),
    ),
)


class _Detail(msgspec.Struct, frozen=True, gc=False):
    bank_ref: str = ""
    payment_id: str = ""
    amount: int | None = None
    direction: Direction | None = None
    debit_account: str = ""
    credit_account: str = ""


class _Entry(msgspec.Struct, frozen=True, gc=False):
    amount: int
    direction: Direction
    booked_on: date
    status: str
    bank_ref: str = ""
    entry_ref: str = ""
    is_reversal: bool = False


class _Balance(msgspec.Struct, frozen=True):
    amount: int
    direction: Direction
    on: date
    kind: str = ""

    @property
    def signed(self) -> int:
        return self.amount if self.direction is Direction.CREDIT else -self.amount


class _Summary(msgspec.Struct, frozen=True):
    count: int | None = None
    total: int | None = None
    credit_count: int | None = None
    credit_total: int | None = None
    debit_count: int | None = None
    debit_total: int | None = None


_NO_DETAIL: Final = _Detail()


class _Statement:
    """One statement, as its records come."""

    def __init__(self) -> None:
        self._heading = MessageHeading(MESSAGE.name, UploadKind.STATEMENT)
        self._lines = Tally()
        self._entries = {Direction.DEBIT: Tally(), Direction.CREDIT: Tally()}
        self._details: list[_Detail] = []
        self._details_of = 0  # place of their entry
        self._balances: dict[str, _Balance] = {}
        self._summary = _Summary()
        self._statement_count = 0

    def read(self, found: XmlRecord) -> Iterator[Reading]:
        """Take the next record."""
        match found.name:
            case "Ntry":
                yield from self._entry(found)
            case "TxDtls":
                yield from self._add_detail(found)
            case "AppHdr" | "GrpHdr":
                yield from self._heading.read(found)
            case "Acct":
                sender = found.values.get("sender")
                yield from self._heading.add_sender(found.line_number, sender if isinstance(sender, str) else "")
            case "Bal":
                yield from self._add_balance(found)
            case "TxsSummry":
                self._summary = msgspec.convert(found.values, _Summary)
            case "Stmt":
                self._statement_count += 1
                if self._statement_count > 1:
                    yield MalformedRecord(found.line_number, "Stmt", "more than one statement")
                yield from self._give_heading()

    def end(self, line_number: int) -> Iterator[Reading]:
        """What only shows at the end, and the trailer."""
        yield from self._give_heading()
        yield from self._heading.judge(line_number, count=self._lines.count, total=self._lines.total)
        if not self._statement_count:
            yield MalformedRecord(line_number, "Stmt", "missing")
        for field in self._wrong_sums():
            yield MalformedRecord(line_number, f"Stmt/TxsSummry/{field}", "not what the entries give")
        opening, closing = self._balances.get(_OPENING), self._balances.get(_CLOSING)
        if opening is not None and closing is not None:
            moved = self._lines.credit_total - self._lines.debit_total
            if opening.signed + moved != closing.signed:
                yield MalformedRecord(line_number, "Stmt/Bal", "the entries do not lead from opening to closing")
        yield self._lines.trailer

    def _give_heading(self) -> Iterator[Reading]:
        closing = self._balances.get(_CLOSING)
        return self._heading.give(business_date=closing.on if closing is not None else None)

    def _add_detail(self, found: XmlRecord) -> Iterator[Reading]:
        if self._details_of != found.place:
            self._details, self._details_of = [], found.place
        self._details.append(msgspec.convert(found.values, _Detail))
        if len(self._details) > DETAILS_MAX:
            self._details.clear()
            yield _fault(found, "NtryDtls", f"more than {DETAILS_MAX} details")

    def _entry(self, found: XmlRecord) -> Iterator[Reading]:
        entry = msgspec.convert(found.values, _Entry)
        details = self._details if self._details_of == found.place else []
        self._entries[entry.direction].add(entry.amount, entry.direction)
        if not self._lines.count:
            yield from self._give_heading()
        if len(details) < 2:
            yield from self._line(found, entry, details[0] if details else _NO_DETAIL, entry.amount)
            return
        for detail in details:
            if detail.amount is None:
                yield _fault(found, "NtryDtls/TxDtls/Amt", "missing")
            else:
                yield from self._line(found, entry, detail, detail.amount)
        if sum(detail.amount or 0 for detail in details) != entry.amount:
            yield _fault(found, "Amt", "not the sum of its details")

    def _line(self, found: XmlRecord, entry: _Entry, detail: _Detail, amount: int) -> Iterator[Reading]:
        bank_ref = detail.bank_ref or entry.bank_ref or entry.entry_ref
        if not bank_ref:
            yield _fault(found, "AcctSvcrRef", "missing")
        if detail.direction not in (None, entry.direction):
            yield _fault(found, "NtryDtls/TxDtls/CdtDbtInd", "not that of the entry")
        if detail.amount not in (None, amount):
            yield _fault(found, "NtryDtls/TxDtls/Amt", "not that of the entry")
        is_debit = entry.direction is Direction.DEBIT
        self._lines.add(amount, entry.direction)
        yield StatementLine(
            self._lines.count,
            bank_ref,
            detail.payment_id,
            entry.direction,
            amount,
            entry.booked_on,
            detail.debit_account if is_debit else detail.credit_account,
            entry.is_reversal,
        )

    def _add_balance(self, found: XmlRecord) -> Iterator[Reading]:
        balance = msgspec.convert(found.values, _Balance)
        if balance.kind in (_OPENING, _CLOSING):
            if balance.kind in self._balances:
                yield MalformedRecord(found.line_number, "Stmt/Bal", "given twice")
            self._balances[balance.kind] = balance

    def _wrong_sums(self) -> Iterator[str]:
        debits, credits_, told = self._entries[Direction.DEBIT], self._entries[Direction.CREDIT], self._summary
        for field, said, found in (
            ("TtlNtries/NbOfNtries", told.count, debits.count + credits_.count),
            ("TtlNtries/Sum", told.total, debits.total + credits_.total),
            ("TtlCdtNtries/NbOfNtries", told.credit_count, credits_.count),
            ("TtlCdtNtries/Sum", told.credit_total, credits_.total),
            ("TtlDbtNtries/NbOfNtries", told.debit_count, debits.count),
            ("TtlDbtNtries/Sum", told.debit_total, debits.total),
        ):
            if said not in (None, found):
                yield field


def _fault(found: XmlRecord, field: str, reason: str) -> MalformedRecord:
    return MalformedRecord(found.line_number, f"Stmt/Ntry[{found.place}]/{field}", reason)
