"""Uploads as banks and agencies make them, valid unless a test says otherwise, and ways to read them."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from types import MappingProxyType

from engine.core.bank_lines import Direction, StatementLine, UploadHeading, UploadTrailer
from engine.formats.bank_file import MalformedRecord
from engine.formats.upload_readers import upload_reader
from engine.formats.uploads import Reading

BANK = "102100000001"
OTHER_BANK = "102100000003"
PAYMENT = "pay_01kav9ft000c21nrag3jz9j6gn"
REFUND = "ref_01kav9ft000c21nrag3jz9j6gq"
CARD = "card_01kav9ft000c21nrag3jz9j6gm"
MERCHANT = "mer_01kav9ft000c21nrag3jz9j6gp"
SETTLED_ON = date(2026, 11, 24)
NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:"


def read(content: bytes, *, chunk_size: int = 1_000_000) -> list[Reading]:
    """What the reader that the first bytes choose says of a file."""
    reader = upload_reader(content, settled_on=SETTLED_ON)
    assert reader is not None
    return list(reader.read(in_chunks(content, chunk_size)))


def in_chunks(content: bytes, size: int) -> Iterator[bytes]:
    """The same bytes in pieces."""
    return (content[start : start + size] for start in range(0, len(content), size))


def lines_of(readings: Iterable[Reading]) -> list[Reading]:
    """Everything but the heading, the trailer and faults."""
    return [reading for reading in readings if not isinstance(reading, MalformedRecord | UploadHeading | UploadTrailer)]


def faults_of(content: bytes) -> list[tuple[int, str]]:
    """Line and field of every fault."""
    found = [reading for reading in read(content) if isinstance(reading, MalformedRecord)]
    return [(fault.line_number, fault.field) for fault in found]


def has_trailer(readings: Sequence[Reading]) -> bool:
    """The file is whole."""
    return any(isinstance(reading, UploadTrailer) for reading in readings)


def a_line(
    line_number: int = 2,
    *,
    bank_ref: str = "REF-1",
    payment_id: str = PAYMENT,
    direction: Direction = Direction.DEBIT,
    amount: int = 23_735,
) -> StatementLine:
    """One booking."""
    return StatementLine(line_number, bank_ref, payment_id, direction, amount, SETTLED_ON)


def flat(
    kind: str, details: Sequence[str], *, debit_total: int = 0, credit_total: int = 0, hash_total: int = 0
) -> bytes:
    """A flat upload; the details are without their `D` and place."""
    previous = "0123456789abcdef" * 4 if kind == "ACK" else ""
    heading = f"H|1|UP-20261124-1|{BANK}|SSC|20261124|02|{kind}|2026-11-25T01:00:00Z|156|{previous}\n"
    lines = "".join(f"D|{place}|{detail}\n" for place, detail in enumerate(details, 1))
    body = (heading + lines).encode()
    trailer = f"T|{len(details)}|{debit_total}|{credit_total}|{hash_total}|{hashlib.sha256(body).hexdigest()}\n"
    return body + trailer.encode()


def a_flat_statement(*lines: StatementLine) -> bytes:
    """A statement in the flat form."""
    return flat(
        "STATEMENT",
        [f"{line.bank_ref}|{line.payment_id}|{line.direction}|{line.amount}|{line.booked_on:%Y%m%d}" for line in lines],
        debit_total=sum(line.amount for line in lines if line.direction is Direction.DEBIT),
        credit_total=sum(line.amount for line in lines if line.direction is Direction.CREDIT),
        hash_total=sum(line.amount * place for place, line in enumerate(lines, 1)),
    )


def a_flat_return(*, debit_bank: str = BANK, credit_bank: str = OTHER_BANK, remark: str = "AC04 B-77") -> bytes:
    """A return of one item in the flat form."""
    detail = (
        f"{PAYMENT}|A-1001|{MERCHANT}|PAY|BANK|{debit_bank}|{CARD}|{credit_bank}|{MERCHANT}"
        f"|23735|2026-11-24T05:30:00.123456Z||{remark}"
    )
    totals = (23_735, 0) if debit_bank == BANK else (0, 23_735)
    return flat("RETURN", [detail], debit_total=totals[0], credit_total=totals[1], hash_total=23_735)


def yuan(amount: int) -> str:
    """Fen as the XML messages write them."""
    return f"{amount // 100}.{amount % 100:02d}"


def an_entry(line: StatementLine, *, details: str | None = None) -> str:
    """One entry of a camt.053."""
    inner = (
        f"<TxDtls><Refs><EndToEndId>{line.payment_id or 'NOTPROVIDED'}</EndToEndId></Refs></TxDtls>"
        if details is None
        else details
    )
    return (
        f'\n<Ntry><NtryRef>N</NtryRef><Amt Ccy="CNY">{yuan(line.amount)}</Amt>'
        f"<CdtDbtInd>{'DBIT' if line.direction is Direction.DEBIT else 'CRDT'}</CdtDbtInd>"
        f"{'<RvslInd>true</RvslInd>' if line.is_reversal else ''}<Sts><Cd>BOOK</Cd></Sts>"
        f"<BookgDt><Dt>{line.booked_on}</Dt></BookgDt><AcctSvcrRef>{line.bank_ref}</AcctSvcrRef>"
        f"<BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>RDDT</Cd><SubFmlyCd>PMDD</SubFmlyCd></Fmly></Domn></BkTxCd>"
        f"<NtryDtls>{inner}</NtryDtls></Ntry>"
    )


def a_balance(kind: str, amount: int) -> str:
    """A balance of a camt.053; below zero it is a debit."""
    return (
        f'\n<Bal><Tp><CdOrPrtry><Cd>{kind}</Cd></CdOrPrtry></Tp><Amt Ccy="CNY">{yuan(abs(amount))}</Amt>'
        f"<CdtDbtInd>{'DBIT' if amount < 0 else 'CRDT'}</CdtDbtInd><Dt><Dt>2026-11-24</Dt></Dt></Bal>"
    )


def a_camt053(*lines: StatementLine, entries: Sequence[str] | None = None) -> bytes:
    """A statement in ISO 20022."""
    debits = sum(line.amount for line in lines if line.direction is Direction.DEBIT)
    credits_ = sum(line.amount for line in lines if line.direction is Direction.CREDIT)
    count = len(lines) if entries is None else len(entries)
    return a_message(
        "camt.053.001.08",
        "<BkToCstmrStmt><GrpHdr><MsgId>UP-1</MsgId><CreDtTm>2026-11-25T01:00:00Z</CreDtTm></GrpHdr>"
        "\n<Stmt><Id>S-1</Id><StmtPgntn><PgNb>1</PgNb><LastPgInd>true</LastPgInd></StmtPgntn>"
        f"<Acct><Id><Othr><Id>1</Id></Othr></Id><Svcr>{an_agent(BANK)}</Svcr></Acct>"
        + a_balance("OPBD", 100_000)
        + a_balance("CLBD", 100_000 + credits_ - debits)
        + f"\n<TxsSummry><TtlNtries><NbOfNtries>{count}</NbOfNtries><Sum>{yuan(debits + credits_)}</Sum></TtlNtries>"
        f"<TtlCdtNtries><Sum>{yuan(credits_)}</Sum></TtlCdtNtries>"
        f"<TtlDbtNtries><Sum>{yuan(debits)}</Sum></TtlDbtNtries></TxsSummry>"
        + "".join(map(an_entry, lines) if entries is None else entries)
        + "\n</Stmt></BkToCstmrStmt>",
    )


def an_agent(bank: str) -> str:
    """A bank, as it is named in every message."""
    return f"<FinInstnId><ClrSysMmbId><MmbId>{bank}</MmbId></ClrSysMmbId></FinInstnId>"


def a_returned_item(*, payment_id: str = PAYMENT, amount: int = 23_735, reason: str = "AC04", place: int = 1) -> str:
    """One item of a pacs.004."""
    return (
        f"\n<TxInf><RtrId>B-{place}</RtrId><OrgnlInstrId>I-{place}</OrgnlInstrId>"
        f"<OrgnlEndToEndId>{payment_id}</OrgnlEndToEndId><OrgnlTxId>T-{place}</OrgnlTxId>"
        f'<RtrdIntrBkSttlmAmt Ccy="CNY">{yuan(amount)}</RtrdIntrBkSttlmAmt>'
        f"<RtrRsnInf><Rsn><Cd>{reason}</Cd></Rsn></RtrRsnInf></TxInf>"
    )


def a_pacs004(*items: str, count: int | None = None, total: int = 23_735, original: str = "pacs.003.001.08") -> bytes:
    """Returns in ISO 20022."""
    return a_message(
        "pacs.004.001.09",
        "<PmtRtr><GrpHdr><MsgId>UP-1</MsgId><CreDtTm>2026-11-25T01:00:00Z</CreDtTm>"
        f"<NbOfTxs>{len(items) if count is None else count}</NbOfTxs><CtrlSum>{yuan(total)}</CtrlSum>"
        f'<TtlRtrdIntrBkSttlmAmt Ccy="CNY">{yuan(total)}</TtlRtrdIntrBkSttlmAmt>'
        f"<SttlmInf><SttlmMtd>CLRG</SttlmMtd></SttlmInf><InstgAgt>{an_agent(BANK)}</InstgAgt></GrpHdr>"
        f"\n<OrgnlGrpInf><OrgnlMsgId>{BANK}-20261124-02-COLLECT-01</OrgnlMsgId><OrgnlMsgNmId>{original}</OrgnlMsgNmId>"
        "</OrgnlGrpInf>" + "".join(items) + "\n</PmtRtr>",
    )


def a_pacs002(status: str = "PART", *, lines: str | None = None, reason: str = "") -> bytes:
    """An acknowledgement in ISO 20022."""
    rejected = (
        f"\n<TxInfAndSts><OrgnlInstrId>I-7</OrgnlInstrId><OrgnlEndToEndId>{PAYMENT}</OrgnlEndToEndId>"
        "<OrgnlTxId>T-7</OrgnlTxId><TxSts>RJCT</TxSts><StsRsnInf><Rsn><Cd>AC01</Cd></Rsn></StsRsnInf></TxInfAndSts>"
    )
    told = f"<StsRsnInf><Rsn><Cd>{reason}</Cd></Rsn></StsRsnInf>" if reason else ""
    return a_message(
        "pacs.002.001.10",
        "<FIToFIPmtStsRpt><GrpHdr><MsgId>UP-1</MsgId><CreDtTm>2026-11-25T01:00:00Z</CreDtTm>"
        f"<InstgAgt>{an_agent(BANK)}</InstgAgt></GrpHdr>\n<OrgnlGrpInfAndSts>"
        f"<OrgnlMsgId>{BANK}-20261124-02-COLLECT-01</OrgnlMsgId><OrgnlMsgNmId>pacs.003.001.08</OrgnlMsgNmId>"
        f"<OrgnlNbOfTxs>9</OrgnlNbOfTxs><OrgnlCtrlSum>237.35</OrgnlCtrlSum><GrpSts>{status}</GrpSts>{told}"
        f"</OrgnlGrpInfAndSts>{rejected if lines is None else lines}\n</FIToFIPmtStsRpt>",
    )


def an_order(*, place: int = 1, card_id: str = CARD, benefit: str = "PENSION/202611", amount: int = 123_400) -> str:
    """One order of a pain.001."""
    return (
        f"\n<CdtTrfTxInf><PmtId><EndToEndId>L-{place}</EndToEndId></PmtId>"
        f'<Amt><InstdAmt Ccy="CNY">{yuan(amount)}</InstdAmt></Amt><Cdtr/>'
        f"<CdtrAcct><Id><Othr><Id>{card_id}</Id></Othr></Id></CdtrAcct>"
        f"<RmtInf><Ustrd>{benefit}</Ustrd></RmtInf></CdtTrfTxInf>"
    )


def a_payment_group(*orders: str, fund: str = "fund:110100:390100") -> str:
    """Orders that one fund pays."""
    return (
        "\n<PmtInf><PmtInfId>P-1</PmtInfId><PmtMtd>TRF</PmtMtd><ReqdExctnDt><Dt>2026-11-25</Dt></ReqdExctnDt><Dbtr/>"
        f"<DbtrAcct><Id><Othr><Id>{fund}</Id></Othr></Id></DbtrAcct><DbtrAgt><FinInstnId/></DbtrAgt>"
        + "".join(orders)
        + "</PmtInf>"
    )


def a_pain001(*groups: str, count: int = 1, total: int = 123_400) -> bytes:
    """Benefit orders in ISO 20022."""
    return a_message(
        "pain.001.001.09",
        "<CstmrCdtTrfInitn><GrpHdr><MsgId>UP-1</MsgId><CreDtTm>2026-11-25T01:00:00Z</CreDtTm>"
        f"<NbOfTxs>{count}</NbOfTxs><CtrlSum>{yuan(total)}</CtrlSum><InitgPty/></GrpHdr>"
        + "".join(groups)
        + "\n</CstmrCdtTrfInitn>",
    )


def a_message(name: str, body: str) -> bytes:
    """A message alone."""
    return (f'<?xml version="1.0" encoding="UTF-8"?>\n<Document xmlns="{NAMESPACE}{name}">{body}</Document>\n').encode()


def wrapped(message: bytes, *, name: str, sender: str = BANK) -> bytes:
    """The same message in a `BizMsg`, after its header."""
    declaration, _, document = message.decode().partition("\n")
    header = (
        f'<AppHdr xmlns="{NAMESPACE}head.001.001.02"><Fr><FIId>{an_agent(sender)}</FIId></Fr>'
        f"<To><FIId>{an_agent('102100000000')}</FIId></To><BizMsgIdr>UP-1</BizMsgIdr><MsgDefIdr>{name}</MsgDefIdr>"
        "<CreDt>2026-11-25T01:00:00Z</CreDt></AppHdr>"
    )
    return f"{declaration}\n<BizMsg>{header}\n{document}</BizMsg>\n".encode()


def a_csv(*lines: str, header: str = "line_no,card_id,benefit_code,period,fund_pay_type,amount") -> bytes:
    """A batch of benefits as CSV."""
    return "".join(f"{line}\n" for line in (header, *lines)).encode()


ZM_WIDTHS = (
    *(3, 11, 11, 6, 10, 19, 12, 4, 2, 21, 2, 32, 2, 6, 10, 13, 13, 4, 15, 2, 2, 6, 2, 4, 32, 1, 21, 15, 1, 15, 32, 13),
    *(13, 8, 32, 13, 13, 12, 2, 1, 32, 98),
)


def a_zm_line(values: Mapping[int, str] = MappingProxyType({}), *, separator: bytes = b" ", tail: int = 98) -> bytes:
    """One line of UnionPay's ZM file; its fields are counted from one."""
    told = {
        1: "S22",
        5: "1124133000",
        6: "6212260000000000000",
        7: "000000023735",
        10: "202611241330001234567",
        12: PAYMENT,
        16: "D000000000100",
        17: "C000000023635",
        20: "01",
        21: "01",
        31: "仁和药房",
    } | dict(values)
    widths = (*ZM_WIDTHS[:-1], tail)
    fields = [told.get(place, "").encode("gbk").ljust(width) for place, width in enumerate(widths, 1)]
    assert [len(field) for field in fields] == list(widths)
    return separator.join(fields) + b"\n"
