"""Reads the messages that the engine writes, so that a bank can check what it has pulled, line by line."""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import chain
from typing import Final

import msgspec

from engine.core.bank_lines import Direction
from engine.core.clearing_lines import BANK_LEG, ClearingItem, FileKind, ItemType
from engine.core.deliveries import LineTotals
from engine.formats.bank_file import Decoded, FileHeading, MalformedRecord
from engine.formats.upload_fields import (
    Misfit,
    read_cnaps,
    read_count,
    read_day,
    read_direction,
    read_instant,
    read_text,
    read_yuan,
    read_yuan_total,
)
from engine.formats.xml_stream import XmlRecord, xml_records
from engine.formats.xml_tree import Element, Message, bank, group, leaf, money, record

BYTES_MAX: Final = 1 << 40  # what is checked here has the size that a manifest says
_BEGINNING_BYTES: Final = 4_096  # our headers take less than a thousand
_FILE_ID: Final = re.compile(r"([0-9]{12})-([0-9]{8})-([0-9]{2})-([A-Z]+)-([0-9]{2})", re.ASCII)
_REMITTANCE: Final = {"ORD": "order_no", "ORG": "original_payment_id", "RMK": "remark", "AT": "occurred_at"}


def decode(chunks: Iterable[bytes]) -> Iterator[Decoded]:
    """What a message says, line by line, in memory that does not grow with it; what is wrong comes where it was found.

    Shape: a `FileHeading`, then `ClearingItem`s (of an advice: one for each entry), then `LineTotals`, with
    `MalformedRecord`s between them. A file without one is whole: its lines are as many as its header says, and add up
    to it. After a heading that cannot be read nothing follows. A settlement request and an entry of an advice have no
    instant of their own, and get the message's; an entry names no merchant.
    """
    remaining = iter(chunks)
    beginning = b""
    for chunk in remaining:
        beginning += chunk
        if len(beginning) >= _BEGINNING_BYTES:
            break
    kind = _kind_of(beginning)
    if kind is None:
        yield MalformedRecord(1, "record", "none of our messages")
        return
    reader = _Reader(kind)
    for found in xml_records(chain((beginning,), remaining), _MESSAGES[kind], bytes_max=BYTES_MAX):
        if isinstance(found, MalformedRecord):
            yield found
        else:
            yield from reader.read(found)


def _kind_of(beginning: bytes) -> FileKind | None:
    for kind, message in _MESSAGES.items():
        if f"<MsgDefIdr>{message.name}</MsgDefIdr>".encode() in beginning:
            return kind
    return None


class _Line(msgspec.Struct, frozen=True):
    """A payment, or an entry of an advice, as it is read."""

    item_id: str
    payment_id: str
    leg: str
    type: ItemType
    amount: int
    debit_account: str
    debit_bank: str
    credit_account: str
    credit_bank: str
    remittance: Mapping[str, object] = {}
    debtor: str = ""  # organisations only
    creditor: str = ""
    occurred_at: datetime | None = None
    direction: Direction | None = None


class _Movement(msgspec.Struct, frozen=True):
    amount: int
    direction: Direction
    bank: str
    account: str


