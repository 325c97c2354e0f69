"""Routes of login by QR code, and OpenID Connect."""

from engine.core.channels import Product
from engine.web.login import clients, page, provider, scans, tokens
from engine.web.route import Route

LOGIN_PAGE_ROUTES: tuple[Route, ...] = (
    Route("GET", "/q/l/files/{file}", page.get_login_file, is_signed=False),
    Route("GET", "/q/l/{token}", page.get_login_page, is_signed=False),
    Route("GET", "/q/l/{token}/status", page.get_login_status, is_signed=False),
)
"""For people with a browser: how they work inside is no part of the contract."""

LOGIN_ROUTES: tuple[Route, ...] = (
    Route("POST", "/v1/identity/clients", clients.post_login_client),
    Route("GET", "/v1/identity/clients", clients.get_login_clients),
    Route("GET", "/v1/identity/clients/{id}", clients.get_login_client),
    Route("POST", "/v1/identity/clients/{id}/rotate-secret", clients.post_login_client_secret),
    Route("POST", "/v1/identity/clients/{id}/enable", clients.post_login_client_enabling),
    Route("POST", "/v1/identity/clients/{id}/suspend", clients.post_login_client_suspension),
    Route("POST", "/v1/identity/logins/{token}/scan", scans.post_login_scan, product=Product.LOGIN),
    Route("POST", "/v1/identity/logins/{token}/confirm", scans.post_login_confirmation, product=Product.LOGIN),
    Route("POST", "/v1/identity/logins/{token}/cancel", scans.post_login_cancellation, product=Product.LOGIN),
    Route("GET", "/.well-known/openid-configuration", provider.get_openid_configuration, is_signed=False),
    Route("GET", "/oauth2/jwks", provider.get_login_keys, is_signed=False),
    Route("GET", "/oauth2/authorize", provider.get_authorize, is_signed=False),
    Route("POST", "/oauth2/authorize", provider.post_authorize, is_signed=False),
    Route("POST", "/oauth2/token", tokens.post_token, is_signed=False),
    Route("GET", "/oauth2/userinfo", tokens.get_userinfo, is_signed=False),
    Route("POST", "/oauth2/userinfo", tokens.post_userinfo, is_signed=False),
    Route("POST", "/oauth2/revoke", tokens.post_revocation_of_token, is_signed=False),
)
