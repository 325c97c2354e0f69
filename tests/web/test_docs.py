"""The guide: in two languages, complete, and made of nothing that is not served here."""

import gzip
import hashlib
import itertools
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import TypeAlias, cast

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from engine.web import cashier_page, docs
from engine.web.docs import FILES, LANGUAGES, STATIC, Language, guide_page
from engine.web.examples import SIGNED
from engine.web.problems import PROBLEMS

Client: TypeAlias = TestClient[web.Request, web.Application]

VENDORED = re.compile(r"^\| `([a-z.-]+)` \| `([0-9a-f]{64})` \|$", re.MULTILINE)
VOID_ELEMENTS = frozenset({"meta", "link", "br"})


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    """A client of an application that serves the guide and nothing else."""
    app = web.Application()
    app.router.add_get("/docs", docs.get_docs)
    app.router.add_get("/docs/{file}", docs.get_docs_file)
    async with TestClient(TestServer(app), auto_decompress=False) as running:
        yield running


class Outline(HTMLParser):
    """What a page is built of: elements with their attributes, in order; an element left open is an error."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID_ELEMENTS:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert tag == self._open.pop()

    def values(self, attribute: str, tag: str | None = None) -> list[str]:
        """An attribute's values, on elements of one kind or of all."""
        named = [attributes.get(attribute) for name, attributes in self.elements if tag in (None, name)]
        return [value for value in named if value is not None]

    def tags(self) -> list[str]:
        """The elements' names, in order."""
        return [tag for tag, _ in self.elements]


@pytest.mark.parametrize("language", LANGUAGES)
def test_page_is_well_formed_and_whole(language: Language) -> None:
    outline = Outline(guide_page(language))
    tags = outline.tags()
    assert tags.count("h1") == 1
    assert {"header", "nav", "main", "footer", "caption"} <= set(tags)
    identifiers = outline.values("id")
    assert len(set(identifiers)) == len(identifiers)
    assert {link[1:] for link in outline.values("href", "a") if link.startswith("#")} <= set(identifiers)
    assert set(outline.values("aria-labelledby")) <= set(identifiers)


@pytest.mark.parametrize("language", LANGUAGES)
def test_headings_skip_no_level(language: Language) -> None:
    levels = [int(tag[1]) for tag in Outline(guide_page(language)).tags() if re.fullmatch(r"h[1-6]", tag)]
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_both_languages_have_the_same_parts() -> None:
    chinese, english = (Outline(guide_page(language)) for language in LANGUAGES)
    for tag in ("h2", "h3", "li", "p", "pre", "th", "tr"):
        assert chinese.tags().count(tag) == english.tags().count(tag)
    assert chinese.values("href") == english.values("href")


