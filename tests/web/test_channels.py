"""Channels from their application to the public, and what stops them by itself."""

from pathlib import Path

import msgspec
from aiohttp import web

from engine.core.channel_risk import ChannelRule
from engine.core.channels import StopKind
from engine.flows.channels.watch import watch_channels
from tests.web.api import Api, Json, Reply, a_key, open_api
from tests.web.channel_player import CheckingReceiver, Player, verdicts
from tests.web.operators import approve
from tests.web.register import bring_in, open_register
from tests.web.webhook_receiver import Notified, Receiver, a_receiver

NOT_YET = (403, "channel-not-authorized")
REASON: Json = {"reason": "contract 42"}


def application(receiver: Receiver, **changes: object) -> Json:
    """The body of an application."""
    body: Json = {
        "channel_no": "1101000042",
        "owner_class": "social",
        "name_zh": "出行应用",
        "name_en": "Travel App",
        "contact": "Li Lei, 15412345678",
        "region": "110000",
        "products": ["cards", "payment"],
        "regions": ["110000"],
        "callback_urls": [receiver.url()],
        "key": {"alg": "hmac-sha256"},
        "reason": "application 42",
    }
    return body | changes


async def opened_run(player: Player) -> Reply:
    """A run that was just opened."""
    run = await player.post(f"{player.path}/conformance")
    assert run.status == 201, run.body
    return run


async def test_channel_goes_live_only_by_its_tests_is_stopped_by_a_rule_and_comes_back(api: Api) -> None:
    await open_register(api)
    async with a_receiver() as receiver:
        key = a_key()
        applied, again = [
            await api.post("/v1/channels", application(receiver), caller="alpha", key=key) for _ in range(2)
        ]
        assert (applied.status, applied["status"], applied["tier"]) == (201, "applied", 1)
        assert (again.body, again.is_replay) == (applied.body, True)
        player = Player(api, applied)
        await _before_its_tests(api, player)
        await _shows_that_it_works(api, player, receiver)
    await _goes_live(api, player)
    await _is_stopped_by_a_rule(api, player)
    await _comes_back(api, player)
    moves = [step["move"] for step in msgspec.convert((await player.get(player.path))["history"], list[Json])]
    told = ["apply", "pass_function", "pass_security", "approve", "go_live", "suspend", "resume"]
    assert list(reversed(moves)) == told


async def _before_its_tests(api: Api, player: Player) -> None:
    """It sees itself, and nothing else is open to it."""
    assert (await player.get(player.path))["contact"] == "Li Lei, 15412345678"
    assert (await api.get(player.path, caller="shanghai"))["contact"] is None
    assert (await api.get(player.path, caller="merchant-0")).refused == (404, "not-found")
    assert (await player.post("/v1/cards/search", {"id_number": "1"})).refused == NOT_YET
    for move in ("approve", "go-live"):
        refused = await api.post(f"{player.path}/{move}", REASON, caller="alpha")
        assert refused.refused == (409, "channel-tests-missing")
    listed = await api.send("GET", "/v1/channels/directory")
    assert "1101000042" not in {item["channel_no"] for item in listed.items}


async def _shows_that_it_works(api: Api, player: Player, receiver: Receiver) -> None:
    """A run with a mistake moves nothing; the next one moves it on, part by part."""
    careless = str((await opened_run(player))["id"])
    await player.practise(careless, "same_key", "A-1")
    await player.practise(careless, "same_key", "A-1")
    assert verdicts(await player.get(f"{player.path}/conformance/{careless}"))["same_key"] == "failed"
    run = await opened_run(player)
    assert set(verdicts(run).values()) == {"open"}
    await player.play_function(str(run["id"]))
    assert (await player.get(player.path))["status"] == "function_tested"
    notify = f"{player.path}/conformance/{run['id']}/notifications"
    receiver.status(204)  # takes whatever comes
    gullible = str((await opened_run(player))["id"])
    believed = verdicts(await player.post(f"{player.path}/conformance/{gullible}/notifications"))
    assert (believed["notification_genuine"], believed["notification_wrong_signature"]) == ("passed", "failed")
    receiver.answer = lambda notified: web.Response(status=204 if _looks_genuine(api, notified) else 400)
    looked = verdicts(await player.post(f"{player.path}/conformance/{await _run_id(player)}/notifications"))
    assert (looked["notification_genuine"], looked["notification_stale"]) == ("passed", "passed")
    assert (looked["notification_wrong_signature"], looked["notification_changed_body"]) == ("failed", "failed")
    receiver.answer = CheckingReceiver(api, str(run["webhook_secret"]))
    report = await player.post(notify)
    assert set(verdicts(report).values()) == {"passed"}, report.body
    assert "webhook_secret" not in report.json
    assert (await player.get(player.path))["status"] == "security_tested"


