"""Listening for notifications: what is genuine is heard once, and the endpoint is there only meanwhile."""

import aiohttp

from engine.cli.webhooks import line_of
from engine.client import EngineClient
from engine.client.webhook_listener import Heard, WebhookListener, listening
from engine.codes.webhook_signature import read_secret, webhook_headers
from tests.web.api import Api, credentials
from tests.web.conftest import api
from tests.web.webhook_receiver import ENDPOINTS, tell

__all__ = ["api"]


async def test_what_is_genuine_is_heard_once_and_the_endpoint_goes_with_the_listener(api: Api) -> None:
    heard: list[Heard] = []
    rejected: list[str] = []
    listener = WebhookListener(heard.append, rejected.append)
    async with EngineClient(str(api.base_url), credentials("merchant-0")) as client:
        async with listening(client, listener) as url:
            paid = await api.pay(order_no="A-7")
            assert await tell(api) == 1
            (message,) = heard
            assert message.event["data"]["payment"] == paid.json
            assert line_of(message).endswith(f"payment.captured  #1  {paid['id']}  A-7  captured  500")
            body = b'{"type":"payment.captured","timestamp":"2026-11-24T06:00:00Z","data":{}}'
            for secret in (read_secret(listener.secrets[0]), bytes(32)):
                headers = webhook_headers([secret], message_id="evt_1", timestamp_s=int(api.clock.wall_s()), body=body)
                for _ in range(2):
                    async with api.session.post(url, data=body, headers=headers) as response:
                        assert response.status == (204 if secret != bytes(32) else 400)
        assert ([one.id for one in heard[1:]], len(rejected)) == (["evt_1"], 2)
        assert (await api.get(ENDPOINTS)).items == []


async def test_what_is_no_notification_is_refused(api: Api) -> None:
    rejected: list[str] = []
    listener = WebhookListener(lambda _: None, rejected.append)
    async with (
        EngineClient(str(api.base_url), credentials("merchant-0")) as client,
        listening(client, listener) as url,
        aiohttp.ClientSession() as session,
    ):
        for body in (b"", b"{}", b"x" * 100):
            async with session.post(url, data=body) as response:
                assert response.status == 400
    assert len(rejected) == 3
