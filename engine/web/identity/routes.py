"""Routes of verification, admission by a shown code, and certification of eligibility."""

from engine.core.channels import Product
from engine.web.identity import admissions, certifications, verifications
from engine.web.route import Route

IDENTITY_ROUTES: tuple[Route, ...] = (
    Route("POST", "/v1/identity/verifications", verifications.post_verification, product=Product.IDENTITY),
    Route("POST", "/v1/identity/admissions", admissions.post_admission),
    Route("POST", "/v1/identity/beneficiaries", certifications.post_beneficiary),
    Route("GET", "/v1/identity/certifications", certifications.get_certifications, product=Product.IDENTITY),
    Route("POST", "/v1/identity/certifications", certifications.post_certification, product=Product.IDENTITY),
    Route("POST", "/v1/identity/certifications/matches", certifications.post_matches),
    Route("GET", "/v1/identity/certifications/{id}", certifications.get_certification, product=Product.IDENTITY),
)
