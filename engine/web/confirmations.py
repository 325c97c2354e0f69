"""Payments that wait for their cardholder: confirmed at the terminal or in an app; and deposits that are raised."""

from typing import Final

from aiohttp import web

from engine.codes.password_block import BoundTo
from engine.core.commands import Confirm, PasskeyProof, Raise
from engine.core.ids import IdKind, MerchantId, id_text
from engine.core.passkeys import CONFIRM
from engine.core.refusals import Refusal
from engine.flows.authorize_payment import presented_code
from engine.ledger.queue import Outcome
from engine.store.persons import load_sign
from engine.store.quotes import owner_of_payment
from engine.web.body import Refused, read_body, refuse_field
from engine.web.boundary import ARRIVED_S, BODY, CALLER, TRACE_ID, caller_id, idempotency_key
from engine.web.guesses import count_guess, refuse_guesser
from engine.web.lists import no_parameters
from engine.web.new_payments import checked_password
from engine.web.node import NODE
from engine.web.payments import merchant_of, payment_in, respond
from engine.web.personal_acts import why_not_by_passkey
from engine.web.render import encode_json, payment_of_answer
from engine.web.wire import ConfirmationRequest, RaiseRequest

_RAISING: Final = ""
"""In place of a terminal: a payment's own may not be asked for by somebody whose it is not."""


async def post_confirmation(request: web.Request) -> web.Response:
    """`POST /v1/payments/{id}/confirmation`: by the merchant whose terminal has the password, or by an app, which may
    have a passkey's answer instead.
    """
    node = request.app[NODE]
    kind = request[CALLER].kind
    if kind not in (IdKind.MERCHANT, IdKind.CHANNEL):
        raise Refused(Refusal.NOT_FOUND)
    caller = caller_id(request)
    no_parameters(request)
    given = read_body(request[BODY], ConfirmationRequest)
    if (given.password_block is None) is (given.passkey is None):
        raise refuse_field("/password_block", "either a password or a passkey")
    key = idempotency_key(request)
    payment = payment_in(request)
    owner = await owner_of_payment(node.pool, payment)
    if owner is None or (kind is IdKind.MERCHANT and owner.merchant != MerchantId(caller)):
        raise Refused(Refusal.PAYMENT_NOT_FOUND)
    if kind is IdKind.CHANNEL and await load_sign(node.pool, owner.payer, caller) is None:
        raise Refused(Refusal.PAYMENT_NOT_FOUND)  # or it could lock a stranger's password by guessing
    password, passkey = None, None
    if given.password_block is not None:
        bound_to = BoundTo(payment_id=id_text(payment))
        password = await checked_password(node, owner.payer, given.password_block, bound_to)
    if given.passkey is not None:
        passkey = PasskeyProof(
            await why_not_by_passkey(request, owner.payer, given.passkey, act=CONFIRM, bound_to=id_text(payment))
        )
    command = Confirm(
        caller=caller,
        key=key,
        trace_id=request[TRACE_ID],
        payment=payment,
        merchant=MerchantId(caller) if kind is IdKind.MERCHANT else None,
        password=password,
        passkey=passkey,
    )
    outcome = await node.ledger.submit(command)
    if outcome.answer.refusal is None:
        node.payment_watch.announce(payment)
    return _respond(request, outcome)


async def post_raise(request: web.Request) -> web.Response:
    """`POST /v1/payments/{id}/raise`."""
    node = request.app[NODE]
    merchant = merchant_of(request)
    no_parameters(request)
    given = read_body(request[BODY], RaiseRequest)
    key = idempotency_key(request)
    payment = payment_in(request)
    refuse_guesser(node, merchant, _RAISING)
    command = Raise(
        caller=merchant,
        key=key,
        trace_id=request[TRACE_ID],
        payment=payment,
        code=presented_code(given.pay_code, device_master=node.keyring.device_master, arrived_s=request[ARRIVED_S]),
        amount=given.amount,
    )
    outcome = await node.ledger.submit(command)
    if not outcome.is_replay:
        count_guess(node, merchant, _RAISING, outcome.answer.refusal, outcome.answer.field)
    return _respond(request, outcome)


def _respond(request: web.Request, outcome: Outcome) -> web.Response:
    return respond(request, outcome, lambda answer: encode_json(payment_of_answer(answer)))
