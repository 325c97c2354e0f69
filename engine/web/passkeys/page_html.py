"""The page for passkeys as HTML, in Chinese or English. Everything that somebody has written is escaped."""

import functools
from collections.abc import Mapping
from html import escape
from string import Template
from typing import Final, Literal

import msgspec

from engine.core.payments import Payment, State
from engine.core.refusals import Refusal
from engine.core.scenarios import BY_NUMBER
from engine.store.orders import OrderMerchant
from engine.web.cashier_html import amount_text
from engine.web.docs import STATIC, Language
from engine.web.problems import PROBLEMS


class Ceremony(msgspec.Struct, frozen=True, kw_only=True):
    """What the person's device is asked for; `options` is JSON."""

    kind: Literal["create", "get"]
    options: str


class ShownPayment(msgspec.Struct, frozen=True, kw_only=True):
    """A payment as the page shows it, and the refusal of the attempt that was made last."""

    payment: Payment
    merchant: OrderMerchant
    refusal: Refusal | None

    @property
    def waits(self) -> bool:
        """Whether its cardholder can confirm it."""
        awaiting = self.payment.awaiting
        return self.payment.state is State.AWAITING_USER and awaiting is not None and not awaiting.is_review

    @property
    def outcome(self) -> str:
        """What has become of one that cannot be confirmed: a name of its texts."""
        if self.payment.state is State.AWAITING_USER:
            return "review"
        return "ended" if self.payment.state in _ENDED else "confirmed"


def registration_page(ceremony: Ceremony | None, label: str, refusal: Refusal | None, language: Language) -> str:
    """The whole page of a link to register a passkey; without *ceremony* it is done."""
    texts = TEXTS[language]
    if ceremony is None:
        return _frame(language, _result("registered", language, f"<p>{escape(label)}</p>"))
    about = (
        f'<section class="card" aria-labelledby="about"><h1 id="about">{texts["register"]}</h1>'
        f"<p>{texts['register_hint']}</p><dl><dt>{texts['label']}</dt><dd>{escape(label)}</dd></dl>"
    )
    return _frame(language, _asking(ceremony, about, texts["register_button"], refusal, language))


def payment_page(ceremony: Ceremony | None, shown: ShownPayment, language: Language) -> str:
    """The whole page of a link to confirm a payment; without *ceremony* it does not wait for its cardholder."""
    texts, payment = TEXTS[language], shown.payment
    name = shown.merchant.name_zh if language == "zh" else shown.merchant.name_en
    scenario = BY_NUMBER[payment.scenario]
    summary = (
        f'<p class="amount">{amount_text(payment.amount)}</p><dl>'
        f"<dt>{texts['merchant']}</dt><dd>{escape(name)}</dd>"
        f"<dt>{texts['scenario']}</dt><dd>{escape(scenario.name_zh if language == 'zh' else scenario.name_en)}</dd>"
        f"<dt>{texts['order_no']}</dt><dd>{escape(payment.order_no)}</dd></dl>"
    )
    if ceremony is None:
        return _frame(language, _result(shown.outcome, language, summary))
    about = (
        f'<section class="card" aria-labelledby="about"><h1 id="about">{texts["confirm"]}</h1>'
        f"{summary}<p>{texts['confirm_hint']}</p>"
    )
    button = f"{texts['confirm_button']} {amount_text(payment.amount)}"
    return _frame(language, _asking(ceremony, about, button, shown.refusal, language))


def missing_page(language: Language) -> str:
    """The page of a link that leads nowhere, or does not any more."""
    return _frame(language, _result("unknown", language, ""))


def busy_page(language: Language) -> str:
    """The page while the database cannot answer."""
    return _frame(language, _result("busy", language, ""))


def _asking(ceremony: Ceremony, about: str, button: str, refusal: Refusal | None, language: Language) -> str:
    texts = TEXTS[language]
    told = "".join(f' data-{name}="{escape(texts[name])}"' for name in ("unsupported", "cancelled", "known", "away"))
    said = f"{texts['refused']} {_problem(refusal, language)}" if refusal is not None else ""
    return (
        f'<div id="passkey" data-kind="{ceremony.kind}" data-options="{escape(ceremony.options)}"{told}>\n'
        f'<p class="refused" role="alert" id="said"{"" if said else " hidden"}>{escape(said)}</p>\n'
        f'{about}<button type="button" id="use" disabled>{button}</button>'
        f"<noscript><p>{texts['noscript']}</p></noscript></section></div>\n"
    )


