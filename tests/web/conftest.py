"""A node behind HTTP: `api` is one test's own, `city` is shared by the tests of a module."""

import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from engine.embedded.postgres import EmbeddedPostgres
from tests.conftest import TEMPLATE, database_dsn
from tests.web.api import Api, open_api

_numbers = itertools.count(1)


@pytest.fixture
async def api(dsn: str, tmp_path: Path) -> AsyncIterator[Api]:
    """A sandbox node on a database of this test's own."""
    async with open_api(dsn, tmp_path) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def city(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    """A sandbox node that a module's tests share: each pays its own orders, and leaves time and cards as they were."""
    name = f"city_{next(_numbers)}"
    admin = await asyncpg.connect(database_dsn(postgres.dsn, "postgres"))
    await admin.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    async with open_api(database_dsn(postgres.dsn, name), tmp_path_factory.mktemp("city")) as opened:
        yield opened
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()
