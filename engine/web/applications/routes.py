"""Routes of applications to offices and banks."""

from engine.core.channels import Product
from engine.web.applications import files, handlers, offices
from engine.web.route import Route

APPLICATIONS_ROUTES: tuple[Route, ...] = (
    Route("GET", "/v1/applications/items", handlers.get_application_items),
    Route("GET", "/v1/applications/items/{item}", handlers.get_application_form),
    Route("GET", "/v1/applications/offices", offices.get_offices),
    Route("POST", "/v1/applications/offices", offices.post_office),
    Route("POST", "/v1/applications/offices/close", offices.post_office_closure),
    Route("POST", "/v1/applications", handlers.post_application, product=Product.APPLICATIONS),
    Route("GET", "/v1/applications", handlers.get_applications, product=Product.APPLICATIONS),
    Route("GET", "/v1/applications/{id}", handlers.get_application, product=Product.APPLICATIONS),
    Route("POST", "/v1/applications/{id}/form", handlers.post_application_form, product=Product.APPLICATIONS),
    Route(
        "POST",
        "/v1/applications/{id}/attachments",
        files.post_attachment,
        is_upload=True,
        product=Product.APPLICATIONS,
    ),
    Route("GET", "/v1/applications/{id}/attachments/{digest}", files.get_attachment, product=Product.APPLICATIONS),
    Route("POST", "/v1/applications/{id}/submit", handlers.post_submission, product=Product.APPLICATIONS),
    Route("POST", "/v1/applications/{id}/withdraw", handlers.post_application_withdrawal, product=Product.APPLICATIONS),
    Route(
        "POST",
        "/v1/applications/{id}/{move:accept|review|need-more-info|approve|reject|archive}",
        handlers.post_office_move,
    ),
)
