"""A bank answers the messages that it pulled in ISO 20022: what it gives back and does not take shows on both sides."""

import os
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio
from lxml import etree

from engine.core.calendar import CycleNumber, cycle_text
from engine.core.ids import id_text
from engine.workers.timetable import instruct_by_hand
from tests.formats.iso_checks import parts_of, validate
from tests.formats.uploads import a_message, an_agent, wrapped, yuan
from tests.web.api import Api, Json, bank_number
from tests.web.operators import add_operators

pytestmark = pytest.mark.asyncio(loop_scope="module")

AMOUNT = 500
RETURNS = "/v1/clearing/returns"


class Told(msgspec.Struct, frozen=True):
    """What bank-0 has read of one collection in its own message."""

    message_id: str
    instruction_id: str
    end_to_end_id: str
    transaction_id: str
    amount: int


class Out(msgspec.Struct, frozen=True):
    """A payment by bank-0's card in a published cycle, and the message that collects it."""

    cycle: CycleNumber
    path: str
    manifest: Json
    told: Told


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def office(city: Api) -> Api:
    """Operators look at the cycle, and nothing is left in a personal account, so that the bank card pays."""
    await add_operators(city)
    await city.paid(card=0, amount=100_000)
    return city


@pytest_asyncio.fixture(loop_scope="module")
async def out(office: Api) -> Out:
    path = await office.paid(card=0, amount=AMOUNT)
    cycle = await office.publish()
    query = f"cycle={cycle_text(cycle)}&form=xml&kind=COLLECT"
    (manifest,) = (await office.get(f"/v1/clearing/files?{query}", caller="bank-0")).items
    content = (await office.get(f"/v1/clearing/files/{manifest['name']}", caller="bank-0")).body
    return Out(cycle, path, manifest, _read(content, payment=path.rpartition("/")[2]))


def _read(content: bytes, *, payment: str) -> Told:
    """The card's part of a payment, as any reader of XML finds it."""
    _, document = parts_of(content)
    (collected,) = document.xpath(
        "//*[local-name()='DrctDbtTxInf'][.//*[local-name()='EndToEndId']=$payment]"
        "[.//*[local-name()='LclInstrm']//text()='BANK']",
        payment=payment,
    )

    def text(name: str, node: etree._Element = collected) -> str:
        return str(node.xpath(f"string(.//*[local-name()='{name}'])"))

    return Told(
        message_id=text("MsgId", document),
        instruction_id=text("InstrId"),
        end_to_end_id=text("EndToEndId"),
        transaction_id=text("TxId"),
        amount=round(float(text("IntrBkSttlmAmt")) * 100),
    )


def _original(told: Told) -> str:
    return (
        f"<OrgnlInstrId>{told.instruction_id}</OrgnlInstrId><OrgnlEndToEndId>{told.end_to_end_id}</OrgnlEndToEndId>"
        f"<OrgnlTxId>{told.transaction_id}</OrgnlTxId>"
    )


def _valid(message: bytes, name: str) -> bytes:
    """The message with its header; held against the official schemas where there are some."""
    content = wrapped(message, name=name, sender=bank_number(0))
    folder = os.environ.get("ISO20022_XSD_DIR")
    if folder is not None:
        assert validate(content, Path(folder)) == name
    return content


def a_return(out: Out, *, message_id: str, amount: int = AMOUNT) -> bytes:
    """A `pacs.004` that gives the collection back: the account is closed."""
    name = "pacs.004.001.09"
    told = out.told
    message = a_message(
        name,
        f"<PmtRtr><GrpHdr><MsgId>{message_id}</MsgId><CreDtTm>2026-11-25T01:00:00Z</CreDtTm><NbOfTxs>1</NbOfTxs>"
        f'<CtrlSum>{yuan(amount)}</CtrlSum><TtlRtrdIntrBkSttlmAmt Ccy="CNY">{yuan(amount)}</TtlRtrdIntrBkSttlmAmt>'
        "<IntrBkSttlmDt>2026-11-25</IntrBkSttlmDt><SttlmInf><SttlmMtd>CLRG</SttlmMtd></SttlmInf>"
        f"<InstgAgt>{an_agent(bank_number(0))}</InstgAgt></GrpHdr>"
        f"<OrgnlGrpInf><OrgnlMsgId>{told.message_id}</OrgnlMsgId><OrgnlMsgNmId>pacs.003.001.08</OrgnlMsgNmId>"
        f"</OrgnlGrpInf><TxInf><RtrId>B-1</RtrId>{_original(told)}"
        f'<RtrdIntrBkSttlmAmt Ccy="CNY">{yuan(amount)}</RtrdIntrBkSttlmAmt>'
        "<RtrRsnInf><Rsn><Cd>AC04</Cd></Rsn></RtrRsnInf></TxInf></PmtRtr>",
    )
    return _valid(message, name)


