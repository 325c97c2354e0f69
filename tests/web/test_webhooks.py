"""Notifications from the event to the receiver: signed, in order, once where it can be, again where it cannot."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import pytest
from aiohttp import web

from engine.background import webhook_parts
from engine.client.webhooks import WebhookRejected, verify_webhook
from engine.core.webhooks import GIVE_UP_AFTER
from engine.flows import callbacks
from engine.flows.deliver_webhooks import AT_ONCE_MAX, LEASE, WebhookSender
from engine.store.webhook_outbox import take_messages
from engine.workers.webhooks import run_webhooks
from tests.web.api import Api
from tests.web.webhook_receiver import Receiver, a_receiver, delete, messages, registered, spool, tell, wall

HOUR_S = 3_600.0
FOR_GOOD_S = GIVE_UP_AFTER.total_seconds()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver on this machine."""
    async with a_receiver() as opened:
        yield opened


async def test_payment_is_told_signed_as_it_was_answered(api: Api, receiver: Receiver) -> None:
    endpoint = await registered(api, receiver.url())
    paid = await api.pay()
    assert await tell(api) == 1
    (told,) = receiver.received
    secret = str(endpoint["secret"])
    assert verify_webhook(told.headers, told.body, [secret], now_s=api.clock.wall_s()) == told.id
    assert (told.json["type"], told.json["timestamp"]) == ("payment.captured", paid["created_at"])
    assert (told.payment, told.sequence) == (paid.json, 1)
    (message,) = await messages(api, endpoint)
    assert (message["id"], message["state"], message["attempts"]) == (told.id, "delivered", 1)
    assert (message["last_status"], message["next_attempt_at"]) == (204, None)
    with pytest.raises(WebhookRejected, match="more than 300 s off"):
        verify_webhook(told.headers, told.body, [secret], now_s=api.clock.wall_s() + 301)


async def test_each_move_is_told_in_order_with_the_payment_as_it_then_stood(api: Api, receiver: Receiver) -> None:
    await registered(api, receiver.url())
    path = await api.paid(capture=False)
    await api.post(f"{path}/capture", {"amount": 400})
    await api.post(f"{path}/refunds", {"refund_no": "R-1", "amount": 100})
    await api.post(f"{path}/refunds", {"refund_no": "R-1", "amount": 100})  # refused, and nobody else's business
    await tell(api)
    assert [told.json["type"] for told in receiver.received] == [
        "payment.authorized",
        "payment.captured",
        "payment.refunded",
    ]
    assert [told.sequence for told in receiver.received] == [1, 2, 3]
    assert [told.payment["status"] for told in receiver.received] == ["authorized", "captured", "partially_refunded"]


async def test_what_is_spooled_is_spooled_once_by_many(api: Api, receiver: Receiver) -> None:
    await registered(api, receiver.url())
    await asyncio.gather(*(api.pay(card=card) for card in range(8)))
    assert sum(await asyncio.gather(*(spool(api) for _ in range(4)))) == 8
    assert await tell(api) == 8
    await api.sql.execute("UPDATE webhook_cursor SET seq = 0")
    assert await tell(api) == 0, "a cursor that is behind makes no second message"
    assert await api.sql.fetchval("SELECT count(*) FROM webhook_message WHERE state = 2") == 8


async def test_two_workers_at_once_send_each_message_once(api: Api, receiver: Receiver) -> None:
    await registered(api, receiver.url())
    await asyncio.gather(*(api.pay(card=card % 8) for card in range(24)))
    await spool(api)
    async with WebhookSender(webhook_parts(api.node)) as first, WebhookSender(webhook_parts(api.node)) as second:
        await asyncio.gather(first.send_all(), second.send_all())
    assert len({told.id for told in receiver.received}) == len(receiver.received) == 24


