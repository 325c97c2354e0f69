"""Uploads in ISO 20022: what is read of each message, and how what is wrong is told."""

from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest
from msgspec.structs import replace

from engine.core.bank_lines import (
    WHOLE_FILE,
    AckLine,
    Acknowledgement,
    AckStatus,
    Direction,
    DisbursementLine,
    ReturnLine,
    StatementLine,
    UploadHeading,
    UploadKind,
    UploadTrailer,
)
from engine.formats.bank_file import MalformedRecord
from engine.formats.camt053 import DETAILS_MAX
from tests.formats.uploads import (
    BANK,
    CARD,
    OTHER_BANK,
    PAYMENT,
    SETTLED_ON,
    a_balance,
    a_camt053,
    a_line,
    a_pacs002,
    a_pacs004,
    a_pain001,
    a_payment_group,
    a_returned_item,
    an_entry,
    an_order,
    faults_of,
    has_trailer,
    lines_of,
    read,
    wrapped,
)

AT = datetime(2026, 11, 25, 1, 0, tzinfo=UTC)
COLLECT = f"{BANK}-20261124-02-COLLECT-01"
DEBIT = a_line(1)
CREDIT = a_line(2, bank_ref="REF-2", payment_id="", direction=Direction.CREDIT, amount=7)
STATEMENT = a_camt053(DEBIT, CREDIT)
RETURNS = a_pacs004(a_returned_item(), a_returned_item(place=2, amount=5, reason="MD07"), total=23_740)
ORDERS = a_pain001(a_payment_group(an_order(), an_order(place=2, amount=5)), count=2, total=123_405)


def _detail(payment_id: str, amount: int | None, *, extra: str = "") -> str:
    told = f'<Amt Ccy="CNY">{amount // 100}.{amount % 100:02d}</Amt>' if amount is not None else ""
    return f"<TxDtls><Refs><EndToEndId>{payment_id}</EndToEndId></Refs>{told}{extra}</TxDtls>"


def test_a_statement_is_read() -> None:
    heading, *lines, trailer = read(STATEMENT)
    assert heading == UploadHeading(
        file_id="UP-1",
        kind=UploadKind.STATEMENT,
        form="camt.053.001.08",
        sender=BANK,
        business_date=SETTLED_ON,
        created_at=AT,
    )
    assert lines == [DEBIT, CREDIT]
    assert trailer == UploadTrailer(count=2, debit_total=23_735, credit_total=7)


def test_a_statement_without_entries_is_whole() -> None:
    heading, trailer = read(a_camt053())
    assert isinstance(heading, UploadHeading)
    assert trailer == UploadTrailer(count=0)


def test_an_entry_that_is_undone_is_marked_so() -> None:
    (line,) = lines_of(read(a_camt053(replace(CREDIT, is_reversal=True))))
    assert line == replace(CREDIT, line_number=1, is_reversal=True)


@pytest.mark.parametrize(
    ("written", "booked_on"),
    [
        ("<Dt>2026-11-24</Dt>", date(2026, 11, 24)),
        ("<DtTm>2026-11-24T16:00:00Z</DtTm>", date(2026, 11, 25)),
        ("<DtTm>2026-11-24T23:59:59</DtTm>", date(2026, 11, 24)),
        ("<DtTm>2026-11-24T23:59:59.123+08:00</DtTm>", date(2026, 11, 24)),
    ],
)
def test_a_booking_is_of_its_date_in_shanghai(written: str, booked_on: date) -> None:
    content = a_camt053(DEBIT).replace(b"<BookgDt><Dt>2026-11-24</Dt>", f"<BookgDt>{written}".encode())
    assert [line.booked_on for line in lines_of(read(content)) if isinstance(line, StatementLine)] == [booked_on]


@pytest.mark.parametrize(
    ("detail_ref", "entry_ref", "bank_ref"), [("DETAIL", "ENTRY", "DETAIL"), ("", "ENTRY", "ENTRY"), ("", "", "N")]
)
def test_the_nearest_reference_is_the_banks(detail_ref: str, entry_ref: str, bank_ref: str) -> None:
    def told(reference: str) -> bytes:
        return f"<AcctSvcrRef>{reference}</AcctSvcrRef>".encode() if reference else b""

    content = a_camt053(DEBIT).replace(told("REF-1"), told(entry_ref)).replace(b"<Refs>", b"<Refs>" + told(detail_ref))
    assert [line.bank_ref for line in lines_of(read(content)) if isinstance(line, StatementLine)] == [bank_ref]


