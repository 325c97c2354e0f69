"""The audit trail: one look at somebody's data, what it was for, and what is wrong with a chain of them."""

import re
from datetime import datetime
from typing import Final

import msgspec

from engine.core.ids import region_of
from engine.core.violations import Violation, ViolationKind, Where

CHAINS: Final = 16
AUDIT_GENESIS: Final = bytes(32)
"""What the first entry of a chain follows."""

PURPOSE_CHARS_MAX: Final = 64
_PURPOSE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.:/-]{0,63}")
_MANY_DIGITS: Final = re.compile(r"[0-9](?:[ _.:/-]?[0-9]){10}")  # a phone's number has eleven, an ID number more


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """One look at personal data, or the refusal of one.

    Shape: `subject` is the card looked at; `object` names what of it by an id, never by what it says; `result` is
    "allowed" or a refusal's slug; `channel` is the channel that it went through.
    """

    caller: bytes
    subject: bytes | None
    action: str
    purpose: str | None
    object: str | None
    result: str
    trace_id: str
    channel: bytes | None = None
    payment: bytes | None = None


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A look as it is stored, and the links of its chain."""

    chain: int
    n: int
    at: datetime
    region: int
    access: Access
    hash_algorithm: int
    prev: bytes
    hash: bytes


class AuditHead(msgspec.Struct, frozen=True):
    """Where a chain ends: its last entry, as the chain's row or the entry itself has it."""

    chain: int
    n: int
    hash: bytes


def chain_of(access: Access) -> int:
    """The chain that a look joins: looks at one card share one, and looks at nobody those of their caller."""
    about = access.subject if access.subject is not None else access.caller
    return about[-1] % CHAINS


def region_of_access(access: Access) -> int:
    """Whose operators may read of it: those of whom it is about, or else of who has asked."""
    return region_of(next(about for about in (access.subject, access.payment, access.caller) if about is not None))


def is_purpose(text: str) -> bool:
    """True if *text* can stand for a purpose: a short word or reference, in which no person's number can be hidden."""
    return _PURPOSE.fullmatch(text) is not None and _MANY_DIGITS.search(text) is None


def link_violation(before: AuditHead, entry: AuditEntry, hashed: bytes) -> Violation | None:
    """What is wrong with an entry that should follow *before*; *hashed* is the hash that its columns give."""
    where = Where(table="audit_entry", chain=entry.chain, n=entry.n)
    if entry.n != before.n + 1:
        return Violation(ViolationKind.AUDIT_ENTRY_MISSING, where, f"entry {before.n + 1}", f"entry {entry.n}")
    if entry.prev != before.hash:
        return Violation(ViolationKind.AUDIT_LINK_BROKEN, where, before.hash.hex(), entry.prev.hex())
    if entry.hash != hashed:
        return Violation(ViolationKind.AUDIT_ENTRY_ALTERED, where, entry.hash.hex(), hashed.hex())
    if entry.region != region_of_access(entry.access):
        expected = f"region {region_of_access(entry.access)}"
        return Violation(ViolationKind.AUDIT_ENTRY_ALTERED, where, expected, f"region {entry.region}")
    return None


def end_violation(before: AuditHead, head: AuditHead) -> Violation | None:
    """What is wrong with where a chain ends: *before* is its last entry, *head* what its row says."""
    where = Where(table="audit_chain", chain=head.chain, n=head.n)
    if before.n != head.n:
        return Violation(ViolationKind.AUDIT_TRUNCATED, where, f"entry {head.n} as the last", f"entry {before.n}")
    if before.hash != head.hash:
        return Violation(ViolationKind.AUDIT_LINK_BROKEN, where, before.hash.hex(), head.hash.hex())
    return None
