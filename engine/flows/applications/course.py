"""The course of an application: drafted and handed in through a channel, handled by an office, and its end."""

from datetime import datetime
from typing import Final

import msgspec

from engine.codes.keys import Keyring
from engine.core.applications import (
    APPLICATION_TRANSITIONS,
    DRAFT_LASTS,
    Application,
    ApplicationId,
    ApplicationKind,
    ApplicationMove,
    ApplicationState,
    ApplicationStep,
)
from engine.core.cards import why_not_issued
from engine.core.ids import IdKind, region_of, shard_of
from engine.core.participants import WrongField
from engine.core.personal_acts import PersonalAct
from engine.core.refusals import Refusal
from engine.core.rollout import regions_above
from engine.flows.answer_once import NotDone
from engine.flows.applications.forms import FilledForm, Form, load_forms, materials_of
from engine.flows.applications.person_seal import PersonSeal
from engine.flows.clock import IdSource
from engine.store.applications import (
    FORM_PLACE,
    NOTE_PLACE,
    hold_application,
    hold_old_draft,
    insert_application,
    insert_step,
    load_nearest_office,
    move_application,
    set_form,
)
from engine.store.applications_attachments import load_attachments
from engine.store.connection import AnyConnection
from engine.store.participants import Source
from engine.store.persons import RegisteredCard, load_card

_NO_OFFICE_IN: Final = "no office takes this kind of application there"


class ApplicationWish(msgspec.Struct, frozen=True, kw_only=True):
    """What a person wants to apply for. `bank` is the bank that is to handle it, of the family finance only."""

    card: RegisteredCard
    channel: bytes
    form: Form
    filled: FilledForm
    region: int
    bank: bytes | None

    def __repr__(self) -> str:
        return f"ApplicationWish(item={self.form.item})"


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """A move that is to be made: by whom, why, and what shows that the person wants it."""

    move: ApplicationMove
    by: bytes
    at: datetime
    note: str | None = None
    act: PersonalAct | None = None

    def __repr__(self) -> str:
        return f"Step(move={self.move.name})"


