"""Regions' own systems, asked over HTTP: within a time, within a size, and believed only as far as they keep to the
form. One that fails again and again is given a rest, so that it costs nobody else a wait.

A system is asked `POST {base_url}/inquiry/{topic}` with `{"id_number", "cursor", "limit"}`, signed with the engine's
key as callers sign (RFC 9421), and answers 200 with `{"items": […], "next_cursor": …}`: the topic's records, newest
first.
"""

import asyncio
from collections import Counter
from typing import Annotated, Final, Generic, TypeVar
from urllib.parse import urlsplit

import aiohttp
import msgspec
import structlog
from msgspec import Meta

from engine.codes.http_signature import CoveredRequest, content_digest, sign
from engine.codes.keys import SigningKey
from engine.core.inquiry import Breaker, InquiryRecord, Topic
from engine.core.participants import covers
from engine.flows.callbacks import Callbacks
from engine.flows.clock import Clock, IdSource
from engine.store.inquiry import RegionalSource

T = TypeVar("T", bound=InquiryRecord)

ANSWER_S_MAX: Final = 4.0
ANSWER_BYTES_MAX: Final = 1 << 20
CALLS_AT_ONCE_MAX: Final = 16  # of one region
_CHUNK_BYTES: Final = 1 << 16
Cursor = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[!-~]*\Z")]

log = structlog.get_logger("engine.inquiry")


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What a region is asked. Its repr shows nothing of the person."""

    id_number: str
    cursor: str | None
    limit: int

    def __repr__(self) -> str:
        return "Question(<masked>)"


class RegionalPage(msgspec.Struct, Generic[T], frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a region answers."""

    items: tuple[T, ...]
    next_cursor: Cursor | None = None


class Asking(msgspec.Struct, frozen=True, kw_only=True):
    """What the engine asks with: where it may go, as whom, and when."""

    callbacks: Callbacks
    key: SigningKey
    clock: Clock
    ids: IdSource


class RegionalSystems:
    """What this process knows of how regions' systems do."""

    def __init__(self) -> None:
        """Nothing yet. `answer_s_max` is how long an answer may take, to its last byte."""
        self.answer_s_max = ANSWER_S_MAX
        self._breakers: dict[int, Breaker] = {}
        self._under_way: Counter[int] = Counter()

    async def ask(
        self, asking: Asking, source: RegionalSource, topic: Topic, question: Question
    ) -> RegionalPage[InquiryRecord] | None:
        """A page of what the region knows; None if it does not answer now, or not as it has to."""
        region, now_s = source.region, asking.clock.steady_s()
        breaker = self._breakers.get(region, Breaker())
        if not breaker.may_call(now_s) or self._under_way[region] >= CALLS_AT_ONCE_MAX:
            return None
        self._breakers[region] = breaker.called(now_s)
        self._under_way[region] += 1
        try:
            async with asyncio.timeout(self.answer_s_max):
                page = await _ask(asking, source, topic, question)
        except TimeoutError:
            page = "no answer in time"
        finally:
            self._under_way[region] -= 1
        before = self._breakers[region]
        if isinstance(page, str):
            log.warning("inquiry.region_unavailable", region=region, topic=topic.name, fault=page)
            self._breakers[region] = before.failed(asking.clock.steady_s())
            return None
        self._breakers[region] = before.answered()
        return page


async def _ask(
    asking: Asking, source: RegionalSource, topic: Topic, question: Question
) -> RegionalPage[InquiryRecord] | str:
    """The page, or what is wrong with the region's answer."""
    url = f"{source.base_url}/inquiry/{topic.name}"
    body = msgspec.json.encode(question)
    covered = CoveredRequest(
        method="POST", target=urlsplit(url).path, content_digest=content_digest(body), idempotency_key=None
    )
    headers = sign(
        covered,
        asking.key.private,
        keyid=asking.key.key_id,
        created=int(asking.clock.wall_s()),
        nonce=asking.ids.nonce().hex(),
    )
    headers |= {"Content-Type": "application/json", "Accept-Encoding": "identity"}
    try:
        async with (
            asking.callbacks.session(connections_max=1) as session,
            session.post(url, data=body, headers=headers, allow_redirects=False) as response,
        ):
            if response.status != 200:
                return f"status {response.status}"
            answer = await _read(response)
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return type(error).__name__
    return _page_of(answer, source, topic, question) if answer is not None else "more than an answer can be"


async def _read(response: aiohttp.ClientResponse) -> bytes | None:
    """The answer; None if it is too long."""
    answer = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
        answer += chunk
        if len(answer) > ANSWER_BYTES_MAX:
            return None
    return bytes(answer)


def _page_of(
    answer: bytes, source: RegionalSource, topic: Topic, question: Question
) -> RegionalPage[InquiryRecord] | str:
    try:
        # The type is put together from the topic's struct, which only the line in the table knows.
        page: RegionalPage[InquiryRecord] = msgspec.json.decode(answer, type=RegionalPage[topic.record])  # type: ignore[name-defined]  # as above
    except (msgspec.DecodeError, UnicodeDecodeError):
        return "not the topic's form"  # the library's own words may quote what is in the answer
    if len(page.items) > question.limit:
        return "more than was asked for"
    if not all(covers(source.region, int(item.region)) for item in page.items):
        return "a record of a region that it does not speak for"
    if page.next_cursor is not None and page.next_cursor == question.cursor:
        return "a page that leads to itself"
    return page
