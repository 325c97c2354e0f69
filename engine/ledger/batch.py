"""One batch, between its statements: what to lock, what to read, what was decided, what to write."""

from collections.abc import Iterator, Sequence
from datetime import datetime

import asyncpg
import msgspec

from engine.core.authorization import quote_key
from engine.core.books import AnswerKey, Books, CodeUse, Order, OrderKey, Seen
from engine.core.commands import (
    AnyCommand,
    Authorize,
    CancelOrder,
    Capture,
    Confirm,
    Expire,
    Operation,
    Raise,
    RefundPayment,
    Void,
)
from engine.core.decide import decide, decide_repeat
from engine.core.ids import MerchantId, PaymentId
from engine.core.journal import BatchHeader, NewEvent, NewPosting, new_batch_hash
from engine.core.payer import Payer
from engine.core.payments import HELD, Payment
from engine.core.postings import fold, is_kept_on_payer
from engine.core.visits import VisitKey, visit_of
from engine.ledger.queue import Entry, Outcome
from engine.store.books_reader import Wanted
from engine.store.lane_session import LaneWrite
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
    ride_rows,
    visit_rows,
)


class Claimed(msgspec.Struct, frozen=True):
    """A command that goes on: its place in the batch, its locked payer if it has one, the payer's relative if that
    one is wanted, and whether its key is new.
    """

    n: int
    entry: Entry
    payer: Payer | None
    family: Payer | None
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
                subject.needs_family,
            )
        )
    return rows


def sort_claims(entries: Sequence[Entry], rows: Sequence[asyncpg.Record]) -> tuple[list[Claimed], list[Entry]]:
    """The commands that go on, and those whose payer another lane holds."""
    going: list[Claimed] = []
    waiting: list[Entry] = []
    for n, (entry, (is_locked, is_claimed, payer, family)) in enumerate(zip(entries, rows, strict=True)):
        if is_locked:
            is_first = is_claimed or entry.command.key is None
            going.append(
                Claimed(
                    n,
                    entry,
                    payer_of(payer) if payer is not None else None,
                    payer_of(family) if family is not None else None,
                    is_first,
                )
            )
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
    pay_orders: set[OrderKey] = set()
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
            code = command.code
            if code is not None and code.device_no is not None:
                devices.add(code.device_no)
                codes.add((code.step, code.device_no, code.refresh))
            if command.bill_no is not None:
                bills.add(command.bill_no)
            if command.quoted is not None:
                orders.add(quote_key(command.merchant, command.quoted.quote))
            if command.pay_order is not None:
                pay_orders.add((command.merchant, command.order_no))
        elif isinstance(command, CancelOrder):
            orders.add((command.merchant, command.order_no))
        elif isinstance(command, Capture):
            payments.add(command.payment)
            if command.bill is not None:
                merchants.add(MerchantId(command.caller))
        elif isinstance(command, Void | Expire | Confirm):
            payments.add(command.payment)
        elif isinstance(command, Raise):
            payments.add(command.payment)
            merchants.add(MerchantId(command.caller))
            if command.code.device_no is not None:
                devices.add(command.code.device_no)
                codes.add((command.code.step, command.code.device_no, command.code.refresh))
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
        pay_orders=list(pay_orders),
        lost_claims=lost,
    )


def seen_of(
    claims: Sequence[Claimed], row: asyncpg.Record, earlier: Sequence[asyncpg.Record], *, last_now: datetime
) -> Seen:
    """The books as they were read. Business time never goes backwards within a lane."""
    payers = {claim.payer.id: claim.payer for claim in claims if claim.payer is not None}
    for claim in claims:
        if claim.family is not None:
            payers[claim.family.id] = claim.family
    payments = [payment_of(found) for found in row["payments"]]
    return Seen(
        control=control_of(row),
        now=max(last_now, instant(row["clock"], row["sandbox_offset_us"])),
        payers=payers,
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


def visits_named(claims: Sequence[Claimed], seen: Seen) -> list[VisitKey]:
    """The visits whose bills are settled by the commands, or were by the payments that these are about."""
    named = {visit_of(payment) for payment in seen.payments.values() if payment.details is not None}
    for claim in claims:
        command = claim.entry.command
        if type(command) is Authorize:
            bill = command.bill
            if bill is not None and bill.visit_no is not None and claim.payer is not None:
                named.add((claim.payer.id, command.merchant, bill.visit_no))
        elif isinstance(command, Capture) and command.bill is not None and command.bill.visit_no is not None:
            payment = seen.payments.get(command.payment)
            if payment is not None:
                named.add((payment.payer, payment.merchant, command.bill.visit_no))
    return [visit for visit in named if visit is not None]


def stray_entries(claims: Sequence[Claimed], seen: Seen) -> list[Entry]:
    """Commands whose payment turned out to belong to a payer that is not locked: it appeared after the lock."""
    strays = []
    for claim in claims:
        command = claim.entry.command
        payment = None
        if type(command) is Authorize:
            device_no = command.code.device_no if command.code is not None else None
            device = seen.devices.get(device_no) if device_no is not None else None
            if claim.is_first and device is not None and device.payer not in seen.payers:
                strays.append(claim.entry)
        elif isinstance(command, CancelOrder):
            order = seen.orders.get((command.merchant, command.order_no))
            if order is not None and order.payment is not None:
                payment = seen.payments[order.payment]
        elif isinstance(command, Capture | Void | Expire | RefundPayment | Confirm | Raise):
            payment = seen.payments.get(command.payment)
        if claim.is_first and payment is not None and not _is_locked(payment, seen):
            strays.append(claim.entry)
    return strays


def _is_locked(payment: Payment, seen: Seen) -> bool:
    return payment.payer in seen.payers and (payment.family is None or payment.family in seen.payers)


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


def ended_by(books: Books) -> Iterator[bytes]:
    """What somebody may be waiting for: payments made before the batch that hold nothing any more, and their orders."""
    for payment in books.payments_changed.values():
        if payment.state not in HELD:
            yield payment.id
    for payment in (*books.payments_new.values(), *books.payments_changed.values()):
        if payment.details is not None and payment.details.pay_order is not None and payment.state not in HELD:
            yield payment.details.pay_order


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
        rides_unpaid=ride_rows(books.rides_unpaid),
        rides_paid=ride_rows(books.rides_paid),
        visits_begun=visit_rows(books.visits.begun),
        visits_ended=visit_rows(books.visits.ended),
        postings=postings,
        events=events,
        payers=[changed_payer_row(payer) for payer in books.payers_changed.values()],
        balances=balance_rows(changes),
        at=books.now,
        business_date=control.business_date,
        cycle=control.cycle,
        hash=new_batch_hash(prev, header, postings, events),
    )
