"""Calling addresses that others have named: over connections that lead to the public internet, and nowhere else."""

import asyncio
import socket
from collections.abc import Mapping
from typing import Any, Final

import aiohttp
import msgspec
from aiohttp.abc import AbstractResolver
from aiohttp.resolver import DefaultResolver

from engine.core.callbacks import host_of, is_address_allowed, why_not_callable

ANSWER_S_MAX: Final = 5.0
RESOLVE_S_MAX: Final = 3.0
_NOT_PUBLIC: Final = "leads to an address that is not of the public internet"
_AGENT: Final = {"User-Agent": "ssc-settlement-engine", "Content-Type": "application/json"}


class AddressNotAllowed(OSError):
    """A name has led to an address that must not be called."""


class Answered(msgspec.Struct, frozen=True):
    """What came of a call: the status of the answer, or why there was none."""

    status: int | None
    fault: str | None = None


class Callbacks:
    """Judges addresses when they are named, and opens sessions that judge them again with each connection.

    A name may lead elsewhere each time it is looked up, so what counts is the address that a socket is connected to.
    """

    def __init__(self, *, is_loopback_allowed: bool, resolver: AbstractResolver | None = None) -> None:
        """*is_loopback_allowed*: this machine may be called, as in a sandbox. *resolver* is the system's if None."""
        self._is_loopback_allowed = is_loopback_allowed
        self._resolver = resolver

    async def why_not(self, url: str) -> str | None:
        """The first reason for which an address cannot be called; None if there is none."""
        reason = why_not_callable(url, is_loopback_allowed=self._is_loopback_allowed)
        if reason is not None:
            return reason
        host, port = host_of(url)
        resolver = self._resolver or DefaultResolver()
        try:
            async with asyncio.timeout(RESOLVE_S_MAX):
                found = await resolver.resolve(host, port, socket.AF_UNSPEC)
        except (OSError, TimeoutError):
            return "its host cannot be found"
        finally:
            if self._resolver is None:
                await resolver.close()
        return None if found and all(self._is_allowed(one["host"]) for one in found) else _NOT_PUBLIC

    def session(self, *, connections_max: int) -> aiohttp.ClientSession:
        """A session for calls. It keeps no cookies, uses no proxy, and takes nothing from the environment."""
        connector = aiohttp.TCPConnector(
            limit=connections_max,
            resolver=self._resolver,
            socket_factory=self._socket,
            keepalive_timeout=10.0,
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=ANSWER_S_MAX),
            auto_decompress=False,
        )

    def _is_allowed(self, address: str) -> bool:
        return is_address_allowed(address, is_loopback_allowed=self._is_loopback_allowed)

    def _socket(self, info: tuple[Any, Any, int, str, tuple[Any, ...]]) -> socket.socket:
        family, kind, protocol, _, address = info
        if not self._is_allowed(str(address[0])):
            raise AddressNotAllowed("address not allowed")
        return socket.socket(family, kind, protocol)


async def post_once(session: aiohttp.ClientSession, url: str, headers: Mapping[str, str], body: bytes) -> Answered:
    """Post *body* and wait for the status of the answer, five seconds at most. Nobody is followed anywhere.

    The answer's body is not read: nothing in it counts, and it may have no end.
    """
    try:
        async with session.post(url, data=body, headers={**_AGENT, **headers}, allow_redirects=False) as response:
            return Answered(response.status)
    except TimeoutError:
        return Answered(None, "timeout")
    except aiohttp.ClientConnectorError as error:
        refused = isinstance(error.os_error, AddressNotAllowed)
        return Answered(None, "address_not_allowed" if refused else "no_connection")
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return Answered(None, _FAULTS.get(type(error), "broken_answer"))


_FAULTS: Final[Mapping[type[Exception], str]] = {
    aiohttp.ServerDisconnectedError: "connection_lost",
    ConnectionResetError: "connection_lost",
}
