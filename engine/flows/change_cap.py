"""Changing what a bank may owe: one operator asks, another approves."""

import msgspec

from engine.core.approvals import Approval, ApprovalKind
from engine.core.ids import BankId, IdKind, id_text, parse_id, region_of
from engine.core.participants import WrongField
from engine.core.refusals import Refusal
from engine.flows.answer_once import NotDone
from engine.flows.approve import Asking, CarriedOut, ask_approval
from engine.store.connection import AnyConnection
from engine.store.participants import load_clocks
from engine.store.settlement import has_bank, insert_cap


class CapChange(msgspec.Struct, frozen=True, kw_only=True):
    """A bank's net debit cap as it is to be, in fen; None for none."""

    bank: str
    cap: int | None


async def ask_cap(asked: Asking, bank: BankId, cap: int | None, *, reason: str) -> Approval | NotDone:
    """Ask for a bank's net debit cap to be changed. Money that the bank pays in beforehand is a higher cap."""
    if not await has_bank(asked.connection, bank):
        return NotDone(Refusal.FIELD_INVALID, (WrongField("bank", "no such bank"),))
    return await ask_approval(
        asked,
        kind=ApprovalKind.NET_DEBIT_CAP,
        region=region_of(bank),
        subject=id_text(bank),
        payload=CapChange(bank=id_text(bank), cap=cap),
        reason=reason,
    )


async def change_cap(connection: AnyConnection, approval: Approval, /) -> CarriedOut | NotDone:
    """The cap is what was asked for. A cycle that it held back is published by the timetable's next turn."""
    change = msgspec.json.decode(approval.payload, type=CapChange)
    bank = BankId(parse_id(change.bank, IdKind.BANK))
    now = (await load_clocks(connection)).business
    await insert_cap(connection, bank, cap=change.cap, approval=id_text(approval.id), at=now)
    return CarriedOut({"bank": change.bank, "cap": change.cap})
