"""What a cardholder of the sample city has at hand: a phone that shows codes, the card, and the password."""

import base64
from collections import Counter
from collections.abc import Mapping
from typing import Final

from engine.client import PasswordSealer
from engine.codes.pay_code import STEP_S, pay_code_at
from engine.flows.clock import Clock
from engine.sandbox.load import SandboxCard
from engine.sandbox.purchases import Flavour, Purchase

FOREIGN_CODE: Final = "134567890123456789"  # eighteen digits of another wallet
_LATE_S: Final = 3 * STEP_S  # a code that old is genuine and expired


class Wallets:
    """Everybody's; each card's codes differ by their refresh digit, as a phone's do."""

    def __init__(self, cards: Mapping[int, SandboxCard], clock: Clock, sealer: PasswordSealer) -> None:
        """*cards* by their place in the city's order."""
        self._cards = cards
        self._clock = clock
        self._sealer = sealer
        self._refreshes: Counter[int] = Counter()

    def card(self, purchase: Purchase) -> SandboxCard:
        """The buyer's card."""
        return self._cards[purchase.cardholder]

    def code(self, purchase: Purchase) -> str:
        """What the buyer shows, which is no good code where the purchase's flavour says so."""
        if purchase.flavour is Flavour.FOREIGN_CODE:
            return FOREIGN_CODE
        card = self.card(purchase)
        device_no = int(card.device_no)
        key = base64.b64decode(card.totp_key)
        if purchase.flavour is Flavour.WRONG_CODE:
            key = key[::-1]
        refresh = self._refreshes[device_no] % 10
        self._refreshes[device_no] += 1
        at_s = self._clock.business_s() - (_LATE_S if purchase.flavour is Flavour.EXPIRED_CODE else 0)
        code = pay_code_at(key, device_no, refresh, at_s)
        if purchase.flavour is Flavour.BAD_CODE:
            return code[:-1] + str((int(code[-1]) + 1) % 10)
        return code

    def block_for_payment(self, purchase: Purchase, payment_id: str, *, is_mistyped: bool) -> str:
        """The password, sealed for a payment that waits for it."""
        return self._sealer.seal(self._typed(purchase, is_mistyped=is_mistyped), payment_id=payment_id)

    def block_for_order(self, purchase: Purchase, order_no: str, merchant_id: str, *, is_mistyped: bool) -> str:
        """The password, sealed for one order of one merchant, at whose terminal the card is read."""
        typed = self._typed(purchase, is_mistyped=is_mistyped)
        return self._sealer.seal(typed, order_no=order_no, merchant_id=merchant_id)

    def _typed(self, purchase: Purchase, *, is_mistyped: bool) -> str:
        password = self.card(purchase).password
        return password[:-1] + str((int(password[-1]) + 1) % 10) if is_mistyped else password
