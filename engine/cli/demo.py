"""`engine demo`: a city's day in a minute, from the first scan to balanced books."""

import os
import time
from collections import Counter
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import aiohttp
import msgspec
import typer
from rich.table import Table

from engine.cli.nodes import (
    client_of,
    note,
    port_in_use,
    run_with_services,
    sandbox_node,
    until_told_to_stop,
)
from engine.cli.options import DATA_DIR, DataDir, Exit, err, fail, out, progress_bar
from engine.client import Credentials, EngineClient, PasswordSealer
from engine.codes.keys import SigningKey
from engine.core.calendar import CycleNumber, cycle_text
from engine.core.ids import device_serial
from engine.embedded.services import Services
from engine.flows.verify_books import BooksReport, verify_books
from engine.sandbox.bank_day import BankDay, BankReport
from engine.sandbox.camera import scan
from engine.sandbox.city import SampleCity, sample_city
from engine.sandbox.city_gates import OPERATOR, open_gates
from engine.sandbox.guide import FILE_NAME, SandboxGuide
from engine.sandbox.load import SandboxCaller, SandboxCard
from engine.sandbox.people import CARDHOLDERS_DEFAULT, Cardholder
from engine.sandbox.purchases import purchases
from engine.sandbox.shopper import Shopper
from engine.sandbox.tally import Tally
from engine.sandbox.wallet import Wallets
from engine.sandbox.ways_to_pay import Till, WaysToPay
from engine.settings import Settings
from engine.web.node import Node
from engine.workers.timetable import close_and_publish, instruct_by_hand

AT_ONCE: Final = 64
BANKS_FOLDER: Final = "banks"  # in the data folder: what the banks have pulled and sent
GATES_FOLDER: Final = "gates"  # in the data folder: what the gates have taken


class DemoResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a demo did, and whether all of it held."""

    tally: Tally
    cycle: CycleNumber
    banks: tuple[BankReport, ...]
    took_s: float
    report: BooksReport
    faults: tuple[str, ...]


def demo(
    payments: Annotated[int, typer.Option(min=1, help="Payments to capture.")] = 5_000,
    once: Annotated[bool, typer.Option("--once", help="End afterwards; exit code 0 only if all of it held.")] = False,
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 8080,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Run a sandbox: pay over signed HTTP, close a cycle, live a bank day for every bank, verify the books."""
    if port_in_use("127.0.0.1", port):
        fail(Exit.WRONG_USAGE, f"Port {port} is taken. Choose another with --port, or 0 for a free one.")
    settings = Settings(data_dir=data_dir, environ=os.environ, is_sandbox=True, port=port)

    async def run(services: Services) -> bool:
        async with sandbox_node(settings, services) as (node, guide):
            note(f"sandbox on {guide.base_url}")
            result = await _demonstrate(node, guide, payments, data_dir)
            _show(result, guide, settings)
            if not once:
                note("still serving; stop with Ctrl-C")
                await until_told_to_stop(node)
            return not result.faults

    if not run_with_services(data_dir, run):
        raise typer.Exit(Exit.CHECK_FAILED)


async def _demonstrate(node: Node, guide: SandboxGuide, payments: int, folder: Path) -> DemoResult:
    city = sample_city()
    run = f"D{int(node.clock.wall_s()):x}"
    faults: list[str] = []
    async with aiohttp.ClientSession() as session:
        tills = [_till(guide, merchant.slug, session) for merchant in city.merchants]
        await _first_payment(guide, tills[0], run)
        started = time.perf_counter()
        tally = await _shop(city, guide, tills, node, session, run=run, payments=payments, folder=folder / GATES_FOLDER)
        took_s = time.perf_counter() - started
    faults += tally.surprises
    cycle = await close_and_publish(node.database_url, node.signing_keys[0], books=node.clearing)
    banks = await _bank_day(node, guide, city, cycle, folder / BANKS_FOLDER)
    faults += banks.faults
    report = await verified(node.database_url, node.signing_keys)
    if report.violation is not None:
        faults.append(report.violation.text)
    return DemoResult(
        tally=tally,
        cycle=cycle,
        banks=tuple(banks.reports.values()),
        took_s=took_s,
        report=report,
        faults=tuple(faults),
    )


async def _bank_day(node: Node, guide: SandboxGuide, city: SampleCity, cycle: CycleNumber, folder: Path) -> BankDay:
    """Files, acknowledgements, returns, settlement, statements; one bank returns items, another is off by a fen."""
    day = BankDay(
        partial(client_of, guide),
        folder,
        cycle=cycle,
        names=tuple(bank.slug for bank in city.banks),
        at=datetime.fromtimestamp(node.clock.wall_s(), UTC),
    )
    await day.take_files()
    await day.give_back()
    await instruct_by_hand(node.database_url, cycle=cycle, books=node.clearing)
    await day.settle(city.settlement_bank.slug)
    await day.compare()
    return day


def _client(guide: SandboxGuide, caller: SandboxCaller, session: aiohttp.ClientSession) -> EngineClient:
    credentials = Credentials.load(keyid=caller.keyid, alg=caller.alg, key=caller.key)
    return EngineClient(guide.base_url, credentials, session=session)


def _till(guide: SandboxGuide, name: str, session: aiohttp.ClientSession) -> Till:
    caller = guide.caller(name)
    return Till(_client(guide, caller, session), name, caller.id)


