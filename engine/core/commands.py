"""What can be asked of the ledger. A command is complete: nothing in it is looked up again outside the lane."""

import enum
from typing import ClassVar

import msgspec

from engine.core.accounts import AccountId
from engine.core.ids import CallerId, CardId, MerchantId, PaymentId, RefundId, shard_of
from engine.core.postings import PostingKind
from engine.core.refusals import Refusal

Fact = str | int | bool | None


class Operation(enum.IntEnum):
    """The scope of an idempotency key, beside its caller. Stored; numbers are never re-used."""

    AUTHORIZE = 1
    CAPTURE = 2
    VOID = 3
    REFUND = 4
    CANCEL = 5
    REPORT_LOSS = 6
    REINSTATE = 7
    EXPIRE = 8
    OPEN_ACCOUNT = 9
    BOOK = 10


class Subject(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the lane locks and reads for a command: one of the ways to a payer, through maps that never change."""

    device_no: int | None = None
    payment: PaymentId | None = None
    card: CardId | None = None
    merchant: MerchantId | None = None
    order_no: str | None = None


class Command(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What every command has.

    `key` is None for the engine's own commands: they are judged again under the payer's lock instead.
    """

    operation: ClassVar[Operation]
    facts_named: ClassVar[tuple[str, ...]] = ()
    """The names, on the wire, of what makes two commands under one key the same, in the order of `facts`."""

    caller: CallerId
    key: str | None
    trace_id: str | None = None  # of the request; not a fact

    def facts(self) -> tuple[Fact, ...]:
        """The values of `facts_named`; nothing that the engine itself stamped."""
        raise NotImplementedError

    def subject(self) -> Subject:
        """Where the lane finds the payer."""
        raise NotImplementedError

    @property
    def shard(self) -> int:
        """Which lane to take, so that what belongs to one payer meets in one lane."""
        raise NotImplementedError


class FundShare(msgspec.Struct, frozen=True, gc=False):
    """A part of the bill that a pooled fund pays. Units: fen."""

    account: AccountId
    fund_pay_type: int
    amount: int


class Authorize(Command, frozen=True, kw_only=True, gc=False):
    """Pay or reserve the amount of one scanned code."""

    operation = Operation.AUTHORIZE
    facts_named = (
        "pay_code",
        "order_no",
        "amount",
        "scenario",
        "terminal_id",
        "capture",
        "hold_s",
        "description",
        "bill_no",
    )

    payment: PaymentId
    code_digest: str  # names the presented code without keeping it
    code_refusal: Refusal | None  # judged when the request arrived, told only after the key is known to be new
    device_no: int | None  # None when the code could not be read or is wrong
    code_step: int
    code_refresh: int
    order_no: str
    amount: int
    scenario: int
    terminal_id: str
    capture: bool
    hold_s: int
    description: str | None
    bill_no: str | None = None
    """The bill that it pays: at once, and for the account of the agency that has billed it."""
    fund_shares: tuple[FundShare, ...] = ()
    """What the insurance pays, decided before; the payer pays the rest."""

    @property
    def merchant(self) -> MerchantId:
        """The merchant is the caller."""
        return MerchantId(self.caller)

    def facts(self) -> tuple[Fact, ...]:
        return (
            self.code_digest,
            self.order_no,
            self.amount,
            self.scenario,
            self.terminal_id,
            self.capture,
            self.hold_s,
            self.description,
            *((self.bill_no,) if self.bill_no is not None else ()),  # answers are older than bills
        )

    def subject(self) -> Subject:
        return Subject(device_no=self.device_no)

    @property
    def shard(self) -> int:
        return shard_of(self.payment)


class Capture(Command, frozen=True, kw_only=True, gc=False):
    """Take some or all of what is on hold. `amount` None means all of it."""

    operation = Operation.CAPTURE
    facts_named = ("id", "amount", "final")

    payment: PaymentId
    amount: int | None
    final: bool

    def facts(self) -> tuple[Fact, ...]:
        return (self.payment.hex(), self.amount, self.final)

    def subject(self) -> Subject:
        return Subject(payment=self.payment)

    @property
    def shard(self) -> int:
        return shard_of(self.payment)


class Void(Command, frozen=True, kw_only=True, gc=False):
    """Let go of a hold."""

    operation = Operation.VOID
    facts_named = ("id",)

    payment: PaymentId

    def facts(self) -> tuple[Fact, ...]:
        return (self.payment.hex(),)

    def subject(self) -> Subject:
        return Subject(payment=self.payment)

    @property
    def shard(self) -> int:
        return shard_of(self.payment)


class RefundPayment(Command, frozen=True, kw_only=True, gc=False):
    """Give back some of what was captured."""

    operation = Operation.REFUND
    facts_named = ("id", "refund_no", "amount", "reason")

    payment: PaymentId
    refund: RefundId
    refund_no: str
    amount: int
    reason: str | None

    def facts(self) -> tuple[Fact, ...]:
        return (self.payment.hex(), self.refund_no, self.amount, self.reason)

    def subject(self) -> Subject:
        return Subject(payment=self.payment)

    @property
    def shard(self) -> int:
        return shard_of(self.payment)


class CancelOrder(Command, frozen=True, kw_only=True, gc=False):
    """Make sure that an order is not paid: void it, refund it, or leave a tombstone."""

    operation = Operation.CANCEL
    facts_named = ("order_no",)

    order_no: str
    refund: RefundId

    @property
    def merchant(self) -> MerchantId:
        """The merchant is the caller."""
        return MerchantId(self.caller)

    def facts(self) -> tuple[Fact, ...]:
        return (self.order_no,)

    def subject(self) -> Subject:
        return Subject(merchant=self.merchant, order_no=self.order_no)

    @property
    def shard(self) -> int:
        return sum(self.order_no.encode())


class ReportLoss(Command, frozen=True, kw_only=True, gc=False):
    """Stop a card: after the answer no authorization can use it."""

    operation = Operation.REPORT_LOSS
    facts_named = ("id",)

    card: CardId

    def facts(self) -> tuple[Fact, ...]:
        return (self.card.hex(),)

    def subject(self) -> Subject:
        return Subject(card=self.card)

    @property
    def shard(self) -> int:
        return shard_of(self.card)


class Reinstate(Command, frozen=True, kw_only=True, gc=False):
    """Let a card that was reported lost pay again."""

    operation = Operation.REINSTATE
    facts_named = ("id",)

    card: CardId

    def facts(self) -> tuple[Fact, ...]:
        return (self.card.hex(),)

    def subject(self) -> Subject:
        return Subject(card=self.card)

    @property
    def shard(self) -> int:
        return shard_of(self.card)


class Expire(Command, frozen=True, kw_only=True, gc=False):
    """Let go of a hold whose time is over. Asked by the sweeper, judged again here."""

    operation = Operation.EXPIRE
    facts_named = ("id",)

    payment: PaymentId

    def facts(self) -> tuple[Fact, ...]:
        return (self.payment.hex(),)

    def subject(self) -> Subject:
        return Subject(payment=self.payment)

    @property
    def shard(self) -> int:
        return shard_of(self.payment)


class OpenAccount(Command, frozen=True, kw_only=True, gc=False):
    """Bring in the balance of a personal account. Units: fen."""

    operation = Operation.OPEN_ACCOUNT
    facts_named = ("id", "amount")

    card: CardId
    amount: int

    def facts(self) -> tuple[Fact, ...]:
        return (self.card.hex(), self.amount)

    def subject(self) -> Subject:
        return Subject(card=self.card)

    @property
    def shard(self) -> int:
        return shard_of(self.card)


class Entry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One posting of a `Book`. Units: fen."""

    debit: AccountId
    credit: AccountId
    amount: int


class Book(Command, frozen=True, kw_only=True, gc=False):
    """Post what no payment's own life makes: returns, settlement, benefits, corrections.

    Whoever asks has decided; *key* names the occasion, so that it is posted once however often it is asked. All entries
    are about the same thing, or about nothing (sixteen zeros).
    """

    operation = Operation.BOOK
    facts_named = ("about", "kind", "entries")

    about: bytes  # a payment, a disbursement's line
    kind: PostingKind
    entries: tuple[Entry, ...]

    def facts(self) -> tuple[Fact, ...]:
        entries = " ".join(f"{entry.debit.hex()}>{entry.credit.hex()}:{entry.amount}" for entry in self.entries)
        return (self.about.hex(), int(self.kind), entries)

    def subject(self) -> Subject:
        return Subject()

    @property
    def shard(self) -> int:
        return shard_of(self.about)


AnyCommand = (
    Authorize | Capture | Void | RefundPayment | CancelOrder | ReportLoss | Reinstate | Expire | OpenAccount | Book
)
