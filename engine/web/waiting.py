"""Waiting over HTTP: a read that is answered the moment there is something new to read."""

from typing import Final

from aiohttp import web

from engine.core.ids import PaymentId
from engine.web.body import refuse_field
from engine.web.lists import parameters
from engine.web.node import NODE

WAIT_S_MAX: Final = 30


async def wait_if_asked(request: web.Request, payment: PaymentId, wait_s: int) -> None:
    """Return once the payment is final, or *wait_s* are over, or nobody waits for the answer any more.

    Raises:
        Overloaded: too many wait already.
        Fault: the database cannot be asked.
    """
    if wait_s:
        await request.app[NODE].payment_watch.wait(payment, wait_s, is_gone=lambda: has_gone(request))


def wait_in(request: web.Request) -> int:
    """For how many seconds a read may wait: its parameter `wait`, the only one that it may have; 0 without it.

    Raises:
        Refused: another parameter, or not a whole number of seconds up to 30.
    """
    wait = parameters(request, ("wait",)).get("wait", "0")
    if not (wait.isascii() and wait.isdigit() and len(wait) <= 2 and int(wait) <= WAIT_S_MAX):
        raise refuse_field("/wait", f"0 to {WAIT_S_MAX} seconds")
    return int(wait)


def has_gone(request: web.Request) -> bool:
    """True if whoever has asked has closed the connection."""
    return request.transport is None or request.transport.is_closing()
