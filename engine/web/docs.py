"""The contract for people: a guide in Chinese and English, and Swagger UI, with nothing fetched from elsewhere."""

import asyncio
import functools
import gzip
import hashlib
from collections.abc import Mapping
from html import escape
from pathlib import Path
from string import Template
from typing import Final, Literal

import msgspec
from aiohttp import web

from engine.core.refusals import Refusal
from engine.web.examples import SIGNED
from engine.web.problems import PROBLEMS, Problem, prefers_chinese

Language = Literal["zh", "en"]

LANGUAGES: Final[tuple[Language, ...]] = ("zh", "en")
STATIC: Final = Path(__file__).parent / "static"

# Nothing but what this server sends; Swagger UI's style sheet has its icons as data.
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "Cache-Control": "no-cache",  # kept, and asked about each time: an upgrade shows at once
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class StaticFile(msgspec.Struct, frozen=True):
    """One file of the page; `path` is below `STATIC`."""

    path: str
    content_type: str


FILES: Final[Mapping[str, StaticFile]] = {
    "docs.css": StaticFile("docs.css", "text/css"),
    "docs.js": StaticFile("docs.js", "text/javascript"),
    "sign_request.py": StaticFile("sign_request.txt", "text/plain"),
    "swagger-ui-bundle.js": StaticFile("swagger-ui/swagger-ui-bundle.js", "text/javascript"),
    "swagger-ui-bundle.js.LICENSE.txt": StaticFile("swagger-ui/swagger-ui-bundle.js.LICENSE.txt", "text/plain"),
    "swagger-ui.LICENSE.txt": StaticFile("swagger-ui/LICENSE", "text/plain"),
    "swagger-ui.css": StaticFile("swagger-ui/swagger-ui.css", "text/css"),
}
"""By the name in the address. No other name reaches the disk."""


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """One page or file, ready to be sent."""

    content_type: str
    body: bytes
    gzipped: bytes
    digest: str


async def get_docs(request: web.Request) -> web.Response:
    """`GET /docs`: the guide and the contract as a page, in the reader's language."""
    served = await asyncio.to_thread(_served_page, language_of(request))
    return _respond(request, served, vary="Accept-Encoding, Accept-Language")


async def get_docs_file(request: web.Request) -> web.Response:
    """`GET /docs/{file}`: what the page is made of."""
    name = request.match_info["file"]
    if name not in FILES:
        raise web.HTTPNotFound
    served = await asyncio.to_thread(_served_file, name)
    return _respond(request, served, vary="Accept-Encoding")


def guide_page(language: Language) -> str:
    """The whole page in one language; Swagger UI comes to it in the browser."""
    return _template("page.html").substitute(
        language=_HTML_LANGUAGES[language],
        title=_TITLES[language],
        guide=_template(f"guide.{language}.html").substitute(
            script=escape((STATIC / FILES["sign_request.py"].path).read_text(encoding="utf-8")),
            keyid=escape(SIGNED.keyid),
            secret=escape(SIGNED.secret),
            created=SIGNED.created,
            nonce=escape(SIGNED.nonce),
            base=escape(SIGNED.base),
            request=escape(_request_text()),
            problems="".join(_problem_row(refusal, problem, language) for refusal, problem in PROBLEMS.items()),
        ),
    )


_TITLES: Final[Mapping[Language, str]] = {
    "zh": "电子社保卡结算引擎：接口文档",
    "en": "Settlement engine of the electronic social security card: API",
}
_HTML_LANGUAGES: Final[Mapping[Language, str]] = {"zh": "zh-CN", "en": "en"}


def language_of(request: web.Request) -> Language:
    """The language that the address asks for; else the reader's own."""
    asked = request.query.get("lang")
    for language in LANGUAGES:
        if language == asked:
            return language
    return "zh" if prefers_chinese(request.headers.get("Accept-Language")) else "en"


def _template(name: str) -> Template:
    return Template((STATIC / name).read_text(encoding="utf-8"))


def _request_text() -> str:
    """The signed example as it goes over the wire."""
    headers = {"Content-Type": "application/json", **SIGNED.headers}
    lines = [f"{SIGNED.method} {SIGNED.target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\n".join((*lines, "", SIGNED.body))


def _problem_row(refusal: Refusal, problem: Problem, language: Language) -> str:
    repeat = _REPEATS[language][problem.is_retryable]
    if problem.retry_after_s is not None:
        repeat += f" ({problem.retry_after_s} s)"
    return (
        f'<tr><th scope="row"><a href="problems/{refusal.slug}"><code>{refusal.slug}</code></a></th>'
        f"<td>{problem.status}</td>"
        f'<td lang="zh-CN">{escape(problem.zh)}<br><small>{escape(problem.todo_zh)}</small></td>'
        f'<td lang="en">{escape(problem.en)}<br><small>{escape(problem.todo_en)}</small></td>'
        f"<td>{repeat}</td></tr>\n"
    )


_REPEATS: Final[Mapping[Language, Mapping[bool, str]]] = {
    "zh": {True: "可以", False: "不可"},
    "en": {True: "yes", False: "no"},
}


@functools.cache
def _served_page(language: Language) -> Served:
    return _served("text/html", guide_page(language).encode())


@functools.cache
def _served_file(name: str) -> Served:
    file = FILES[name]
    return _served(file.content_type, (STATIC / file.path).read_bytes())


def _served(content_type: str, body: bytes) -> Served:
    return Served(
        content_type=content_type,
        body=body,
        gzipped=gzip.compress(body, mtime=0),
        digest=hashlib.sha256(body).hexdigest()[:32],
    )


def _respond(request: web.Request, served: Served, *, vary: str) -> web.Response:
    is_gzipped = _accepts_gzip(request.headers.get("Accept-Encoding", ""))
    # Strong validators: the two encodings are different bytes (RFC 9110, section 8.8.3.3).
    etag = f"{served.digest}-gzip" if is_gzipped else served.digest
    headers = {**_HEADERS, "ETag": f'"{etag}"', "Vary": vary}
    known = request.if_none_match or ()
    if any(tag.value in (etag, "*") for tag in known):
        return web.Response(status=304, headers=headers)
    if is_gzipped:
        headers["Content-Encoding"] = "gzip"
    return web.Response(
        body=served.gzipped if is_gzipped else served.body,
        content_type=served.content_type,
        charset="utf-8",
        headers=headers,
    )


def _accepts_gzip(accept_encoding: str) -> bool:
    for member in accept_encoding.lower().split(","):
        name, _, weight = member.partition(";")
        if name.strip() == "gzip":
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
