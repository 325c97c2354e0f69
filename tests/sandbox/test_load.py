"""The sample city in a database: what `sandbox.json` tells of a card is what the engine takes for right."""

from pathlib import Path

import asyncpg

from engine.client.passwords import PasswordSealer
from engine.codes.keys import Keyring
from engine.codes.password_block import BoundTo
from engine.core.commands import PasswordProof
from engine.core.ids import IdKind, parse_id
from engine.sandbox.city import sample_city
from engine.sandbox.city_state import is_older_city
from engine.sandbox.load import CityLoader, SandboxCard
from engine.sandbox.plans import relative_of
from engine.settings import Settings, master_secret
from engine.web.node import Node
from engine.web.render import encode_json
from engine.wiring import Addresses, open_node

CARDS = 40


async def is_told_right(node: Node, card: SandboxCard, card_no: str, password: str) -> bool:
    """Whether number and password lead to the card, and are good."""
    sealer = PasswordSealer(encode_json({"keys": [node.passwords.keys.published]}))
    block = sealer.seal(password, order_no="A-1")
    found = await node.card_numbers.card_of(card_no)
    proof = await node.passwords.check_password(found, block, BoundTo(order_no="A-1"), now_s=node.clock.wall_s())
    return found == parse_id(card.id, IdKind.CARD) and proof == PasswordProof(is_right=True, version=1)


async def test_cards_have_the_numbers_and_passwords_that_the_guide_tells(
    dsn: str, sql: asyncpg.Connection, tmp_path: Path
) -> None:
    settings = Settings(data_dir=tmp_path, environ={}, is_sandbox=True, lane_count=1, port=0)
    master = master_secret(tmp_path, {})
    async with open_node(settings, Addresses(dsn, None)) as node:
        loader = CityLoader(sample_city(), Keyring(master), master=master, card_count=CARDS)
        await loader.load(sql, node.ledger, progress=lambda _: None)
        first, second, *others = loader.describe().cards
        assert len(others) == CARDS - 2
        assert await is_told_right(node, first, first.card_no, first.password)
        assert await is_told_right(node, second, second.card_no, second.password)
        assert not await is_told_right(node, first, second.card_no, second.password)
        assert not await is_told_right(node, first, first.card_no, second.password)
        before = await rows(sql)
        assert len(before) == 2 * CARDS
        await loader.load(sql, node.ledger, progress=lambda _: None)
        assert await rows(sql) == before


async def test_cards_have_their_holders_settings_and_relatives(
    dsn: str, sql: asyncpg.Connection, tmp_path: Path
) -> None:
    settings = Settings(data_dir=tmp_path, environ={}, is_sandbox=True, lane_count=1, port=0)
    master, city = master_secret(tmp_path, {}), sample_city()
    async with open_node(settings, Addresses(dsn, None)) as node:
        loader = CityLoader(city, Keyring(master), master=master, card_count=CARDS)
        assert not await is_older_city(sql)
        await loader.load(sql, node.ledger, progress=lambda _: None)
    ids = {int(card.device_no) % 10**8: parse_id(card.id, IdKind.CARD) for card in loader.describe().cards}
    found = {
        row["id"]: (row["password_version"], row["no_password_up_to"], row["family"])
        for row in await sql.fetch("SELECT id, password_version, no_password_up_to, family FROM payer")
    }
    helped = 0
    for holder in city.cardholders(CARDS):
        relative = relative_of(holder, seed=city.seed)
        family = ids[relative.index] if relative is not None else None
        helped += family is not None
        assert found[ids[holder.index]] == (1, holder.no_password_up_to_fen, family)
    assert helped


async def test_city_of_before_there_were_passwords_is_known(dsn: str, sql: asyncpg.Connection, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, environ={}, is_sandbox=True, lane_count=1, port=0)
    async with open_node(settings, Addresses(dsn, None)) as node:
        master = master_secret(tmp_path, {})
        loader = CityLoader(sample_city(), Keyring(master), master=master, card_count=4)
        await loader.load(sql, node.ledger, progress=lambda _: None)
    assert not await is_older_city(sql)
    await sql.execute("UPDATE payer SET password_version = 0")
    assert await is_older_city(sql)


async def rows(sql: asyncpg.Connection) -> list[tuple[object, ...]]:
    """Numbers and passwords of all cards."""
    numbers = await sql.fetch("SELECT * FROM card_number ORDER BY number_index")
    passwords = await sql.fetch("SELECT * FROM card_password ORDER BY card")
    return [tuple(row) for row in (*numbers, *passwords)]