async def _run_id(player: Player) -> str:
    return str((await opened_run(player))["id"])


def _looks_genuine(api: Api, notified: Notified) -> bool:
    """What a receiver can tell that has no secret: there are all headers, of this moment, and the body is sound."""
    headers, data = notified.headers, msgspec.json.decode(notified.body, type=dict[str, object])
    is_named = str(headers["webhook-id"]).isascii() and "-" not in str(headers["webhook-id"])
    is_new = abs(int(headers["webhook-timestamp"]) - api.clock.wall_s()) < 300
    return is_named and is_new and "webhook-signature" in headers and data["type"] == "channel.conformance"


async def _goes_live(api: Api, player: Player) -> None:
    assert (await api.post(f"{player.path}/go-live", REASON, caller="alpha")).refused == (
        409,
        "channel-state-conflict",
    )
    assert (await api.post(f"{player.path}/approve", REASON, caller="alpha"))["status"] == "approved"
    assert (await player.post("/v1/cards/search", {"id_number": "1"})).refused == NOT_YET
    asked = await api.post(f"{player.path}/go-live", REASON, caller="alpha")
    assert (await approve(api, asked, by="alpha")).refused == (403, "approval-required")
    assert (await approve(api, asked)).status == 200
    (listed,) = [
        item for item in (await api.send("GET", "/v1/channels/directory")).items if item["channel_no"] == "1101000042"
    ]
    assert (listed["products"], listed["regions"]) == (["cards", "payment"], ["110000"])
    who = await bring_in(api, 1)
    assert (await player.post(f"{who.path}/signs", who.person.identity)).status == 201


async def _is_stopped_by_a_rule(api: Api, player: Player) -> None:
    """So many requests that nothing comes of, all in one minute after it went live."""
    desk, node = api.node.channels, api.node
    desk.rules = (ChannelRule(name="error_share", kind=StopKind.SUSPEND, least=5, percent=50),)
    await watch_channels(node.pool, desk, node.ids)
    with api.clock.held(api.clock.wall_s() + 120):
        for _ in range(6):
            assert (await player.get(f"/v1/cards/{'x' * 8}")).status == 404
        (order,) = await watch_channels(node.pool, desk, node.ids)
    assert order.operator is None
    seen = await player.get(player.path)
    assert seen["status"] == "suspended"
    (stop,) = (await api.get(f"{player.path}/stops", caller="alpha")).items
    assert (stop["kind"], stop["operator_id"], stop["product"], stop["lifted_at"]) == ("suspend", None, None, None)
    assert "6 requests, 6 errors" in str(stop["evidence"])
    who = await bring_in(api, 2)
    assert (await player.post(f"{who.path}/signs", who.person.identity)).refused == (403, "channel-suspended")
    assert "1101000042" not in {item["channel_no"] for item in (await api.send("GET", "/v1/channels/directory")).items}


async def _comes_back(api: Api, player: Player) -> None:
    """Two operators let it go on; what was looked at is not held against it again."""
    asked = await api.post(f"{player.path}/resume", REASON, caller="alpha")
    assert (await approve(api, asked)).status == 200
    api.node.channels.rules = (ChannelRule(name="error_share", kind=StopKind.SUSPEND, least=5, percent=1),)
    with api.clock.held(api.clock.wall_s() - 60):
        for _ in range(6):
            await player.get(f"/v1/cards/{'x' * 8}")
        assert await watch_channels(api.node.pool, api.node.channels, api.node.ids) == []
    assert (await player.get(player.path))["status"] == "live"
    (stop,) = (await api.get(f"{player.path}/stops", caller="alpha")).items
    assert stop["lifted_at"] is not None
    assert "6 errors" in str(stop["evidence"])
    who = await bring_in(api, 3)
    assert (await player.post(f"{who.path}/signs", who.person.identity)).status == 201
    late = await api.post(f"{player.path}/conformance", {}, caller="channel")
    assert late.refused == (404, "not-found")


