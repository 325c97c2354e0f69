"""What requests about somebody's identity share: what for, a face that came along, and the trail that they leave."""

import base64
import binascii
from collections.abc import Mapping
from datetime import datetime

import msgspec
from aiohttp import web

from engine.core.audit import Access, is_purpose
from engine.core.refusals import Refusal
from engine.core.verification import FaceOutcome, FaceResult
from engine.flows.answer_once import Done, NotDone
from engine.flows.card_register import Holder
from engine.flows.identity.face import face_reference
from engine.store.audit import append_access
from engine.store.connection import AnyConnection
from engine.web.audit.looks import note_look
from engine.web.body import Refused, refuse_field
from engine.web.doing_once import Work, once
from engine.web.node import NODE


def purpose_in(given: str | None) -> str:
    """What it is asked for.

    Raises:
        Refused: nobody says, or it could be hiding a person's number.
    """
    if given is None:
        raise Refused(Refusal.PURPOSE_REQUIRED)
    if not is_purpose(given):
        raise refuse_field("/purpose", "a short word or reference without long numbers")
    return given


async def once_audited(
    request: web.Request, operation: str, facts: Mapping[str, object], access: Access, work: Work, *, now: datetime
) -> Done:
    """Do something once a key, and leave a trail of it, and of its refusal. A repeat tells nothing new and leaves none.

    Raises:
        Refused: it was refused; nothing was done.
        Fault: the database cannot do it.
    """

    async def both(connection: AnyConnection) -> Done | NotDone:
        answer = await work(connection)
        if isinstance(answer, Done):
            await append_access(connection, access, now=now)
        return answer

    try:
        return await once(request, operation, facts, both)
    except Refused as refused:
        await audit_refusal(request, access, refused.refusal)
        raise


async def audit_refusal(request: web.Request, access: Access, refusal: Refusal) -> None:
    """Leave a trail of a look that was refused."""
    await note_look(request, msgspec.structs.replace(access, result=refusal.slug))


async def compared_face(request: web.Request, face: str, holder: Holder | None) -> FaceResult:
    """How a face that came along compares with the person's; unknown if there is nobody to ask, or no such person.

    Raises:
        Refused: it is not Base64.
    """
    try:
        sample = base64.b64decode(face, validate=True)
    except (binascii.Error, ValueError):
        raise refuse_field("/face", "Base64 of an image") from None
    node = request.app[NODE]
    if node.faces is None or holder is None:
        return FaceResult(FaceOutcome.UNKNOWN)
    return await node.faces.compare(face_reference(node.keyring, holder.id_number), sample)


def face_fact(request: web.Request, face: str | None) -> str | None:
    """What tells two faces apart in a stored request, and shows neither."""
    return request.app[NODE].keyring.blind_index(f"face sample {face}").hex() if face is not None else None
