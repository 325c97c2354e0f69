"""Asking again under a key that was used: the same answer, or the name of the first field that differs."""

import msgspec
import pytest

from engine.core.accounts import bank_payable, card_receivable
from engine.core.answers import Answer, Remembered
from engine.core.cards import CardMove
from engine.core.commands import (
    AnyCommand,
    Book,
    ChangeCard,
    ChangeFamily,
    ChangeSettings,
    CheckPassword,
    Concern,
    Entry,
    Operation,
    PasskeyProof,
    PresentedCode,
    Quoted,
    SetPassword,
)
from engine.core.decide import decide, decide_repeat
from engine.core.ids import BankId, CallerId, IdKind, PaymentId, RefundId
from engine.core.payer import TenderOrder
from engine.core.payments import Mode
from engine.core.postings import PostingKind
from engine.core.refusals import Refusal
from tests.core.books_builders import (
    CARD,
    DEVICE_NO,
    FUND,
    NOON,
    STEP,
    UNKNOWN_CARD,
    UNKNOWN_PAYMENT,
    a_cancel,
    a_capture,
    a_loss_report,
    a_refund,
    a_reinstatement,
    a_void,
    an_authorize,
    an_expire,
    an_id,
    an_opening,
    some_books,
)
from tests.core.medical import split_of
from tests.core.ways import RIGHT, WRONG, a_confirm, a_raise
from tests.insured import bill_of, plan_of_area

PAYMENT = PaymentId(an_id(IdKind.PAYMENT, 77))
BANK = BankId(an_id(IdKind.BANK, 78))
BANK_CARD_ONLY = TenderOrder.BANK_CARD_ONLY
QUOTED = Quoted(
    quote=an_id(IdKind.PAYMENT, 79),
    payer=CARD,
    split=split_of(plan_of_area(110100), bill_of(500, insured=100)),
    expires_at=NOON,
)


def another_code(digest: str) -> PresentedCode:
    """A code of that digest that was read at another time, from another phone, and judged otherwise."""
    return PresentedCode(
        digest=digest, refusal=Refusal.PAY_CODE_EXPIRED, device_no=DEVICE_NO + 1, step=STEP + 1, refresh=9, ticket="T"
    )


BOOK = Book(
    caller=CallerId(BANK),
    key="return/1",
    about=PAYMENT,
    kind=PostingKind.RETURN,
    entries=(Entry(card_receivable(CARD), bank_payable(BANK), 100),),
)
COMMANDS: dict[Operation, AnyCommand] = {
    command.operation: command
    for command in (
        msgspec.structs.replace(
            an_authorize(bill_no="B-1", insured=100), quoted=QUOTED, pay_order=PAYMENT, ride_no="R-1"
        ),
        msgspec.structs.replace(a_capture(PAYMENT, amount=100), bill_digest="a bill"),
        msgspec.structs.replace(a_confirm(PAYMENT), passkey=PasskeyProof()),
        a_raise(PAYMENT, amount=100),
        SetPassword(caller=CallerId(BANK), key="password", card=CARD, version=1, digest="a block"),
        ChangeSettings(
            caller=CallerId(BANK), key="settings", card=CARD, no_password_up_to=20_000, tender_order=BANK_CARD_ONLY
        ),
        ChangeCard(caller=CallerId(BANK), key="card", card=CARD, move=CardMove.SUSPEND, reason="a reason"),
        ChangeFamily(caller=CallerId(BANK), key="family", card=CARD, relative=CARD, is_linked=True),
        CheckPassword(caller=CallerId(BANK), key="check", card=CARD, act="an act", password=RIGHT),
        a_void(PAYMENT),
        a_refund(PAYMENT, amount=100, reason="a reason"),
        a_cancel("A"),
        a_loss_report(),
        a_reinstatement(),
        an_expire(PAYMENT),
        an_opening(100),
        BOOK,
    )
}

# What may differ, in the order in which it is compared: the wire's name, our name, another value.
FACTS: dict[Operation, list[tuple[str, str, object]]] = {
    Operation.AUTHORIZE: [
        ("pay_code", "code", another_code("another")),
        ("order_no", "order_no", "another"),
        ("amount", "amount", 501),
        ("scenario", "scenario", 1),
        ("terminal_id", "terminal_id", "T-02"),
        ("capture", "capture", False),
        ("hold_s", "hold_s", 901),
        ("description", "description", ""),
        ("bill_no", "bill_no", "B-2"),
        ("bill", "bill_digest", "another"),
        ("quote_id", "quoted", msgspec.structs.replace(QUOTED, quote=UNKNOWN_PAYMENT)),
        ("mode", "mode", Mode.CARD_READ),
        ("order_id", "pay_order", UNKNOWN_PAYMENT),
        ("ride_no", "ride_no", "R-2"),
    ],
    Operation.CAPTURE: [
        ("id", "payment", UNKNOWN_PAYMENT),
        ("amount", "amount", None),
        ("final", "final", False),
        ("bill", "bill_digest", "another"),
    ],
    Operation.CONFIRM: [("id", "payment", UNKNOWN_PAYMENT), ("passkey", "passkey", None)],
    Operation.RAISE: [
        ("id", "payment", UNKNOWN_PAYMENT),
        ("pay_code", "code", another_code("another")),
        ("amount", "amount", 101),
    ],
    Operation.SET_PASSWORD: [("id", "card", UNKNOWN_CARD), ("new_password_block", "digest", "another")],
    Operation.CHANGE_SETTINGS: [
        ("id", "card", UNKNOWN_CARD),
        ("no_password_up_to", "no_password_up_to", None),
        ("tender_order", "tender_order", None),
    ],
    Operation.CHANGE_CARD: [
        ("id", "card", UNKNOWN_CARD),
        ("move", "move", CardMove.CANCEL),
        ("reason", "reason", None),
    ],
    Operation.CHANGE_FAMILY: [
        ("id", "card", UNKNOWN_CARD),
        ("relative", "relative", UNKNOWN_CARD),
        ("is_linked", "is_linked", False),
    ],
    Operation.CHECK_PASSWORD: [("id", "card", UNKNOWN_CARD), ("act", "act", "another")],
    Operation.VOID: [("id", "payment", UNKNOWN_PAYMENT)],
    Operation.REFUND: [
        ("id", "payment", UNKNOWN_PAYMENT),
        ("refund_no", "refund_no", "another"),
        ("amount", "amount", 101),
        ("reason", "reason", None),
    ],
    Operation.CANCEL: [("order_no", "order_no", "B")],
    Operation.REPORT_LOSS: [("id", "card", UNKNOWN_CARD)],
    Operation.REINSTATE: [("id", "card", UNKNOWN_CARD)],
    Operation.EXPIRE: [("id", "payment", UNKNOWN_PAYMENT)],
    Operation.OPEN_ACCOUNT: [("id", "card", UNKNOWN_CARD), ("amount", "amount", 101)],
    Operation.BOOK: [
        ("about", "about", UNKNOWN_PAYMENT),
        ("kind", "kind", PostingKind.ADJUST),
        ("entries", "entries", ()),
    ],
}

