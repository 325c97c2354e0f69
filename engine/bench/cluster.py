"""A throw-away PostgreSQL for a benchmark, with as many databases as there are sides."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import asyncpg

from engine.embedded.postgres import DATABASE, USER, EmbeddedPostgres
from engine.store.connection import READ_SETTINGS, connect
from engine.store.migrations import migrate

PGBENCH: Final = "pgbench"
PGBENCH_CLIENTS: Final = 16
_TPS: Final = re.compile(r"^tps = ([0-9.]+) \(without initial connection time\)", re.MULTILINE)


class ProgramFailed(Exception):
    """One of PostgreSQL's programs did not do what it was asked."""


class Cluster:
    """A running server whose databases are all of this benchmark."""

    def __init__(self, server: EmbeddedPostgres) -> None:
        """Use *server*, which runs; its database `engine` stays empty."""
        self._server = server

    def dsn(self, database: str) -> str:
        """The address of one of its databases."""
        return self._server.dsn.replace(f"/{DATABASE}?", f"/{database}?")

    async def create_migrated(self, database: str) -> str:
        """Make a database with the engine's schema. Returns its address.

        Raises:
            ProgramFailed: it cannot be made.
        """
        await self._run("createdb", database)
        async with self.connected(database) as connection:
            await migrate(connection)
        return self.dsn(database)

    @asynccontextmanager
    async def connected(self, database: str) -> AsyncIterator[asyncpg.Connection]:
        """A connection without time limits."""
        settings = READ_SETTINGS | {"statement_timeout": "0"}
        connection = await connect(self.dsn(database), settings, application_name="bench")
        try:
            yield connection
        finally:
            await connection.close()

    async def checkpoint(self) -> None:
        """Write everything to disk, so that no run pays for what was loaded before it."""
        await self._run("psql", "-X", "-c", "CHECKPOINT", DATABASE)

    async def prepare_pgbench(self, scale: int) -> None:
        """Make pgbench's database: 100,000 accounts, ten tellers and one branch for each of *scale*.

        Raises:
            ServiceMissing: this installation has no pgbench.
            ProgramFailed: it did not work.
        """
        self._server.program(PGBENCH)
        await self._run("createdb", PGBENCH)
        await self._run(PGBENCH, "-i", "-q", "-s", str(scale), PGBENCH)

    async def run_pgbench(self, seconds: float) -> float:
        """Transactions a second of pgbench's TPC-B-like script: what a row-locking design gets from this cluster.

        Raises:
            ProgramFailed: it did not work.
        """
        arguments = ("-M", "prepared", "-c", str(PGBENCH_CLIENTS), "-j", "2", "-T", str(max(1, round(seconds))))
        return tps_of(await self._run(PGBENCH, *arguments, PGBENCH))

    async def _run(self, name: str, *arguments: str) -> str:
        process = await asyncio.create_subprocess_exec(
            self._server.program(name),
            *("-h", str(self._server.socket_dir), "-p", str(self._server.port), "-U", USER, *arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await process.communicate()
        if process.returncode != 0:
            raise ProgramFailed(f"{name}: {errors.decode(errors='replace').strip()}")
        return output.decode()


def tps_of(output: str) -> float:
    """The rate that pgbench reports.

    Raises:
        ProgramFailed: it reports none.
    """
    found = _TPS.search(output)
    if found is None:
        raise ProgramFailed(f"{PGBENCH} reports no rate")
    return float(found[1])
