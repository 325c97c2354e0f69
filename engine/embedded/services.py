"""The two services a node needs: at the addresses it is given, else embedded ones."""

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from engine.embedded.postgres import EmbeddedPostgres
from engine.embedded.server import NO_SETTINGS, EmbeddedServer
from engine.embedded.valkey import EmbeddedValkey


class Services:
    """Addresses of PostgreSQL and Valkey; those nobody runs for us are children of this process from `start` on."""

    def __init__(self, *, database: str | EmbeddedPostgres, hints: str | EmbeddedValkey) -> None:
        self._database = database
        self._hints = hints

    @classmethod
    def resolve(
        cls, data_dir: Path, environ: Mapping[str, str], *, postgres_settings: Mapping[str, str] = NO_SETTINGS
    ) -> Self:
        """What ``DATABASE_URL`` and ``REDIS_URL`` name, and for each that is not set the embedded one of *data_dir*.

        Nothing is started and nothing is looked for yet.
        """
        return cls(
            database=environ.get("DATABASE_URL")
            or EmbeddedPostgres(data_dir, environ=environ, extra_settings=postgres_settings),
            hints=environ.get("REDIS_URL") or EmbeddedValkey(data_dir, environ=environ),
        )

    @property
    def database_url(self) -> str:
        """PostgreSQL's address; an embedded one has it from `start` to `stop`, over every restart."""
        return self._database if isinstance(self._database, str) else self._database.dsn

    @property
    def redis_url(self) -> str:
        """Valkey's address; an embedded one has it from `start` to `stop`, over every restart."""
        return self._hints if isinstance(self._hints, str) else self._hints.url

    @property
    def embedded(self) -> tuple[EmbeddedServer, ...]:
        """The servers to watch: each has `is_alive` and `restart`."""
        return tuple(server for server in (self._database, self._hints) if isinstance(server, EmbeddedServer))

    def start(self) -> None:
        """Both services are there. Call it before the event loop: it blocks, a second on a new data folder.

        Raises:
            ServiceMissing: one of them cannot be had; none is left running.
        """
        try:
            for server in self.embedded:
                server.attach_or_start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """What this process started has ended in good order, the last one first."""
        for server in reversed(self.embedded):
            server.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
