"""What the contract says of notifications."""

from collections.abc import Mapping
from typing import Final

from engine.core.ids import IdKind
from engine.core.refusals import Refusal
from engine.core.webhooks import ENDPOINTS_MAX, EVENT_TYPES
from engine.web.field_notes import id_pattern
from engine.web.operation import PAGE, Operation, Parameter, Tag, text_schema
from engine.web.wire import NothingRequest
from engine.web.wire_webhooks import (
    MESSAGE_NAMES,
    WebhookEndpointList,
    WebhookEndpointRequest,
    WebhookEndpointView,
    WebhookMessageList,
    WebhookMessageView,
)

_ENDPOINT_ID: Final = Parameter(
    name="id",
    text="The endpoint.",
    schema={"type": "string", "pattern": id_pattern(IdKind.WEBHOOK_ENDPOINT)},
    place="path",
)
_MESSAGE_ID: Final = Parameter(
    name="message",
    text="The message: its `webhook-id`.",
    schema={"type": "string", "pattern": id_pattern(IdKind.EVENT)},
    place="path",
)
_CHANGING: Final = (Refusal.NOT_FOUND, Refusal.IDEMPOTENCY_KEY_IN_PROGRESS)
_NOTIFICATION: Final = (
    "Every notification is a POST of `{type, timestamp, data: {payment, sequence}}`, where `payment` is what"
    " `/v1/payments/{id}` showed at that moment. It is signed as Standard Webhooks have it: `webhook-signature` holds"
    " `v1,` and the Base64 of HMAC-SHA-256 over `{webhook-id}.{webhook-timestamp}.{body}`, for each valid secret. A 2xx"
    " within five seconds takes it; anything else is tried again, ever more seldom, for three days, and 410 disables"
    " the endpoint. It may come more than once, under one `webhook-id`; those of one payment come in order of"
    " `sequence`. Redirects are not followed."
)

WEBHOOK_OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    ("POST", "/v1/webhook-endpoints"): Operation(
        tag=Tag.NOTIFICATIONS,
        summary="Register a webhook endpoint",
        text="For merchants, agencies and channels, at most"
        f" {ENDPOINTS_MAX} each. Types are {', '.join(f'`{name}`' for name in EVENT_TYPES)}; without any, all are told."
        f" The secret is shown in this answer only. {_NOTIFICATION}",
        request=WebhookEndpointRequest,
        status=201,
        response=WebhookEndpointView,
        refusals=(*_CHANGING, Refusal.CALLBACK_URL_NOT_ALLOWED),
    ),
    ("GET", "/v1/webhook-endpoints"): Operation(
        tag=Tag.NOTIFICATIONS,
        summary="Webhook endpoints",
        text="For merchants, agencies and channels.",
        parameters=PAGE,
        response=WebhookEndpointList,
        refusals=(Refusal.NOT_FOUND,),
    ),
    ("GET", "/v1/webhook-endpoints/{id}"): Operation(
        tag=Tag.NOTIFICATIONS,
        summary="One webhook endpoint",
        parameters=(_ENDPOINT_ID,),
        response=WebhookEndpointView,
        refusals=(Refusal.NOT_FOUND,),
    ),
    ("DELETE", "/v1/webhook-endpoints/{id}"): Operation(
        tag=Tag.NOTIFICATIONS,
        summary="Remove a webhook endpoint",
        parameters=(_ENDPOINT_ID,),
        status=204,
        media_types=(),
        refusals=(Refusal.NOT_FOUND,),
    ),
    ("POST", "/v1/webhook-endpoints/{id}/rotate-secret"): Operation(
        tag=Tag.NOTIFICATIONS,
        summary="Rotate the secret of a webhook endpoint",
        text="The secret is shown in this answer only. Until the one before ends, both sign.",
        parameters=(_ENDPOINT_ID,),
        request=NothingRequest,
        response=WebhookEndpointView,
        refusals=_CHANGING,
    ),
    ("POST", "/v1/webhook-endpoints/{id}/enable"): Operation(
        tag=Tag.NOTIFICATIONS,
        summary="Enable a webhook endpoint",
        text="What waited is sent; what happened while it was disabled is not told.",
        parameters=(_ENDPOINT_ID,),
        request=NothingRequest,
        response=WebhookEndpointView,
        refusals=_CHANGING,
    ),
    ("POST", "/v1/webhook-endpoints/{id}/disable"): Operation(
        tag=Tag.NOTIFICATIONS,
        summary="Disable a webhook endpoint",
        text="What waits goes on waiting, and what happens meanwhile is not told.",
        parameters=(_ENDPOINT_ID,),
        request=NothingRequest,
        response=WebhookEndpointView,
        refusals=_CHANGING,
    ),
    ("POST", "/v1/webhook-endpoints/{id}/test"): Operation(
        tag=Tag.NOTIFICATIONS,
        summary="Send a test message",
        text="Its type is `webhook.test`, and its data is empty.",
        parameters=(_ENDPOINT_ID,),
        request=NothingRequest,
        response=WebhookMessageView,
        refusals=_CHANGING,
    ),
    ("GET", "/v1/webhook-endpoints/{id}/messages"): Operation(
        tag=Tag.NOTIFICATIONS,
        summary="Messages of a webhook endpoint",
        text="What was delivered is kept for seven days, dead letters for thirty.",
        parameters=(
            _ENDPOINT_ID,
            Parameter(name="state", text="Only in this state.", schema=text_schema(*MESSAGE_NAMES.values())),
            *PAGE,
        ),
        response=WebhookMessageList,
        refusals=(Refusal.NOT_FOUND,),
    ),
    ("POST", "/v1/webhook-endpoints/{id}/messages/{message}/resend"): Operation(
        tag=Tag.NOTIFICATIONS,
        summary="Send a message again",
        text="A dead letter or one that was delivered.",
        parameters=(_ENDPOINT_ID, _MESSAGE_ID),
        request=NothingRequest,
        response=WebhookMessageView,
        refusals=_CHANGING,
    ),
}
