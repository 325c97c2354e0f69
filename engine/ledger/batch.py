"""One batch, between its statements: what to lock, what to read, what was decided, what to write."""

from collections.abc import Sequence
from datetime import datetime

import asyncpg
import msgspec

from engine.core.books import AnswerKey, Books, CodeUse, Order, OrderKey, Seen
from engine.core.commands import (
    AnyCommand,
    Authorize,
    CancelOrder,
    Capture,
    Expire,
    Operation,
    RefundPayment,
    Void,
)
from engine.core.decide import decide, decide_repeat
from engine.core.ids import MerchantId, PaymentId
from engine.core.journal import BatchHeader, NewEvent, NewPosting, new_batch_hash
from engine.core.payer import Payer
from engine.core.postings import fold, is_kept_on_payer
from engine.ledger.queue import Entry, Outcome
from engine.store.lane_session import LaneWrite, Wanted
from engine.store.rows import (
    Row,
    balance_rows,
    bill_rows,
    changed_payer_row,
    code_rows,
    control_of,
    devices_of,
    hold_rows,
    instant,
    merchants_of,
    new_payment_row,
    order_rows,
    payer_of,
    payment_of,
    payment_row,
    refund_row,
    remembered_of,
)


class Claimed(msgspec.Struct, frozen=True):
    """A command that goes on: its place in the batch, its locked payer if it has one, and whether its key is new."""

    n: int
    entry: Entry
    payer: Payer | None
    is_first: bool


def answer_key(command: AnyCommand) -> AnswerKey | None:
    """What a command's answer is remembered under; None for the engine's own commands."""
    return (command.caller, command.operation, command.key) if command.key is not None else None


def claim_rows(entries: Sequence[Entry]) -> list[Row]:
    """`claim` rows, in order of n."""
    rows = []
    for n, entry in enumerate(entries):
        command = entry.command
        subject = command.subject()
        rows.append(
            (
                n,
                command.caller,
                command.operation,
                command.key,
                subject.device_no,
                subject.payment,
                subject.card,
                subject.merchant,
                subject.order_no,
            )
        )
    return rows


def sort_claims(entries: Sequence[Entry], rows: Sequence[asyncpg.Record]) -> tuple[list[Claimed], list[Entry]]:
    """The commands that go on, and those whose payer another lane holds."""
    going: list[Claimed] = []
    waiting: list[Entry] = []
    for n, (entry, (is_locked, is_claimed, payer)) in enumerate(zip(entries, rows, strict=True)):
        if is_locked:
            is_first = is_claimed or entry.command.key is None
            going.append(Claimed(n, entry, payer_of(payer) if payer is not None else None, is_first))
        else:
            waiting.append(entry)
    return going, waiting


def wanted_by(claims: Sequence[Claimed]) -> Wanted:
    """What to read for the commands that go on. One whose key was used before needs its earlier answer only."""
    payments: set[PaymentId] = set()
    orders: set[OrderKey] = set()
    codes: set[CodeUse] = set()
    devices: set[int] = set()
    merchants: set[MerchantId] = set()
    terminals: set[tuple[MerchantId, str]] = set()
    refunds: set[tuple[PaymentId, str]] = set()
    bills: set[str] = set()
    lost: list[AnswerKey] = []
    for claim in claims:
        command = claim.entry.command
        if not claim.is_first:
            key = answer_key(command)
            assert key is not None
            lost.append(key)
            continue
        if type(command) is Authorize:
            merchants.add(command.merchant)
            terminals.add((command.merchant, command.terminal_id))
            orders.add((command.merchant, command.order_no))
            if command.device_no is not None:
                devices.add(command.device_no)
                codes.add((command.code_step, command.device_no, command.code_refresh))
            if command.bill_no is not None:
                bills.add(command.bill_no)
        elif isinstance(command, CancelOrder):
            orders.add((command.merchant, command.order_no))
        elif isinstance(command, Capture | Void | Expire):
            payments.add(command.payment)
        elif isinstance(command, RefundPayment):
            payments.add(command.payment)
            refunds.add((command.payment, command.refund_no))
    return Wanted(
        payments=list(payments),
        orders=list(orders),
        codes=list(codes),
        devices=list(devices),
        merchants=list(merchants),
        terminals=list(terminals),
        refunds=list(refunds),
        bills=list(bills),
        lost_claims=lost,
    )