class _Reader:
    """Makes items of the records of one message, and counts them."""

    def __init__(self, kind: FileKind) -> None:
        self._kind = kind
        self._heading: FileHeading | None = None
        self._group: Mapping[str, object] = {}
        self._movements: list[_Movement] = []
        self._count = 0
        self._debit_total = 0
        self._credit_total = 0

    def read(self, found: XmlRecord) -> Iterator[Decoded]:
        match found.name:
            case "GrpHdr":
                self._group = found.values
                if self._kind is not FileKind.ADVICE:
                    yield from self._read_heading(found)
            case "TxsSummry":
                yield from self._read_heading(found)
            case "MvmntRcrd":
                self._movements.append(msgspec.convert(found.values, _Movement))
            case "DrctDbtTxInf" | "CdtTrfTxInf" | "Ntry":
                yield from self._read_line(found)
            case "SttlmReq":
                yield from self._read_request(found)
            case "":
                yield from self._read_end(found)

    def _read_heading(self, found: XmlRecord) -> Iterator[Decoded]:
        values = {**self._group, **found.values}
        file_id = str(values.get("file_id", ""))
        named = _FILE_ID.fullmatch(file_id)
        if named is None or named[4] != self._kind:
            yield MalformedRecord(found.line_number, "GrpHdr/MsgId", "not the id of such a file")
            return
        self._heading = msgspec.convert(
            {
                "file_id": file_id,
                "receiver_bank": named[1],
                "business_date": read_day(named[2]),
                "cycle": int(named[3]),
                "kind": self._kind,
                "created_at": values["created_at"],
                "settles_on": values.get("settles_on"),
                "totals": self._promised(values),
            },
            FileHeading,
        )
        yield self._heading

    def _promised(self, values: Mapping[str, object]) -> LineTotals | None:
        debit, credit = values.get("debit_total", 0), values.get("credit_total", 0)
        if self._kind is FileKind.COLLECT:
            debit = values["total"]
        elif self._kind is FileKind.CREDIT:
            credit = values["total"]
        elif self._kind is FileKind.NET:
            return None  # only both together are said
        return msgspec.convert({"count": values["count"], "debit_total": debit, "credit_total": credit}, LineTotals)

    def _read_line(self, found: XmlRecord) -> Iterator[Decoded]:
        line = msgspec.convert(found.values, _Line)
        occurred_at = line.remittance.get("occurred_at", line.occurred_at)
        if self._kind is FileKind.ADVICE and self._heading is not None:
            occurred_at = self._heading.created_at
        if not isinstance(occurred_at, datetime):
            yield MalformedRecord(found.line_number, f"{found.name}[{found.place}]", "says no instant")
            return
        is_refund = line.type is ItemType.REFUND
        yield from self._counted(
            ClearingItem(
                payment_id=line.payment_id,
                order_no=str(line.remittance.get("order_no", "")),
                merchant_id=line.debtor if is_refund else line.creditor,
                type=line.type,
                leg=line.leg,
                debit_bank=line.debit_bank,
                debit_account=line.debit_account,
                credit_bank=line.credit_bank,
                credit_account=line.credit_account,
                amount=line.amount,
                occurred_at=occurred_at,
                original_payment_id=str(
                    line.remittance.get("original_payment_id", line.payment_id if is_refund else "")
                ),
                remark=str(line.remittance.get("remark", "")),
                item_id=line.item_id,
            ),
            is_debit=self._kind is FileKind.COLLECT or line.direction is Direction.DEBIT,
        )

    def _read_request(self, found: XmlRecord) -> Iterator[Decoded]:
        movements, self._movements = self._movements, []
        directions = [movement.direction for movement in movements]
        if directions != [Direction.DEBIT, Direction.CREDIT] or movements[0].amount != movements[1].amount:
            reason = "not one amount that is moved from one bank to another"
            yield MalformedRecord(found.line_number, f"{found.name}[{found.place}]", reason)
            return
        if self._heading is None:
            return
        debit, credit = movements
        yield from self._counted(
            ClearingItem(
                payment_id="",
                order_no="",
                merchant_id="",
                type=ItemType.NET,
                leg=BANK_LEG,
                debit_bank=debit.bank,
                debit_account=debit.account,
                credit_bank=credit.bank,
                credit_account=credit.account,
                amount=debit.amount,
                occurred_at=self._heading.created_at,
                original_payment_id="",
                remark=str(found.values["cycle"]),
            ),
            is_debit=debit.bank == self._heading.receiver_bank,
        )

    def _counted(self, item: ClearingItem, *, is_debit: bool) -> Iterator[Decoded]:
        self._count += 1
        self._debit_total += item.amount if is_debit else 0
        self._credit_total += 0 if is_debit else item.amount
        yield item

    def _read_end(self, found: XmlRecord) -> Iterator[Decoded]:
        if self._heading is None:
            yield MalformedRecord(found.line_number, "GrpHdr", "missing")
            return
        totals = LineTotals(count=self._count, debit_total=self._debit_total, credit_total=self._credit_total)
        said = (self._group["count"], self._group["total"]) if self._kind is FileKind.NET else None
        if self._heading.totals not in (None, totals) or said not in (
            None,
            (totals.count, totals.debit_total + totals.credit_total),
        ):
            yield MalformedRecord(found.line_number, "GrpHdr", "not the number and the sum of the lines")
        yield totals


def _read_type(text: str) -> ItemType:
    try:
        return ItemType(text)
    except ValueError as error:
        raise Misfit("not a type of line") from error


def _read_remittance(text: str) -> dict[str, object]:
    first, *words = text.split("/")
    fields = dict(zip(words[::2], words[1::2], strict=False))
    if first or len(words) != 2 * len(fields) or not fields.keys() <= _REMITTANCE.keys():
        raise Misfit("not our code words")
    read: dict[str, object] = {_REMITTANCE[word]: value for word, value in fields.items()}
    if "AT" in fields:
        read["occurred_at"] = read_instant(fields["AT"])
    return read


def _account(name: str, key: str) -> Element:
    return group(name, group("Id", group("Othr", leaf("Id", key, read_text, is_required=True))), ignored="Ccy")


def _party(name: str, key: str) -> Element:
    organisation = group("OrgId", group("Othr", leaf("Id", key, read_text)))
    return group(name, group("Id", organisation, ignored="PrvtId"))


