"""`engine serve`, `engine work`: nodes that run until they are told to stop."""

import os
import signal
import socket
import threading
from typing import Annotated

import typer
import uvloop

from engine.cli.nodes import (
    WATCH_S,
    addresses_of,
    load_city,
    note,
    port_in_use,
    restart_ended,
    run_with_services,
    sandbox_node,
    services_of,
    until_told_to_stop,
    watched,
)
from engine.cli.options import DATA_DIR, DataDir, Exit, fail
from engine.embedded.services import Services
from engine.sandbox.guide import SandboxGuide, write_guide
from engine.settings import LANE_COUNT, Settings
from engine.telemetry import configure_logs
from engine.wiring import open_node, open_server, open_workers, prepare_database

WORKERS_MAX = 64


def serve(  # the command's own options
    data_dir: DataDir = DATA_DIR,
    sandbox: Annotated[bool, typer.Option("--sandbox", help="Fill it with the sample city.")] = False,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 8080,
    workers: Annotated[int, typer.Option(min=1, max=WORKERS_MAX, help="Web processes on the port.")] = 1,
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
) -> None:
    """Run a node: HTTP, lanes and background work, on embedded services unless DATABASE_URL and REDIS_URL are set."""
    if port_in_use(host, port):
        fail(Exit.WRONG_USAGE, f"Port {port} is taken. Choose another with --port, or 0 for a free one.")
    settings = Settings(
        data_dir=data_dir,
        environ=os.environ,
        is_sandbox=sandbox,
        host=host,
        port=port,
        lane_count=max(1, LANE_COUNT // workers),
    )
    if workers == 1:
        run_with_services(data_dir, lambda services: _serve(settings, services, None), log_level=log_level)
    else:
        _serve_many(settings, workers, log_level)


def work(
    data_dir: DataDir = DATA_DIR,
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
) -> None:
    """Run the background loops only: holds that lapse, the clearing timetable."""
    settings = Settings(data_dir=data_dir, environ=os.environ, lane_count=1)

    async def run(services: Services) -> None:
        addresses = addresses_of(services)
        await prepare_database(addresses.database_url)
        async with open_node(settings, addresses) as node, open_workers(node):
            note("working; stop with Ctrl-C")
            with watched(services):
                await until_told_to_stop(node)

    run_with_services(data_dir, run, log_level=log_level)


async def _serve(settings: Settings, services: Services, listener: socket.socket | None) -> None:
    if settings.is_sandbox:
        async with sandbox_node(settings, services, listener=listener) as (node, guide):
            note(f"sandbox on {guide.base_url}, documentation on {guide.base_url}/docs")
            await until_told_to_stop(node)
        return
    addresses = addresses_of(services)
    await prepare_database(addresses.database_url)
    async with (
        open_node(settings, addresses) as node,
        open_server(node, settings, listener=listener) as port,
        open_workers(node),
    ):
        note(f"serving on http://{settings.host}:{port}")
        with watched(services):
            await until_told_to_stop(node)


def _serve_many(settings: Settings, workers: int, log_level: str) -> None:
    """Fork *workers* web processes on one port. This process owns the services and outlives the others."""
    configure_logs(level=log_level)
    with services_of(settings.data_dir) as services:
        probe = socket.socket()
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        probe.bind((settings.host, settings.port))
        port: int = probe.getsockname()[1]
        uvloop.run(_prepare(settings, services, port))
        children = [_fork(settings, services, port, is_first=n == 0) for n in range(workers)]
        note(f"{workers} processes on http://{settings.host}:{port}")
        stopping = threading.Event()
        watching = threading.Thread(target=_watch, args=(services, stopping))
        watching.start()
        try:
            _wait_for(children)
        finally:
            stopping.set()
            watching.join()


async def _prepare(settings: Settings, services: Services, port: int) -> None:
    """What has to be done once, before the processes part."""
    addresses = addresses_of(services)
    await prepare_database(addresses.database_url)
    async with open_node(settings, addresses) as node:
        if settings.is_sandbox:
            guide = await load_city(settings, addresses, node)
            base_url = f"http://{settings.host}:{port}"
            write_guide(settings.data_dir, SandboxGuide(base_url=base_url, callers=guide.callers, cards=guide.cards))


def _fork(settings: Settings, services: Services, port: int, *, is_first: bool) -> int:
    pid = os.fork()
    if pid != 0:
        return pid
    status = 1
    try:
        uvloop.run(_serve_child(settings, services, port, is_first=is_first))
        status = 0
    finally:
        os._exit(status)


async def _serve_child(settings: Settings, services: Services, port: int, *, is_first: bool) -> None:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind((settings.host, port))
    async with (
        open_node(settings, addresses_of(services)) as node,
        open_server(node, settings, listener=listener),
    ):
        if is_first:
            async with open_workers(node):
                await until_told_to_stop(node)
        else:
            await until_told_to_stop(node)


def _watch(services: Services, stopping: threading.Event) -> None:
    while not stopping.wait(WATCH_S):
        restart_ended(services)


def _wait_for(children: list[int]) -> None:
    """Pass on the signal to stop; when one process ends by itself, end the others: something is wrong."""

    def stop(_number: int, _frame: object) -> None:
        for child in children:
            os.kill(child, signal.SIGTERM)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    failed = False
    while children:
        pid, status = os.wait()
        if pid in children:
            children.remove(pid)
            failed = failed or status != 0
            stop(signal.SIGTERM, None)
    if failed:
        raise typer.Exit(Exit.CHECK_FAILED)
