"""Comparing a face, by whoever can: one narrow interface, and a provider that is asked over HTTP.

The engine keeps no image and no template. A provider knows a person by a reference that only the engine can make, and
answers how alike the faces are; whether that is enough is decided here. Whatever else comes, or nothing in time, is
UNKNOWN, which nobody may take for a yes.
"""

import asyncio
import base64
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Annotated, Final, Protocol
from urllib.parse import urlsplit

import aiohttp
import msgspec
import structlog
from msgspec import Meta

from engine.codes.keys import Keyring
from engine.core.verification import SCORE_MAX, FaceOutcome, FaceResult, judge_face
from engine.settings import WrongSetting

ANSWER_S_MAX: Final = 5.0
ANSWER_BYTES_MAX: Final = 4_096
AT_ONCE: Final = 8
SETTING: Final = "ENGINE_FACE_URL"
_UNKNOWN: Final = FaceResult(FaceOutcome.UNKNOWN)
_AGENT: Final = {"User-Agent": "ssc-settlement-engine", "Content-Type": "application/json"}
_Thousandths = Annotated[int, Meta(ge=0, le=SCORE_MAX)]

log = structlog.get_logger("engine.face")


class FaceComparer(Protocol):
    """Compares a face with that of a known person."""

    async def compare(self, reference: str, sample: bytes) -> FaceResult:
        """How the sample, an image, compares with the person of this reference. Never raises for what others do."""


class _Question(msgspec.Struct, frozen=True):
    reference: str
    sample: str  # Base64


class _Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    score: _Thousandths
    liveness: _Thousandths


class HttpFaceComparer:
    """Asks a provider with one POST: `{"reference", "sample"}`, answered with 200 and `{"score", "liveness"}`."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        """At *url*, where only the provider answers."""
        self._session = session
        self._url = url
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def compare(self, reference: str, sample: bytes) -> FaceResult:
        """What the provider says within five seconds, waiting for a turn included."""
        body = msgspec.json.encode(_Question(reference, base64.b64encode(sample).decode()))
        try:
            async with asyncio.timeout(ANSWER_S_MAX), self._turns:
                answer = await self._ask(body)
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            log.warning("face.unknown", fault=type(error).__name__)
            return _UNKNOWN
        result = judge_face(answer.score, answer.liveness)
        log.info("face.compared", outcome=result.outcome.value)
        return result

    async def _ask(self, body: bytes) -> _Answer:
        """The provider's answer.

        Raises:
            ValueError: it is none.
        """
        async with self._session.post(self._url, data=body, allow_redirects=False) as response:
            if response.status != 200:
                raise ValueError("another status")
            content = bytearray()
            async for piece in response.content.iter_chunked(ANSWER_BYTES_MAX):
                content += piece
                if len(content) > ANSWER_BYTES_MAX:
                    raise ValueError("too long")
        return msgspec.json.decode(bytes(content), type=_Answer)


def face_reference(keyring: Keyring, id_number: str) -> str:
    """What a provider knows a person by: 64 hex digits that say nothing of the person."""
    return keyring.blind_index(f"face {id_number}").hex()


def face_url(environ: Mapping[str, str]) -> str:
    """Where faces are compared: ``ENGINE_FACE_URL``. Empty if nobody does.

    A name and password before its host, `https://name:password@host/path`, go along as HTTP Basic.

    Raises:
        WrongSetting: it is no address of the web.
    """
    given = environ.get(SETTING, "")
    if given:
        try:
            parts = urlsplit(given)
            is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            is_good = False
        if not is_good or not (given.isascii() and given.isprintable()):
            raise WrongSetting(f"{SETTING} is no http:// or https:// address")
    return given


@asynccontextmanager
async def open_faces(environ: Mapping[str, str]) -> AsyncIterator[FaceComparer | None]:
    """Whoever compares faces by the settings; None if nobody does.

    Raises:
        WrongSetting: the setting cannot be used.
    """
    url = face_url(environ)
    if not url:
        yield None
        return
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=AT_ONCE),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=ANSWER_S_MAX),
        headers=_AGENT,
        auto_decompress=False,
    )
    async with session:
        yield HttpFaceComparer(session, url)
