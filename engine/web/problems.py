"""Refusals on the wire: one total table from each refusal to its status and its texts (RFC 9457)."""

from typing import Final

import msgspec

from engine.core.refusals import Refusal


class Problem(msgspec.Struct, frozen=True):
    """How one refusal is told. `zh` and `en` are for a person; `todo` is for the developer who reads the answer."""

    status: int
    zh: str
    en: str
    todo_zh: str
    todo_en: str
    is_retryable: bool = False  # the same request with the same key may succeed
    retry_after_s: int | None = None


class FieldError(msgspec.Struct, frozen=True):
    """One field of the request, by JSON pointer, and what is wrong with it."""

    pointer: str
    reason: str


class ProblemDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of every answer that says no."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    trace_id: str
    retryable: bool
    payment_id: str | None = None
    errors: tuple[FieldError, ...] = ()


_FIX: Final = ("请修正后重新发送", "Correct the request and send it again under a new key.")
_SIGN: Final = ("请检查签名后重新发送", "Correct the signature; see the signing example in the documentation.")
_RESCAN: Final = (
    "请让持卡人刷新付款码后重新扫码",
    "Ask the cardholder for a fresh code and scan again, under a new key.",
)
_NEW_ORDER: Final = ("请使用新的商户订单号", "Use a new order number.")
_QUERY: Final = ("请先查询订单状态", "Fetch the payment to see its state.")
_LATER: Final = (
    "系统繁忙,请稍后以同一幂等键重试,请勿重复付款",
    "Repeat the same request with the same key after the time given in Retry-After.",
)
_WAIT: Final = (
    "请在 Retry-After 所示时间后重试",
    "Try again after the time given in Retry-After.",
)
_SUSPENDED: Final = ("请联系平台运营方", "Ask the operator of the platform; past payments can still be looked at.")
_NOTHING: Final = ("请联系发卡地社保经办机构", "Nothing can be done at the counter; pay by other means.")

