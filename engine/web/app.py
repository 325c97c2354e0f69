"""The routes: every path of the engine, in one table."""

from aiohttp import web

from engine.core.channels import Product
from engine.web import (
    approvals,
    banks,
    bills,
    bulk,
    card_register,
    card_settings,
    card_signs,
    cards,
    cases,
    cashier_page,
    confirmations,
    corrections,
    cycles,
    disbursements,
    docs,
    medical,
    meta,
    new_payments,
    orders,
    participant_keys,
    participants,
    payments,
    reconciliations,
    regions,
    returns,
    risk,
    sandbox,
    statements,
    terminal_keys,
    timelines,
    uploads,
    webhooks,
)
from engine.web.applications.routes import APPLICATIONS_ROUTES
from engine.web.audit.routes import AUDIT_ROUTES
from engine.web.boundary import BODY_BYTES_MAX, bounded, signed, signed_upload
from engine.web.channels.routes import CHANNELS_ROUTES
from engine.web.consents.routes import CONSENTS_ROUTES
from engine.web.identity.routes import IDENTITY_ROUTES
from engine.web.inquiry.routes import INQUIRY_ROUTES
from engine.web.login.routes import LOGIN_PAGE_ROUTES, LOGIN_ROUTES
from engine.web.node import NODE, Node
from engine.web.passkeys.routes import PASSKEYS_PAGE_ROUTES, PASSKEYS_ROUTES
from engine.web.route import Route
from engine.web.territory.routes import TERRITORY_ROUTES

