"""What goes over the wire about cards of the register, their passwords and what their holders have chosen: requests,
answers, and one from the other. Personal data are masked on the way out.
"""

from datetime import date, datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from engine.core.card_records import NAME_CHARS_MAX
from engine.core.ids import CardId, id_text
from engine.core.masking import masked_id_number, masked_name, masked_number
from engine.core.payer import CardStatus, TenderOrder
from engine.core.relatives import Relation
from engine.flows.card_devices import NewDevice
from engine.flows.card_register import Holder
from engine.flows.import_cards import ImportReport
from engine.store.persons import CardDevice, RegisteredCard, Relative, Sign
from engine.web.passkeys.credential import PasskeyAssertion
from engine.web.wire import PasswordBlockText
from engine.web.wire_participants import BankNumber, Reason, RegionCode

# Generous in shape, so that what is wrong with a number is said as what it is, and not as a field's.
NumberText = Annotated[str, Meta(min_length=1, max_length=64)]
PersonName = Annotated[str, Meta(min_length=1, max_length=NAME_CHARS_MAX, pattern=r"^[^\x00-\x1f\x7f]*\Z")]
Proof = Annotated[str, Meta(pattern=r"^[a-z_]{1,32}:[0-9a-f]{64}\Z")]
RelationName = Literal["spouse", "parent", "child", "sibling", "other"]
StatusName = Literal["active", "lost", "suspended", "cancelled", "expired"]
ORDERS = {order.name.lower(): order for order in TenderOrder}


class CardRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bring a card into the register, and open its account."""

    name: PersonName
    id_number: NumberText
    phone: NumberText | None = None
    card_no: NumberText
    region: RegionCode
    bank: BankNumber
    bank_account: NumberText | None = None
    issued_on: date
    valid_until: date
    insurance: Literal["310", "390"] | None = None
    person_type: Literal["11", "12", "13", "14", "15", "16"] | None = None


class CardSearchRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Find a card. A channel gives all three of what a person can show; an operator one of the numbers."""

    id_number: NumberText | None = None
    name: PersonName | None = None
    card_no: NumberText | None = None


class SignRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Issue the electronic card on the channel that calls."""

    id_number: NumberText
    name: PersonName
    card_no: NumberText


class PaymentEnablingRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Let the card pay: its bank account, and the telephone number that the bank has."""

    bank: BankNumber
    bank_account: NumberText
    phone: NumberText


class AgreementRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What shows that the person agrees: one of the two. Requests that need it have these fields and their own."""

    password_block: PasswordBlockText | None = None
    passkey: PasskeyAssertion | None = None


class EndingRequest(AgreementRequest, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """End something for the person, who agrees; an operator gives a reason instead."""

    reason: Reason | None = None


class ReplacementRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Give the card a new physical card."""

    card_no: NumberText
    issued_on: date
    valid_until: date
    reason: Reason


class RelativeRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Let the card's personal account help with a relative's medical bills."""

    id_number: NumberText
    name: PersonName
    card_no: NumberText
    relation: RelationName
    proof: Proof
    expires_on: date


class PasswordRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Set a card's password."""

    new_password_block: PasswordBlockText
    password_block: PasswordBlockText | None = None


class SettingsRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Take what a cardholder has chosen. Units: fen."""

    no_password_up_to: Literal[0, 20_000, 50_000, 80_000, 100_000, 200_000] | None = None
    tender_order: Literal["personal_account_first", "bank_card_only", "personal_account_only"] | None = None


class CardSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A card of the register; everything about its person is masked."""

    id: str
    name: str
    id_number: str
    phone: str | None
    card_no: str | None
    region: str
    bank: str
    bank_account: str | None
    status: StatusName
    issue_level: int
    has_password: bool
    issued_on: date | None
    valid_until: date | None
    opened_at: datetime