def _problem(refusal: Refusal, language: Language) -> str:
    problem = PROBLEMS[refusal]
    return problem.zh if language == "zh" else problem.en


def _result(name: str, language: Language, more: str) -> str:
    texts = TEXTS[language]
    return (
        f'<section class="card" role="status"><h1 class="result-{_COLOURS.get(name, name)}">{texts[name]}</h1>'
        f"<p>{texts[f'{name}_hint']}</p>{more}</section>\n"
    )


def _frame(language: Language, content: str) -> str:
    texts = TEXTS[language]
    return _template().substitute(
        language="zh-CN" if language == "zh" else "en",
        title=texts["title"],
        brand=texts["brand"],
        language_label=texts["language"],
        zh_current=' aria-current="true"' if language == "zh" else "",
        en_current=' aria-current="true"' if language == "en" else "",
        content=content,
    )


@functools.cache
def _template() -> Template:
    return Template((STATIC / "passkey.html").read_text(encoding="utf-8"))


_ENDED: Final = frozenset({State.VOIDED, State.EXPIRED, State.DECLINED})
_COLOURS: Final = {"registered": "paid", "confirmed": "paid", "ended": "cancelled", "busy": "unknown"}
TEXTS: Final[Mapping[Language, Mapping[str, str]]] = {
    "zh": {
        "title": "电子社保卡通行密钥",
        "brand": "电子社保卡",
        "language": "语言",
        "register": "登记通行密钥",
        "register_hint": "登记后,可用本机的指纹、面容或锁屏密码代替社保卡密码。生物信息不会离开您的设备。",
        "register_button": "在本机登记",
        "label": "名称",
        "registered": "通行密钥已登记",
        "registered_hint": "您可以关闭本页面。",
        "confirm": "确认支付",
        "confirm_hint": "请核对商户与金额,再用通行密钥确认。",
        "confirm_button": "用通行密钥确认支付",
        "merchant": "商户",
        "scenario": "用途",
        "order_no": "订单号",
        "confirmed": "支付已确认",
        "confirmed_hint": "您可以关闭本页面。",
        "ended": "支付已结束",
        "ended_hint": "该笔支付未在规定时间内确认或已撤销,未扣除任何款项。",
        "review": "支付审核中",
        "review_hint": "该笔支付正在人工审核,无需您确认。",
        "busy": "系统繁忙",
        "busy_hint": "请稍后重新打开本页面。",
        "unknown": "链接无效",
        "unknown_hint": "链接不完整或已过期,请在应用中重新打开。",
        "refused": "未完成:",
        "unsupported": "此浏览器不支持通行密钥,请换用其他浏览器或设备。",
        "cancelled": "已取消或超时,请重试。",
        "known": "本机已登记过通行密钥。",
        "away": "网络不通,请稍后重试。",
        "noscript": "本页面需要启用脚本。",
    },
    "en": {
        "title": "Passkeys of the electronic social security card",
        "brand": "Electronic social security card",
        "language": "Language",
        "register": "Register a passkey",
        "register_hint": "Afterwards your finger, your face or the lock of this device stands in for the card's"
        " password. What the device sees of you never leaves it.",
        "register_button": "Register this device",
        "label": "Name",
        "registered": "The passkey is registered",
        "registered_hint": "You may close this page.",
        "confirm": "Confirm a payment",
        "confirm_hint": "See whether merchant and amount are right, then confirm with your passkey.",
        "confirm_button": "Confirm with a passkey:",
        "merchant": "Merchant",
        "scenario": "For",
        "order_no": "Order number",
        "confirmed": "The payment is confirmed",
        "confirmed_hint": "You may close this page.",
        "ended": "The payment has ended",
        "ended_hint": "It was not confirmed in time, or was undone. Nothing was taken.",
        "review": "The payment is being reviewed",
        "review_hint": "A person looks at it. You need not confirm it.",
        "busy": "The system is busy",
        "busy_hint": "Open this page again in a moment.",
        "unknown": "The link leads nowhere",
        "unknown_hint": "It is not whole, or its time is over. Open it again in your app.",
        "refused": "Not done:",
        "unsupported": "This browser does not know passkeys. Try another browser or device.",
        "cancelled": "It was cancelled, or took too long. Try again.",
        "known": "This device has a passkey already.",
        "away": "The network is away. Try again in a moment.",
        "noscript": "This page needs scripts.",
    },
}
