"""What the register of cards says of the sample city's people."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Final, Protocol

from engine.codes.keys import FIELD_KEY_ID
from engine.core.cards import SIGN_LASTS
from engine.core.ids import BankId, CardId, IdKind, with_kind_number
from engine.core.payer import CardStatus, IssueLevel
from engine.sandbox.people import Cardholder
from engine.store.persons import (
    BANK_ACCOUNT_PLACE,
    CARD_NUMBER_PLACE,
    ID_NUMBER_PLACE,
    NAME_PLACE,
    PHONE_PLACE,
)
from engine.store.rows import Row

_OPENED_AT: Final = datetime(2020, 1, 1, tzinfo=UTC)  # the city is older than any of its payments
_ISSUED_ON: Final = date(2020, 1, 1)
_VALID_UNTIL: Final = date(2040, 1, 1)


class Sealing(Protocol):
    """Seals and indexes texts, always the same way."""

    def seal(self, place: str, text: str) -> bytes:
        """The text, sealed for its place."""

    def index(self, place: str, text: str) -> bytes:
        """What the text is found by."""


def register_rows(
    holders: Sequence[tuple[Cardholder, CardId, BankId]], channels: Mapping[str, bytes], sealing: Sealing
) -> dict[str, list[Row]]:
    """Rows of the register by table, column by column. Who may pay has an activated bank account, and everybody's
    electronic card was issued by the app that shows it, out of *channels* by their numbers.
    """
    return {
        "person": [
            (
                with_kind_number(card, IdKind.PERSON),
                holder.region,
                sealing.index(ID_NUMBER_PLACE, holder.id_number),
                sealing.seal(ID_NUMBER_PLACE, holder.id_number),
                sealing.seal(NAME_PLACE, holder.full_name),
                sealing.seal(PHONE_PLACE, holder.phone),
                FIELD_KEY_ID,
                _OPENED_AT,
            )
            for holder, card, _ in holders
        ],
        "card": [_card_row(holder, card, bank, sealing) for holder, card, bank in holders],
        "physical_card": [
            (
                card,
                1,
                sealing.index(CARD_NUMBER_PLACE, holder.card_no),
                sealing.seal(CARD_NUMBER_PLACE, holder.card_no),
                FIELD_KEY_ID,
                _ISSUED_ON,
                _VALID_UNTIL,
                None,
            )
            for holder, card, _ in holders
        ],
        "card_sign": [
            (
                with_kind_number(card, IdKind.SIGN),
                card,
                channels[holder.channel_no],
                holder.issue_level,
                _OPENED_AT,
                _OPENED_AT + SIGN_LASTS,
                _OPENED_AT if holder.status is CardStatus.CANCELLED else None,
            )
            for holder, card, _ in holders
        ],
    }


def bank_account(holder: Cardholder) -> str | None:
    """The card's activated account with its bank; None if it has none."""
    if holder.issue_level is not IssueLevel.PAYMENT:
        return None
    return f"{holder.cnaps[:3]}{holder.phone}{holder.index:05d}"


def _card_row(holder: Cardholder, card: CardId, bank: BankId, sealing: Sealing) -> Row:
    account = bank_account(holder)
    return (
        card,
        with_kind_number(card, IdKind.PERSON),
        holder.region,
        bank,
        sealing.seal(BANK_ACCOUNT_PLACE, account) if account is not None else None,
        sealing.index(BANK_ACCOUNT_PLACE, account) if account is not None else None,
        FIELD_KEY_ID,
        _OPENED_AT,
        _OPENED_AT if holder.status is CardStatus.CANCELLED else None,
    )
