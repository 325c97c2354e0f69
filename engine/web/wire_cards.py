"""What goes over the wire about cards: their passwords, and what their holders have chosen."""

from typing import Literal

import msgspec

from engine.core.payer import TenderOrder
from engine.web.wire import PasswordBlockText

ORDERS = {order.name.lower(): order for order in TenderOrder}


class PasswordRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Set a card's password."""

    new_password_block: PasswordBlockText
    password_block: PasswordBlockText | None = None


class SettingsRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Take what a cardholder has chosen. Units: fen."""

    no_password_up_to: Literal[0, 20_000, 50_000, 80_000, 100_000, 200_000] | None = None
    tender_order: Literal["personal_account_first", "bank_card_only", "personal_account_only"] | None = None