def test_the_account_is_that_of_the_side_that_the_bank_keeps() -> None:
    parties = (
        "<RltdPties><DbtrAcct><Id><Othr><Id>FROM</Id></Othr></Id></DbtrAcct>"
        "<CdtrAcct><Id><Othr><Id>TO</Id></Othr></Id></CdtrAcct></RltdPties>"
    )
    entries = [an_entry(line, details=_detail(PAYMENT, None, extra=parties)) for line in (DEBIT, CREDIT)]
    lines = lines_of(read(a_camt053(DEBIT, CREDIT, entries=entries)))
    assert [line.account for line in lines if isinstance(line, StatementLine)] == ["FROM", "TO"]


def test_an_entry_of_several_payments_is_a_line_each() -> None:
    details = _detail("pay_1", 23_000) + _detail("pay_2", 735)
    entries = [an_entry(DEBIT, details=details), an_entry(CREDIT)]
    lines = lines_of(read(a_camt053(DEBIT, CREDIT, entries=entries)))
    assert lines == [
        a_line(1, payment_id="pay_1", amount=23_000),
        a_line(2, payment_id="pay_2", amount=735),
        replace(CREDIT, line_number=3),
    ]


@pytest.mark.parametrize(
    ("details", "field"),
    [
        (_detail("pay_1", 23_000) + _detail("pay_2", 736), "Amt"),
        (_detail("pay_1", 23_735) + _detail("pay_2", None), "NtryDtls/TxDtls/Amt"),
        (_detail("pay_1", 23_736), "NtryDtls/TxDtls/Amt"),
        (_detail("pay_1", 0), "NtryDtls/TxDtls/Amt"),
        (_detail("pay_1", None, extra="<CdtDbtInd>CRDT</CdtDbtInd>"), "NtryDtls/TxDtls/CdtDbtInd"),
    ],
)
def test_details_that_are_not_those_of_their_entry_are_a_fault(details: str, field: str) -> None:
    content = a_camt053(DEBIT, entries=[an_entry(DEBIT, details=details)])
    assert (7, f"Stmt/Ntry[1]/{field}") in faults_of(content)
    assert not has_trailer(read(content))


def test_details_of_an_entry_that_cannot_be_read_are_not_the_next_ones() -> None:
    broken = an_entry(DEBIT, details=_detail("pay_1", 23_735)).replace("<Cd>BOOK</Cd>", "<Cd>PDNG</Cd>")
    content = a_camt053(DEBIT, CREDIT, entries=[broken, an_entry(CREDIT, details="")])
    assert [line.payment_id for line in lines_of(read(content)) if isinstance(line, StatementLine)] == [""]


def test_an_entry_has_no_more_details_than_can_be_kept() -> None:
    line = a_line(1, amount=DETAILS_MAX + 1)
    details = _detail("pay_1", 1) * (DETAILS_MAX + 1)
    found = read(a_camt053(line, entries=[an_entry(line, details=details)]))
    assert next(fault.field for fault in found if isinstance(fault, MalformedRecord)) == "Stmt/Ntry[1]/NtryDtls"