def _apps(
    city: SampleCity, holders: list[Cardholder], guide: SandboxGuide, session: aiohttp.ClientSession
) -> dict[int, EngineClient]:
    """Everybody's app, by their place in the city's order."""
    channels = {channel.channel_no: _client(guide, guide.caller(channel.slug), session) for channel in city.channels}
    return {holder.index: channels[holder.channel_no] for holder in holders}


async def _first_payment(guide: SandboxGuide, till: Till, run: str) -> None:
    """The first payment is made as people make it: from the picture on a phone."""
    channel = next(caller.name for caller in guide.callers if caller.kind == "channel")
    async with client_of(guide, channel) as phone:
        picture = await phone.pay_code_image(guide.cards[0].id)
    merchant = guide.caller(till.merchant_name)
    payment = await till.client.pay(
        pay_code=scan(picture),
        order_no=f"{run}-first",
        amount=1_990,
        scenario="outpatient",
        terminal_id=(merchant.terminals or ("T-01",))[0],
    )
    note(f"first payment from a scanned picture: {payment.id} {payment.status} {payment.cashier_text.zh}")


async def _shop(
    city: SampleCity,
    guide: SandboxGuide,
    tills: list[Till],
    node: Node,
    session: aiohttp.ClientSession,
    *,
    run: str,
    payments: int,
    folder: Path,
) -> Tally:
    holders = list(city.cardholders(CARDHOLDERS_DEFAULT))
    tally = Tally()
    keys = await tills[0].client.request("GET", "/v1/keys")
    wallets = Wallets(_cards_in_order(guide), node.clock, PasswordSealer(keys))
    ways = WaysToPay(tills, _apps(city, holders, guide, session), session, wallets, tally)
    operator = next(till for till in tills if till.merchant_name == OPERATOR)
    caller = guide.caller(OPERATOR)
    seed = int(node.clock.wall_s())
    with open_gates(folder, caller, keys, wallets, node.clock, node.signing_keys[0]) as gates, progress_bar() as bar:
        shopper = Shopper(tills, ways, gates, wallets, tally, run=run)
        task = bar.add_task("Payments", total=payments)
        plans = purchases(city.merchants, holders, count=payments * 4 + 100, seed=seed)
        await shopper.shop(
            plans,
            until_captured=payments,
            at_once=AT_ONCE,
            progress=lambda captured: bar.update(task, completed=captured),
        )
        await gates.bring_in(operator.client, tally)
    return tally


def _cards_in_order(guide: SandboxGuide) -> dict[int, SandboxCard]:
    """Cards by the city's own order, which is in the last eight digits of their device numbers."""
    return {device_serial(int(card.device_no)): card for card in guide.cards}


async def verified(database_url: str, signing_keys: tuple[SigningKey, ...]) -> BooksReport:
    """Check the books, with a bar."""
    keys = {key.key_id: key.public_bytes for key in signing_keys}
    with progress_bar() as bar:
        tasks = {}

        def progress(name: str, done: int, total: int) -> None:
            if name not in tasks:
                tasks[name] = bar.add_task(f"Verify {name}")
            bar.update(tasks[name], completed=done, total=total)

        return await verify_books(database_url, public_keys=keys, progress=progress)


def _show_banks(banks: tuple[BankReport, ...]) -> None:
    table = Table(
        title="What the banks did: files pulled, checked and acknowledged, items given back, statements compared"
    )
    for heading in ("bank", "files", "given back", "statement", "differences"):
        table.add_column(heading)
    for bank in banks:
        said = f"{bank.lines:,} lines, {bank.state}"
        table.add_row(bank.name, str(bank.files), str(bank.returned or ""), said, ", ".join(bank.differences))
    out.print(table)


def _show_city(result: DemoResult) -> None:
    tally = result.tally
    table = Table(title="What the city did", show_header=False)
    table.add_row(
        "captured payments", f"{tally.captured:,} of {tally.purchases:,} purchases, {_yuan(tally.captured_fen)}"
    )
    table.add_row("how they were paid", _shares(tally.modes))
    table.add_row("what for", _shares(tally.scenarios))
    table.add_row("from what", _shares(tally.tenders_fen))
    table.add_row("bills pre-settled first", f"{tally.quoted:,}")
    table.add_row("confirmed by password", f"{tally.confirmed:,}, and {tally.let_go:,} let go without")
    table.add_row("refunded", _yuan(tally.refunded_fen))
    table.add_row("refused, as planned", ", ".join(f"{count:,} {code}" for code, count in tally.refusals.most_common()))
    table.add_row("purchases a second", f"{tally.purchases / result.took_s:,.0f}")
    table.add_row("cycle closed", cycle_text(result.cycle))
    out.print(table)


def _yuan(fen: int) -> str:
    return f"{fen / 100:,.2f} CNY"


def _shares(counts: Counter[str]) -> str:
    """What each has of the whole, largest first."""
    total = counts.total() or 1
    return ", ".join(f"{name} {100 * count / total:.1f} %" for name, count in counts.most_common())


def _show(result: DemoResult, guide: SandboxGuide, settings: Settings) -> None:
    _show_city(result)
    _show_banks(result.banks)
    out.print(f"API            {guide.base_url}")
    out.print(f"documentation  {guide.base_url}/docs")
    out.print(f"metrics        {guide.base_url}/metrics")
    out.print(f"who to call as {settings.data_dir / FILE_NAME}")
    for fault in result.faults:
        err.print(f"FAILED: {fault}", markup=False)
    out.print("books balance" if result.report.violation is None else "books DO NOT balance")
