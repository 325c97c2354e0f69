"""Routes of login by QR code, and OpenID Connect."""

from engine.web.route import Route

LOGIN_ROUTES: tuple[Route, ...] = ()
