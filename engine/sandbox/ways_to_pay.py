"""The ways in which the sample city pays, over HTTP: at a till, with the card, in an app, and on an order's page."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, TypeVar

import aiohttp
import msgspec

from engine.client import EngineClient, Refused, bill_request
from engine.core.payments import Mode
from engine.core.refusals import Refusal
from engine.sandbox.cashier_visitor import pay_on_page
from engine.sandbox.purchases import BY_ORDER, HELD_FIRST, Consent, Flavour, Purchase
from engine.sandbox.tally import Tally
from engine.sandbox.wallet import Wallets
from engine.web.wire import PaymentView

T = TypeVar("T")

TRIES_MAX: Final = 10
_TRIED_AGAIN: Final = frozenset({Refusal.PAY_CODE_USED.slug, Refusal.PRESETTLEMENT_CHANGED.slug})
"""An earlier run has just used the code, or another bill of the same person came first: people try once more."""


class Till(msgspec.Struct, frozen=True):
    """A merchant's connection."""

    client: EngineClient
    merchant_name: str
    merchant_id: str


class Bought(msgspec.Struct, frozen=True):
    """A payment as it was answered, and how it was asked for. *code* is empty where no till has scanned one."""

    payment: PaymentView
    code: str = ""
    quote_id: str | None = None
    key: str = ""


class TurnedAway(Exception):
    """A page has said no; the message is the refusal's code."""


class LetGo(Exception):
    """The cardholder has not confirmed, and the cashier has let the payment go."""


