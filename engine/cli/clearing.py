"""`engine clearing`: cycles by hand."""

import json
import os
from collections.abc import Awaitable, Callable
from datetime import date, time
from typing import Annotated, TypeVar

import msgspec
import typer

from engine.cli.nodes import addresses_of, run_with_services
from engine.cli.options import DATA_DIR, AsJson, DataDir, Exit, fail, out
from engine.cli.reconcile import reconcile
from engine.core.calendar import CycleNumber, cycle_text, parse_cycle
from engine.core.ids import id_text
from engine.core.refusals import Refusal
from engine.core.settlement import Instruction, Outcome
from engine.core.timetable import Timetable
from engine.embedded.services import Services
from engine.flows.ledger_clearing import LedgerClearing
from engine.flows.settle_cycle import Answered, answer_settlement
from engine.flows.watch_clearing import CapExceeded
from engine.settings import Settings
from engine.store.clearing_reads import ClearingReads
from engine.store.clearing_session import load_clearing_state
from engine.store.faults import translated
from engine.store.settlement import load_alarms, load_timetable, load_unsettled, set_timetable, set_working_day
from engine.wiring import Books, open_books, open_lane, prepare_database
from engine.workers.timetable import close_and_publish, instruct_by_hand

T = TypeVar("T")

FILES_SHOWN_MAX = 1_000

app = typer.Typer(help="Close cycles, settle them, see how far they are, list their files.", no_args_is_help=True)
app.command("reconcile")(reconcile)


@app.command("close")
def close(data_dir: DataDir = DATA_DIR) -> None:
    """Close the open cycle now, and publish its files."""

    async def run(books: Books) -> CycleNumber:
        try:
            async with open_lane(books.database_url) as ledger:
                posting = LedgerClearing(books.pool, ledger, books.database_url)
                return await close_and_publish(books.database_url, books.signing_keys[0], books=posting)
        except CapExceeded as exceeded:
            banks = ", ".join(f"{id_text(one.bank)} {one.used} of {one.cap} fen" for one in exceeded.exceeded)
            held = cycle_text(exceeded.cycle)
            fail(
                Exit.CHECK_FAILED,
                f"Closed, but {held} is not published: net debit caps would be exceeded ({banks}). Once they are"
                " raised, it comes out.",
            )

    cycle = _with_books(data_dir, run)
    out.print(f"closed and published {cycle_text(cycle)}")


@app.command("status")
def status(data_dir: DataDir = DATA_DIR, as_json: AsJson = False) -> None:
    """Show the open cycle, when it is due, what is not published, what is not settled, and the alarms that are on."""

    async def run(books: Books) -> dict[str, object]:
        state = await load_clearing_state(books.pool)
        with translated():
            unsettled = await load_unsettled(books.pool)
            alarms = await load_alarms(books.pool)
        return {
            "now": state.now.isoformat(),
            "business_date": state.control.business_date.isoformat(),
            "open_cycle": cycle_text(state.control.cycle),
            "cutoff_at": state.control.cutoff_at.isoformat(),
            "unpublished": [cycle_text(cycle) for cycle in state.unpublished],
            "unsettled": [cycle_text(one.cycle) for one in unsettled],
            "alarms": [f"{one.kind} {cycle_text(one.cycle)} {id_text(one.bank)}" for one in sorted(alarms)],
        }

    _show(_with_books(data_dir, run), as_json=as_json)


