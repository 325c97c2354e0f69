"""Letting people through a gate that has no network: codes are checked here, tickets are brought in later.

    from engine.client import Gate, GateSettings

    settings = GateSettings(
        merchant_id="mer_…", terminal_id="G-01", scenario="transit", key=load_pem_private_key(pem, None)
    )
    with Gate(Path("/var/lib/gate"), settings) as gate:
        gate.load_keys(fetched)                           # the engine's /v1/keys, whenever there is a network
        passed = gate.admit(scanned, amount=300, ride_no="L2-0007", now_s=time.time())
        if isinstance(passed, Refusal):
            show(passed.slug)                             # pay-code-expired, pay-code-used, limit-exceeded …
        else:
            open_the_door()                               # the ticket is on disk by now
        ...
        async for answer in client.upload_tickets(gate.ticket_lines()):   # the merchant's EngineClient
            if not answer.final:
                break                                     # bring them in again later, from this one on
            gate.note_brought_in(answer.sequence, now_s=time.time())

The terminal's Ed25519 key is made by whoever builds the gate; its public half is registered for the terminal. The
engine's public keys are kept in the folder, so that a gate that starts without a network works.

What is checked: the engine's signature, the code's age, its scenario, that it was not seen here before, the amount of
one ride and of a day's rides of one phone at this gate. What cannot be: a code shown at two gates within its minute, or
a card that was reported lost since. The merchant bears that, within the limits; the engine finds it out from the
tickets, and issues no codes for this scenario to whoever has an unpaid ride.

After a power cut the folder holds every ticket for which a door has opened, and no number is given twice. It may hold
one ticket more, for which the door had no time to open. Writing a ticket waits for the disk, a few milliseconds: call
`admit` from a thread where nothing else may wait. One process has a folder open at a time.
"""

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from engine.client.gate_journal import TicketJournal, write_whole
from engine.codes.http_signature import Ed25519Key, load_verification_key
from engine.codes.public_keys import Jwk, read_public_key
from engine.codes.ride_ticket import RideTicket, SignedTicket, sign_ticket, ticket_line
from engine.codes.signed_code import AGE_S_MAX, SKEW_S, SignedCode, read_signed_code, verify_signed_code
from engine.core.refusals import Refusal
from engine.core.scenarios import BY_NAME

KEYS: Final = "keys.json"
_DAY_S: Final = 86_400
_DAY_AHEAD_S: Final = 9 * 3_600  # a business date of Asia/Shanghai ends at 23:00, which is nine hours before UTC's days


class GateSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Which terminal the gate is, and what it may let through by itself. Units: fen, seconds."""

    merchant_id: str
    terminal_id: str
    scenario: str  # one whose gates need no network
    key: Ed25519PrivateKey
    amount_max: int = 5_000  # of one ride
    amount_a_day_max: int = 50_000  # of one phone, at this gate
    age_s_max: float = AGE_S_MAX
    codes_max: int = 10_000  # how many codes are remembered, each for its minute

    def __post_init__(self) -> None:
        """Refuse a scenario that nobody may be let through for."""
        if self.scenario not in BY_NAME or not BY_NAME[self.scenario].is_offline:
            raise ValueError(f"{self.scenario} is no scenario with gates that need no network")

    def __repr__(self) -> str:
        return f"GateSettings(merchant_id={self.merchant_id!r}, terminal_id={self.terminal_id!r}, ***)"


class Gate:
    """One gate: its keys, its memory and its tickets. Use it as a context manager, or close it."""

    def __init__(self, folder: Path, settings: GateSettings) -> None:
        """Open what *folder* holds of this terminal, or begin.

        Raises:
            JournalFailed: another process has it open, it is another terminal's, or it is damaged.
            OSError: the folder cannot be used.
        """
        self._settings = settings
        self._scenario = BY_NAME[settings.scenario].number
        self._journal = TicketJournal(folder, merchant_id=settings.merchant_id, terminal_id=settings.terminal_id)
        self._keys_path = folder / KEYS
        self._keys: dict[str, Ed25519Key] = {}
        self._used: dict[str, float] = {}  # codes, and until when each could be shown again
        for signed in self._journal.tickets:
            self._remember(signed.ticket)
        self._day = -1
        self._spent: dict[str, int] = {}
        try:
            if self._keys_path.exists():
                self._keys = engine_keys_of(self._keys_path.read_bytes())
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        """The gate itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Let another process have the folder."""
        self._journal.close()

    def load_keys(self, document: bytes) -> None:
        """From now on codes are checked with the keys of this answer of `/v1/keys`, and after a restart as well.

        Raises:
            ValueError: it is no such answer; the keys stay as they were.
            OSError: it cannot be kept; the keys stay as they were.
        """
        keys = engine_keys_of(document)
        write_whole(self._keys_path, document)
        self._keys = keys

    def admit(self, scanned: str, *, amount: int, ride_no: str, now_s: float) -> SignedTicket | Refusal:
        """The ticket of somebody who may go through, which is on disk; or why not.

        PAY_CODE_MALFORMED, PAY_CODE_FOREIGN, CODE_SCENE_NOT_ALLOWED (the code needs a network, or is for something
        else), SIGNATURE_KEY_UNKNOWN (load the keys), PAY_CODE_WRONG, PAY_CODE_EXPIRED, PAY_CODE_USED, LIMIT_EXCEEDED
        (of one ride, or of the day), TOO_MANY_ATTEMPTS (more codes in a minute than are remembered).

        Units: *amount* in fen; *now_s* unix seconds. Shape: *ride_no* is good once at this merchant, as an order
        number is.

        Raises:
            ValueError: the amount or the number of the ride is none.
            JournalFailed: the disk failed: nobody may go through until the gate is opened again.
        """
        signed = read_signed_code(scanned)
        if isinstance(signed, Refusal):
            return signed
        refusal = verify_signed_code(
            signed, self._keys, now_s, scenario=self._scenario, age_s_max=self._settings.age_s_max
        )
        refusal = refusal or self._why_not(signed, amount, now_s)
        if refusal is not None:
            return refusal
        ticket = RideTicket(
            merchant_id=self._settings.merchant_id,
            terminal_id=self._settings.terminal_id,
            sequence=self._journal.last_sequence + 1,
            code=signed.code.text,
            code_issued_s=signed.proof.issued_s,
            taken_s=int(now_s),
            amount=amount,
            scenario=self._settings.scenario,
            ride_no=ride_no,
        )
        taken = sign_ticket(ticket, self._settings.key)
        self._journal.add(taken)
        self._remember(ticket)
        self._spent[_phone(ticket.code)] = self._spent.get(_phone(ticket.code), 0) + amount
        return taken

    def ticket_lines(self) -> Iterator[bytes]:
        """The lines of every ticket that has not been brought in, oldest first. Each is ended by a line feed."""
        for signed in tuple(self._journal.tickets):
            if signed.ticket.sequence > self._journal.brought_in:
                yield ticket_line(signed)

    def note_brought_in(self, through: int, *, now_s: float) -> None:
        """The engine has answered for all tickets up to this number; what is not needed any more is dropped.

        Raises:
            ValueError: there is no ticket with this number.
            JournalFailed: it could not be noted: open the gate again. Bringing tickets in again does no harm.
        """
        day_start_s = _day_of(now_s) * _DAY_S - _DAY_AHEAD_S
        self._journal.note_brought_in(through, keep_from_s=int(min(day_start_s, now_s - self._memory_s)))

    @property
    def _memory_s(self) -> float:
        """For how long after its issue a code could be let through."""
        return self._settings.age_s_max + 2 * SKEW_S

    def _remember(self, ticket: RideTicket) -> None:
        self._used[ticket.code] = ticket.code_issued_s + self._memory_s

    def _why_not(self, signed: SignedCode, amount: int, now_s: float) -> Refusal | None:
        """The first reason why a code that is genuine lets nobody through here and now."""
        if signed.code.text in self._used:
            return Refusal.PAY_CODE_USED
        if amount > self._settings.amount_max or self._spent_on(now_s, signed) + amount > (
            self._settings.amount_a_day_max
        ):
            return Refusal.LIMIT_EXCEEDED
        if len(self._used) >= self._settings.codes_max:
            self._used = {code: until_s for code, until_s in self._used.items() if until_s > now_s}
        # To forget one that could be shown again would let it through twice.
        return Refusal.TOO_MANY_ATTEMPTS if len(self._used) >= self._settings.codes_max else None

    def _spent_on(self, now_s: float, signed: SignedCode) -> int:
        """What this phone has spent at this gate today. Units: fen."""
        if self._day != _day_of(now_s):
            self._day = _day_of(now_s)
            self._spent = {}
            for ticket in (taken.ticket for taken in self._journal.tickets):
                if _day_of(ticket.taken_s) == self._day:
                    self._spent[_phone(ticket.code)] = self._spent.get(_phone(ticket.code), 0) + ticket.amount
        return self._spent.get(_phone(signed.code.text), 0)


class _KeySet(msgspec.Struct):
    keys: list[dict[str, object]]


def engine_keys_of(document: bytes) -> dict[str, Ed25519Key]:
    """The keys that sign, by key id, of an answer of `/v1/keys` (RFC 7517); keys for other purposes are passed over.

    Raises:
        ValueError: it is no such answer, or has none that signs.
    """
    keys = {}
    try:
        for given in msgspec.json.decode(document, type=_KeySet).keys:
            if (given.get("kty"), given.get("crv"), given.get("use", "sig")) == ("OKP", "Ed25519", "sig"):
                jwk = msgspec.convert(given, Jwk)
                public = read_public_key(jwk)
                keys[jwk.kid or ""] = load_verification_key(public.algorithm, public.pem)
    except (msgspec.MsgspecError, ValueError):
        raise ValueError("not the engine's public keys") from None
    signing = {kid: key for kid, key in keys.items() if kid and isinstance(key, Ed25519Key)}
    if not signing:
        raise ValueError("no key that signs")
    return signing


def _phone(code: str) -> str:
    """The number of the phone, by its place in the code."""
    return code[3:14]


def _day_of(at_s: float) -> int:
    return int(at_s + _DAY_AHEAD_S) // _DAY_S