def _swap(old: str, new: str) -> Callable[[str], str]:
    return lambda content: content.replace(old, new, 1)


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        (_swap("<MsgId>UP-1</MsgId>", ""), (2, "GrpHdr/MsgId")),
        (_swap("<MsgId>UP-1</MsgId>", f"<MsgId>{'x' * 36}</MsgId>"), (2, "GrpHdr/MsgId")),
        (_swap("T01:00:00Z", "T24:00:01Z"), (2, "GrpHdr/CreDtTm")),
        (_swap("<LastPgInd>true", "<LastPgInd>false"), (3, "Stmt/StmtPgntn/LastPgInd")),
        (_swap(BANK, "1"), (3, "Stmt/Acct/Svcr/FinInstnId/ClrSysMmbId/MmbId")),
        (_swap("<NbOfNtries>2<", "<NbOfNtries>3<"), (10, "Stmt/TxsSummry/TtlNtries/NbOfNtries")),
        (_swap("<Sum>237.42<", "<Sum>237.43<"), (10, "Stmt/TxsSummry/TtlNtries/Sum")),
        (_swap("<Sum>0.07<", "<Sum>0.08<"), (10, "Stmt/TxsSummry/TtlCdtNtries/Sum")),
        (_swap("<Sum>237.35<", "<Sum>237.36<"), (10, "Stmt/TxsSummry/TtlDbtNtries/Sum")),
        (_swap("762.72", "762.73"), (10, "Stmt/Bal")),
        (_swap(a_balance("OPBD", 100_000), a_balance("OPBD", 100_000) * 2), (5, "Stmt/Bal")),
        (_swap('<Amt Ccy="CNY">237.35', '<Amt Ccy="USD">237.35'), (7, "Stmt/Ntry[1]/Amt/@Ccy")),
        (_swap('<Amt Ccy="CNY">237.35', "<Amt>237.35"), (7, "Stmt/Ntry[1]/Amt/@Ccy")),
        *[
            (_swap('<Amt Ccy="CNY">237.35', f'<Amt Ccy="CNY">{amount}'), (7, "Stmt/Ntry[1]/Amt"))
            for amount in ("0", "0.00", "-1", "1.001", "1.", ".5", "1e2", "1,00", "", " 1", "１", f"{10**16}.00")
        ],
        (_swap("<CdtDbtInd>DBIT</CdtDbtInd><Sts>", "<CdtDbtInd>BOTH</CdtDbtInd><Sts>"), (7, "Stmt/Ntry[1]/CdtDbtInd")),
        (_swap("<CdtDbtInd>DBIT</CdtDbtInd><Sts>", "<Sts>"), (7, "Stmt/Ntry[1]/CdtDbtInd")),
        (_swap("<Cd>BOOK</Cd>", "<Cd>PDNG</Cd>"), (7, "Stmt/Ntry[1]/Sts/Cd")),
        (_swap("<BookgDt><Dt>2026-11-24", "<BookgDt><Dt>2026-11-31"), (7, "Stmt/Ntry[1]/BookgDt/Dt")),
        (
            _swap("<BookgDt><Dt>2026-11-24</Dt>", "<BookgDt><DtTm>0001-01-01T00:00:00+14:00</DtTm>"),
            (7, "Stmt/Ntry[1]/BookgDt/DtTm"),
        ),
        (_swap("<BookgDt><Dt>2026-11-24</Dt></BookgDt>", ""), (7, "Stmt/Ntry[1]/BookgDt/Dt")),
        (_swap("<AcctSvcrRef>REF-1</AcctSvcrRef>", "<AcctSvcrRef/>"), (7, "Stmt/Ntry[1]/AcctSvcrRef")),
        (
            lambda text: text.replace("<NtryRef>N</NtryRef>", "").replace("<AcctSvcrRef>REF-1</AcctSvcrRef>", ""),
            (7, "Stmt/Ntry[1]/AcctSvcrRef"),
        ),
        (lambda text: text.replace("EndToEndId", "EndToEndID"), (7, "Stmt/Ntry[1]/NtryDtls/TxDtls/Refs")),
        (_swap(f"<EndToEndId>{PAYMENT}", "<EndToEndId>"), (7, "Stmt/Ntry[1]/NtryDtls/TxDtls/Refs/EndToEndId")),
    ],
)
def test_what_is_wrong_with_a_statement_is_told_with_its_line_and_path(
    damage: Callable[[str], str], fault: tuple[int, str]
) -> None:
    damaged = damage(STATEMENT.decode()).encode()
    assert damaged != STATEMENT
    assert faults_of(damaged)[0] == fault
    assert not has_trailer(read(damaged))


def test_every_fault_of_a_statement_is_told() -> None:
    content = STATEMENT.replace(b'"CNY">237.35', b'"USD">237.35').replace(b"<Cd>BOOK</Cd>", b"<Cd>PDNG</Cd>")
    assert faults_of(content) == [
        (7, "Stmt/Ntry[1]/Amt/@Ccy"),
        (7, "Stmt/Ntry[1]/Sts/Cd"),
        (8, "Stmt/Ntry[2]/Sts/Cd"),
    ]


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (STATEMENT.replace(b"</Stmt>", b"</Stmt><Stmt><Id>S-2</Id></Stmt>"), "Stmt"),
        (STATEMENT[: STATEMENT.index(b"\n<Stmt>")] + b"</BkToCstmrStmt></Document>", "Stmt"),
        (STATEMENT.replace(b"<GrpHdr>", b"<!--<GrpHdr>").replace(b"</GrpHdr>", b"</GrpHdr>-->"), "GrpHdr"),
        (
            STATEMENT.replace(
                b"\n<Stmt>", b"<GrpHdr><MsgId>2</MsgId><CreDtTm>2026-11-25T01:00:00Z</CreDtTm></GrpHdr><Stmt>"
            ),
            "GrpHdr",
        ),
    ],
)
def test_a_file_is_one_statement_of_one_heading(content: bytes, field: str) -> None:
    assert [name for _, name in faults_of(content)] == [field]