class CardChangeView(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a card's history."""

    at: datetime
    status: StatusName
    issue_level: int


class SignView(msgspec.Struct, frozen=True, kw_only=True):
    """What a channel has issued of an electronic card; the status is the card's."""

    sign_no: str
    card_id: str
    channel_id: str
    sign_level: int
    status: StatusName
    linked_at: datetime
    valid_until: datetime
    unlinked_at: datetime | None


class CardDetails(CardSummary, frozen=True, kw_only=True):
    """A card of the register, with what is issued of it (a channel sees its own) and its history."""

    signs: tuple[SignView, ...]
    history: tuple[CardChangeView, ...]


class NewDeviceView(msgspec.Struct, frozen=True, kw_only=True):
    """A phone that was just registered, with its key, which is shown in this answer only."""

    device_no: str
    key_id: int
    totp_key: str
    registered_at: datetime

    def __repr__(self) -> str:
        return f"NewDeviceView(device_no={self.device_no!r}, totp_key=<masked>)"


class DeviceView(msgspec.Struct, frozen=True, kw_only=True):
    """A phone that shows the card's codes."""

    device_no: str
    status: Literal["active", "revoked"]
    registered_at: datetime | None
    revoked_at: datetime | None


class DeviceList(msgspec.Struct, frozen=True, kw_only=True):
    """Every phone of a card."""

    items: tuple[DeviceView, ...]
    next_cursor: None = None


class RelativeView(msgspec.Struct, frozen=True, kw_only=True):
    """A relative whom the card's personal account helps, or has helped."""

    id: str
    card_id: str
    relative_card_id: str
    name: str
    relation: RelationName
    proof: str
    linked_at: datetime
    expires_on: date
    ended_at: datetime | None


class RelativeList(msgspec.Struct, frozen=True, kw_only=True):
    """Every relative whom a card helps or has helped, newest first."""

    items: tuple[RelativeView, ...]
    next_cursor: None = None


class CardLineFault(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with a line of a file, and where."""

    line: int
    field: str
    reason: str


class CardImportView(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a file of cards."""

    sha256: str
    lines: int
    fresh: int
    unchanged: int
    faulty: int
    faults: tuple[CardLineFault, ...]


def status_name(status: CardStatus) -> StatusName:
    """The wire's name of a status."""
    return status.name.lower()  # type: ignore[return-value]  # a Literal from an enum


def card_summary(card: RegisteredCard, holder: Holder) -> CardSummary:
    """A card as the wire shows it."""
    return CardSummary(
        id=id_text(card.id),
        name=masked_name(holder.name),
        id_number=masked_id_number(holder.id_number),
        phone=masked_number(holder.phone) if holder.phone is not None else None,
        card_no=masked_number(holder.card_no) if holder.card_no is not None else None,
        region=f"{card.region:06d}",
        bank=f"{card.cnaps:012d}",
        bank_account=masked_number(holder.bank_account) if holder.bank_account is not None else None,
        status=status_name(card.status),
        issue_level=card.issue_level,
        has_password=card.has_password,
        issued_on=card.issued_on,
        valid_until=card.valid_until,
        opened_at=card.opened_at,
    )


def card_details(
    card: RegisteredCard, holder: Holder, signs: tuple[SignView, ...], history: tuple[CardChangeView, ...]
) -> CardDetails:
    """A card with what is issued of it and its history."""
    summary = msgspec.structs.asdict(card_summary(card, holder))
    return CardDetails(**summary, signs=signs, history=history)


def sign_view(sign: Sign, status: CardStatus) -> SignView:
    """An issue as the wire shows it."""
    return SignView(
        sign_no=id_text(sign.sign_no),
        card_id=id_text(sign.card),
        channel_id=id_text(sign.channel),
        sign_level=sign.level,
        status=status_name(status),
        linked_at=sign.linked_at,
        valid_until=sign.valid_until,
        unlinked_at=sign.unlinked_at,
    )


def new_device_view(device: NewDevice, totp_key: str) -> NewDeviceView:
    """A new phone; *totp_key* is Base64."""
    return NewDeviceView(
        device_no=f"{device.device_no:011d}",
        key_id=device.key_id,
        totp_key=totp_key,
        registered_at=device.registered_at,
    )


def device_view(device: CardDevice) -> DeviceView:
    """A phone as the wire shows it."""
    return DeviceView(
        device_no=f"{device.device_no:011d}",
        status="revoked" if device.is_revoked else "active",
        registered_at=device.registered_at,
        revoked_at=device.revoked_at,
    )


def relative_view(relative: Relative, name: str) -> RelativeView:
    """A relative as the wire shows one; *name* is masked here."""
    return RelativeView(
        id=id_text(relative.id),
        card_id=id_text(relative.guardian),
        relative_card_id=id_text(CardId(relative.ward)),
        name=masked_name(name),
        relation=Relation(relative.relation).name.lower(),  # type: ignore[arg-type]  # a Literal from an enum
        proof=relative.proof,
        linked_at=relative.linked_at,
        expires_on=relative.expires_on,
        ended_at=relative.ended_at,
    )


def card_import_view(report: ImportReport) -> CardImportView:
    """What came of a file as the wire shows it."""
    return CardImportView(
        sha256=report.sha256,
        lines=report.lines,
        fresh=report.fresh,
        unchanged=report.unchanged,
        faulty=report.faulty,
        faults=tuple(CardLineFault(line=one.line, field=one.field, reason=one.reason) for one in report.faults),
    )