async def test_application_that_cannot_be_so_is_refused(api: Api) -> None:
    await open_register(api)
    async with a_receiver() as receiver:
        for changes, pointer in (
            ({"addresses": ["192.0.2.1/24"]}, "/addresses"),
            ({"regions": ["110000", "001100"]}, "/regions"),
            ({"products": ["cards", "cards"]}, "/products"),
            ({"parent": "9999999999"}, "/parent"),
            ({"callback_urls": ["http://192.0.2.1/"]}, "/callback_urls/0"),
            ({"channel_no": "１１０１００００４２"}, "/channel_no"),
        ):
            refused = await api.post("/v1/channels", application(receiver, **changes), caller="alpha")
            assert (refused.refused, refused.pointers) == ((400, "field-invalid"), [pointer])
        beyond = await api.post("/v1/channels", application(receiver, region="310000"), caller="beijing")
        assert beyond.refused == (403, "region-not-permitted")
        assert (await api.post("/v1/channels", application(receiver), caller="delta")).status == 403
        assert (await api.post("/v1/channels", application(receiver), caller="channel")).status == 404
        first = await api.post("/v1/channels", application(receiver), caller="alpha")
        assert first.status == 201
        taken = await api.post("/v1/channels", application(receiver), caller="alpha")
        assert (taken.refused, taken.pointers) == ((409, "participant-exists"), ["/channel_no"])
        for table in ("request_answer", "approval"):
            kept = "".join(map(str, await api.sql.fetch(f"SELECT * FROM {table}")))  # noqa: S608  # names from above
            assert "15412345678" not in kept
        wide = Player(api, first)
        terms = {name: value for name, value in application(receiver).items() if name in _TERMS}
        asked = await api.post(
            f"{wide.path}/changes", terms | {"addresses": ["192.0.2.0/24"], "reason": "moved"}, caller="alpha"
        )
        assert (await wide.get(wide.path)).status == 200
        assert (await approve(api, asked)).status == 200
        assert (await wide.get(wide.path)).refused == (403, "address-not-allowed")


_TERMS = frozenset({"name_zh", "name_en", "contact", "region", "products", "regions", "callback_urls"})


async def test_keys_of_a_channel_follow_each_other(api: Api) -> None:
    await open_register(api)
    async with a_receiver() as receiver:
        applied = await api.post("/v1/channels", application(receiver), caller="alpha")
        player = Player(api, applied)
        asked = await api.post(
            f"{player.path}/keys/rotate",
            {"alg": "hmac-sha256", "overlap_s": 3600, "reason": "yearly"},
            caller="alpha",
        )
        decided = await approve(api, asked)
        successor = Player(api, msgspec.structs.replace(applied, body=_with_secret(applied, decided)))
        assert [(await one.get(player.path)).status for one in (player, successor)] == [200, 200]
        keys = (await api.get(f"{player.path}/keys", caller="alpha")).items
        assert [key["status"] for key in keys] == ["active", "retiring"]
        old = f"{player.path}/keys/{keys[1]['keyid']}/revoke"
        assert (await api.post(old, REASON, caller="gamma"))["status"] == "revoked"
        assert (await player.get(player.path)).refused == (401, "signature-key-unknown")
        assert (await successor.get(player.path)).status == 200


def _with_secret(applied: Reply, decided: Reply) -> bytes:
    return msgspec.json.encode(applied.json | {"secret": decided["secret"]})


async def test_outside_a_sandbox_its_report_counts_once_two_operators_have_seen_it(dsn: str, tmp_path: Path) -> None:
    async with open_api(dsn, tmp_path, is_sandbox=False) as api:
        await open_register(api)
        body = application(Receiver()) | {"callback_urls": []}
        player = Player(api, await api.post("/v1/channels", body, caller="alpha"))
        assert (await player.post(f"{player.path}/conformance")).refused == (404, "not-found")
        report: Json = {"part": "security", "report_sha256": "5f" * 32, "reason": "run of 24 November"}
        early = await api.post(f"{player.path}/test-reports", report, caller="alpha")
        assert early.refused == (409, "channel-state-conflict")
        for part in ("function", "security"):
            asked = await api.post(f"{player.path}/test-reports", report | {"part": part}, caller="alpha")
            assert (await player.get(player.path))["status"] != f"{part}_tested"
            assert (await approve(api, asked)).status == 200
            assert (await player.get(player.path))["status"] == f"{part}_tested"
        newest = msgspec.convert((await player.get(player.path))["history"], list[Json])[0]
        assert "5f" * 32 in str(newest["reason"])


async def test_runs_are_the_channels_own(api: Api) -> None:
    await open_register(api)
    async with a_receiver() as receiver:
        player = Player(api, await api.post("/v1/channels", application(receiver), caller="alpha"))
        run = await opened_run(player)
        report = f"{player.path}/conformance/{run['id']}"
        for caller in ("channel", "merchant-0"):
            assert (await api.get(report, caller=caller)).refused == (404, "not-found")
            body = {"case": "busy", "order_no": "A-1", "amount": 1}
            assert (await api.post(f"{report}/practice", body, caller=caller)).refused == (404, "not-found")
        assert (await api.get(report, caller="delta")).status == 200
        sandboxed = {"part": "function", "report_sha256": "5f" * 32, "reason": "x"}
        assert (await api.post(f"{player.path}/test-reports", sandboxed, caller="alpha")).status == 404
