"""A channel of a test that has applied and plays the cases of a run, well or badly."""

import base64
from collections.abc import Mapping

import aiohttp
import msgspec
import pytest
from aiohttp import web

from engine.client.webhooks import WebhookRejected, verify_webhook
from engine.codes.http_signature import HmacKey
from tests.web.api import Api, Json, Reply, a_key
from tests.web.webhook_receiver import Notified


class Player:
    """Signs with the key that the application was answered with."""

    def __init__(self, api: Api, applied: Reply) -> None:
        """The channel as *applied* has it."""
        secret = msgspec.convert(applied["secret"], dict[str, str])
        self.api = api
        self.id = str(applied["id"])
        self.path = f"/v1/channels/{self.id}"
        self._keyid = secret["keyid"]
        self._key = HmacKey(base64.b64decode(secret["key"]))

    async def get(self, target: str) -> Reply:
        """A signed GET."""
        headers = self.api.signed("GET", target, caller=self._keyid, signing_key=self._key)
        return await self.api.send("GET", target, headers=headers)

    async def post(self, target: str, body: object = None, *, key: str | None = None, skew_s: int = 0) -> Reply:
        """A signed POST. A connection that is cut is the caller's to see."""
        content = msgspec.json.encode(body if body is not None else {})
        headers = self.api.signed(
            "POST",
            target,
            caller=self._keyid,
            body=content,
            key_header=f'"{key or a_key()}"',
            created=int(self.api.clock.wall_s()) + skew_s,
            signing_key=self._key,
        )
        return await self.api.send("POST", target, headers=headers, body=content)

    async def practise(self, run: str, case: str, order_no: str, *, key: str | None = None) -> Reply:
        """A practice order."""
        body = {"case": case, "order_no": order_no, "amount": 500}
        return await self.post(f"{self.path}/conformance/{run}/practice", body, key=key)

    async def conclude(self, run: str, case: str, order_no: str, outcome: str) -> Reply:
        """What the channel has made of it."""
        body = {"case": case, "order_no": order_no, "outcome": outcome}
        return await self.post(f"{self.path}/conformance/{run}/conclusions", body)

    async def play_function(self, run: str) -> None:
        """Every case of the function tests, as it ought to be."""
        assert (await self.practise(run, "signed_request", "A-1")).status == 201
        key = a_key()
        first, again = [await self.practise(run, "same_key", "A-2", key=key) for _ in range(2)]
        assert (again.body, again.is_replay) == (first.body, True)
        for order_no in ("A-3", "A-4"):
            assert (await self.practise(run, "new_key", order_no)).status == 201
        assert (await self.practise(run, "decline", "A-5")).refused == (402, "insufficient-funds")
        await self.conclude(run, "decline", "A-5", "declined")
        key = a_key()
        with pytest.raises(aiohttp.ClientError):
            await self.practise(run, "lost_answer", "A-6", key=key)
        found = await self.practise(run, "lost_answer", "A-6", key=key)
        assert (found.is_replay, found["outcome"]) == (True, "paid")
        await self.conclude(run, "lost_answer", "A-6", "paid")
        key = a_key()
        busy = await self.practise(run, "busy", "A-7", key=key)
        assert (busy.refused, busy.headers["Retry-After"]) == ((503, "overloaded"), "1")
        assert (await self.practise(run, "busy", "A-7", key=key)).status == 201


def verdicts(report: Reply) -> Mapping[str, str]:
    """The state of each case."""
    cases = msgspec.convert(report["cases"], list[Json])
    return {str(case["case"]): str(case["status"]) for case in cases}


class CheckingReceiver:
    """Takes what is genuine and of this moment, and refuses the rest."""

    def __init__(self, api: Api, secret: str) -> None:
        """Knows the run's secret."""
        self._api = api
        self._secret = secret

    def __call__(self, notified: Notified) -> web.Response:
        """204, or 400."""
        try:
            verify_webhook(notified.headers, notified.body, [self._secret], self._api.clock.wall_s())
        except WebhookRejected:
            return web.Response(status=400)
        return web.Response(status=204)
