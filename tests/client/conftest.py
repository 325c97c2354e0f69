"""The client's own tests: an engine to ask, a relay in between, and no waiting between attempts."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
import stamina

from engine.client.client import ATTEMPTS_MAX
from tests.client.relay import Relay, open_relay
from tests.web.api import Api
from tests.web.conftest import city

__all__ = ["city"]


@pytest.fixture(autouse=True)
def _no_waiting() -> Iterator[None]:
    stamina.set_testing(True, attempts=ATTEMPTS_MAX, cap=True)
    yield
    stamina.set_testing(False)


@pytest_asyncio.fixture(loop_scope="module")
async def relay(city: Api) -> AsyncIterator[Relay]:
    """A relay to the city's engine."""
    async with open_relay(city.base_url) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def lonely_relay() -> AsyncIterator[Relay]:
    """A relay with nothing behind it: what it answers is all that there is."""
    async with open_relay(None) as opened:
        yield opened
