"""`engine migrate`, `engine verify`, `engine doctor`: looking after a data folder."""

import json
import os

import typer

from engine.cli.demo import verified
from engine.cli.nodes import addresses_of, run_with_services
from engine.cli.options import DATA_DIR, AsJson, DataDir, Exit, out
from engine.embedded.services import Services
from engine.flows.clock import Clock
from engine.flows.examine_node import Finding, examine_node
from engine.settings import Settings
from engine.wiring import open_books, prepare_database


def migrate(data_dir: DataDir = DATA_DIR) -> None:
    """Bring the database to the newest schema, and make partitions ahead of time."""

    async def run(services: Services) -> None:
        applied = await prepare_database(services.database_url)
        out.print("\n".join(f"applied {name}" for name in applied) or "nothing to apply")

    run_with_services(data_dir, run)


def verify(data_dir: DataDir = DATA_DIR, as_json: AsJson = False) -> None:
    """Prove the books: chains, postings, balances, payments, files. Exit code 1 and the first violation if not."""
    settings = Settings(data_dir=data_dir, environ=os.environ)

    async def run(services: Services) -> bool:
        await prepare_database(services.database_url)
        async with open_books(settings, addresses_of(services)) as books:
            report = await verified(books.database_url, books.signing_keys)
        violation = report.violation
        if as_json:
            out.print_json(
                json.dumps(
                    {
                        "balanced": violation is None,
                        "violation": violation.text if violation is not None else None,
                    }
                )
            )
        elif violation is not None:
            out.print(f"books DO NOT balance: {violation.text}", markup=False)
        else:
            out.print("books balance")
        return violation is None

    if not run_with_services(data_dir, run):
        raise typer.Exit(Exit.CHECK_FAILED)


def doctor(data_dir: DataDir = DATA_DIR, as_json: AsJson = False) -> None:
    """Look for what would stop payments, and say what to do about each."""
    settings = Settings(data_dir=data_dir, environ=os.environ)

    async def run(services: Services) -> bool:
        async with open_books(settings, addresses_of(services)) as books:
            findings = await examine_node(books.pool, books.valkey, now_s=Clock().wall_s())
        if as_json:
            out.print_json(json.dumps([_finding_json(finding) for finding in findings]))
        else:
            for finding in findings:
                mark = "ok  " if finding.ok else "WARN" if finding.is_warning else "FAIL"
                out.print(f"{mark} {finding.check}" + ("" if finding.ok else f": {finding.what_to_do}"), markup=False)
        return all(finding.ok or finding.is_warning for finding in findings)

    if not run_with_services(data_dir, run):
        raise typer.Exit(Exit.CHECK_FAILED)


def _finding_json(finding: Finding) -> dict[str, object]:
    """A finding for scripts: a warning is not a failure, and says so."""
    return {
        "check": finding.check,
        "ok": finding.ok or finding.is_warning,
        "warning": finding.is_warning and not finding.ok,
        "what_to_do": finding.what_to_do,
    }
