"""Ride tickets: what a gate without a network makes of a verified code, and brings in later to be paid.

A ticket is signed with the key of its terminal and numbered 1, 2, 3 … without gaps, so that a forged ticket, one that
is brought in twice and one that is missing are told apart. One ticket is one line of JSON, and a file of them NDJSON:

    {"merchant_id":"mer_…","terminal_id":"G-01","sequence":7,"code":"91…","code_issued_s":1764000000,
     "taken_s":1764000004,"amount":300,"scenario":"transit","ride_no":"R-7","signature":"…"}

The signature (Ed25519, Base64url without padding) covers the line ``ssc ride ticket 1`` and the nine fields in the
order above, each as it is written in JSON but without quotes, and each ended by a line feed. No field can hold one.
"""

import binascii
import enum
import hashlib
import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from engine.codes.http_signature import Ed25519Key
from engine.codes.pay_code import PayCode, parse_pay_code
from engine.codes.signed_code import AGE_S_MAX, SKEW_S
from engine.core.ids import IdKind, MalformedId, parse_id
from engine.core.money import AMOUNT_FEN_MAX
from engine.core.scenarios import BY_NAME

LINE_BYTES_MAX: Final = 1_000
SEQUENCE_MAX: Final = 2**53 - 1  # what every JSON library reads exactly
SECONDS_MAX: Final = 2**32 - 1
LATE_S_MAX: Final = 3 * 86_400  # over a long weekend; as long as that the uses of codes have to be remembered

_HEADING: Final = "ssc ride ticket 1"
_SIGNATURE_BYTES: Final = 64


class RideTicket(msgspec.Struct, frozen=True, kw_only=True):
    """One ride, or one entry, as a gate saw it. Units: fen, unix seconds.

    Shape: `code` is the 24 digits, which have been used; `sequence` counts the tickets of this terminal from 1;
    `scenario` is a name of the table; `ride_no` is the merchant's own number of the ride, good once: its order number.
    """

    merchant_id: str
    terminal_id: str
    sequence: int
    code: str
    code_issued_s: int
    taken_s: int
    amount: int
    scenario: str
    ride_no: str

    def __repr__(self) -> str:
        return f"RideTicket(terminal_id={self.terminal_id!r}, sequence={self.sequence}, amount={self.amount}, ***)"


class SignedTicket(msgspec.Struct, frozen=True):
    """A ticket and the signature that came with it, which is not verified yet."""

    ticket: RideTicket
    signature: bytes


class TicketFault(msgspec.Struct, frozen=True):
    """What is wrong with a field of a line, or with the line where the pointer is empty. It quotes nothing."""

    pointer: str
    reason: str


class TerminalKey(msgspec.Struct, frozen=True, kw_only=True):
    """A public key of a terminal, and when what it signs counts. Units: unix seconds; `retired_s` is excluded."""

    key: Ed25519Key
    valid_from_s: float
    retired_s: float | None = None

    def signs_at(self, at_s: float) -> bool:
        """True if a ticket taken then may be signed with it."""
        return self.valid_from_s <= at_s and (self.retired_s is None or at_s < self.retired_s)


class TicketVerdict(enum.Enum):
    """What a ticket is, before anybody asks whether its code pays. The first that applies is given."""

    FORGED = "forged"  # not signed with a key that its terminal had then: nothing in it is believed
    REPEATED = "repeated"  # its number was taken before: by this very ticket (see `ticket_id`), or by another one
    GAP = "gap"  # tickets before it are missing: it may be brought in again after them
    CODE_STALE = "code_stale"  # the code was not of its minute when the ticket was taken
    TAKEN_LATER = "taken_later"  # than now: the gate's clock is wrong
    TOO_LATE = "too_late"  # to be paid
    GOOD = "good"

    @property
    def takes_number(self) -> bool:
        """True if the next ticket is expected after this one; else a bad one would hold up all that follow."""
        return self not in (TicketVerdict.FORGED, TicketVerdict.REPEATED, TicketVerdict.GAP)


def read_ticket(line: bytes) -> SignedTicket | tuple[TicketFault, ...]:
    """The ticket on this line, or every fault of it, in the order of the fields.

    Bounds: 1,000 bytes, with or without the line feed. There is one way to write a value: a number is a whole one, a
    field comes once, and there is no field that has no meaning.
    """
    if len(line) > LINE_BYTES_MAX:
        return (TicketFault("", f"longer than {LINE_BYTES_MAX} bytes"),)
    try:
        pairs: object = json.loads(line.decode(), object_pairs_hook=tuple)
    except (ValueError, RecursionError):
        return (TicketFault("", "not JSON in UTF-8"),)
    if not isinstance(pairs, tuple):
        return (TicketFault("", "not an object"),)
    given: dict[str, object] = dict(pairs)
    faults = [TicketFault(f"/{name}", reason) for name, reason in _faults(pairs, given)]
    if faults:
        return tuple(faults)
    signature = urlsafe_b64decode(f"{given.pop('signature')}==")
    return SignedTicket(msgspec.convert(given, RideTicket), signature)


