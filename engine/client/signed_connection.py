"""A signed connection: what every request of a caller needs, whatever it asks for."""

import asyncio
import base64
import hashlib
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self, TypeVar

import aiohttp
import msgspec
import stamina
from yarl import URL

from engine.client.credentials import Credentials
from engine.codes.http_signature import CoveredRequest, content_digest, sign
from engine.core.refusals import Refusal
from engine.web.problems import ProblemDocument

T = TypeVar("T")

TIMEOUT_S: Final = 15.0
_UPLOAD_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, sock_connect=TIMEOUT_S, sock_read=300.0)
"""A statement is compared before it is answered; a million lines take a minute."""
ATTEMPTS_MAX: Final = 6
_WAIT_LONGER: Final = frozenset({Refusal.CLEARING_FILE_NOT_READY.slug})  # than the attempts of one call take


class Refused(Exception):
    """The engine said no; `problem` says why, and what to do."""

    def __init__(self, problem: ProblemDocument) -> None:
        """A refusal as received."""
        super().__init__(f"{problem.status} {problem.code}: {problem.title}")
        self.problem = problem


class Unreachable(Exception):
    """No answer, or one that promises another: the same request with the same key may succeed."""


class SignedConnection:
    """A caller who signs. Every method raises `Refused`, or `Unreachable` after its last attempt."""

    def __init__(
        self, base_url: str, credentials: Credentials, *, session: aiohttp.ClientSession | None = None
    ) -> None:
        """*session* is shared if given, else the client opens its own and closes it."""
        self._base_url = base_url.rstrip("/")
        self._credentials = credentials
        self._session = session or aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S))
        self._owns_session = session is None

    async def __aenter__(self) -> Self:
        """The client itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close what it opened."""
        await self.close()

    async def close(self) -> None:
        """Close the session, if it is the client's own."""
        if self._owns_session:
            await self._session.close()

    async def request(self, method: str, target: str, *, body: bytes = b"", key: str | None = None) -> bytes:
        """One signed request, repeated with the same key (and a new signature) while its outcome is unknown.

        Units: *target* is path and query as they go over the wire.

        Raises:
            Refused: the engine said no.
            Unreachable: no definite answer after the last attempt.
        """
        if key is None and method == "POST":
            key = secrets.token_urlsafe(16)
        async for attempt in stamina.retry_context(
            on=Unreachable, attempts=ATTEMPTS_MAX, timeout=60.0, wait_initial=0.2, wait_max=5.0
        ):
            with attempt:
                return await self._once(method, target, body, key)
        raise AssertionError("the last attempt returns or raises")

    async def upload(self, target: str, path: Path, *, key: str | None = None) -> bytes:
        """POST a file as it is, read as it is sent: once for its digest, and once for each attempt.

        Raises:
            OSError: the file cannot be read.
            Refused: the engine said no.
            Unreachable: no definite answer after the last attempt.
        """
        key = key if key is not None else secrets.token_urlsafe(16)
        digest = await asyncio.to_thread(_file_digest, path)
        async for attempt in stamina.retry_context(
            on=Unreachable, attempts=ATTEMPTS_MAX, timeout=None, wait_initial=0.2, wait_max=5.0
        ):
            with attempt, path.open("rb") as opened:
                return await self._once("POST", target, opened, key, digest=digest)
        raise AssertionError("the last attempt returns or raises")

    async def upload_lines(self, target: str, path: Path, *, count: int) -> AsyncIterator[bytes]:
        """POST a file of *count* lines, each of which is answered with a line; the answers, as they come.

        When the connection is lost on the way the same lines are sent again, and the answers go on where they were: it
        is for uploads whose lines are answered the same again.

        Raises:
            OSError: the file cannot be read.
            Refused: the engine said no to all of it.
            Unreachable: the last attempt did not get all answers; those that were given are right.
        """
        digest = await asyncio.to_thread(_file_digest, path)
        given = 0
        async for attempt in stamina.retry_context(
            on=Unreachable, attempts=ATTEMPTS_MAX, timeout=None, wait_initial=0.2, wait_max=5.0
        ):
            with attempt, path.open("rb") as opened:
                place = 0
                async for line in self._lines_once(target, opened, digest):
                    place += 1
                    if place > given:
                        given = place
                        yield line
                if place < count:
                    raise Unreachable("answers are missing")

    async def _lines_once(self, target: str, lines: BinaryIO, digest: str) -> AsyncIterator[bytes]:
        headers = self._signed("POST", target, key=secrets.token_urlsafe(16), digest=digest)
        url = URL(self._base_url + target, encoded=True)
        try:
            async with self._session.post(
                url, data=lines, headers=headers, allow_redirects=False, timeout=_UPLOAD_TIMEOUT
            ) as response:
                if response.status >= 300:
                    raise _said_no(await response.read(), response.status, may_repeat=True)
                async for line in response.content:
                    yield line
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unreachable(type(error).__name__) from error

    def _signed(self, method: str, target: str, *, key: str | None, digest: str | None) -> dict[str, str]:
        covered = CoveredRequest(
            method=method,
            target=target,
            content_digest=digest,
            idempotency_key=f'"{key}"' if key is not None else None,
        )
        return sign(
            covered,
            self._credentials.key,
            keyid=self._credentials.keyid,
            created=int(time.time()),
            nonce=secrets.token_urlsafe(12),
        )

    async def _once(
        self,
        method: str,
        target: str,
        body: "bytes | BinaryIO",
        key: str | None,
        *,
        digest: str | None = None,
    ) -> bytes:
        if isinstance(body, bytes) and body:
            digest = content_digest(body)
        headers = self._signed(method, target, key=key, digest=digest)
        url = URL(self._base_url + target, encoded=True)
        timeout = self._session.timeout if isinstance(body, bytes) else _UPLOAD_TIMEOUT
        try:
            # The signature is for this address only: nothing is sent on to another.
            async with self._session.request(
                method, url, data=body or None, headers=headers, allow_redirects=False, timeout=timeout
            ) as response:
                content = await response.read()
                status = response.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unreachable(type(error).__name__) from error
        if status < 300:
            return content
        raise _said_no(content, status, may_repeat=key is not None or method == "GET")

    async def post(self, target: str, body: Mapping[str, object], kind: type[T], key: str | None) -> T:
        """POST a body as JSON and read the answer as *kind*."""
        content = await self.request("POST", target, body=msgspec.json.encode(body), key=key)
        return msgspec.json.decode(content, type=kind)

    async def get(self, target: str, kind: type[T]) -> T:
        """GET *target* and read the answer as *kind*."""
        return msgspec.json.decode(await self.request("GET", target), type=kind)


def _said_no(content: bytes, status: int, *, may_repeat: bool) -> Refused | Unreachable:
    """What an answer that is no success means: `Unreachable` if the next attempt may be told otherwise."""
    try:
        problem = msgspec.json.decode(content, type=ProblemDocument)
    except msgspec.MsgspecError:
        return Unreachable(f"status {status}")
    return Unreachable(problem.code) if may_repeat and _is_worth_repeating(problem) else Refused(problem)


def _is_worth_repeating(problem: ProblemDocument) -> bool:
    """True if the answer to the next attempt may be another one.

    No nonce is drawn twice here, so one that was used before belongs to this very request: a proxy, or the HTTP library
    after a lost connection, has sent it again.
    """
    if problem.code == Refusal.REQUEST_REPLAYED.slug:
        return True
    return problem.retryable and problem.status in (409, 500, 503) and problem.code not in _WAIT_LONGER


def _file_digest(path: Path) -> str:
    with path.open("rb") as opened:
        return f"sha-256=:{base64.b64encode(hashlib.file_digest(opened, 'sha256').digest()).decode()}:"
