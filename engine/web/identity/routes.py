"""Routes of verification, admission by a shown code, and certification of eligibility."""

from engine.web.route import Route

IDENTITY_ROUTES: tuple[Route, ...] = ()
