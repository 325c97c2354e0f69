"""Routes of consents of persons and grants of departments and channels."""

from engine.web.route import Route

CONSENTS_ROUTES: tuple[Route, ...] = ()
