"""Who takes part, and what of it can be true: kinds, codes, regions, the rights of operators."""

import enum
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Final

import msgspec

from engine.core.benefits import HOSPITAL_LEVELS
from engine.core.ids import PREFIXES, REGION_MAX, IdKind, parse_id
from engine.core.scenarios import BY_NAME, BY_NUMBER

NAME_CHARS_MAX: Final = 100
TERMINALS_MAX: Final = 500
DELIVERY_PLACES_MAX: Final = 99  # cycles of a day
NATIONAL: Final = 0
"""The region of the whole country; its code is written 000000."""


KEY_PAIR_ONLY: Final = "an operator signs with a key pair of its own"


class ParticipantKind(enum.StrEnum):
    """What takes part."""

    MERCHANT = "merchant"
    BANK = "bank"
    AGENCY = "agency"
    OPERATOR = "operator"


class AgencyItem(enum.IntEnum):
    """What an agency collects or pays. Stored; numbers are never re-used."""

    PREMIUM = 1
    EXAM_FEE = 2
    TRAINING_FEE = 3
    BENEFIT = 4


class OperatorRole(enum.IntEnum):
    """What an operator is there for. Stored; numbers are never re-used."""

    OPERATIONS = 1
    REVIEW = 2
    AUDIT = 3


class Right(enum.Enum):
    """What an operator may do."""

    READ = "read"
    STOP = "stop"  # suspend, revoke: what can only prevent something needs no second person
    REQUEST = "request"
    DECIDE = "decide"  # on what another operator has asked for


RIGHTS: Final[Mapping[OperatorRole, frozenset[Right]]] = {
    OperatorRole.OPERATIONS: frozenset(Right),
    OperatorRole.REVIEW: frozenset({Right.READ, Right.STOP, Right.DECIDE}),
    OperatorRole.AUDIT: frozenset({Right.READ}),
}

ID_KINDS: Final[Mapping[ParticipantKind, IdKind]] = {kind: IdKind[kind.name] for kind in ParticipantKind}
ITEMS: Final[Mapping[str, AgencyItem]] = {item.name.lower(): item for item in AgencyItem}
ROLES: Final[Mapping[str, OperatorRole]] = {role.name.lower(): role for role in OperatorRole}


class Operator(msgspec.Struct, frozen=True):
    """An operator as the rules see it. `region` is the region that it answers for, with all below it."""

    id: bytes
    role: OperatorRole
    region: int
    is_suspended: bool

    def may(self, right: Right, region: int) -> bool:
        """True if the operator has *right* over *region*."""
        return not self.is_suspended and right in RIGHTS[self.role] and covers(self.region, region)