@pytest.mark.parametrize("language", LANGUAGES)
def test_page_asks_for_nothing_from_outside(language: Language) -> None:
    outline = Outline(guide_page(language))
    loaded = outline.values("src") + outline.values("href", "link")
    assert {"docs/docs.css", "docs/docs.js", "docs/swagger-ui.css", "docs/swagger-ui-bundle.js", "data:,"} == set(
        loaded
    )
    assert not [link for link in outline.values("href") if "//" in link]
    linked = {link.removeprefix("docs/") for link in outline.values("href") if link.startswith("docs/")}
    assert linked <= set(FILES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_refusal_is_in_the_table(language: Language) -> None:
    page = unescape(guide_page(language))
    rows = re.findall(r'<tr><th scope="row">.*?</tr>', page, re.DOTALL)
    assert len(PROBLEMS) == len(rows)
    for row, (refusal, problem) in zip(rows, PROBLEMS.items(), strict=True):
        assert f'<a href="problems/{refusal.slug}"><code>{refusal.slug}</code></a>' in row
        assert f"<td>{problem.status}</td>" in row
        assert f'<td lang="zh-CN">{problem.zh}<br><small>{problem.todo_zh}</small></td>' in row
        assert f'<td lang="en">{problem.en}<br><small>{problem.todo_en}</small></td>' in row
        repeat = {("zh", True): "可以", ("zh", False): "不可", ("en", True): "yes", ("en", False): "no"}
        assert f"<td>{repeat[language, problem.is_retryable]}" in row


def _script() -> dict[str, object]:
    """The names that the guide's script defines."""
    names: dict[str, object] = {"__name__": "sign_request"}
    exec((STATIC / FILES["sign_request.py"].path).read_text(encoding="utf-8"), names)  # noqa: S102  # our own file
    return names


def test_script_signs_the_example_as_the_engine_does() -> None:
    signed_headers = cast("Callable[..., dict[str, str]]", _script()["signed_headers"])
    headers = signed_headers(
        SIGNED.method,
        SIGNED.target,
        SIGNED.body.encode(),
        SIGNED.key,
        keyid=SIGNED.keyid,
        secret=bytes(range(32)),
        created=SIGNED.created,
        nonce=SIGNED.nonce,
    )
    assert SIGNED.headers == headers


@pytest.mark.parametrize("language", LANGUAGES)
def test_page_shows_script_and_example(language: Language) -> None:
    page = unescape(guide_page(language))
    script = (STATIC / FILES["sign_request.py"].path).read_text(encoding="utf-8")
    for shown in (script, SIGNED.base, SIGNED.body, SIGNED.secret, *SIGNED.headers.values()):
        assert shown in page


def test_script_prints_a_curl_command(tmp_path: Path) -> None:
    sandbox = tmp_path / "sandbox.json"
    sandbox.write_text(
        '{"base_url": "http://127.0.0.1:8080", "callers": [{"name": "hospital-01", "keyid": "hospital-01-1",'
        f' "alg": "hmac-sha256", "key": "{SIGNED.secret}"}}]}}'
    )
    script = STATIC / FILES["sign_request.py"].path
    arguments = [str(sandbox), "hospital-01", "POST", "/v1/payments", SIGNED.body, "order-1"]
    command = subprocess.run([sys.executable, script, *arguments], capture_output=True, text=True, check=True).stdout
    assert command.startswith("curl --globoff --path-as-is -sS -X POST http://127.0.0.1:8080/v1/payments -H ")
    assert "'Idempotency-Key: \"order-1\"'" in command
    assert f"--data-binary '{SIGNED.body}'" in command
    assert SIGNED.secret not in command


@pytest.mark.parametrize(
    ("query", "accept_language", "html_language"),
    [
        ("", None, "en"),
        ("", "zh-CN,zh;q=0.9", "zh-CN"),
        ("?lang=en", "zh-CN", "en"),
        ("?lang=zh", "en", "zh-CN"),
        ("?lang=fr", "zh-CN", "zh-CN"),
        ("?lang=../../secrets", None, "en"),
    ],
)
async def test_reader_chooses_the_language(
    client: Client, query: str, accept_language: str | None, html_language: str
) -> None:
    headers = {"Accept-Language": accept_language} if accept_language is not None else {}
    async with client.get(f"/docs{query}", headers={**headers, "Accept-Encoding": "identity"}) as response:
        page = await response.text()
    assert f'<html lang="{html_language}">' in page
    assert response.headers["Vary"] == "Accept-Encoding, Accept-Language"


@pytest.mark.parametrize("path", ["/docs", *(f"/docs/{name}" for name in FILES)])
async def test_policy_lets_in_nothing_from_outside(client: Client, path: str) -> None:
    async with client.get(path) as response:
        policy = response.headers["Content-Security-Policy"]
    assert response.status == 200
    assert "default-src 'none'; script-src 'self'; style-src 'self';" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("name", FILES)
async def test_file_is_served_as_it_is_kept(client: Client, name: str) -> None:
    kept = (STATIC / FILES[name].path).read_bytes()
    async with client.get(f"/docs/{name}", headers={"Accept-Encoding": "identity"}) as plain:
        assert kept == await plain.read()
    async with client.get(f"/docs/{name}", headers={"Accept-Encoding": "br, gzip;q=0.5"}) as packed:
        assert packed.headers["Content-Encoding"] == "gzip"
        assert kept == gzip.decompress(await packed.read())
    assert (
        f"{FILES[name].content_type}; charset=utf-8" == plain.headers["Content-Type"] == packed.headers["Content-Type"]
    )
    assert plain.headers["ETag"] != packed.headers["ETag"]


@pytest.mark.parametrize("accept_encoding", ["", "br", "gzip;q=0", "gzip; q=0.000", "x-gzip"])
async def test_gzip_is_not_forced_on_anybody(client: Client, accept_encoding: str) -> None:
    async with client.get("/docs/docs.js", headers={"Accept-Encoding": accept_encoding}) as response:
        assert "Content-Encoding" not in response.headers


@pytest.mark.parametrize("path", ["/docs", "/docs/swagger-ui.css"])
async def test_what_is_known_is_not_sent_again(client: Client, path: str) -> None:
    async with client.get(path) as first:
        etag = first.headers["ETag"]
    async with client.get(path, headers={"If-None-Match": f'"other", {etag}'}) as second:
        assert second.status == 304
        assert await second.read() == b""
    assert etag == second.headers["ETag"]
    async with client.get(path, headers={"If-None-Match": '"other"'}) as third:
        assert third.status == 200


async def test_languages_have_their_own_etags(client: Client) -> None:
    async with client.get("/docs?lang=zh") as chinese, client.get("/docs?lang=en") as english:
        assert chinese.headers["ETag"] != english.headers["ETag"]


@pytest.mark.parametrize(
    "name",
    ["page.html", "guide.zh.html", "contract.md", "sign_request.txt", "..%2Fdocs.py", "%2Fetc%2Fpasswd", "docs.css%00"],
)
async def test_nothing_but_the_listed_files_is_served(client: Client, name: str) -> None:
    async with client.get(f"/docs/{name}") as response:
        assert response.status == 404


def test_vendored_files_are_those_of_the_package() -> None:
    readme = (STATIC / "swagger-ui" / "README.md").read_text(encoding="utf-8")
    digests = dict(VENDORED.findall(readme))
    assert {"swagger-ui-bundle.js", "swagger-ui.css"} == set(digests)
    for name, digest in digests.items():
        assert digest == hashlib.sha256((STATIC / "swagger-ui" / name).read_bytes()).hexdigest()


PAGE_FILES = {"login.html", "login.js", "passkey.html", "passkey.js"}
"""Of the pages at which persons log in, and register a passkey."""


def test_every_kept_file_is_used() -> None:
    kept = {str(path.relative_to(STATIC)) for path in STATIC.rglob("*") if path.is_file()}
    templates = {"page.html", "cashier.html", "contract.md", *(f"guide.{language}.html" for language in LANGUAGES)}
    files = {file.path for file in FILES.values()} | set(cashier_page.FILES) | PAGE_FILES
    assert kept == files | templates | {"swagger-ui/README.md", "swagger-ui/NOTICE"}
