"""Routes of the audit trail, and the keys of personal data."""

from engine.web.route import Route

AUDIT_ROUTES: tuple[Route, ...] = ()