def sign_ticket(ticket: RideTicket, key: Ed25519PrivateKey) -> SignedTicket:
    """The ticket, signed by its terminal.

    Raises:
        ValueError: a field of it could not be read again; each is named.
    """
    signed = SignedTicket(ticket, key.sign(signed_content(ticket)))
    read = read_ticket(ticket_line(signed))
    if isinstance(read, tuple):
        raise ValueError("; ".join(f"{fault.pointer} {fault.reason}" for fault in read))
    return signed


def ticket_line(signed: SignedTicket) -> bytes:
    """The ticket as a line, ended by a line feed."""
    signature = urlsafe_b64encode(signed.signature).rstrip(b"=").decode()
    return msgspec.json.encode(msgspec.structs.asdict(signed.ticket) | {"signature": signature}) + b"\n"


def signed_content(ticket: RideTicket) -> bytes:
    """The bytes that a ticket's signature covers."""
    return "".join(f"{value}\n" for value in (_HEADING, *msgspec.structs.astuple(ticket))).encode()


def ticket_id(ticket: RideTicket) -> str:
    """What tells this ticket from every other one, 64 hex digits: the same one again is answered as it was before."""
    return hashlib.sha256(signed_content(ticket)).hexdigest()


def judge_ticket(
    signed: SignedTicket, *, keys: Iterable[TerminalKey], last_sequence: int, now_s: float, age_s_max: float = AGE_S_MAX
) -> TicketVerdict:
    """What a ticket is, given all keys of its terminal, retired ones too, and the number of the last one that came in.

    *keys* are those of the terminal that the ticket names, at the merchant that brings it in; that the ticket names
    this merchant is for the caller to see. Units: unix seconds; *age_s_max* as gates were told to let codes in.
    """
    ticket = signed.ticket
    content = signed_content(ticket)
    if not any(key.signs_at(ticket.taken_s) and key.key.verify(content, signed.signature) for key in keys):
        return TicketVerdict.FORGED
    if ticket.sequence != last_sequence + 1:
        return TicketVerdict.REPEATED if ticket.sequence <= last_sequence else TicketVerdict.GAP
    if not -SKEW_S <= ticket.taken_s - ticket.code_issued_s < age_s_max + SKEW_S:
        return TicketVerdict.CODE_STALE
    if ticket.taken_s > now_s + SKEW_S:
        return TicketVerdict.TAKEN_LATER
    return TicketVerdict.GOOD if now_s - ticket.taken_s < LATE_S_MAX else TicketVerdict.TOO_LATE


_Check: TypeAlias = Callable[[object], str | None]
"""Why a value does not fit its field, if it does not."""


def _whole(low: int, high: int) -> _Check:
    reason = f"a whole number from {low} to {high}"
    return lambda value: None if type(value) is int and low <= value <= high else reason


def _matching(pattern: str, reason: str) -> _Check:
    matches = re.compile(pattern).fullmatch
    return lambda value: None if isinstance(value, str) and matches(value) else reason


def _merchant(value: object) -> str | None:
    try:
        parse_id(value if isinstance(value, str) else "", IdKind.MERCHANT)
    except MalformedId:
        return "a merchant's id"
    return None


def _code(value: object) -> str | None:
    is_code = isinstance(value, str) and len(value) == 24 and isinstance(parse_pay_code(value), PayCode)
    return None if is_code else "the 24 digits of a payment code"


def _scenario(value: object) -> str | None:
    is_offline = isinstance(value, str) and value in BY_NAME and BY_NAME[value].is_offline
    return None if is_offline else "a scenario with gates that need no network"


def _signature(value: object) -> str | None:
    try:
        raw = urlsafe_b64decode(f"{value}==") if isinstance(value, str) and value.isascii() else b""
    except binascii.Error:
        raw = b""
    is_canonical = len(raw) == _SIGNATURE_BYTES and urlsafe_b64encode(raw).rstrip(b"=").decode() == value
    return None if is_canonical else "64 bytes as Base64url without padding"


_CHECKS: Final[dict[str, _Check]] = {
    "merchant_id": _merchant,
    "terminal_id": _matching(r"[0-9A-Za-z_.:-]{1,32}", "1 to 32 letters, digits and _.:-"),
    "sequence": _whole(1, SEQUENCE_MAX),
    "code": _code,
    "code_issued_s": _whole(0, SECONDS_MAX),
    "taken_s": _whole(0, SECONDS_MAX),
    "amount": _whole(1, AMOUNT_FEN_MAX),
    "scenario": _scenario,
    "ride_no": _matching(r"[0-9A-Za-z_-]{1,64}", "1 to 64 letters, digits and _-"),
    "signature": _signature,
}
assert tuple(_CHECKS) == (*RideTicket.__struct_fields__, "signature"), "each field is checked, in its order"


def _faults(pairs: tuple[tuple[str, object], ...], given: dict[str, object]) -> Iterable[tuple[str, str]]:
    names = [name for name, _ in pairs]
    for name, check in _CHECKS.items():
        if name not in given:
            yield name, "missing"
        elif names.count(name) > 1:
            yield name, "given twice"
        elif reason := check(given[name]):
            yield name, reason
    for name in given:
        if name not in _CHECKS:
            shown = name[:64].encode(errors="replace").decode()
            yield shown.replace("~", "~0").replace("/", "~1"), "not known"
