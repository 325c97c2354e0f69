"""What is said of each refusal, and with which status: one total table, in the order of precedence."""

from typing import Final

from engine.core.refusals import Refusal
from engine.web.problem_text import (
    FIX,
    LATER,
    NEW_ORDER,
    NOTHING,
    QUERY,
    QUOTE_AGAIN,
    RESCAN,
    SIGN,
    SUSPENDED,
    WAIT,
    Problem,
)
from engine.web.problem_texts_platform import PLATFORM_PROBLEMS

_PAYING: Final[dict[Refusal, Problem]] = {
    Refusal.BODY_TOO_LARGE: Problem(413, "请求内容过大", "The body is too large", *FIX),
    Refusal.SIGNATURE_MISSING: Problem(401, "签名缺失", "The request is not signed", *SIGN),
    Refusal.SIGNATURE_INVALID: Problem(401, "签名无效", "The signature is not valid", *SIGN),
    Refusal.SIGNATURE_EXPIRED: Problem(401, "签名已过期", "The signature is too old or too new", *SIGN),
    Refusal.SIGNATURE_KEY_UNKNOWN: Problem(401, "签名密钥未知", "The signing key is not known", *SIGN),
    Refusal.CONTENT_DIGEST_MISMATCH: Problem(401, "内容摘要不符", "The content digest is missing or wrong", *SIGN),
    Refusal.REQUEST_REPLAYED: Problem(401, "重复的请求", "The nonce was used before", *SIGN),
    Refusal.CALLER_SUSPENDED: Problem(403, "调用方已暂停", "The caller is suspended", *SUSPENDED),
    Refusal.MALFORMED_JSON: Problem(400, "请求格式错误", "The body is not valid JSON", *FIX),
    Refusal.DUPLICATE_FIELD: Problem(400, "请求字段重复", "A field is given twice", *FIX),
    Refusal.UNKNOWN_FIELD: Problem(400, "请求包含未知字段", "A field is not known", *FIX),
    Refusal.FIELD_INVALID: Problem(400, "请求字段无效", "A field is not valid", *FIX),
    Refusal.AMOUNT_INVALID: Problem(400, "金额无效", "The amount is not a whole number of fen in range", *FIX),
    Refusal.IDEMPOTENCY_KEY_MISSING: Problem(400, "缺少幂等键", "The Idempotency-Key header is missing", *FIX),
    Refusal.IDEMPOTENCY_KEY_REUSED: Problem(
        422,
        "幂等键已用于其他请求",
        "The idempotency key was used for another request",
        "请使用新的幂等键",
        "Use a new key for a new request.",
    ),
    Refusal.IDEMPOTENCY_KEY_IN_PROGRESS: Problem(
        409, "请求处理中", "The same request is being processed", *LATER, True, 1
    ),
    Refusal.MERCHANT_SUSPENDED: Problem(403, "商户已暂停", "The merchant is suspended", *SUSPENDED),
    Refusal.TERMINAL_UNKNOWN: Problem(403, "终端未登记", "The terminal is not registered", *FIX),
    Refusal.SCENARIO_NOT_ENABLED: Problem(
        403, "本地或该商户尚未开通该场景", "The scenario is not enabled for this merchant or its region", *SUSPENDED
    ),
    Refusal.NOT_FOUND: Problem(404, "未找到", "There is no such thing for this caller", *FIX),
    Refusal.PAYMENT_NOT_FOUND: Problem(404, "未找到订单", "There is no such payment for this caller", *FIX),
    Refusal.ORDER_ALREADY_PAID: Problem(409, "订单已支付,请勿重复支付", "The order is paid already", *QUERY),
    Refusal.ORDER_NUMBER_USED: Problem(409, "商户订单号已使用", "The number was used before", *NEW_ORDER),
    Refusal.ORDER_CANCELLED: Problem(409, "订单已取消", "The order was cancelled", *NEW_ORDER),
    Refusal.ORDER_EXPIRED: Problem(409, "订单已过期", "The order has expired", *NEW_ORDER),
    Refusal.ORDER_AMOUNT_CHANGED: Problem(
        409,
        "订单金额已变化",
        "The order's amount has changed since it was shown",
        "请重新读取订单并向持卡人展示新金额",
        "Fetch the order again, and show the cardholder its new amount.",
    ),
    Refusal.ORDER_CODE_MALFORMED: Problem(422, "订单码无法识别", "The order's code cannot be read", *RESCAN),
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
    Refusal.BILL_INVALID: Problem(422, "账单有误", "The medical bill is not valid", *FIX),
    Refusal.AMOUNT_NOT_BALANCED: Problem(422, "金额校验不通过", "The amounts do not add up", *FIX),
    Refusal.QUOTE_EXPIRED: Problem(410, "预结算已过期", "The pre-settlement has expired", *QUOTE_AGAIN),
    Refusal.CALLBACK_URL_NOT_ALLOWED: Problem(422, "回调地址不允许", "The callback address is not allowed", *FIX),
    Refusal.TICKET_INVALID: Problem(
        422,
        "车票无效",
        "The ticket cannot be read, is not signed by its terminal, or was brought in too late",
        "请核对闸机时钟、密钥和票据内容",
        "Check the clock and the key of the gate; `errors` says what is wrong with the line.",
    ),
    Refusal.TICKET_REPEATED: Problem(
        409,
        "票据序号已使用",
        "Another ticket of this terminal has had the number before",
        "同一终端的序号不得重复使用",
        "Let the terminal go on after the last number that has come in; it is never counted anew.",
    ),
    Refusal.TICKET_SEQUENCE_GAP: Problem(
        409,
        "票据序号不连续",
        "A ticket before this one has not come in",
        "请先补传缺失的票据,再重新上传此后的票据",
        "Bring in the missing ticket, and after it this one again.",
    ),
    Refusal.PAY_CODE_MALFORMED: Problem(422, "付款码无法识别,请重新扫码", "The payment code cannot be read", *RESCAN),
    Refusal.PAY_CODE_FOREIGN: Problem(
        422, "这不是电子社保卡付款码", "This is not a code of the electronic social security card", *RESCAN
    ),
    Refusal.PAY_CODE_WRONG: Problem(422, "付款码无效", "The payment code is not valid", *RESCAN),
    Refusal.PAY_CODE_EXPIRED: Problem(410, "付款码已过期,请刷新", "The payment code has expired", *RESCAN),
    Refusal.PAY_CODE_USED: Problem(409, "每个付款码仅限使用一次,请刷新", "The payment code was used before", *RESCAN),
    Refusal.CODE_SCENE_NOT_ALLOWED: Problem(
        403,
        "该付款码不能用于此场景",
        "The code is not good for this kind of payment",
        "请持卡人出示可离线使用的付款码,或在联网终端付款",
        "Let the cardholder show a code for use without a network, or pay where there is one.",
    ),
    Refusal.DEVICE_REVOKED: Problem(403, "设备已停用", "The cardholder's device is revoked", *NOTHING),
    Refusal.CARD_REPORTED_LOST: Problem(
        403, "该社保卡已挂失,电子社保卡暂不可用", "The card was reported lost", *NOTHING
    ),
    Refusal.CARD_NOT_USABLE: Problem(403, "社保卡状态异常", "The card cannot be used", *NOTHING),
    Refusal.PAYMENT_NOT_ENABLED: Problem(403, "尚未开通缴费结算功能", "Payment is not enabled for this card", *NOTHING),
    Refusal.RELATIVE_NOT_LINKED: Problem(
        403,
        "未绑定亲属关系",
        "The bill is another person's, and the payer is not linked as a relative",
        "请由账单所属人本人缴费",
        "Let the person pay whom the bill names.",
    ),
    Refusal.ID_NUMBER_INVALID: Problem(
        422,
        "证件号码有误",
        "This is not a citizen's ID number",
        "请核对证件号码",
        "Let the person's document be read again.",
    ),
    Refusal.IDENTITY_MISMATCH: Problem(422, "身份信息不符", "This is not the person it was made for", *RESCAN),
    Refusal.CARD_ALREADY_EXISTS: Problem(
        409,
        "已有有效卡",
        "The person, or the number, has a card already",
        "请先注销原卡,或办理补换",
        "Cancel the earlier card first, or replace it.",
    ),
    Refusal.BANK_ACCOUNT_MISMATCH: Problem(
        422,
        "银行账户不符",
        "This is not the card's bank account",
        "请核对社保卡银行账户",
        "Let the person give the account that belongs to the card.",
    ),
    Refusal.BANK_ACCOUNT_NOT_ACTIVATED: Problem(
        409,
        "社保卡银行账户未激活",
        "The card's bank account is not activated, or has no telephone number",
        "请持卡人到发卡银行激活账户并登记手机号",
        "Let the person activate the account at the bank that has issued the card.",
    ),
    Refusal.REAUTHENTICATION_REQUIRED: Problem(
        403,
        "需重新验证身份",
        "The person has to be asked again",
        "请持卡人输入卡密码后重新提交",
        "Send it again under a new key, with the card's password sealed for it.",
    ),
    Refusal.RELATIVES_TOO_MANY: Problem(
        409, "亲属人数已达上限", "A person helps eight relatives at most", "请先解除一位亲属", "End another one first."
    ),
    Refusal.DEVICES_TOO_MANY: Problem(
        409, "设备数量已达上限", "A card has five phones at most", "请先停用一部设备", "Revoke another phone first."
    ),
    Refusal.UNPAID_RIDE: Problem(
        403,
        "有未支付的乘车记录,请先补缴",
        "An earlier ride is not paid, and this kind of payment is closed until it is",
        "请持卡人补缴后再使用",
        "Let the cardholder pay the ride that is due: an ordinary payment with its order number.",
    ),
    Refusal.PASSWORD_BLOCK_INVALID: Problem(
        422,
        "密码密文无效,请重新输入密码",
        "The sealed password cannot be opened, or was sealed for something else",
        "请用 /v1/keys 中的当前加密公钥重新加密,并绑定本次订单或支付",
        "Seal it for the present encryption key of /v1/keys, and for this order or payment.",
    ),
    Refusal.PASSWORD_BLOCK_EXPIRED: Problem(
        410,
        "密码密文已过期,请重新输入密码",
        "The sealed password is too old",
        "请校准终端时钟,并请持卡人重新输入密码",
        "Let the cardholder enter it again; check the clock of the terminal.",
    ),
    Refusal.PASSWORD_LOCKED: Problem(423, "密码已锁定", "The card's password is locked", *NOTHING),
    Refusal.PASSWORD_INCORRECT: Problem(
        403,
        "密码错误",
        "The password is not right",
        "请持卡人重新输入密码,并使用新的幂等键",
        "Let the cardholder enter it again, and send it under a new key.",
    ),
    Refusal.PLAN_MISSING: Problem(
        422, "无适用待遇政策", "No benefit plan applies to this person on this day", *NOTHING
    ),
    Refusal.PRESETTLEMENT_CHANGED: Problem(
        409, "费用或待遇已变化,请重新预结算", "The bill's split is not what was shown any more", *QUOTE_AGAIN
    ),
    Refusal.LIMIT_EXCEEDED: Problem(
        403,
        "超出当日支付限额",
        "The day's limit of this card is exceeded",
        "请明日再试或使用其他方式支付",
        "Pay by other means, or tomorrow.",
    ),
    Refusal.RISK_DECLINED: Problem(403, "交易存在风险,已被拒绝", "The payment was declined", *NOTHING),
    Refusal.TOO_MANY_ATTEMPTS: Problem(429, "操作过于频繁", "Too many attempts", *WAIT, True, 60),
    Refusal.INSUFFICIENT_FUNDS: Problem(
        402,
        "账户余额不足",
        "There is not enough on the cardholder's accounts",
        "请使用其他支付方式",
        "Ask for other means of payment; the order number stays free.",
    ),
    Refusal.PAYMENT_STATE_CONFLICT: Problem(
        409, "当前状态不允许该操作", "The payment's state does not allow this", *QUERY
    ),
    Refusal.CONFIRMATION_TIMEOUT: Problem(
        409, "用户未在规定时间内确认", "The cardholder did not confirm in time", *NEW_ORDER
    ),
    Refusal.CAPTURE_EXCEEDS_AUTHORIZATION: Problem(422, "超过授权金额", "The capture exceeds what is authorized", *FIX),
    Refusal.REFUND_EXCEEDS_PAYMENT: Problem(
        422, "退款金额超过可退金额", "The refund exceeds what can be refunded", *FIX
    ),
    Refusal.REFUND_WINDOW_CLOSED: Problem(422, "超过退款期限", "The time for refunds is over", *NOTHING),
    Refusal.NEWER_SETTLEMENT_EXISTS: Problem(
        409,
        "本次就诊有更新的结算,请先撤销最新一笔",
        "A later bill of the same visit is settled",
        "请按结算时间从新到旧逐笔撤销",
        "Cancel or refund the bills of the visit one by one, the newest first.",
    ),
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
    Refusal.REGION_UNKNOWN: Problem(
        422,
        "地区未知",
        "This is not a region",
        "请使用六位行政区划代码,全国为000000",
        "Use the six digits of the national code of regions; 000000 is the whole country.",
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
    Refusal.SCENARIO_STATE_CONFLICT: Problem(
        409,
        "该地区的场景状态已变化或不允许该操作",
        "The scenario is not switched as it would have to be for this",
        "请查询该地区的场景后重新申请",
        "Fetch the region's scenarios, and ask again for what is still wanted.",
    ),
    Refusal.RISK_RULE_CHANGED: Problem(
        409,
        "该风险规则已变化",
        "The rule has been changed meanwhile",
        "请查询当前规则后重新申请",
        "Fetch the rules, and ask again for what is still wanted.",
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
        409, "清算文件未生成", "The clearing file is not published yet", *WAIT, True, 60
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
        409, "结算回执号已使用", "The reference was used for another answer", *FIX
    ),
    Refusal.SETTLEMENT_FINAL: Problem(
        409,
        "该场次已结算,不可更改",
        "The cycle is settled, and that is final",
        "如需更正,请在当前场次做反向记账",
        "What was wrong is corrected by opposite postings in the open cycle.",
    ),
    Refusal.OVERLOADED: Problem(503, "系统繁忙,请稍后重试,请勿重复付款", "The engine is busy", *LATER, True, 1),
    Refusal.STORE_UNAVAILABLE: Problem(
        503, "系统繁忙,请稍后查询,请勿重复付款", "The engine cannot answer now", *LATER, True, 2
    ),
}
_EVERY: Final = {**_PAYING, **PLATFORM_PROBLEMS}
PROBLEMS: Final[dict[Refusal, Problem]] = {refusal: _EVERY[refusal] for refusal in Refusal}
