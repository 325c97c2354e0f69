"""The page of a login as HTML, in Chinese or English. Everything that somebody has written is escaped."""

import functools
from collections.abc import Mapping
from datetime import datetime
from html import escape
from string import Template
from typing import Final, Literal

import msgspec

from engine.codes.order_code import token_text
from engine.codes.render import qr_svg
from engine.core.logins import Login, LoginClient, LoginScope, LoginState
from engine.web.docs import STATIC, Language

Ending = Literal["expired", "consumed", "elsewhere", "unknown", "busy"]


class ShownLogin(msgspec.Struct, frozen=True, kw_only=True):
    """A login that waits for somebody. `address` is what its code says."""

    login: Login
    client: LoginClient
    now: datetime
    address: str


def login_page(shown: ShownLogin, language: Language) -> str:
    """The whole page while somebody is waited for."""
    login, client, texts = shown.login, shown.client, TEXTS[language]
    name = client.name_zh if language == "zh" else client.name_en
    left_s = max(0, int((login.expires_at - shown.now).total_seconds()))
    status = "scanned" if login.state is LoginState.SCANNED else "created"
    told = "<br>".join(texts[scope.value] for scope in login.scopes)
    content = (
        f'<div id="login" data-status="{status}" data-expires-in-s="{left_s}"'
        f' data-status-url="{token_text(login.token)}/status">\n'
        f'<section class="card" aria-labelledby="who"><h1 id="who">{escape(name)} {texts["asks"]}</h1>'
        f"<dl><dt>{texts['place']}</dt><dd>{escape(client.place)}</dd>"
        f"<dt>{texts['region']}</dt><dd>{client.region:06d}</dd><dt>{texts['told']}</dt><dd>{told}</dd></dl>"
        "</section>\n"
        f"{_scanned(texts) if status == 'scanned' else _code(shown, texts)}"
        f'<p class="hint">{texts["time_left"]} <strong id="countdown" role="timer">{left_s // 60:02d}:{left_s % 60:02d}'
        f'</strong></p><p class="hint">{texts["warning"]}</p></div>\n'
    )
    return _frame(language, content, is_waiting=True)


def ending_page(ending: Ending, language: Language, *, way_back: str | None = None) -> str:
    """The page of a code that nobody can scan any more, or not here. *way_back* leads to the portal."""
    texts = TEXTS[language]
    link = (
        f'<p><a class="return" rel="noreferrer" href="{escape(way_back)}">{texts["return"]}</a></p>\n'
        if way_back is not None
        else ""
    )
    content = (
        f'<section class="card" role="status"><h1 class="result-expired">{texts[ending]}</h1>'
        f"<p>{texts[f'{ending}_hint']}</p></section>\n{link}"
    )
    return _frame(language, content, is_waiting=False)


def _code(shown: ShownLogin, texts: Mapping[str, str]) -> str:
    picture = qr_svg(shown.address, label=texts["qr_label"]).decode()
    return (
        f'<section class="card qr" aria-labelledby="scan"><h2 id="scan">{texts["scan"]}</h2>{picture}'
        f'<p class="hint">{texts["scan_hint"]}</p></section>\n'
    )


def _scanned(texts: Mapping[str, str]) -> str:
    return f'<section class="card" role="status"><h2>{texts["scanned"]}</h2><p>{texts["scanned_hint"]}</p></section>\n'


def _frame(language: Language, content: str, *, is_waiting: bool) -> str:
    texts = TEXTS[language]
    return _template().substitute(
        language=_HTML_LANGUAGES[language],
        refresh='<noscript><meta http-equiv="refresh" content="5"></noscript>\n' if is_waiting else "",
        title=texts["title"],
        brand=texts["title"],
        language_label=texts["language"],
        zh_current=' aria-current="true"' if language == "zh" else "",
        en_current=' aria-current="true"' if language == "en" else "",
        content=content,
    )


@functools.cache
def _template() -> Template:
    return Template((STATIC / "login.html").read_text(encoding="utf-8"))


_HTML_LANGUAGES: Final[Mapping[Language, str]] = {"zh": "zh-CN", "en": "en"}
TEXTS: Final[Mapping[Language, Mapping[str, str]]] = {
    "zh": {
        "title": "电子社保卡扫码登录",
        "language": "语言",
        "asks": "请求您登录",
        "place": "办理地点",
        "region": "地区",
        "told": "将获得",
        LoginScope.OPENID.value: "仅对该网站有效的用户标识",
        LoginScope.PROFILE.value: "姓名、脱敏的证件号码和发卡地区(您可以在手机上拒绝)",
        "scan": "扫码登录",
        "qr_label": "登录码",
        "scan_hint": "请使用已开通电子社保卡的手机应用扫描。",
        "time_left": "剩余时间",
        "warning": "如果不是您本人正在上述地点登录,请勿在手机上确认。",
        "scanned": "已扫描",
        "scanned_hint": "请在手机上核对并确认。确认后本页面将自动返回。",
        "expired": "登录码已过期",
        "expired_hint": "请返回原网站重新登录。",
        "consumed": "登录码已使用",
        "consumed_hint": "每个登录码仅限使用一次。您可以关闭本页面。",
        "elsewhere": "该登录码显示在另一台设备上",
        "elsewhere_hint": "请使用已开通电子社保卡的手机应用扫描,而不是相机或浏览器。",
        "busy": "系统繁忙",
        "busy_hint": "请稍后刷新本页面。",
        "unknown": "未找到登录码",
        "unknown_hint": "请返回原网站重新登录。",
        "return": "返回原网站",
    },
    "en": {
        "title": "Log in with the electronic social security card",
        "language": "Language",
        "asks": "asks you to log in",
        "place": "Place",
        "region": "Region",
        "told": "It gets",
        LoginScope.OPENID.value: "an identifier that is yours on this site only",
        LoginScope.PROFILE.value: "your name, masked ID number and region of issue (you may refuse on the phone)",
        "scan": "Scan to log in",
        "qr_label": "Login code",
        "scan_hint": "Scan it with an app that has your electronic social security card.",
        "time_left": "Time left",
        "warning": "Do not confirm on the phone unless it is you who is logging in at the place named above.",
        "scanned": "Scanned",
        "scanned_hint": "Check and confirm on the phone. This page then goes back by itself.",
        "expired": "The login code has expired",
        "expired_hint": "Go back to the site and log in again.",
        "consumed": "The login code was used",
        "consumed_hint": "A code is good once. You may close this page.",
        "elsewhere": "This login code is shown on another device",
        "elsewhere_hint": "Scan it with an app that has your electronic social security card, not with the camera.",
        "busy": "The system is busy",
        "busy_hint": "Load this page again in a moment.",
        "unknown": "There is no such login code",
        "unknown_hint": "Go back to the site and log in again.",
        "return": "Back to the site",
    },
}