PROBLEMS: Final[dict[Refusal, Problem]] = {
    Refusal.BODY_TOO_LARGE: Problem(413, "请求内容过大", "The body is too large", *_FIX),
    Refusal.SIGNATURE_MISSING: Problem(401, "签名缺失", "The request is not signed", *_SIGN),
    Refusal.SIGNATURE_INVALID: Problem(401, "签名无效", "The signature is not valid", *_SIGN),
    Refusal.SIGNATURE_EXPIRED: Problem(401, "签名已过期", "The signature is too old or too new", *_SIGN),
    Refusal.SIGNATURE_KEY_UNKNOWN: Problem(401, "签名密钥未知", "The signing key is not known", *_SIGN),
    Refusal.CONTENT_DIGEST_MISMATCH: Problem(401, "内容摘要不符", "The content digest is missing or wrong", *_SIGN),
    Refusal.REQUEST_REPLAYED: Problem(401, "重复的请求", "The nonce was used before", *_SIGN),
    Refusal.CALLER_SUSPENDED: Problem(403, "调用方已暂停", "The caller is suspended", *_SUSPENDED),
    Refusal.MALFORMED_JSON: Problem(400, "请求格式错误", "The body is not valid JSON", *_FIX),
    Refusal.DUPLICATE_FIELD: Problem(400, "请求字段重复", "A field is given twice", *_FIX),
    Refusal.UNKNOWN_FIELD: Problem(400, "请求包含未知字段", "A field is not known", *_FIX),
    Refusal.FIELD_INVALID: Problem(400, "请求字段无效", "A field is not valid", *_FIX),
    Refusal.AMOUNT_INVALID: Problem(400, "金额无效", "The amount is not a whole number of fen in range", *_FIX),
    Refusal.IDEMPOTENCY_KEY_MISSING: Problem(400, "缺少幂等键", "The Idempotency-Key header is missing", *_FIX),
    Refusal.IDEMPOTENCY_KEY_REUSED: Problem(
        422,
        "幂等键已用于其他请求",
        "The idempotency key was used for another request",
        "请使用新的幂等键",
        "Use a new key for a new request.",
    ),
    Refusal.IDEMPOTENCY_KEY_IN_PROGRESS: Problem(
        409, "请求处理中", "The same request is being processed", *_LATER, True, 1
    ),
    Refusal.MERCHANT_SUSPENDED: Problem(403, "商户已暂停", "The merchant is suspended", *_SUSPENDED),
    Refusal.TERMINAL_UNKNOWN: Problem(403, "终端未登记", "The terminal is not registered", *_FIX),
    Refusal.SCENARIO_NOT_ENABLED: Problem(
        403, "尚未开通该场景", "The scenario is not enabled for this merchant", *_SUSPENDED
    ),
    Refusal.NOT_FOUND: Problem(404, "未找到", "There is no such thing for this caller", *_FIX),
    Refusal.PAYMENT_NOT_FOUND: Problem(404, "未找到订单", "There is no such payment for this caller", *_FIX),
    Refusal.ORDER_ALREADY_PAID: Problem(409, "订单已支付,请勿重复支付", "The order is paid already", *_QUERY),
    Refusal.ORDER_NUMBER_USED: Problem(409, "商户订单号已使用", "The number was used before", *_NEW_ORDER),
    Refusal.ORDER_CANCELLED: Problem(409, "订单已取消", "The order was cancelled", *_NEW_ORDER),
    Refusal.BILL_ALREADY_PAID: Problem(
        409,
        "账单已支付",
        "The bill is paid already",
        "请勿重复缴费;如已全额退款,请由征收机构重新开单",
        "It is not paid again; once all of it was given back, the agency has to send another bill.",
    ),
    Refusal.BILL_EXPIRED: Problem(
        410, "已过缴费期限", "The bill's deadline has passed", "请联系征收机构", "Ask the agency that has billed it."
    ),
    Refusal.AMOUNT_MISMATCH: Problem(
        422,
        "金额与账单不符",
        "The amount is not that of the bill",
        "请按账单金额一次付清",
        "Pay exactly what is billed, at once, under a new key.",
    ),
    Refusal.PAY_CODE_MALFORMED: Problem(422, "付款码无法识别,请重新扫码", "The payment code cannot be read", *_RESCAN),
    Refusal.PAY_CODE_FOREIGN: Problem(
        422, "这不是电子社保卡付款码", "This is not a code of the electronic social security card", *_RESCAN
    ),
    Refusal.PAY_CODE_WRONG: Problem(422, "付款码无效", "The payment code is not valid", *_RESCAN),
    Refusal.PAY_CODE_EXPIRED: Problem(410, "付款码已过期,请刷新", "The payment code has expired", *_RESCAN),
    Refusal.PAY_CODE_USED: Problem(409, "每个付款码仅限使用一次,请刷新", "The payment code was used before", *_RESCAN),
    Refusal.DEVICE_REVOKED: Problem(403, "设备已停用", "The cardholder's device is revoked", *_NOTHING),
    Refusal.CARD_REPORTED_LOST: Problem(
        403, "该社保卡已挂失,电子社保卡暂不可用", "The card was reported lost", *_NOTHING
    ),
    Refusal.CARD_NOT_USABLE: Problem(403, "社保卡状态异常", "The card cannot be used", *_NOTHING),
    Refusal.PAYMENT_NOT_ENABLED: Problem(
        403, "尚未开通缴费结算功能", "Payment is not enabled for this card", *_NOTHING
    ),
    Refusal.RELATIVE_NOT_LINKED: Problem(
        403,
        "未绑定亲属关系",
        "The bill is another person's, and the payer is not linked as a relative",
        "请由账单所属人本人缴费",
        "Let the person pay whom the bill names.",
    ),
    Refusal.TOO_MANY_ATTEMPTS: Problem(429, "操作过于频繁", "Too many attempts", *_WAIT, True, 60),
    Refusal.INSUFFICIENT_FUNDS: Problem(
        402,
        "账户余额不足",
        "There is not enough on the cardholder's accounts",
        "请使用其他支付方式",
        "Ask for other means of payment; the order number stays free.",
    ),
    Refusal.PAYMENT_STATE_CONFLICT: Problem(
        409, "当前状态不允许该操作", "The payment's state does not allow this", *_QUERY
    ),
    Refusal.CAPTURE_EXCEEDS_AUTHORIZATION: Problem(
        422, "超过授权金额", "The capture exceeds what is authorized", *_FIX
    ),
    Refusal.REFUND_EXCEEDS_PAYMENT: Problem(
        422, "退款金额超过可退金额", "The refund exceeds what can be refunded", *_FIX
    ),
    Refusal.REFUND_WINDOW_CLOSED: Problem(422, "超过退款期限", "The time for refunds is over", *_NOTHING),
    Refusal.SCOPE_NOT_AUTHORIZED: Problem(
        403,
        "权限不足",
        "The operator's role does not allow this",
        "请由有相应权限的运营人员办理",
        "Let an operator do it whose role allows it.",
    ),
    Refusal.REGION_NOT_PERMITTED: Problem(
        403,
        "超出辖区",
        "It lies outside the operator's region",
        "请由所辖地区的运营人员办理",
        "Let an operator of that region do it.",
    ),
    Refusal.PARTICIPANT_EXISTS: Problem(
        409,
        "该参与方已登记",
        "Such a participant takes part already",
        "请先查询已登记的参与方",
        "Fetch the participant that has this code.",
    ),
    Refusal.PARTICIPANT_STATE_CONFLICT: Problem(
        409,
        "参与方状态已变化或不允许该操作",
        "The participant is not as it would have to be for this",
        "请查询参与方当前状态后重新申请",
        "Fetch the participant, and ask again for what is still wanted.",
    ),
    Refusal.APPROVAL_EXPIRED: Problem(
        410, "复核申请已过期", "The time for deciding is over", "请重新提交申请", "Ask for it again."
    ),
    Refusal.APPROVAL_DECIDED: Problem(
        409,
        "该申请已被处理",
        "It was decided already",
        "请查询该申请的处理结果",
        "Fetch the approval to see what was decided, and by whom.",
    ),
    Refusal.APPROVAL_REQUIRED: Problem(
        403,
        "需双人复核",
        "Another operator has to approve it",
        "请由申请人以外的运营人员复核",
        "Let an operator approve it who did not ask for it.",
    ),
    Refusal.BILL_NUMBER_USED: Problem(
        409, "账单号已使用", "The bill number was used before", "请使用新的账单号", "Send the bill under a new number."
    ),
    Refusal.DISBURSEMENT_DUPLICATE: Problem(
        409,
        "重复发放:同一人同一待遇同一期间已发放或待发放",
        "The same benefit of the same person, month and fund is in a batch already",
        "请删除 errors 所列各行后重新提交",
        "Leave out the lines that `errors` names; nothing of the batch was used.",
    ),
    Refusal.DISBURSEMENT_STATE_CONFLICT: Problem(
        409,
        "发放批次或明细当前状态不允许该操作",
        "The batch or the line is not as it would have to be for this",
        "请查询发放批次当前状态",
        "Fetch the disbursement to see its state.",
    ),
    Refusal.CLEARING_FILE_NOT_READY: Problem(
        409, "清算文件未生成", "The clearing file is not published yet", *_WAIT, True, 60
    ),
    Refusal.FILE_DUPLICATE: Problem(
        409,
        "文件重复:该文件标识已用于其他内容",
        "The file id was used for another file",
        "请使用新的文件标识",
        "Send other content under a new file id; the same bytes under the same id are answered as they were first.",
    ),
    Refusal.FILE_MALFORMED: Problem(
        422,
        "文件格式错误",
        "The file cannot be accepted as it is",
        "请按 errors 所列行号与字段修正后重新发送",
        "Correct the lines and fields that `errors` names; nothing of the file was used.",
    ),
    Refusal.CONTROL_TOTAL_MISMATCH: Problem(
        422,
        "控制总额不符",
        "The file's count or totals are not those of its lines",
        "请核对文件笔数、金额合计与校验合计",
        "Compare the count, the totals and the hash total with the lines; nothing of the file was used.",
    ),
    Refusal.FILE_ACKNOWLEDGED: Problem(
        409,
        "该文件已回执,不可更改",
        "The file is acknowledged, and that is final",
        "如有未能入账的明细,请发送退回文件",
        "Items that could not be booked are given back in a file of returns.",
    ),
    Refusal.SETTLEMENT_NOT_INSTRUCTED: Problem(
        409,
        "该场次没有待答复的结算指令",
        "No instruction of this cycle waits for an answer",
        "请查询场次状态,失败的场次并入下一工作日的结算指令",
        "Fetch the cycle: one that failed joins the next working day's instruction.",
    ),
    Refusal.SETTLEMENT_REFERENCE_USED: Problem(
        409, "结算回执号已使用", "The reference was used for another answer", *_FIX
    ),
    Refusal.SETTLEMENT_FINAL: Problem(
        409,
        "该场次已结算,不可更改",
        "The cycle is settled, and that is final",
        "如需更正,请在当前场次做反向记账",
        "What was wrong is corrected by opposite postings in the open cycle.",
    ),
    Refusal.OVERLOADED: Problem(503, "系统繁忙,请稍后重试,请勿重复付款", "The engine is busy", *_LATER, True, 1),
    Refusal.STORE_UNAVAILABLE: Problem(
        503, "系统繁忙,请稍后查询,请勿重复付款", "The engine cannot answer now", *_LATER, True, 2
    ),
}

_BY_SLUG: Final = {refusal.slug: refusal for refusal in Refusal}


def refusal_of(slug: str) -> Refusal | None:
    """The refusal that a slug names."""
    return _BY_SLUG.get(slug)


def prefers_chinese(accept_language: str | None) -> bool:
    """True if the first language of an Accept-Language header is Chinese."""
    return accept_language is not None and accept_language.lstrip().lower().startswith("zh")


def problem_document(
    refusal: Refusal,
    *,
    instance: str,
    trace_id: str,
    in_chinese: bool,
    payment_id: str | None = None,
    errors: tuple[FieldError, ...] = (),
) -> ProblemDocument:
    """The document that tells a refusal. *instance* is the path of the request."""
    problem = PROBLEMS[refusal]
    return ProblemDocument(
        type=f"/problems/{refusal.slug}",
        title=problem.zh if in_chinese else problem.en,
        status=problem.status,
        detail=problem.todo_zh if in_chinese else problem.todo_en,
        instance=instance,
        code=refusal.slug,
        trace_id=trace_id,
        retryable=problem.is_retryable,
        payment_id=payment_id,
        errors=errors,
    )
