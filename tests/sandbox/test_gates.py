"""The sample city's gates: what `sandbox.json` tells of them is what the engine takes for right."""

from pathlib import Path

import asyncpg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from engine.codes.keys import Keyring
from engine.core.ids import IdKind, MerchantId, parse_id
from engine.core.scenarios import BY_NAME
from engine.sandbox.city import sample_city
from engine.sandbox.load import CityLoader
from engine.settings import Settings, master_secret
from engine.store.gates import load_gates
from engine.wiring import Addresses, open_node


async def test_gates_have_the_keys_that_the_guide_tells(dsn: str, sql: asyncpg.Connection, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, environ={}, is_sandbox=True, lane_count=1, port=0)
    master = master_secret(tmp_path, {})
    async with open_node(settings, Addresses(dsn, None)) as node:
        loader = CityLoader(sample_city(), Keyring(master), master=master, card_count=4)
        await loader.load(sql, node.ledger, progress=lambda _: None)
    told = {caller.name: caller for caller in loader.describe().callers if caller.gates is not None}
    assert told.keys() == {"metro-01", "park-01", "museum-01"}
    keys = set()
    for caller in told.values():
        assert caller.gates is not None
        merchant = MerchantId(parse_id(caller.id, IdKind.MERCHANT))
        found = await load_gates(sql, merchant, [gate.terminal_id for gate in caller.gates])
        for gate in caller.gates:
            private = load_pem_private_key(gate.key.encode(), None)
            assert isinstance(private, Ed25519PrivateKey)
            (key,) = found[gate.terminal_id].keys
            assert key.key.verify(b"ticket", private.sign(b"ticket"))
            assert not key.key.verify(b"ticket", private.sign(b"other"))
            keys.add(gate.key)
    assert len(keys) == await sql.fetchval("SELECT count(*) FROM terminal_key"), "each gate has its own"


def test_gates_are_where_people_are_let_in_without_a_network() -> None:
    for merchant in sample_city().merchants:
        is_offline = all(BY_NAME[name].is_offline for name in merchant.scenarios)
        assert bool(merchant.gates) == is_offline, merchant.slug
        assert not set(merchant.gates) & set(merchant.terminals)
