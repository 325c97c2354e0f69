"""Examples of channels: admission, conformance, what they may do, and what stops them."""

from typing import Final

import msgspec

from engine.web.channels.wire import ChannelRequest, ChannelTermsRequest, ResumeRequest, StopRequest
from engine.web.channels.wire_conformance import ConclusionRequest, ConformanceReportRequest, PracticeRequest
from engine.web.wire_participants import KeyGiven

CHANNELS_EXAMPLES: Final[tuple[msgspec.Struct, ...]] = (
    ChannelRequest(
        channel_no="1101000042",
        owner_class="social",
        name_zh="演示出行应用",
        name_en="Demo Travel App",
        contact="service desk, desk@channel.example",
        region="110000",
        products=("cards", "payment"),
        regions=("110000",),
        addresses=("192.0.2.0/24",),
        callback_urls=("https://channel.example/notifications",),
        key=KeyGiven(alg="hmac-sha256"),
        reason="application 42",
    ),
    ChannelTermsRequest(
        name_zh="演示出行应用",
        name_en="Demo Travel App",
        contact="service desk, desk@channel.example",
        region="110000",
        products=("cards", "payment", "inquiry"),
        regions=("110000",),
        addresses=("192.0.2.0/24",),
        callback_urls=("https://channel.example/notifications",),
        reason="contract 43",
    ),
    StopRequest(
        product="payment",
        region="110100",
        reason="complaints about wrong amounts",
        evidence="letters 17 to 23",
        restore_condition="the amounts shown are those asked for",
    ),
    ResumeRequest(reason="version 2.1 shows the right amounts"),
    PracticeRequest(case="lost_answer", order_no="A-1001", amount=500),
    ConformanceReportRequest(part="function", report_sha256="5f" * 32, reason="run of 24 November"),
    ConclusionRequest(case="lost_answer", order_no="A-1001", outcome="paid"),
)
