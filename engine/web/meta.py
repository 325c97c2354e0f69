"""What needs no signature: health, metrics, the engine's public keys, the contract and its pages."""

import base64
from datetime import timedelta
from functools import cache
from html import escape
from pathlib import Path
from typing import Final

from aiohttp import web

from engine.core.calendar import business_date_at
from engine.core.refusals import Refusal
from engine.store.faults import Fault
from engine.web.body import Refused
from engine.web.node import NODE
from engine.web.payments import json_response
from engine.web.problems import PROBLEMS, prefers_chinese, refusal_of
from engine.web.render import encode_json

CONTRACT: Final = Path(__file__).parents[2] / "schemas" / "http" / "openapi.json"
SKEW_S_MAX: Final = 1.0


async def get_healthz(_request: web.Request) -> web.Response:
    """`GET /healthz`: the process answers."""
    return json_response(b'{"status":"alive"}')


async def get_readyz(request: web.Request) -> web.Response:
    """`GET /readyz`: payments can be made: lanes held, database reached, clocks agree, the next date can be opened."""
    node = request.app[NODE]
    failing = []
    if not node.ledger.is_serving:
        failing.append("lanes")
    try:
        now = await node.reads.business_now()
        if abs(now.clock.timestamp() - node.clock.wall_s()) > SKEW_S_MAX:
            failing.append("clock")
        if not await node.reads.can_open(business_date_at(now.now) + timedelta(days=1)):
            failing.append("partitions")
    except Fault:
        failing.append("database")
    status = "ready" if not failing else "not_ready"
    return json_response(encode_json({"status": status, "failing": failing}), status=503 if failing else 200)


async def get_metrics(request: web.Request) -> web.Response:
    """`GET /metrics`, for Prometheus."""
    node = request.app[NODE]
    node.metrics.queued.set(node.ledger.queued_count)
    node.metrics.serving.set(node.ledger.is_serving)
    node.metrics.hints_degraded.set(node.nonces.is_degraded)
    return web.Response(
        body=node.metrics.exposition(),
        headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
    )


async def get_keys(request: web.Request) -> web.Response:
    """`GET /v1/keys`: what files and seals are checked with, and passwords sealed for (RFC 7517, 7518, 8037)."""
    node = request.app[NODE]
    signing = [
        {
            "kty": "OKP",
            "crv": "Ed25519",
            "use": "sig",
            "alg": "EdDSA",
            "kid": key.key_id,
            "x": base64.urlsafe_b64encode(key.public_bytes).rstrip(b"=").decode(),
        }
        for key in node.signing_keys
    ]
    return json_response(encode_json({"keys": [*signing, node.passwords.keys.published]}))


async def get_openapi(_request: web.Request) -> web.Response:
    """`GET /openapi.json`: the contract, as kept in schemas/http and compared with the code by a test."""
    return json_response(_contract())


@cache
def _contract() -> bytes:
    return CONTRACT.read_bytes()


async def get_problem(request: web.Request) -> web.Response:
    """`GET /problems/{slug}`: what a refusal means and what to do, in the reader's language."""
    refusal = refusal_of(request.match_info["slug"])
    if refusal is None:
        raise Refused(Refusal.NOT_FOUND)
    in_chinese = prefers_chinese(request.headers.get("Accept-Language"))
    return web.Response(
        text=problem_page(refusal, in_chinese=in_chinese),
        content_type="text/html",
        headers={
            "Vary": "Accept-Language",
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",  # one style element, no script
            "X-Content-Type-Options": "nosniff",
        },
    )


def problem_page(refusal: Refusal, *, in_chinese: bool) -> str:
    """One refusal as a page; the reader's language comes first, the other one second."""
    problem = PROBLEMS[refusal]
    zh = f'<section lang="zh-CN"><h2>{escape(problem.zh)}</h2><p>{escape(problem.todo_zh)}</p></section>'
    en = f'<section lang="en"><h2>{escape(problem.en)}</h2><p>{escape(problem.todo_en)}</p></section>'
    repeat = (
        "可用同一幂等键重试 / The same request with the same key may succeed."
        if problem.is_retryable
        else "不可用同一幂等键重试 / Repeating the same request gives the same answer."
    )
    return (
        f'<!doctype html><html lang="{"zh-CN" if in_chinese else "en"}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{refusal.slug}</title>'
        "<style>body{font:16px/1.6 system-ui,sans-serif;max-width:40rem;margin:3rem auto;padding:0 1rem}"
        "code{font-size:1.4rem}</style></head>"
        f"<body><main><h1><code>{refusal.slug}</code></h1><p>HTTP {problem.status}</p>"
        f"{zh + en if in_chinese else en + zh}<p>{repeat}</p></main></body></html>"
    )
