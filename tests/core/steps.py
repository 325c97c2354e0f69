"""What can happen in a city, as values that hypothesis draws and a clerk makes commands of."""

import time
from collections.abc import Collection
from typing import Final, TypeVar

import msgspec
from hypothesis import strategies as st

from engine.core.commands import (
    AnyCommand,
    Authorize,
    CancelOrder,
    Capture,
    Concern,
    Confirm,
    OpenAccount,
    PasswordProof,
    RefundPayment,
    Reinstate,
    ReportLoss,
    Void,
)
from engine.core.ids import CardId, IdKind, PaymentId, RefundId, shard_of
from engine.core.payments import State
from engine.core.refusals import Refusal
from engine.core.scenarios import OUTPATIENT, PHARMACY
from engine.ledger.queue import Outcome
from tests.builders import RIGHT_PASSWORD, WRONG_PASSWORD, an_id
from tests.core.city import City

Drawn = TypeVar("Drawn")
ANY_STATE: Final = tuple(State)
NO_SUCH_PAYMENT: Final = PaymentId(bytes(16))
FIXED_CODE_STEPS: Final = 500  # before now: a world draws new codes from now on


class Clerk:
    """Makes commands for one city, and remembers what was asked before and what was answered."""

    def __init__(self, city: City) -> None:
        """Nothing was asked yet."""
        self.city = city
        self.asked: list[AnyCommand] = []
        self._payments: dict[PaymentId, tuple[Authorize, State]] = {}
        self._code_step = int(time.time()) // 30 - FIXED_CODE_STEPS

    def make(self, step: "Step") -> AnyCommand:
        """The command that a step is. A payment that is asked for may be named at once."""
        command = step.command(self)
        self.asked.append(command)
        if isinstance(command, Authorize) and isinstance(step, Pay):
            state = State.CAPTURED if command.capture else State.AUTHORIZED
            state = state if command.concern is Concern.NONE else State.AWAITING_USER
            self._payments[command.payment] = (command, state)
        return command

    def hear(self, command: AnyCommand, outcome: Outcome) -> None:
        """Remember what became of a payment; one that was refused is none."""
        payment = outcome.answer.payment
        if isinstance(command, Authorize) and payment is None:
            self._payments.pop(command.payment, None)
        if payment is not None and payment.id in self._payments and not outcome.is_replay:
            self._payments[payment.id] = (self._payments[payment.id][0], payment.state)

    def recent(self, back: int, states: Collection[State]) -> Authorize | None:
        """What was asked for the last payment but *back* in one of the states, or as good a guess as there is."""
        everything = [asked for asked, _ in self._payments.values()]
        found = [asked for asked, state in self._payments.values() if state in states] or everything
        return found[max(0, len(found) - 1 - back)] if found else None

    def code_step(self, code: int | None) -> int | None:
        """The step of a code that may be shown again; None is a new code."""
        return self._code_step + code if code is not None else None


class Which(msgspec.Struct, frozen=True, kw_only=True):
    """A payment that something is asked about."""

    back: int
    in_any_state: bool
    is_others: bool  # asked by the other merchant

    def of(self, clerk: Clerk, *states: State) -> tuple[PaymentId, int]:
        """The payment and who asks."""
        asked = clerk.recent(self.back, ANY_STATE if self.in_any_state else states)
        if asked is None:
            return NO_SUCH_PAYMENT, 0
        return asked.payment, clerk.city.world.merchants.index(asked.merchant) ^ self.is_others


class Pay(msgspec.Struct, frozen=True, kw_only=True):
    """A code is scanned."""

    card: int
    merchant: int
    amount: int
    insured: int
    capture: bool
    order: str | None
    code: int | None
    hold_s: int = 900
    wrong: str | None = None
    password: bool | None = None  # right, wrong, none
    concern: Concern = Concern.NONE

    def command(self, clerk: Clerk) -> AnyCommand:
        """Authorize."""
        made = clerk.city.world.authorize(
            card=self.card,
            merchant=self.merchant,
            amount=self.amount,
            order_no=self.order,
            capture=self.capture,
            hold_s=self.hold_s,
            step=clerk.code_step(self.code),
            terminal_id="T-99" if self.wrong == "terminal" else "T-01",
            scenario=OUTPATIENT.number if self.wrong == "scenario" else PHARMACY.number,
            code_refusal=Refusal.PAY_CODE_EXPIRED if self.wrong == "expired" else None,
            insured=self.insured if self.insured <= self.amount else 0,
            password=_proof(self.password),
            concern=self.concern,
        )
        if self.wrong == "code":
            assert made.code is not None
            code = msgspec.structs.replace(made.code, device_no=None, refusal=Refusal.PAY_CODE_WRONG)
            made = msgspec.structs.replace(made, code=code)
        return made


