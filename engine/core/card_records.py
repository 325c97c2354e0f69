"""What is said of a card that comes into the register: a line of a file, or an operator's request; and what may be."""

import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Final

import msgspec

from engine.core.cards import is_card_number
from engine.core.id_numbers import is_card_region, parse_id_number
from engine.core.participants import is_bank_number
from engine.core.refusals import Refusal

NAME_CHARS_MAX: Final = 50
RECORD_FIELDS: Final = (
    "name",
    "id_number",
    "phone",
    "card_no",
    "region",
    "bank",
    "bank_account",
    "issued_on",
    "valid_until",
    "insurance",
    "person_type",
)
OPTIONAL_FIELDS: Final = frozenset({"phone", "bank_account", "insurance", "person_type"})

_PHONE: Final = re.compile(r"1[0-9]{10}", re.ASCII)
_ACCOUNT: Final = re.compile(r"[0-9A-Za-z-]{4,34}", re.ASCII)
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_REGION: Final = re.compile(r"[0-9]{6}", re.ASCII)
_INSURANCES: Final = frozenset({310, 390})
_PERSON_TYPES: Final = frozenset({11, 12, 13, 14, 15, 16})


class CardRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A card that may come into the register. Its repr shows nothing of the person."""

    name: str
    id_number: str  # eighteen characters
    phone: str | None
    card_no: str
    region: int
    bank: int  # CNAPS
    bank_account: str | None  # None: not activated
    issued_on: date
    valid_until: date
    insurance: int  # 0: not insured
    person_type: int

    def __repr__(self) -> str:
        return f"CardRecord(region={self.region})"


class WrongRecord(msgspec.Struct, frozen=True):
    """What cannot be so: the field, why, without telling the value, and as which refusal it is told."""

    field: str
    reason: str
    refusal: Refusal = Refusal.FIELD_INVALID


def read_record(given: Mapping[str, str], *, today: date) -> CardRecord | tuple[WrongRecord, ...]:
    """The card that the texts describe, or everything that is wrong with them. What is optional may be empty."""
    wrong = tuple(_wrong_fields(given, today))
    if wrong:
        return wrong
    number = parse_id_number(given["id_number"], today=today)
    assert not isinstance(number, str), "judged above"
    return CardRecord(
        name=given["name"],
        id_number=number.text,
        phone=given.get("phone") or None,
        card_no=given["card_no"],
        region=int(given["region"]),
        bank=int(given["bank"]),
        bank_account=given.get("bank_account") or None,
        issued_on=date.fromisoformat(given["issued_on"]),
        valid_until=date.fromisoformat(given["valid_until"]),
        insurance=int(given.get("insurance") or 0),
        person_type=int(given.get("person_type") or 0),
    )


def wrong_name(name: str) -> str | None:
    """Why a person cannot be called so."""
    if 0 < len(name) <= NAME_CHARS_MAX and name.isprintable() and name == name.strip():
        return None
    return f"1 to {NAME_CHARS_MAX} printable characters, no blanks around them"


def _wrong_fields(given: Mapping[str, str], today: date) -> Iterator[WrongRecord]:
    name = wrong_name(given["name"])
    if name is not None:
        yield WrongRecord("name", name)
    number = parse_id_number(given["id_number"], today=today)
    if isinstance(number, str):
        yield WrongRecord("id_number", number, Refusal.ID_NUMBER_INVALID)
    phone, account = given.get("phone"), given.get("bank_account")
    if phone and not _PHONE.fullmatch(phone):
        yield WrongRecord("phone", "eleven digits that begin with 1")
    if not is_card_number(given["card_no"]):
        yield WrongRecord("card_no", "eight digits or capitals and the check character of GB 11714")
    region = given["region"]
    if not (_REGION.fullmatch(region) and is_card_region(int(region))):
        yield WrongRecord("region", "not a region of GB/T 2260", Refusal.REGION_UNKNOWN)
    if not is_bank_number(given["bank"]):
        yield WrongRecord("bank", "a CNAPS number: twelve digits, the last its check digit")
    if account and not _ACCOUNT.fullmatch(account):
        yield WrongRecord("bank_account", "4 to 34 digits, letters and hyphens")
    yield from _wrong_dates(given["issued_on"], given["valid_until"], today)
    yield from _wrong_insurance(given.get("insurance", ""), given.get("person_type", ""))


def wrong_dates(issued_on: date, valid_until: date, *, today: date) -> WrongRecord | None:
    """Why a physical card cannot be issued and valid so."""
    if issued_on > today:
        return WrongRecord("issued_on", "in the future")
    if valid_until <= issued_on:
        return WrongRecord("valid_until", "not after it was issued")
    return None


def _wrong_dates(issued_on: str, valid_until: str, today: date) -> Iterator[WrongRecord]:
    days = {"issued_on": _day(issued_on), "valid_until": _day(valid_until)}
    for field, day in days.items():
        if day is None:
            yield WrongRecord(field, "a date is written YYYY-MM-DD")
    issued, until = days.values()
    if issued is not None and until is not None:
        wrong = wrong_dates(issued, until, today=today)
        if wrong is not None:
            yield wrong


def _wrong_insurance(insurance: str, person_type: str) -> Iterator[WrongRecord]:
    if insurance and not (insurance.isascii() and insurance.isdigit() and int(insurance) in _INSURANCES):
        yield WrongRecord("insurance", "310 (employees) or 390 (residents), or empty")
    if person_type and not (person_type.isascii() and person_type.isdigit() and int(person_type) in _PERSON_TYPES):
        yield WrongRecord("person_type", "11 to 16, or empty")
    elif bool(insurance) is not bool(person_type):
        yield WrongRecord("person_type", "with an insurance, and only with one")


def _day(text: str) -> date | None:
    if not _DATE.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