def a_status(out: Out, *, message_id: str, status: str) -> bytes:
    """A `pacs.002` about the whole message; `PART` does not take the collection."""
    name = "pacs.002.001.10"
    totals = out.manifest["totals"]
    assert isinstance(totals, dict)
    refused = (
        f"<TxInfAndSts>{_original(out.told)}<TxSts>RJCT</TxSts><StsRsnInf><Rsn><Cd>AC06</Cd></Rsn></StsRsnInf>"
        "</TxInfAndSts>"
    )
    message = a_message(
        name,
        f"<FIToFIPmtStsRpt><GrpHdr><MsgId>{message_id}</MsgId><CreDtTm>2026-11-25T01:00:00Z</CreDtTm>"
        f"<InstgAgt>{an_agent(bank_number(0))}</InstgAgt></GrpHdr>"
        f"<OrgnlGrpInfAndSts><OrgnlMsgId>{out.told.message_id}</OrgnlMsgId>"
        f"<OrgnlMsgNmId>pacs.003.001.08</OrgnlMsgNmId><OrgnlNbOfTxs>{out.manifest['count']}</OrgnlNbOfTxs>"
        f"<OrgnlCtrlSum>{yuan(totals['debit'])}</OrgnlCtrlSum><GrpSts>{status}</GrpSts></OrgnlGrpInfAndSts>"
        f"{refused if status == 'PART' else ''}</FIToFIPmtStsRpt>",
    )
    return _valid(message, name)


async def steps(office: Api, out: Out, kind: str) -> list[dict[str, str]]:
    """The ids of a payment's steps of one kind, as its bank sees them."""
    shown = await office.get(f"{out.path}/timeline", caller="bank-0")
    return [msgspec.convert(step["ids"], dict[str, str]) for step in shown.items if step["kind"] == kind]


async def cycle_of(office: Api, out: Out) -> Json:
    """The cycle as operators see it."""
    shown = await office.get(f"/v1/clearing/cycles/{cycle_text(out.cycle)}", caller="alpha")
    assert shown.status == 200, shown.body
    return msgspec.convert(shown.json, dict[str, object])


def paid_by(bank: str, positions: object) -> int:
    """Fen that a bank pays."""
    (own,) = [one for one in msgspec.convert(positions, list[dict[str, object]]) if one["bank"] == bank]
    return msgspec.convert(own["debits"], int)


async def test_message_of_a_bank_gives_a_collection_back(office: Api, out: Out) -> None:
    assert (out.told.amount, (await office.get(out.path))["clearing_status"]) == (AMOUNT, "published")
    content = a_return(out, message_id=f"RT-{out.cycle}")
    reply = await office.post(RETURNS, content, caller="bank-0")
    assert reply.status == 201, reply.body
    assert (reply["file_id"], reply["form"], reply["count"]) == (f"RT-{out.cycle}", "pacs.004.001.09", 1)
    assert (await office.post(RETURNS, content, caller="bank-0")).is_replay
    assert (await office.get(out.path))["clearing_status"] == "returned"
    (returned,) = await steps(office, out, "returned")
    assert (returned["reason"], returned["return_ref"], returned["cycle"]) == ("AC04", "B-1", cycle_text(out.cycle))
    (dropped,) = await steps(office, out, "dropped")
    assert dropped["posting"] == returned["posting"] == out.told.transaction_id
    await instruct_by_hand(office.node.database_url, cycle=out.cycle, books=office.node.clearing)
    shown = await cycle_of(office, out)
    bank = id_text(office.world.banks[0])
    assert paid_by(bank, shown["positions"]) == paid_by(bank, shown["settlement_positions"]) + AMOUNT
    again = await office.post(RETURNS, a_return(out, message_id=f"RT-{out.cycle}-2"), caller="bank-0")
    assert again.refused == (422, "file-malformed"), "an item is given back once"


async def test_message_that_gives_back_another_amount_is_refused_whole(office: Api, out: Out) -> None:
    content = a_return(out, message_id=f"RT-{out.cycle}", amount=AMOUNT + 1)
    reply = await office.post(RETURNS, content, caller="bank-0")
    assert reply.refused == (422, "file-malformed")
    assert (await office.get(out.path))["clearing_status"] == "published"
    assert await steps(office, out, "returned") == []


@pytest.mark.parametrize(
    ("status", "becomes", "clearing"), [("ACTC", "acknowledged", "published"), ("PART", "part", "returned")]
)
async def test_message_of_a_bank_acknowledges_its_file(
    office: Api, out: Out, status: str, becomes: str, clearing: str
) -> None:
    target = f"/v1/clearing/files/{out.manifest['name']}/acknowledgement"
    content = a_status(out, message_id=f"ACK-{out.cycle}", status=status)
    reply = await office.post(target, content, caller="bank-0")
    assert reply.status == 200, reply.body
    assert reply.json == {"name": out.manifest["name"], "status": becomes}
    assert (await office.get(out.path))["clearing_status"] == clearing
    told = [ids for ids in await steps(office, out, "acknowledged") if ids["file"] == out.manifest["name"]]
    assert [ids["status"] for ids in told] == [becomes]
    assert [ids["reason"] for ids in await steps(office, out, "returned")] == (["AC06"] if status == "PART" else [])
    files = msgspec.convert((await cycle_of(office, out))["files"], list[dict[str, object]])
    (shown,) = [file for file in files if file["name"] == out.manifest["name"]]
    assert shown["acknowledged_at"] is not None
    assert shown["pulled_at"] is not None
