"""Examples of consents of persons and grants of departments and channels."""

from datetime import date
from typing import Final

import msgspec

from engine.core.consents import Scope
from engine.core.ids import IdKind, id_text, make_id
from engine.web.consents.wire import ConsentRequest, GrantRequest

_PURPOSE: Final = "job_application"


def _example_id(kind: IdKind) -> str:
    return id_text(make_id(kind, at_ms=1_795_521_600_000, shard=7, region=110101, entropy=2**40 + kind))


CONSENTS_EXAMPLES: Final[tuple[msgspec.Struct, ...]] = (
    ConsentRequest(
        card_id=_example_id(IdKind.CARD),
        scopes=(Scope.EMPLOYMENT, Scope.QUALIFICATIONS),
        purpose=_PURPOSE,
        department_id=_example_id(IdKind.AGENCY),
        valid_until=date(2027, 5, 31),
    ),
    GrantRequest(
        holder=_example_id(IdKind.AGENCY),
        scopes=(Scope.EMPLOYMENT, Scope.QUALIFICATIONS),
        purpose=_PURPOSE,
        region="110000",
        valid_from=date(2026, 12, 1),
        valid_until=date(2028, 11, 30),
        reason="contract 12",
    ),
)
