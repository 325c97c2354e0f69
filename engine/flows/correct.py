"""Corrections by hand, asked for by one operator and approved by another: a file made again, a posting, a difference.

All of them are carried out after the decision and may be asked again: a file that has been replaced is not replaced
again, and a posting's key is the approval's id.
"""

from typing import Final

import asyncpg
import msgspec

from engine.codes.keys import SigningKey
from engine.core.accounts import (
    AccountId,
    account_text,
    bank_receivable,
    parse_account,
    suspense_long,
    suspense_short,
    write_off,
)
from engine.core.approvals import Approval, ApprovalKind
from engine.core.commands import Book, Entry
from engine.core.differences import DifferenceState, Effect, Handling, Resolution, resolution_of
from engine.core.ids import NO_ID, BankId, CallerId, IdKind, id_text, parse_id, region_of
from engine.core.participants import WrongField
from engine.core.postings import PostingKind, is_kept_on_payer
from engine.core.refusals import Refusal
from engine.flows.answer_once import NotDone
from engine.flows.approve import Asking, CarriedOut, ask_approval
from engine.flows.reissue_file import reissue_file
from engine.formats.file_names import MalformedFileName, parse_file_name
from engine.ledger.router import Ledger
from engine.store.card_imports import load_banks
from engine.store.clearing_session import open_clearing
from engine.store.participants import load_clocks
from engine.store.reconciliation import DifferenceRecord, Reconciliations

APPROVAL_KEY: Final = "approval"  # with the request's id: the key of what it posts


class Reissue(msgspec.Struct, frozen=True, kw_only=True):
    """A published file to make again."""

    name: str


class ManualPosting(msgspec.Struct, frozen=True, kw_only=True):
    """A posting as it is to be. Units: fen."""

    debit: str
    credit: str
    amount: int


