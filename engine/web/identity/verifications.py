"""Verification over HTTP: is this one person's? All of it, or not."""

import msgspec
from aiohttp import web

from engine.core.ids import IdKind, region_of, shard_of
from engine.core.refusals import Refusal
from engine.flows.answer_once import Done, NotDone
from engine.flows.identity.verify import GivenFactors, compare, keep_verification
from engine.store.bills import load_agency
from engine.store.connection import AnyConnection
from engine.store.verifications import Verification
from engine.web.audit.looks import access_of
from engine.web.body import Refused, read_body, refuse_field
from engine.web.boundary import BODY, CALLER, caller_id, idempotency_key
from engine.web.card_callers import now_of, register_of, today_of
from engine.web.doing_once import refused_by
from engine.web.identity.callers import once_audited, purpose_in
from engine.web.identity.wire import VerificationRequest, verification_view
from engine.web.lists import no_parameters
from engine.web.operator_requests import done_response
from engine.web.render import encode_json

_MAY_VERIFY = frozenset({IdKind.CHANNEL, IdKind.AGENCY})


async def post_verification(request: web.Request) -> web.Response:
    """`POST /v1/identity/verifications`: whether two, three or four factors are all of one person."""
    if request[CALLER].kind not in _MAY_VERIFY:
        raise Refused(Refusal.NOT_FOUND)
    no_parameters(request)
    given = read_body(request[BODY], VerificationRequest)
    idempotency_key(request)
    purpose = purpose_in(given.purpose)
    factors = _factors_of(given)
    register, now = register_of(request), await now_of(request)
    if request[CALLER].kind is IdKind.AGENCY and await load_agency(register.pool, caller_id(request)) is None:
        raise Refused(Refusal.SCOPE_NOT_AUTHORIZED)
    compared = await compare(register, factors, today=(await today_of(request)))
    if isinstance(compared, NotDone):
        raise refused_by(compared)
    caller = caller_id(request)
    # Made of the caller's id alone: of the person's, it would say what the answer does not.
    kept = Verification(
        id=register.ids.new(IdKind.VERIFICATION, shard=shard_of(caller), region=region_of(caller)),
        caller=caller,
        subject=compared.subject,
        factors=factors.count,
        is_match=compared.card is not None,
        request_no=given.request_no,
        purpose=purpose,
        at=now,
    )

    async def work(connection: AnyConnection) -> Done | NotDone:
        refused = await keep_verification(connection, kept, now=now)
        return refused if refused is not None else Done(201, encode_json(verification_view(kept)))

    tried = register.keyring.blind_index(f"verification {'|'.join(map(str, msgspec.structs.astuple(factors)))}")
    facts = {"factors": tried.hex(), "request_no": given.request_no, "purpose": purpose}
    access = access_of(request, "identity.verification", subject=compared.card, purpose=purpose)
    return done_response(await once_audited(request, "verify_identity", facts, access, work, now=now))


def _factors_of(given: VerificationRequest) -> GivenFactors:
    if given.card_no is not None and given.phone is not None:
        raise refuse_field("/phone", "either a card's number or a phone's")
    if given.bank_account is not None and given.card_no is None and given.phone is None:
        raise refuse_field("/bank_account", "only with a card's number or a phone's")
    return GivenFactors(
        id_number=given.id_number,
        name=given.name,
        card_no=given.card_no,
        phone=given.phone,
        bank_account=given.bank_account,
    )
