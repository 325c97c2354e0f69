"""One line of the table of routes."""

import msgspec

from engine.web.boundary import Handler


class Route(msgspec.Struct, frozen=True):
    """One path. A money route's replay is harmless, so it does not wait for other processes' nonces. An upload's body
    is read as it comes.
    """

    method: str
    path: str
    handler: Handler
    is_signed: bool = True
    is_money: bool = False
    is_upload: bool = False
