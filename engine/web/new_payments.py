"""New payments over HTTP: who presents what, what the rules of risk say to it, and then the ledger decides."""

from typing import Final

from aiohttp import web

from engine.codes.password_block import BoundTo
from engine.core.commands import PasswordProof, PresentedCode, Quoted
from engine.core.ids import CardId, MerchantId, id_text
from engine.core.payments import Mode
from engine.core.refusals import Refusal
from engine.core.scenarios import BY_NAME, Scenario
from engine.flows.authorize_payment import PaymentWish, authorize_command, presented_code
from engine.ledger.preview import preview
from engine.store.quotes import card_of_device
from engine.web.body import Refused, read_body, refuse_field
from engine.web.boundary import ARRIVED_S, BODY, TRACE_ID, idempotency_key
from engine.web.dry_run import dry_run_view
from engine.web.guesses import count_guess, refuse_guesser
from engine.web.judged_payments import submit_judged
from engine.web.lists import parameters
from engine.web.medical import card_presented, quote_named
from engine.web.medical_bill import bill_in, refuse_wrong_bill
from engine.web.node import NODE, Node
from engine.web.payments import json_response, merchant_of, respond
from engine.web.problems import PROBLEMS, FieldError
from engine.web.render import encode_json, payment_of_answer
from engine.web.wire import PaymentRequest

_NOT_REMEMBERED: Final = frozenset({Refusal.TOO_MANY_ATTEMPTS, Refusal.OVERLOADED, Refusal.STORE_UNAVAILABLE})


async def post_payment(request: web.Request) -> web.Response:
    """`POST /v1/payments`, and with `dry_run=true` what it would do."""
    node = request.app[NODE]
    merchant = merchant_of(request)
    is_dry_run = _is_dry_run(request)
    given = read_body(request[BODY], PaymentRequest)
    scenario = _scenario_of(given)
    key = idempotency_key(request)
    refuse_guesser(node, merchant, given.terminal_id)
    wish = await _wish_of(request, node, given, MerchantId(merchant), scenario, is_dry_run=is_dry_run)
    command = authorize_command(wish, caller=merchant, key=key, trace_id=request[TRACE_ID], ids=node.ids)
    if is_dry_run:
        decision, books = await preview(node.pool, node.rules, command)
        count_guess(node, merchant, given.terminal_id, decision.answer.refusal, decision.answer.field)
        return json_response(encode_json(dry_run_view(decision, books)))
    outcome = await submit_judged(node, command, business_s=request[ARRIVED_S])
    if not outcome.is_replay:
        # Known only now: a repeated request is no second guess, however old its code is by then, and a terminal that
        # does not exist cannot guess.
        count_guess(node, merchant, given.terminal_id, outcome.answer.refusal, outcome.answer.field)
    return respond(request, outcome, lambda answer: encode_json(payment_of_answer(answer)), status=201)


def _is_dry_run(request: web.Request) -> bool:
    value = parameters(request, ("dry_run",)).get("dry_run", "false") if request.query_string else "false"
    if value not in ("true", "false"):
        raise refuse_field("/dry_run", "true or false")
    return value == "true"


def _scenario_of(given: PaymentRequest) -> Scenario:
    """The scenario, whose rules about holds and bills the request keeps.

    Raises:
        Refused: it does not.
    """
    scenario = BY_NAME[given.scenario]
    if given.hold_s is not None and given.hold_s > scenario.hold_s_max:
        raise refuse_field("/hold_s", f"at most {scenario.hold_s_max} for {scenario.name}")
    if not given.capture and not scenario.may_hold:
        raise refuse_field("/capture", f"{scenario.name} is paid at once")
    if given.bill_no is not None and not given.capture:
        raise refuse_field("/capture", "a bill is paid at once")
    if (given.pay_code is None) == (given.card_no is None):
        raise refuse_field("/pay_code", "either a code or a card's number")
    if given.card_no is not None and given.password_block is None:
        raise refuse_field("/password_block", "required with a card")
    if given.bill is not None and given.quote_id is not None:
        raise refuse_field("/bill", "the pre-settlement has it")
    medical = "/bill" if given.bill is not None else "/quote_id" if given.quote_id is not None else None
    refuse_wrong_bill(scenario, bill_no=given.bill_no, medical=medical)
    return scenario


async def _wish_of(
    request: web.Request,
    node: Node,
    given: PaymentRequest,
    merchant: MerchantId,
    scenario: Scenario,
    *,
    is_dry_run: bool,
) -> PaymentWish:
    code, card = None, None
    if given.pay_code is not None:
        code = presented_code(given.pay_code, device_master=node.keyring.device_master, arrived_s=request[ARRIVED_S])
    elif given.card_no is not None:
        card = await card_presented(node, given.card_no)
    bill = bill_in(given.bill) if given.bill is not None else None
    quoted = None
    if given.quote_id is not None:
        quote = await quote_named(node, given.quote_id, merchant)
        bill = quote.bill
        quoted = Quoted(quote=quote.id, payer=quote.payer, split=quote.split, expires_at=quote.expires_at)
    password = None
    if given.password_block is not None and is_dry_run:
        password = PasswordProof(is_right=True, version=0)  # what it stands for is seen to by the preview
    elif given.password_block is not None:
        password = await _proof_of(node, given.password_block, code, card, given.order_no, merchant)
    return PaymentWish(
        merchant=merchant,
        mode=Mode.SHOW_CODE if card is None else Mode.CARD_READ,
        code=code,
        card=card,
        order_no=given.order_no,
        amount=given.amount,
        scenario=scenario,
        terminal_id=given.terminal_id,
        capture=given.capture,
        hold_s=given.hold_s,
        description=given.description,
        bill_no=given.bill_no,
        ride_no=given.ride_no,
        bill=bill,
        quoted=quoted,
        password=password,
    )


async def _proof_of(
    node: Node, block: str, code: PresentedCode | None, card: CardId | None, order_no: str, merchant: MerchantId
) -> PasswordProof:
    if code is not None and code.device_no is not None:
        card = await card_of_device(node.pool, code.device_no)
    bound_to = BoundTo(order_no=order_no, merchant_id=id_text(merchant))
    return await checked_password(node, card, block, bound_to)


async def checked_password(node: Node, card: CardId | None, block: str, bound_to: BoundTo) -> PasswordProof:
    """What became of a password; what is wrong with its block is for the ledger to say, unless it is a matter of time.

    Raises:
        Refused: too many are being checked.
        Fault: the database cannot answer.
    """
    checked = await node.passwords.check_password(card, block, bound_to, now_s=node.clock.wall_s())
    if isinstance(checked, PasswordProof):
        return checked
    if checked in _NOT_REMEMBERED:
        raise Refused(checked, (FieldError("/password_block", PROBLEMS[checked].en),))
    return PasswordProof(is_right=False, version=0, refusal=checked)
