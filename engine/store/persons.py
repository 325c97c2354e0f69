"""The register of cards: persons and what they hold. Personal data go in and come out sealed; a flow opens them."""

from datetime import date, datetime
from typing import Final

import asyncpg
import msgspec

from engine.codes.keys import Keyring
from engine.core.ids import BankId, CardId, PersonId, RelativeId, SignNo
from engine.core.payer import CardStatus, IssueLevel
from engine.store.card_numbers import card_number_index
from engine.store.connection import AnyConnection
from engine.store.faults import translated
from engine.store.participants import Source
from engine.store.sql import load_queries

ID_NUMBER_PLACE: Final = "cardholder.id_number"  # the table's first name: a seal can only be opened under it
NAME_PLACE: Final = "cardholder.name"
PHONE_PLACE: Final = "person.phone"
CARD_NUMBER_PLACE: Final = "physical_card.number"
BANK_ACCOUNT_PLACE: Final = "card.bank_account"


def index_of(keyring: Keyring, place: str, text: str) -> bytes:
    """What a sealed field is found by. The place goes in as well, except where indexes are older than that rule."""
    if place == ID_NUMBER_PLACE:
        return keyring.blind_index(text)
    if place == CARD_NUMBER_PLACE:
        return card_number_index(keyring, text)
    return keyring.blind_index(f"{place} {text}")


class RegisteredCard(msgspec.Struct, frozen=True, kw_only=True):
    """A card with its person and the physical card in use; status and level are its payer's, as of this read.

    Its repr shows no more than ids: what is sealed stays sealed.
    """

    id: CardId
    person: PersonId
    region: int
    bank: BankId
    cnaps: int
    status: CardStatus
    issue_level: IssueLevel
    has_password: bool
    id_number: bytes
    name: bytes
    phone: bytes | None
    bank_account: bytes | None
    bank_account_index: bytes | None
    number: bytes | None
    number_index: bytes | None
    issued_on: date | None
    valid_until: date | None
    opened_at: datetime
    ended_at: datetime | None

    def __repr__(self) -> str:
        return f"RegisteredCard(id={self.id.hex()})"


class Sign(msgspec.Struct, frozen=True, kw_only=True):
    """What a channel has issued of an electronic card."""

    sign_no: SignNo
    card: CardId
    channel: bytes
    level: IssueLevel
    linked_at: datetime
    valid_until: datetime
    unlinked_at: datetime | None


class CardDevice(msgspec.Struct, frozen=True, kw_only=True):
    """A phone of a card."""

    device_no: int
    is_revoked: bool
    registered_at: datetime | None  # None: it came with the sandbox
    revoked_at: datetime | None


class Relative(msgspec.Struct, frozen=True, kw_only=True):
    """One cardholder who helps another."""

    id: RelativeId
    guardian: CardId
    ward: CardId
    relation: int
    proof: str
    linked_by: bytes
    linked_at: datetime
    expires_on: date
    ended_at: datetime | None


class CardChange(msgspec.Struct, frozen=True):
    """One line of a card's history, out of the journal."""

    at: datetime
    body: bytes


async def load_card(source: Source, card: CardId) -> RegisteredCard | None:
    """The card of this id."""
    with translated():
        row = await source.fetchrow(load_queries("persons")["card_of_id"], card)
    return _card_of(row) if row is not None else None


async def load_card_of_index(source: Source, id_number_index: bytes) -> RegisteredCard | None:
    """The newest card of the person whose ID number has this index."""
    with translated():
        row = await source.fetchrow(load_queries("persons")["card_of_id_number"], id_number_index)
    return _card_of(row) if row is not None else None


async def load_card_of_number(source: Source, number_index: bytes) -> RegisteredCard | None:
    """The card whose physical card in use has a number of this index."""
    with translated():
        row = await source.fetchrow(load_queries("persons")["card_of_number_in_use"], number_index)
    return _card_of(row) if row is not None else None


async def hold_card(connection: AnyConnection, card: CardId) -> bool:
    """True if there is such a card; nobody else changes what the register says of it until the transaction ends.

    Locks: the row of `card`. Its payer's row is not locked, and goes on paying.
    """
    with translated():
        found: bool | None = await connection.fetchval(load_queries("persons")["hold_card"], card)
    return found is not None


async def replace_physical_card(
    connection: AnyConnection, card: CardId, new: "NewPhysicalCard", *, now: datetime
) -> bool:
    """Give a held card a new physical card: terminals read its number from now on, and the old one's not any more.
    False if the number was given before.
    """
    queries = load_queries("persons")
    with translated():
        if await connection.fetchval(queries["is_number_given"], new.number_index):
            return False
        await connection.execute(queries["end_physical_cards"], card, now)
        await connection.execute(
            queries["insert_physical_card"],
            card,
            new.number_index,
            new.number,
            new.field_key_id,
            new.issued_on,
            new.valid_until,
        )
        await connection.execute(queries["insert_number_in_use"], new.number_index, card)
    return True


class NewPhysicalCard(msgspec.Struct, frozen=True, kw_only=True):
    """A physical card that follows another. The number is sealed."""

    number_index: bytes
    number: bytes
    field_key_id: int
    issued_on: date
    valid_until: date

    def __repr__(self) -> str:
        return "NewPhysicalCard(<masked>)"


