"""`engine bench`: how fast the engine is, beside yardsticks measured in the same run."""

import asyncio
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Final, TypeAlias

import msgspec
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

ROWS: Final = 1_000_000
BILLS: Final = 100_000
TURNS: Final = 5  # short and many: what else the machine does then falls on both sides of a ratio

CLOSE_TURNS: Final = 3

JsonFile: TypeAlias = Annotated[Path | None, typer.Option("--json", help="Write the figures to this file as well.")]

app = typer.Typer(
    help="Measure the engine beside yardsticks, on a throw-away cluster in the data folder.", no_args_is_help=True
)


Seconds: TypeAlias = Annotated[float, typer.Option(min=0.1, max=20, help="About how long each run takes.")]
Rate: TypeAlias = Annotated[float, typer.Option(min=1, help="Arrivals a second of the latency runs.")]
Stored: TypeAlias = Annotated[int, typer.Option(min=0, help="Measure on this many stored payments as well.")]


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What a benchmark gives: figures, whatever was not answered as it should be, and what the books' checks said."""

    figures: tuple[Figure, ...]
    failures: Mapping[str, int] = {}
    reports: tuple[BooksReport, ...] = ()


@app.command()
def ledger(
    seconds: Seconds = 5.0, stored: Stored = 0, json_file: JsonFile = None, data_dir: DataDir = DATA_DIR
) -> None:
    """Commands through lanes, beside COPY of the same rows and beside pgbench. Exit 1 if the books do not balance."""
    _conclude(partial(_ledger, data_dir, seconds, stored), json_file)


@app.command()
def http(
    rate: Rate = 1_000.0, seconds: Seconds = 5.0, json_file: JsonFile = None, data_dir: DataDir = DATA_DIR
) -> None:
    """Signed payments over HTTP, beside a bare echo; latencies, a hot merchant, a start. Exit 1 if one fails."""
    _conclude(partial(_http, data_dir, rate, seconds), json_file)


