"""How one refusal is told, and what is said of many."""

from typing import Final

import msgspec


class Problem(msgspec.Struct, frozen=True):
    """How one refusal is told. `zh` and `en` are for a person; `todo` is for the developer who reads the answer."""

    status: int
    zh: str
    en: str
    todo_zh: str
    todo_en: str
    is_retryable: bool = False  # the same request with the same key may succeed
    retry_after_s: int | None = None


FIX: Final = ("请修正后重新发送", "Correct the request and send it again under a new key.")
SIGN: Final = ("请检查签名后重新发送", "Correct the signature; see the signing example in the documentation.")
RESCAN: Final = (
    "请让持卡人刷新付款码后重新扫码",
    "Ask the cardholder for a fresh code and scan again, under a new key.",
)
NEW_ORDER: Final = ("请使用新的商户订单号", "Use a new order number.")
QUERY: Final = ("请先查询订单状态", "Fetch the payment to see its state.")
LATER: Final = (
    "系统繁忙,请稍后以同一幂等键重试,请勿重复付款",
    "Repeat the same request with the same key after the time given in Retry-After.",
)
WAIT: Final = (
    "请在 Retry-After 所示时间后重试",
    "Try again after the time given in Retry-After.",
)
SUSPENDED: Final = ("请联系平台运营方", "Ask the operator of the platform; past payments can still be looked at.")
NOTHING: Final = ("请联系发卡地社保经办机构", "Nothing can be done at the counter; pay by other means.")

QUOTE_AGAIN: Final = ("请重新预结算", "Ask for a new pre-settlement, and show it to the cardholder.")
