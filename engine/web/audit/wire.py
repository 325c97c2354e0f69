"""Bodies of the audit trail on the wire."""

from datetime import datetime

import msgspec

from engine.core.audit import AuditEntry
from engine.core.violations import name_of


class AuditEntryView(msgspec.Struct, frozen=True, kw_only=True):
    """One look at personal data, or the refusal of one."""

    at: datetime
    caller: str
    channel: str | None
    card: str | None
    payment: str | None
    region: str
    action: str
    purpose: str | None
    object: str | None
    result: str
    trace_id: str
    chain: int
    n: int
    hash: str


class AuditList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the audit trail."""

    items: tuple[AuditEntryView, ...]
    next_cursor: str | None


class PersonalDataView(msgspec.Struct, frozen=True, kw_only=True):
    """What the register knows of a person, as it is. Its repr shows nothing."""

    card: str
    name: str
    id_number: str
    phone: str | None
    card_no: str | None
    bank_account: str | None

    def __repr__(self) -> str:
        return "PersonalDataView(<masked>)"


def audit_entry_view(entry: AuditEntry) -> AuditEntryView:
    """An entry as it is shown."""
    access = entry.access
    return AuditEntryView(
        at=entry.at,
        caller=name_of(access.caller),
        channel=_name(access.channel),
        card=_name(access.subject),
        payment=_name(access.payment),
        region=f"{entry.region:06d}",
        action=access.action,
        purpose=access.purpose,
        object=access.object,
        result=access.result,
        trace_id=access.trace_id,
        chain=entry.chain,
        n=entry.n,
        hash=entry.hash.hex(),
    )


def _name(identifier: bytes | None) -> str | None:
    return name_of(identifier) if identifier is not None else None
