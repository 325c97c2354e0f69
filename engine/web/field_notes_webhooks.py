"""What the fields of webhook endpoints and their messages mean."""

from typing import Final

from engine.core.ids import IdKind
from engine.web.field_note import FieldNote, id_note, instant_note

_MESSAGE_ID: Final = id_note("The message: its `webhook-id`.", IdKind.EVENT)

WEBHOOK_NOTES: Final[dict[tuple[str, str], FieldNote]] = {
    **{
        (view, "url"): FieldNote("Where notifications go: https, and a host of the public internet.")
        for view in ("WebhookEndpointRequest", "WebhookEndpointView")
    },
    **{
        (view, "types"): FieldNote("What is told; everything, types of later versions included, if there are none.")
        for view in ("WebhookEndpointRequest", "WebhookEndpointView")
    },
    **{
        (view, "description"): FieldNote("The owner's own words.")
        for view in ("WebhookEndpointRequest", "WebhookEndpointView")
    },
    ("WebhookEndpointView", "id"): id_note("The endpoint.", IdKind.WEBHOOK_ENDPOINT),
    ("WebhookEndpointView", "state"): FieldNote("Nothing is sent to one that is `disabled`."),
    ("WebhookEndpointView", "is_gone"): FieldNote("`true` if it was disabled because its receiver answered 410."),
    ("WebhookEndpointView", "earlier_secret_ends_at"): instant_note(
        "Until when the secret before the newest signs along; null if there is none."
    ),
    ("WebhookEndpointView", "created_at"): instant_note("When it was registered, in business time."),
    ("WebhookEndpointView", "secret"): FieldNote(
        "What notifications are signed with: `whsec_` and Base64. Only in the answer that made it."
    ),
    ("WebhookMessageView", "id"): _MESSAGE_ID,
    ("WebhookMessageView", "type"): FieldNote("What happened; `webhook.test` for a test."),
    ("WebhookMessageView", "payment_id"): id_note("The payment; null for a test.", IdKind.PAYMENT),
    ("WebhookMessageView", "sequence"): FieldNote("Grows with each event about the payment; null for a test."),
    ("WebhookMessageView", "state"): FieldNote("`dead`: not tried again, unless it is sent again."),
    ("WebhookMessageView", "attempts"): FieldNote("How often it was tried since it was last set going."),
    ("WebhookMessageView", "last_status"): FieldNote("HTTP status of the last answer; null if there was none."),
    ("WebhookMessageView", "last_fault"): FieldNote("Why there was no answer, such as `timeout`; else null."),
    ("WebhookMessageView", "next_attempt_at"): instant_note("When it is tried next; null once it is done."),
    ("WebhookMessageView", "happened_at"): instant_note("When the event happened, in business time."),
}
