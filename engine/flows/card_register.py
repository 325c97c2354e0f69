"""What is done with cards of the register: who somebody is, what a channel may issue, a new physical card."""

import hmac
from datetime import date, datetime
from typing import Final

import asyncpg
import msgspec

from engine.codes.field_keys import PERSON_KEY_PLACE, Erased, without_key
from engine.codes.keys import FIELD_KEY_ID, Keyring
from engine.core.card_records import wrong_dates
from engine.core.cards import CARD_TRANSITIONS, SIGN_LASTS, CardMove, is_card_number, why_not_issued
from engine.core.id_numbers import parse_id_number
from engine.core.ids import CardId, IdKind, SignNo, region_of, shard_of
from engine.core.masking import ERASED
from engine.core.participants import WrongField
from engine.core.payer import IssueLevel
from engine.core.refusals import Refusal
from engine.flows.answer_once import NotDone
from engine.flows.clock import IdSource
from engine.store.connection import AnyConnection
from engine.store.persons import (
    BANK_ACCOUNT_PLACE,
    CARD_NUMBER_PLACE,
    ID_NUMBER_PLACE,
    NAME_PLACE,
    PHONE_PLACE,
    NewPhysicalCard,
    RegisteredCard,
    Sign,
    hold_card,
    index_of,
    insert_sign,
    load_card,
    load_card_of_index,
    load_card_of_number,
    load_sign,
    replace_physical_card,
)

_IDENTITY_PLACE: Final = "request.identity"


class GivenIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """Who somebody says to be. Its repr shows nothing."""

    id_number: str
    name: str
    card_no: str

    def __repr__(self) -> str:
        return "GivenIdentity(<masked>)"


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """A card's person in plain text, on its way to being masked. Its repr shows nothing."""

    name: str
    id_number: str
    phone: str | None
    card_no: str | None
    bank_account: str | None

    def __repr__(self) -> str:
        return "Holder(<masked>)"


