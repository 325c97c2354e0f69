"""How far a database has the sample city."""

from collections.abc import Sequence

import asyncpg

from engine.core.commands import Operation
from engine.core.ids import NO_ID, CallerId
from engine.sandbox.city_plans import has_city_plans
from engine.sandbox.load import SandboxCard
from engine.store.sql import load_queries


async def is_older_city(connection: asyncpg.Connection) -> bool:
    """True if the database has a city of before its cards had passwords and insurances. Those cannot be added: what
    a payment checks of a cardholder is only ever changed by lanes.
    """
    return bool(await connection.fetchval(load_queries("sandbox")["is_older_city"]))


async def is_loaded(connection: asyncpg.Connection, cards: Sequence[SandboxCard]) -> bool:
    """True if the city's plans and the balances of all *cards* were brought in: then there is nothing to load."""
    if not await has_city_plans(connection):
        return False
    opened = await connection.fetchval(
        load_queries("sandbox")["opened_accounts"], CallerId(NO_ID), Operation.OPEN_ACCOUNT
    )
    return bool(opened == sum(1 for card in cards if card.personal_account))
