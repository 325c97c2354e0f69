"""The hash that links an entry of the audit trail to the one before it."""

from datetime import datetime
from typing import Final

import msgspec

from engine.codes.hashes import HashAlgorithm, hash_of
from engine.core.audit import Access, AuditEntry
from engine.core.journal import microseconds

_VERSION: Final = 1


def link_hash(algorithm: HashAlgorithm, prev: bytes, chain: int, n: int, at: datetime, access: Access) -> bytes:
    """The hash of an entry: over *prev* and every column, as one array of MessagePack whose first element is a version.

    Arrays, integers, text and bytes have one shortest form, which msgspec writes, so the same entry is the same bytes.
    """
    body = (
        _VERSION,
        algorithm.value,
        prev,
        chain,
        n,
        microseconds(at),
        access.caller,
        access.channel,
        access.subject,
        access.payment,
        access.action,
        access.purpose,
        access.object,
        access.result,
        access.trace_id,
    )
    return hash_of(algorithm, msgspec.msgpack.encode(body))


def entry_hash(entry: AuditEntry) -> bytes:
    """The hash that the columns of a stored entry give; empty if its algorithm is none that is known."""
    try:
        algorithm = HashAlgorithm(entry.hash_algorithm)
    except ValueError:
        return b""
    return link_hash(algorithm, entry.prev, entry.chain, entry.n, entry.at, entry.access)
