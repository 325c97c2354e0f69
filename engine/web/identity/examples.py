"""Examples of verification, admission by a shown code, and certification of eligibility. The person is invented."""

from datetime import date
from typing import Final

import msgspec

from engine.core.ids import IdKind, id_text, make_id
from engine.web.identity.wire import (
    AdmissionRequest,
    BeneficiaryRequest,
    CertificationRequest,
    MatchesRequest,
    VerificationRequest,
)

_CARD_ID: Final = id_text(make_id(IdKind.CARD, at_ms=1_795_000_000_000, shard=7, region=110_101, entropy=1))
_CERTIFICATION_ID: Final = id_text(
    make_id(IdKind.CERTIFICATION, at_ms=1_795_000_000_000, shard=7, region=110_101, entropy=2)
)
_EVIDENCE: Final = "counter_protocol:" + "5f" * 32

IDENTITY_EXAMPLES: Final[tuple[msgspec.Struct, ...]] = (
    VerificationRequest(
        id_number="110101199003079972",
        name="张三",
        card_no="Z12345676",
        request_no="V-1001",
        purpose="housing fund loan",
    ),
    AdmissionRequest(card_no="Z12345676", scenario="park", terminal_id="G-01", purpose="entry"),
    BeneficiaryRequest(card_id=_CARD_ID, benefit_code="PENSION", cycle_months=12, last_certified_on=date(2026, 3, 2)),
    CertificationRequest(
        card_id=_CARD_ID,
        benefit_code="PENSION",
        method="offline",
        certified_on=date(2026, 11, 24),
        evidence=_EVIDENCE,
    ),
    MatchesRequest(
        certification_ids=(_CERTIFICATION_ID,),
        certified_on=date(2026, 11, 24),
        evidence="insurance_payment:" + "5f" * 32,
    ),
)
