"""The page of an order as HTML, in Chinese or English. Everything that somebody has written is escaped."""

import functools
from collections.abc import Mapping
from datetime import datetime
from html import escape
from string import Template
from typing import Final

import msgspec

from engine.codes.order_code import token_text
from engine.codes.render import qr_svg
from engine.core.calendar import SHANGHAI
from engine.core.orders import OrderStatus, ShownOrder, status_of
from engine.core.refusals import Refusal
from engine.core.scenarios import BY_NUMBER
from engine.store.orders import OrderMerchant, OrderSeen
from engine.web.docs import STATIC, Language
from engine.web.problems import PROBLEMS
from engine.web.wire_orders import qr_text


class PageOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order as the page shows it at one moment of business time."""

    seen: OrderSeen
    merchant: OrderMerchant
    now: datetime
    refusal: Refusal | None  # of the attempt that was made last

    @property
    def status(self) -> OrderStatus:
        """Where it stands."""
        return status_of(self.seen.order, self.seen.claim, now=self.now)


def order_page(shown: PageOrder, language: Language) -> str:
    """The whole page."""
    texts = TEXTS[language]
    is_waiting = shown.status is OrderStatus.OPEN and shown.seen.claim is not None
    if is_waiting:
        content = _open_order(shown, language, _result("waiting", texts["waiting"], texts["waiting_hint"]))
    elif shown.status is OrderStatus.OPEN:
        content = _open_order(shown, language, _ways(shown.seen.order, shown.merchant, language))
    else:
        name = shown.status.value
        content = _result(name, texts[name], texts[f"{name}_hint"]) + _summary(shown, language)
        content += _return_link(shown.seen.order, language)
    return _frame(language, title=texts["title"], content=content)


def missing_page(language: Language) -> str:
    """The page of a link that leads to no order."""
    texts = TEXTS[language]
    return _frame(language, title=texts["title"], content=_result("unknown", texts["unknown"], texts["unknown_hint"]))


def amount_text(amount: int) -> str:
    """Fen as yuan."""
    return f"¥{amount // 100:,}.{amount % 100:02d}"


def _frame(language: Language, *, title: str, content: str) -> str:
    return _template().substitute(
        language=_HTML_LANGUAGES[language],
        title=title,
        brand=TEXTS[language]["brand"],
        language_label=TEXTS[language]["language"],
        zh_current=' aria-current="true"' if language == "zh" else "",
        en_current=' aria-current="true"' if language == "en" else "",
        content=content,
    )


@functools.cache
def _template() -> Template:
    return Template((STATIC / "cashier.html").read_text(encoding="utf-8"))


def _open_order(shown: PageOrder, language: Language, ways: str) -> str:
    order = shown.seen.order
    left_s = max(0, int((order.expires_at - shown.now).total_seconds()))
    countdown = _countdown(order, left_s, language) if shown.seen.claim is None else ""
    return (
        f'<div id="order" data-status="{shown.status.value}" data-expires-in-s="{left_s}"'
        f' data-status-url="{token_text(order.token)}/status">\n'
        f"{_refused(shown.refusal, language)}{_summary(shown, language, countdown)}{ways}</div>\n"
    )


def _countdown(order: ShownOrder, left_s: int, language: Language) -> str:
    texts, until = TEXTS[language], order.expires_at.astimezone(SHANGHAI)
    left = f"{left_s // 60:02d}:{left_s % 60:02d}"
    return (
        f'<p class="hint">{texts["time_left"]} <strong id="countdown" role="timer">{left}</strong>'
        f' <span>({texts["until"]} <time datetime="{until.isoformat()}">{until:%H:%M:%S}</time>)</span></p>'
    )


def _summary(shown: PageOrder, language: Language, countdown: str = "") -> str:
    """Who is to be paid, what, and for what."""
    order, texts = shown.seen.order, TEXTS[language]
    name = shown.merchant.name_zh if language == "zh" else shown.merchant.name_en
    scenario = BY_NUMBER[order.scenario]
    described = (
        f"<dt>{texts['description']}</dt><dd>{escape(order.description)}</dd>" if order.description is not None else ""
    )
    return (
        f'<section class="card" aria-labelledby="merchant"><h1 id="merchant">{escape(name)}</h1>'
        f'<p class="amount">{amount_text(order.amount)}</p>{countdown}<dl>'
        f"<dt>{texts['scenario']}</dt><dd>{escape(scenario.name_zh if language == 'zh' else scenario.name_en)}</dd>"
        f"<dt>{texts['order_no']}</dt><dd>{escape(order.order_no)}</dd>{described}</dl>{_items(order, language)}"
        "</section>\n"
    )


def _items(order: ShownOrder, language: Language) -> str:
    if not order.items:
        return ""
    texts = TEXTS[language]
    rows = "".join(
        f'<tr><td>{escape(item.name)}</td><td class="number">{item.quantity}</td>'
        f'<td class="number">{amount_text(item.amount)}</td></tr>'
        for item in order.items
    )
    return (
        f'<table><caption>{texts["items"]}</caption><thead><tr><th scope="col">{texts["item"]}</th>'
        f'<th scope="col" class="number">{texts["quantity"]}</th>'
        f'<th scope="col" class="number">{texts["item_amount"]}</th></tr></thead><tbody>{rows}</tbody></table>'
    )


def _ways(order: ShownOrder, merchant: OrderMerchant, language: Language) -> str:
    """How it can be paid: the picture to scan, and the form for a code."""
    texts = TEXTS[language]
    picture = qr_svg(qr_text(order, merchant), label=texts["qr_label"]).decode()
    return (
        f'<div class="ways"><section class="card qr" aria-labelledby="scan"><h2 id="scan">{texts["scan"]}</h2>{picture}'
        f'<p class="hint">{texts["scan_hint"]}</p></section>'
        f'<section class="card" aria-labelledby="enter"><h2 id="enter">{texts["enter"]}</h2>'
        f'<form method="post" action="{token_text(order.token)}/pay?lang={language}">'
        f'<input type="hidden" name="amount" value="{order.amount}"><label for="pay_code">{texts["code"]}</label>'
        '<input type="text" id="pay_code" name="pay_code" required maxlength="1024" inputmode="numeric"'
        ' autocomplete="off" spellcheck="false" aria-describedby="code-hint">'
        f'<p class="hint" id="code-hint">{texts["code_hint"]}</p>'
        f"<button>{texts['pay']} {amount_text(order.amount)}</button></form></section></div>\n"
    )


def _refused(refusal: Refusal | None, language: Language) -> str:
    if refusal is None:
        return ""
    problem = PROBLEMS[refusal]
    said = problem.zh if language == "zh" else problem.en
    return f'<p class="refused" role="alert"><strong>{TEXTS[language]["refused"]}</strong> {escape(said)}</p>\n'


def _result(name: str, said: str, hint: str) -> str:
    return f'<section class="card" role="status"><h1 class="result-{name}">{said}</h1><p>{hint}</p></section>\n'


def _return_link(order: ShownOrder, language: Language) -> str:
    if order.return_url is None:
        return ""
    return (
        f'<p><a class="return" rel="noreferrer" href="{escape(order.return_url)}">{TEXTS[language]["return"]}</a></p>\n'
    )


_HTML_LANGUAGES: Final[Mapping[Language, str]] = {"zh": "zh-CN", "en": "en"}
TEXTS: Final[Mapping[Language, Mapping[str, str]]] = {
    "zh": {
        "title": "电子社保卡收银台",
        "brand": "电子社保卡收银台",
        "language": "语言",
        "time_left": "剩余支付时间",
        "until": "截止",
        "scenario": "用途",
        "order_no": "订单号",
        "description": "说明",
        "items": "明细",
        "item": "项目",
        "quantity": "数量",
        "item_amount": "金额",
        "scan": "扫码支付",
        "qr_label": "订单码",
        "scan_hint": "请使用已开通电子社保卡的手机应用扫描。",
        "enter": "使用付款码支付",
        "code": "付款码",
        "code_hint": "手机上显示的 24 位数字,或用扫码枪扫描付款码。每个付款码一分钟内有效,仅限使用一次。",
        "pay": "支付",
        "refused": "未支付:",
        "waiting": "等待持卡人确认",
        "waiting_hint": "请在手机上输入密码。未在规定时间内确认的,将自动撤销。",
        "paid": "支付成功",
        "paid_hint": "您可以关闭本页面。",
        "cancelled": "订单已取消",
        "cancelled_hint": "该订单不能再支付,未保留任何款项。",
        "expired": "订单已过期",
        "expired_hint": "请联系商户重新生成订单。",
        "unknown": "未找到订单",
        "unknown_hint": "请检查链接是否完整,或联系商户。",
        "return": "返回商户",
    },
    "en": {
        "title": "Cashier of the electronic social security card",
        "brand": "Electronic social security card · Cashier",
        "language": "Language",
        "time_left": "Time left to pay",
        "until": "until",
        "scenario": "For",
        "order_no": "Order number",
        "description": "Description",
        "items": "What is paid for",
        "item": "Item",
        "quantity": "Quantity",
        "item_amount": "Amount",
        "scan": "Scan to pay",
        "qr_label": "Code of the order",
        "scan_hint": "Scan it with an app in which your electronic social security card can pay.",
        "enter": "Pay with a payment code",
        "code": "Payment code",
        "code_hint": "The 24 digits that your phone shows, typed or scanned. A code is good for one minute, and once.",
        "pay": "Pay",
        "refused": "Not paid:",
        "waiting": "Waiting for the cardholder",
        "waiting_hint": "Enter the password on the phone. What is not confirmed in time is undone by itself.",
        "paid": "Paid",
        "paid_hint": "You may close this page.",
        "cancelled": "The order was cancelled",
        "cancelled_hint": "It cannot be paid any more, and nothing is kept for it.",
        "expired": "The order has expired",
        "expired_hint": "Ask the merchant to show it again.",
        "unknown": "There is no such order",
        "unknown_hint": "See whether the link is whole, or ask the merchant.",
        "return": "Back to the merchant",
    },
}
