"""A channel of a test that has applied and plays the cases of a run, well or badly."""

import base64
from collections.abc import Mapping

import msgspec
from aiohttp import web

from engine.client.channel import ChannelClient
from engine.client.conformance import answer_notification, play_function
from engine.client.credentials import Credentials
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

    async def play_function(self, run: str) -> None:
        """Every case of the function tests, as the client plays them."""
        async with self.client() as client:
            await play_function(client, run)

    def client(self) -> ChannelClient:
        """The channel's client."""
        credentials = Credentials(keyid=self._keyid, key=self._key)
        return ChannelClient(str(self.api.base_url), credentials, channel_id=self.id)


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
        now_s = self._api.clock.wall_s()
        return web.Response(status=answer_notification(notified.headers, notified.body, self._secret, now_s=now_s))
