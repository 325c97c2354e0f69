"""Metrics and logs: what the engine tells the people who run it."""

import logging
import sys
from collections.abc import Mapping
from typing import Final

import msgspec
import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from engine.core.settlement import AlarmKind
from engine.ledger.lane import BatchDone

_SECONDS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
_SIZES: Final = (1, 2, 4, 8, 16, 32, 64, 128)


class Metrics:
    """One process's metrics, in a registry of their own. What to do about each is in engine/README.md."""

    def __init__(self) -> None:
        """Nothing measured yet."""
        self.registry = CollectorRegistry()
        self._requests = Histogram(
            "engine_request_seconds",
            "Time to answer, by route and status",
            ["route", "status"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._batch_seconds = Histogram(
            "engine_batch_seconds",
            "Time of a lane's batch from its first statement to its commit",
            ["lane"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._commit_seconds = Histogram(
            "engine_commit_seconds",
            "Time of a lane's COMMIT: the disk",
            ["lane"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._batch_commands = Histogram(
            "engine_batch_commands",
            "Commands in a batch",
            ["lane"],
            buckets=_SIZES,
            registry=self.registry,
        )
        self.queued = Gauge("engine_queued_commands", "Commands that wait for a batch", registry=self.registry)
        self.serving = Gauge("engine_lanes_serving", "1 while every lane holds its session", registry=self.registry)
        self.hints_degraded = Gauge("engine_hints_degraded", "1 while Valkey cannot be asked", registry=self.registry)
        self._worker_faults = Counter(
            "engine_worker_faults", "Worker turns that failed", ["worker"], registry=self.registry
        )
        self._alarms = Gauge(
            "engine_clearing_alarms", "Alarms of clearing that are on, by kind", ["kind"], registry=self.registry
        )
        self._observers: dict[tuple[str, int], Histogram] = {}

    def observe_request(self, route: str, status: int, took_s: float) -> None:
        """Count one answer."""
        observer = self._observers.get((route, status))
        if observer is None:
            observer = self._observers[route, status] = self._requests.labels(route, str(status))
        observer.observe(took_s)

    def observe_batch(self, batch: BatchDone) -> None:
        """Count one committed batch."""
        lane = str(batch.lane)
        self._batch_seconds.labels(lane).observe(batch.took_s)
        self._commit_seconds.labels(lane).observe(batch.commit_s)
        self._batch_commands.labels(lane).observe(batch.command_count)

    def count_fault(self, worker: str) -> None:
        """Count a turn of a background loop that failed."""
        self._worker_faults.labels(worker).inc()

    def show_alarms(self, counts: Mapping[AlarmKind, int]) -> None:
        """Show how many alarms of each kind are on."""
        for kind, count in counts.items():
            self._alarms.labels(kind.value).set(count)

    def exposition(self) -> bytes:
        """The metrics in Prometheus' text format."""
        return generate_latest(self.registry)


def configure_logs(*, level: str = "info") -> None:
    """Write structured logs to stderr, one JSON object a line."""
    encode = msgspec.json.Encoder(enc_hook=repr).encode
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(serializer=lambda event, **_: encode(event).decode()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
