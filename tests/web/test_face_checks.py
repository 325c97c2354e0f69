"""Faces: whoever compares them may say no, nothing, or nonsense; and no image stays anywhere."""

import asyncio
import base64
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import aiohttp
import asyncpg
import msgspec
import pytest
from aiohttp import web
from structlog.testing import capture_logs
from yarl import URL

from engine.core.verification import FaceOutcome
from engine.flows.identity import face
from engine.flows.identity.face import ANSWER_BYTES_MAX, HttpFaceComparer, face_reference, face_url, open_faces
from engine.settings import Settings, WrongSetting
from engine.wiring import open_server
from tests.people import person
from tests.web.api import Api, Json, Reply, a_key
from tests.web.register import issued, open_register, phone_of
from tests.web.test_admissions import entry
from tests.web.test_bills import add_agencies
from tests.web.test_certifications import BENEFICIARIES, today

GOOD = b'{"score": 930, "liveness": 990}'
SAMPLE = b"\xff\xd8\xff" + secrets.token_bytes(3_000)
FACE = base64.b64encode(SAMPLE).decode()


class Provider:
    """Answers every comparison with the same bytes, once it is let."""

    def __init__(self) -> None:
        self.url = ""
        self.status, self.answer = 200, GOOD
        self.asked: list[Json] = []
        self.authorization: str | None = None
        self.let_go = asyncio.Event()
        self.let_go.set()

    async def take(self, request: web.Request) -> web.Response:
        """Note the question, and answer it."""
        self.asked.append(await request.json())
        self.authorization = request.headers.get("Authorization")
        await self.let_go.wait()
        return web.Response(status=self.status, body=self.answer, headers={"Location": "/elsewhere"})


