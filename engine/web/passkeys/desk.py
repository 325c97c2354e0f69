"""The node's passkeys, as a request finds them: for whom they are made, and what time it is."""

from datetime import UTC, datetime

from aiohttp import web

from engine.core.passkeys import RelyingParty
from engine.flows.passkeys.desk import Moment, PasskeyDesk
from engine.web.card_callers import now_of
from engine.web.node import NODE


def desk_of(request: web.Request) -> PasskeyDesk:
    """The node's passkeys."""
    node = request.app[NODE]
    return PasskeyDesk(node.pool, node.keyring, node.ids, party_of(request))


def party_of(request: web.Request) -> RelyingParty:
    """Whom passkeys are made for: the node's public address, or else this machine by its name, at the port that the
    request has come to. An address in numbers would not do: browsers make passkeys for names only.
    """
    node = request.app[NODE]
    origin = node.public_url
    if not origin:
        assert request.transport is not None, "somebody has asked"
        origin = f"http://localhost:{request.transport.get_extra_info('sockname')[1]}"
    return RelyingParty(id=node.rp_id, origin=origin)


def wall_of(request: web.Request) -> datetime:
    """Wall time."""
    return datetime.fromtimestamp(request.app[NODE].clock.wall_s(), UTC)


async def moment_of(request: web.Request) -> Moment:
    """This instant, as both clocks have it."""
    return Moment(wall=wall_of(request), now=await now_of(request))
