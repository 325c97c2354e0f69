"""Makes the planned purchases over signed HTTP, as the tills of the sample city would."""

import asyncio
import base64
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from engine.client import EngineClient, Refused
from engine.codes.pay_code import STEP_S, pay_code_at
from engine.core.refusals import Refusal
from engine.flows.clock import Clock
from engine.sandbox.load import SandboxCard
from engine.sandbox.purchases import PLANS, Flavour, Purchase

FOREIGN_CODE: Final = "134567890123456789"  # eighteen digits of another wallet
_LATE_S: Final = 3 * STEP_S  # a code that old is genuine and expired


class Tally(msgspec.Struct, kw_only=True):
    """What came of the purchases. Units: fen."""

    purchases: int = 0
    captured: int = 0
    captured_fen: int = 0
    refunded_fen: int = 0
    refusals: Counter[str] = msgspec.field(default_factory=Counter)
    surprises: list[str] = []
    """Purchases that did not end as planned, though the payer had the money."""


class Till(msgspec.Struct, frozen=True):
    """A merchant's connection."""

    client: EngineClient
    merchant_name: str


class Shopper:
    """Carries out purchases; each card's codes differ by their refresh digit, as a phone's do."""

    def __init__(self, tills: Sequence[Till], cards: Mapping[int, SandboxCard], clock: Clock, *, run: str) -> None:
        """*run* goes into every order number, so that a second run has orders of its own."""
        self._tills = tills
        self._cards = cards
        self._clock = clock
        self._run = run
        self._refreshes: Counter[int] = Counter()
        self.tally = Tally()

    async def shop(
        self, plans: Iterator[Purchase], *, until_captured: int, at_once: int, progress: Callable[[int], None]
    ) -> None:
        """Make purchases from *plans* until enough are captured. *progress* is told how many are.

        Raises:
            Unreachable: the engine does not answer.
        """

        async def shop_on() -> None:
            for purchase in plans:
                await self._make(purchase)
                progress(self.tally.captured)
                if self.tally.captured >= until_captured:
                    return

        async with asyncio.TaskGroup() as tasks:
            for _ in range(at_once):
                tasks.create_task(shop_on())

    async def _make(self, purchase: Purchase) -> None:
        plan = PLANS[purchase.flavour]
        self.tally.purchases += 1
        refusal = None
        try:
            is_captured = await self._pay(purchase)
        except Refused as refused:
            refusal = refused.problem.code
            is_captured = plan.is_captured and plan.refusal is not None and refusal == plan.refusal.slug
            self.tally.refusals[refusal] += 1
        if is_captured:
            self.tally.captured += 1
            self.tally.captured_fen += purchase.amount_fen
        planned = plan.refusal.slug if plan.refusal is not None else None
        # A card that an earlier run has emptied is short of money; everything else is as planned or a mistake.
        if refusal != planned and refusal != "insufficient-funds":
            self.tally.surprises.append(f"{purchase.flavour} ended as {refusal or 'paid'}")

    async def _pay(self, purchase: Purchase) -> bool:
        """Make one purchase. True if a payment of it was captured."""
        client = self._tills[purchase.merchant].client
        order_no = f"{self._run}-{purchase.number}"
        capture = purchase.flavour not in _HELD_FIRST
        payment, code, key = await self._first(client, purchase, order_no=order_no, capture=capture)
        match purchase.flavour:
            case Flavour.REPEATED:
                again = await self._send(client, purchase, order_no=order_no, code=code, capture=True, key=key)
                if again != payment:
                    self.tally.surprises.append(f"{order_no} was answered differently the second time")
            case Flavour.AUTHORIZE_THEN_CAPTURE:
                await client.capture(payment)
            case Flavour.PARTIAL_CAPTURE:
                assert purchase.part_fen is not None
                await client.capture(payment, amount=max(1, purchase.part_fen))
            case Flavour.VOID:
                await client.void(payment)
                return False
            case Flavour.REFUND_FULL | Flavour.REFUND_PARTIAL:
                amount = max(1, purchase.part_fen or purchase.amount_fen)
                await client.refund(payment, refund_no="R1", amount=amount)
                self.tally.refunded_fen += amount
            case Flavour.REUSED_CODE:
                await self._send(client, purchase, order_no=f"{order_no}-2", code=code, capture=True, key=f"{key}-2")
            case Flavour.REPEATED_ORDER:
                fresh = self._code(purchase)
                await self._send(client, purchase, order_no=order_no, code=fresh, capture=True, key=f"{key}-2")
            case _:
                pass
        return True

    async def _first(
        self, client: EngineClient, purchase: Purchase, *, order_no: str, capture: bool
    ) -> tuple[str, str, str]:
        """Pay with the code that the phone shows; one that an earlier run has just used is refreshed, as people do.

        Returns the payment, the code and the key.
        """
        for attempt in range(_REFRESHES_MAX):
            code, key = self._code(purchase), f"{order_no}-pay-{attempt}"
            try:
                payment = await self._send(client, purchase, order_no=order_no, code=code, capture=capture, key=key)
            except Refused as refused:
                if refused.problem.code != Refusal.PAY_CODE_USED.slug or attempt == _REFRESHES_MAX - 1:
                    raise
            else:
                return payment, code, key
        raise AssertionError("the last attempt is answered or refused")

    async def _send(
        self, client: EngineClient, purchase: Purchase, *, order_no: str, code: str, capture: bool, key: str
    ) -> str:
        payment = await client.pay(
            pay_code=code,
            order_no=order_no,
            amount=purchase.amount_fen,
            scenario=purchase.scenario,
            terminal_id=purchase.terminal,
            capture=capture,
            key=key,
        )
        return payment.id

    def _code(self, purchase: Purchase) -> str:
        if purchase.flavour is Flavour.FOREIGN_CODE:
            return FOREIGN_CODE
        card = self._cards[purchase.cardholder]
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


_REFRESHES_MAX: Final = 10
_HELD_FIRST: Final = frozenset({Flavour.AUTHORIZE_THEN_CAPTURE, Flavour.PARTIAL_CAPTURE, Flavour.VOID})
