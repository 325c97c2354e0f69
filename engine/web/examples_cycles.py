"""Examples of the requests about cycles, their settlement, and corrections by hand."""

from typing import Final

import msgspec

from engine.core.ids import IdKind, id_text, make_id
from engine.web.wire_cases import AssignmentRequest
from engine.web.wire_corrections import PostingRequest, ResolutionRequest
from engine.web.wire_cycles import CapRequest, SettlementRequest
from engine.web.wire_returns import AcknowledgementRequest, RejectionReason

_OPERATOR: Final = id_text(make_id(IdKind.OPERATOR, at_ms=1_795_000_000_000, shard=0, region=110000, entropy=8))
_BANK: Final = id_text(make_id(IdKind.BANK, at_ms=1_795_000_000_000, shard=0, region=110000, entropy=7))

CYCLE_EXAMPLES: Final[tuple[msgspec.Struct, ...]] = (
    SettlementRequest(status="confirmed", reference="CNAPS20261125-0091"),
    AcknowledgementRequest(
        status="PART", count=1_204, total=51_880_300, reasons=(RejectionReason(line=17, code="AC04"),)
    ),
    CapRequest(bank=_BANK, cap=5_000_000_000, reason="collateral of 25 November is in"),
    PostingRequest(
        debit=f"suspense:short:{_BANK}",
        credit=f"bank:{_BANK}:receivable",
        amount=1,
        reason="letter of 25 November",
    ),
    AssignmentRequest(owner=_OPERATOR),
    ResolutionRequest(handling="suspend_rest", reason="the bank looks into it"),
)