async def test_next_message_of_a_payment_waits_for_the_one_before(api: Api, receiver: Receiver) -> None:
    endpoint = await registered(api, receiver.url())
    path = await api.paid(capture=False)
    await api.post(f"{path}/void")
    other = await api.pay()
    receiver.answer = lambda told: _status(500 if told.json["type"] == "payment.authorized" else 204)
    await tell(api)
    assert sorted(str(told.json["type"]) for told in receiver.received) == ["payment.authorized", "payment.captured"]
    assert [message["payment_id"] for message in await messages(api, endpoint, state="delivered")] == [other["id"]]
    pending = await messages(api, endpoint, state="pending")
    assert len({message["next_attempt_at"] for message in pending}) == 1, "and both wait for as long"
    receiver.status(204)
    with api.clock.held(api.clock.wall_s() + 10):
        await tell(api)
    assert [told.json["type"] for told in receiver.received[2:]] == ["payment.authorized", "payment.voided"]


async def test_dead_message_lets_the_next_one_go(api: Api, receiver: Receiver) -> None:
    await registered(api, receiver.url())
    path = await api.paid(capture=False)
    await api.post(f"{path}/void")
    receiver.answer = lambda told: _status(500 if told.json["type"] == "payment.authorized" else 204)
    await tell(api)
    with api.clock.held(api.clock.wall_s() + FOR_GOOD_S):
        await tell(api)
    assert [told.json["type"] for told in receiver.received][-1] == "payment.voided"


async def test_receiver_that_fails_for_a_day_is_told_once_it_recovers(api: Api, receiver: Receiver) -> None:
    endpoint = await registered(api, receiver.url())
    await api.pay()
    receiver.status(500)
    start_s = api.clock.wall_s()
    for hour in range(25):
        with api.clock.held(start_s + hour * HOUR_S):
            await tell(api)
    (waiting,) = await messages(api, endpoint)
    assert (waiting["state"], waiting["last_status"]) == ("pending", 500)
    tried = len(receiver.received)
    assert tried == waiting["attempts"]
    assert 8 <= tried <= 16, "it is tried ever more seldom"
    receiver.status(200)
    with api.clock.held(start_s + 30 * HOUR_S):
        assert await tell(api) == 1
    assert {told.id for told in receiver.received} == {str(waiting["id"])}
    assert {told.body for told in receiver.received} == {receiver.received[0].body}
    assert [message["state"] for message in await messages(api, endpoint)] == ["delivered"]


async def test_after_three_days_it_is_a_dead_letter_until_it_is_sent_again(api: Api, receiver: Receiver) -> None:
    endpoint = await registered(api, receiver.url())
    await api.pay()
    receiver.status(503)
    start_s = api.clock.wall_s()
    await tell(api)
    with api.clock.held(start_s + FOR_GOOD_S - 60):
        await tell(api)
        assert await messages(api, endpoint, state="dead") == []
    with api.clock.held(start_s + FOR_GOOD_S + 1):
        assert await tell(api) == 1
        (dead,) = await messages(api, endpoint, state="dead")
        assert (dead["last_status"], dead["next_attempt_at"]) == (503, None)
        assert await tell(api) == 0
        receiver.status(200)
        path = f"/v1/webhook-endpoints/{endpoint['id']}/messages/{dead['id']}/resend"
        again = await api.post(path)
        assert (again.status, again["state"], again["attempts"]) == (200, "pending", 0)
        assert await tell(api) == 1
    assert [message["state"] for message in await messages(api, endpoint)] == ["delivered"]
    assert len({told.id for told in receiver.received}) == 1


async def test_worker_that_dies_between_sending_and_noting_sends_again_under_the_same_id(
    api: Api, receiver: Receiver
) -> None:
    endpoint = await registered(api, receiver.url())
    await api.pay()
    await spool(api)
    identifier = await api.sql.fetchval("SELECT id FROM webhook_endpoint")
    (taken,) = await take_messages(api.node.pool, identifier, now=wall(api), until=wall(api) + LEASE, count=9)
    assert taken.attempt == 1
    assert await tell(api) == 0, "another worker has it"
    with api.clock.held(api.clock.wall_s() + LEASE.total_seconds() + 1):
        assert await tell(api) == 1
    (message,) = await messages(api, endpoint)
    assert (message["state"], message["attempts"]) == ("delivered", 2)
    assert receiver.received[0].id == message["id"]


