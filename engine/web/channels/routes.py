"""Routes of channels: admission, conformance, what they may do, and what stops them."""

from engine.web.route import Route

CHANNELS_ROUTES: tuple[Route, ...] = ()