class Registration(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who is to take part, as the books need it. What a kind does not have is left at its default.

    Shape: `bank` is the CNAPS number of the bank that keeps the account of a merchant or an agency; `public_key` is PEM
    (SubjectPublicKeyInfo), empty where `alg` is that of a shared secret; `level` is the grade of a hospital, 0 of a
    merchant that has none; `delivery` are the places of the cycles in the day at whose end a bank gets its files, empty
    for every cycle.
    """

    kind: ParticipantKind
    code: str
    name_zh: str
    name_en: str
    region: int
    bank: str = ""
    scenarios: tuple[str, ...] = ()
    terminals: tuple[str, ...] = ()
    level: int = 0
    item: str = ""
    role: str = ""
    is_settlement_bank: bool = False
    delivery: tuple[int, ...] = ()
    alg: str = ""
    public_key: str = ""


class WrongField(msgspec.Struct, frozen=True):
    """A field that cannot be so, and why."""

    field: str
    reason: str


def parse_participant_id(text: str) -> bytes:
    """The id of a participant, of whichever kind its prefix says.

    Raises:
        MalformedId: it is none.
    """
    prefix = f"{text.partition('_')[0]}_"
    kind = next((kind for kind in ID_KINDS.values() if PREFIXES[kind] == prefix), IdKind.MERCHANT)
    return parse_id(text, kind)


def may_share_secret(kind: ParticipantKind) -> bool:
    """True if a participant may sign with a secret that the engine has made, and that an operator hands over.

    An operator may not: whoever saw its secret could be both pairs of eyes.
    """
    return kind is not ParticipantKind.OPERATOR


def covers(scope: int, region: int) -> bool:
    """True if *region* is *scope* or lies in it."""
    lowest, highest = regions_of(scope)
    return lowest <= region <= highest


def regions_of(scope: int) -> tuple[int, int]:
    """The lowest and the highest region of *scope*.

    Source: GB/T 2260, two digits each of province, city and district.
    """
    if scope == NATIONAL:
        return NATIONAL, REGION_MAX
    size = 10_000 if scope % 10_000 == 0 else 100 if scope % 100 == 0 else 1
    return scope, scope + size - 1


def is_region(region: int) -> bool:
    """True if *region* is the whole country, or written like a code of GB/T 2260: no city without a province."""
    province, city, district = region // 10_000, region // 100 % 100, region % 100
    if not 0 <= region <= REGION_MAX or (province == 0 and region != NATIONAL):
        return False
    # Districts that a province governs itself stand under city 90 and the like, never under city 00.
    return city != 0 or district == 0


def is_bank_number(text: str) -> bool:
    """True if *text* is a CNAPS number: twelve digits, the last the check of ISO 7064 MOD 11,10."""
    if not _BANK_NUMBER.fullmatch(text):
        return False
    product = 10
    for digit in text[:11]:
        product = ((product + int(digit)) % 10 or 10) * 2 % 11
    return (product + int(text[11])) % 10 == 1


def wrong_fields(registration: Registration) -> Iterator[WrongField]:
    """What is wrong with a registration as it stands; nothing if it may be asked for."""
    kind = registration.kind
    if not is_region(registration.region):
        yield WrongField("region", "not a region of GB/T 2260")
    for field in ("name_zh", "name_en"):
        name: str = getattr(registration, field)
        if not (0 < len(name) <= NAME_CHARS_MAX and name.isprintable() and name == name.strip()):
            yield WrongField(field, f"1 to {NAME_CHARS_MAX} printable characters")
    pattern, text = CODE_PATTERNS[kind]
    if not pattern.fullmatch(registration.code) or (
        kind is ParticipantKind.BANK and not is_bank_number(registration.code)
    ):
        yield WrongField("code", text)
    elif kind is ParticipantKind.MERCHANT and int(registration.code[1:7]) != registration.region:
        yield WrongField("region", "not the region that the code names")
    if registration.alg and not registration.public_key and not may_share_secret(kind):
        yield WrongField("key", KEY_PAIR_ONLY)
    for field, check in _OWN_FIELDS[kind].items():
        reason = check(registration)
        if reason is not None:
            yield WrongField(field, reason)
    for field in _KIND_FIELDS - _OWN_FIELDS[kind].keys():
        if getattr(registration, field) != _DEFAULTS[field]:
            yield WrongField(field, f"not for a participant of kind {kind.value}")


_BANK_NUMBER: Final = re.compile(r"[0-9]{12}", re.ASCII)
_TERMINAL: Final = re.compile(r"[0-9A-Za-z_.:-]{1,32}", re.ASCII)
CODE_PATTERNS: Final[Mapping[ParticipantKind, tuple[re.Pattern[str], str]]] = {
    ParticipantKind.MERCHANT: (
        re.compile(r"[CHP][0-9]{11}", re.ASCII),
        "H (hospital), P (pharmacy) or C (the city's other services) and eleven digits, the first six the region",
    ),
    ParticipantKind.BANK: (_BANK_NUMBER, "a CNAPS number: twelve digits, the last its check digit"),
    ParticipantKind.AGENCY: (re.compile(r"[0-9A-Za-z-]{1,32}", re.ASCII), "1 to 32 letters, digits and hyphens"),
    ParticipantKind.OPERATOR: (re.compile(r"[0-9a-z-]{1,32}", re.ASCII), "1 to 32 of a-z, 0-9 and the hyphen"),
}


def wrong_bank(registration: Registration) -> str | None:
    """Why the bank of an account cannot be meant."""
    return None if is_bank_number(registration.bank) else "a CNAPS number: twelve digits, the last its check digit"


def wrong_scenarios(names: tuple[str, ...]) -> str | None:
    """Why a merchant cannot have these scenarios."""
    if names and len(set(names)) == len(names) and BY_NAME.keys() >= set(names):
        return None
    return f"one or more of {', '.join(BY_NAME)}, each once"


def wrong_terminals(names: tuple[str, ...]) -> str | None:
    """Why a merchant cannot have these terminals."""
    if len(set(names)) == len(names) <= TERMINALS_MAX and all(_TERMINAL.fullmatch(name) for name in names):
        return None
    return f"at most {TERMINALS_MAX}, each once, of 1 to 32 characters 0-9 A-Z a-z _ . : -"


def wrong_level(level: int) -> str | None:
    """Why a merchant cannot have this grade."""
    if level in HOSPITAL_LEVELS:
        return None
    return f"the grade of a hospital, {HOSPITAL_LEVELS[0]} to {HOSPITAL_LEVELS[-1]}; 0 is none"


def wrong_delivery(places: tuple[int, ...]) -> str | None:
    """Why a bank cannot get its files at these cycles of the day."""
    if list(places) == sorted(set(places)) and all(1 <= place <= DELIVERY_PLACES_MAX for place in places):
        return None
    return f"places of cycles in the day, 1 to {DELIVERY_PLACES_MAX}, rising"


_Check = Callable[[Registration], str | None]
_OWN_FIELDS: Final[Mapping[ParticipantKind, Mapping[str, _Check]]] = {
    ParticipantKind.MERCHANT: {
        "bank": wrong_bank,
        "scenarios": lambda given: wrong_scenarios(given.scenarios),
        "terminals": lambda given: wrong_terminals(given.terminals),
        "level": lambda given: wrong_level(given.level),
    },
    ParticipantKind.BANK: {
        "is_settlement_bank": lambda _: None,
        "delivery": lambda given: wrong_delivery(given.delivery),
    },
    ParticipantKind.AGENCY: {
        "bank": wrong_bank,
        "item": lambda given: None if given.item in ITEMS else f"one of {', '.join(ITEMS)}",
    },
    ParticipantKind.OPERATOR: {
        "role": lambda given: None if given.role in ROLES else f"one of {', '.join(ROLES)}",
    },
}
_KIND_FIELDS: Final = frozenset(field for fields in _OWN_FIELDS.values() for field in fields)
_DEFAULTS: Final = {
    field.name: field.default for field in msgspec.structs.fields(Registration) if field.name in _KIND_FIELDS
}


class Participant(msgspec.Struct, frozen=True, kw_only=True):
    """One participant as it stands. What its kind does not have is None or empty."""

    id: bytes
    kind: ParticipantKind
    code: str
    name_zh: str
    name_en: str
    region: int
    bank: str | None
    scenarios: tuple[int, ...]
    level: int | None
    item: AgencyItem | None
    role: OperatorRole | None
    is_settlement_bank: bool
    delivery: tuple[int, ...]
    is_suspended: bool
    suspended_reason: str | None
    version: int
    registered_at: datetime | None
    changed_at: datetime | None


class Change(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is to be different about a participant; None leaves it as it is.

    `version` is that of the participant when it was asked for: what was meant for another state is not done.
    """

    id: str
    version: int
    name_zh: str | None = None
    name_en: str | None = None
    bank: str | None = None
    scenarios: tuple[str, ...] | None = None
    level: int | None = None
    item: str | None = None
    role: str | None = None
    delivery: tuple[int, ...] | None = None


def changed(participant: Participant, change: Change) -> Registration:
    """The participant as it will be, in the form in which registrations are judged."""
    return Registration(
        kind=participant.kind,
        code=participant.code,
        region=participant.region,
        name_zh=change.name_zh if change.name_zh is not None else participant.name_zh,
        name_en=change.name_en if change.name_en is not None else participant.name_en,
        bank=change.bank if change.bank is not None else participant.bank or "",
        scenarios=change.scenarios if change.scenarios is not None else _names(participant.scenarios),
        level=change.level if change.level is not None else participant.level or 0,
        item=change.item if change.item is not None else _name(participant.item),
        role=change.role if change.role is not None else _name(participant.role),
        is_settlement_bank=participant.is_settlement_bank,
        delivery=change.delivery if change.delivery is not None else participant.delivery,
    )


def _names(scenarios: tuple[int, ...]) -> tuple[str, ...]:
    return tuple(BY_NUMBER[number].name for number in scenarios)


def _name(member: AgencyItem | OperatorRole | None) -> str:
    return member.name.lower() if member is not None else ""