class Applications:
    """What is done with applications. Every method works in the transaction of the connection that it is given, and
    raises `Fault` when the database cannot do it.
    """

    def __init__(self, keyring: Keyring, ids: IdSource) -> None:
        """With these keys."""
        self.keyring = keyring
        self.ids = ids

    async def draft(self, connection: AnyConnection, wish: ApplicationWish, *, now: datetime) -> Application | NotDone:
        """A draft that only its channel sees. One that was forgotten makes room for it."""
        refusal = why_not_issued(wish.card.status)
        if refusal is not None:
            return NotDone(refusal)
        wrong = wish.form.wrong_fields(wish.filled)
        if wrong:
            return NotDone(Refusal.FORM_INVALID, wrong)
        office = await office_for(connection, wish.form.kind, wish.region, bank=wish.bank)
        if office is None:
            return NotDone(Refusal.REGION_NOT_SERVED, (WrongField("region", _NO_OFFICE_IN),))
        card = wish.card
        new = Application(
            id=ApplicationId(self.ids.new(IdKind.APPLICATION, shard=shard_of(card.id), region=region_of(card.id))),
            item=wish.form.item,
            kind=wish.form.kind,
            person=card.person,
            card=card.id,
            region=wish.region,
            channel=wish.channel,
            office=office,
            state=ApplicationState.DRAFT,
            form=self._sealed_form(card, wish.filled),
            created_at=now,
            changed_at=now,
            submitted_at=None,
        )
        await self._withdraw_old_draft(connection, new, now=now)
        if not await insert_application(connection, new):
            return NotDone(Refusal.APPLICATION_DUPLICATE, (WrongField("item", "one is open"),))
        step = ApplicationStep(move=ApplicationMove.DRAFT, state=new.state, by=new.channel, at=now)
        await insert_step(connection, new.id, step)
        return new

    async def fill_in(
        self,
        connection: AnyConnection,
        application: ApplicationId,
        card: RegisteredCard,
        filled: FilledForm,
        *,
        now: datetime,
    ) -> Application | NotDone:
        """Another form in the place of the earlier one. *card* is the applicant's."""
        seen = await held(connection, application, ApplicationMove.CHANGE)
        if isinstance(seen, NotDone):
            return seen
        wrong = load_forms()[seen.item].wrong_fields(filled)
        if wrong:
            return NotDone(Refusal.FORM_INVALID, wrong)
        changed = msgspec.structs.replace(seen, form=self._sealed_form(card, filled), changed_at=now)
        await set_form(connection, changed.id, changed.form)
        await move_application(connection, changed)
        return changed

    async def submit(self, connection: AnyConnection, application: ApplicationId, step: Step) -> Application | NotDone:
        """Handed to the office: with a form that is right by today's rules, and every file that it names.

        Asked for more, an application goes back to the office that has it.
        """
        seen = await held(connection, application, step.move)
        if isinstance(seen, NotDone):
            return seen
        card = await card_of(connection, seen)
        refusal = why_not_issued(card.status)
        if refusal is not None:
            return NotDone(refusal)
        wrong = await self._wrong_in(connection, seen, card)
        if wrong:
            return NotDone(Refusal.FORM_INVALID, wrong)
        if seen.submitted_at is None:
            bank = seen.office if seen.kind is ApplicationKind.FINANCE else None
            office = await office_for(connection, seen.kind, seen.region, bank=bank)
            if office is None:
                return NotDone(Refusal.REGION_NOT_SERVED, (WrongField("region", _NO_OFFICE_IN),))
            seen = msgspec.structs.replace(seen, office=office, submitted_at=step.at)
        return await self._moved(connection, seen, step)

    async def move(self, connection: AnyConnection, application: ApplicationId, step: Step) -> Application | NotDone:
        """Any other move, by whoever may make it: the web has seen to that."""
        seen = await held(connection, application, step.move)
        return seen if isinstance(seen, NotDone) else await self._moved(connection, seen, step)

    def opened_form(self, application: Application, card: RegisteredCard) -> FilledForm | None:
        """What was filled in; None if the person's data were erased."""
        opened = self._seal_of(card).open(application.form, place=FORM_PLACE)
        return msgspec.json.decode(opened, type=FilledForm) if opened is not None else None

    def opened_note(self, step: ApplicationStep, card: RegisteredCard) -> str | None:
        """What was said with a step; None if nothing was, or the person's data were erased."""
        opened = self._seal_of(card).open(step.note, place=NOTE_PLACE) if step.note is not None else None
        return opened.decode() if opened is not None else None

    async def _moved(self, connection: AnyConnection, seen: Application, step: Step) -> Application:
        state = APPLICATION_TRANSITIONS[seen.state, step.move]
        moved = msgspec.structs.replace(seen, state=state, changed_at=step.at)
        await move_application(connection, moved)
        note = None
        if step.note is not None:
            card = await card_of(connection, seen)
            note = self._seal_of(card).seal(step.note.encode(), place=NOTE_PLACE)
        line = ApplicationStep(move=step.move, state=state, by=step.by, at=step.at, note=note, act=step.act)
        await insert_step(connection, seen.id, line)
        return moved

    async def _wrong_in(
        self, connection: AnyConnection, seen: Application, card: RegisteredCard
    ) -> tuple[WrongField, ...]:
        filled = self.opened_form(seen, card) or {}
        wrong = load_forms()[seen.item].wrong_fields(filled)
        if wrong:
            return wrong
        kept = {attachment.sha256 for attachment in await load_attachments(connection, seen.id)}
        return tuple(WrongField(where, "not attached") for where, digest in materials_of(filled) if digest not in kept)

    async def _withdraw_old_draft(self, connection: AnyConnection, new: Application, *, now: datetime) -> None:
        old = await hold_old_draft(connection, new.person, new.item, untouched_since=now - DRAFT_LASTS)
        if old is not None:
            step = Step(move=ApplicationMove.WITHDRAW, by=new.channel, at=now)
            await self.move(connection, old, step)

    def _sealed_form(self, card: RegisteredCard, filled: FilledForm) -> bytes:
        return self._seal_of(card).seal(msgspec.json.encode(filled), place=FORM_PLACE)

    def _seal_of(self, card: RegisteredCard) -> PersonSeal:
        return PersonSeal(self.keyring, self.ids, card)


async def held(connection: AnyConnection, application: ApplicationId, move: ApplicationMove) -> Application | NotDone:
    """The application, if *move* can be made; nobody else makes one until the transaction ends."""
    seen = await hold_application(connection, application)
    if seen is None:
        return NotDone(Refusal.NOT_FOUND)
    if (seen.state, move) not in APPLICATION_TRANSITIONS:
        reason = f"it is {seen.state.name.lower()}"
        return NotDone(Refusal.APPLICATION_STATE_CONFLICT, (WrongField("status", reason),))
    return seen


async def office_for(source: Source, kind: ApplicationKind, region: int, *, bank: bytes | None) -> bytes | None:
    """Who handles an application of *kind* in *region*: the nearest office, of the family finance the bank named."""
    return await load_nearest_office(source, kind, tuple(regions_above(region)), office=bank)


async def card_of(source: Source, application: Application) -> RegisteredCard:
    """The applicant's card, as it is by now."""
    card = await load_card(source, application.card)
    assert card is not None, "cards are never deleted"
    return card
