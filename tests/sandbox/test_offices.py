"""What stands around the sample city's cards: who takes applications, who lets people log in, who still has to show."""

from pathlib import Path

import asyncpg

from engine.codes.keys import Keyring
from engine.core.applications import ApplicationKind
from engine.core.ids import IdKind, id_text, parse_id
from engine.core.logins import ClientState
from engine.flows.card_register import CardRegister, GivenIdentity
from engine.sandbox.city import sample_city
from engine.sandbox.load import CityLoader
from engine.sandbox.offices import DUE_SOON, PENSIONERS
from engine.settings import Settings, master_secret
from engine.store.logins import load_client
from engine.store.persons import RegisteredCard
from engine.wiring import Addresses, open_node

CARDS = 200


async def test_city_has_offices_a_portal_and_pensioners(dsn: str, sql: asyncpg.Connection, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, environ={}, is_sandbox=True, lane_count=1, port=0)
    master = master_secret(tmp_path, {})
    async with open_node(settings, Addresses(dsn, None)) as node:
        loader = CityLoader(sample_city(), Keyring(master), master=master, card_count=CARDS)
        for _ in range(2):
            await loader.load(sql, node.ledger, progress=lambda _: None)
        loaded = loader.describe()

        offices = await sql.fetch("SELECT kind, office FROM application_office WHERE closed_at IS NULL")
        assert {row["kind"] for row in offices} == set(ApplicationKind)
        known = {parse_id(one.id, IdKind.AGENCY) for one in loaded.callers if one.kind == "agency"}
        known |= {parse_id(one.id, IdKind.BANK) for one in loaded.callers if one.kind == "bank"}
        assert {row["office"] for row in offices} <= known

        (portal,) = loaded.login_clients
        client = await load_client(sql, parse_id(portal.client_id, IdKind.LOGIN_CLIENT))
        assert client is not None
        assert client.state is ClientState.ACTIVE
        assert client.is_secret(portal.secret, now=client.created_at)
        assert client.redirect_uris == portal.redirect_uris
        assert portal.secret not in repr(portal)

        today = (await node.reads.business_now()).control.business_date
        days = [
            (row["due_on"] - today).days
            for row in await sql.fetch(
                "SELECT b.due_on FROM beneficiary b JOIN payer p ON p.id = b.card WHERE p.status = 1 ORDER BY b.due_on"
            )
        ]
        assert len(days) == PENSIONERS
        assert [0 < day < 30 for day in days] == [True] * DUE_SOON + [False] * (PENSIONERS - DUE_SOON)
        assert min(days) > 0, "nobody's benefits are held when the city opens"

        # A channel that has just been let in can issue each card, and let it pay, by what the guide tells of it.
        register = CardRegister(node.pool, node.keyring, node.ids)
        for told in loaded.cards[:3]:
            assert told.bank_account is not None
            given = GivenIdentity(id_number=told.id_number, name=told.holder, card_no=told.card_no)
            card = await register.identified(given, today=today)
            assert isinstance(card, RegisteredCard)
            assert id_text(card.id) == told.id
            shown = {"bank": told.bank, "bank_account": told.bank_account, "phone": told.phone}
            assert register.why_no_payment(card, **shown) is None