def test_returns_are_read() -> None:
    heading, *lines, trailer = read(RETURNS)
    assert heading == UploadHeading(
        file_id="UP-1",
        kind=UploadKind.RETURN,
        form="pacs.004.001.09",
        sender=BANK,
        created_at=AT,
        declared_count=2,
        declared_total=23_740,
    )
    assert lines == [
        ReturnLine(1, PAYMENT, "", Direction.DEBIT, 23_735, "AC04", COLLECT, 0, "B-1", "T-1"),
        ReturnLine(2, PAYMENT, "", Direction.DEBIT, 5, "MD07", COLLECT, 0, "B-2", "T-2"),
    ]
    assert trailer == UploadTrailer(count=2, debit_total=23_740)


@pytest.mark.parametrize(
    ("original", "direction"), [("pacs.003.001.08", Direction.DEBIT), ("pacs.008.001.08", Direction.CREDIT)]
)
def test_the_message_of_an_item_says_its_direction(original: str, direction: Direction) -> None:
    (line,) = lines_of(read(a_pacs004(a_returned_item(), original=original)))
    assert isinstance(line, ReturnLine)
    assert line.direction is direction


def test_an_item_may_name_its_own_file() -> None:
    own = "<OrgnlGrpInf><OrgnlMsgId>F-2</OrgnlMsgId><OrgnlMsgNmId>pacs.008</OrgnlMsgNmId></OrgnlGrpInf><OrgnlInstrId>"
    (line,) = lines_of(read(a_pacs004(a_returned_item().replace("<OrgnlInstrId>", own))))
    assert isinstance(line, ReturnLine)
    assert (line.file_name, line.direction) == ("F-2", Direction.CREDIT)


def test_an_item_may_be_named_by_its_instruction_and_of_no_file() -> None:
    content = a_pacs004(a_returned_item().replace("<OrgnlTxId>T-1</OrgnlTxId>", "")).decode()
    start, end = content.index("\n<OrgnlGrpInf>"), content.index("</OrgnlGrpInf>") + len("</OrgnlGrpInf>")
    (line,) = lines_of(read((content[:start] + content[end:]).encode()))
    assert line == ReturnLine(1, PAYMENT, "", None, 23_735, "AC04", "", 0, "B-1", "I-1")


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        (_swap("<NbOfTxs>2", "<NbOfTxs>3"), (7, "GrpHdr/NbOfTxs")),
        (_swap("<NbOfTxs>2</NbOfTxs>", ""), (2, "GrpHdr/NbOfTxs")),
        (_swap("<CtrlSum>237.40", "<CtrlSum>237.41"), (7, "GrpHdr/CtrlSum")),
        (_swap('Ccy="CNY">237.40', 'Ccy="CNY">237.41'), (7, "GrpHdr/TtlRtrdIntrBkSttlmAmt")),
        (_swap("<SttlmInf>", "<GrpRtr>true</GrpRtr><SttlmInf>"), (2, "GrpHdr/GrpRtr")),
        (
            _swap(
                "</OrgnlGrpInf>",
                "</OrgnlGrpInf><OrgnlGrpInf><OrgnlMsgId>2</OrgnlMsgId><OrgnlMsgNmId>pacs.008</OrgnlMsgNmId></OrgnlGrpInf>",
            ),
            (3, "OrgnlGrpInf"),
        ),
        (_swap(">pacs.003.001.08<", ">pacs.009.001.08<"), (3, "OrgnlGrpInf/OrgnlMsgNmId")),
        (_swap(f"<OrgnlEndToEndId>{PAYMENT}</OrgnlEndToEndId>", ""), (4, "TxInf[1]/OrgnlEndToEndId")),
        (_swap("<Cd>AC04</Cd>", ""), (4, "TxInf[1]/RtrRsnInf/Rsn/Cd")),
        (_swap("<Cd>AC04</Cd>", "<Prtry>closed</Prtry>"), (4, "TxInf[1]/RtrRsnInf/Rsn/Cd")),
        (_swap("<Cd>AC04</Cd>", "<Cd>closed</Cd>"), (4, "TxInf[1]/RtrRsnInf/Rsn/Cd")),
        (_swap('Ccy="CNY">237.35', 'Ccy="HKD">237.35'), (4, "TxInf[1]/RtrdIntrBkSttlmAmt/@Ccy")),
        (_swap('Ccy="CNY">0.05', 'Ccy="CNY">0.06'), (7, "GrpHdr/CtrlSum")),
    ],
)
def test_what_is_wrong_with_returns_is_told_with_its_line_and_path(
    damage: Callable[[str], str], fault: tuple[int, str]
) -> None:
    damaged = damage(RETURNS.decode()).encode()
    assert damaged != RETURNS
    assert faults_of(damaged)[0] == fault
    assert not has_trailer(read(damaged))


