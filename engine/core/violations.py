"""What can be wrong with the books, where it is, and what should have been there."""

import enum

import msgspec

from engine.core.accounts import AccountKind, account_text
from engine.core.ids import IdKind, id_text, kind_number

_ID_KINDS = frozenset(IdKind)
_ACCOUNT_KINDS = frozenset(AccountKind)


class ViolationKind(enum.Enum):
    """What is wrong, roughly in the order in which it is looked for."""

    CHAIN_TRUNCATED = "chain_truncated"  # a lane's row, or a seal, knows a batch that is not there, or the other way
    BATCH_MISSING = "batch_missing"  # a gap in a lane's chain
    CHAIN_LINK_BROKEN = "chain_link_broken"  # a batch does not follow the one before it
    CYCLE_WENT_BACK = "cycle_went_back"  # or the business date, from one batch to the next
    EVENT_MISSING = "event_missing"  # a batch has not as many events as it was written with
    POSTING_MISSING = "posting_missing"  # a gap in a batch's postings
    POSTING_IN_OTHER_CYCLE = "posting_in_other_cycle"  # than its batch
    POSTING_MALFORMED = "posting_malformed"  # an amount that is none, or one account on both sides
    POSTING_WITHOUT_EVENT = "posting_without_event"  # nothing happened that would have made it
    BATCH_ALTERED = "batch_altered"  # its rows do not give its hash: one of them was edited, deleted or added
    STRAY_ROW = "stray_row"  # a posting or an event that belongs to no batch

    CHAIN_REWRITTEN = "chain_rewritten"  # it is not the one that was sealed
    SEAL_BROKEN = "seal_broken"  # its root or its signature is not that of its vector
    SEAL_MISSING = "seal_missing"  # of a cycle that was sealed
    SEAL_INCOMPLETE = "seal_incomplete"  # a batch of the sealed cycle lies behind the seal

    BALANCE_WRONG = "balance_wrong"
    PAYER_TOTALS_WRONG = "payer_totals_wrong"

    PAYMENT_MISSING = "payment_missing"  # something happened to a payment that is not there
    PAYMENT_UNREADABLE = "payment_unreadable"
    PAYMENT_NOT_AUTHORIZED_ONCE = "payment_not_authorized_once"
    PAYMENT_IN_TWO_CYCLES = "payment_in_two_cycles"
    PAYMENT_CAPTURED_TWICE = "payment_captured_twice"  # a second final capture
    PAYMENT_SUMS_WRONG = "payment_sums_wrong"  # they are not those of its postings
    PAYMENT_CYCLE_WRONG = "payment_cycle_wrong"  # or its business date: not those of its first capture
    PAYMENT_STATE_WRONG = "payment_state_wrong"
    PAYMENT_ALTERED = "payment_altered"  # what never changes is not as it was authorized
    TENDERS_WRONG = "tenders_wrong"
    REFUNDS_WRONG = "refunds_wrong"
    HOLD_WRONG = "hold_wrong"
    ORDER_WRONG = "order_wrong"
    ANSWER_WITHOUT_EVENT = "answer_without_event"

    RETURN_NOT_POSTED = "return_not_posted"  # or otherwise than what was given back, presented again or given up
    RETURN_UNFOUNDED = "return_unfounded"  # posted, and nothing was given back, presented again or given up
    RESOLUTION_NOT_POSTED = "resolution_not_posted"  # or otherwise than two operators have agreed
    RESOLUTION_UNFOUNDED = "resolution_unfounded"  # posted or settled, and two operators have not agreed
    BOOKING_NOT_ANSWERED_ONCE = "booking_not_answered_once"  # posted again, or for no occasion
    BILL_WRONG = "bill_wrong"  # it is not paid by the payment that it names, or not by the one that names it

    FILE_ALTERED = "file_altered"  # its bytes, or what was signed with them
    FILE_WRONG = "file_wrong"  # it does not list what the cycle's postings give its bank
    NETS_NOT_ZERO = "nets_not_zero"
    NET_WRONG = "net_wrong"  # a bank's net position is not what the cycle's postings give

    AUDIT_TRUNCATED = "audit_truncated"  # a chain's row knows an entry that is not there, or the other way
    AUDIT_ENTRY_MISSING = "audit_entry_missing"  # a gap in a chain
    AUDIT_LINK_BROKEN = "audit_link_broken"  # an entry does not follow the one before it
    AUDIT_ENTRY_ALTERED = "audit_entry_altered"  # its columns do not give its hash


class Where(msgspec.Struct, frozen=True, kw_only=True):
    """A place in the books; what does not apply is None."""

    table: str | None = None
    lane: int | None = None
    seq: int | None = None
    chain: int | None = None  # of the audit trail
    n: int | None = None
    account: str | None = None
    payment: str | None = None
    bank: str | None = None
    cycle: int | None = None
    name: str | None = None  # of a file, an order, an idempotency key or a refund

    @property
    def text(self) -> str:
        """The place in one line, such as ``lane 3, seq 12, n 4``."""
        named = ((field, getattr(self, field)) for field in self.__struct_fields__)
        return ", ".join(f"{field} {value}" for field, value in named if value is not None)


class Violation(msgspec.Struct, frozen=True):
    """One thing that is wrong with the books."""

    kind: ViolationKind
    where: Where
    expected: str
    actual: str

    @property
    def text(self) -> str:
        """The violation in one line."""
        return f"{self.kind.value} at {self.where.text}: expected {self.expected}, found {self.actual}"


def name_of(identifier: bytes) -> str:
    """The id as it is written outside, or its bytes if it is none: what is wrong must have a name, too."""
    return id_text(identifier) if kind_number(identifier) in _ID_KINDS else identifier.hex()


def account_name(account: bytes) -> str:
    """The account as people write it, or its bytes if it is none."""
    return account_text(account) if kind_number(account) in _ACCOUNT_KINDS else account.hex()
