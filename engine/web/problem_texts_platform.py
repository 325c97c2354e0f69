"""What is said of the refusals of everything around the payments."""

from typing import Final

from engine.core.refusals import Refusal
from engine.web.problem_text import LATER, SUSPENDED, Problem

PLATFORM_PROBLEMS: Final[dict[Refusal, Problem]] = {
    Refusal.CHANNEL_SUSPENDED: Problem(403, "渠道已暂停", "The channel is stopped", *SUSPENDED),
    Refusal.ADDRESS_NOT_ALLOWED: Problem(
        403,
        "来源地址未登记",
        "The channel may not call from this address",
        "请从已登记的网络地址调用,或申请变更地址清单",
        "Call from a registered network, or ask an operator to register this one.",
    ),
    Refusal.BIOMETRIC_REJECTED: Problem(
        422,
        "人脸认证未通过",
        "The biometric check was not passed",
        "请重试或改用其他认证方式",
        "Try again, or certify in another way.",
    ),
    Refusal.NO_BENEFIT_TO_CERTIFY: Problem(
        422,
        "无待遇资格可认证",
        "There is no benefit whose eligibility could be certified",
        "请核对参保地与待遇类型",
        "Check the region and the kind of benefit.",
    ),
    Refusal.BENEFIT_REGISTERED: Problem(
        409,
        "该人员的此项待遇已登记",
        "The benefit of this person is registered",
        "请查询已登记的待遇资格",
        "Look it up: a benefit of a person is registered once.",
    ),
    Refusal.PASSKEY_INVALID: Problem(
        422,
        "通行密钥验证未通过",
        "The passkey was not accepted",
        "请使用本人已登记的通行密钥重试",
        "Ask for a fresh challenge and try again with a passkey that is registered.",
    ),
    Refusal.PASSKEYS_TOO_MANY: Problem(
        409,
        "通行密钥数量已达上限",
        "A card has ten passkeys at most",
        "请先停用一个通行密钥",
        "Revoke another passkey first.",
    ),
    Refusal.LOGIN_CODE_EXPIRED: Problem(
        410,
        "登录码已过期,请刷新",
        "The login code has expired",
        "请刷新页面后重新扫码",
        "Show a new code; one lasts two minutes.",
    ),
    Refusal.LOGIN_CODE_USED: Problem(
        409,
        "登录码已使用,请刷新",
        "The login code was used",
        "请刷新页面后重新扫码",
        "Show a new code; each is good for one login.",
    ),
    Refusal.LOGIN_CODE_BOUND_TO_OTHER: Problem(
        409,
        "登录码已被他人扫描",
        "Somebody else has scanned the login code",
        "请刷新页面后重新扫码",
        "Show a new code and scan it with one phone only.",
    ),
    Refusal.REDIRECT_NOT_ALLOWED: Problem(
        400,
        "回调地址未登记",
        "The redirect address is not registered",
        "请使用已登记的回调地址",
        "Use an address that is registered for the client, character by character.",
    ),
    Refusal.REGION_NOT_SERVED: Problem(
        403,
        "该地区尚未开通此服务",
        "The region does not offer this yet",
        "请联系当地社保经办机构",
        "Ask the office of the region; it may be offered elsewhere.",
    ),
    Refusal.CONSENT_REQUIRED: Problem(
        403,
        "需本人授权",
        "The person has not agreed to this",
        "请先取得本人授权",
        "Ask the person for consent to this scope and purpose.",
    ),
    Refusal.DEPARTMENT_NOT_AUTHORIZED: Problem(
        403,
        "部门未授权",
        "The department has no grant for this",
        "请联系平台运营方办理部门授权",
        "Ask an operator for a grant of the department.",
    ),
    Refusal.CHANNEL_NOT_AUTHORIZED: Problem(
        403,
        "渠道未授权",
        "The channel has no grant for this",
        "请联系平台运营方办理渠道授权",
        "Ask an operator for a grant of the channel.",
    ),
    Refusal.PURPOSE_REQUIRED: Problem(
        403, "需说明用途", "A purpose has to be named", "请说明用途后重试", "Name the purpose."
    ),
    Refusal.ERASURE_NOT_DUE: Problem(
        409,
        "尚不能删除个人信息",
        "Personal data cannot be erased yet",
        "请在社保卡注销且保存期限届满后再申请",
        "Ask again once the card is cancelled and the time for which data are kept is over.",
    ),
    Refusal.CHANNEL_TESTS_MISSING: Problem(
        409,
        "渠道测试未完成",
        "The channel has not passed its tests",
        "请先完成功能测试与安全测试",
        "Pass the function and the security tests first.",
    ),
    Refusal.CHANNEL_STATE_CONFLICT: Problem(
        409,
        "渠道当前状态不允许",
        "The channel is in another state",
        "请查询渠道状态",
        "Fetch the channel to see its state.",
    ),
    Refusal.LOCAL_PLATFORM_STATE_CONFLICT: Problem(
        409,
        "地方平台迁移当前状态不允许此操作",
        "The move of the local platform is in another state",
        "请查询该地区迁移进度",
        "Fetch the local platform of the region to see how far it is.",
    ),
    Refusal.LOCAL_PLATFORM_NOT_EQUAL: Problem(
        409,
        "卡数或余额与地方平台申报不符",
        "Cards or balances are not what the local platform has declared",
        "请查询差异清单并更正后重试",
        "Fetch the differences, correct file or declaration, and ask again.",
    ),
    Refusal.FORM_INVALID: Problem(
        422,
        "表单有误",
        "The form is not filled in as it has to be",
        "请按 errors 所列字段修正",
        "Correct what `errors` names.",
    ),
    Refusal.APPLICATION_DUPLICATE: Problem(
        409, "已有在办申请", "There is an open application for this already", "请查询在办申请", "Fetch the open one."
    ),
    Refusal.APPLICATION_STATE_CONFLICT: Problem(
        409,
        "申请当前状态不允许此操作",
        "The application is in another state",
        "请查询申请状态",
        "Fetch the application to see its state.",
    ),
    Refusal.UPSTREAM_UNAVAILABLE: Problem(
        503, "地区系统繁忙,请稍后再试", "The system of a region does not answer", *LATER, True, 5
    ),
}