class Agree(msgspec.Struct, frozen=True, kw_only=True):
    """A payment that waits is confirmed: with a password at its terminal or in an app, or by an operator."""

    which: Which
    password: bool | None
    in_an_app: bool

    def command(self, clerk: Clerk) -> AnyCommand:
        """Confirm."""
        payment, merchant = self.which.of(clerk, State.AWAITING_USER)
        is_elsewhere = self.in_an_app or self.password is None
        return clerk.city.world.confirm(
            payment, password=_proof(self.password), merchant=None if is_elsewhere else merchant
        )


class Take(msgspec.Struct, frozen=True, kw_only=True):
    """A hold is captured."""

    which: Which
    amount: int | None
    final: bool

    def command(self, clerk: Clerk) -> AnyCommand:
        """Capture."""
        payment, merchant = self.which.of(clerk, State.AUTHORIZED)
        return clerk.city.world.capture(payment, amount=self.amount, final=self.final, merchant=merchant)


class LetGo(msgspec.Struct, frozen=True, kw_only=True):
    """A hold is let go of, by its merchant or because the sweeper comes by."""

    which: Which
    is_sweep: bool

    def command(self, clerk: Clerk) -> AnyCommand:
        """Void or expire."""
        world = clerk.city.world
        payment, merchant = self.which.of(clerk, State.AUTHORIZED, State.AWAITING_USER)
        return world.expire(payment) if self.is_sweep else world.void(payment, merchant=merchant)


class GiveBack(msgspec.Struct, frozen=True, kw_only=True):
    """Something is refunded."""

    which: Which
    amount: int
    number: str | None

    def command(self, clerk: Clerk) -> AnyCommand:
        """Refund."""
        payment, merchant = self.which.of(clerk, State.CAPTURED, State.PARTIALLY_REFUNDED)
        return clerk.city.world.refund(payment, amount=self.amount, refund_no=self.number, merchant=merchant)


class Cancel(msgspec.Struct, frozen=True, kw_only=True):
    """An order is cancelled: that of a payment, or one that may not have come yet."""

    which: Which
    order: str | None

    def command(self, clerk: Clerk) -> AnyCommand:
        """Cancel."""
        asked = clerk.recent(self.which.back, ANY_STATE)
        _, merchant = self.which.of(clerk, *ANY_STATE)
        order_no = self.order if self.order is not None or asked is None else asked.order_no
        return clerk.city.world.cancel(order_no if order_no is not None else "C", merchant=merchant)


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """A card is reported lost, or found again."""

    card: int
    is_lost: bool

    def command(self, clerk: Clerk) -> AnyCommand:
        """Report the loss, or reinstate."""
        world = clerk.city.world
        return world.report_loss(card=self.card) if self.is_lost else world.reinstate(card=self.card)


class BringIn(msgspec.Struct, frozen=True, kw_only=True):
    """A balance is brought in."""

    card: int
    amount: int

    def command(self, clerk: Clerk) -> AnyCommand:
        """Open the account."""
        return clerk.city.world.open_account(card=self.card, amount=self.amount)


class Again(msgspec.Struct, frozen=True, kw_only=True):
    """Something is asked again under its key: the same, or something else."""

    back: int
    is_changed: bool

    def command(self, clerk: Clerk) -> AnyCommand:
        """The same operation and key; what the engine stamps is new."""
        if self.back >= len(clerk.asked):
            return clerk.city.world.report_loss()
        command = clerk.asked[-1 - self.back]
        if command.key is None:
            return command
        command = _stamped_again(command)
        return _changed(command) if self.is_changed else command


class Wait(msgspec.Struct, frozen=True, kw_only=True):
    """Time passes."""

    seconds: int


class CloseCycle(msgspec.Struct, frozen=True, kw_only=True):
    """The open cycle is closed, and the next is opened: of the same day, or of the next."""

    is_next_day: bool


Step = Pay | Agree | Take | LetGo | GiveBack | Cancel | Card | BringIn | Again


def _proof(is_right: bool | None) -> PasswordProof | None:
    if is_right is None:
        return None
    return RIGHT_PASSWORD if is_right else WRONG_PASSWORD


def _stamped_again(command: AnyCommand) -> AnyCommand:
    match command:
        case Authorize():
            payment = an_id(IdKind.PAYMENT, shard=shard_of(command.payment))
            return msgspec.structs.replace(command, payment=PaymentId(payment))
        case RefundPayment() | CancelOrder():
            return msgspec.structs.replace(command, refund=RefundId(an_id(IdKind.REFUND)))
        case _:
            return command