async def test_gone_receiver_is_told_nothing_more(api: Api, receiver: Receiver) -> None:
    endpoint = await registered(api, receiver.url())
    await api.pay()
    receiver.status(410)
    await tell(api)
    seen = await api.get(f"/v1/webhook-endpoints/{endpoint['id']}")
    assert (seen["state"], seen["is_gone"]) == ("disabled", True)
    await api.pay()
    with api.clock.held(api.clock.wall_s() + FOR_GOOD_S):
        assert await tell(api) == 0
    enabled = await api.post(f"/v1/webhook-endpoints/{endpoint['id']}/enable")
    assert (enabled["state"], enabled["is_gone"]) == ("enabled", False)
    receiver.status(204)
    await api.pay()
    assert await tell(api) == 1, "what happened meanwhile is not told"


async def test_redirects_are_not_followed(api: Api, receiver: Receiver) -> None:
    endpoint = await registered(api, receiver.url())
    await api.pay()
    elsewhere = receiver.url("/elsewhere").replace("127.0.0.1", "localhost")
    receiver.answer = lambda _: _status(307, Location=elsewhere)
    await tell(api)
    assert [told.path for told in receiver.received] == ["/hook"]
    (message,) = await messages(api, endpoint)
    assert (message["state"], message["last_status"]) == ("pending", 307)


async def test_during_rotation_both_secrets_sign_and_then_the_new_one(api: Api, receiver: Receiver) -> None:
    endpoint = await registered(api, receiver.url())
    rotated = await api.post(f"/v1/webhook-endpoints/{endpoint['id']}/rotate-secret")
    old, new = str(endpoint["secret"]), str(rotated["secret"])
    assert (rotated.status, old == new) == (200, False)
    await api.pay()
    await tell(api)
    both = receiver.received[-1]
    assert both.headers["webhook-signature"].count("v1,") == 2
    for secret in (old, new):
        assert verify_webhook(both.headers, both.body, [secret], now_s=api.clock.wall_s())
    await api.pay()
    with api.clock.held(api.clock.wall_s() + 24 * HOUR_S + 1):
        await tell(api)
        alone = receiver.received[-1]
        assert verify_webhook(alone.headers, alone.body, [new], now_s=api.clock.wall_s())
        with pytest.raises(WebhookRejected, match="nobody's"):
            verify_webhook(alone.headers, alone.body, [old], now_s=api.clock.wall_s())


async def test_receiver_that_hangs_delays_only_itself_and_holds_few(api: Api, receiver: Receiver) -> None:
    receiver.hanging = {"/slow"}
    await registered(api, receiver.url("/slow"))
    quick = await registered(api, receiver.url("/quick"))
    await asyncio.gather(*(api.pay(card=card % 8) for card in range(AT_ONCE_MAX + 4)))
    await spool(api)
    async with WebhookSender(webhook_parts(api.node)) as sender:
        slow_id, quick_id = (row["id"] for row in await api.sql.fetch("SELECT id FROM webhook_endpoint ORDER BY id"))
        hanging = asyncio.create_task(sender.send_next(slow_id))
        while await sender.send_next(quick_id):
            pass
        assert len(await messages(api, quick, state="delivered")) == AT_ONCE_MAX + 4
        while sum(told.path == "/slow" for told in receiver.received) < AT_ONCE_MAX:
            receiver.has_come.clear()
            await receiver.has_come.wait()
        assert not hanging.done()
        left = await take_messages(api.node.pool, slow_id, now=wall(api), until=wall(api), count=99)
        assert len(left) == 4, "what is on its way is not given out again"
        receiver.let_go.set()
        assert await hanging == AT_ONCE_MAX


