"""Makes the planned purchases, and holds what comes of each against its plan."""

import asyncio
from collections.abc import Callable, Iterator, Sequence

from engine.client import Refused, bill_request
from engine.sandbox.city_gates import CityGates
from engine.sandbox.purchases import PLANS, Flavour, Purchase, is_ride
from engine.sandbox.tally import NO_MISTAKE, Tally
from engine.sandbox.wallet import Wallets
from engine.sandbox.ways_to_pay import Bought, LetGo, Till, TurnedAway, WaysToPay
from engine.web.wire import PaymentView


class Shopper:
    """Carries out purchases."""

    def __init__(
        self,
        tills: Sequence[Till],
        ways: WaysToPay,
        gates: CityGates,
        wallets: Wallets,
        tally: Tally,
        *,
        run: str,
    ) -> None:
        """*run* goes into every order number, so that a second run has orders of its own."""
        self._tills = tills
        self._ways = ways
        self._gates = gates
        self._wallets = wallets
        self._run = run
        self.tally = tally

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
            await self._buy(purchase, f"{self._run}-{purchase.number}")
        except LetGo:
            self.tally.let_go += 1
            return
        except (Refused, TurnedAway) as refused:
            refusal = refused.problem.code if isinstance(refused, Refused) else str(refused)
            self.tally.refusals[refusal] += 1
        planned = plan.refusal.slug if plan.refusal is not None else None
        if refusal != planned and refusal not in NO_MISTAKE:
            self.tally.surprises.append(f"{purchase.flavour} by {purchase.mode.name} ended as {refusal or 'paid'}")

    async def _buy(self, purchase: Purchase, order_no: str) -> None:
        """Make one purchase.

        Raises:
            LetGo: its cardholder did not confirm.
            Refused: the engine said no, to its only request or to the second one.
            TurnedAway: a page did.
        """
        if is_ride(purchase):
            await self._gates.ride(purchase, order_no)
            return
        client = self._tills[purchase.merchant].client
        bought = await self._ways.pay(purchase, order_no)
        payment = bought.payment
        if payment.status == "awaiting_user":
            payment = await self._ways.confirmed(purchase, payment)
        match purchase.flavour:
            case Flavour.VOID:
                await client.void(payment.id)
                return
            case Flavour.AUTHORIZE_THEN_CAPTURE:
                payment = await client.capture(payment.id)
            case Flavour.PARTIAL_CAPTURE:
                assert purchase.part_fen is not None
                payment = await client.capture(payment.id, amount=max(1, purchase.part_fen))
            case Flavour.DEPOSIT:
                assert purchase.bill is not None
                await self._ways.raised(purchase, payment)
                payment = await client.capture(payment.id, bill=bill_request(purchase.bill))
            case _:
                pass
        self.tally.count_captured(payment)
        await self._go_on(purchase, order_no, bought, payment)

    async def _go_on(self, purchase: Purchase, order_no: str, bought: Bought, payment: PaymentView) -> None:
        """What happens to a payment once it is captured."""
        match purchase.flavour:
            case Flavour.REPEATED:
                again = await self._ways.repeat(purchase, order_no, bought)
                if again != bought.payment:
                    self.tally.surprises.append(f"{order_no} was answered differently the second time")
            case Flavour.REUSED_CODE:
                await self._ways.send(purchase, f"{order_no}-2", code=bought.code)
            case Flavour.REPEATED_ORDER:
                await self._ways.send(purchase, order_no, code=self._wallets.code(purchase))
            case Flavour.REFUND_FULL:
                await self._refund(purchase, payment, payment.captured_amount)
            case Flavour.REFUND_PARTIAL:
                # What the funds paid of a bill is given back with all the rest, or not at all.
                own = sum(tender.amount for tender in payment.tenders if tender.kind != "pool_fund")
                await self._refund(purchase, payment, max(1, min(purchase.part_fen or 0, own)))
            case _:
                pass

    async def _refund(self, purchase: Purchase, payment: PaymentView, amount: int) -> None:
        await self._tills[purchase.merchant].client.refund(payment.id, refund_no="R1", amount=amount)
        self.tally.refunded_fen += amount