@asynccontextmanager
async def a_provider() -> AsyncIterator[Provider]:
    """A provider on this machine."""
    provider = Provider()
    app = web.Application(client_max_size=1 << 20)
    app.router.add_post("/compare", provider.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    provider.url = f"http://127.0.0.1:{runner.addresses[0][1]}/compare"
    try:
        yield provider
    finally:
        provider.let_go.set()
        await runner.cleanup()


@pytest.mark.parametrize(
    ("status", "answer", "outcome"),
    [
        (200, GOOD, FaceOutcome.ACCEPTED),
        (200, b'{"score": 799, "liveness": 1000}', FaceOutcome.REJECTED),
        (200, b'{"score": 1000, "liveness": 899}', FaceOutcome.REJECTED),
        (200, b"accepted", FaceOutcome.UNKNOWN),
        (200, b'{"score": 930}', FaceOutcome.UNKNOWN),
        (200, b'{"score": "930", "liveness": 990}', FaceOutcome.UNKNOWN),
        (200, b'{"score": 930.5, "liveness": 990}', FaceOutcome.UNKNOWN),
        (200, b'{"score": 1001, "liveness": 990}', FaceOutcome.UNKNOWN),
        (200, b'{"score": 930, "liveness": 990, "accepted": true}', FaceOutcome.UNKNOWN),
        (200, b"\xff" * 10, FaceOutcome.UNKNOWN),
        (200, GOOD + b" " * ANSWER_BYTES_MAX, FaceOutcome.UNKNOWN),
        (302, GOOD, FaceOutcome.UNKNOWN),
        (201, GOOD, FaceOutcome.UNKNOWN),
        (500, b"", FaceOutcome.UNKNOWN),
    ],
)
async def test_what_is_no_answer_is_no_yes(status: int, answer: bytes, outcome: FaceOutcome) -> None:
    async with a_provider() as provider, open_faces({"ENGINE_FACE_URL": provider.url}) as faces:
        assert faces is not None
        provider.status, provider.answer = status, answer
        assert (await faces.compare("5f" * 32, SAMPLE)).outcome is outcome
        assert provider.asked == [{"reference": "5f" * 32, "sample": FACE}]


async def test_provider_that_hangs_or_is_gone_is_waited_for_a_while_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(face, "ANSWER_S_MAX", 0.05)
    async with a_provider() as provider, aiohttp.ClientSession() as session:
        provider.let_go.clear()
        faces = HttpFaceComparer(session, provider.url)
        # More at once than have a turn: those who wait for one are answered as well.
        results = await asyncio.gather(*(faces.compare("5f", SAMPLE) for _ in range(face.AT_ONCE + 3)))
        assert {result.outcome for result in results} == {FaceOutcome.UNKNOWN}
    async with aiohttp.ClientSession() as session:
        gone = HttpFaceComparer(session, provider.url)
        assert (await gone.compare("5f", SAMPLE)).outcome is FaceOutcome.UNKNOWN


@pytest.mark.parametrize("url", ["face", "ftp://a/b", "http://", "http://a:70000/", "http://ä/"])
def test_setting_that_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(WrongSetting):
        face_url({"ENGINE_FACE_URL": url})


async def test_provider_is_shown_the_password_of_the_setting() -> None:
    async with a_provider() as provider:
        url = provider.url.replace("http://", "http://engine:s3cret@")
        async with open_faces({"ENGINE_FACE_URL": url}) as faces:
            assert faces is not None
            with capture_logs() as logs:
                assert (await faces.compare("5f", SAMPLE)).outcome is FaceOutcome.ACCEPTED
        assert provider.authorization == "Basic " + base64.b64encode(b"engine:s3cret").decode()
    assert "s3cret" not in repr(logs)


async def test_without_the_setting_nobody_compares() -> None:
    assert face_url({}) == ""
    async with open_faces({}) as faces:
        assert faces is None


@asynccontextmanager
async def with_faces(api: Api, provider: Provider, folder: Path) -> AsyncIterator[Api]:
    """The same node, where faces are compared."""
    async with open_faces({"ENGINE_FACE_URL": provider.url}) as faces:
        node = msgspec.structs.replace(api.node, faces=faces)
        settings = Settings(data_dir=folder, environ={}, is_sandbox=True, port=0)
        async with open_server(node, settings) as port:
            yield Api(node, api.world, api.sql, api.session, URL(f"http://127.0.0.1:{port}"))


async def test_face_lets_in_and_certifies_and_stays_nowhere(api: Api, tmp_path: Path) -> None:
    await open_register(api)
    await add_agencies(api, "payer")
    await api.sql.execute("UPDATE merchant SET scenarios = '{1,2,9}'")
    who = await issued(api, 1, level=2)
    phone = await phone_of(api, who)
    async with a_provider() as provider, with_faces(api, provider, tmp_path) as seen:
        with capture_logs() as logs:
            replies = [
                *(await admitted(seen, provider, phone.pay_code(seen, 0))),
                *(await certified(seen, provider, who.id)),
            ]
    reference = face_reference(api.node.keyring, who.person.id_number)
    assert {question["reference"] for question in provider.asked} == {reference}
    kept = [repr(line) for line in logs] + [reply.body.decode() for reply in replies] + await everything(api.sql)
    assert [text for text in kept if FACE[:40] in text or SAMPLE[:20].hex() in text or reference in text] == []
    assert not [secret for secret in person(1).secrets for line in logs if secret in repr(line)]


async def admitted(api: Api, provider: Provider, code: str) -> list[Reply]:
    """A gate that looks at faces: no match and no answer let nobody in, and leave the code as it is."""
    path, body, key = "/v1/identity/admissions", entry(pay_code=code, face=FACE), a_key()
    provider.answer = b'{"score": 10, "liveness": 990}'
    rejected = await api.post(path, body, key=key)
    provider.answer = b"nonsense"
    unknown = await api.post(path, body, key=key)
    provider.answer = GOOD
    let_in = await api.post(path, body, key=key)
    provider.answer = b"nonsense"
    again = await api.post(path, body, key=key)
    assert rejected.refused == (422, "biometric-rejected")
    assert unknown.refused == (503, "upstream-unavailable")
    assert (let_in.status, let_in["has_face"]) == (201, True), let_in.body
    assert (again.is_replay, again.body) == (True, let_in.body)
    return [rejected, unknown, let_in]


async def certified(api: Api, provider: Provider, card: str) -> list[Reply]:
    """What nobody can say is pending, and certifies nothing."""
    due = (await today(api) - timedelta(days=365)).isoformat()
    made = await api.post(BENEFICIARIES, {"card_id": card, "benefit_code": "P", "due_on": due}, caller="payer")
    path, body = "/v1/identity/certifications", {"card_id": card, "method": "self", "face": FACE}
    replies = []
    for answer, status, told in (
        (b"nonsense", "suspended", "pending"),
        (b'{"score": 10, "liveness": 990}', "suspended", "biometric-rejected"),
        (GOOD, "restored", "certified"),
    ):
        provider.answer = answer
        reply = await api.post(path, body, caller="channel")
        replies.append(reply)
        assert told in (reply.code, reply.json.get("result"))
        benefit = await api.get(f"{path}/{made['id']}", caller="payer")
        assert (benefit["status"], benefit["is_pending"]) == (status, status != "restored")
    return replies


async def everything(sql: asyncpg.Connection) -> list[str]:
    """Every row of every table, as text."""
    tables = await sql.fetch(
        "SELECT oid::regclass::text AS name FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    )
    return [
        row["v"]
        for table in tables
        for row in await sql.fetch(f"SELECT t::text AS v FROM {table['name']} t")  # noqa: S608  # the database's own names
    ]
