"""Letting somebody in by a shown code or a card: nothing is posted, and yet the code is used."""

from datetime import date, datetime

import msgspec

from engine.core.admission import Entitlement, Scene, entitlement_of
from engine.core.authorization import code_use
from engine.core.cards import why_not_issued
from engine.core.channels import Product
from engine.core.commands import PresentedCode
from engine.core.consents import Scope
from engine.core.id_numbers import IdNumber
from engine.core.ids import CardId, IdKind, shard_of
from engine.core.participants import WrongField
from engine.core.refusals import Refusal
from engine.core.verification import FaceOutcome, FaceResult
from engine.flows.answer_once import NotDone
from engine.flows.card_register import CardRegister, Holder
from engine.store.admissions import Admission, hold_payer, hold_presenter, insert_admission, use_code
from engine.store.channels import load_standing
from engine.store.connection import AnyConnection
from engine.store.consents import Look, look
from engine.store.participants import Source
from engine.store.persons import RegisteredCard, load_card


class AdmissionWish(msgspec.Struct, frozen=True, kw_only=True):
    """Who is to be let in where. `code` None: a terminal has read a card, `card` None: that is nobody's. A department
    needs a grant for it, and another one for comparing faces; a merchant has its scenarios.
    """

    caller: bytes
    is_department: bool
    place: int  # the region in which it is
    scene: Scene
    terminal_id: str
    purpose: str
    code: PresentedCode | None
    card: CardId | None
    face: FaceResult | None  # None: nobody looks at faces there


class Admitted(msgspec.Struct, frozen=True):
    """Somebody who is let in."""

    admission: Admission
    holder: Holder
    card_region: int


async def admit(
    connection: AnyConnection, register: CardRegister, wish: AdmissionWish, *, today: date, now: datetime
) -> Admitted | NotDone:
    """Let somebody in, or say why not.

    Locks: the payer's row. A loss report that was answered before is seen, one that comes later waits. The code is
    claimed by the key that payments claim it by, so that of a payment and an admission one gets it.
    """
    presented = await _presented(connection, wish)
    if isinstance(presented, NotDone):
        return presented
    card = await load_card(connection, presented)
    if card is None:
        return NotDone(Refusal.NOT_FOUND)
    if wish.is_department and not await is_granted(
        connection, wish.caller, card, purpose=wish.purpose, has_face=wish.face is not None, today=today
    ):
        return NotDone(Refusal.DEPARTMENT_NOT_AUTHORIZED)
    if wish.face is not None and wish.face.outcome is not FaceOutcome.ACCEPTED:
        is_rejected = wish.face.outcome is FaceOutcome.REJECTED
        return NotDone(Refusal.BIOMETRIC_REJECTED if is_rejected else Refusal.UPSTREAM_UNAVAILABLE)
    holder = register.holder(card)
    entitlement = entitlement_of(
        wish.scene, age=IdNumber(holder.id_number).age_on(today), card_region=card.region, place=wish.place
    )
    admission = Admission(
        id=register.ids.new(IdKind.ADMISSION, shard=shard_of(card.id), region=wish.place),
        caller=wish.caller,
        card=card.id,
        scenario=wish.scene.name,
        terminal_id=wish.terminal_id,
        purpose=wish.purpose,
        is_by_code=wish.code is not None,
        has_face=wish.face is not None,
        entitlement=entitlement,
        at=now,
    )
    await insert_admission(connection, admission)
    return Admitted(admission, holder, card.region)


async def is_granted(
    source: Source, department: bytes, card: RegisteredCard, *, purpose: str, has_face: bool, today: date
) -> bool:
    """True if a department may see who it is, and compare the face if it has one.

    The person's own consent is that the code is shown, and no channel is in between.
    """
    scopes = (Scope.PROFILE, Scope.BIOMETRIC) if has_face else (Scope.PROFILE,)
    looks = [
        Look(
            card=card.id,
            region=card.region,
            department=department,
            channel=department,
            scope=scope,
            purpose=purpose,
            today=today,
        )
        for scope in scopes
    ]
    return all([(await look(source, one)).held.has_department for one in looks])


def entitlement_name(admission: Admission) -> str:
    """What somebody was let in as, as it is written outside."""
    return Entitlement(admission.entitlement).name.lower()


async def _presented(connection: AnyConnection, wish: AdmissionWish) -> CardId | NotDone:
    """The card that is presented, good for being let in; a code is used from now on."""
    if wish.code is None:
        status = await hold_payer(connection, wish.card) if wish.card is not None else None
        if wish.card is None or status is None:
            return NotDone(Refusal.NOT_FOUND, (WrongField("card_no", "no card has it"),))
        refusal = why_not_issued(status)
        return NotDone(refusal) if refusal is not None else wish.card
    code = wish.code
    presenter = await hold_presenter(connection, code.device_no) if code.device_no is not None else None
    if presenter is None:
        return NotDone(code.refusal or Refusal.PAY_CODE_WRONG, (WrongField("pay_code", "not genuine"),))
    if code.refusal is not None:
        return NotDone(code.refusal)
    if presenter.channel is not None and await _is_stopped(connection, presenter.channel, wish.place):
        return NotDone(Refusal.CHANNEL_SUSPENDED)
    if not await use_code(connection, code_use(code)):
        return NotDone(Refusal.PAY_CODE_USED)
    refusal = Refusal.DEVICE_REVOKED if presenter.is_revoked else why_not_issued(presenter.status)
    return NotDone(refusal) if refusal is not None else presenter.card


async def _is_stopped(source: Source, channel: bytes, place: int) -> bool:
    """True if the phones that a channel has registered show nobody there now, as they pay nothing."""
    standing = await load_standing(source, channel)
    return standing is not None and standing.is_stopped(Product.IDENTITY, place)
