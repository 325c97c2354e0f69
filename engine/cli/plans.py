"""`engine plans`: the rules by which medical bills are split, checked, loaded and listed."""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, NoReturn, TypeAlias

import typer

from engine.cli.nodes import addresses_of, run_with_services
from engine.cli.options import DATA_DIR, AsJson, DataDir, Exit, err, fail, out
from engine.core.benefits import Plan
from engine.core.plan_book import PlanBook, PlanProblem, plan_changes
from engine.embedded.services import Services
from engine.flows.load_plans import LoadedPlans, load_plans
from engine.formats import plan_json
from engine.settings import Settings
from engine.store.plans import load_plan_book
from engine.wiring import open_books, prepare_database

app = typer.Typer(help="Plans of insurances: how medical bills are split.", no_args_is_help=True)

Files: TypeAlias = Annotated[list[Path], typer.Argument(help="JSON, one plan a file; schemas/plans shows two.")]


@app.command()
def check(files: Files) -> None:
    """Say everything that is wrong with plans, or that they can be loaded. Needs no database."""
    plans = _read(files)
    together = plan_changes((), plans)
    if isinstance(together, tuple):
        _fail_for(together)
    for plan in plans:
        out.print(f"{_line(plan)}: right, {len(plan.items)} items", markup=False)


@app.command()
def load(files: Files, data_dir: DataDir = DATA_DIR) -> None:
    """Let plans hold, all of them or none. What is loaded already changes nothing; only its end can be moved."""
    plans = _read(files)
    settings = Settings(data_dir=data_dir, environ=os.environ)

    async def run(services: Services) -> LoadedPlans | tuple[PlanProblem, ...]:
        await prepare_database(services.database_url)
        async with open_books(settings, addresses_of(services)) as books, books.pool.acquire() as connection:
            return await load_plans(connection, plans)

    loaded = run_with_services(data_dir, run)
    if isinstance(loaded, tuple):
        _fail_for(loaded)
    for what, names in (("added", loaded.added), ("ended", loaded.ended), ("unchanged", loaded.unchanged)):
        for name in names:
            out.print(f"{what} {name}", markup=False)


@app.command("list")
def list_plans(data_dir: DataDir = DATA_DIR, as_json: AsJson = False) -> None:
    """Every plan that was ever loaded, by region, insurance and date."""
    settings = Settings(data_dir=data_dir, environ=os.environ)

    async def run(services: Services) -> PlanBook:
        await prepare_database(services.database_url)
        async with open_books(settings, addresses_of(services)) as books:
            _, book = await load_plan_book(books.pool)
            return book

    book = run_with_services(data_dir, run)
    if as_json:
        out.print_json(json.dumps([_summary(plan) for plan in book.plans]))
        return
    for plan in book.plans:
        out.print(_line(plan), markup=False)


def _read(files: list[Path]) -> list[Plan]:
    """The plans of all files; ends the command if anything is wrong with any of them."""
    plans, is_right = [], True
    for file in files:
        try:
            read = plan_json.read(file.read_bytes())
        except OSError as error:
            fail(Exit.WRONG_USAGE, f"{file} cannot be read: {error.strerror}")
        if isinstance(read, Plan):
            plans.append(read)
            continue
        is_right = False
        for fault in read:
            where = f" {fault.pointer}" if fault.pointer else ""
            err.print(f"{file}{where}: {fault.reason}", markup=False)
    if not is_right:
        raise typer.Exit(Exit.CHECK_FAILED)
    return plans


def _fail_for(problems: Iterable[PlanProblem]) -> NoReturn:
    for problem in problems:
        err.print(f"{problem.plan}: {problem.reason}", markup=False)
    raise typer.Exit(Exit.CHECK_FAILED)


def _summary(plan: Plan) -> dict[str, object]:
    return {
        "id": plan.id,
        "region": f"{plan.region:06d}",
        "insurance": str(plan.insurance),
        "valid_from": plan.valid_from.isoformat(),
        "valid_to": plan.valid_to.isoformat() if plan.valid_to is not None else None,
        "items": len(plan.items),
    }


def _line(plan: Plan) -> str:
    until = f"before {plan.valid_to}" if plan.valid_to is not None else "no end decided"
    return f"{plan.id} {plan.region:06d} {plan.insurance} from {plan.valid_from}, {until}"