class DifferenceHandling(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done about a difference."""

    reconciliation: str
    n: int
    handling: str
    state: str  # the difference's, when it was asked for


async def ask_reissue(asked: Asking, name: str, *, reason: str) -> Approval | NotDone:
    """Ask for the next version of a published file. It takes effect where its bank is."""
    try:
        cnaps = parse_file_name(name).cnaps
    except MalformedFileName:
        return NotDone(Refusal.NOT_FOUND)
    bank = (await load_banks(asked.connection)).get(int(cnaps))
    if bank is None:
        return NotDone(Refusal.NOT_FOUND)
    return await ask_approval(
        asked,
        kind=ApprovalKind.REISSUE_FILE,
        region=region_of(bank),
        subject=name,
        payload=Reissue(name=name),
        reason=reason,
    )


async def ask_posting(asked: Asking, posting: ManualPosting, *, reason: str) -> Approval | NotDone:
    """Ask for a posting. A cardholder's personal account is not corrected so: it changes under its payer's lock."""
    accounts: list[AccountId] = []
    for field, text in (("debit", posting.debit), ("credit", posting.credit)):
        try:
            account = parse_account(text)
        except ValueError as error:
            return NotDone(Refusal.FIELD_INVALID, (WrongField(field, str(error)),))
        if is_kept_on_payer(account):
            return NotDone(Refusal.FIELD_INVALID, (WrongField(field, "a personal account is not posted to by hand"),))
        accounts.append(account)
    debit, credit = accounts
    if debit == credit:
        return NotDone(Refusal.FIELD_INVALID, (WrongField("credit", "the same account as the debit"),))
    return await ask_approval(
        asked,
        kind=ApprovalKind.MANUAL_POSTING,
        region=region_of(debit),
        subject=f"{posting.debit} > {posting.credit}",
        payload=posting,
        reason=reason,
    )


async def ask_resolution(
    asked: Asking, reconciliation: bytes, n: int, handling: Handling, *, reason: str
) -> Approval | NotDone:
    """Ask for something to be done about a difference of a reconciliation."""
    difference = await _difference(Reconciliations(asked.connection), reconciliation, n)
    if difference is None:
        return NotDone(Refusal.NOT_FOUND)
    if _resolution(difference, handling, difference.state) is None:
        return NotDone(Refusal.FIELD_INVALID, (WrongField("handling", "not for this difference, as it is now"),))
    return await ask_approval(
        asked,
        kind=ApprovalKind.RESOLVE_DIFFERENCE,
        region=region_of(difference.bank),
        subject=f"{id_text(reconciliation)}/{n}",
        payload=DifferenceHandling(
            reconciliation=id_text(reconciliation),
            n=n,
            handling=handling.name.lower(),
            state=difference.state.name.lower(),
        ),
        reason=reason,
    )


class Corrections:
    """Carries out what was approved."""

    def __init__(self, ledger: Ledger, pool: asyncpg.Pool, database_url: str, signing_key: SigningKey) -> None:
        """Post through *ledger*; make files again with *signing_key*."""
        self._ledger = ledger
        self._pool = pool
        self._database_url = database_url
        self._signing_key = signing_key

    async def reissue(self, approval: Approval, /) -> CarriedOut | NotDone:
        """The file's next version is published."""
        wanted = msgspec.json.decode(approval.payload, type=Reissue)
        async with open_clearing(self._database_url) as session:
            file = await reissue_file(session, wanted.name, signing_key=self._signing_key)
        return NotDone(Refusal.NOT_FOUND) if file is None else CarriedOut({"name": file.name, "replaces": wanted.name})

    async def post(self, approval: Approval, /) -> CarriedOut | NotDone:
        """The posting is in the books."""
        wanted = msgspec.json.decode(approval.payload, type=ManualPosting)
        await self._ledger.submit(booking_of_approval(approval, entry_by_hand(wanted)))
        return CarriedOut({"debit": wanted.debit, "credit": wanted.credit, "amount": wanted.amount})

    async def resolve(self, approval: Approval, /) -> CarriedOut | NotDone:
        """The difference is as its handling leaves it, and what that moves is in the books."""
        wanted = msgspec.json.decode(approval.payload, type=DifferenceHandling)
        handling, before = Handling[wanted.handling.upper()], DifferenceState[wanted.state.upper()]
        place = (parse_id(wanted.reconciliation, IdKind.RECONCILIATION), wanted.n)
        reconciliations = Reconciliations(self._pool)
        difference = await _difference(reconciliations, *place)
        assert difference is not None, "differences are never deleted"
        resolution = _resolution(difference, handling, before)
        assert resolution is not None, "it was possible when it was asked for, and amounts never change"
        is_ours = difference.resolution == id_text(approval.id)  # and perhaps not posted yet
        if not is_ours and not await reconciliations.settle(
            place,
            from_states=(before,),
            state=resolution.state,
            handling=handling,
            resolution=id_text(approval.id),
            at=(await load_clocks(self._pool)).business,
        ):
            return NotDone(Refusal.FIELD_INVALID, (WrongField("handling", "the difference was settled meanwhile"),))
        entry = _entry(difference.bank, resolution)
        if entry is not None:
            await self._ledger.submit(booking_of_approval(approval, entry))
        posting = {} if entry is None else {"debit": account_text(entry.debit), "credit": account_text(entry.credit)}
        return CarriedOut({"state": resolution.state.name.lower(), "amount": abs(resolution.amount)} | posting)


def booking_of_approval(approval: Approval, entry: Entry) -> Book:
    """What the books have of a correction once it is carried out."""
    key = f"{APPROVAL_KEY}/{id_text(approval.id)}"
    return Book(caller=CallerId(NO_ID), key=key, about=NO_ID, kind=PostingKind.ADJUST, entries=(entry,))


def entry_by_hand(wanted: ManualPosting) -> Entry:
    """The posting that two operators have agreed on."""
    return Entry(parse_account(wanted.debit), parse_account(wanted.credit), wanted.amount)


def entry_of_handling(difference: DifferenceRecord, wanted: DifferenceHandling) -> Entry | None:
    """What settling a difference so moves; None if nothing, or if it cannot be settled so."""
    handling, before = Handling[wanted.handling.upper()], DifferenceState[wanted.state.upper()]
    resolution = _resolution(difference, handling, before)
    return _entry(difference.bank, resolution) if resolution is not None else None


async def _difference(reads: Reconciliations, reconciliation: bytes, n: int) -> DifferenceRecord | None:
    found = await reads.differences(reconciliation, after=n - 1, kind=None, state=None, count=1)
    return found[0] if found and found[0].n == n else None


def _resolution(difference: DifferenceRecord, handling: Handling, state: DifferenceState) -> Resolution | None:
    return resolution_of(
        handling, state=state, effect=difference.effect, ours=difference.our_amount, theirs=difference.amount
    )


def _entry(bank: BankId, resolution: Resolution) -> Entry | None:
    """What goes into suspense comes from the bank's account; what leaves it goes back there, or is written off."""
    if resolution.amount == 0:
        return None
    is_written_off = resolution.state is DifferenceState.WRITTEN_OFF
    other = write_off(bank) if is_written_off else bank_receivable(bank)
    pair = (other, suspense_long(bank)) if resolution.suspense is Effect.LONG else (suspense_short(bank), other)
    return Entry(*(pair if resolution.amount > 0 else pair[::-1]), abs(resolution.amount))
