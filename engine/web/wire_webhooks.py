"""What goes over the wire about notifications: endpoints, messages, and the notification itself."""

from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from engine.core.callbacks import URL_CHARS_MAX
from engine.core.ids import id_text
from engine.core.webhooks import EndpointState, MessageState
from engine.flows.webhook_endpoints import EndpointWithSecret
from engine.store.webhook_outbox import TakenMessage
from engine.store.webhooks import Endpoint, Message
from engine.web.render import encode_json, payment_of_answer
from engine.web.wire import PaymentView, Text

EndpointStateName = Literal["enabled", "disabled"]
MessageStateName = Literal["pending", "delivered", "dead"]
CallbackUrl = Annotated[str, Meta(min_length=1, max_length=URL_CHARS_MAX)]
EventTypeText = Annotated[str, Meta(max_length=64)]

_ENDPOINT_NAMES: Final = {state: state.name.lower() for state in EndpointState}
MESSAGE_NAMES: Final = {state: state.name.lower() for state in MessageState}


class WebhookEndpointRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Register an address that is told what happens to the caller's payments."""

    url: CallbackUrl
    types: Annotated[tuple[EventTypeText, ...], Meta(max_length=50)] = ()
    description: Text | None = None


class WebhookEndpointView(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint. Its secret is shown once: when it is made."""

    id: str
    url: str
    types: tuple[str, ...]
    description: str | None
    state: EndpointStateName
    is_gone: bool
    earlier_secret_ends_at: datetime | None
    created_at: datetime
    secret: str | UnsetType = UNSET


class WebhookEndpointList(msgspec.Struct, frozen=True, kw_only=True):
    """Endpoints, newest first."""

    items: tuple[WebhookEndpointView, ...]
    next_cursor: str | None


class WebhookMessageView(msgspec.Struct, frozen=True, kw_only=True):
    """A message to an endpoint, and what became of it."""

    id: str
    type: str
    payment_id: str | None
    sequence: int | None
    state: MessageStateName
    attempts: int
    last_status: int | None
    last_fault: str | None
    next_attempt_at: datetime | None
    happened_at: datetime


class WebhookMessageList(msgspec.Struct, frozen=True, kw_only=True):
    """Messages, newest first."""

    items: tuple[WebhookMessageView, ...]
    next_cursor: str | None


class WebhookData(msgspec.Struct, frozen=True, kw_only=True):
    """What a notification is about; a test is about nothing."""

    payment: PaymentView | UnsetType = UNSET
    sequence: int | UnsetType = UNSET


class WebhookBody(msgspec.Struct, frozen=True, kw_only=True):
    """A notification."""

    type: str
    timestamp: datetime
    data: WebhookData


def endpoint_view(endpoint: Endpoint, *, secret: str | UnsetType = UNSET) -> WebhookEndpointView:
    """An endpoint as the wire shows it."""
    return WebhookEndpointView(
        id=id_text(endpoint.id),
        url=endpoint.url,
        types=endpoint.types,
        description=endpoint.description,
        state=_ENDPOINT_NAMES[endpoint.state],  # type: ignore[arg-type]  # a Literal from a table
        is_gone=endpoint.is_gone,
        earlier_secret_ends_at=endpoint.earlier_ends,
        created_at=endpoint.created_at,
        secret=secret,
    )


def endpoint_with_secret(made: EndpointWithSecret) -> WebhookEndpointView:
    """An endpoint as it is shown once, with its new secret."""
    return endpoint_view(made.endpoint, secret=made.secret)


def message_view(message: Message) -> WebhookMessageView:
    """A message as the wire shows it."""
    return WebhookMessageView(
        id=id_text(message.id),
        type=message.type,
        payment_id=id_text(message.payment) if message.payment is not None else None,
        sequence=message.sequence,
        state=MESSAGE_NAMES[message.state],  # type: ignore[arg-type]  # a Literal from a table
        attempts=message.attempt,
        last_status=message.last_status,
        last_fault=message.last_fault,
        next_attempt_at=message.next_at if message.state is MessageState.PENDING else None,
        happened_at=message.happened_at,
    )


def webhook_body(message: TakenMessage) -> bytes:
    """The bytes of a notification: the payment as it stood when the event happened, not as it is now."""
    data = WebhookData()
    if message.remembered is not None and message.sequence is not None:
        data = WebhookData(payment=payment_of_answer(message.remembered.answer), sequence=message.sequence)
    return encode_json(WebhookBody(type=message.type, timestamp=message.happened_at, data=data))
