"""`engine channels conformance` and what `engine call` does for a channel, as they are typed beside an engine."""

import asyncio
import socket
import subprocess
from pathlib import Path

import msgspec

from engine.cli.options import Exit
from engine.client.credentials import CallerFile, write_caller_file
from engine.core.ids import id_text
from engine.sandbox.guide import SandboxGuide, read_guide, write_guide
from engine.sandbox.load import SandboxCaller
from tests.e2e.processes import run_engine
from tests.web.api import SECRET, Api, Reply, open_api
from tests.web.channel_player import Player
from tests.web.inquiries import agreement_body
from tests.web.register import PASSWORD, WRONG, give_password, issued, open_register
from tests.web.test_channels import application
from tests.web.webhook_receiver import Receiver, a_receiver


def a_free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


async def applied_at(api: Api, url: str, channel_no: str = "1101000042") -> Reply:
    """A channel that has applied, to be notified at *url*."""
    body = application(Receiver(), channel_no=channel_no, callback_urls=[url])
    applied = await api.post("/v1/channels", body, caller="alpha")
    assert applied.status == 201, applied.body
    return applied


def key_file_of(folder: Path, api: Api, applied: Reply, **changes: str) -> str:
    """The channel's key in a file. Returns its name."""
    secret = msgspec.convert(applied["secret"], dict[str, str])
    path = folder / f"{applied['id']}{len(changes)}.json"
    given = {"id": str(applied["id"]), "base_url": str(api.base_url)} | changes
    write_caller_file(path, CallerFile(**secret, **given))
    return str(path)


async def test_channel_passes_all_its_cases_and_only_with_somebody_listening(dsn: str, tmp_path: Path) -> None:
    async with open_api(dsn, tmp_path) as api:
        await open_register(api)
        applied = await applied_at(api, f"http://127.0.0.1:{a_free_port()}/hook")
        key_file = key_file_of(tmp_path, api, applied)

        played = await asyncio.to_thread(run_engine, "channels", "conformance", "--key-file", key_file)
        assert (played.returncode, played.stderr) == (Exit.DONE, "")
        for case in ("lost_answer", "busy", "notification_wrong_signature", "notification_repeated"):
            assert case in played.stdout
        player = Player(api, applied)
        assert (await player.get(player.path))["status"] == "security_tested"

        async with a_receiver() as busy:
            taken = key_file_of(tmp_path, api, await applied_at(api, busy.url(), "1101000043"))
            elsewhere = key_file_of(tmp_path, api, await applied_at(api, "http://127.0.0.1:1/", "1101000044"), id="")
            for file, code, said in (
                (taken, Exit.WRONG_USAGE, "cannot be listened on"),
                (elsewhere, Exit.WRONG_USAGE, "does not say which channel"),
            ):
                ended = await asyncio.to_thread(run_engine, "channels", "conformance", "--key-file", file)
                assert (ended.returncode, said in ended.stderr) == (code, True), ended.stderr


async def test_channel_is_kept_as_it_applies_and_a_person_agrees_through_it(dsn: str, tmp_path: Path) -> None:
    async with open_api(dsn, tmp_path) as api:
        await open_register(api)
        write_guide(tmp_path, await guide_of(api))

        def call(*arguments: str) -> subprocess.CompletedProcess[str]:
            return run_engine("call", *arguments, "--data-dir", str(tmp_path), database_url=dsn)

        body = msgspec.json.encode(application(Receiver(), callback_urls=["http://127.0.0.1:1/"])).decode()
        applying = ("POST", "/v1/channels", body, "--as", "alpha", "--keep-as")
        taken = await asyncio.to_thread(call, *applying, "channel")
        assert (taken.returncode, taken.stdout) == (Exit.WRONG_USAGE, "")
        applied = await asyncio.to_thread(call, *applying, "travel")
        assert applied.returncode == Exit.DONE, applied.stderr
        identifier = msgspec.json.decode(applied.stdout)["id"]
        assert await asyncio.to_thread(known_as, tmp_path, "travel") == identifier
        seen = await asyncio.to_thread(call, "GET", f"/v1/channels/{identifier}", "--as", "travel")
        assert (seen.returncode, msgspec.json.decode(seen.stdout)["status"]) == (Exit.DONE, "applied")

        who = await issued(api, 1)
        await give_password(api, who)
        wish = msgspec.json.encode(await agreement_body(api, who, ["employment"])).decode()
        agreeing = ("POST", "/v1/consents", wish, "--as", "channel", "--password")
        wrong = await asyncio.to_thread(call, *agreeing, WRONG)
        assert (wrong.returncode, msgspec.json.decode(wrong.stdout)["code"]) == (
            Exit.CHECK_FAILED,
            "password-incorrect",
        )
        agreed = await asyncio.to_thread(call, *agreeing, PASSWORD)
        assert agreed.returncode == Exit.DONE, agreed.stdout
        (consent,) = msgspec.json.decode(agreed.stdout)["items"]
        assert (consent["card_id"], consent["evidence_kind"]) == (who.id, "password")
        nothing = await asyncio.to_thread(call, "POST", "/v1/cards/search", "{}", "--password", PASSWORD)
        assert (nothing.returncode, PASSWORD in nothing.stderr) == (Exit.WRONG_USAGE, False)


async def guide_of(api: Api) -> SandboxGuide:
    """A guide that knows an operator, a channel, and the merchant who calls by default."""
    rows = await api.sql.fetch("SELECT keyid, caller FROM caller_key WHERE keyid IN ('alpha', 'channel', 'merchant-0')")
    names = {"merchant-0": "hospital-01"}
    callers = [
        SandboxCaller(
            name=names.get(row["keyid"], row["keyid"]),
            kind="channel",
            id=id_text(row["caller"]),
            keyid=row["keyid"],
            alg="hmac-sha256",
            key=SECRET,
            region="110000",
        )
        for row in rows
    ]
    return SandboxGuide(base_url=str(api.base_url).rstrip("/"), callers=tuple(callers), cards=())


def known_as(folder: Path, name: str) -> str:
    """The id of who is listed under a name."""
    guide = read_guide(folder)
    assert guide is not None
    return guide.caller(name).id