def test_an_acknowledgement_in_part_is_read() -> None:
    heading, line, told, trailer = read(a_pacs002())
    assert heading == UploadHeading(
        file_id="UP-1", kind=UploadKind.ACK, form="pacs.002.001.10", sender=BANK, created_at=AT
    )
    assert line == AckLine(1, 0, "AC01", PAYMENT, "T-7")
    assert told == Acknowledgement(status=AckStatus.PART, count=9, total=23_735, file_name=COLLECT)
    assert trailer == UploadTrailer(count=1)


def test_lines_that_are_accepted_are_not_told() -> None:
    accepted = f"<TxInfAndSts><OrgnlEndToEndId>{PAYMENT}</OrgnlEndToEndId><TxSts>ACSC</TxSts></TxInfAndSts>"
    _, told, trailer = read(a_pacs002("ACTC", lines=accepted))
    assert told == Acknowledgement(status=AckStatus.ACTC, count=9, total=23_735, file_name=COLLECT)
    assert trailer == UploadTrailer(count=0)


def test_a_whole_file_is_rejected_for_a_reason() -> None:
    _, told, _ = read(a_pacs002("RJCT", lines="", reason="AM10"))
    assert isinstance(told, Acknowledgement)
    assert (told.status, told.reasons) == (AckStatus.RJCT, ((WHOLE_FILE, "AM10"),))


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (a_pacs002("ACTC"), (6, "OrgnlGrpInfAndSts/GrpSts")),
        (a_pacs002("PART", lines=""), (5, "OrgnlGrpInfAndSts/GrpSts")),
        (a_pacs002("PDNG"), (3, "OrgnlGrpInfAndSts/GrpSts")),
        (a_pacs002().replace(b"<TxSts>RJCT", b"<TxSts>PDNG"), (4, "TxInfAndSts[1]/TxSts")),
        (
            a_pacs002().replace(b"<StsRsnInf><Rsn><Cd>AC01</Cd></Rsn></StsRsnInf>", b""),
            (4, "TxInfAndSts[1]/StsRsnInf/Rsn/Cd"),
        ),
        (
            a_pacs002().replace(
                b"\n<TxInfAndSts>",
                b"<OrgnlGrpInfAndSts><OrgnlMsgId>2</OrgnlMsgId><GrpSts>ACTC</GrpSts></OrgnlGrpInfAndSts>\n<TxInfAndSts>",
            ),
            (3, "OrgnlGrpInfAndSts"),
        ),
    ],
)
def test_what_is_wrong_with_an_acknowledgement_is_told(content: bytes, fault: tuple[int, str]) -> None:
    assert faults_of(content)[0] == fault
    assert not has_trailer(read(content))


def test_benefit_orders_are_read() -> None:
    heading, *lines, trailer = read(ORDERS)
    assert heading == UploadHeading(
        file_id="UP-1",
        kind=UploadKind.DISBURSEMENT,
        form="pain.001.001.09",
        created_at=AT,
        declared_count=2,
        declared_total=123_405,
    )
    assert lines == [
        DisbursementLine(1, "L-1", CARD, "PENSION", "202611", "390100", 123_400),
        DisbursementLine(2, "L-2", CARD, "PENSION", "202611", "390100", 5),
    ]
    assert trailer == UploadTrailer(count=2, credit_total=123_405)