async def load_history(source: Source, card: CardId, *, count: int) -> list[CardChange]:
    """What happened to a card, newest first, out of the journal."""
    with translated():
        rows = await source.fetch(load_queries("persons")["history"], card, count)
    return [CardChange(row["at"], row["body"]) for row in rows]


async def load_replaced_at(source: Source, card: CardId) -> datetime | None:
    """When the card last got a new physical card, in business time; None if it has its first one."""
    with translated():
        at: datetime | None = await source.fetchval(load_queries("persons")["replaced_at"], card)
    return at


async def load_sign(source: Source, card: CardId, channel: bytes) -> Sign | None:
    """What the channel has issued of the card, if it is linked."""
    with translated():
        row = await source.fetchrow(load_queries("persons")["linked_sign"], card, channel)
    return _sign_of(row) if row is not None else None


async def load_signs(source: Source, card: CardId) -> list[Sign]:
    """Every issue of a card, newest first."""
    with translated():
        rows = await source.fetch(load_queries("persons")["signs"], card)
    return [_sign_of(row) for row in rows]


async def insert_sign(connection: AnyConnection, sign: Sign) -> None:
    """Issue a held card on a channel that has not."""
    with translated():
        await connection.execute(
            load_queries("persons")["insert_sign"],
            sign.sign_no,
            sign.card,
            sign.channel,
            sign.level,
            sign.linked_at,
            sign.valid_until,
        )


async def set_sign_level(source: Source, sign_no: SignNo, level: IssueLevel) -> None:
    """Raise or lower what a channel that is linked has issued."""
    with translated():
        await source.execute(load_queries("persons")["set_sign_level"], sign_no, level)


async def end_sign(connection: AnyConnection, sign_no: SignNo, *, now: datetime) -> None:
    """Unlink a channel. Doing it twice changes nothing."""
    with translated():
        await connection.execute(load_queries("persons")["end_sign"], sign_no, now)


async def load_devices(source: Source, card: CardId) -> list[CardDevice]:
    """The phones of a card, the revoked ones as well."""
    with translated():
        rows = await source.fetch(load_queries("persons")["devices"], card)
    return [CardDevice(**dict(row)) for row in rows]


async def insert_device(
    connection: AnyConnection, device_no: int, card: CardId, *, key_id: int, by: bytes, now: datetime
) -> bool:
    """True if the number was free, and is this phone's from now on."""
    queries = load_queries("persons")
    with translated():
        taken = await connection.fetchval(queries["insert_device"], device_no, card, key_id)
        if taken is None:
            return False
        await connection.execute(queries["insert_card_device"], device_no, card, by, now)
    return True


async def revoke_device(connection: AnyConnection, device_no: int, card: CardId, *, now: datetime) -> bool:
    """True if the card has this phone; no code of it pays once this is committed and the lanes were passed."""
    queries = load_queries("persons")
    with translated():
        found = await connection.fetchval(queries["revoke_device"], device_no, card)
        await connection.execute(queries["revoke_card_device"], device_no, now)
    return found is not None


async def load_relatives(source: Source, guardian: CardId) -> list[Relative]:
    """Everybody whom a card helps or has helped, newest first."""
    with translated():
        rows = await source.fetch(load_queries("persons")["relatives"], guardian)
    return [_relative_of(row) for row in rows]


async def load_relative(source: Source, relative: RelativeId) -> Relative | None:
    """One of them."""
    with translated():
        row = await source.fetchrow(load_queries("persons")["relative"], relative)
    return _relative_of(row) if row is not None else None


async def load_expired_relatives(source: Source, *, today: date, count: int) -> list[Relative]:
    """Links whose time is over and that were not ended."""
    with translated():
        rows = await source.fetch(load_queries("persons")["expired_relatives"], today, count)
    return [_relative_of(row) for row in rows]


async def insert_relative(connection: AnyConnection, relative: Relative) -> None:
    """Link two cards that were not."""
    with translated():
        await connection.execute(
            load_queries("persons")["insert_relative"],
            relative.id,
            relative.guardian,
            relative.ward,
            relative.relation,
            relative.proof,
            relative.linked_by,
            relative.linked_at,
            relative.expires_on,
        )


async def end_relative(source: Source, relative: RelativeId, *, now: datetime) -> None:
    """End a link. Doing it twice changes nothing."""
    with translated():
        await source.execute(load_queries("persons")["end_relative"], relative, now)


async def load_expired_cards(source: "AnyConnection | asyncpg.Pool", *, today: date, count: int) -> list[CardId]:
    """Cards in use whose physical card's time is over."""
    with translated():
        rows = await source.fetch(load_queries("persons")["expired_cards"], today, count)
    return [CardId(row["card"]) for row in rows]


def _card_of(row: asyncpg.Record) -> RegisteredCard:
    values = dict(row)
    return RegisteredCard(
        **values
        | {
            "status": CardStatus(values["status"]),
            "issue_level": IssueLevel(values["issue_level"]),
        }
    )


def _sign_of(row: asyncpg.Record) -> Sign:
    values = dict(row)
    return Sign(**values | {"level": IssueLevel(values["level"])})


def _relative_of(row: asyncpg.Record) -> Relative:
    return Relative(**dict(row))
