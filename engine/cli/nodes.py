"""Finding the node of a data folder, or starting one for as long as a command needs it."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final, TypeVar

import aiohttp
import msgspec
import structlog
import uvloop

from engine.background import open_channel_watch, open_workers
from engine.cli.options import Exit, err, fail, progress_bar
from engine.client import Credentials, EngineClient
from engine.codes.field_keys import SealBroken
from engine.embedded.faults import ServiceMissing
from engine.embedded.services import Services
from engine.sandbox.city import sample_city
from engine.sandbox.city_state import is_loaded, is_older_city
from engine.sandbox.guide import SandboxGuide, SandboxSftp, read_guide, write_guide
from engine.sandbox.load import CityLoader, SandboxCaller
from engine.sandbox.people import CARDHOLDERS_DEFAULT
from engine.sandbox.ssh_keys import write_ssh_keys
from engine.settings import Settings, WrongSetting, master_secret
from engine.sftp.sockets import listening_socket
from engine.store.connection import READ_SETTINGS, connect
from engine.store.faults import Fault
from engine.telemetry import configure_logs
from engine.web.node import Node
from engine.wiring import Addresses, open_node, open_server, open_sftp_server, prepare_database

T = TypeVar("T")

SFTP_PORT: Final = 2222  # of the sandbox, if it is free
WATCH_S: Final = 0.5
PROBE_S: Final = 2.0

log = structlog.get_logger("engine.node")


@contextmanager
def services_of(data_dir: Path) -> Iterator[Services]:
    """The services of a data folder, running. Ends the command with exit code 3 if one cannot be had."""
    services = Services.resolve(data_dir, os.environ)
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        services.start()
    except ServiceMissing as missing:
        fail(Exit.SERVICE_MISSING, str(missing))
    except OSError as error:
        fail(Exit.SERVICE_MISSING, f"The data folder {data_dir} cannot be used: {error}")
    try:
        yield services
    finally:
        services.stop()


def run_with_services(data_dir: Path, work: Callable[[Services], Awaitable[T]], *, log_level: str = "warning") -> T:
    """Run *work* with the folder's services, and turn what goes wrong around it into an exit code."""
    configure_logs(level=log_level)
    with services_of(data_dir) as services:
        try:
            return uvloop.run(_as_coroutine(work(services)))
        except WrongSetting as error:
            fail(Exit.WRONG_USAGE, str(error))
        except SealBroken as error:
            fail(
                Exit.WRONG_USAGE,
                f"{error} was sealed with another master secret: set ENGINE_MASTER_KEY, or use the data folder it has",
            )
        except Fault as fault:
            fail(Exit.SERVICE_MISSING, f"The database at DATABASE_URL cannot be used: {fault}")


async def _as_coroutine(awaitable: Awaitable[T]) -> T:
    return await awaitable


def addresses_of(services: Services) -> Addresses:
    """Where a node finds its services."""
    return Addresses(services.database_url, services.redis_url)


@asynccontextmanager
async def sandbox_node(
    settings: Settings, services: Services, *, listener: socket.socket | None = None
) -> AsyncIterator[tuple[Node, SandboxGuide]]:
    """A sandbox, filled and serving over HTTP and SFTP, with its guide written."""
    addresses = addresses_of(services)
    sftp_socket = sandbox_sftp_socket(settings)
    await prepare_database(addresses.database_url)
    async with AsyncExitStack() as stack:
        stack.enter_context(sftp_socket)
        node = await stack.enter_async_context(open_node(settings, addresses))
        stack.enter_context(watched(services))
        guide = await load_city(settings, addresses, node)
        port = await stack.enter_async_context(open_server(node, settings, listener=listener))
        await stack.enter_async_context(open_channel_watch(node))
        await stack.enter_async_context(open_workers(node))
        address = await stack.enter_async_context(open_sftp_server(node, sftp_socket))
        sftp = SandboxSftp(host=address.host, port=address.port, host_key=address.host_key)
        guide = msgspec.structs.replace(guide, base_url=f"http://{settings.host}:{port}", sftp=sftp)
        write_guide(settings.data_dir, guide)
        write_ssh_keys(settings.data_dir, guide)
        yield node, guide