class WaysToPay:
    """Pays for planned purchases."""

    def __init__(
        self,
        tills: Sequence[Till],
        apps: Mapping[int, EngineClient],
        browser: aiohttp.ClientSession,
        wallets: Wallets,
        tally: Tally,
    ) -> None:
        """*tills* and *apps* by the places of merchant and cardholder in the city's order."""
        self._tills = tills
        self._apps = apps
        self._browser = browser
        self._wallets = wallets
        self._tally = tally

    async def pay(self, purchase: Purchase, order_no: str) -> Bought:
        """Pay in the purchase's way. The payment may wait for its cardholder then.

        Raises:
            Refused: the engine said no.
            TurnedAway: it said so on a page.
        """
        match purchase.mode:
            case Mode.SHOW_CODE:
                return await _tried(lambda n: self._by_code(purchase, order_no, key=f"{order_no}-pay-{n}"))
            case Mode.CARD_READ:
                return await _tried(lambda _: self._by_card(purchase, order_no))
            case Mode.SCAN_ORDER:
                return await self._in_app(purchase, order_no)
            case Mode.CASHIER:
                return await _tried(lambda _: self._on_page(purchase, order_no))

    async def repeat(self, purchase: Purchase, order_no: str, bought: Bought) -> PaymentView:
        """What the till is answered when it sends the same request again."""
        return await self._send(purchase, order_no, pay_code=bought.code, quote_id=bought.quote_id, key=bought.key)

    async def send(self, purchase: Purchase, order_no: str, *, code: str) -> PaymentView:
        """What the till sends, once, when it has scanned a code."""
        return await self._send(purchase, order_no, pay_code=code)

    async def confirmed(self, purchase: Purchase, payment: PaymentView) -> PaymentView:
        """The payment, once its cardholder has entered the password: at the terminal, or in the app.

        Raises:
            LetGo: the cardholder has not.
        """
        till = self._tills[purchase.merchant].client
        if purchase.consent is Consent.WITHHELD:
            await till.void(payment.id)
            raise LetGo
        client = self._apps[purchase.cardholder] if purchase.mode in BY_ORDER else till

        async def typed(*, is_mistyped: bool) -> PaymentView:
            block = self._wallets.block_for_payment(purchase, payment.id, is_mistyped=is_mistyped)
            return await client.confirm(payment.id, password_block=block)

        return await self._typed(purchase, typed)

    async def raised(self, purchase: Purchase, payment: PaymentView) -> PaymentView:
        """The deposit of a stay with what was added to it."""
        client = self._tills[purchase.merchant].client
        assert purchase.part_fen is not None
        amount = purchase.part_fen

        async def scanned(_: int) -> PaymentView:
            return await client.raise_deposit(payment.id, pay_code=self._wallets.code(purchase), amount=amount)

        return await _tried(scanned)

    async def _by_code(self, purchase: Purchase, order_no: str, *, key: str) -> Bought:
        code = self._wallets.code(purchase)
        quote_id = await self._quoted(purchase, pay_code=code) if purchase.is_quoted else None
        payment = await self._send(purchase, order_no, pay_code=code, quote_id=quote_id, key=key)
        return Bought(payment, code, quote_id, key)

    async def _by_card(self, purchase: Purchase, order_no: str) -> Bought:
        card_no = self._wallets.card(purchase).card_no
        quote_id = await self._quoted(purchase, card_no=card_no) if purchase.is_quoted else None
        merchant_id = self._tills[purchase.merchant].merchant_id

        async def typed(*, is_mistyped: bool) -> PaymentView:
            block = self._wallets.block_for_order(purchase, order_no, merchant_id, is_mistyped=is_mistyped)
            return await self._send(purchase, order_no, card_no=card_no, password_block=block, quote_id=quote_id)

        return Bought(await self._typed(purchase, typed))

    async def _in_app(self, purchase: Purchase, order_no: str) -> Bought:
        """The merchant shows the order, the app scans it and shows what it comes to, the cardholder agrees."""
        till, app = self._tills[purchase.merchant].client, self._apps[purchase.cardholder]
        order = await till.show_order(
            order_no=order_no,
            amount=purchase.amount_fen,
            scenario=purchase.scenario,
            terminal_id=purchase.terminal,
        )
        shown = await app.look_up_order(order.qr_text)
        card = self._wallets.card(purchase)
        return Bought(await app.pay_order(shown.token, card_id=card.id, amount=shown.amount))

    async def _on_page(self, purchase: Purchase, order_no: str) -> Bought:
        """The cardholder opens the order's link and enters a code; the merchant sees what came of it."""
        till = self._tills[purchase.merchant].client
        order = await till.show_order(
            order_no=order_no,
            amount=purchase.amount_fen,
            scenario=purchase.scenario,
            terminal_id=purchase.terminal,
        )
        code = self._wallets.code(purchase)
        refusal = await pay_on_page(self._browser, order.cashier_url, pay_code=code, amount=order.amount)
        if refusal == Refusal.TOO_MANY_ATTEMPTS.slug:  # all the city's browsers are at one address
            return Bought(await self._send(purchase, order_no, pay_code=code))
        if refusal is not None:
            raise TurnedAway(refusal)
        paid = (await till.order(order.id)).payment
        if not isinstance(paid, PaymentView):
            raise TurnedAway("not-paid")
        return Bought(paid)

    async def _typed(self, purchase: Purchase, typed: Callable[..., Awaitable[PaymentView]]) -> PaymentView:
        """What came of the password, which some have to type twice."""
        if purchase.consent is Consent.MISTYPED:
            try:
                await typed(is_mistyped=True)
            except Refused as refused:
                if refused.problem.code != Refusal.PASSWORD_INCORRECT.slug:
                    raise
                self._tally.refusals[refused.problem.code] += 1
            else:
                self._tally.surprises.append("a wrong password was taken for right")
        payment = await typed(is_mistyped=False)
        self._tally.confirmed += 1
        return payment

    async def _quoted(self, purchase: Purchase, *, pay_code: str | None = None, card_no: str | None = None) -> str:
        assert purchase.bill is not None
        quote = await self._tills[purchase.merchant].client.quote(
            scenario=purchase.scenario,
            terminal_id=purchase.terminal,
            bill=bill_request(purchase.bill),
            pay_code=pay_code,
            card_no=card_no,
        )
        self._tally.quoted += 1
        return quote.id

    async def _send(
        self,
        purchase: Purchase,
        order_no: str,
        *,
        pay_code: str | None = None,
        card_no: str | None = None,
        password_block: str | None = None,
        quote_id: str | None = None,
        key: str | None = None,
    ) -> PaymentView:
        has_bill = purchase.bill is not None and quote_id is None and purchase.flavour is not Flavour.DEPOSIT
        return await self._tills[purchase.merchant].client.pay(
            pay_code=pay_code,
            card_no=card_no,
            password_block=password_block,
            order_no=order_no,
            amount=purchase.amount_fen,
            scenario=purchase.scenario,
            terminal_id=purchase.terminal,
            bill=bill_request(purchase.bill) if has_bill and purchase.bill is not None else None,
            quote_id=quote_id,
            capture=purchase.flavour not in HELD_FIRST,
            key=key,
        )


async def _tried(attempt: Callable[[int], Awaitable[T]]) -> T:
    """What *attempt* comes to. A code that an earlier run has just used is refreshed, and a bill settled anew."""
    for n in range(TRIES_MAX - 1):
        try:
            return await attempt(n)
        except Refused as refused:
            if refused.problem.code not in _TRIED_AGAIN:
                raise
        except TurnedAway as turned_away:
            if str(turned_away) not in _TRIED_AGAIN:
                raise
    return await attempt(TRIES_MAX - 1)
