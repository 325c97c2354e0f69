"""Routes of channels: admission, conformance, what they may do, and what stops them."""

from engine.web.channels import conformance, handlers, keys
from engine.web.route import Route

CHANNELS_ROUTES: tuple[Route, ...] = (
    Route("POST", "/v1/channels", handlers.post_channel),
    Route("GET", "/v1/channels", handlers.get_channels),
    Route("GET", "/v1/channels/directory", handlers.get_channel_directory, is_signed=False),
    Route("GET", "/v1/channels/{id}", handlers.get_channel, is_before_live=True),
    Route("GET", "/v1/channels/{id}/stops", handlers.get_channel_stops, is_before_live=True),
    Route("POST", "/v1/channels/{id}/approve", handlers.post_channel_approval),
    Route("POST", "/v1/channels/{id}/go-live", handlers.post_channel_opening),
    Route("POST", "/v1/channels/{id}/rectify", handlers.post_channel_rectification),
    Route("POST", "/v1/channels/{id}/suspend", handlers.post_channel_suspension),
    Route("POST", "/v1/channels/{id}/terminate", handlers.post_channel_termination),
    Route("POST", "/v1/channels/{id}/resume", handlers.post_channel_resumption),
    Route("POST", "/v1/channels/{id}/changes", handlers.post_channel_changes),
    Route("GET", "/v1/channels/{id}/keys", keys.get_channel_keys, is_before_live=True),
    Route("POST", "/v1/channels/{id}/keys", keys.post_channel_key),
    Route("POST", "/v1/channels/{id}/keys/rotate", keys.post_channel_rotation),
    Route("POST", "/v1/channels/{id}/keys/{keyid}/revoke", keys.post_channel_revocation),
    Route("POST", "/v1/channels/{id}/test-reports", conformance.post_test_report),
    Route("POST", "/v1/channels/{id}/conformance", conformance.post_conformance_run, is_before_live=True),
    Route("GET", "/v1/channels/{id}/conformance/{run}", conformance.get_conformance_run, is_before_live=True),
    Route("POST", "/v1/channels/{id}/conformance/{run}/practice", conformance.post_practice_order, is_before_live=True),
    Route("POST", "/v1/channels/{id}/conformance/{run}/conclusions", conformance.post_conclusion, is_before_live=True),
    Route(
        "POST",
        "/v1/channels/{id}/conformance/{run}/notifications",
        conformance.post_test_notifications,
        is_before_live=True,
    ),
)
