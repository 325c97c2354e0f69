"""Erasing a person: one operator asks, another approves, and the person's own key is destroyed.

Whatever was sealed under it, here, in copies of the database and in what was handed in, is unreadable from then on. The
books, the journal and the audit trail name cards by id and stay as they are, so they can be proven as before.
"""

from datetime import datetime, timedelta
from typing import Final

import msgspec

from engine.codes.field_keys import ERASED
from engine.codes.keys import Keyring
from engine.core import masking
from engine.core.approvals import Approval, ApprovalKind
from engine.core.audit import Access
from engine.core.ids import CardId, IdKind, id_text, parse_id, region_of
from engine.core.participants import Right, WrongField
from engine.core.payer import CardStatus
from engine.core.refusals import Refusal
from engine.flows.answer_once import NotDone
from engine.flows.approve import Asking, CarriedOut, ask_approval
from engine.flows.clock import IdSource
from engine.flows.passkeys.desk import LABEL_PLACE
from engine.store.audit import append_access
from engine.store.connection import AnyConnection
from engine.store.participants import load_clocks
from engine.store.personal_data import InPlace, destroy_person, load_cards_of_same_person
from engine.store.persons import hold_card

KEPT: Final = timedelta(days=3653)
"""Ten years from the end of the last card: Anti-Money Laundering Law of 2024, article 34."""

NO_TRACE: Final = "0" * 32


class Erasure(msgspec.Struct, frozen=True, kw_only=True):
    """Whose data are to be unreadable: the person who has or had this card."""

    card: str


class ErasePerson:
    """Carries an erasure out."""

    def __init__(self, keyring: Keyring, ids: IdSource) -> None:
        """With what seals, and what draws random bytes."""
        self._keyring = keyring
        self._ids = ids

    async def __call__(self, connection: AnyConnection, approval: Approval, /) -> CarriedOut | NotDone:
        """Nobody can read the person's data any more. It is in the audit trail, under who has asked for it."""
        card = CardId(parse_id(msgspec.json.decode(approval.payload, type=Erasure).card, IdKind.CARD))
        now = (await load_clocks(connection)).business
        await hold_card(connection, card)
        refused = await why_not_erased(connection, card, now=now)
        if refused is not None:
            return refused
        in_place = InPlace(
            marker=ERASED,
            # What found the person finds nothing any more, and two who were erased are not the same.
            index=self._ids.token() + self._ids.token(),
            label=self._keyring.seal(masking.ERASED.encode(), place=LABEL_PLACE, nonce=self._ids.nonce()),
            field_key=self._keyring.field_key.id,
        )
        if not await destroy_person(connection, card, in_place, now=now):
            return NotDone(Refusal.ERASURE_NOT_DUE, (WrongField("", "it is done already"),))
        access = Access(
            caller=approval.requested_by,
            subject=card,
            action="personal_data.erase",
            purpose=None,
            object=id_text(approval.id),
            result="allowed",
            trace_id=NO_TRACE,
        )
        await append_access(connection, access, now=now)
        return CarriedOut({"card": id_text(card)})


async def ask_erasure(asked: Asking, card: CardId, *, reason: str) -> Approval | NotDone:
    """Ask for the person of a card to be erased."""
    refused = asked.why_not(Right.REQUEST, region_of(card)) or await why_not_erased(
        asked.connection, card, now=asked.now
    )
    if refused is not None:
        return refused
    return await ask_approval(
        asked,
        kind=ApprovalKind.ERASE_PERSON,
        region=region_of(card),
        subject=id_text(card),
        payload=Erasure(card=id_text(card)),
        reason=reason,
    )


async def why_not_erased(connection: AnyConnection, card: CardId, *, now: datetime) -> NotDone | None:
    """Why the person of a card is not to be erased yet, or not again; None: nothing is in the way."""
    cards = await load_cards_of_same_person(connection, card)
    if any(one.status is not CardStatus.CANCELLED for one in cards):
        return NotDone(Refusal.ERASURE_NOT_DUE, (WrongField("", "a card of the person is not cancelled"),))
    if any(now < one.changed_at + KEPT for one in cards):
        return NotDone(Refusal.ERASURE_NOT_DUE, (WrongField("", "the time for which data are kept is not over"),))
    if not all(one.has_key for one in cards):
        reason = "the person has no key of its own: it was destroyed, or no rotation has been by yet"
        return NotDone(Refusal.ERASURE_NOT_DUE, (WrongField("", reason),))
    return None
