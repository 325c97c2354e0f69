"""The books as one batch sees and changes them: what was read under lock, and what the decisions add."""

from datetime import date, datetime

import msgspec

from engine.core.accounts import AccountId, agency_payable, merchant_payable
from engine.core.answers import Answer, CancelOutcome, Clearing, EventKind, Remembered
from engine.core.bills import Bill, BillState, bill_after
from engine.core.calendar import CycleNumber
from engine.core.commands import AnyCommand, Operation
from engine.core.ids import NO_ID, CallerId, CardId, MerchantId, PaymentId, region_of
from engine.core.pay_orders import PayOrder
from engine.core.payer import Payer
from engine.core.payments import HELD, Payment, Refund, State
from engine.core.postings import Posting
from engine.core.refusals import Refusal
from engine.core.rules import Rules
from engine.core.visits import Settlement, VisitKey, Visits

OrderKey = tuple[MerchantId, str]
AnswerKey = tuple[CallerId, Operation, str]
CodeUse = tuple[int, int, int]  # step, device number, refresh digit
Hold = tuple[datetime, PaymentId]  # due, payment
RideKey = tuple[CardId, int, OrderKey]  # whose it is, the scenario, the order under which it can be paid


class Control(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The open cycle, and how far the closed ones are."""

    business_date: date
    cycle: CycleNumber
    cutoff_at: datetime  # when the open cycle is due to be closed
    published_cycle: CycleNumber  # every cycle up to this one has its files out
    settled_cycle: CycleNumber = CycleNumber(0)  # every cycle up to this one is settled
    rules_version: int = 0  # of the rules that operators change


class Merchant(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a payment must know of a hospital or pharmacy."""

    id: MerchantId
    region: int
    is_suspended: bool
    scenarios: tuple[int, ...]
    level: int = 0  # of a hospital: 1, 2, 3; 0: none


class Device(msgspec.Struct, frozen=True, gc=False):
    """A phone that shows codes: whose it is never changes, whether it may still does."""

    payer: CardId
    is_revoked: bool


class Order(msgspec.Struct, frozen=True, gc=False):
    """What claims an order number: a payment, or a tombstone (None)."""

    payment: PaymentId | None


NO_RULES = Rules()


class Seen(msgspec.Struct, kw_only=True):
    """Everything that was read for one batch, after its locks were held."""

    control: Control
    now: datetime
    payers: dict[CardId, Payer] = {}
    payments: dict[PaymentId, Payment] = {}
    orders: dict[OrderKey, Order] = {}
    codes_used: set[CodeUse] = set()
    devices: dict[int, Device] = {}
    merchants: dict[MerchantId, Merchant] = {}
    terminals: set[tuple[MerchantId, str]] = set()
    refund_numbers: set[tuple[PaymentId, str]] = set()
    bills: dict[str, Bill] = {}  # of the commands that name one, and of the payments that pay one
    earlier: dict[AnswerKey, Remembered] = {}
    rules: Rules = NO_RULES
    pay_orders: dict[OrderKey, PayOrder] = {}  # the newest version of each, of the commands that pay one
    unpaid_rides: dict[tuple[CardId, int], set[OrderKey]] = {}  # of the payers that have any
    visits: dict[VisitKey, list[Settlement]] = {}  # those that the commands are about
    device_channels: dict[int, bytes] = {}  # who registered each phone; read only while some channel is stopped


class Decision(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one command does: an answer, and the effects that are written with it."""

    kind: EventKind
    answer: Answer
    payment: Payment | None = None  # as it stands afterwards
    payer: Payer | None = None
    family: Payer | None = None  # the relative whose personal account helped
    postings: tuple[Posting, ...] = ()
    code_use: CodeUse | None = None
    orders: tuple[tuple[OrderKey, Order], ...] = ()
    refund: Refund | None = None
    ride_unpaid: RideKey | None = None
    ride_paid: RideKey | None = None
    about: bytes = NO_ID  # what is not a payment's own move, and yet about one


class Event(msgspec.Struct, frozen=True, gc=False):
    """One remembered decision; `n` is the command's place in the batch."""

    n: int
    kind: EventKind
    region: int
    payment: bytes  # sixteen zeros when it is about none
    body: bytes  # msgpack of `Remembered`


class Books:
    """What the commands of one batch have made of what was read; each sees what those before it did."""

    def __init__(self, seen: Seen) -> None:
        """Start from *seen*; its mappings are changed in place."""
        self.seen = seen
        self.control = seen.control
        self.now = seen.now
        self.postings: list[tuple[int, int, Posting]] = []  # n of the event, region
        self.events: list[Event] = []
        self.payments_new: dict[PaymentId, Payment] = {}
        self.payments_changed: dict[PaymentId, Payment] = {}
        self.payers_changed: dict[CardId, Payer] = {}
        self.orders_new: dict[OrderKey, Order] = {}
        self.codes_new: list[CodeUse] = []
        self.refunds_new: list[Refund] = []
        self.holds_opened: set[Hold] = set()
        self.holds_closed: set[Hold] = set()
        self.bills_changed: dict[str, BillState] = {}  # the state in which each was read
        self.pay_orders_paid: list[PayOrder] = []  # as they were read
        self.rides_unpaid: set[RideKey] = set()
        self.rides_paid: set[RideKey] = set()
        self.visits = Visits(seen.visits)
        self._encode = msgspec.msgpack.Encoder().encode

    def apply(self, n: int, command: AnyCommand, decision: Decision) -> None:
        """Take a decision's effects into the books, as the *n*-th command's."""
        subject = decision.payment
        if subject is not None:
            self._take_payment(subject)
        if decision.payer is not None:
            self.seen.payers[decision.payer.id] = decision.payer
            self.payers_changed[decision.payer.id] = decision.payer
        if decision.family is not None:
            self.seen.payers[decision.family.id] = decision.family
            self.payers_changed[decision.family.id] = decision.family
        for posting in decision.postings:
            region = subject.region if subject is not None else region_of(posting.payment)
            self.postings.append((n, region, posting))
        if decision.code_use is not None:
            self.seen.codes_used.add(decision.code_use)
            self.codes_new.append(decision.code_use)
        for key, order in decision.orders:
            self.seen.orders[key] = order
            self.orders_new[key] = order
        if decision.refund is not None:
            self.seen.refund_numbers.add((decision.refund.payment, decision.refund.refund_no))
            self.refunds_new.append(decision.refund)
        if decision.ride_unpaid is not None:
            self._take_unpaid_ride(decision.ride_unpaid)
        if decision.ride_paid is not None:
            self._take_paid_ride(decision.ride_paid)
        remembered = Remembered(command.facts(), decision.answer)
        named = decision.answer.payment
        self.events.append(
            Event(
                n=n,
                kind=decision.kind,
                region=named.region if named is not None else 0,
                payment=named.id if named is not None else decision.about,
                body=self._encode(remembered),
            )
        )

    def payee_of(self, payment: Payment) -> AccountId:
        """Who gets what it pays, and gives back what is refunded: the agency whose bill it is, or else the merchant."""
        if payment.bill_no is None:
            return merchant_payable(payment.merchant)
        return agency_payable(self.seen.bills[payment.bill_no].agency)

    def _take_payment(self, payment: Payment) -> None:
        before = self.seen.payments.get(payment.id)
        if payment is before:
            return  # told, and not moved: what it once paid may be another's by now
        if payment.bill_no is not None and payment.state is not State.DECLINED:
            bill = self.seen.bills[payment.bill_no]
            self.bills_changed.setdefault(bill.bill_no, bill.state)
            self.seen.bills[bill.bill_no] = bill_after(bill, payment)
        self.seen.payments[payment.id] = payment
        if payment.details is not None:
            self.visits.take(before, payment)
        if before is None or payment.id in self.payments_new:
            self.payments_new[payment.id] = payment
            if before is None and payment.details is not None and payment.details.pay_order is not None:
                self._take_pay_order(payment)
        else:
            self.payments_changed[payment.id] = payment
        held_before = _hold(before) if before is not None and before.state in HELD else None
        held_now = _hold(payment) if payment.state in HELD else None
        if held_before == held_now:
            return
        if held_before is not None:  # the end of the hold may be gone from the payment afterwards
            if held_before in self.holds_opened:
                self.holds_opened.remove(held_before)
            else:
                self.holds_closed.add(held_before)
        if held_now is not None:
            self.holds_opened.add(held_now)

    def _take_pay_order(self, payment: Payment) -> None:
        order = self.seen.pay_orders.get((payment.merchant, payment.order_no))
        if order is not None and payment.state is not State.DECLINED:
            self.pay_orders_paid.append(order)

    def _take_unpaid_ride(self, ride: RideKey) -> None:
        card, scenario, order = ride
        due = self.seen.unpaid_rides.setdefault((card, scenario), set())
        if order not in due:
            due.add(order)
            self.rides_unpaid.add(ride)

    def _take_paid_ride(self, ride: RideKey) -> None:
        card, scenario, order = ride
        self.seen.unpaid_rides[card, scenario].remove(order)
        if ride in self.rides_unpaid:
            self.rides_unpaid.remove(ride)
        else:
            self.rides_paid.add(ride)


def refuse(refusal: Refusal, *, field: str | None = None) -> Decision:
    """A refusal that changes nothing, and is remembered."""
    return Decision(kind=EventKind.REFUSED, answer=Answer(refusal=refusal.value, field=field))


def answer_with(
    books: Books,
    payment: Payment,
    *,
    refusal: Refusal | None = None,
    refund: Refund | None = None,
    cancelled: CancelOutcome | None = None,
) -> Answer:
    """The answer that shows a payment as it stands in the books."""
    return Answer(
        refusal=refusal.value if refusal is not None else None,
        payment=payment,
        clearing=clearing_of(payment.cycle, books.control),
        next_cutoff_at=books.control.cutoff_at,
        refund=refund,
        cancelled=cancelled,
    )


def clearing_of(cycle: CycleNumber | None, control: Control) -> Clearing:
    """How far the banks' side of something captured in *cycle* is. What was returned is not looked up."""
    if cycle is None or cycle >= control.cycle:
        return Clearing.UNCLEARED
    if cycle <= control.settled_cycle:
        return Clearing.SETTLED
    return Clearing.PUBLISHED if cycle <= control.published_cycle else Clearing.BATCHED


def _hold(payment: Payment) -> Hold:
    assert payment.expires_at is not None, "a hold has an end"
    return (payment.expires_at, payment.id)
