"""Examples of what owners of webhook endpoints send."""

from typing import Final

import msgspec

from engine.web.wire_webhooks import WebhookEndpointRequest

WEBHOOK_EXAMPLES: Final[tuple[msgspec.Struct, ...]] = (
    WebhookEndpointRequest(
        url="https://hospital.example/ssc/notifications",
        types=("payment.captured", "payment.refunded"),
        description="门诊收费系统",
    ),
)