ROUTES: tuple[Route, ...] = (
    Route("POST", "/v1/payments", new_payments.post_payment, is_money=True),
    Route("GET", "/v1/payments", payments.get_payments),
    Route("POST", "/v1/payments/cancel", payments.post_cancel, is_money=True),
    Route("POST", "/v1/payments/bulk", bulk.post_bulk, is_upload=True),
    Route("GET", "/v1/terminals/{terminal_id}/keys", terminal_keys.get_terminal_keys),
    Route("POST", "/v1/terminals/{terminal_id}/keys", terminal_keys.post_terminal_key),
    Route("POST", "/v1/terminals/{terminal_id}/keys/retire", terminal_keys.post_terminal_key_retirement),
    Route("GET", "/v1/payments/{id}", payments.get_payment),
    Route(
        "POST",
        "/v1/payments/{id}/confirmation",
        confirmations.post_confirmation,
        is_money=True,
        product=Product.PAYMENT,
    ),
    Route("POST", "/v1/payments/{id}/raise", confirmations.post_raise, is_money=True),
    Route("POST", "/v1/medical/quotes", medical.post_quote),
    Route("POST", "/v1/payments/{id}/capture", payments.post_capture, is_money=True),
    Route("POST", "/v1/payments/{id}/void", payments.post_void, is_money=True),
    Route("POST", "/v1/payments/{id}/refunds", payments.post_refund, is_money=True),
    Route("GET", "/v1/payments/{id}/refunds", payments.get_refunds),
    Route("POST", "/v1/cards/{id}/loss-report", cards.post_loss_report, is_money=True),
    Route("POST", "/v1/cards/{id}/reinstate", cards.post_reinstate, is_money=True),
    Route("POST", "/v1/cards/{id}/password", card_settings.post_password, is_money=True),
    Route("POST", "/v1/cards/{id}/settings", card_settings.post_settings, is_money=True, product=Product.PAYMENT),
    Route("POST", "/v1/cards", card_register.post_card),
    Route("POST", "/v1/cards/search", card_register.post_search, product=Product.CARDS),
    Route("POST", "/v1/cards/import", card_register.post_import, is_upload=True),
    Route("GET", "/v1/cards/{id}", card_register.get_card),
    Route("POST", "/v1/cards/{id}/suspend", card_register.post_suspend, is_money=True),
    Route("POST", "/v1/cards/{id}/resume", card_register.post_resume, is_money=True),
    Route("POST", "/v1/cards/{id}/cancel", card_register.post_cancel_card, is_money=True),
    Route("POST", "/v1/cards/{id}/replace", card_register.post_replace),
    Route("POST", "/v1/cards/{id}/signs", card_signs.post_sign, product=Product.CARDS),
    Route("POST", "/v1/cards/{id}/signs/{sign_no}/unlink", card_signs.post_unlink),
    Route("POST", "/v1/cards/{id}/level-2", card_signs.post_level_2, is_money=True, product=Product.PAYMENT),
    Route("GET", "/v1/cards/{id}/devices", card_signs.get_devices),
    Route("POST", "/v1/cards/{id}/devices", card_signs.post_device, product=Product.PAYMENT),
    Route("POST", "/v1/cards/{id}/devices/{device_no}/revoke", card_signs.post_device_revocation),
    Route("GET", "/v1/cards/{id}/relatives", card_signs.get_relatives),
    Route("POST", "/v1/cards/{id}/relatives", card_signs.post_relative, product=Product.CARDS),
    Route("POST", "/v1/cards/{id}/relatives/{relative}/revoke", card_signs.post_relative_revocation),
    Route("GET", "/v1/clearing/files", banks.get_files),
    Route("GET", "/v1/clearing/files/{name}", banks.get_file),
    Route("GET", "/v1/clearing/positions", banks.get_positions),
    Route("GET", "/v1/clearing/cycles", cycles.get_cycles),
    Route("GET", "/v1/clearing/cycles/{cycle}", cycles.get_cycle),
    Route("POST", "/v1/clearing/cycles/{cycle}/settlement", cycles.post_settlement),
    Route("POST", "/v1/clearing/caps", cycles.post_cap),
    Route("GET", "/v1/participants", participants.get_participants),
    Route("POST", "/v1/participants", participants.post_participant),
    Route("GET", "/v1/participants/{id}", participants.get_participant),
    Route("POST", "/v1/participants/{id}/changes", participants.post_change),
    Route("POST", "/v1/participants/{id}/suspend", participants.post_suspension),
    Route("POST", "/v1/participants/{id}/reinstate", participants.post_reinstatement),
    Route("GET", "/v1/participants/{id}/keys", participant_keys.get_participant_keys),
    Route("POST", "/v1/participants/{id}/keys", participant_keys.post_key),
    Route("POST", "/v1/participants/{id}/keys/rotate", participant_keys.post_rotation),
    Route("POST", "/v1/participants/{id}/keys/{keyid}/revoke", participant_keys.post_revocation),
    Route("GET", "/v1/participants/{id}/terminals", participants.get_terminals),
    Route("POST", "/v1/participants/{id}/terminals", participants.post_terminals),
    Route("POST", "/v1/participants/{id}/terminals/remove", participants.post_terminals_removal),
    Route("GET", "/v1/funds", participants.get_funds),
    Route("POST", "/v1/funds", participants.post_fund),
    Route("GET", "/v1/regions/{code}/scenarios", regions.get_region_scenarios),
    Route("POST", "/v1/regions/{code}/scenarios/{scenario}/switch-off", regions.post_switch_off),
    Route("POST", "/v1/regions/{code}/scenarios/{scenario}/switch-on", regions.post_switch_on),
    Route("GET", "/v1/approvals", approvals.get_approvals),
    Route("GET", "/v1/approvals/{id}", approvals.get_approval),
    Route("POST", "/v1/approvals/{id}/approve", approvals.post_approve),
    Route("POST", "/v1/approvals/{id}/reject", approvals.post_reject),
    Route("POST", "/v1/clearing/statements", uploads.post_statement, is_upload=True),
    Route("POST", "/v1/clearing/returns", returns.post_returns, is_upload=True),
    Route("POST", "/v1/clearing/files/{name}/acknowledgement", returns.post_acknowledgement, is_upload=True),
    Route("GET", "/v1/reconciliations", reconciliations.get_reconciliations),
    Route("GET", "/v1/reconciliations/{id}", reconciliations.get_reconciliation),
    Route("GET", "/v1/reconciliations/{id}/items", reconciliations.get_reconciliation_items),
    Route("POST", "/v1/reconciliations/{id}/items/{n}/resolution", corrections.post_resolution),
    Route("POST", "/v1/clearing/files/{name}/reissue", corrections.post_reissue),
    Route("POST", "/v1/reconciliations/{id}/items/{n}/assign", cases.post_assignment),
    Route("GET", "/v1/clearing/cases", cases.get_cases),
    Route("GET", "/v1/clearing/cases/{id}", cases.get_case),
    Route("POST", "/v1/postings", corrections.post_posting),
    Route("GET", "/v1/statements/{business_date}", statements.get_statement),
    Route("GET", "/v1/payments/{id}/timeline", timelines.get_timeline),
    Route("POST", "/v1/orders", orders.post_order),
    Route("GET", "/v1/orders", orders.get_orders),
    Route("GET", "/v1/orders/lookup", orders.get_lookup),
    Route("GET", "/v1/orders/{id}", orders.get_order),
    Route("GET", "/v1/orders/{id}/qr.svg", orders.get_order_qr),
    Route("POST", "/v1/orders/{token}/payments", orders.post_order_payment, is_money=True, product=Product.PAYMENT),
    Route("POST", "/v1/bills", bills.post_bill),
    Route("GET", "/v1/bills", bills.get_bills),
    Route("GET", "/v1/bills/{number}", bills.get_bill),
    Route("POST", "/v1/bills/{number}/withdraw", bills.post_withdrawal),
    Route("POST", "/v1/disbursements", disbursements.post_disbursement, is_upload=True),
    Route("GET", "/v1/disbursements", disbursements.get_disbursements),
    Route("GET", "/v1/disbursements/{id}", disbursements.get_disbursement),
    Route("GET", "/v1/disbursements/{id}/lines", disbursements.get_disbursement_lines),
    Route("POST", "/v1/disbursements/{id}/approval", disbursements.post_release),
    Route("POST", "/v1/disbursements/{id}/withdraw", disbursements.post_disbursement_withdrawal),
    Route("POST", "/v1/disbursements/{id}/lines/{line}/reissue", disbursements.post_reissue_line),
    Route("POST", "/v1/webhook-endpoints", webhooks.post_webhook_endpoint),
    Route("GET", "/v1/webhook-endpoints", webhooks.get_webhook_endpoints),
    Route("GET", "/v1/webhook-endpoints/{id}", webhooks.get_webhook_endpoint),
    Route("DELETE", "/v1/webhook-endpoints/{id}", webhooks.delete_webhook_endpoint),
    Route("POST", "/v1/webhook-endpoints/{id}/rotate-secret", webhooks.post_webhook_rotation),
    Route("POST", "/v1/webhook-endpoints/{id}/enable", webhooks.post_webhook_enabling),
    Route("POST", "/v1/webhook-endpoints/{id}/disable", webhooks.post_webhook_disabling),
    Route("POST", "/v1/webhook-endpoints/{id}/test", webhooks.post_webhook_test),
    Route("GET", "/v1/webhook-endpoints/{id}/messages", webhooks.get_webhook_messages),
    Route("POST", "/v1/webhook-endpoints/{id}/messages/{message}/resend", webhooks.post_webhook_resend),
    Route("GET", "/v1/risk/rules", risk.get_risk_rules),
    Route("POST", "/v1/risk/rules", risk.post_risk_rule),
    Route("GET", "/v1/risk/decisions", risk.get_risk_decisions),
    Route("GET", "/v1/risk/reviews", risk.get_risk_reviews),
    Route("POST", "/v1/risk/reviews/{payment}/release", risk.post_review_release),
    Route("POST", "/v1/risk/reviews/{payment}/reject", risk.post_review_rejection),
    *CHANNELS_ROUTES,
    *CONSENTS_ROUTES,
    *INQUIRY_ROUTES,
    *IDENTITY_ROUTES,
    *PASSKEYS_ROUTES,
    *LOGIN_ROUTES,
    *APPLICATIONS_ROUTES,
    *AUDIT_ROUTES,
    *TERRITORY_ROUTES,
    Route("GET", "/v1/keys", meta.get_keys, is_signed=False),
    Route("GET", "/healthz", meta.get_healthz, is_signed=False),
    Route("GET", "/readyz", meta.get_readyz, is_signed=False),
    Route("GET", "/metrics", meta.get_metrics, is_signed=False),
    Route("GET", "/openapi.json", meta.get_openapi, is_signed=False),
    Route("GET", "/docs", docs.get_docs, is_signed=False),
    Route("GET", "/docs/{file}", docs.get_docs_file, is_signed=False),
    Route("GET", "/problems/{slug}", meta.get_problem, is_signed=False),
)
PAGE_ROUTES: tuple[Route, ...] = (
    *LOGIN_PAGE_ROUTES,
    *PASSKEYS_PAGE_ROUTES,
    Route("GET", "/q/o/{token}", cashier_page.get_page, is_signed=False),
    Route("GET", "/q/o/{token}/status", cashier_page.get_status, is_signed=False),
    Route("POST", "/q/o/{token}/pay", cashier_page.post_pay, is_signed=False),
    Route("GET", "/q/{file}", cashier_page.get_file, is_signed=False),
)
"""For people with a browser: how they work inside is no part of the contract."""