def sandbox_sftp_socket(settings: Settings) -> socket.socket:
    """The socket that a sandbox's SFTP server listens on: the port that was asked for, else 2222, else a free one.

    Ends the command if the port that was asked for is taken.
    """
    try:
        return listening_socket(settings.host, settings.sftp_port or SFTP_PORT, or_any=settings.sftp_port == 0)
    except OSError as error:
        fail(Exit.WRONG_USAGE, f"Port {settings.sftp_port} cannot be listened on: {error.strerror}")


async def load_city(settings: Settings, addresses: Addresses, node: Node) -> SandboxGuide:
    """Fill the sandbox with the sample city, as far as it is not; returns its guide without an address."""
    known = read_guide(settings.data_dir)
    connection = await connect(
        addresses.database_url, READ_SETTINGS | {"statement_timeout": "0"}, application_name="sandbox"
    )
    try:
        if await is_older_city(connection):
            fail(
                Exit.WRONG_USAGE,
                f"The sample city in {settings.data_dir} was made by an earlier version: its cards have no passwords"
                " and no insurance. Use a new folder: --data-dir",
            )
        if known is not None and await is_loaded(connection, known.cards):
            return known
        master = master_secret(settings.data_dir, settings.environ)
        loader = CityLoader(sample_city(), node.keyring, master=master, card_count=CARDHOLDERS_DEFAULT)
        with progress_bar() as bar:
            task = bar.add_task("Sample city", total=CARDHOLDERS_DEFAULT)
            await loader.load(connection, node.ledger, progress=lambda done: bar.update(task, completed=done))
            bar.update(task, completed=CARDHOLDERS_DEFAULT)
    finally:
        await connection.close()
    loaded = loader.describe()
    return SandboxGuide(base_url="", callers=loaded.callers, cards=loaded.cards, login_clients=loaded.login_clients)


def restart_ended(services: Services) -> None:
    """Start again the embedded servers that have ended."""
    for server in services.embedded:
        if not server.is_alive():
            log.error("service.ended", service=server.service)
            try:
                server.restart()
            except ServiceMissing as missing:
                log.error("service.restart_failed", service=server.service, fault=str(missing))


@contextmanager
def watched(services: Services) -> Iterator[None]:
    """Embedded servers that end are started again."""
    loop = asyncio.get_running_loop()
    handle: asyncio.TimerHandle | None = None

    def watch() -> None:
        nonlocal handle
        restart_ended(services)
        handle = loop.call_later(WATCH_S, watch)

    handle = loop.call_later(WATCH_S, watch)
    try:
        yield
    finally:
        handle.cancel()


async def until_told_to_stop(node: Node) -> None:
    """Return on SIGTERM, SIGINT, or when a lane was fenced."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, node.stopping.set)
    await node.stopping.wait()


@asynccontextmanager
async def reachable_sandbox(settings: Settings, services: Services) -> AsyncIterator[SandboxGuide]:
    """The guide of the sandbox that runs on the data folder, or of one that runs as long as this command does."""
    guide = read_guide(settings.data_dir)
    if guide is not None and await _answers(guide.base_url):
        yield guide
        return
    alone = msgspec.structs.replace(settings, port=0, is_sandbox=True)
    async with sandbox_node(alone, services) as (_, guide):
        yield guide


def caller_of(guide: SandboxGuide, name: str) -> SandboxCaller:
    """Who is called *name* in the sandbox. Ends the command if nobody is."""
    try:
        return guide.caller(name)
    except KeyError:
        known = ", ".join(caller.name for caller in guide.callers)
        fail(Exit.WRONG_USAGE, f"Nobody is called {name} in sandbox.json. Known: {known}")


def client_of(guide: SandboxGuide, name: str) -> EngineClient:
    """A client that signs as *name*."""
    caller = caller_of(guide, name)
    credentials = Credentials.load(keyid=caller.keyid, alg=caller.alg, key=caller.key)
    return EngineClient(guide.base_url, credentials)


def port_in_use(host: str, port: int) -> bool:
    """True if somebody listens there already."""
    with socket.socket() as probe:
        return port != 0 and probe.connect_ex((host, port)) == 0


async def _answers(base_url: str) -> bool:
    timeout = aiohttp.ClientTimeout(total=PROBE_S)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(f"{base_url}/healthz") as response,
        ):
            return response.status == 200
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return False


def note(message: str) -> None:
    """Tell the person at the terminal what is going on."""
    if not sys.stderr.isatty():
        err.print(message, markup=False)
    else:
        err.print(f"[dim]{message}[/dim]")
