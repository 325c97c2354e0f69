"""Whether somebody is who they say: a yes or a no to all factors together, after the same work either way."""

import hmac
from datetime import date, datetime

import msgspec

from engine.core.id_numbers import parse_id_number
from engine.core.ids import CardId
from engine.core.participants import WrongField
from engine.core.payer import CardStatus
from engine.core.refusals import Refusal
from engine.core.verification import WINDOW, are_too_many
from engine.flows.answer_once import NotDone
from engine.flows.card_register import CardRegister, Holder
from engine.store.connection import AnyConnection
from engine.store.persons import ID_NUMBER_PLACE, index_of, load_card_of_index
from engine.store.verifications import Verification, hold_subject, insert_verification, load_failures


class GivenFactors(msgspec.Struct, frozen=True, kw_only=True):
    """Who somebody says to be; what is None was not given. Its repr shows nothing."""

    id_number: str
    name: str
    card_no: str | None
    phone: str | None
    bank_account: str | None

    def __repr__(self) -> str:
        return "GivenFactors(<masked>)"

    @property
    def count(self) -> int:
        """How many factors these are."""
        return sum(value is not None for value in msgspec.structs.astuple(self))


class Compared(msgspec.Struct, frozen=True):
    """What came of comparing. `subject` names the ID number that was given, whoever has it; no card: no match."""

    subject: bytes
    card: CardId | None


async def compare(register: CardRegister, given: GivenFactors, *, today: date) -> Compared | NotDone:
    """The card of the person whom every factor fits.

    A card that is out of use proves nothing: neither its number nor its account is a factor then. As much is opened and
    compared for somebody who is not in the register, so that how long it takes says nothing either.
    """
    number = parse_id_number(given.id_number, today=today)
    if isinstance(number, str):
        return NotDone(Refusal.ID_NUMBER_INVALID, (WrongField("id_number", number),))
    subject = index_of(register.keyring, ID_NUMBER_PLACE, number.text)
    card = await load_card_of_index(register.pool, subject)
    holder = register.holder(card) if card is not None else _nobody(register)
    is_in_use = card is not None and card.status is CardStatus.ACTIVE
    fits = [
        _is_same(holder.name, given.name),
        given.phone is None or _is_same(holder.phone, given.phone),
        given.card_no is None or (_is_same(holder.card_no, given.card_no) & is_in_use),
        given.bank_account is None or (_is_same(holder.bank_account, given.bank_account) & is_in_use),
    ]
    return Compared(subject, card.id if card is not None and all(fits) else None)


async def keep_verification(connection: AnyConnection, verification: Verification, *, now: datetime) -> NotDone | None:
    """Count a verification and let its result be told; or why it must not be, and it is not counted.

    Locks: the subject, so that attempts that come together are still counted one by one. A caller's own count may be
    behind by what it has under way.
    """
    await hold_subject(connection, verification.subject)
    failures = await load_failures(
        connection, subject=verification.subject, caller=verification.caller, since=now - WINDOW
    )
    if are_too_many(of_subject=failures.of_subject, of_caller=failures.of_caller):
        return NotDone(Refusal.TOO_MANY_ATTEMPTS)
    await insert_verification(connection, verification)
    return None


def _is_same(known: str | None, given: str) -> bool:
    return hmac.compare_digest((known or "").encode(), given.encode())


def _nobody(register: CardRegister) -> Holder:
    """Somebody who has everything and whom nothing fits: a space is no one's."""
    keyring = register.keyring
    fields = [
        keyring.unseal(keyring.seal(b" ", place=ID_NUMBER_PLACE, nonce=register.ids.nonce()), place=ID_NUMBER_PLACE)
        for _ in Holder.__struct_fields__
    ]
    name, id_number, phone, card_no, bank_account = [field.decode() for field in fields]
    return Holder(name=name, id_number=id_number, phone=phone, card_no=card_no, bank_account=bank_account)
