"""The contract's prose and its shared parts: conventions, headers, and how a request is signed."""

from collections.abc import Mapping
from string import Template
from typing import Final

from engine.codes.http_signature import NAME_LENGTH_MAX, SKEW_S, Algorithm
from engine.core.ids import PREFIXES
from engine.core.money import AMOUNT_FEN_MAX, AMOUNT_FEN_MIN, CURRENCY
from engine.web.boundary import BODY_BYTES_MAX
from engine.web.docs import STATIC
from engine.web.examples import SIGNED
from engine.web.operation import Tag

TAGS: Final[Mapping[Tag, str]] = {
    Tag.PAYMENTS: "支付 · For merchants: hospitals and pharmacies. Each sees only its own payments.",
    Tag.CARDS: "社保卡 · For channels, agencies and operators.",
    Tag.CLEARING: "清算 · For banks. Each sees only its own files and positions.",
    Tag.PARTICIPANTS: "参与方 · For operators; merchants, banks and agencies may look at themselves. What lets anybody"
    " do more than before waits for a second operator: it is answered with 202 and the approval. A repeat under the"
    " same key gets the same answer.",
    Tag.APPROVALS: "双人复核 · For operators: what one asks for, and another decides.",
    Tag.AGENCIES: "征收与发放 · For agencies, which send bills and pay out benefits; each sees only its own. Operators"
    " let benefits go.",
    Tag.NOTIFICATIONS: "通知 · For merchants, agencies and channels: what happens to their payments, told to their own"
    " addresses. Each sees only its own endpoints.",
    Tag.RISK: "风险控制 · For operators. Merchants are told no more than that a payment was declined or waits.",
    Tag.CHANNELS: "渠道 · For channels and operators: admission, tests, what a channel may do, and what stops it.",
    Tag.CONSENTS: "授权 · For channels, departments and operators: a look at a person's data needs the person's"
    " consent, the department's grant and the channel's.",
    Tag.INQUIRY: "查询 · For channels: what regions know of a person, under threefold authorization.",
    Tag.IDENTITY: "身份 · For channels and departments: who somebody is, logins, passkeys, certification of"
    " eligibility.",
    Tag.APPLICATIONS: "申请 · For channels and offices: applications and their course.",
    Tag.AUDIT: "审计 · For operators: who has looked at what; reading it is written down as well.",
    Tag.REGIONS: "地区 · For operators: regions, how far the card is in use there, and the move of local platforms.",
    Tag.SANDBOX: "沙箱 · Only where the engine runs as a sandbox; elsewhere these paths do not exist.",
    Tag.OPEN: "公开 · No signature needed.",
}

OTHER_PROBLEM: Final = (
    "Whatever else went wrong. `code` is that of a refusal, or `bad-request` or `method-not-allowed` (not HTTP as it is"
    " spoken here) or `internal-error` (nothing is known to have been done: repeat the request with the same key)."
)

_TEXT: Final = {"type": "string"}
SECURITY_SCHEMES: Final = {
    "SignatureInput": {
        "type": "apiKey",
        "in": "header",
        "name": "Signature-Input",
        "description": "RFC 9421, section 4.1: the covered components and the parameters of the signature, in the"
        " profile that the description of this API gives.",
    },
    "Signature": {
        "type": "apiKey",
        "in": "header",
        "name": "Signature",
        "description": "RFC 9421, section 4.2: the signature, under the same label. Both headers are needed.",
    },
}
PARAMETERS: Final = {
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "required": True,
        "description": f"A quoted string, or a bare token, of 1 to {NAME_LENGTH_MAX} printable ASCII characters;"
        " new for each thing that is wanted done.",
        "schema": _TEXT,
        "example": SIGNED.headers["Idempotency-Key"],
    },
    "ContentDigest": {
        "name": "Content-Digest",
        "in": "header",
        "description": "The SHA-256 of the body (RFC 9530). Required if there is a body.",
        "schema": _TEXT,
        "example": SIGNED.headers["Content-Digest"],
    },
    "Traceparent": {
        "name": "traceparent",
        "in": "header",
        "description": "W3C Trace Context. Its trace id is kept; without it the engine makes one.",
        "schema": {"type": "string", "pattern": "^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"},
    },
    "AcceptLanguage": {
        "name": "Accept-Language",
        "in": "header",
        "description": "`zh` first gives Chinese texts, everything else English ones.",
        "schema": _TEXT,
    },
    "Range": {
        "name": "Range",
        "in": "header",
        "description": "One range of bytes (RFC 9110, section 14).",
        "schema": _TEXT,
    },
    "IfNoneMatch": {
        "name": "If-None-Match",
        "in": "header",
        "description": "An `ETag` that the caller has.",
        "schema": _TEXT,
    },
}
HEADER_NAMES: Final[Mapping[str, str]] = {
    "Traceparent": "traceparent",
    "IdempotentReplayed": "Idempotent-Replayed",
    "RetryAfter": "Retry-After",
    "WWWAuthenticate": "WWW-Authenticate",
    "ETag": "ETag",
    "AcceptRanges": "Accept-Ranges",
    "ContentRange": "Content-Range",
    "ReprDigest": "Repr-Digest",
}
_HEADER_TEXTS: Final[Mapping[str, str]] = {
    "Traceparent": "The trace id of the request, and a span id of the engine's own.",
    "IdempotentReplayed": "`true` if the answer is that of an earlier request with the same key; else absent.",
    "RetryAfter": "Seconds to wait before the same request is sent again.",
    "WWWAuthenticate": "Always `Signature`.",
    "ETag": "Names the bytes of the file; they never change.",
    "AcceptRanges": "Always `bytes`.",
    "ContentRange": "Which bytes these are.",
    "ReprDigest": "SHA-256 of the whole file (RFC 9530).",
}
HEADERS: Final = {name: {"description": text, "schema": _TEXT} for name, text in _HEADER_TEXTS.items()}


def description() -> str:
    """The conventions, and the signing profile with an example that is computed."""
    return Template((STATIC / "contract.md").read_text(encoding="utf-8")).substitute(
        amount_min=AMOUNT_FEN_MIN,
        amount_max=AMOUNT_FEN_MAX,
        currency=CURRENCY,
        prefixes=", ".join(f"`{prefix}`" for prefix in PREFIXES.values()),
        body_kib=BODY_BYTES_MAX // 1024,
        skew_s=SKEW_S,
        name_max=NAME_LENGTH_MAX,
        algorithms=", ".join(f"`{algorithm.value}`" for algorithm in Algorithm),
        keyid=SIGNED.keyid,
        secret=SIGNED.secret,
        method=SIGNED.method,
        target=SIGNED.target,
        body=SIGNED.body,
        base=SIGNED.base,
        headers="\n".join(f"{name}: {value}" for name, value in SIGNED.headers.items()),
    )
