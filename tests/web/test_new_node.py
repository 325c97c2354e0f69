"""A node without a sandbox is taken into service by two operators, and the first payment succeeds."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import date
from pathlib import Path

import asyncpg
import msgspec
import pytest

from engine.client import Credentials, EngineClient, Refused
from engine.codes.pay_code import device_key, pay_code_at
from engine.core.ids import BankId, CardId, IdKind, device_number, id_text
from engine.core.participants import parse_participant_id
from engine.core.payer import CardStatus, IssueLevel, Payer, TenderOrder
from engine.flows.add_operator import AddedOperator, add_operator
from engine.settings import Settings
from engine.store.rows import payer_row
from engine.web.node import Node
from engine.web.wire_participants import ApprovalView
from engine.wiring import Addresses, open_node, open_server
from tests.builders import an_id
from tests.web.api import Json
from tests.web.operators import HARBOUR_BANK, a_bank, a_merchant

DEVICE_NO = device_number(0, 7)


class Office:
    """A node that nobody takes part in yet, and its two operators."""

    def __init__(self, node: Node, base_url: str, asking: EngineClient, deciding: EngineClient) -> None:
        """Use the fixture."""
        self.node = node
        self.base_url = base_url
        self._asking = asking
        self._deciding = deciding

    async def agree(self, path: str, body: Json) -> ApprovalView:
        """What comes of it when one operator asks and the other approves."""
        asked = msgspec.json.decode(
            await self._asking.request("POST", path, body=msgspec.json.encode(body)), type=ApprovalView
        )
        with pytest.raises(Refused, match="approval-required"):
            await self._asking.request("POST", f"/v1/approvals/{asked.id}/approve")
        decided = await self._deciding.request("POST", f"/v1/approvals/{asked.id}/approve")
        return msgspec.json.decode(decided, type=ApprovalView)


@pytest.fixture
async def office(dsn: str, tmp_path: Path) -> AsyncIterator[Office]:
    """A node that serves, with two operators who were added at the machine."""
    settings = Settings(data_dir=tmp_path, environ={}, lane_count=2, port=0)
    async with AsyncExitStack() as stack:
        node = await stack.enter_async_context(open_node(settings, Addresses(dsn, None)))
        port = await stack.enter_async_context(open_server(node, settings))
        clients = []
        for name in ("li-wei", "wang-fang"):
            added = await add_operator(node.pool, node.keyring, node.ids, name=name, role="operations", region=110000)
            assert isinstance(added, AddedOperator)
            credentials = Credentials.load(keyid=added.keyid, alg="ed25519", key=added.private_key)
            clients.append(EngineClient(f"http://127.0.0.1:{port}", credentials))
            stack.push_async_callback(clients[-1].close)
        yield Office(node, f"http://127.0.0.1:{port}", *clients)


async def a_card(sql: asyncpg.Connection, bank: BankId) -> CardId:
    """A card of a bank and the phone that shows its codes."""
    card = CardId(an_id(IdKind.CARD))
    payer = Payer(
        id=card,
        status=CardStatus.ACTIVE,
        issue_level=IssueLevel.PAYMENT,
        bank=bank,
        bank_allowance=100_000,
        tender_order=TenderOrder.PERSONAL_ACCOUNT_FIRST,
        limit_day=date.min,
    )
    await sql.copy_records_to_table("payer", records=[payer_row(payer)])
    await sql.copy_records_to_table("device", records=[(DEVICE_NO, card, 1, False)])
    return card


async def test_two_operators_take_a_node_into_service(office: Office, sql: asyncpg.Connection) -> None:
    bank = await office.agree("/v1/participants", a_bank(settlement_bank=True))
    for pay_type in ("310100", "310200"):
        fund: Json = {"region": "110100", "fund_pay_type": pay_type, "bank": HARBOUR_BANK, "reason": "contract"}
        await office.agree("/v1/funds", fund)
    merchant = await office.agree("/v1/participants", a_merchant(key={"alg": "hmac-sha256"}))
    secret = merchant.secret
    assert secret is not msgspec.UNSET
    await a_card(sql, BankId(parse_participant_id(bank.subject)))
    key = device_key(office.node.keyring.device_master, 1, DEVICE_NO)
    code = pay_code_at(key, DEVICE_NO, 0, office.node.clock.business_s())
    credentials = Credentials.load(keyid=secret.keyid, alg=secret.alg, key=secret.key)
    async with EngineClient(office.base_url, credentials) as till:
        payment = await till.pay(pay_code=code, order_no="A-1", amount=500, scenario="pharmacy", terminal_id="T-02")
    assert (payment.status, payment.merchant_id) == ("captured", merchant.subject)
    credited = await sql.fetchval("SELECT sum(credits_posted) FROM balance")
    assert credited == 500


async def test_names_of_operators_are_unique_and_regions_real(office: Office) -> None:
    for name, region in (("li-wei", 110000), ("zhao-min", 110001), ("", 0), ("Zhao", 0)):
        refused = await add_operator(
            office.node.pool, office.node.keyring, office.node.ids, name=name, role="audit", region=region
        )
        assert not isinstance(refused, AddedOperator)


async def test_operators_that_can_decide_are_counted(office: Office) -> None:
    for name, role, count in (("a", "audit", 2), ("b", "review", 3)):
        added = await add_operator(
            office.node.pool, office.node.keyring, office.node.ids, name=name, role=role, region=0
        )
        assert isinstance(added, AddedOperator)
        assert added.deciding_count == count
        assert "PRIVATE" not in repr(added)
        assert id_text(parse_participant_id(added.id)) == added.id
