"""Signed codes and ride tickets, valid by default."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from engine.codes.http_signature import Ed25519Key
from engine.codes.keys import SigningKey
from engine.codes.pay_code import pay_code_at
from engine.codes.ride_ticket import RideTicket
from engine.codes.signed_code import issue_signed_code, scenes_of
from engine.core.ids import IdKind, id_text, make_id
from engine.core.scenarios import PARK, TRANSIT
from tests.codes.pay_code_builders import DEVICE_NO, KEY, NOON_S, SHOWN_AT_NOON

ENGINE_KEY = SigningKey("engine-1", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
ENGINE_KEYS = {"engine-1": Ed25519Key(ENGINE_KEY.private.public_key())}
OTHER_KEY = SigningKey("engine-1", Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33))))
TERMINAL_PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(2, 34)))
TERMINAL_PUBLIC = Ed25519Key(TERMINAL_PRIVATE.public_key())
MERCHANT = id_text(make_id(IdKind.MERCHANT, at_ms=1_764_000_000_000, shard=7, region=110101, entropy=5))
ISSUED_S = int(NOON_S)
SCENES = scenes_of((TRANSIT.number, PARK.number))


def signed_at(
    issued_s: int = ISSUED_S, *, refresh: int = 7, scenes: int = SCENES, key: SigningKey = ENGINE_KEY, phone: int = 0
) -> str:
    """The text of a QR code that the engine issued then."""
    digits = pay_code_at(KEY, DEVICE_NO + phone, refresh, issued_s)
    return issue_signed_code(digits, 1, issued_s=issued_s, scenes=scenes, key=key)


def a_ticket(sequence: int = 7, **changes: str | int) -> RideTicket:
    """A ride that was taken four seconds after the code was issued."""
    fields: dict[str, str | int] = {
        "merchant_id": MERCHANT,
        "terminal_id": "G-01",
        "sequence": sequence,
        "code": SHOWN_AT_NOON,
        "code_issued_s": ISSUED_S,
        "taken_s": ISSUED_S + 4,
        "amount": 300,
        "scenario": TRANSIT.name,
        "ride_no": f"R-{sequence}",
    }
    return RideTicket(**(fields | changes))  # type: ignore[arg-type]  # tests write wrong ones too
