"""`engine bench`: how fast the engine is, beside yardsticks measured in the same run."""

import asyncio
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final, TypeAlias

import typer
import uvloop

from engine.bench.children import ChildFailed
from engine.bench.cluster import Cluster, ProgramFailed
from engine.bench.figures import Figure, write_figures
from engine.bench.measure_benefits import measure_benefits
from engine.bench.measure_cards import ROWS_MIN as CARD_ROWS_MIN
from engine.bench.measure_cards import measure_cards
from engine.bench.measure_clearing import measure_clearing
from engine.bench.measure_close import measure_close
from engine.bench.measure_http import NothingPaid, measure_http
from engine.bench.measure_ledger import measure_ledger
from engine.bench.measure_reconcile import ROWS_MIN, measure_reconcile
from engine.bench.report import failures_text, figures_report, machine_text
from engine.bench.signed_payments import CardsUsedUp
from engine.cli.nodes import note
from engine.cli.options import DATA_DIR, DataDir, Exit, err, fail, out, progress_bar
from engine.embedded.faults import ServiceMissing
from engine.embedded.postgres import EmbeddedPostgres
from engine.flows.verify_books import BooksReport, verify_books
from engine.store.faults import Fault
from engine.telemetry import configure_logs

TURNS: Final = 5  # short and many: what else the machine does then falls on both sides of a ratio

CLOSE_TURNS: Final = 3

JsonFile: TypeAlias = Annotated[Path | None, typer.Option("--json", help="Write the figures to this file as well.")]

app = typer.Typer(
    help="Measure the engine beside yardsticks, on a throw-away cluster in the data folder.", no_args_is_help=True
)