_AMOUNT: Final = money("IntrBkSttlmAmt", "amount", read_yuan, is_required=True)
_IDS: Final = group(
    "PmtId",
    leaf("EndToEndId", "payment_id", read_text, is_required=True),
    leaf("TxId", "item_id", read_text, is_required=True),
    ignored="InstrId",
)
_LEG: Final = group("LclInstrm", leaf("Prtry", "leg", read_text, is_required=True))
_TYPE: Final = group("Purp", leaf("Prtry", "type", _read_type, is_required=True))
_REMITTANCE_TEXT: Final = group("RmtInf", leaf("Ustrd", "remittance", _read_remittance))
_INSTANT: Final = leaf("AccptncDtTm", "occurred_at", read_instant)
_PAYMENT: Final = (
    *(_IDS, group("PmtTpInf", _LEG), _AMOUNT, _INSTANT),
    *(_party("Dbtr", "debtor"), _account("DbtrAcct", "debit_account"), bank("DbtrAgt", "debit_bank")),
    *(_party("Cdtr", "creditor"), _account("CdtrAcct", "credit_account"), bank("CdtrAgt", "credit_bank")),
    *(_TYPE, _REMITTANCE_TEXT),
)


def _group_header(*others: Element, ignored: str = "") -> Element:
    return record(
        "GrpHdr",
        leaf("MsgId", "file_id", read_text, is_required=True),
        leaf("CreDtTm", "created_at", read_instant, is_required=True),
        *others,
        ignored=ignored,
    )


_CONTROL_SUM: Final = leaf("CtrlSum", "total", read_yuan_total, is_required=True)
_PAYMENTS_HEADER: Final = _group_header(
    leaf("NbOfTxs", "count", read_count, is_required=True),
    _CONTROL_SUM,
    leaf("IntrBkSttlmDt", "settles_on", read_day, is_required=True),
    ignored="TtlIntrBkSttlmAmt SttlmInf InstdAgt",
)


def _sum(name: str, key: str) -> Element:
    return group(name, leaf("Sum", key, read_yuan_total, is_required=True))


_MOVEMENT: Final = record(
    "MvmntRcrd",
    group(
        "Amt",
        money("Amt", "amount", read_yuan, is_required=True),
        leaf("CdtDbt", "direction", read_direction, is_required=True),
    ),
    group("Ptcpt", group("Id", group("OrgId", group("Othr", leaf("Id", "bank", read_cnaps, is_required=True))))),
    _account("PtcptAcct", "account"),
    ignored="Id SeqNb",
    is_part=True,
)
_DETAILS: Final = group(
    "TxDtls",
    group(
        "Refs",
        leaf("EndToEndId", "payment_id", read_text, is_required=True),
    ),
    group(
        "RltdPties",
        _account("DbtrAcct", "debit_account"),
        _account("CdtrAcct", "credit_account"),
    ),
    group("RltdAgts", bank("DbtrAgt", "debit_bank"), bank("CdtrAgt", "credit_bank")),
    *(_LEG, _REMITTANCE_TEXT),
)
_ENTRY: Final = record(
    "Ntry",
    money("Amt", "amount", read_yuan, is_required=True),
    leaf("CdtDbtInd", "direction", read_direction, is_required=True),
    leaf("AcctSvcrRef", "item_id", read_text, is_required=True),
    group("BkTxCd", group("Prtry", leaf("Cd", "type", _read_type, is_required=True))),
    group("NtryDtls", _DETAILS),
    ignored="Sts BookgDt ValDt",
    is_numbered=True,
)
_SUMMARY: Final = record(
    "TxsSummry",
    group("TtlNtries", leaf("NbOfNtries", "count", read_count, is_required=True), ignored="Sum TtlNetNtry"),
    _sum("TtlCdtNtries", "credit_total"),
    _sum("TtlDbtNtries", "debit_total"),
)
_REQUEST: Final = record(
    "SttlmReq",
    leaf("SttlmCycl", "cycle", read_text, is_required=True),
    _MOVEMENT,
    ignored="InstrId NbOfMvmntRcrds",
    is_numbered=True,
)
_ROOTS: Final = {
    ("pacs.003.001.08", FileKind.COLLECT): group(
        "FIToFICstmrDrctDbt",
        _PAYMENTS_HEADER,
        record("DrctDbtTxInf", *_PAYMENT, ignored="ChrgBr", is_numbered=True),
    ),
    ("pacs.008.001.08", FileKind.CREDIT): group(
        "FIToFICstmrCdtTrf",
        _PAYMENTS_HEADER,
        record("CdtTrfTxInf", *_PAYMENT, ignored="ChrgBr", is_numbered=True),
    ),
    ("pacs.029.001.02", FileKind.NET): group(
        "MulSttlmReq",
        _group_header(leaf("NbOfSttlmReqs", "count", read_count, is_required=True), _CONTROL_SUM, ignored="SttlmInf"),
        _REQUEST,
    ),
    ("camt.054.001.08", FileKind.ADVICE): group(
        "BkToCstmrDbtCdtNtfctn",
        _group_header(),
        group("Ntfctn", _SUMMARY, _ENTRY, ignored="Id CreDtTm Acct"),
    ),
}
_MESSAGES: Final = {kind: Message(name, group("Document", root)) for (name, kind), root in _ROOTS.items()}
