"""Routes of applications to offices and banks."""

from engine.web.route import Route

APPLICATIONS_ROUTES: tuple[Route, ...] = ()
