"""A node with its SFTP server: `harbour` is shared by the tests of a module, `lone_harbour` is one test's own."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from engine.core.calendar import CycleNumber
from tests.sftp.harbour import Harbour, open_harbour
from tests.web.api import Api
from tests.web.conftest import api, city

__all__ = ["api", "city"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def harbour(city: Api) -> AsyncIterator[Harbour]:
    """An SFTP server that a module's tests share."""
    async with open_harbour(city) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cycle(city: Api) -> CycleNumber:
    """A cycle that is out; every bank has items in it."""
    for card in range(6):
        await city.paid(card=card, amount=100_000)  # all that is on the personal account; more would want a password
        reply = await city.pay(card=card, amount=500 + card, caller=f"merchant-{card % 2}")
        assert reply.status == 201, reply.body
    return await city.publish()


@pytest.fixture
async def lone_harbour(api: Api) -> AsyncIterator[Harbour]:
    """An SFTP server of this test's own."""
    async with open_harbour(api) as opened:
        yield opened
