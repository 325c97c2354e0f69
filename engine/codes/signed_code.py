"""Payment codes that can be checked without a network, by whoever has the engine's public keys.

It is the QR form of an ordinary code with a proof beside the 24 digits: when the engine issued it, which scenarios it
is good for, and the engine's Ed25519 signature over all of that. A till that has a network need not know: the digits
are those of an ordinary code, and are judged as such.

What a checker without a network cannot see is what has happened since: a loss report, or the same code used at another
gate within its minute. So the life of a code is short, what it may pay is small (scenarios that allow it, a daily
limit), and everything is judged again when the ticket that the gate makes of it is brought in. A cardholder whose ride
is unpaid is issued codes that are not good for that scenario any more; hence the scenarios are in the code.

Source: RFC 8032 for the signature; our profile in `consumer_qr`.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from engine.codes.consumer_qr import CodeProof, encode_consumer_qr, signed_part
from engine.codes.http_signature import Ed25519Key
from engine.codes.keys import SigningKey
from engine.codes.pay_code import PayCode, parse_pay_code
from engine.core.refusals import Refusal

AGE_S_MAX: Final = 60  # as long as the digits live
SKEW_S: Final = 30  # a gate's clock that is set once a day may be off by seconds; this much is forgiven both ways

_DOMAIN: Final = b"ssc signed pay code 1\0"


class SignedCode(msgspec.Struct, frozen=True):
    """A code with a proof, well-formed and not yet verified."""

    code: PayCode
    key_id: int
    proof: CodeProof

    def is_good_for(self, scenario: int) -> bool:
        """True if the code names the scenario with this number."""
        return bool(self.proof.scenes >> scenario & 1)


def scenes_of(scenarios: Iterable[int]) -> int:
    """The scenarios with these numbers as bits."""
    scenes = 0
    for scenario in scenarios:
        scenes |= 1 << scenario
    return scenes


def issue_signed_code(digits: str, key_id: int, *, issued_s: int, scenes: int, key: SigningKey) -> str:
    """The text of a QR code that presents these 24 digits, signed by the engine.

    Shape: *key_id* is that of the device's key; *scenes* as `scenes_of` makes them. Units: *issued_s* unix seconds, at
    which the digits were made.

    Raises:
        ValueError: one of these does not fit its field.
    """
    unsigned = CodeProof(issued_s=issued_s, scenes=scenes, signer=key.key_id, signature=b"")
    signature = key.sign(_DOMAIN + signed_part(digits, key_id, unsigned))
    return encode_consumer_qr(digits, key_id, msgspec.structs.replace(unsigned, signature=signature))


def read_signed_code(presented: str) -> SignedCode | Refusal:
    """The code in what a scanner handed over.

    PAY_CODE_MALFORMED and PAY_CODE_FOREIGN as for other codes. CODE_SCENE_NOT_ALLOWED: it is one of ours, in digits or
    in a QR code, that only the engine can check.
    """
    code = parse_pay_code(presented)
    if isinstance(code, Refusal):
        return code
    if code.proof is None or code.key_id is None:
        return Refusal.CODE_SCENE_NOT_ALLOWED
    return SignedCode(code, code.key_id, code.proof)


def verify_signed_code(
    signed: SignedCode, keys: Mapping[str, Ed25519Key], now_s: float, *, scenario: int, age_s_max: float = AGE_S_MAX
) -> Refusal | None:
    """None if the engine issued this code, lately, for this scenario; else the first that applies of:

    SIGNATURE_KEY_UNKNOWN (the engine has a key that *keys* lacks: fetch them again), PAY_CODE_WRONG (not signed by the
    engine, or issued in the future), PAY_CODE_EXPIRED, CODE_SCENE_NOT_ALLOWED. That it was not used before is not seen
    here.

    Units: unix seconds; `SKEW_S` is forgiven.
    """
    key = keys.get(signed.proof.signer)
    if key is None:
        return Refusal.SIGNATURE_KEY_UNKNOWN
    message = _DOMAIN + signed_part(signed.code.text, signed.key_id, signed.proof)
    if not key.verify(message, signed.proof.signature) or signed.proof.issued_s > now_s + SKEW_S:
        return Refusal.PAY_CODE_WRONG
    if now_s - signed.proof.issued_s >= age_s_max + SKEW_S:
        return Refusal.PAY_CODE_EXPIRED
    return None if signed.is_good_for(scenario) else Refusal.CODE_SCENE_NOT_ALLOWED