SANDBOX_ROUTES: tuple[Route, ...] = (
    Route("GET", r"/v1/cards/{id}/pay-code.{extension:svg|png}", cards.get_pay_code),
    Route("POST", "/v1/sandbox/clock", sandbox.post_clock),
    Route("GET", "/v1/sandbox/clock", sandbox.get_clock),
)


def build_app(node: Node) -> web.Application:
    """The application that serves *node*; the sandbox's paths exist only in the sandbox."""
    app = web.Application(client_max_size=BODY_BYTES_MAX)
    app[NODE] = node
    for route in ROUTES + PAGE_ROUTES + (SANDBOX_ROUTES if node.sandbox_time is not None else ()):
        handler = route.handler
        if route.is_upload:
            handler = signed_upload(handler, product=route.product)
        elif route.is_signed:
            handler = signed(
                handler, is_money=route.is_money, product=route.product, is_before_live=route.is_before_live
            )
        resource = app.router.add_resource(route.path)
        resource.add_route(route.method, bounded(handler, route=resource.canonical))
    app.router.add_route("*", "/{path:.*}", bounded(_unrouted, route="unmatched"))
    return app


async def _unrouted(request: web.Request) -> web.StreamResponse:
    """What no route takes.

    Raises:
        HTTPMethodNotAllowed: another method would do.
        HTTPNotFound: nothing is there.
    """
    allowed: set[str] = set()
    for resource in request.app.router.resources():
        _, methods = await resource.resolve(request)
        allowed |= methods
    allowed.discard("*")
    if allowed:
        raise web.HTTPMethodNotAllowed(request.method, allowed)
    raise web.HTTPNotFound