# What the engine itself stamps on a command: no part of what was asked.
STAMPED: dict[Operation, dict[str, object]] = {
    Operation.AUTHORIZE: {
        "payment": UNKNOWN_PAYMENT,
        "code": None,  # read anew below
        "bill": None,
        "quoted": msgspec.structs.replace(QUOTED, payer=UNKNOWN_CARD),
        "password": RIGHT,
        "concern": Concern.CHALLENGE,
        "pay_order_until": NOON,
    },
    Operation.CAPTURE: {"bill": None},
    Operation.CONFIRM: {"merchant": None, "password": WRONG},
    Operation.RAISE: {"code": None},
    Operation.SET_PASSWORD: {"version": 2, "password": WRONG, "is_first": True},
    Operation.CHECK_PASSWORD: {"password": WRONG},
    Operation.REFUND: {"refund": RefundId(an_id(IdKind.REFUND, 78))},
    Operation.CANCEL: {"refund": RefundId(an_id(IdKind.REFUND, 78))},
}
STORED = Answer(refusal=Refusal.NOT_FOUND.value, trace_id="the first")


def test_every_operation_is_in_the_table() -> None:
    assert set(COMMANDS) == set(FACTS) == set(Operation)


@pytest.mark.parametrize("operation", Operation)
def test_every_fact_is_in_the_table_in_its_order(operation: Operation) -> None:
    assert tuple(name for name, _, _ in FACTS[operation]) == COMMANDS[operation].facts_named
    assert len(COMMANDS[operation].facts()) == len(COMMANDS[operation].facts_named)


@pytest.mark.parametrize("operation", Operation)
def test_same_command_gets_the_stored_answer(operation: Operation) -> None:
    command = COMMANDS[operation]
    assert decide_repeat(Remembered(command.facts(), STORED), command) is STORED


@pytest.mark.parametrize("operation", Operation)
def test_what_the_engine_stamps_makes_no_other_command(operation: Operation) -> None:
    command = COMMANDS[operation]
    stamped = dict(STAMPED.get(operation, {}))
    if "code" in stamped:
        stamped["code"] = another_code(command.code.digest)  # type: ignore[union-attr]  # that have one
    again = msgspec.structs.replace(command, trace_id="the second", **stamped)
    assert decide_repeat(Remembered(command.facts(), STORED), again) is STORED


@pytest.mark.parametrize(
    ("operation", "place"),
    [(operation, place) for operation, facts in FACTS.items() for place in range(len(facts))],
    ids=lambda value: value.name if isinstance(value, Operation) else str(value),
)
def test_first_field_that_differs_is_named(operation: Operation, place: int) -> None:
    command = COMMANDS[operation]
    changes = {ours: other for _, ours, other in FACTS[operation][place:]}  # all that come later differ as well
    again = msgspec.structs.replace(command, trace_id="the second", **changes)
    assert decide_repeat(Remembered(command.facts(), STORED), again) == Answer(
        refusal="idempotency_key_reused", field=FACTS[operation][place][0], trace_id="the second"
    )


@pytest.mark.parametrize("operation", Operation)
def test_facts_are_remembered_as_they_were(operation: Operation) -> None:
    command = COMMANDS[operation]
    body = msgspec.msgpack.encode(Remembered(command.facts(), STORED))
    assert msgspec.msgpack.decode(body, type=Remembered).facts == command.facts()


def test_facts_keep_no_code_and_no_account() -> None:
    facts = an_authorize(insured=100).facts()
    assert str(DEVICE_NO) not in map(str, facts)
    assert FUND.hex() not in map(str, facts)


@pytest.mark.parametrize("is_refused", [True, False], ids=["refused", "allowed"])
def test_only_a_refusal_remembers_its_trace(is_refused: bool) -> None:
    command = msgspec.structs.replace(a_loss_report(UNKNOWN_CARD if is_refused else CARD), trace_id="the first")
    assert decide(some_books(), command).answer.trace_id == ("the first" if is_refused else None)
