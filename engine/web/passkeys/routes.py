"""Routes of passkeys."""

from engine.web.route import Route

PASSKEYS_ROUTES: tuple[Route, ...] = ()