def _changed(command: AnyCommand) -> AnyCommand:
    match command:
        case Authorize():
            return msgspec.structs.replace(command, amount=command.amount + 1, hold_s=command.hold_s + 1)
        case Capture():
            return msgspec.structs.replace(command, final=not command.final)
        case RefundPayment():
            return msgspec.structs.replace(command, reason="another")
        case CancelOrder():
            return msgspec.structs.replace(command, order_no=command.order_no + "-")
        case Void() | Confirm():
            return msgspec.structs.replace(command, payment=NO_SUCH_PAYMENT)
        case ReportLoss() | Reinstate():
            return msgspec.structs.replace(command, card=CardId(NO_SUCH_PAYMENT))
        case OpenAccount():
            return msgspec.structs.replace(command, amount=command.amount + 1)
        case _:
            return command


# Few values, so that numbers meet: refunds of exactly what is left, orders and codes that come twice.
_AMOUNTS: Final = st.sampled_from([1, 50, 100, 150, 200, 300, 450, 600])
_CARDS: Final = st.sampled_from([0, 0, 0, 0, 1, 1, 2, 2, 3])
_MERCHANTS: Final = st.sampled_from([0, 0, 0, 1])
_ORDERS: Final = st.sampled_from([None, None, None, "A", "B"])

_SELDOM: Final = st.sampled_from([False] * 11 + [True])
_WHICH: Final = st.builds(
    Which, back=st.sampled_from([0, 0, 0, 0, 0, 1, 1, 2, 3]), in_any_state=_SELDOM, is_others=_SELDOM
)

_PAY: Final = st.builds(
    Pay,
    card=_CARDS,
    merchant=_MERCHANTS,
    amount=_AMOUNTS,
    insured=st.sampled_from([0, 0, 0, 50, 100]),
    capture=st.booleans(),
    order=_ORDERS,
    code=st.sampled_from([None, None, None, None, 0, 1]),
    hold_s=st.sampled_from([900, 3_600]),
    wrong=st.sampled_from([None] * 16 + ["terminal", "scenario", "code", "expired"]),
    password=st.sampled_from([None] * 8 + [True, False]),
    concern=st.sampled_from([Concern.NONE] * 8 + [Concern.CHALLENGE, Concern.CHALLENGE, Concern.REVIEW, Concern.DENY]),
)
_AGREE: Final = st.builds(
    Agree, which=_WHICH, password=st.sampled_from([True, True, True, False, None]), in_an_app=st.booleans()
)
_TAKE: Final = st.builds(Take, which=_WHICH, amount=st.none() | _AMOUNTS, final=st.booleans())
_LET_GO: Final = st.builds(LetGo, which=_WHICH, is_sweep=st.booleans())
_GIVE_BACK: Final = st.builds(GiveBack, which=_WHICH, amount=_AMOUNTS, number=st.sampled_from([None, None, "R-1"]))
_CANCEL: Final = st.builds(Cancel, which=_WHICH, order=st.sampled_from([None, None, None, "A", "B"]))
_CARD: Final = st.builds(Card, card=_CARDS, is_lost=st.sampled_from([False, False, True]))
_BRING_IN: Final = st.builds(BringIn, card=_CARDS, amount=_AMOUNTS)
_AGAIN: Final = st.builds(Again, back=st.sampled_from([0, 0, 1, 2, 5, 9]), is_changed=st.booleans())


def _one_of(*weighted: tuple[int, st.SearchStrategy[Drawn]]) -> st.SearchStrategy[Drawn]:
    """Like `one_of`, which draws each strategy as often as any other."""
    return st.sampled_from([which for weight, which in weighted for _ in range(weight)]).flatmap(lambda which: which)


STEPS: Final[st.SearchStrategy[Step]] = _one_of(
    (7, _PAY),
    (3, _AGREE),
    (4, _TAKE),
    (2, _LET_GO),
    (4, _GIVE_BACK),
    (1, _CANCEL),
    (1, _CARD),
    (1, _BRING_IN),
    (2, _AGAIN),
)
WAITS: Final[st.SearchStrategy[Wait]] = st.builds(
    Wait, seconds=st.sampled_from([100, 120, 600, 900, 900, 3_600, 3_600, 86_400 * PHARMACY.refund_window_days])
)
CLOSINGS: Final[st.SearchStrategy[CloseCycle]] = st.builds(CloseCycle, is_next_day=st.booleans())
HAPPENINGS: Final[st.SearchStrategy[Step | Wait | CloseCycle]] = _one_of((10, STEPS), (1, WAITS), (1, CLOSINGS))


@st.composite
def days(draw: st.DrawFn) -> list[Step | Wait | CloseCycle]:
    """A good many things that happen one after the other; lists that hypothesis sizes itself are mostly short."""
    return [draw(HAPPENINGS) for _ in range(draw(st.integers(1, 60)))]


@st.composite
def rushes(draw: st.DrawFn) -> list[Step]:
    """A good many commands that arrive in one instant."""
    return [draw(STEPS) for _ in range(draw(st.integers(1, 60)))]
