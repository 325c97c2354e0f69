"""Routes of passkeys."""

from engine.core.channels import Product
from engine.web.passkeys import handlers, page
from engine.web.route import Route

PASSKEYS_ROUTES: tuple[Route, ...] = (
    Route("POST", "/v1/identity/passkeys", handlers.post_passkey, product=Product.IDENTITY),
    Route("GET", "/v1/identity/passkeys", handlers.get_passkeys),
    Route(
        "POST",
        "/v1/identity/passkeys/registration-options",
        handlers.post_registration_options,
        product=Product.IDENTITY,
    ),
    Route("POST", "/v1/identity/passkeys/assertion-options", handlers.post_assertion_options, product=Product.IDENTITY),
    Route("POST", "/v1/identity/passkeys/links", handlers.post_passkey_link, product=Product.IDENTITY),
    Route("POST", "/v1/identity/passkeys/{id}/revoke", handlers.post_passkey_revocation),
)
PASSKEYS_PAGE_ROUTES: tuple[Route, ...] = (
    Route("GET", "/q/k/{token}", page.get_page, is_signed=False),
    Route("POST", "/q/k/{token}", page.post_answer, is_signed=False),
    Route("GET", "/q/passkey.js", page.get_script, is_signed=False),
)
"""For people with a browser: how they work inside is no part of the contract."""
