"""The page of a login: the browser that has asked shows the code, and goes back once somebody has said yes.

Nothing changes by looking at it. The code in its address is for everybody to see, so it takes the browser's own cookie:
a picture of the page is good for saying yes or no on a phone, and not for being logged in.
"""

import asyncio
import functools
from collections.abc import Mapping
from typing import Final

import structlog
from aiohttp import web

from engine.codes.login_code import bearer_of
from engine.codes.order_code import read_token, token_text
from engine.core.logins import Login, LoginState, OAuthFault, is_code_good
from engine.store.faults import Fault
from engine.store.logins import load_client, load_login
from engine.store.participants import Clocks, load_clocks
from engine.web.boundary import TRACE_ID
from engine.web.docs import STATIC, language_of
from engine.web.login.page_html import Ending, ShownLogin, ending_page, login_page
from engine.web.login.provider import COOKIE, back
from engine.web.login.wire import status_name
from engine.web.node import NODE
from engine.web.orders import origin_of
from engine.web.payments import json_response
from engine.web.render import encode_json

FILES: Final[Mapping[str, str]] = {"login.js": "text/javascript"}
"""Content types by name. No other name reaches the disk."""

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; form-action 'none';"
    " base-uri 'none'; frame-ancestors 'none'"
)
log = structlog.get_logger("engine.web")

_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept-Language, Cookie",
    "X-Content-Type-Options": "nosniff",
}
_REFUSED: Final = OAuthFault("access_denied", "the person has said no, or nothing in time")


async def get_login_page(request: web.Request) -> web.Response:
    """`GET /q/l/{token}`: the code to be scanned and who asks; once somebody has said yes or no, the way back."""
    try:
        return await _shown(request)
    except Fault as fault:
        log.error("page.store_unavailable", trace_id=request[TRACE_ID], fault=str(fault))
        return _ended(request, "busy", status=503)


async def _shown(request: web.Request) -> web.Response:
    login = await _login_in(request)
    if login is None:
        return _ended(request, "unknown", status=404)
    if not login.is_shown_by(request.cookies.get(COOKIE)):
        return _ended(request, "elsewhere", status=403)
    clocks = await load_clocks(request.app[NODE].pool)
    if is_code_good(login, now=clocks.wall):
        code = bearer_of(request.app[NODE].keyring, login.token, "code")
        return back(request, login.redirect_uri, login.client_state, code)
    if login.state is LoginState.CANCELLED:
        return back(request, login.redirect_uri, login.client_state, _REFUSED)
    if login.state is LoginState.CONSUMED:
        return _ended(request, "consumed", status=200)
    if login.state is LoginState.CONFIRMED or login.is_expired(clocks.business):
        way_back = back(request, login.redirect_uri, login.client_state, _REFUSED).headers["Location"]
        return _ended(request, "expired", status=200, way_back=way_back)
    return await _waiting(request, login, clocks)


async def get_login_status(request: web.Request) -> web.Response:
    """`GET /q/l/{token}/status`: where the login stands, for the browser that shows its code."""
    said, status = "unknown", 404
    try:
        login = await _login_in(request)
        if login is not None and login.is_shown_by(request.cookies.get(COOKIE)):
            said, status = status_name(login, now=(await load_clocks(request.app[NODE].pool)).business), 200
    except Fault as fault:  # told here, for the boundary would write the code to the log
        log.error("page.store_unavailable", trace_id=request[TRACE_ID], fault=str(fault))
        status = 503
    response = json_response(encode_json({"status": said}), status=status)
    response.headers["Cache-Control"] = "no-store"
    return response


async def get_login_file(request: web.Request) -> web.Response:
    """`GET /q/l/files/{file}`: what the page is made of."""
    name = request.match_info["file"]
    if name not in FILES:
        raise web.HTTPNotFound
    return web.Response(
        body=await asyncio.to_thread(_file, name),
        content_type=FILES[name],
        charset="utf-8",
        headers={**_HEADERS, "Cache-Control": "max-age=300", "Vary": "Accept-Encoding"},
    )


async def _waiting(request: web.Request, login: Login, clocks: Clocks) -> web.Response:
    client = await load_client(request.app[NODE].pool, login.client)
    assert client is not None, "portals are never deleted"
    shown = ShownLogin(
        login=login,
        client=client,
        now=clocks.business,
        address=f"{origin_of(request)}/q/l/{token_text(login.token)}",
    )
    return _page(login_page(shown, language_of(request)), status=200)


async def _login_in(request: web.Request) -> Login | None:
    """The login that the path names."""
    token = read_token(request.match_info["token"])
    return await load_login(request.app[NODE].pool, token) if token is not None else None


def _ended(request: web.Request, ending: Ending, *, status: int, way_back: str | None = None) -> web.Response:
    return _page(ending_page(ending, language_of(request), way_back=way_back), status=status)


def _page(page: str, *, status: int) -> web.Response:
    return web.Response(status=status, text=page, content_type="text/html", headers=_HEADERS)


@functools.cache
def _file(name: str) -> bytes:
    return (STATIC / name).read_bytes()
