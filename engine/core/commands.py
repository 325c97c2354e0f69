"""What can be asked of the ledger. A command is complete: nothing in it is looked up again outside the lane."""

import enum
from datetime import datetime

import msgspec

from engine.core.accounts import AccountId
from engine.core.benefits import MedicalBill, Split
from engine.core.card_commands import (
    ChangeCard,
    ChangeFamily,
    ChangeSettings,
    OpenAccount,
    Reinstate,
    ReportLoss,
    SetPassword,
)
from engine.core.command import Command, Fact, Operation, PasskeyProof, PasswordProof, Subject
from engine.core.ids import CardId, MerchantId, PaymentId, RefundId, shard_of
from engine.core.payments import Mode
from engine.core.postings import PostingKind
from engine.core.refusals import Refusal

__all__ = [
    "AnyCommand",
    "Authorize",
    "Book",
    "CancelOrder",
    "Capture",
    "ChangeCard",
    "ChangeFamily",
    "ChangeSettings",
    "CheckPassword",
    "Command",
    "Concern",
    "Confirm",
    "Entry",
    "Expire",
    "Fact",
    "OpenAccount",
    "Operation",
    "PasskeyProof",
    "PasswordProof",
    "PresentedCode",
    "Quoted",
    "Raise",
    "RefundPayment",
    "Reinstate",
    "ReportLoss",
    "SetPassword",
    "Subject",
    "Void",
]


class PresentedCode(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A code that a merchant scanned, read and judged when the request arrived."""

    digest: str  # names it without keeping it
    refusal: Refusal | None  # told only after the key is known to be new
    device_no: int | None  # None when it could not be read or is wrong
    step: int = 0
    refresh: int = 0
    ticket: str | None = None  # a gate took it without a network: it names the ride


class Quoted(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A pre-settlement that is to be paid as it was shown."""

    quote: bytes
    payer: CardId
    split: Split
    expires_at: datetime


class Concern(enum.IntEnum):
    """What the rules of risk want done about a payment, the mildest first."""

    NONE = 0
    CHALLENGE = 1  # the cardholder has to confirm it
    REVIEW = 2  # an operator has to
    DENY = 3


class Authorize(Command, frozen=True, kw_only=True, gc=False):
    """Pay or reserve the amount of one order: by a code that was shown, by a card, or as its holder asks in an app."""

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
        "bill",
        "quote_id",
        "mode",
        "order_id",
        "ride_no",
    )

    payment: PaymentId
    merchant: MerchantId
    mode: Mode = Mode.SHOW_CODE
    code: PresentedCode | None = None
    card: CardId | None = None
    """Whose card it is when no code was shown; NO_ID for one that does not exist."""
    order_no: str
    amount: int
    scenario: int
    terminal_id: str
    capture: bool
    hold_s: int
    description: str | None
    bill_no: str | None = None
    """The bill that it pays: at once, and for the account of the agency that has billed it."""
    bill: MedicalBill | None = None
    """The medical bill that it pays, of which the insurance pays its part."""
    bill_digest: str | None = None
    quoted: Quoted | None = None
    password: PasswordProof | None = None
    concern: Concern = Concern.NONE
    pay_order: bytes | None = None
    """The order that is paid as it was shown."""
    pay_order_until: datetime | None = None
    """When the version of it ends that the bill is of."""
    ride_no: str | None = None
    """The order of a ride that is due, if this one's number is another: that one may be used up."""

    def facts(self) -> tuple[Fact, ...]:
        # Answers are older than bills, and these than what follows: what is not there at the end is not told.
        rare: tuple[Fact, ...] = ()
        if self.bill_no is not None:
            rare = (self.bill_no,)
        if self.bill_digest is not None or self.quoted is not None or self.mode is not Mode.SHOW_CODE:
            quote = self.quoted.quote.hex() if self.quoted is not None else None
            rare = (self.bill_no, self.bill_digest, quote, int(self.mode))
        if self.pay_order is not None or self.ride_no is not None:
            order = self.pay_order.hex() if self.pay_order is not None else None
            rare = (*(rare if len(rare) > 1 else (self.bill_no, None, None, int(self.mode))), order, self.ride_no)
        return (
            self.code.digest if self.code is not None else self.card.hex() if self.card is not None else None,
            self.order_no,
            self.amount,
            self.scenario,
            self.terminal_id,
            self.capture,
            self.hold_s,
            self.description,
            *rare,
        )

    def subject(self) -> Subject:
        needs_family = self.bill is not None
        if self.code is not None:
            return Subject(device_no=self.code.device_no, needs_family=needs_family)
        return Subject(card=self.card, needs_family=needs_family)

    @property
    def shard(self) -> int:
        return shard_of(self.payment)


class Confirm(Command, frozen=True, kw_only=True, gc=False):
    """Agree to a payment that waits for its cardholder, or for an operator who has reviewed it.

    `password` and `passkey` None: an operator has. That it was a passkey is a fact, so the journal tells it.
    """

    operation = Operation.CONFIRM
    facts_named = ("id", "passkey")

    payment: PaymentId
    merchant: MerchantId | None  # whose terminal asks; None: an app or an operator
    password: PasswordProof | None
    passkey: PasskeyProof | None = None

    def facts(self) -> tuple[Fact, ...]:
        return (self.payment.hex(),) if self.passkey is None else (self.payment.hex(), True)

    def subject(self) -> Subject:
        return Subject(payment=self.payment)

    @property
    def shard(self) -> int:
        return shard_of(self.payment)


class CheckPassword(Command, frozen=True, kw_only=True, gc=False):
    """Judge a password that agrees to something that is no payment. *act* names what; a wrong one is one try less."""

    operation = Operation.CHECK_PASSWORD
    facts_named = ("id", "act")

    card: CardId
    act: str
    password: PasswordProof

    def facts(self) -> tuple[Fact, ...]:
        return (self.card.hex(), self.act)

    def subject(self) -> Subject:
        return Subject(card=self.card)

    @property
    def shard(self) -> int:
        return shard_of(self.card)


class Raise(Command, frozen=True, kw_only=True, gc=False):
    """Put more on hold for a deposit, by another code of the same cardholder."""

    operation = Operation.RAISE
    facts_named = ("id", "pay_code", "amount")

    payment: PaymentId
    code: PresentedCode
    amount: int  # that is added

    def facts(self) -> tuple[Fact, ...]:
        return (self.payment.hex(), self.code.digest, self.amount)

    def subject(self) -> Subject:
        return Subject(payment=self.payment)

    @property
    def shard(self) -> int:
        return shard_of(self.payment)


class Capture(Command, frozen=True, kw_only=True, gc=False):
    """Take some or all of what is on hold. `amount` None means all of it, or what a medical bill leaves to be paid."""

    operation = Operation.CAPTURE
    facts_named = ("id", "amount", "final", "bill")

    payment: PaymentId
    amount: int | None
    final: bool
    bill: MedicalBill | None = None
    """The final bill of a stay for which a deposit is on hold."""
    bill_digest: str | None = None

    def facts(self) -> tuple[Fact, ...]:
        named = (self.payment.hex(), self.amount, self.final)
        return named if self.bill_digest is None else (*named, self.bill_digest)

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
    Authorize
    | Confirm
    | Raise
    | Capture
    | Void
    | RefundPayment
    | CancelOrder
    | ReportLoss
    | Reinstate
    | Expire
    | OpenAccount
    | SetPassword
    | ChangeSettings
    | ChangeCard
    | ChangeFamily
    | CheckPassword
    | Book
)