async def test_receiver_that_never_answers_is_left(
    api: Api, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert callbacks.ANSWER_S_MAX == 5.0
    monkeypatch.setattr(callbacks, "ANSWER_S_MAX", 0.05)
    receiver.hanging = {"/hook"}
    endpoint = await registered(api, receiver.url())
    await api.pay()
    await tell(api)
    (message,) = await messages(api, endpoint)
    assert (message["state"], message["last_status"], message["last_fault"]) == ("pending", None, "timeout")


async def test_receiver_that_is_not_there_is_tried_again(api: Api, receiver: Receiver) -> None:
    endpoint = await registered(api, "http://127.0.0.1:9/nobody")
    await api.pay()
    await tell(api)
    (message,) = await messages(api, endpoint)
    assert (message["state"], message["last_fault"]) == ("pending", "no_connection")


async def test_loop_tells_by_itself_and_a_receiver_that_hangs_keeps_nothing_from_others(
    api: Api, receiver: Receiver
) -> None:
    receiver.hanging = {"/slow"}
    await registered(api, receiver.url("/slow"))
    quick = await registered(api, receiver.url("/quick"))
    stopping = asyncio.Event()
    loop = asyncio.create_task(run_webhooks(webhook_parts(api.node), stopping))
    await api.pay()
    await until(receiver, lambda: {told.path for told in receiver.received} == {"/slow", "/quick"})
    await api.pay()
    await until(receiver, lambda: sum(told.path == "/quick" for told in receiver.received) == 2)
    stopping.set()
    receiver.let_go.set()
    await loop
    assert [message["state"] for message in await messages(api, quick)] == ["delivered", "delivered"]


async def test_loop_survives_a_database_that_is_away(api: Api, receiver: Receiver) -> None:
    await registered(api, receiver.url())
    faults: list[None] = []
    stopping, has_failed = asyncio.Event(), asyncio.Event()

    def on_fault() -> None:
        faults.append(None)
        has_failed.set()

    async with api.sql.transaction():
        await api.sql.execute("LOCK TABLE webhook_message IN ACCESS EXCLUSIVE MODE")
        await api.pay()
        loop = asyncio.create_task(run_webhooks(webhook_parts(api.node), stopping, on_fault=on_fault))
        await has_failed.wait()
    await until(receiver, lambda: len(receiver.received) == 1)
    stopping.set()
    await loop


async def until(receiver: Receiver, is_so: Callable[[], bool]) -> None:
    """Wait until the receiver has got what is waited for."""
    while not is_so():
        receiver.has_come.clear()
        await receiver.has_come.wait()


async def test_dead_letters_are_kept_for_a_month(api: Api, receiver: Receiver) -> None:
    endpoint = await registered(api, receiver.url())
    await api.pay()
    receiver.status(410)
    await tell(api)
    async with WebhookSender(webhook_parts(api.node)) as sender:
        for days, kept in ((29, 1), (30, 0)):
            with api.clock.held(api.clock.wall_s() + timedelta(days=days, seconds=1).total_seconds()):
                await sender.drop_old()
                assert len(await messages(api, endpoint, state="dead")) == kept


async def test_old_messages_are_dropped_and_those_of_removed_endpoints(api: Api, receiver: Receiver) -> None:
    endpoint = await registered(api, receiver.url())
    await api.pay()
    await tell(api)
    async with WebhookSender(webhook_parts(api.node)) as sender:
        await sender.drop_old()
        assert len(await messages(api, endpoint)) == 1
        with api.clock.held(api.clock.wall_s() + timedelta(days=7, seconds=1).total_seconds()):
            await sender.drop_old()
            assert await messages(api, endpoint) == []
        await api.pay()
        await spool(api)
        removed = await delete(api, endpoint["id"])
        assert (removed.status, removed.body) == (204, b"")
        assert await sender.send_all() == 0
        await sender.drop_old()
    assert await api.sql.fetchval("SELECT count(*) FROM webhook_message") == 0


def _status(status: int, **headers: str) -> web.Response:
    return web.Response(status=status, headers=headers)
