"""Pre-settlement: a medical bill of whoever presents a code or card becomes a split, good for ten minutes."""

from datetime import timedelta
from typing import Final

import msgspec

from engine.core.authorization import why_not_presented
from engine.core.benefits import BillFault, MedicalBill
from engine.core.books import Books
from engine.core.claims import settle_bill
from engine.core.commands import Authorize, PresentedCode
from engine.core.ids import NO_ID, CallerId, CardId, IdKind, MerchantId, PaymentId, QuoteId, region_of
from engine.core.payments import Claim, Mode, Tender
from engine.core.scenarios import Scenario
from engine.core.tenders import shown_tenders
from engine.flows.clock import IdSource
from engine.ledger.preview import seen_now
from engine.store.connection import AnyConnection
from engine.store.quotes import Quote
from engine.store.rules import RulesShelf

QUOTE_LIVES: Final = timedelta(minutes=10)


class QuoteWish(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for."""

    merchant: MerchantId
    code: PresentedCode | None
    card: CardId | None
    scenario: Scenario
    terminal_id: str
    bill: MedicalBill


class Quoting(msgspec.Struct, frozen=True, kw_only=True):
    """A pre-settlement, and what would pay it."""

    quote: Quote
    claim: Claim
    tenders: tuple[Tender, ...]


async def quote_bill(
    connection: AnyConnection, shelf: RulesShelf, wish: QuoteWish, *, ids: IdSource
) -> Quoting | BillFault:
    """Split a bill as it would be split now. Nothing is posted, held or used; the code stays good.

    Raises:
        Fault: the database cannot answer.
    """
    command = Authorize(
        caller=CallerId(wish.merchant),
        key=None,
        payment=PaymentId(NO_ID),
        merchant=wish.merchant,
        mode=Mode.SHOW_CODE if wish.code is not None else Mode.CARD_READ,
        code=wish.code,
        card=wish.card,
        order_no="$quote",
        amount=1,
        scenario=wish.scenario.number,
        terminal_id=wish.terminal_id,
        capture=True,
        hold_s=0,
        description=None,
        bill=wish.bill,
    )
    books = Books(await seen_now(connection, shelf, command))
    payer = why_not_presented(books, command)
    if isinstance(payer, BillFault):
        return payer
    merchant = books.seen.merchants[wish.merchant]
    settled = settle_bill(books, payer, merchant, wish.bill, amount=None, quoted=None)
    if isinstance(settled, BillFault):
        return settled
    quote = Quote(
        id=QuoteId(ids.new(IdKind.QUOTE, shard=0, region=region_of(wish.merchant))),
        merchant=wish.merchant,
        payer=payer.id,
        scenario=wish.scenario.number,
        bill=wish.bill,
        split=settled.split,
        created_at=books.now,
        expires_at=books.now + QUOTE_LIVES,
    )
    return Quoting(quote=quote, claim=settled.claim, tenders=shown_tenders(books, payer, wish.scenario, settled.split))
