"""Reads benefit orders in ISO 20022: `pain.001.001.09`, customer credit transfer initiation."""

import re
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from engine.core.bank_lines import DisbursementLine, UploadKind
from engine.formats.bank_file import MalformedRecord
from engine.formats.messages import MessageHeading, readings
from engine.formats.upload_fields import (
    Misfit,
    read_benefit_code,
    read_card_id,
    read_count,
    read_instant,
    read_month,
    read_text,
    read_yuan,
    read_yuan_total,
)
from engine.formats.uploads import BYTES_MAX, Reading, Tally
from engine.formats.xml_stream import XmlRecord
from engine.formats.xml_tree import Message, group, leaf, money, record

_FUND: Final = re.compile("(?:fund:[0-9]{6}:)?([0-9]{6})", re.ASCII)


def read(chunks: Iterable[bytes], *, bytes_max: int = BYTES_MAX) -> Iterator[Reading]:
    """What an agency orders to be paid, line by line, in memory that does not grow with it.

    Shape: `DisbursementLine`s. `line_ref` is the `EndToEndId`, `card_id` the `CdtrAcct/Id/Othr/Id`; `RmtInf/Ustrd` is
    benefit and month with a slash between, such as ``PENSION/202611``. The `DbtrAcct/Id/Othr/Id` of a `PmtInf` says
    which fund pays its lines: ``fund:110100:390100``, or only the fund pay type.
    Checked: the currency, the number of lines, and their sum where it is told.
    Source: ISO 20022 pain.001.001.09.
    """
    return readings(chunks, MESSAGE, _Orders(), bytes_max=bytes_max)


def _fund_pay_type(text: str) -> str:
    found = _FUND.fullmatch(text)
    if found is None:
        raise Misfit("neither a fund nor a fund pay type")
    return found[1]


def _benefit(text: str) -> tuple[str, str]:
    code, _, month = text.partition("/")
    return read_benefit_code(code), read_month(month)


MESSAGE: Final = Message(
    "pain.001.001.09",
    group(
        "Document",
        group(
            "CstmrCdtTrfInitn",
            record(
                "GrpHdr",
                leaf("MsgId", "file_id", read_text, is_required=True),
                leaf("CreDtTm", "created_at", read_instant, is_required=True),
                leaf("NbOfTxs", "count", read_count, is_required=True),
                leaf("CtrlSum", "total", read_yuan_total),
                ignored="Authstn InitgPty FwdgAgt",
            ),
            record(
                "PmtInf",
                record(
                    "DbtrAcct",
                    group(
                        "Id",
                        group(
                            "Othr",
                            leaf("Id", "fund_pay_type", _fund_pay_type, is_required=True),
                            ignored="SchmeNm Issr",
                        ),
                        ignored="IBAN",
                    ),
                    ignored="Tp Ccy Nm Prxy",
                ),
                record(
                    "CdtTrfTxInf",
                    group("PmtId", leaf("EndToEndId", "line_ref", read_text, is_required=True), ignored="InstrId UETR"),
                    group("Amt", money("InstdAmt", "amount", read_yuan, is_required=True), ignored="EqvtAmt"),
                    group(
                        "CdtrAcct",
                        group(
                            "Id",
                            group(
                                "Othr",
                                leaf("Id", "card_id", read_card_id, is_required=True),
                                ignored="SchmeNm Issr",
                            ),
                            ignored="IBAN",
                        ),
                        ignored="Tp Ccy Nm Prxy",
                    ),
                    group("RmtInf", leaf("Ustrd", "benefit", _benefit, is_required=True), ignored="Strd"),
                    ignored="PmtTpInf XchgRateInf ChrgBr ChqInstr UltmtDbtr IntrmyAgt1 IntrmyAgt1Acct IntrmyAgt2"
                    " IntrmyAgt2Acct IntrmyAgt3 IntrmyAgt3Acct CdtrAgt CdtrAgtAcct Cdtr UltmtCdtr InstrForCdtrAgt"
                    " InstrForDbtrAgt Purp RgltryRptg Tax RltdRmtInf SplmtryData",
                    is_numbered=True,
                ),
                ignored="PmtInfId PmtMtd BtchBookg NbOfTxs CtrlSum PmtTpInf ReqdExctnDt PoolgAdjstmntDt Dbtr DbtrAgt"
                " DbtrAgtAcct InstrForDbtrAgt UltmtDbtr ChrgBr ChrgsAcct ChrgsAcctAgt",
            ),
            ignored="SplmtryData",
        ),
    ),
)


class _Line(msgspec.Struct, frozen=True, gc=False):
    line_ref: str
    amount: int
    card_id: str
    benefit: tuple[str, str]


class _Fund(msgspec.Struct, frozen=True):
    fund_pay_type: str


class _Orders:
    """One message, as its records come."""

    def __init__(self) -> None:
        self._heading = MessageHeading(MESSAGE.name, UploadKind.DISBURSEMENT)
        self._fund_pay_type = ""
        self._lines = Tally()

    def read(self, found: XmlRecord) -> Iterator[Reading]:
        """Take the next record."""
        match found.name:
            case "CdtTrfTxInf":
                yield from self._line(found)
            case "DbtrAcct":
                if self._fund_pay_type:
                    yield MalformedRecord(found.line_number, "PmtInf/DbtrAcct", "given twice")
                self._fund_pay_type = msgspec.convert(found.values, _Fund).fund_pay_type
            case "PmtInf":
                self._fund_pay_type = ""
            case _:
                yield from self._heading.read(found)

    def end(self, line_number: int) -> Iterator[Reading]:
        """What only shows at the end, and the trailer."""
        yield from self._heading.give()
        yield from self._heading.judge(line_number, count=self._lines.count, total=self._lines.total)
        yield self._lines.trailer

    def _line(self, found: XmlRecord) -> Iterator[Reading]:
        if not self._lines.count:
            yield from self._heading.give()
        line = msgspec.convert(found.values, _Line)
        if not self._fund_pay_type:
            yield MalformedRecord(
                found.line_number, f"PmtInf/CdtTrfTxInf[{found.place}]", "comes before the DbtrAcct that pays it"
            )
        self._lines.add(line.amount)
        benefit_code, period = line.benefit
        yield DisbursementLine(
            found.place, line.line_ref, line.card_id, benefit_code, period, self._fund_pay_type, line.amount
        )
