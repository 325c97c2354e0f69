"""`engine serve`, `engine work`: nodes that run until they are told to stop."""

import os
import signal
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import msgspec
import typer
import uvloop

from engine.background import open_channel_watch, open_workers
from engine.cli.nodes import (
    WATCH_S,
    addresses_of,
    load_city,
    note,
    port_in_use,
    restart_ended,
    run_with_services,
    sandbox_node,
    sandbox_sftp_socket,
    services_of,
    until_told_to_stop,
    watched,
)
from engine.cli.options import DATA_DIR, DataDir, Exit, fail
from engine.embedded.services import Services
from engine.hints.read_limits import READS_A_SECOND
from engine.sandbox.guide import SandboxSftp, write_guide
from engine.sandbox.ssh_keys import FOLDER_NAME, write_ssh_keys
from engine.settings import LANE_COUNT, Settings, WrongSetting, public_url
from engine.sftp.sockets import listening_socket
from engine.telemetry import configure_logs
from engine.web.node import Node
from engine.wiring import (
    open_node,
    open_server,
    open_sftp_server,
    prepare_database,
    sftp_host_key,
)

WORKERS_MAX = 64


def serve(  # the command's own options
    data_dir: DataDir = DATA_DIR,
    sandbox: Annotated[bool, typer.Option("--sandbox", help="Fill it with the sample city.")] = False,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 8080,
    sftp_port: Annotated[
        int, typer.Option("--sftp-port", help="Port of the banks' SFTP; 0 is none, or any in the sandbox.")
    ] = 0,
    workers: Annotated[int, typer.Option(min=1, max=WORKERS_MAX, help="Web processes on the port.")] = 1,
    reads_a_second: Annotated[
        float, typer.Option(min=1, help="What each caller may read in each process; above it, 429.")
    ] = READS_A_SECOND,
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
) -> None:
    """Run a node: HTTP, lanes and background work, on embedded services unless DATABASE_URL and REDIS_URL are set."""
    try:
        public_url(os.environ)
    except WrongSetting as error:
        fail(Exit.WRONG_USAGE, str(error))
    if port_in_use(host, port):
        fail(Exit.WRONG_USAGE, f"Port {port} is taken. Choose another with --port, or 0 for a free one.")
    if port_in_use(host, sftp_port):
        fail(Exit.WRONG_USAGE, f"Port {sftp_port} is taken. Choose another with --sftp-port.")
    settings = Settings(
        data_dir=data_dir,
        environ=os.environ,
        is_sandbox=sandbox,
        host=host,
        port=port,
        sftp_port=sftp_port,
        lane_count=max(1, LANE_COUNT // workers),
        reads_a_second=reads_a_second,
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
            if guide.sftp is not None:
                note(f"sftp on {guide.sftp.host}:{guide.sftp.port}, keys in {settings.data_dir / FOLDER_NAME}")
            note(f"sandbox on {guide.base_url}, documentation on {guide.base_url}/docs")
            await until_told_to_stop(node)
        return
    addresses = addresses_of(services)
    await prepare_database(addresses.database_url)
    async with (
        open_node(settings, addresses) as node,
        open_server(node, settings, listener=listener) as port,
        open_channel_watch(node),
        _sftp(node, _sftp_socket(settings)),
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
        sftp_socket = _sftp_socket(settings)
        uvloop.run(_prepare(settings, services, port, sftp_socket))
        children = [
            _fork(settings, services, port, sftp_socket if n == 0 else None, is_first=n == 0) for n in range(workers)
        ]
        note(f"{workers} processes on http://{settings.host}:{port}")
        stopping = threading.Event()
        watching = threading.Thread(target=_watch, args=(services, stopping))
        watching.start()
        try:
            _wait_for(children)
        finally:
            stopping.set()
            watching.join()


def _sftp_socket(settings: Settings) -> socket.socket | None:
    """The socket of the SFTP server, if there is to be one."""
    if settings.is_sandbox:
        return sandbox_sftp_socket(settings)
    return listening_socket(settings.host, settings.sftp_port) if settings.sftp_port else None


@asynccontextmanager
async def _sftp(node: Node, sftp_socket: socket.socket | None) -> AsyncIterator[None]:
    if sftp_socket is None:
        yield
        return
    async with open_sftp_server(node, sftp_socket) as address:
        note(f"sftp on {address.host}:{address.port}, host key {address.host_key}")
        yield


async def _prepare(settings: Settings, services: Services, port: int, sftp_socket: socket.socket | None) -> None:
    """What has to be done once, before the processes part."""
    addresses = addresses_of(services)
    await prepare_database(addresses.database_url)
    async with open_node(settings, addresses) as node:
        if settings.is_sandbox:
            guide = await load_city(settings, addresses, node)
            assert sftp_socket is not None, "a sandbox has SFTP"
            sftp_host, sftp_port = sftp_socket.getsockname()[:2]
            sftp = SandboxSftp(host=sftp_host, port=sftp_port, host_key=await sftp_host_key(node))
            guide = msgspec.structs.replace(guide, base_url=f"http://{settings.host}:{port}", sftp=sftp)
            write_guide(settings.data_dir, guide)
            write_ssh_keys(settings.data_dir, guide)


def _fork(
    settings: Settings, services: Services, port: int, sftp_socket: socket.socket | None, *, is_first: bool
) -> int:
    pid = os.fork()
    if pid != 0:
        return pid
    status = 1
    try:
        uvloop.run(_serve_child(settings, services, port, sftp_socket, is_first=is_first))
        status = 0
    finally:
        os._exit(status)


async def _serve_child(
    settings: Settings, services: Services, port: int, sftp_socket: socket.socket | None, *, is_first: bool
) -> None:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind((settings.host, port))
    async with (
        open_node(settings, addresses_of(services)) as node,
        open_server(node, settings, listener=listener),
        open_channel_watch(node),
        _sftp(node, sftp_socket),
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
