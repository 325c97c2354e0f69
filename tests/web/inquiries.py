"""What tests of consents and inquiries share: who is let look, what regions have sent in, and a region's own system."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, timedelta

import msgspec
from aiohttp import web

from engine.core.consents import Scope, agreement
from engine.core.ids import CardId, IdKind, id_text, parse_id
from tests.web.api import Api, Json, Reply
from tests.web.operators import approve, result_of
from tests.web.register import Carried, sealed

PURPOSE = "job_application"
REGION = "110101"
RECORDS: dict[str, tuple[str, list[str]]] = {
    "social_insurance": (
        "region,insurance,employer,status,months_paid,base,account_balance,as_of",
        [
            "110101,pension,某厂,normal,120,800000,3500000,2026-10-31",
            "110101,medical,某厂,paused,118,800000,,2026-10-31",
        ],
    ),
    "employment_services": (
        "region,registration_no,status,registered_on,file_location",
        ["110101,R-1,job_seeking,2026-01-05,区人才中心"],
    ),
    "employment": (
        "region,employer,employment_type,starts_on,ends_on",
        ["110101,某厂,full_time,2020-03-01,", "110101,某店,part_time,2018-03-01,2020-02-28"],
    ),
    "vocational_training": (
        "region,course,provider,hours,starts_on,ends_on,subsidy,certificate_no",
        ["110101,焊工,职校,120,2026-03-01,2026-04-01,150000,C-1"],
    ),
    "qualifications": (
        "region,name,level,certificate_no,issued_on,issuer",
        ["110101,会计师,中级,K-1,2024-09-01,人社部"],
    ),
    "skill_levels": (
        "region,occupation,level,certificate_no,issued_on,institution",
        ["110101,电工,2,S-1,2025-05-01,鉴定站"],
    ),
    "guaranteed_loans": (
        "region,application_no,amount,interest_discount_bp,bank,status,due_on",
        ["110101,L-1,20000000,200,某行,paid_out,2028-01-01"],
    ),
}
"""By topic, the columns beside whom it is about, and what is known of each person, oldest first."""


async def today(api: Api) -> date:
    """The open business date."""
    return (await api.node.reads.business_now()).control.business_date


async def agreement_body(api: Api, who: Carried, scopes: list[str], **changes: object) -> Json:
    """What the person agrees to, without the act that shows it."""
    body: Json = {
        "card_id": who.id,
        "scopes": scopes,
        "purpose": PURPOSE,
        "valid_until": (await today(api) + timedelta(days=30)).isoformat(),
    }
    return body | changes


def bound_to(body: Json, channel: bytes) -> str:
    """What the person's act is bound to: the six lines that the contract tells, digested."""
    department = body.get("department_id")
    return agreement(
        card=CardId(parse_id(str(body["card_id"]), IdKind.CARD)),
        channel=channel,
        department=parse_id(str(department), IdKind.AGENCY) if department is not None else None,
        scopes=tuple(Scope(str(scope)) for scope in body["scopes"]),  # type: ignore[attr-defined]  # a list
        purpose=str(body["purpose"]),
        valid_until=date.fromisoformat(str(body["valid_until"])),
    )


async def consent(
    api: Api, who: Carried, scopes: list[str], *, channel: bytes, key: str | None = None, **changes: object
) -> Reply:
    """The person agrees by password."""
    body = await agreement_body(api, who, scopes, **changes)
    block = await sealed(api, f"{bound_to(body, channel)}/consent")
    return await api.post("/v1/consents", body | {"password_block": block}, caller="channel", key=key)


async def grant(api: Api, holder: bytes, scopes: list[str], **changes: object) -> list[str]:
    """Two operators let a department or a channel look. Returns the grants."""
    day = await today(api)
    body: Json = {
        "holder": id_text(holder),
        "scopes": scopes,
        "purpose": PURPOSE,
        "region": "110000",
        "valid_from": day.isoformat(),
        "valid_until": (day + timedelta(days=300)).isoformat(),
        "reason": "contract 12",
    }
    decided = await approve(api, await api.post("/v1/grants", body | changes, caller="alpha"))
    assert decided.status == 200, decided.body
    return msgspec.convert(result_of(decided)["grants"], list[str])


async def revoke(api: Api, one: str) -> None:
    """One operator ends a grant."""
    reply = await api.post(f"/v1/grants/{one}/revoke", {"reason": "over"}, caller="alpha")
    assert (reply.status, reply["status"]) == (200, "revoked"), reply.body


def a_file(topic: str, *people: Carried, rows: list[str] | None = None) -> bytes:
    """What a region sends about some persons."""
    columns, known = RECORDS[topic]
    lines = [f"{who.person.id_number},{row}" for who in people for row in (rows or known)]
    return "\n".join((f"id_number,{columns}", *lines, "")).encode()


async def bring_records(api: Api, topic: str, content: bytes, *, caller: str = "alpha") -> Reply:
    """An operator brings a file in."""
    return await api.post(f"/v1/inquiry/{topic}/import", content, caller=caller)


async def ask(
    api: Api, who: Carried, topic: str, *, caller: str = "channel", query: str = "", purpose: str = PURPOSE
) -> Reply:
    """The channel asks."""
    return await api.get(f"/v1/inquiry/{topic}?card_id={who.id}&purpose={purpose}{query}", caller=caller)


class RegionalOffice:
    """A region's own system, which answers as a test tells it."""

    def __init__(self) -> None:
        """It answers nothing known until told otherwise; while `is_held` it has heard and says nothing."""
        self.url = ""
        self.answer: bytes = b'{"items": []}'
        self.status = 200
        self.heard: list[tuple[str, bytes, dict[str, str]]] = []
        self.has_heard = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def handle(self, request: web.Request) -> web.Response:
        """Take a question down, and answer once that is allowed."""
        self.heard.append((request.path, await request.read(), dict(request.headers)))
        self.has_heard.set()
        await self.may_answer.wait()
        return web.Response(status=self.status, body=self.answer)


@asynccontextmanager
async def open_office() -> AsyncIterator[RegionalOffice]:
    """A region's system that listens on this machine."""
    office = RegionalOffice()
    app = web.Application()
    app.router.add_post("/{path:.*}", office.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    office.url = f"http://127.0.0.1:{runner.addresses[0][1]}/ssc"
    try:
        yield office
    finally:
        office.may_answer.set()
        await runner.cleanup()
