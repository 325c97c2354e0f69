"""What a channel asks for in a person's name counts by the person's own act: the card's password or a passkey."""

import hashlib

from aiohttp import web

from engine.codes.password_block import BoundTo
from engine.core.commands import CheckPassword
from engine.core.ids import CardId
from engine.core.personal_acts import PersonalAct, act_text
from engine.core.refusals import Refusal
from engine.flows.passkeys.desk import Wanted, evidence_of
from engine.store.persons import RegisteredCard
from engine.web.body import Refused, refuse_field
from engine.web.boundary import TRACE_ID, caller_id, idempotency_key
from engine.web.card_callers import decided
from engine.web.cards import card_body
from engine.web.new_payments import checked_password
from engine.web.node import NODE
from engine.web.passkeys.credential import PasskeyAssertion, assertion_in
from engine.web.passkeys.desk import desk_of, moment_of
from engine.web.payments import respond
from engine.web.problems import PROBLEMS, FieldError
from engine.web.wire_cards import AgreementRequest


async def agreed(
    request: web.Request, card: RegisteredCard, given: AgreementRequest, *, act: str, bound_to: str
) -> PersonalAct | web.Response:
    """What shows that the person agrees to *act*, about *bound_to*, an id; else the response that refuses.

    A password is sealed with `{bound_to}/{act}` as its `order_no`, which no order's number can be; a wrong one is
    one try less, as it is at a till, and what is wrong with its block is said only once the idempotency key is
    known to be new. A passkey has signed a challenge for just this; the same answer under the same key is right
    again.

    Raises:
        Refused: nothing has come along, or no key, a passkey has not agreed, or too many passwords are being checked.
        Fault: the database cannot answer.
    """
    if given.password_block is not None and given.passkey is not None:
        raise refuse_field("/passkey", "either a password or a passkey")
    if given.passkey is not None:
        refusal = await why_not_by_passkey(request, card.id, given.passkey, act=act, bound_to=bound_to)
        if refusal is not None:
            raise Refused(refusal, (FieldError("/passkey", PROBLEMS[refusal].en),))
        answer = assertion_in(given.passkey)
        assert answer is not None, "it was right"
        return PersonalAct(kind="passkey", digest=evidence_of(answer).hex())
    if given.password_block is None:
        raise Refused(Refusal.REAUTHENTICATION_REQUIRED)
    key = idempotency_key(request)
    proof = await checked_password(
        request.app[NODE], card.id, given.password_block, BoundTo(order_no=act_text(act, bound_to))
    )
    command = CheckPassword(
        caller=caller_id(request),
        key=key,
        trace_id=request[TRACE_ID],
        card=card.id,
        act=f"{act} {bound_to}",
        password=proof,
    )
    outcome = await decided(request, command)
    if outcome.answer.refusal is not None:
        return respond(request, outcome, card_body)
    return PersonalAct(kind="password", digest=hashlib.sha256(given.password_block.encode()).hexdigest())


async def why_not_by_passkey(
    request: web.Request, card: CardId, given: PasskeyAssertion, *, act: str, bound_to: str
) -> Refusal | None:
    """None if a passkey of the card has agreed to *act*, about *bound_to*, for this caller and idempotency key.

    Raises:
        Refused: there is no key.
        Fault: the database cannot answer.
    """
    wanted = Wanted(card=card, act=act, bound_to=bound_to, channel=caller_id(request), key=idempotency_key(request))
    return await desk_of(request).prove(assertion_in(given), wanted, at=await moment_of(request))