def test_each_group_of_orders_is_paid_by_its_own_fund() -> None:
    groups = (a_payment_group(an_order()), a_payment_group(an_order(place=2), fund="390200"))
    lines = lines_of(read(a_pain001(*groups, count=2, total=246_800)))
    assert [line.fund_pay_type for line in lines if isinstance(line, DisbursementLine)] == ["390100", "390200"]


def test_a_group_without_a_fund_is_not_paid_by_the_one_before() -> None:
    fund = "<DbtrAcct><Id><Othr><Id>fund:110100:390100</Id></Othr></Id></DbtrAcct>"
    without = a_payment_group(an_order(place=2)).replace(fund, "")
    assert faults_of(a_pain001(a_payment_group(an_order()), without, count=2, total=246_800)) == [
        (6, "PmtInf/CdtTrfTxInf[2]")
    ]


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        (_swap("<NbOfTxs>2", "<NbOfTxs>1"), (7, "GrpHdr/NbOfTxs")),
        (_swap("<CtrlSum>1234.05", "<CtrlSum>1234.06"), (7, "GrpHdr/CtrlSum")),
        (
            _swap("<DbtrAgt>", "<DbtrAcct><Id><Othr><Id>390200</Id></Othr></Id></DbtrAcct><DbtrAgt>"),
            (3, "PmtInf/DbtrAcct"),
        ),
        (_swap("fund:110100:390100", "fund:110100"), (3, "PmtInf/DbtrAcct/Id/Othr/Id")),
        (_swap(CARD, PAYMENT), (4, "PmtInf/CdtTrfTxInf[1]/CdtrAcct/Id/Othr/Id")),
        (_swap(CARD, CARD[:-1]), (4, "PmtInf/CdtTrfTxInf[1]/CdtrAcct/Id/Othr/Id")),
        (_swap("PENSION/202611", "PENSION"), (4, "PmtInf/CdtTrfTxInf[1]/RmtInf/Ustrd")),
        (_swap("PENSION/202611", "PENSION/202613"), (4, "PmtInf/CdtTrfTxInf[1]/RmtInf/Ustrd")),
        (_swap("PENSION/202611", "pension/202611"), (4, "PmtInf/CdtTrfTxInf[1]/RmtInf/Ustrd")),
        (_swap("<EndToEndId>L-1</EndToEndId>", ""), (4, "PmtInf/CdtTrfTxInf[1]/PmtId/EndToEndId")),
        (_swap('<InstdAmt Ccy="CNY">', '<InstdAmt Ccy="EUR">'), (4, "PmtInf/CdtTrfTxInf[1]/Amt/InstdAmt/@Ccy")),
    ],
)
def test_what_is_wrong_with_orders_is_told_with_its_line_and_path(
    damage: Callable[[str], str], fault: tuple[int, str]
) -> None:
    damaged = damage(ORDERS.decode()).encode()
    assert damaged != ORDERS
    assert faults_of(damaged)[0] == fault
    assert not has_trailer(read(damaged))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("camt.053.001.08", STATEMENT),
        ("pacs.004.001.09", RETURNS),
        ("pacs.002.001.10", a_pacs002()),
    ],
)
def test_a_message_after_its_header_says_the_same(name: str, content: bytes) -> None:
    assert read(wrapped(content, name=name)) == read(content)


def test_the_header_names_the_sender_if_the_message_does_not() -> None:
    heading = read(wrapped(ORDERS, name="pain.001.001.09"))[0]
    assert isinstance(heading, UploadHeading)
    assert heading.sender == BANK


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (wrapped(STATEMENT, name="camt.054.001.08"), (2, "AppHdr/MsgDefIdr")),
        (wrapped(STATEMENT, name="camt.053.001.08", sender=OTHER_BANK), (4, "sender")),
        (wrapped(RETURNS, name="pacs.004.001.09", sender=OTHER_BANK), (3, "sender")),
        (wrapped(STATEMENT, name="camt.053.001.08").replace(b"head.001.001.02", b"head.001.001.01"), (2, "BizMsg")),
    ],
)
def test_a_header_that_is_not_the_messages_is_a_fault(content: bytes, fault: tuple[int, str]) -> None:
    assert faults_of(content)[0] == fault
