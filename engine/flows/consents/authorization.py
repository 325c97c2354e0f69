"""Whether somebody's data may be looked at: the person, the department and the channel have to agree."""

from datetime import date

from engine.core.consents import Scope, first_missing, why_no_purpose
from engine.core.ids import CardId
from engine.core.refusals import Refusal
from engine.store.consents import Look, look
from engine.store.participants import Source


async def why_not_authorized(
    source: Source,
    *,
    card: bytes,
    region: int,
    department: bytes | None,
    channel: bytes,
    scope: Scope,
    purpose: str | None,
    today: date,
) -> Refusal | None:
    """The first of the three authorizations that is missing; None if all are there, as of this read.

    *region* is the person's. Without a department the channel asks for the person alone: then the department is any
    that has opened this in the region. What is read by another statement may be read after a withdrawal that this one
    has not seen; whoever must not do that reads it again after what it has to keep, or with `look`.

    Raises:
        Fault: the database cannot answer.
    """
    refusal = why_no_purpose(purpose)
    if refusal is not None or purpose is None:
        return refusal
    asked = Look(
        card=CardId(card),
        region=region,
        department=department,
        channel=channel,
        scope=scope,
        purpose=purpose,
        today=today,
    )
    return first_missing((await look(source, asked)).held)