class CardRegister:
    """The register of cards. Every method raises `Fault` when the database cannot answer."""

    def __init__(self, pool: asyncpg.Pool, keyring: Keyring, ids: IdSource) -> None:
        """Of these books."""
        self.pool = pool
        self.keyring = keyring
        self.ids = ids

    def identity_index(self, given: GivenIdentity) -> bytes:
        """Names an identity without keeping it: for counting attempts, and for telling two requests apart."""
        text = f"{given.id_number}|{given.name}|{given.card_no}"
        return index_of(self.keyring, _IDENTITY_PLACE, text)

    async def identified(self, given: GivenIdentity, *, today: date) -> RegisteredCard | NotDone:
        """The card of the person who has this ID number, this name and this card. A no never says which differs."""
        number = parse_id_number(given.id_number, today=today)
        if isinstance(number, str):
            return NotDone(Refusal.ID_NUMBER_INVALID, (WrongField("id_number", number),))
        card = await load_card_of_index(self.pool, index_of(self.keyring, ID_NUMBER_PLACE, number.text))
        number_index = index_of(self.keyring, CARD_NUMBER_PLACE, given.card_no)
        if card is None:
            return NotDone(Refusal.IDENTITY_MISMATCH)
        is_name = hmac.compare_digest(self._open(card.name, NAME_PLACE).encode(), given.name.encode())
        is_number = hmac.compare_digest(card.number_index or b"", number_index)
        return card if is_name and is_number else NotDone(Refusal.IDENTITY_MISMATCH)

    async def by_id_number(self, text: str, *, today: date) -> RegisteredCard | NotDone | None:
        """The newest card of the person who has this ID number."""
        number = parse_id_number(text, today=today)
        if isinstance(number, str):
            return NotDone(Refusal.ID_NUMBER_INVALID, (WrongField("id_number", number),))
        return await load_card_of_index(self.pool, index_of(self.keyring, ID_NUMBER_PLACE, number.text))

    async def by_card_number(self, text: str) -> RegisteredCard | None:
        """The card whose physical card in use has this number."""
        return await load_card_of_number(self.pool, index_of(self.keyring, CARD_NUMBER_PLACE, text))

    def holder(self, card: RegisteredCard) -> Holder:
        """The person, opened."""
        return Holder(
            name=self._open(card.name, NAME_PLACE),
            id_number=self._open(card.id_number, ID_NUMBER_PLACE),
            phone=self._open(card.phone, PHONE_PLACE) if card.phone is not None else None,
            card_no=self._open(card.number, CARD_NUMBER_PLACE) if card.number is not None else None,
            bank_account=self._open(card.bank_account, BANK_ACCOUNT_PLACE) if card.bank_account is not None else None,
        )

    async def issue(self, connection: AnyConnection, card: CardId, channel: bytes, *, now: datetime) -> Sign | NotDone:
        """Issue the electronic card on a channel, level 1. A channel that has issued it is told the same again."""
        if not await hold_card(connection, card):
            return NotDone(Refusal.NOT_FOUND)
        seen = await load_card(connection, card)
        assert seen is not None, "it is held"
        refusal = why_not_issued(seen.status)
        if refusal is not None:
            return NotDone(refusal)
        issued = await load_sign(connection, card, channel)
        if issued is not None:
            return issued
        sign = Sign(
            sign_no=SignNo(self.ids.new(IdKind.SIGN, shard=shard_of(card), region=region_of(card))),
            card=card,
            channel=channel,
            level=IssueLevel.QUERY,
            linked_at=now,
            valid_until=now + SIGN_LASTS,
            unlinked_at=None,
        )
        await insert_sign(connection, sign)
        return sign

    def why_no_payment(self, card: RegisteredCard, *, bank: str, bank_account: str, phone: str) -> Refusal | None:
        """Why a bank account that was named does not let the card pay. Which of its parts is wrong is not said."""
        if card.bank_account_index is None or card.phone is None:
            return Refusal.BANK_ACCOUNT_NOT_ACTIVATED
        account = index_of(self.keyring, BANK_ACCOUNT_PLACE, bank_account)
        is_account = hmac.compare_digest(account, card.bank_account_index)
        is_phone = hmac.compare_digest(self._open(card.phone, PHONE_PLACE), phone)
        is_bank = f"{card.cnaps:012d}" == bank
        return None if is_account and is_phone and is_bank else Refusal.BANK_ACCOUNT_MISMATCH

    async def replace(
        self, connection: AnyConnection, card: CardId, new: "Replacement", *, now: datetime
    ) -> NotDone | None:
        """Give a card a new physical card; the old one's number is read by no terminal from then on.

        What the register says of its status is not changed by that: its payer's row has to be told.
        """
        if not is_card_number(new.card_no):
            reason = "eight digits or capitals and the check character of GB 11714"
            return NotDone(Refusal.FIELD_INVALID, (WrongField("card_no", reason),))
        wrong = wrong_dates(new.issued_on, new.valid_until, today=now.date())
        if wrong is not None:
            return NotDone(wrong.refusal, (WrongField(wrong.field, wrong.reason),))
        if not await hold_card(connection, card):
            return NotDone(Refusal.NOT_FOUND)
        seen = await load_card(connection, card)
        assert seen is not None, "it is held"
        if (seen.status, CardMove.REPLACE) not in CARD_TRANSITIONS:
            return NotDone(Refusal.CARD_NOT_USABLE)
        physical = NewPhysicalCard(
            number_index=index_of(self.keyring, CARD_NUMBER_PLACE, new.card_no),
            number=self._sealed_like(seen.name, new.card_no, CARD_NUMBER_PLACE),
            field_key_id=FIELD_KEY_ID,
            issued_on=new.issued_on,
            valid_until=new.valid_until,
        )
        if not await replace_physical_card(connection, card, physical, now=now):
            return NotDone(Refusal.CARD_ALREADY_EXISTS, (WrongField("card_no", "the number was given before"),))
        return None

    def _sealed_like(self, neighbour: bytes, text: str, place: str) -> bytes:
        """A text, sealed under the key that comes with another text of the same person, if one does."""
        sealed_key, _ = without_key(neighbour)
        if sealed_key is None:
            return self.keyring.seal(text.encode(), place=place, nonce=self.ids.nonce())
        person_key = self.keyring.unseal(sealed_key, place=PERSON_KEY_PLACE)
        return self.keyring.seal_for(person_key, text.encode(), place=place, nonce=self.ids.nonce())

    def _open(self, sealed: bytes, place: str) -> str:
        try:
            return self.keyring.unseal(sealed, place=place).decode()
        except Erased:
            return ERASED


class Replacement(msgspec.Struct, frozen=True, kw_only=True):
    """A physical card that is to follow another. Its repr shows nothing."""

    card_no: str
    issued_on: date
    valid_until: date

    def __repr__(self) -> str:
        return "Replacement(<masked>)"
