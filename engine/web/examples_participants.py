"""Examples of the requests by which a node is taken into service."""

from typing import Final

import msgspec

from engine.codes.public_keys import Jwk
from engine.web.wire_participants import (
    ChangeRequest,
    DecisionRequest,
    FundRequest,
    KeyGiven,
    KeyRequest,
    ParticipantRequest,
    ReasonRequest,
    RotationRequest,
    TerminalsRequest,
)

# RFC 8037, appendix A.2: nobody signs with it.
_PUBLISHED_KEY: Final = Jwk(kty="OKP", crv="Ed25519", x="11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")

PARTICIPANT_EXAMPLES: Final[tuple[msgspec.Struct, ...]] = (
    ParticipantRequest(
        kind="merchant",
        code="H11010100007",
        name_zh="示例医院",
        name_en="Example Hospital",
        region="110101",
        bank="102100099996",
        scenarios=("outpatient", "pharmacy"),
        terminals=("T-01", "T-02"),
        level=3,
        key=KeyGiven(alg="ed25519", public_key=_PUBLISHED_KEY),
        reason="contract 2026-117",
    ),
    ChangeRequest(bank="103100099997", reason="the hospital has moved its account"),
    ReasonRequest(reason="terminals stolen"),
    KeyRequest(alg="hmac-sha256", reason="second server"),
    RotationRequest(alg="hmac-sha256", overlap_s=86_400, reason="yearly rotation"),
    TerminalsRequest(terminal_ids=("T-03", "T-04")),
    FundRequest(region="110100", fund_pay_type="310100", bank="102100099996", reason="contract 2026-3"),
    DecisionRequest(note="contract seen"),
)
