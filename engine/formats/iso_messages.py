"""The four messages that a bank gets: what comes before their lines, and what one line becomes.

Lines are put together from constant text: an element tree costs ten times as much.
Source: ISO 20022 pacs.003.001.08, pacs.008.001.08, pacs.029.001.02 and camt.054.001.08.
"""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from engine.core.clearing_lines import ClearingItem, FileKind
from engine.core.line_columns import LineColumns
from engine.core.money import CURRENCY
from engine.formats.bank_file import FieldOverflow, FileHeading, LineBatch
from engine.formats.iso_items import IsoItem, check_amounts, iso_items
from engine.formats.iso_text import (
    ACCOUNT_CHARACTERS_MAX,
    ID_CHARACTERS_MAX,
    account,
    amount_text,
    escaped,
    instant_text,
    institution,
)


class IsoMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One message: its name, its root element, and how it is written."""

    name: str
    root: str
    group_header: Callable[[FileHeading], str]
    lines: Callable[[FileHeading, LineBatch, Sequence[int], int], list[str]]
    """What the picked items of a batch become; the number is that of the lines before them."""
    end: str = ""


def _payments_header(heading: FileHeading) -> str:
    assert heading.totals is not None
    assert heading.settles_on is not None
    total = amount_text(heading.totals.debit_total + heading.totals.credit_total)
    return (
        f"<GrpHdr><MsgId>{heading.file_id}</MsgId><CreDtTm>{instant_text(heading.created_at)}</CreDtTm>"
        f"<NbOfTxs>{heading.totals.count}</NbOfTxs><CtrlSum>{total}</CtrlSum>"
        f'<TtlIntrBkSttlmAmt Ccy="{CURRENCY}">{total}</TtlIntrBkSttlmAmt>'
        f"<IntrBkSttlmDt>{heading.settles_on}</IntrBkSttlmDt><SttlmInf><SttlmMtd>CLRG</SttlmMtd></SttlmInf>"
        f"<InstdAgt>{institution(heading.receiver_bank)}</InstdAgt></GrpHdr>\n"
    )


def _collection(item: IsoItem) -> str:
    item_id, payment_id, leg, type_, amount, debtor, debit_account, debit_bank = item[:8]
    creditor, credit_account, credit_bank, remittance, at = item[8:]
    return (
        f"<DrctDbtTxInf><PmtId><InstrId>{item_id}</InstrId><EndToEndId>{payment_id}</EndToEndId>"
        f"<TxId>{item_id}</TxId></PmtId><PmtTpInf><LclInstrm><Prtry>{leg}</Prtry></LclInstrm></PmtTpInf>"
        f'<IntrBkSttlmAmt Ccy="CNY">{amount}</IntrBkSttlmAmt><ChrgBr>SLEV</ChrgBr>'
        f"<Cdtr><Id>{creditor}</Id></Cdtr><CdtrAcct><Id><Othr><Id>{credit_account}</Id></Othr></Id></CdtrAcct>"
        f"<CdtrAgt><FinInstnId><ClrSysMmbId><MmbId>{credit_bank}</MmbId></ClrSysMmbId></FinInstnId></CdtrAgt>"
        f"<Dbtr><Id>{debtor}</Id></Dbtr><DbtrAcct><Id><Othr><Id>{debit_account}</Id></Othr></Id></DbtrAcct>"
        f"<DbtrAgt><FinInstnId><ClrSysMmbId><MmbId>{debit_bank}</MmbId></ClrSysMmbId></FinInstnId></DbtrAgt>"
        f"<Purp><Prtry>{type_}</Prtry></Purp><RmtInf><Ustrd>{remittance}/AT/{at}</Ustrd></RmtInf>"
        "</DrctDbtTxInf>\n"
    )


def _credit(item: IsoItem) -> str:
    item_id, payment_id, leg, type_, amount, debtor, debit_account, debit_bank = item[:8]
    creditor, credit_account, credit_bank, remittance, at = item[8:]
    remittance = f"<RmtInf><Ustrd>{remittance}</Ustrd></RmtInf>" if remittance else ""
    return (
        f"<CdtTrfTxInf><PmtId><InstrId>{item_id}</InstrId><EndToEndId>{payment_id}</EndToEndId>"
        f"<TxId>{item_id}</TxId></PmtId><PmtTpInf><LclInstrm><Prtry>{leg}</Prtry></LclInstrm></PmtTpInf>"
        f'<IntrBkSttlmAmt Ccy="CNY">{amount}</IntrBkSttlmAmt><AccptncDtTm>{at}</AccptncDtTm>'
        "<ChrgBr>SLEV</ChrgBr>"
        f"<Dbtr><Id>{debtor}</Id></Dbtr><DbtrAcct><Id><Othr><Id>{debit_account}</Id></Othr></Id></DbtrAcct>"
        f"<DbtrAgt><FinInstnId><ClrSysMmbId><MmbId>{debit_bank}</MmbId></ClrSysMmbId></FinInstnId></DbtrAgt>"
        f"<CdtrAgt><FinInstnId><ClrSysMmbId><MmbId>{credit_bank}</MmbId></ClrSysMmbId></FinInstnId></CdtrAgt>"
        f"<Cdtr><Id>{creditor}</Id></Cdtr><CdtrAcct><Id><Othr><Id>{credit_account}</Id></Othr></Id></CdtrAcct>"
        f"<Purp><Prtry>{type_}</Prtry></Purp>{remittance}</CdtTrfTxInf>\n"
    )


def _collections(_heading: FileHeading, batch: LineBatch, picked: Sequence[int], _before: int) -> list[str]:
    values = batch.written(iso_items)
    return [_collection(values[n]) for n in picked]


def _credits(_heading: FileHeading, batch: LineBatch, picked: Sequence[int], _before: int) -> list[str]:
    values = batch.written(iso_items)
    return [_credit(values[n]) for n in picked]


def _net_header(heading: FileHeading) -> str:
    assert heading.totals is not None
    total = amount_text(heading.totals.debit_total + heading.totals.credit_total)
    return (
        f"<GrpHdr><MsgId>{heading.file_id}</MsgId><CreDtTm>{instant_text(heading.created_at)}</CreDtTm>"
        f"<NbOfSttlmReqs>{heading.totals.count}</NbOfSttlmReqs><CtrlSum>{total}</CtrlSum>"
        "<SttlmInf><SttlmMtd>CLRG</SttlmMtd></SttlmInf></GrpHdr>\n"
    )


def _settlements(_heading: FileHeading, batch: LineBatch, picked: Sequence[int], before: int) -> list[str]:
    """A request for each net position, which moves it in two records: from the one bank, to the other."""
    items = batch.written(LineColumns.items)
    check_amounts(batch.lines)
    return [_settlement(items[n], place) for place, n in enumerate(picked, before + 1)]


def _settlement(item: ClearingItem, place: int) -> str:
    debit = _movement(f"{place}-D", 1, "DBIT", item.amount, item.debit_bank, item.debit_account)
    credit = _movement(f"{place}-C", 2, "CRDT", item.amount, item.credit_bank, item.credit_account)
    cycle = _bounded("remark", item.remark, ID_CHARACTERS_MAX)
    return (
        f"<SttlmReq><InstrId>{place}</InstrId><SttlmCycl>{cycle}</SttlmCycl><NbOfMvmntRcrds>2</NbOfMvmntRcrds>"
        f"{debit}{credit}</SttlmReq>\n"
    )


def _movement(movement_id: str, number: int, direction: str, amount: int, bank: str, token: str) -> str:
    participant = _bounded("bank", bank, ID_CHARACTERS_MAX)
    return (
        f"<MvmntRcrd><Id>{movement_id}</Id><SeqNb>{number}</SeqNb>"
        f'<Amt><Amt Ccy="{CURRENCY}">{amount_text(amount)}</Amt><CdtDbt>{direction}</CdtDbt></Amt>'
        f"<Ptcpt><Id><OrgId><Othr><Id>{participant}</Id></Othr></OrgId></Id></Ptcpt>"
        f"<PtcptAcct>{account(_bounded('account', token, ACCOUNT_CHARACTERS_MAX))}</PtcptAcct></MvmntRcrd>"
    )


def _bounded(field: str, value: str, characters_max: int) -> str:
    if not 0 < len(value) <= characters_max:
        raise FieldOverflow(field)
    return escaped(field, value)


def _advice_header(heading: FileHeading) -> str:
    assert heading.totals is not None
    totals = heading.totals
    credit, debit = amount_text(totals.credit_total), amount_text(totals.debit_total)
    net = totals.credit_total - totals.debit_total
    return (
        f"<GrpHdr><MsgId>{heading.file_id}</MsgId><CreDtTm>{instant_text(heading.created_at)}</CreDtTm></GrpHdr>\n"
        f"<Ntfctn><Id>{heading.file_id}</Id><CreDtTm>{instant_text(heading.created_at)}</CreDtTm>"
        f"<Acct>{account(escaped('account', f'settlement:{heading.receiver_bank}'))}<Ccy>{CURRENCY}</Ccy></Acct>"
        f"<TxsSummry><TtlNtries><NbOfNtries>{totals.count}</NbOfNtries>"
        f"<Sum>{amount_text(totals.credit_total + totals.debit_total)}</Sum><TtlNetNtry>"
        f"<Amt>{amount_text(abs(net))}</Amt><CdtDbtInd>{'CRDT' if net >= 0 else 'DBIT'}</CdtDbtInd></TtlNetNtry>"
        f"</TtlNtries><TtlCdtNtries><Sum>{credit}</Sum></TtlCdtNtries><TtlDbtNtries><Sum>{debit}</Sum></TtlDbtNtries>"
        "</TxsSummry>\n"
    )


def _entries(heading: FileHeading, batch: LineBatch, picked: Sequence[int], _before: int) -> list[str]:
    """An entry for each of the bank's sides of an item: two if both are its own, what is taken first."""
    bank = heading.receiver_bank
    dates = (
        f"<Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>{heading.business_date}</Dt></BookgDt>"
        f"<ValDt><Dt>{heading.settles_on}</Dt></ValDt>"
    )
    debit, credit = f"<CdtDbtInd>DBIT</CdtDbtInd>{dates}", f"<CdtDbtInd>CRDT</CdtDbtInd>{dates}"
    values = batch.written(iso_items)
    entries = []
    for n in picked:
        if batch.lines.debit_bank[n] == bank:
            entries.append(_entry(values[n], debit))
        if batch.lines.credit_bank[n] == bank:
            entries.append(_entry(values[n], credit))
    return entries


