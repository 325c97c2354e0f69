"""Routes of consents of persons and grants of departments and channels."""

from engine.web.consents import grants, handlers
from engine.web.route import Route

CONSENTS_ROUTES: tuple[Route, ...] = (
    Route("POST", "/v1/consents", handlers.post_consent),
    Route("GET", "/v1/consents", handlers.get_consents),
    Route("POST", "/v1/consents/{id}/withdraw", handlers.post_consent_withdrawal),
    Route("POST", "/v1/grants", grants.post_grant),
    Route("GET", "/v1/grants", grants.get_grants),
    Route("GET", "/v1/grants/{id}", grants.get_grant),
    Route("POST", "/v1/grants/{id}/revoke", grants.post_grant_revocation),
)
