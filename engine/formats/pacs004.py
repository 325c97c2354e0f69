"""Reads returns in ISO 20022: `pacs.004.001.09`, payment return."""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from engine.core.bank_lines import Direction, ReturnLine, UploadKind
from engine.formats.bank_file import MalformedRecord
from engine.formats.messages import MessageHeading, readings
from engine.formats.upload_fields import (
    Misfit,
    read_count,
    read_flag,
    read_instant,
    read_reason,
    read_text,
    read_yuan,
    read_yuan_total,
)
from engine.formats.uploads import BYTES_MAX, Reading, Tally
from engine.formats.xml_stream import XmlRecord
from engine.formats.xml_tree import Message, bank, group, leaf, money, record

_DIRECTIONS: Final = {"pacs.003": Direction.DEBIT, "pacs.008": Direction.CREDIT}


def read(chunks: Iterable[bytes], *, bytes_max: int = BYTES_MAX) -> Iterator[Reading]:
    """What a bank gives back, item by item, in memory that does not grow with it.

    Shape: `ReturnLine`s. `payment_id` is the `OrgnlEndToEndId`, `item_id` the `OrgnlTxId` or the `OrgnlInstrId`,
    `file_name` the `OrgnlMsgId`, `direction` follows from the `OrgnlMsgNmId`: a pacs.003 takes, a pacs.008 gives.
    Both are the item's own, or those of the whole message.
    Profile: `OrgnlEndToEndId`, `RtrdIntrBkSttlmAmt` in CNY and one reason code are required; no `GrpRtr`.
    Checked: the currency, the number of items, and their sum where it is told.
    Source: ISO 20022 pacs.004.001.09.
    """
    return readings(chunks, MESSAGE, _Returns(), bytes_max=bytes_max)


def _direction(text: str) -> Direction:
    try:
        return _DIRECTIONS[text[:8]]
    except KeyError as error:
        raise Misfit("not a message of which items are returned") from error


def _no_group_return(text: str) -> bool:
    if read_flag(text):
        raise Misfit("each returned item is named")
    return False


_ORIGINAL: Final = (
    leaf("OrgnlMsgId", "file_name", read_text, is_required=True),
    leaf("OrgnlMsgNmId", "direction", _direction, is_required=True),
)
MESSAGE: Final = Message(
    "pacs.004.001.09",
    group(
        "Document",
        group(
            "PmtRtr",
            record(
                "GrpHdr",
                leaf("MsgId", "file_id", read_text, is_required=True),
                leaf("CreDtTm", "created_at", read_instant, is_required=True),
                leaf("NbOfTxs", "count", read_count, is_required=True),
                leaf("CtrlSum", "total", read_yuan_total),
                leaf("GrpRtr", "is_group_return", _no_group_return),
                money("TtlRtrdIntrBkSttlmAmt", "returned_total", read_yuan_total),
                bank("InstgAgt", "sender"),
                ignored="Authstn BtchBookg IntrBkSttlmDt SttlmInf InstdAgt",
            ),
            record("OrgnlGrpInf", *_ORIGINAL, ignored="OrgnlCreDtTm RtrRsnInf"),
            record(
                "TxInf",
                leaf("RtrId", "return_ref", read_text),
                group(
                    "OrgnlGrpInf",
                    leaf("OrgnlMsgId", "file_name", read_text),
                    leaf("OrgnlMsgNmId", "direction", _direction),
                    ignored="OrgnlCreDtTm",
                ),
                leaf("OrgnlInstrId", "instruction_id", read_text),
                leaf("OrgnlEndToEndId", "payment_id", read_text, is_required=True),
                leaf("OrgnlTxId", "transaction_id", read_text),
                money("RtrdIntrBkSttlmAmt", "amount", read_yuan, is_required=True),
                group(
                    "RtrRsnInf",
                    group("Rsn", leaf("Cd", "reason", read_reason, is_required=True), ignored="Prtry"),
                    ignored="Orgtr AddtlInf",
                ),
                ignored="OrgnlUETR OrgnlClrSysRef OrgnlIntrBkSttlmAmt OrgnlIntrBkSttlmDt IntrBkSttlmDt SttlmPrty"
                " SttlmTmIndctn RtrdInstdAmt XchgRate CompstnAmt ChrgBr ChrgsInf ClrSysRef InstgAgt InstdAgt RtrChain"
                " OrgnlTxRef SplmtryData",
                is_numbered=True,
            ),
            ignored="SplmtryData",
        ),
    ),
)


class _Original(msgspec.Struct, frozen=True):
    file_name: str = ""
    direction: Direction | None = None


class _Item(msgspec.Struct, frozen=True, gc=False):
    payment_id: str
    amount: int
    reason: str
    return_ref: str = ""
    file_name: str = ""
    direction: Direction | None = None
    instruction_id: str = ""
    transaction_id: str = ""


class _Returns:
    """One message, as its records come."""

    def __init__(self) -> None:
        self._heading = MessageHeading(MESSAGE.name, UploadKind.RETURN)
        self._original = _Original()
        self._lines = Tally()

    def read(self, found: XmlRecord) -> Iterator[Reading]:
        """Take the next record."""
        if found.name == "TxInf":
            yield from self._item(found)
        elif found.name == "OrgnlGrpInf":
            if self._original.file_name:
                yield MalformedRecord(found.line_number, "OrgnlGrpInf", "given twice")
            self._original = msgspec.convert(found.values, _Original)
        else:
            yield from self._heading.read(found)

    def end(self, line_number: int) -> Iterator[Reading]:
        """What only shows at the end, and the trailer."""
        yield from self._heading.give()
        yield from self._heading.judge(line_number, count=self._lines.count, total=self._lines.total)
        yield self._lines.trailer

    def _item(self, found: XmlRecord) -> Iterator[Reading]:
        if not self._lines.count:
            yield from self._heading.give()
        item = msgspec.convert(found.values, _Item)
        direction = item.direction or self._original.direction
        self._lines.add(item.amount, direction)
        yield ReturnLine(
            found.place,
            item.payment_id,
            "",
            direction,
            item.amount,
            item.reason,
            item.file_name or self._original.file_name,
            0,
            item.return_ref,
            item.transaction_id or item.instruction_id,
        )
