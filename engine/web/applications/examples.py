"""Examples of applications to offices and banks."""

from typing import Final

import msgspec

from engine.web.applications.wire import (
    ApplicationFormRequest,
    ApplicationRequest,
    ApplicationWithdrawalRequest,
    OfficeNoteRequest,
    OfficeRequest,
    SubmissionRequest,
)

_BLOCK: Final = "eyJhbGciOiJFQ0RILUVTIiwiZW5jIjoiQTI1NkdDTSJ9..c2VhbGVk.cGFzc3dvcmQ.dGFn"
_PROOF: Final = "3b9c358f36f0a31b6ad3e14f309c7cf198ac9246e8316f9ce543d5b19ac02b80"

APPLICATIONS_EXAMPLES: Final[tuple[msgspec.Struct, ...]] = (
    ApplicationRequest(
        card_id="card_01jd9x5r8k2m4n6p8q0r2s4t6v",
        item="unemployment_benefit",
        form={
            "unemployed_since": "2026-11-01",
            "paid_months": 87,
            "seeks_work": True,
            "phone": "13800000000",
            "materials": {"proof_of_end": [_PROOF]},
        },
        region="110101",
    ),
    ApplicationFormRequest(
        form={
            "unemployed_since": "2026-11-02",
            "paid_months": 87,
            "seeks_work": True,
            "phone": "13800000000",
            "materials": {"proof_of_end": [_PROOF]},
        }
    ),
    SubmissionRequest(password_block=_BLOCK),
    ApplicationWithdrawalRequest(
        note="已找到新工作",
        password_block=_BLOCK,
    ),
    OfficeNoteRequest(note="请补充解除劳动合同证明"),
    OfficeRequest(
        kind="social_security",
        region="110100",
        office_id="agc_01jd9x5r8k2m4n6p8q0r2s4t6v",
        reason="经办协议 2026-17",
    ),
)