@app.command()
def clearing(
    rows: Annotated[int, typer.Option(min=1, help="Captured payments of the cycle.")] = ROWS,
    seconds: Annotated[
        float, typer.Option(min=0.1, max=10, help="About how long a run of payments takes, which open ones double.")
    ] = 5.0,
    json_file: JsonFile = None,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Close a cycle and publish its files, beside COPY of the same columns, and close one under a load of payments.
    Exit 1 if a payment fails or the books do not balance.
    """
    _conclude(partial(_clearing, data_dir, rows, seconds), json_file)


@app.command()
def reconcile(
    rows: Annotated[int, typer.Option(min=ROWS_MIN, help="Lines of the statement.")] = ROWS,
    json_file: JsonFile = None,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """A bank's statement beside its clearing files. Exit 1 if anything else is found than was planted."""
    _conclude(partial(_reconcile, data_dir, rows), json_file)
    out.print("every planted fault was found, and nothing else")


@app.command()
def benefits(
    bills: Annotated[int, typer.Option(min=1, help="Bills of each kind in a run.")] = BILLS,
    json_file: JsonFile = None,
) -> None:
    """Medical bills split by the pure calculator, on one core. Exit 1 if one is refused."""
    _conclude(partial(_benefits, bills), json_file)


@app.command()
def cards(
    rows: Annotated[int, typer.Option(min=CARD_ROWS_MIN, help="Lines of the file.")] = ROWS,
    json_file: JsonFile = None,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """A file of cards into the register, and what memory that takes. Exit 1 if a line is lost, or a fault missed."""
    _conclude(partial(_cards, data_dir, rows), json_file)


@app.command("all")
def every(
    rows: Annotated[
        int, typer.Option(min=max(ROWS_MIN, CARD_ROWS_MIN), help="Payments, lines or cards of a run.")
    ] = ROWS,
    seconds: Annotated[float, typer.Option(min=0.1, max=10, help="About how long each run of payments takes.")] = 5.0,
    rate: Rate = 1_000.0,
    stored: Stored = 0,
    bills: Annotated[int, typer.Option(min=1, help="Bills of each kind in a run.")] = BILLS,
    json_file: JsonFile = None,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """All of these one after the other, in one table. Half an hour. Exit 1 if any of them would."""
    parts: tuple[Callable[[], Measured], ...] = (
        partial(_ledger, data_dir, seconds, stored),
        partial(_http, data_dir, rate, seconds),
        partial(_clearing, data_dir, rows, seconds),
        partial(_reconcile, data_dir, rows),
        partial(_benefits, bills),
        partial(_cards, data_dir, rows),
    )

    def measure() -> Measured:
        measured = [part() for part in parts]
        return Measured(
            figures=tuple(figure for one in measured for figure in one.figures),
            failures=sum((Counter(one.failures) for one in measured), Counter()),
            reports=tuple(report for one in measured for report in one.reports),
        )

    _conclude(measure, json_file)


def _ledger(data_dir: Path, seconds: float, stored: int) -> Measured:
    with _throw_away(data_dir) as folder, _services_or_exit(), EmbeddedPostgres(folder) as server:
        work = measure_ledger(Cluster(server), seconds=seconds, stored=stored, turns=TURNS, say=note)
        result = uvloop.run(work)
        reports = tuple(_verified(dsn) for dsn in result.books)
    for reason in result.skipped:
        err.print(f"SKIPPED {reason}", markup=False)
    return Measured(figures=tuple(result.figures), failures=result.refusals, reports=reports)


def _http(data_dir: Path, rate: float, seconds: float) -> Measured:
    with _throw_away(data_dir) as folder, _services_or_exit():
        result = uvloop.run(measure_http(folder, rate=rate, seconds=seconds, turns=TURNS, say=note))
        with EmbeddedPostgres(folder) as server:
            report = _verified(server.dsn)
    return Measured(figures=tuple(result.figures), failures=result.failures, reports=(report,))


def _clearing(data_dir: Path, rows: int, seconds: float) -> Measured:
    with _throw_away(data_dir) as folder, _services_or_exit():
        with EmbeddedPostgres(folder) as server:
            result = uvloop.run(measure_clearing(Cluster(server), folder, rows=rows, say=note))
            report = _verified(result.books)
        with _throw_away(folder) as busy:
            under_load = uvloop.run(measure_close(busy, seconds=seconds, turns=CLOSE_TURNS, say=note))
            with EmbeddedPostgres(busy) as server:
                busy_report = _verified(server.dsn)
    return Measured(
        figures=(*result.figures, *under_load.figures),
        failures=Counter(result.failures) + Counter(under_load.failures),
        reports=(report, busy_report),
    )


def _reconcile(data_dir: Path, rows: int) -> Measured:
    with _throw_away(data_dir) as folder, _services_or_exit(), EmbeddedPostgres(folder) as server:
        result = uvloop.run(measure_reconcile(Cluster(server), folder, rows=rows, say=note))
    return Measured(figures=tuple(result.figures), failures=result.failures)


def _benefits(bills: int) -> Measured:
    result = measure_benefits(bills=bills, turns=TURNS, say=note)
    return Measured(figures=tuple(result.figures), failures=result.refusals)


def _cards(data_dir: Path, rows: int) -> Measured:
    with _throw_away(data_dir) as folder, _services_or_exit(), EmbeddedPostgres(folder) as server:
        result = uvloop.run(measure_cards(Cluster(server), folder, rows=rows, say=note))
    return Measured(figures=tuple(result.figures), failures=result.failures)


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


def _conclude(measure: Callable[[], Measured], json_file: Path | None) -> None:
    """Measure, and show everything. A missed target is a figure; a payment that failed, or books that are off, is an
    error.
    """
    load_before = os.getloadavg()[0]
    configure_logs(level="warning")
    conclude(measure(), json_file, load_before)


def conclude(measured: Measured, json_file: Path | None, load_before: float) -> None:
    """Show everything, and end with exit 1 if anything but a target was missed."""
    out.print(figures_report(measured.figures))
    out.print(machine_text(load_before))
    if json_file is not None:
        write_figures(json_file, measured.figures)
    if measured.failures:
        err.print(f"FAILED requests: {failures_text(measured.failures)}", markup=False)
    violations = [report.violation.text for report in measured.reports if report.violation is not None]
    for violation in violations:
        err.print(f"FAILED: {violation}", markup=False)
    if measured.reports:
        out.print("books DO NOT balance" if violations else "books balance")
    if measured.failures or violations:
        raise typer.Exit(Exit.CHECK_FAILED)
