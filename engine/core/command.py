"""What every command has: who asks, under which key, what makes two of them the same, and where its payer is found."""

import enum
from typing import ClassVar

import msgspec

from engine.core.ids import CallerId, CardId, MerchantId, PaymentId
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
    CONFIRM = 11
    RAISE = 12
    SET_PASSWORD = 13
    CHANGE_SETTINGS = 14
    CHANGE_CARD = 15
    CHANGE_FAMILY = 16
    CHECK_PASSWORD = 17


class Subject(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the lane locks and reads for a command: one of the ways to a payer, through maps that never change."""

    device_no: int | None = None
    payment: PaymentId | None = None
    card: CardId | None = None
    merchant: MerchantId | None = None
    order_no: str | None = None
    needs_family: bool = False
    """Whether the relative whose personal account helps is locked as well. A payment's own relative always is."""


class PasswordProof(msgspec.Struct, frozen=True, gc=False):
    """What became of the password that came with a request: checked outside, judged under the payer's lock."""

    is_right: bool
    version: int  # of the password that it was compared with
    refusal: Refusal | None = None  # it could not be compared; told only after the key is known to be new


class PasskeyProof(msgspec.Struct, frozen=True, gc=False):
    """What became of the passkey that came with a request: judged outside, told once the key is known to be new."""

    refusal: Refusal | None = None  # None: it has agreed to just this


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
