"""The messages that banks get: valid, understood by others, and saying what the flat form says."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.clearing_lines import ClearingItem, FileKind
from engine.formats import bank_file_formats
from engine.formats.bank_file import FieldOverflow, FileHeading, MalformedRecord
from engine.formats.iso_form import FORMAT
from engine.formats.iso_text import amount_text
from tests.formats.iso_checks import parsed, parts_of, schema_folder, validate
from tests.formats.lines import (
    CARD_BANK,
    GOLDEN,
    HOSPITAL_BANK,
    a_heading,
    a_movement,
    a_refund,
    an_item,
    iso_files,
    promising,
)

MESSAGES = {
    FileKind.COLLECT: "pacs.003.001.08",
    FileKind.CREDIT: "pacs.008.001.08",
    FileKind.NET: "pacs.029.001.02",
    FileKind.ADVICE: "camt.054.001.08",
}
SORTS = [sort for sort, (heading, lines) in GOLDEN.items() if FORMAT.has_file(heading.kind, count=len(lines))]
every_sort = pytest.mark.parametrize("sort", SORTS)


def _file(heading: FileHeading, *items: ClearingItem) -> bytes:
    return b"".join(FORMAT.encode(promising(heading, items), items))


def _golden(sort: str) -> bytes:
    heading, lines = GOLDEN[sort]
    return _file(heading, *lines)


def _faults(content: bytes) -> list[str]:
    return [record.field for record in FORMAT.decode([content]) if isinstance(record, MalformedRecord)]


@every_sort
def test_every_message_is_valid(sort: str) -> None:
    assert validate(_golden(sort), schema_folder()) == MESSAGES[GOLDEN[sort][0].kind]


@given(file=iso_files())
@settings(max_examples=50)
def test_whatever_fits_is_valid(file: tuple[FileHeading, list[ClearingItem]]) -> None:
    heading, lines = file
    if FORMAT.has_file(heading.kind, count=len(lines)):
        validate(_file(heading, *lines), schema_folder())


@every_sort
def test_another_library_understands_every_message(sort: str) -> None:
    heading, lines = GOLDEN[sort]
    header, document = parsed(_golden(sort))
    assert header.biz_msg_idr == heading.file_id
    assert header.msg_def_idr == MESSAGES[heading.kind]
    assert header.fr.org_id.id.org_id.othr[0].id == "SSC"
    assert header.to.fiid.fin_instn_id.clr_sys_mmb_id.mmb_id == heading.receiver_bank
    assert header.cre_dt.to_datetime() == heading.created_at
    replaced = [related.biz_msg_idr for related in header.rltd]
    assert replaced == ([heading.replaces.file_id] if heading.replaces is not None else [])
    match heading.kind:
        case FileKind.COLLECT:
            _check_payments(document.fito_ficstmr_drct_dbt, "drct_dbt_tx_inf", heading, lines)
        case FileKind.CREDIT:
            _check_payments(document.fito_ficstmr_cdt_trf, "cdt_trf_tx_inf", heading, lines)


def _check_payments(message: Any, name: str, heading: FileHeading, lines: tuple[ClearingItem, ...]) -> None:
    group = message.grp_hdr
    total = Decimal(sum(line.amount for line in lines)) / 100
    assert (group.msg_id, int(group.nb_of_txs), group.ctrl_sum) == (heading.file_id, len(lines), total)
    assert group.ttl_intr_bk_sttlm_amt.value == total
    assert group.intr_bk_sttlm_dt.to_date() == heading.settles_on
    assert group.sttlm_inf.sttlm_mtd.value == "CLRG"
    for line, said in zip(lines, getattr(message, name), strict=True):
        assert (said.pmt_id.end_to_end_id, said.pmt_id.tx_id) == (line.payment_id, line.item_id)
        assert said.pmt_id.instr_id == line.item_id
        assert (said.intr_bk_sttlm_amt.value * 100, said.intr_bk_sttlm_amt.ccy) == (line.amount, "CNY")
        assert said.chrg_br.value == "SLEV"
        for agent, account, bank, token in (
            (said.dbtr_agt, said.dbtr_acct, line.debit_bank, line.debit_account),
            (said.cdtr_agt, said.cdtr_acct, line.credit_bank, line.credit_account),
        ):
            assert agent.fin_instn_id.clr_sys_mmb_id.mmb_id == bank
            assert account.id.othr.id == token


def test_another_library_reads_the_net_result() -> None:
    heading, lines = GOLDEN["net"]
    _, document = parsed(_golden("net"))
    message = document.mul_sttlm_req
    assert int(message.grp_hdr.nb_of_sttlm_reqs) == len(lines)
    assert message.grp_hdr.ctrl_sum * 100 == sum(line.amount for line in lines)
    for line, request in zip(lines, message.sttlm_req, strict=True):
        assert (request.sttlm_cycl, request.nb_of_mvmnt_rcrds) == (line.remark, 2)
        moved = [(record.amt.cdt_dbt.value, record.amt.amt.value * 100) for record in request.mvmnt_rcrd]
        assert moved == [("DBIT", line.amount), ("CRDT", line.amount)]
        banks = [record.ptcpt.id.org_id.othr[0].id for record in request.mvmnt_rcrd]
        assert banks == [line.debit_bank, line.credit_bank]
    assert heading.receiver_bank in {line.debit_bank for line in lines}


def test_another_library_reads_the_advice() -> None:
    _, document = parsed(_golden("advice"))
    (notification,) = document.bk_to_cstmr_dbt_cdt_ntfctn.ntfctn
    entries = [(entry.cdt_dbt_ind.value, entry.amt.value * 100) for entry in notification.ntry]
    assert entries == [("DBIT", 23_735), ("CRDT", 10_000), ("DBIT", 5), ("CRDT", 5)]
    assert notification.acct.id.othr.id == f"settlement:{CARD_BANK}"
    summary = notification.txs_summry
    assert (int(summary.ttl_ntries.nb_of_ntries), summary.ttl_ntries.sum * 100) == (4, 33_745)
    assert (summary.ttl_dbt_ntries.sum * 100, summary.ttl_cdt_ntries.sum * 100) == (23_740, 10_005)
    assert (summary.ttl_ntries.ttl_net_ntry.amt * 100, summary.ttl_ntries.ttl_net_ntry.cdt_dbt_ind.value) == (
        13_735,
        "DBIT",
    )
    assert {entry.val_dt.dt.to_date() for entry in notification.ntry} == {date(2026, 11, 25)}


def test_an_advice_without_entries_is_a_notification_of_nothing() -> None:
    _, document = parsed(_golden("advice_empty"))
    (notification,) = document.bk_to_cstmr_dbt_cdt_ntfctn.ntfctn
    assert notification.ntry == []
    assert int(notification.txs_summry.ttl_ntries.nb_of_ntries) == 0


@every_sort
def test_both_forms_say_the_same(sort: str) -> None:
    heading, lines = GOLDEN[sort]
    flat = bank_file_formats()["flat"]
    if heading.kind not in flat.kinds:
        return
    of_flat = [record for record in flat.decode(flat.encode(heading, lines)) if isinstance(record, ClearingItem)]
    of_xml = [record for record in FORMAT.decode([_golden(sort)]) if isinstance(record, ClearingItem)]
    if heading.kind is FileKind.NET:
        of_flat = [msgspec.structs.replace(item, occurred_at=heading.created_at) for item in of_flat]
    assert of_flat == [msgspec.structs.replace(item, item_id="") for item in of_xml]


def test_a_merchant_is_the_party_on_its_side_and_cardholders_are_private() -> None:
    _, paid = parsed(_golden("collect"))
    fund, personal = paid.fito_ficstmr_drct_dbt.drct_dbt_tx_inf
    assert fund.cdtr.id.org_id.othr[0].id == an_item().merchant_id
    assert fund.dbtr.id.org_id.othr[0].id == "fund:110100:310100"
    assert personal.dbtr.id.prvt_id.othr[0].id == an_item().debit_account
    _, given_back = parsed(_golden("credit"))
    (refund,) = given_back.fito_ficstmr_cdt_trf.cdt_trf_tx_inf
    assert refund.dbtr.id.org_id.othr[0].id == a_refund().merchant_id
    assert refund.rmt_inf.ustrd == [f"/ORD/A-1001/RMK/{a_refund().remark}"]


def test_what_xml_has_marks_for_is_escaped() -> None:
    item = an_item(order_no='<A&B>"C"', debit_account="card_<!--", remark="&amp;]]>")
    content = _file(a_heading(), item)
    (read,) = [record for record in FORMAT.decode([content]) if isinstance(record, ClearingItem)]
    assert read == item
    header, document = parts_of(content)
    assert not [node for part in (header, document) for node in part.iter() if not isinstance(node.tag, str)]


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        (FileKind.COLLECT, "payment_id", ""),
        (FileKind.COLLECT, "payment_id", "p" * 36),
        (FileKind.COLLECT, "item_id", ""),
        (FileKind.COLLECT, "leg", ""),
        (FileKind.CREDIT, "debit_account", "a" * 35),
        (FileKind.CREDIT, "credit_account", ""),
        (FileKind.CREDIT, "merchant_id", "m" * 36),
        (FileKind.COLLECT, "order_no", "o" * 65),
        (FileKind.COLLECT, "order_no", "A/RMK/x"),
        (FileKind.COLLECT, "remark", "a/b"),
        (FileKind.ADVICE, "order_no", "a\x00b"),
        (FileKind.ADVICE, "order_no", "a\x1bb"),
        (FileKind.COLLECT, "order_no", "\ud800"),
        (FileKind.COLLECT, "order_no", "\ufffe"),
        (FileKind.COLLECT, "amount", 0),
        (FileKind.NET, "amount", -1),
        (FileKind.CREDIT, "amount", 10**18),
        (FileKind.NET, "remark", ""),
        (FileKind.NET, "debit_account", "a" * 35),
    ],
)
def test_a_value_that_does_not_fit_its_element_is_refused(kind: FileKind, field: str, value: object) -> None:
    line = a_movement() if kind is FileKind.NET else an_item()
    with pytest.raises(FieldOverflow) as refused:
        _file(a_heading(kind), line, msgspec.structs.replace(line, **{field: value}))
    assert refused.value.field in (field, "account")
    assert len(str(value)) < 3 or str(value) not in str(refused.value)


@pytest.mark.parametrize("file_id", ["", "A" * 36, "A<B", "A&B"])
def test_a_file_id_that_is_no_message_id_is_refused(file_id: str) -> None:
    with pytest.raises(FieldOverflow):
        _file(msgspec.structs.replace(a_heading(), file_id=file_id), an_item())


def test_the_longest_values_fit_together() -> None:
    item = msgspec.structs.replace(a_refund(), order_no="o" * 64, occurred_at=datetime(2026, 1, 1, tzinfo=UTC))
    content = _file(a_heading(FileKind.COLLECT, receiver_bank=HOSPITAL_BANK), item)
    _, document = parsed(content)
    (text,) = document.fito_ficstmr_drct_dbt.drct_dbt_tx_inf[0].rmt_inf.ustrd
    assert len(text) <= 140


@given(st.integers(1, 10**18 - 1))
def test_amounts_are_yuan_with_two_decimals(fen: int) -> None:
    text = amount_text(fen)
    assert Decimal(text) * 100 == fen
    assert text[-3] == "."


def _swap(old: str, new: str) -> Callable[[str], str]:
    return lambda content: content.replace(old, new, 1)


@pytest.mark.parametrize(
    ("damage", "field"),
    [
        (_swap("<NbOfTxs>2<", "<NbOfTxs>3<"), "GrpHdr"),
        (_swap("<CtrlSum>562.36<", "<CtrlSum>562.35<"), "GrpHdr"),
        (_swap('Ccy="CNY">162.36<', 'Ccy="CNY">162.37<'), "GrpHdr"),
        (_swap('Ccy="CNY">162.36<', 'Ccy="USD">162.36<'), "DrctDbtTxInf[1]/IntrBkSttlmAmt/@Ccy"),
        (_swap("162.36</IntrBk", "162.365</IntrBk"), "DrctDbtTxInf[1]/IntrBkSttlmAmt"),
        (_swap("<Prtry>PAY<", "<Prtry>PAID<"), "DrctDbtTxInf[1]/Purp/Prtry"),
        (_swap("/ORD/", "/XXX/"), "DrctDbtTxInf[1]/RmtInf/Ustrd"),
        (_swap("/AT/", "/RMK/"), "DrctDbtTxInf[1]"),
        (_swap("-COLLECT-01</MsgId>", "-CREDIT-01</MsgId>"), "GrpHdr/MsgId"),
        (_swap("<TxId>2.17.0</TxId>", ""), "DrctDbtTxInf[1]/PmtId/TxId"),
        (_swap("<?xml version", "<!DOCTYPE a [<!ENTITY b 'c'>]><?xml version"), "record"),
        (_swap("pacs.003.001.08</MsgDefIdr>", "pacs.003.001.09</MsgDefIdr>"), "record"),
        (_swap("</BizMsg>", ""), "record"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(damage: Callable[[str], str], field: str) -> None:
    content = _golden("collect").decode()
    damaged = damage(content)
    assert damaged != content
    assert field in _faults(damaged.encode())


def test_a_request_that_takes_another_amount_than_it_gives_is_told() -> None:
    content = _golden("net").replace(b">3.00</Amt><CdtDbt>DBIT", b">3.01</Amt><CdtDbt>DBIT", 1)
    assert "SttlmReq[1]" in _faults(content)


def test_no_fault_tells_a_value() -> None:
    content = _golden("collect").replace(b"<Prtry>PAY<", b"<Prtry>SECRET<")
    faults = [record for record in FORMAT.decode([content]) if isinstance(record, MalformedRecord)]
    assert faults
    assert not any("SECRET" in fault.reason + fault.field for fault in faults)
