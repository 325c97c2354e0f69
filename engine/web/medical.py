"""Medical bills over HTTP: read strictly, and quoted before they are paid."""

import msgspec
from aiohttp import web

from engine.core.benefits import BillFault
from engine.core.ids import NO_ID, CardId, IdKind, MalformedId, MerchantId, QuoteId, id_text, parse_id
from engine.core.money import CURRENCY
from engine.core.payments import Tender, TenderKind
from engine.core.refusals import Refusal
from engine.core.scenarios import BY_NAME
from engine.flows.answer_once import Done, NotDone, Wish, answer_once
from engine.flows.authorize_payment import presented_code
from engine.flows.quote_bill import QuoteWish, Quoting, quote_bill
from engine.store.connection import AnyConnection
from engine.store.quotes import Quote, insert_quote, load_quote
from engine.web.body import Refused, read_body, refuse_field
from engine.web.boundary import ARRIVED_S, BODY, idempotency_key
from engine.web.guesses import count_guess, refuse_guesser
from engine.web.lists import no_parameters
from engine.web.medical_bill import bill_in
from engine.web.node import NODE, Node
from engine.web.operator_requests import done_response
from engine.web.payments import merchant_of
from engine.web.problems import PROBLEMS, FieldError
from engine.web.render import encode_json, split_view
from engine.web.wire import TENDER_NAMES
from engine.web.wire_medical import QuoteRequest, QuoteTenderView, QuoteView


async def card_presented(node: Node, card_no: str) -> CardId:
    """The card of a number that was read; sixteen zeros if there is none, which the ledger then says."""
    return await node.card_numbers.card_of(card_no) or CardId(NO_ID)


async def quote_named(node: Node, text: str, merchant: MerchantId) -> Quote:
    """The merchant's own pre-settlement.

    Raises:
        Refused: there is none.
    """
    try:
        quote = await load_quote(node.pool, QuoteId(parse_id(text, IdKind.QUOTE)), merchant)
    except MalformedId:
        quote = None
    if quote is None:
        raise Refused(Refusal.NOT_FOUND, (FieldError("/quote_id", "no pre-settlement of yours"),))
    return quote


async def post_quote(request: web.Request) -> web.Response:
    """`POST /v1/medical/quotes`."""
    node = request.app[NODE]
    merchant = MerchantId(merchant_of(request))
    no_parameters(request)
    given = read_body(request[BODY], QuoteRequest)
    key = idempotency_key(request)
    scenario = BY_NAME.get(given.scenario)
    if scenario is None:
        raise refuse_field("/scenario", "not known")
    if TenderKind.POOL_FUND not in scenario.tenders:
        raise refuse_field("/scenario", "no insurance pays for it")
    if (given.pay_code is None) == (given.card_no is None):
        raise refuse_field("/pay_code", "either a code or a card's number")
    refuse_guesser(node, merchant, given.terminal_id)
    code = None
    if given.pay_code is not None:
        code = presented_code(given.pay_code, device_master=node.keyring.device_master, arrived_s=request[ARRIVED_S])
    wish = QuoteWish(
        merchant=merchant,
        code=code,
        card=await card_presented(node, given.card_no) if given.card_no is not None else None,
        scenario=scenario,
        terminal_id=given.terminal_id,
        bill=bill_in(given.bill),
    )

    async def work(connection: AnyConnection) -> Done | NotDone:
        quoting = await quote_bill(connection, node.rules, wish, ids=node.ids)
        if isinstance(quoting, BillFault):
            count_guess(node, merchant, given.terminal_id, quoting.refusal.value, quoting.pointer.removeprefix("/"))
            raise _refused(quoting)
        await insert_quote(connection, quoting.quote)
        return Done(201, encode_json(quote_view(quoting)))

    facts = msgspec.json.encode(_facts_of(given, wish), order="sorted")
    answer = await answer_once(
        node.pool, node.keyring, node.ids, Wish(caller=merchant, operation="quote", key=key, facts=facts), work
    )
    if isinstance(answer, NotDone):
        raise Refused(answer.refusal, tuple(FieldError(f"/{wrong.field}", wrong.reason) for wrong in answer.fields))
    return done_response(answer)


def _facts_of(given: QuoteRequest, wish: QuoteWish) -> dict[str, object]:
    """What makes two requests the same. They are kept: a card by its id, a code by its digest."""
    facts: dict[str, object] = msgspec.to_builtins(given)
    if wish.code is not None:
        facts["pay_code"] = wish.code.digest
    if wish.card is not None:
        facts["card_no"] = wish.card.hex()
    return facts


def quote_view(quoting: Quoting) -> QuoteView:
    """A pre-settlement as the wire shows it."""
    quote = quoting.quote
    return QuoteView(
        id=id_text(quote.id),
        amount=quote.split.total,
        currency=CURRENCY,
        split=split_view(quoting.claim),
        tenders=tuple(_tender_view(tender) for tender in quoting.tenders),
        created_at=quote.created_at,
        expires_at=quote.expires_at,
    )


def _tender_view(tender: Tender) -> QuoteTenderView:
    kind = TENDER_NAMES[tender.kind]
    if tender.kind is TenderKind.POOL_FUND:
        return QuoteTenderView(kind="pool_fund", fund_pay_type=str(tender.fund_pay_type), amount=tender.amount)
    return QuoteTenderView(kind=kind, amount=tender.amount)  # type: ignore[arg-type]  # a Literal from a table


def _refused(fault: BillFault) -> Refused:
    if not fault.pointer:
        return Refused(fault.refusal)
    return Refused(fault.refusal, (FieldError(fault.pointer, fault.reason or PROBLEMS[fault.refusal].en),))
