"""The routes: every path of the engine, in one table."""

import msgspec
from aiohttp import web

from engine.web import banks, cards, docs, meta, payments, sandbox
from engine.web.boundary import BODY_BYTES_MAX, Handler, bounded, signed
from engine.web.node import NODE, Node


class Route(msgspec.Struct, frozen=True):
    """One path. A money route's replay is harmless, so it does not wait for other processes' nonces."""

    method: str
    path: str
    handler: Handler
    is_signed: bool = True
    is_money: bool = False


ROUTES: tuple[Route, ...] = (
    Route("POST", "/v1/payments", payments.post_payment, is_money=True),
    Route("GET", "/v1/payments", payments.get_payments),
    Route("POST", "/v1/payments/cancel", payments.post_cancel, is_money=True),
    Route("GET", "/v1/payments/{id}", payments.get_payment),
    Route("POST", "/v1/payments/{id}/capture", payments.post_capture, is_money=True),
    Route("POST", "/v1/payments/{id}/void", payments.post_void, is_money=True),
    Route("POST", "/v1/payments/{id}/refunds", payments.post_refund, is_money=True),
    Route("GET", "/v1/payments/{id}/refunds", payments.get_refunds),
    Route("POST", "/v1/cards/{id}/loss-report", cards.post_loss_report, is_money=True),
    Route("POST", "/v1/cards/{id}/reinstate", cards.post_reinstate, is_money=True),
    Route("GET", "/v1/clearing/files", banks.get_files),
    Route("GET", "/v1/clearing/files/{name}", banks.get_file),
    Route("GET", "/v1/clearing/positions", banks.get_positions),
    Route("GET", "/v1/keys", meta.get_keys, is_signed=False),
    Route("GET", "/healthz", meta.get_healthz, is_signed=False),
    Route("GET", "/readyz", meta.get_readyz, is_signed=False),
    Route("GET", "/metrics", meta.get_metrics, is_signed=False),
    Route("GET", "/openapi.json", meta.get_openapi, is_signed=False),
    Route("GET", "/docs", docs.get_docs, is_signed=False),
    Route("GET", "/docs/{file}", docs.get_docs_file, is_signed=False),
    Route("GET", "/problems/{slug}", meta.get_problem, is_signed=False),
)
SANDBOX_ROUTES: tuple[Route, ...] = (
    Route("GET", r"/v1/cards/{id}/pay-code.{extension:svg|png}", cards.get_pay_code),
    Route("POST", "/v1/sandbox/clock", sandbox.post_clock),
    Route("GET", "/v1/sandbox/clock", sandbox.get_clock),
)


def build_app(node: Node) -> web.Application:
    """The application that serves *node*; the sandbox's paths exist only in the sandbox."""
    app = web.Application(client_max_size=BODY_BYTES_MAX)
    app[NODE] = node
    for route in ROUTES + (SANDBOX_ROUTES if node.sandbox_time is not None else ()):
        handler = signed(route.handler, is_money=route.is_money) if route.is_signed else route.handler
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
