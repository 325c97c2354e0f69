"""Routes of the audit trail, and the keys of personal data."""

from engine.web.audit.personal_data import get_personal_data, post_erase
from engine.web.audit.trail import get_audit
from engine.web.route import Route

AUDIT_ROUTES: tuple[Route, ...] = (
    Route("GET", "/v1/audit", get_audit),
    Route("GET", "/v1/cards/{id}/personal-data", get_personal_data),
    Route("POST", "/v1/cards/{id}/erase", post_erase),
)
