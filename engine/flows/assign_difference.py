"""Saying who sees to a difference: one operator's word, since it neither moves money nor lets anybody do more."""

from engine.core.ids import IdKind, MalformedId, parse_id, region_of
from engine.core.participants import Right, WrongField
from engine.core.refusals import Refusal
from engine.flows.answer_once import NotDone
from engine.flows.approve import Asking
from engine.store.participants import load_operator
from engine.store.reconciliation import Reconciliations


async def assign_difference(asked: Asking, place: tuple[bytes, int], *, owner: str) -> NotDone | None:
    """The difference is the operator *owner*'s to settle; None once it is, else why it cannot be."""
    reads = Reconciliations(asked.connection)
    reconciliation, n = place
    found = await reads.differences(reconciliation, after=n - 1, count=1)
    if not found or found[0].n != n:
        return NotDone(Refusal.NOT_FOUND)
    refused = asked.why_not(Right.REQUEST, region_of(found[0].bank))
    if refused is not None:
        return refused
    try:
        operator = await load_operator(asked.connection, parse_id(owner, IdKind.OPERATOR))
    except MalformedId:
        operator = None
    if operator is None or not operator.may(Right.REQUEST, region_of(found[0].bank)):
        return NotDone(Refusal.FIELD_INVALID, (WrongField("owner", "no operator who may settle it"),))
    if not await reads.assign(place, owner=owner):
        return NotDone(Refusal.FIELD_INVALID, (WrongField("owner", "the difference is settled"),))
    return None
