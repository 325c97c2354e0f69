"""One line of the table of routes."""

import msgspec

from engine.core.channels import Product
from engine.web.boundary import Handler


class Route(msgspec.Struct, frozen=True):
    """One path. A money route's replay is harmless, so it does not wait for other processes' nonces. An upload's body
    is read as it comes. `product` is what a channel that calls must have been granted, and not be stopped for; before
    it is live it reaches only what is said to be for then.
    """

    method: str
    path: str
    handler: Handler
    is_signed: bool = True
    is_money: bool = False
    is_upload: bool = False
    product: Product | None = None
    is_before_live: bool = False