def seen_of(
    claims: Sequence[Claimed], row: asyncpg.Record, earlier: Sequence[asyncpg.Record], *, last_now: datetime
) -> Seen:
    """The books as they were read. Business time never goes backwards within a lane."""
    payments = [payment_of(found) for found in row["payments"]]
    return Seen(
        control=control_of(row),
        now=max(last_now, instant(row["clock"], row["sandbox_offset_us"])),
        payers={claim.payer.id: claim.payer for claim in claims if claim.payer is not None},
        payments={payment.id: payment for payment in payments},
        orders={(MerchantId(merchant), order_no): Order(payment) for merchant, order_no, payment in row["orders"]},
        codes_used={(step, device, refresh) for step, device, refresh in row["codes"]},
        devices=devices_of(row["devices"]),
        merchants=merchants_of(row["merchants"]),
        terminals={(MerchantId(merchant), terminal) for merchant, terminal in row["terminals"]},
        refund_numbers={(PaymentId(payment), number) for payment, number in row["refunds"]},
        earlier={(caller, Operation(operation), key): remembered_of(body) for caller, operation, key, body in earlier},
    )


def bills_named(wanted: Wanted, seen: Seen) -> list[str]:
    """The bills that the commands name, and those of the payments that they are about. Nearly always none."""
    return [*wanted.bills, *(payment.bill_no for payment in seen.payments.values() if payment.bill_no is not None)]


def stray_entries(claims: Sequence[Claimed], seen: Seen) -> list[Entry]:
    """Commands whose payment turned out to belong to a payer that is not locked: it appeared after the lock."""
    strays = []
    for claim in claims:
        command = claim.entry.command
        payment = None
        if type(command) is Authorize:
            device = seen.devices.get(command.device_no) if command.device_no is not None else None
            if claim.is_first and device is not None and device.payer not in seen.payers:
                strays.append(claim.entry)
        elif isinstance(command, CancelOrder):
            order = seen.orders.get((command.merchant, command.order_no))
            if order is not None and order.payment is not None:
                payment = seen.payments[order.payment]
        elif isinstance(command, Capture | Void | Expire | RefundPayment):
            payment = seen.payments.get(command.payment)
        if claim.is_first and payment is not None and payment.payer not in seen.payers:
            strays.append(claim.entry)
    return strays


def decide_all(claims: Sequence[Claimed], books: Books) -> list[tuple[Entry, Outcome]]:
    """Decide the batch, command by command, each on what those before it left."""
    outcomes: list[tuple[Entry, Outcome]] = []
    for claim in claims:
        command = claim.entry.command
        if claim.is_first:
            decision = decide(books, command)
            books.apply(claim.n, command, decision)
            outcomes.append((claim.entry, Outcome(decision.answer, False)))
            continue
        key = answer_key(command)
        assert key is not None
        earlier = books.seen.earlier[key]
        answer = decide_repeat(earlier, command)
        outcomes.append((claim.entry, Outcome(answer, answer is earlier.answer)))
    return outcomes


def write_of(books: Books, *, lane: int, seq: int, prev: bytes) -> LaneWrite:
    """The rows of a decided batch, and the hash that its chain goes on with."""
    control = books.control
    postings: list[NewPosting] = [
        (event, region, p.payment, p.phase, p.kind, p.debit, p.credit, p.amount) for event, region, p in books.postings
    ]
    events: list[NewEvent] = [(e.n, e.kind, e.region, e.payment, e.body) for e in books.events]
    header = BatchHeader(lane, seq, books.now, control.business_date, control.cycle)
    folded = fold([posting for _, _, posting in books.postings])
    changes = {account: totals for account, totals in folded.items() if not is_kept_on_payer(account)}
    return LaneWrite(
        orders=order_rows(books.orders_new),
        codes=code_rows(books.codes_new),
        payments=[new_payment_row(payment) for payment in books.payments_new.values()],
        payments_changed=[payment_row(payment) for payment in books.payments_changed.values()],
        refunds=[refund_row(refund) for refund in books.refunds_new],
        holds=hold_rows(books.holds_opened),
        holds_ended=hold_rows(books.holds_closed),
        bills=bill_rows((books.seen.bills[number], before) for number, before in books.bills_changed.items()),
        postings=postings,
        events=events,
        payers=[changed_payer_row(payer) for payer in books.payers_changed.values()],
        balances=balance_rows(changes),
        at=books.now,
        business_date=control.business_date,
        cycle=control.cycle,
        hash=new_batch_hash(prev, header, postings, events),
    )
