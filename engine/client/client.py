"""The client: signs, sends, and after a lost answer asks again with the same key."""

import asyncio
import base64
import hashlib
import secrets
import time
from collections.abc import AsyncIterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self, TypeVar
from urllib.parse import quote, urlencode

import aiohttp
import msgspec
import stamina
from yarl import URL

from engine.client.credentials import Credentials
from engine.codes.http_signature import CoveredRequest, content_digest, sign
from engine.core.refusals import Refusal
from engine.web.problems import ProblemDocument
from engine.web.wire import (
    CancelView,
    CardView,
    ManifestList,
    ManifestView,
    PaymentList,
    PaymentView,
    PositionList,
    RefundList,
    RefundView,
)

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


class Download(msgspec.Struct, frozen=True):
    """A file as pulled, and the manifest that it was checked against."""

    manifest: ManifestView
    content: bytes


class EngineClient:
    """One caller's connection to the engine. Every method raises `Refused`, or `Unreachable` after its last attempt."""

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

    async def pay(  # the wire's own fields
        self,
        *,
        pay_code: str,
        order_no: str,
        amount: int,
        scenario: str,
        terminal_id: str,
        capture: bool = True,
        hold_s: int | None = None,
        description: str | None = None,
        key: str | None = None,
    ) -> PaymentView:
        """Pay or reserve the amount of a scanned code. Units: fen. Keep *key* with the order to ask again later."""
        body: dict[str, object] = {
            "pay_code": pay_code,
            "order_no": order_no,
            "amount": amount,
            "scenario": scenario,
            "terminal_id": terminal_id,
            "capture": capture,
        }
        if hold_s is not None:
            body["hold_s"] = hold_s
        if description is not None:
            body["description"] = description
        return await self._post("/v1/payments", body, PaymentView, key)

    async def capture(
        self, payment_id: str, *, amount: int | None = None, final: bool = True, key: str | None = None
    ) -> PaymentView:
        """Take what is on hold; all of it without *amount*."""
        body: dict[str, object] = {"final": final} if amount is None else {"amount": amount, "final": final}
        return await self._post(f"/v1/payments/{payment_id}/capture", body, PaymentView, key)

    async def void(self, payment_id: str, *, key: str | None = None) -> PaymentView:
        """Let go of a hold."""
        return await self._post(f"/v1/payments/{payment_id}/void", {}, PaymentView, key)

    async def refund(
        self,
        payment_id: str,
        *,
        refund_no: str,
        amount: int,
        reason: str | None = None,
        key: str | None = None,
    ) -> RefundView:
        """Give back some of what was captured."""
        body: dict[str, object] = {"refund_no": refund_no, "amount": amount}
        if reason is not None:
            body["reason"] = reason
        return await self._post(f"/v1/payments/{payment_id}/refunds", body, RefundView, key)

    async def cancel(self, order_no: str, *, key: str | None = None) -> CancelView:
        """Make sure that an order is not paid, whatever became of it."""
        return await self._post("/v1/payments/cancel", {"order_no": order_no}, CancelView, key)

    async def payment(self, payment_id: str) -> PaymentView:
        """A payment as it stands."""
        return await self._get(f"/v1/payments/{payment_id}", PaymentView)

    async def payments(self, **filters: str) -> PaymentList:
        """One page of payments; filters are those of the wire, `cursor` and `limit` among them."""
        return await self._get(_with_query("/v1/payments", filters), PaymentList)

    async def refunds(self, payment_id: str, **filters: str) -> RefundList:
        """One page of a payment's refunds."""
        return await self._get(_with_query(f"/v1/payments/{payment_id}/refunds", filters), RefundList)

    async def report_loss(self, card_id: str, *, key: str | None = None) -> CardView:
        """Stop a card."""
        return await self._post(f"/v1/cards/{card_id}/loss-report", {}, CardView, key)

    async def reinstate(self, card_id: str, *, key: str | None = None) -> CardView:
        """Let a card that was reported lost pay again."""
        return await self._post(f"/v1/cards/{card_id}/reinstate", {}, CardView, key)

    async def pay_code_image(self, card_id: str, *, shape: str = "qr") -> bytes:
        """The PNG that a phone in the sandbox shows: ``qr`` or ``code128``."""
        path = _with_query(f"/v1/cards/{card_id}/pay-code.png", {"as": shape})
        return await self.request("GET", path)

    async def clearing_files(self, **filters: str) -> AsyncIterator[ManifestView]:
        """Every manifest of this bank that fits the filters, newest first."""
        cursor: str | None = None
        while True:
            query = filters if cursor is None else {**filters, "cursor": cursor}
            page = await self._get(_with_query("/v1/clearing/files", query), ManifestList)
            for manifest in page.items:
                yield manifest
            cursor = page.next_cursor
            if cursor is None:
                return

    async def download(self, manifest: ManifestView) -> Download:
        """Pull a file and check its size and digest against its manifest.

        Raises:
            ValueError: what came is not what the manifest promises.
        """
        content = await self.request("GET", f"/v1/clearing/files/{quote(manifest.name)}")
        if len(content) != manifest.size or hashlib.sha256(content).hexdigest() != manifest.sha256:
            raise ValueError(f"{manifest.name} is not what its manifest promises")
        return Download(manifest, content)

    async def positions(self, **filters: str) -> PositionList:
        """One page of this bank's net positions."""
        return await self._get(_with_query("/v1/clearing/positions", filters), PositionList)

    async def engine_keys(self) -> dict[str, bytes]:
        """The engine's public Ed25519 keys by key id, 32 bytes each."""
        answer = msgspec.json.decode(await self.request("GET", "/v1/keys"))
        return {key["kid"]: base64.urlsafe_b64decode(key["x"] + "=") for key in answer["keys"]}

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
        covered = CoveredRequest(
            method=method,
            target=target,
            content_digest=digest,
            idempotency_key=f'"{key}"' if key is not None else None,
        )
        headers = sign(
            covered,
            self._credentials.key,
            keyid=self._credentials.keyid,
            created=int(time.time()),
            nonce=secrets.token_urlsafe(12),
        )
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
        try:
            problem = msgspec.json.decode(content, type=ProblemDocument)
        except msgspec.MsgspecError as error:
            raise Unreachable(f"status {status}") from error
        if (key is not None or method == "GET") and _is_worth_repeating(problem):
            raise Unreachable(problem.code)
        raise Refused(problem)

    async def _post(self, target: str, body: dict[str, object], kind: type[T], key: str | None) -> T:
        content = await self.request("POST", target, body=msgspec.json.encode(body), key=key)
        return msgspec.json.decode(content, type=kind)

    async def _get(self, target: str, kind: type[T]) -> T:
        return msgspec.json.decode(await self.request("GET", target), type=kind)


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


def _with_query(path: str, query: dict[str, str]) -> str:
    return f"{path}?{urlencode(query)}" if query else path
