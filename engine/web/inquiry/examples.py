"""Examples of inquiry: where a region is asked itself."""

from typing import Final

import msgspec

from engine.web.inquiry.wire import SourceRequest, SourceStopRequest

INQUIRY_EXAMPLES: Final[tuple[msgspec.Struct, ...]] = (
    SourceRequest(region="110100", base_url="https://rsj.example.gov.cn/ssc", reason="contract 13"),
    SourceStopRequest(region="110100", reason="the contract has ended"),
)
