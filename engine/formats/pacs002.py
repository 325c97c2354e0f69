"""Reads acknowledgements in ISO 20022: `pacs.002.001.10`, payment status report."""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from engine.core.bank_lines import WHOLE_FILE, AckLine, Acknowledgement, AckStatus, UploadKind
from engine.formats.bank_file import MalformedRecord
from engine.formats.messages import MessageHeading, readings
from engine.formats.upload_fields import (
    Misfit,
    read_count,
    read_instant,
    read_reason,
    read_status,
    read_text,
    read_yuan_total,
)
from engine.formats.uploads import BYTES_MAX, Reading, Tally
from engine.formats.xml_stream import XmlRecord
from engine.formats.xml_tree import Message, bank, group, leaf, record

_IS_REJECTED: Final = {"RJCT": True, "ACTC": False, "ACCP": False, "ACSP": False, "ACSC": False}


def read(chunks: Iterable[bytes], *, bytes_max: int = BYTES_MAX) -> Iterator[Reading]:
    """What a bank says of one clearing file, line by line, in memory that does not grow with it.

    Shape: an `AckLine` for each `TxInfAndSts` that is rejected, named by its `OrgnlEndToEndId` (the payment) and its
    `OrgnlTxId` or `OrgnlInstrId` (our item); `file_name` is the `OrgnlMsgId`.
    Profile: exactly one `OrgnlGrpInfAndSts` with a `GrpSts`; lines are RJCT with one reason code, or accepted.
    Source: ISO 20022 pacs.002.001.10.
    """
    return readings(chunks, MESSAGE, _Report(), bytes_max=bytes_max)


def _is_rejected(text: str) -> bool:
    try:
        return _IS_REJECTED[text]
    except KeyError as error:
        raise Misfit("neither RJCT nor a status of what is accepted") from error


_REASON: Final = group(
    "StsRsnInf", group("Rsn", leaf("Cd", "reason", read_reason), ignored="Prtry"), ignored="Orgtr AddtlInf"
)
MESSAGE: Final = Message(
    "pacs.002.001.10",
    group(
        "Document",
        group(
            "FIToFIPmtStsRpt",
            record(
                "GrpHdr",
                leaf("MsgId", "file_id", read_text, is_required=True),
                leaf("CreDtTm", "created_at", read_instant, is_required=True),
                bank("InstgAgt", "sender"),
                ignored="InstdAgt",
            ),
            record(
                "OrgnlGrpInfAndSts",
                leaf("OrgnlMsgId", "file_name", read_text, is_required=True),
                leaf("OrgnlNbOfTxs", "count", read_count),
                leaf("OrgnlCtrlSum", "total", read_yuan_total),
                leaf("GrpSts", "status", read_status, is_required=True),
                _REASON,
                ignored="OrgnlMsgNmId OrgnlCreDtTm NbOfTxsPerSts",
            ),
            record(
                "TxInfAndSts",
                leaf("OrgnlInstrId", "instruction_id", read_text),
                leaf("OrgnlEndToEndId", "payment_id", read_text, is_required=True),
                leaf("OrgnlTxId", "transaction_id", read_text),
                leaf("TxSts", "is_rejected", _is_rejected, is_required=True),
                _REASON,
                ignored="StsId OrgnlGrpInf OrgnlUETR ChrgsInf AccptncDtTm FctvIntrBkSttlmDt AcctSvcrRef ClrSysRef"
                " InstgAgt InstdAgt OrgnlTxRef SplmtryData",
                is_numbered=True,
            ),
            ignored="SplmtryData",
        ),
    ),
)


class _File(msgspec.Struct, frozen=True):
    file_name: str
    status: AckStatus
    count: int | None = None
    total: int | None = None
    reason: str = ""


class _Line(msgspec.Struct, frozen=True, gc=False):
    payment_id: str
    is_rejected: bool
    instruction_id: str = ""
    transaction_id: str = ""
    reason: str = ""


class _Report:
    """One message, as its records come."""

    def __init__(self) -> None:
        self._heading = MessageHeading(MESSAGE.name, UploadKind.ACK)
        self._file: _File | None = None
        self._lines = Tally()

    def read(self, found: XmlRecord) -> Iterator[Reading]:
        """Take the next record."""
        match found.name:
            case "OrgnlGrpInfAndSts":
                if self._file is not None:
                    yield MalformedRecord(found.line_number, "OrgnlGrpInfAndSts", "more than one file")
                self._file = msgspec.convert(found.values, _File)
            case "TxInfAndSts":
                yield from self._line(found)
            case _:
                yield from self._heading.read(found)

    def end(self, line_number: int) -> Iterator[Reading]:
        """What only shows at the end, the acknowledgement and the trailer."""
        yield from self._heading.give()
        yield from self._heading.judge(line_number, count=self._lines.count, total=0)
        if self._file is None:
            yield MalformedRecord(line_number, "OrgnlGrpInfAndSts", "missing")
            return
        file = self._file
        if (file.status is AckStatus.ACTC and self._lines.count) or (
            file.status is AckStatus.PART and not self._lines.count
        ):
            yield MalformedRecord(line_number, "OrgnlGrpInfAndSts/GrpSts", "not what the lines say")
        yield Acknowledgement(
            status=file.status,
            count=file.count,
            total=file.total,
            reasons=((WHOLE_FILE, file.reason),) if file.reason else (),
            file_name=file.file_name,
        )
        yield self._lines.trailer

    def _line(self, found: XmlRecord) -> Iterator[Reading]:
        line = msgspec.convert(found.values, _Line)
        if not line.is_rejected:
            return
        if not line.reason:
            yield MalformedRecord(found.line_number, f"TxInfAndSts[{found.place}]/StsRsnInf/Rsn/Cd", "missing")
        if not self._lines.count:
            yield from self._heading.give()
        self._lines.add(0)
        yield AckLine(found.place, 0, line.reason, line.payment_id, line.transaction_id or line.instruction_id)
