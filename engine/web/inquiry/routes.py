"""Routes of inquiry: the seven topics."""

from engine.web.route import Route

INQUIRY_ROUTES: tuple[Route, ...] = ()