@app.command("settle")
def settle(
    cycle: Annotated[str | None, typer.Option(help="Only this cycle, such as 20261124-01.")] = None,
    confirmed: Annotated[
        str | None, typer.Option(help="The settlement bank's reference: it has settled --cycle.")
    ] = None,
    failed: Annotated[str | None, typer.Option(help="The settlement bank's reference: it could not settle it.")] = None,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Tell the settlement bank now what published cycles move, or take down what it has answered."""
    wished = _cycle_of(cycle) if cycle is not None else None
    if confirmed is not None and failed is not None:
        fail(Exit.WRONG_USAGE, "Give one of --confirmed and --failed.")
    outcome, reference = (Outcome.CONFIRMED, confirmed) if confirmed is not None else (Outcome.FAILED, failed)

    async def instruct(books: Books) -> tuple[Instruction, ...]:
        async with open_lane(books.database_url) as ledger:
            posting = LedgerClearing(books.pool, ledger, books.database_url)
            return await instruct_by_hand(books.database_url, cycle=wished, books=posting)

    if reference is None:
        instructed = _with_books(data_dir, instruct)
        for instruction in instructed:
            out.print(_told(instruction))
        out.print(f"{len(instructed)} cycles instructed")
        return
    if wished is None:
        fail(Exit.WRONG_USAGE, "Say with --cycle which one was answered for.")
    answered, said = wished, reference

    async def answer(books: Books) -> Answered | Refusal:
        async with open_lane(books.database_url) as ledger:
            posting = LedgerClearing(books.pool, ledger, books.database_url)
            return await answer_settlement(books.pool, cycle=answered, outcome=outcome, reference=said, books=posting)

    taken = _with_books(data_dir, answer)
    if isinstance(taken, Refusal):
        fail(Exit.CHECK_FAILED, f"{cycle_text(answered)} takes no such answer: {taken.slug}")
    out.print(_told(taken.instruction))


@app.command("timetable")
def timetable(
    cut_offs: Annotated[str | None, typer.Option(help="Such as 11:00,17:00,23:00; the last is always 23:00.")] = None,
    net_after_s: Annotated[int | None, typer.Option(help="Earliest netting, in seconds after closing.")] = None,
    publish_after_s: Annotated[int | None, typer.Option(help="Earliest publication, the same way.")] = None,
    data_dir: DataDir = DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Show the national timetable, or change it: cut-offs hold from the next cycle that opens."""
    changes = {
        name: value
        for name, value in (
            ("cut_offs", _times_of(cut_offs) if cut_offs is not None else None),
            ("net_after_s", net_after_s),
            ("publish_after_s", publish_after_s),
        )
        if value is not None
    }

    async def run(books: Books) -> Timetable:
        with translated():
            async with books.pool.acquire() as connection, connection.transaction():
                shown = await load_timetable(connection)
                if changes:
                    shown = msgspec.structs.replace(shown, **changes)
                    await set_timetable(connection, shown)
        return shown

    try:
        shown = _with_books(data_dir, run)
    except ValueError as error:
        fail(Exit.WRONG_USAGE, str(error))
    _show(
        {
            "cut_offs": [f"{at:%H:%M}" for at in shown.cut_offs],
            "net_after_s": shown.net_after_s,
            "publish_after_s": shown.publish_after_s,
            "pull_by": f"{shown.pull_by:%H:%M}",
            "acknowledge_by": f"{shown.acknowledge_by:%H:%M}",
            "instruct_at": f"{shown.instruct_at:%H:%M}",
            "exceptions": [
                f"{day} {'working' if is_working else 'off'}" for day, is_working in sorted(shown.exceptions.items())
            ],
        },
        as_json=as_json,
    )


@app.command("working-day")
def working_day(
    day: Annotated[str, typer.Argument(help="YYYY-MM-DD.")],
    is_working: Annotated[bool, typer.Option("--working/--off", help="Whether banks settle on it.")],
    reason: Annotated[str, typer.Option(help="Such as the notice that says so.")],
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Decide a day that the calendar does not know or has wrong. Settlement dates that are fixed stay."""
    try:
        decided = date.fromisoformat(day)
    except ValueError:
        fail(Exit.WRONG_USAGE, "A day is written YYYY-MM-DD.")

    async def run(books: Books) -> None:
        with translated():
            async with books.pool.acquire() as connection:
                await set_working_day(connection, decided, is_working=is_working, reason=reason)

    _with_books(data_dir, run)
    out.print(f"{decided} is {'a working day' if is_working else 'off'}")


@app.command("files")
def files(data_dir: DataDir = DATA_DIR, as_json: AsJson = False) -> None:
    """List the published files of all banks, newest cycle first (the last thousand)."""

    async def run(books: Books) -> list[dict[str, object]]:
        found = await ClearingReads(books.pool).all_files(count=FILES_SHOWN_MAX)
        return [
            {
                "name": file.name,
                "count": file.item_count,
                "debit": file.debit_total,
                "credit": file.credit_total,
                "size": file.size,
                "sha256": file.sha256.hex(),
            }
            for file in found
        ]

    shown = _with_books(data_dir, run)
    if as_json:
        out.print_json(json.dumps(shown))
        return
    for file in shown:
        out.print(f"{file['name']}  {file['count']} items, {file['size']} bytes", markup=False)


def _with_books(data_dir: DataDir, work: Callable[[Books], Awaitable[T]]) -> T:
    """Run *work* on the folder's books, brought to the newest schema."""
    settings = Settings(data_dir=data_dir, environ=os.environ)

    async def run(services: Services) -> T:
        await prepare_database(services.database_url)
        async with open_books(settings, addresses_of(services)) as books:
            return await work(books)

    return run_with_services(data_dir, run)


def _show(shown: dict[str, object], *, as_json: bool) -> None:
    if as_json:
        out.print_json(json.dumps(shown))
        return
    for name, value in shown.items():
        out.print(f"{name:16} {value if not isinstance(value, list) else ', '.join(value) or '-'}", markup=False)


def _told(instruction: Instruction) -> str:
    told = instruction.outcome.value if instruction.outcome is not None else "instructed"
    return f"{cycle_text(instruction.cycle)} {told} for {instruction.settlement_date}, attempt {instruction.attempt}"


def _cycle_of(text: str) -> CycleNumber:
    try:
        return parse_cycle(text)
    except ValueError as error:
        fail(Exit.WRONG_USAGE, str(error))


def _times_of(text: str) -> tuple[time, ...]:
    try:
        return tuple(time.fromisoformat(part.strip()) for part in text.split(","))
    except ValueError:
        fail(Exit.WRONG_USAGE, "Cut-offs are written like 11:00,17:00,23:00.")
