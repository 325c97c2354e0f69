"""What goes over the wire about gates: their terminals' keys, and what became of the tickets that they bring in."""

from datetime import UTC, datetime
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from engine.codes.public_keys import Jwk
from engine.codes.ride_ticket import TerminalKey, ticket_id
from engine.core.ids import id_text
from engine.core.refusals import Refusal
from engine.flows.take_tickets import TicketAnswer
from engine.store.gates import GateState
from engine.web.problems import PROBLEMS, FieldError
from engine.web.wire import STATUS_NAMES
from engine.web.wire_participants import KeyText

_POINTERS: Final = {"pay_code": "/code", "order_no": "/ride_no"}
"""Fields of a ticket, by the names that the ledger has for them."""


class TicketLine(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one line of tickets."""

    line: int
    final: bool
    terminal_id: str | UnsetType = UNSET
    sequence: int | UnsetType = UNSET
    ticket_id: str | UnsetType = UNSET
    status: str | UnsetType = UNSET
    code: str | UnsetType = UNSET
    payment_id: str | UnsetType = UNSET
    errors: tuple[FieldError, ...] | UnsetType = UNSET


class TerminalKeyRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Let a terminal sign with this key from now on, and no more with the one before."""

    public_key: KeyText | Jwk


class TerminalKeyView(msgspec.Struct, frozen=True, kw_only=True):
    """A key that a terminal has or had."""

    valid_from: datetime
    retired_at: datetime | None


class GateView(msgspec.Struct, frozen=True, kw_only=True):
    """A terminal that brings in tickets."""

    terminal_id: str
    last_sequence: int
    keys: tuple[TerminalKeyView, ...]


def ticket_line_view(taken: TicketAnswer) -> TicketLine:
    """One line's answer as the wire shows it: the same for ever once it is final."""
    answer = taken.answer
    refusal = taken.refusal
    errors = tuple(FieldError(fault.pointer, fault.reason) for fault in taken.faults)
    payment = None
    if answer is not None:
        payment = answer.payment
        refusal = Refusal(answer.refusal) if answer.refusal is not None else None
        if refusal is not None and answer.field is not None:
            pointer = _POINTERS.get(answer.field, f"/{answer.field}")
            errors = (FieldError(pointer, PROBLEMS[refusal].en),)
    return TicketLine(
        line=taken.line,
        final=taken.is_final,
        terminal_id=taken.ticket.terminal_id if taken.ticket is not None else UNSET,
        sequence=taken.ticket.sequence if taken.ticket is not None else UNSET,
        ticket_id=ticket_id(taken.ticket) if taken.ticket is not None else UNSET,
        status=STATUS_NAMES[payment.state] if payment is not None and refusal is None else UNSET,
        code=refusal.slug if refusal is not None else UNSET,
        payment_id=id_text(payment.id) if payment is not None else UNSET,
        errors=errors or UNSET,
    )


def gate_view(terminal_id: str, gate: GateState) -> GateView:
    """A gate as the wire shows it."""
    return GateView(
        terminal_id=terminal_id, last_sequence=gate.last_sequence, keys=tuple(_key_view(key) for key in gate.keys)
    )


def _key_view(key: TerminalKey) -> TerminalKeyView:
    return TerminalKeyView(
        valid_from=datetime.fromtimestamp(key.valid_from_s, UTC),
        retired_at=datetime.fromtimestamp(key.retired_s, UTC) if key.retired_s is not None else None,
    )