def _entry(item: IsoItem, direction_and_dates: str) -> str:
    item_id, payment_id, leg, type_, amount, _, debit_account, debit_bank = item[:8]
    _, credit_account, credit_bank, remittance, _ = item[8:]
    remittance = f"<RmtInf><Ustrd>{remittance}</Ustrd></RmtInf>" if remittance else ""
    return (
        f'<Ntry><Amt Ccy="CNY">{amount}</Amt>{direction_and_dates}<AcctSvcrRef>{item_id}</AcctSvcrRef>'
        f"<BkTxCd><Prtry><Cd>{type_}</Cd></Prtry></BkTxCd>"
        f"<NtryDtls><TxDtls><Refs><EndToEndId>{payment_id}</EndToEndId></Refs><RltdPties>"
        f"<DbtrAcct><Id><Othr><Id>{debit_account}</Id></Othr></Id></DbtrAcct>"
        f"<CdtrAcct><Id><Othr><Id>{credit_account}</Id></Othr></Id></CdtrAcct>"
        "</RltdPties><RltdAgts>"
        f"<DbtrAgt><FinInstnId><ClrSysMmbId><MmbId>{debit_bank}</MmbId></ClrSysMmbId></FinInstnId></DbtrAgt>"
        f"<CdtrAgt><FinInstnId><ClrSysMmbId><MmbId>{credit_bank}</MmbId></ClrSysMmbId></FinInstnId></CdtrAgt>"
        f"</RltdAgts><LclInstrm><Prtry>{leg}</Prtry></LclInstrm>{remittance}</TxDtls></NtryDtls></Ntry>\n"
    )


MESSAGES: Final = {
    FileKind.COLLECT: IsoMessage(
        name="pacs.003.001.08", root="FIToFICstmrDrctDbt", group_header=_payments_header, lines=_collections
    ),
    FileKind.CREDIT: IsoMessage(
        name="pacs.008.001.08", root="FIToFICstmrCdtTrf", group_header=_payments_header, lines=_credits
    ),
    FileKind.NET: IsoMessage(name="pacs.029.001.02", root="MulSttlmReq", group_header=_net_header, lines=_settlements),
    FileKind.ADVICE: IsoMessage(
        name="camt.054.001.08",
        root="BkToCstmrDbtCdtNtfctn",
        group_header=_advice_header,
        lines=_entries,
        end="</Ntfctn>\n",
    ),
}
