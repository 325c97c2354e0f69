"""What the register of cards says of the sample city's people."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Final, Protocol

from engine.codes.keys import FIELD_KEY_ID
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


def register_rows(holders: Sequence[tuple[Cardholder, CardId, BankId]], sealing: Sealing) -> dict[str, list[Row]]:
    """Rows of the register by table, column by column. Who may pay has an activated bank account."""
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
    }


def _card_row(holder: Cardholder, card: CardId, bank: BankId, sealing: Sealing) -> Row:
    account = f"{holder.cnaps[:3]}{holder.phone}{holder.index:05d}"
    is_activated = holder.issue_level is IssueLevel.PAYMENT
    return (
        card,
        with_kind_number(card, IdKind.PERSON),
        holder.region,
        bank,
        sealing.seal(BANK_ACCOUNT_PLACE, account) if is_activated else None,
        sealing.index(BANK_ACCOUNT_PLACE, account) if is_activated else None,
        FIELD_KEY_ID,
        _OPENED_AT,
        _OPENED_AT if holder.status is CardStatus.CANCELLED else None,
    )