@app.command()
def ledger(
    seconds: Annotated[float, typer.Option(min=0.1, help="About how long each run takes.")] = 5.0,
    stored: Annotated[int, typer.Option(min=0, help="Measure on this many stored payments as well.")] = 0,
    json_file: JsonFile = None,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Commands through lanes, beside COPY of the same rows and beside pgbench. Exit 1 if the books do not balance."""
    load_before = os.getloadavg()[0]
    configure_logs(level="warning")
    with _throw_away(data_dir) as folder, _services_or_exit(), EmbeddedPostgres(folder) as server:
        work = measure_ledger(Cluster(server), seconds=seconds, stored=stored, turns=TURNS, say=note)
        result = uvloop.run(work)
        reports = [_verified(dsn) for dsn in result.books]
    for reason in result.skipped:
        err.print(f"SKIPPED {reason}", markup=False)
    conclude(result.figures, result.refusals, reports, json_file, load_before)


@app.command()
def http(
    rate: Annotated[float, typer.Option(min=1, help="Arrivals a second of the latency runs.")] = 1_000.0,
    seconds: Annotated[float, typer.Option(min=0.1, max=20, help="About how long each run takes.")] = 5.0,
    json_file: JsonFile = None,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Signed payments over HTTP, beside a bare echo; latencies, a hot merchant, a start. Exit 1 if one fails."""
    load_before = os.getloadavg()[0]
    configure_logs(level="warning")
    with _throw_away(data_dir) as folder, _services_or_exit():
        result = uvloop.run(measure_http(folder, rate=rate, seconds=seconds, turns=TURNS, say=note))
        with EmbeddedPostgres(folder) as server:
            reports = [_verified(server.dsn)]
    conclude(result.figures, result.failures, reports, json_file, load_before)


@app.command()
def clearing(
    rows: Annotated[int, typer.Option(min=1, help="Captured payments of the cycle.")] = 1_000_000,
    seconds: Annotated[
        float, typer.Option(min=0.1, max=10, help="About how long a run of payments takes, which open ones double.")
    ] = 5.0,
    json_file: JsonFile = None,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Close a cycle and publish its files, beside COPY of the same columns, and close one under a load of payments.
    Exit 1 if a payment fails or the books do not balance.
    """
    load_before = os.getloadavg()[0]
    configure_logs(level="warning")
    with _throw_away(data_dir) as folder, _services_or_exit():
        with EmbeddedPostgres(folder) as server:
            result = uvloop.run(measure_clearing(Cluster(server), folder, rows=rows, say=note))
            reports = [_verified(result.books)]
        with _throw_away(folder) as busy:
            under_load = uvloop.run(measure_close(busy, seconds=seconds, turns=CLOSE_TURNS, say=note))
            with EmbeddedPostgres(busy) as server:
                reports.append(_verified(server.dsn))
    failures = Counter(result.failures) + Counter(under_load.failures)
    conclude((*result.figures, *under_load.figures), failures, reports, json_file, load_before)


@app.command()
def reconcile(
    rows: Annotated[int, typer.Option(min=ROWS_MIN, help="Lines of the statement.")] = 1_000_000,
    json_file: JsonFile = None,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """A bank's statement beside its clearing files. Exit 1 if anything else is found than was planted."""
    load_before = os.getloadavg()[0]
    configure_logs(level="warning")
    with _throw_away(data_dir) as folder, _services_or_exit(), EmbeddedPostgres(folder) as server:
        result = uvloop.run(measure_reconcile(Cluster(server), folder, rows=rows, say=note))
    conclude(result.figures, result.failures, [], json_file, load_before)
    out.print("every planted fault was found, and nothing else")


@app.command()
def benefits(
    bills: Annotated[int, typer.Option(min=1, help="Bills of each kind in a run.")] = 100_000,
    json_file: JsonFile = None,
) -> None:
    """Medical bills split by the pure calculator, on one core. Exit 1 if one is refused."""
    load_before = os.getloadavg()[0]
    result = measure_benefits(bills=bills, turns=TURNS, say=note)
    conclude(result.figures, result.refusals, [], json_file, load_before)


@app.command()
def cards(
    rows: Annotated[int, typer.Option(min=CARD_ROWS_MIN, help="Lines of the file.")] = 1_000_000,
    json_file: JsonFile = None,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """A file of cards into the register, and what memory that takes. Exit 1 if a line is lost, or a fault missed."""
    load_before = os.getloadavg()[0]
    configure_logs(level="warning")
    with _throw_away(data_dir) as folder, _services_or_exit(), EmbeddedPostgres(folder) as server:
        result = uvloop.run(measure_cards(Cluster(server), folder, rows=rows, say=note))
    conclude(result.figures, result.failures, [], json_file, load_before)


@contextmanager
def _throw_away(data_dir: Path) -> Iterator[Path]:
    """A new folder on the disk that the engine's data are on: what fsync costs there is what counts."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="bench-", dir=data_dir))
    except OSError as error:
        fail(Exit.SERVICE_MISSING, f"The data folder {data_dir} cannot be used: {error}")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _services_or_exit() -> Iterator[None]:
    try:
        yield
    except (ServiceMissing, ProgramFailed, Fault) as error:
        fail(Exit.SERVICE_MISSING, str(error))
    except (ChildFailed, NothingPaid, CardsUsedUp) as error:
        fail(Exit.CHECK_FAILED, f"FAILED: {error}")


def _verified(dsn: str) -> BooksReport:
    with progress_bar() as bar:
        tasks = {}

        def progress(name: str, done: int, total: int) -> None:
            if name not in tasks:
                tasks[name] = bar.add_task(f"Verify {name}")
            bar.update(tasks[name], completed=done, total=total)

        return asyncio.run(verify_books(dsn, public_keys=None, progress=progress))


def conclude(
    figures: Sequence[Figure],
    failures: Mapping[str, int],
    reports: Sequence[BooksReport],
    json_file: Path | None,
    load_before: float,
) -> None:
    """Show everything. A missed target is a figure; a payment that failed, or books that are off, is an error."""
    out.print(figures_report(figures))
    out.print(machine_text(load_before))
    if json_file is not None:
        write_figures(json_file, figures)
    if failures:
        err.print(f"FAILED requests: {failures_text(failures)}", markup=False)
    violations = [report.violation.text for report in reports if report.violation is not None]
    for violation in violations:
        err.print(f"FAILED: {violation}", markup=False)
    if reports:
        out.print("books DO NOT balance" if violations else "books balance")
    if failures or violations:
        raise typer.Exit(Exit.CHECK_FAILED)
