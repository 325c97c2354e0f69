"""The QR form of a payment code: an EMV consumer-presented payload in Base64.

Our profile, in the order in which it is written:

    85 payload format CPV01
    61 application template
       4F application identifier, ours
       50 label SSCPAY
       63 application-specific template
          DF01 the 24 digits of the code, 12 bytes of BCD
          DF03 id of the key from which the device's key was derived, 2 bytes
          in a code that can be checked without a network (`signed_code`), besides:
          DF04 when it was issued, in unix seconds, 4 bytes
          DF06 what it is good for, a bit for each scenario's number, 8 bytes
          DF07 id of the key that signs it, 1 to 32 characters
          DF05 Ed25519 signature, 64 bytes; it comes last, and covers what is in front of it

Source: EMV QR Code Specification for Payment Systems, Consumer-Presented Mode.
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import msgspec

from engine.codes import tlv
from engine.core.refusals import Refusal

# F in front means proprietary and unregistered (ISO/IEC 7816-4, application identifiers); then "SSCPAY".
AID: Final = bytes.fromhex("F0535343504159")
LABEL: Final = b"SSCPAY"
DIGITS: Final = 24
KEY_ID_MAX: Final = 0xFFFF
TEXT_CHARS_MAX: Final = 512

_PAYLOAD_FORMAT: Final = tlv.Leaf(0x85, b"CPV01")
_APPLICATION_TEMPLATE: Final = 0x61
_COMMON_TEMPLATE: Final = 0x62
_AID_TAG: Final = 0x4F
_LABEL_TAG: Final = 0x50
_SPECIFIC_TEMPLATE: Final = 0x63
_CODE_TAG: Final = 0xDF01
_KEY_ID_TAG: Final = 0xDF03
_ISSUED_TAG: Final = 0xDF04
_SCENES_TAG: Final = 0xDF06
_SIGNER_TAG: Final = 0xDF07
_SIGNATURE_TAG: Final = 0xDF05
_SIGNATURE_BYTES: Final = 64

_CODE_DIGITS: Final = re.compile(f"[0-9]{{{DIGITS}}}")
_SIGNER: Final = re.compile(r"[!-~]{1,32}")


class CodeProof(msgspec.Struct, frozen=True, kw_only=True):
    """What a code carries for those that cannot ask the engine. It is not checked yet: see `signed_code`.

    Shape: bit n of `scenes` is set if the code is good for the scenario with number n. Units: `issued_s` unix seconds.
    """

    issued_s: int
    scenes: int
    signer: str  # the `kid` of one of the engine's public keys
    signature: bytes


class ConsumerCode(msgspec.Struct, frozen=True):
    """What our application template says. The digits are a secret until they are used."""

    digits: str
    key_id: int
    proof: CodeProof | None = None

    def __repr__(self) -> str:
        return f"ConsumerCode(digits=<masked>, key_id={self.key_id})"

    def __rich_repr__(self) -> list[tuple[str, int]]:
        return [("key_id", self.key_id)]


def encode_consumer_qr(digits: str, key_id: int, proof: CodeProof | None = None) -> str:
    """The text of the QR code that presents these 24 digits, with what proves them if there is to be something.

    Raises:
        ValueError: not 24 digits, a key id outside 0..65535, or a proof that does not fit its fields.
    """
    template = _our_template(_specific(ConsumerCode(digits, key_id, proof)))
    return b64encode(tlv.encode((_PAYLOAD_FORMAT, template))).decode("ascii")


def signed_part(digits: str, key_id: int, proof: CodeProof) -> bytes:
    """What the signature of a proof covers: every element in front of it, as it stands in the code.

    Raises:
        ValueError: not 24 digits, a key id outside 0..65535, or a proof that does not fit its fields.
    """
    return tlv.encode((*_code_parts(digits, key_id), *_proof_parts(proof)))


def decode_consumer_qr(text: str) -> ConsumerCode | Refusal:
    """What our application says in this payload.

    Applications of others beside ours are passed over, as the standard asks. A payload that is in order
    but has none of ours is PAY_CODE_FOREIGN; everything else that is not exactly our profile is
    PAY_CODE_MALFORMED, the number of our templates included: two would be two codes in one.
    """
    elements = decode_consumer_payload(text)
    if isinstance(elements, Refusal):
        return elements
    ours = [application for application in _applications(elements) if _identifiers(application) == [AID]]
    if not ours:
        return Refusal.PAY_CODE_FOREIGN
    if len(ours) > 1:
        return Refusal.PAY_CODE_MALFORMED
    return _consumer_code(ours[0])


def decode_consumer_payload(text: str) -> tuple[tlv.Element, ...] | Refusal:
    """The elements of an EMV consumer-presented payload, whoever made it; else PAY_CODE_MALFORMED.

    Bounds: 512 characters, looked at before anything is decoded.
    In order means: canonical Base64; whole BER-TLV; the payload format first, known, and only there; one
    or more application templates, each with one application identifier of 5 to 16 bytes; at most one
    common template.
    """
    if len(text) > TEXT_CHARS_MAX:
        return Refusal.PAY_CODE_MALFORMED
    try:
        content = b64decode(text)
        elements = tlv.decode(content)
    except ValueError:
        return Refusal.PAY_CODE_MALFORMED

    tags = [element.tag for element in elements]
    applications = _applications(elements)
    is_in_order = (
        # Decoding skips foreign characters and ignores unused bits; there is one canonical text only.
        b64encode(content).decode("ascii") == text
        and elements[:1] == (_PAYLOAD_FORMAT,)
        and tags.count(_PAYLOAD_FORMAT.tag) == 1
        and tags.count(_COMMON_TEMPLATE) <= 1
        and len(applications) > 0
        and all(_has_one_identifier(application) for application in applications)
    )
    return elements if is_in_order else Refusal.PAY_CODE_MALFORMED


def _our_template(specific: tuple[tlv.Leaf, ...]) -> tlv.Template:
    return tlv.Template(
        _APPLICATION_TEMPLATE,
        (tlv.Leaf(_AID_TAG, AID), tlv.Leaf(_LABEL_TAG, LABEL), tlv.Template(_SPECIFIC_TEMPLATE, specific)),
    )


def _specific(code: ConsumerCode) -> tuple[tlv.Leaf, ...]:
    parts = _code_parts(code.digits, code.key_id)
    if code.proof is None:
        return parts
    if len(code.proof.signature) != _SIGNATURE_BYTES:
        raise ValueError(f"a signature has {_SIGNATURE_BYTES} bytes")
    return (*parts, *_proof_parts(code.proof), tlv.Leaf(_SIGNATURE_TAG, code.proof.signature))


def _code_parts(digits: str, key_id: int) -> tuple[tlv.Leaf, ...]:
    if not _CODE_DIGITS.fullmatch(digits):
        raise ValueError(f"a payment code is {DIGITS} digits")
    if not 0 <= key_id <= KEY_ID_MAX:
        raise ValueError(f"key id {key_id} is outside 0..{KEY_ID_MAX}")
    return tlv.Leaf(_CODE_TAG, bytes.fromhex(digits)), tlv.Leaf(_KEY_ID_TAG, key_id.to_bytes(2, "big"))


def _proof_parts(proof: CodeProof) -> tuple[tlv.Leaf, ...]:
    """Its elements, without the signature."""
    if not 0 <= proof.issued_s < 1 << 32:
        raise ValueError(f"{proof.issued_s} is no unix time of 4 bytes")
    if not 0 <= proof.scenes < 1 << 64:
        raise ValueError("scenes are 64 bits")
    if not _SIGNER.fullmatch(proof.signer):
        raise ValueError("a signer is named by 1 to 32 printable ASCII characters")
    return (
        tlv.Leaf(_ISSUED_TAG, proof.issued_s.to_bytes(4, "big")),
        tlv.Leaf(_SCENES_TAG, proof.scenes.to_bytes(8, "big")),
        tlv.Leaf(_SIGNER_TAG, proof.signer.encode("ascii")),
    )


def _consumer_code(template: tlv.Template) -> ConsumerCode | Refusal:
    """Read by writing: only the template that we would have written for these values is ours."""
    match template.parts:
        case (_, _, tlv.Template(parts=parts)):
            code = _code_of([part.value for part in parts if isinstance(part, tlv.Leaf)])
            with suppress(ValueError):
                if code is not None and template == _our_template(_specific(code)):
                    return code
    return Refusal.PAY_CODE_MALFORMED


def _code_of(values: Sequence[bytes]) -> ConsumerCode | None:
    """The code with these values, if there are as many as one has; whether they fit is seen by writing them."""
    match values:
        case [digits, key_id]:
            return ConsumerCode(digits.hex(), int.from_bytes(key_id, "big"))
        case [digits, key_id, issued, scenes, signer, signature]:
            proof = CodeProof(
                issued_s=int.from_bytes(issued, "big"),
                scenes=int.from_bytes(scenes, "big"),
                signer=signer.decode("ascii", "replace"),
                signature=signature,
            )
            return ConsumerCode(digits.hex(), int.from_bytes(key_id, "big"), proof)
    return None


def _applications(elements: Sequence[tlv.Element]) -> list[tlv.Template]:
    return [
        element for element in elements if isinstance(element, tlv.Template) and element.tag == _APPLICATION_TEMPLATE
    ]


def _has_one_identifier(application: tlv.Template) -> bool:
    return [5 <= len(identifier) <= 16 for identifier in _identifiers(application)] == [True]


def _identifiers(application: tlv.Template) -> list[bytes]:
    return [part.value for part in application.parts if isinstance(part, tlv.Leaf) and part.tag == _AID_TAG]
