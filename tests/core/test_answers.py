"""Stored answers stay readable for ever: what was written once is read back, and shown, byte by byte.

A file of ``tests/golden/answers`` is named for what it holds and the version that wrote it. It is never changed after a
release, for answers like it are stored; a new version of `Answer` gets new files beside the old ones.
"""

from datetime import UTC, date, datetime
from pathlib import Path

import msgspec
import pytest

from engine.core.accounts import bank_receivable, personal_account, pool_fund
from engine.core.answers import ANSWER_VERSION, Answer, CancelOutcome, CardState, Clearing, Remembered
from engine.core.calendar import CycleNumber
from engine.core.ids import BankId, CallerId, CardId, IdKind, MerchantId, PaymentId, RefundId, make_id
from engine.core.payer import CardStatus, IssueLevel, LimitClass
from engine.core.payments import Awaiting, Claim, Details, Mode, Payment, Refund, State, Tender, TenderKind
from engine.web.render import encode_json, payment_of_answer

GOLDEN = Path(__file__).parents[1] / "golden" / "answers"
BYTES_PER_LINE = 32
AT = datetime(2026, 11, 24, 4, 0, 0, 123_456, UTC)
CUT_OVER = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)
DAY = date(2026, 11, 24)
CYCLE = CycleNumber(2026112401)


def an_id(kind: IdKind) -> bytes:
    return make_id(kind, at_ms=1_795_492_800_000, shard=200, region=110101, entropy=2**43 + kind)


CARD = CardId(an_id(IdKind.CARD))
TENDERS = (
    Tender(TenderKind.POOL_FUND, pool_fund(110100, 310100), 16_236, 16_236, 0, 310100),
    Tender(TenderKind.PERSONAL_ACCOUNT, personal_account(CARD), 40_000, 40_000, 0),
    Tender(TenderKind.BANK_CARD, bank_receivable(BankId(an_id(IdKind.BANK))), 23_735, 23_735, 0),
)
CAPTURED = Payment(
    id=PaymentId(an_id(IdKind.PAYMENT)),
    region=110101,
    merchant=MerchantId(an_id(IdKind.MERCHANT)),
    payer=CARD,
    order_no="A-1001",
    amount=79_971,
    scenario=1,
    mode=Mode.SHOW_CODE,
    terminal_id="T-01",
    description="门诊费",
    state=State.CAPTURED,
    refusal=None,
    tenders=TENDERS,
    business_date=DAY,
    cycle=CYCLE,
    limit_day=DAY,
    created_at=AT,
    expires_at=None,
    captured_at=AT,
)
HELD = msgspec.structs.replace(
    CAPTURED,
    state=State.AUTHORIZED,
    tenders=tuple(msgspec.structs.replace(tender, captured=0) for tender in TENDERS),
    description=None,
    cycle=None,
    expires_at=CUT_OVER,
    captured_at=None,
)
DECLINED = msgspec.structs.replace(
    CAPTURED, state=State.DECLINED, refusal="insufficient_funds", tenders=(), cycle=None, captured_at=None
)
REFUNDED = msgspec.structs.replace(
    CAPTURED,
    state=State.PARTIALLY_REFUNDED,
    tenders=(*TENDERS[:2], msgspec.structs.replace(TENDERS[2], refunded=10_000)),
)
REFUND = Refund(
    id=RefundId(an_id(IdKind.REFUND)),
    payment=CAPTURED.id,
    refund_no="R-1",
    amount=10_000,
    tenders=(msgspec.structs.replace(TENDERS[2], amount=10_000, captured=10_000, refunded=10_000),),
    reason="药品缺货",
    business_date=DAY,
    cycle=CYCLE,
    created_at=AT,
)
BILLED = msgspec.structs.replace(
    CAPTURED,
    sequence=2,
    limit=LimitClass.CONFIRMED,
    details=Details(
        claim=Claim("110100-310-2026", 2026, 79_971, 12_850, 2_001, 7_800, 57_320, 30_000, 16_236, "MDT-1"),
        awaiting=Awaiting(True, 900, False),
        quote=an_id(IdKind.EVENT),
        pay_order=an_id(IdKind.ORDER),
        channel=CallerId(an_id(IdKind.CHANNEL)),
    ),
    family=CardId(an_id(IdKind.CARD)[:-1] + b"x"),
)
WAITING = msgspec.structs.replace(
    HELD, state=State.AWAITING_USER, mode=Mode.CARD_READ, details=Details(awaiting=Awaiting(False, 39_600, True))
)
RAISED = msgspec.structs.replace(HELD, sequence=3, details=Details(raised=10_000))
TOO_LATE = msgspec.structs.replace(WAITING, state=State.VOIDED, refusal="confirmation_timeout", sequence=2)
RIDDEN = msgspec.structs.replace(
    CAPTURED, limit=LimitClass.OFFLINE, scenario=7, tenders=TENDERS[2:], details=Details(ticket="rt_1")
)
AUTHORIZE_FACTS = ("5f2b8c0d1e3a4756", "A-1001", 79_971, 1, "T-01", True, 900, "门诊费")

REMEMBERED = {
    "captured.v1": Remembered(
        AUTHORIZE_FACTS,
        Answer(version=1, payment=CAPTURED, clearing=Clearing.UNCLEARED, next_cutoff_at=CUT_OVER),
    ),
    "held.v1": Remembered(
        (*AUTHORIZE_FACTS[:5], False, 39_600, None), Answer(version=1, payment=HELD, next_cutoff_at=CUT_OVER)
    ),
    "declined.v1": Remembered(
        AUTHORIZE_FACTS,
        Answer(
            version=1,
            refusal="insufficient_funds",
            payment=DECLINED,
            next_cutoff_at=CUT_OVER,
            trace_id="4bf92f3577b34da6a3ce929d0e0e4736",
        ),
    ),
    "refused.v1": Remembered(
        AUTHORIZE_FACTS,
        Answer(version=1, refusal="order_already_paid", field="order_no", trace_id="4bf92f3577b34da6a3ce929d0e0e4736"),
    ),
    "refunded.v1": Remembered(
        (CAPTURED.id.hex(), "R-1", 10_000, "药品缺货"),
        Answer(version=1, payment=REFUNDED, clearing=Clearing.PUBLISHED, next_cutoff_at=CUT_OVER, refund=REFUND),
    ),
    "nothing_to_cancel.v1": Remembered(("A-1001",), Answer(version=1, cancelled=CancelOutcome.NOTHING_TO_CANCEL)),
    "reported_lost.v1": Remembered(
        (CARD.hex(),),
        Answer(version=1, card=CardState(CARD, CardStatus.LOST, IssueLevel.PAYMENT, AT)),
    ),
    # From the second version on a payment may pay a bill, and a booking tells its cycle.
    "captured.v2": Remembered(
        AUTHORIZE_FACTS,
        Answer(version=2, payment=CAPTURED, clearing=Clearing.UNCLEARED, next_cutoff_at=CUT_OVER),
    ),
    "billed.v2": Remembered(
        (*AUTHORIZE_FACTS, "B-2026-1"),
        Answer(version=2, payment=msgspec.structs.replace(CAPTURED, bill_no="B-2026-1"), next_cutoff_at=CUT_OVER),
    ),
    "refused.v2": Remembered(
        (*AUTHORIZE_FACTS, "B-2026-1"),
        Answer(version=2, refusal="bill_expired", field="bill_no", trace_id="4bf92f3577b34da6a3ce929d0e0e4736"),
    ),
    "refunded.v2": Remembered(
        (CAPTURED.id.hex(), "R-1", 10_000, "药品缺货"),
        Answer(version=2, payment=REFUNDED, clearing=Clearing.PUBLISHED, next_cutoff_at=CUT_OVER, refund=REFUND),
    ),
    "booked.v2": Remembered((CAPTURED.id.hex(), 4, "019ab1c2>019ab1c3:100"), Answer(version=2, booked_in=CYCLE)),
    # From the third version on a payment counts its events, tells how it came about, and may wait for its cardholder.
    "captured.v3": Remembered(
        AUTHORIZE_FACTS,
        Answer(version=3, payment=CAPTURED, clearing=Clearing.UNCLEARED, next_cutoff_at=CUT_OVER),
    ),
    "billed.v3": Remembered(
        (*AUTHORIZE_FACTS, None, "9f86d081884c7d65", CAPTURED.id.hex(), 2),
        Answer(version=3, payment=BILLED, next_cutoff_at=CUT_OVER),
    ),
    "waiting.v3": Remembered(
        (*AUTHORIZE_FACTS[:5], False, 39_600, None, None, None, None, 4),
        Answer(version=3, payment=WAITING, next_cutoff_at=CUT_OVER),
    ),
    "raised.v3": Remembered(
        (CAPTURED.id.hex(), "5f2b8c0d1e3a4756", 10_000), Answer(version=3, payment=RAISED, next_cutoff_at=CUT_OVER)
    ),
    "too_late.v3": Remembered((CAPTURED.id.hex(),), Answer(version=3, payment=TOO_LATE, next_cutoff_at=CUT_OVER)),
    "ridden.v3": Remembered(AUTHORIZE_FACTS, Answer(version=3, payment=RIDDEN, next_cutoff_at=CUT_OVER)),
    "refused.v3": Remembered(
        (CAPTURED.id.hex(),),
        Answer(
            version=3,
            refusal="password_incorrect",
            field="password_block",
            trace_id="4bf92f3577b34da6a3ce929d0e0e4736",
            tries_left=4,
        ),
    ),
}


RENDERED = GOLDEN.parent / "rendered"
SHOWN = [name for name, remembered in REMEMBERED.items() if remembered.answer.payment is not None]


def as_hex(body: bytes) -> str:
    lines = [body[at : at + BYTES_PER_LINE].hex() for at in range(0, len(body), BYTES_PER_LINE)]
    return "\n".join(lines) + "\n"


def stored(name: str) -> str:
    return (GOLDEN / f"{name}.hex").read_text()


@pytest.mark.parametrize("name", REMEMBERED)
def test_stored_answer_is_read_back(name: str) -> None:
    assert msgspec.msgpack.decode(bytes.fromhex(stored(name)), type=Remembered) == REMEMBERED[name]


@pytest.mark.parametrize("name", [name for name in REMEMBERED if name.endswith(f".v{ANSWER_VERSION}")])
def test_answer_is_stored_as_this_version_always_did(name: str) -> None:
    assert as_hex(msgspec.msgpack.encode(REMEMBERED[name])) == stored(name)


@pytest.mark.parametrize("name", SHOWN)
def test_stored_answer_is_rendered_as_it_was_at_first(name: str) -> None:
    read = msgspec.msgpack.decode(bytes.fromhex(stored(name)), type=Remembered)
    assert encode_json(payment_of_answer(read.answer)) == (RENDERED / f"{name}.json").read_bytes()


def test_every_stored_answer_has_its_meaning() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == set(REMEMBERED)


def test_this_version_has_stored_answers() -> None:
    assert [name for name in REMEMBERED if name.endswith(f".v{ANSWER_VERSION}")]


def test_answer_that_was_stored_before_the_last_field_came_is_still_read() -> None:
    answer = Answer(refusal="not_found")
    shorter = msgspec.msgpack.decode(msgspec.msgpack.encode(answer))[:-1]
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(shorter), type=Answer) == answer


def test_instant_is_read_back_to_the_microsecond() -> None:
    card = CardState(CARD, CardStatus.LOST, IssueLevel.PAYMENT, AT)
    read = msgspec.msgpack.decode(msgspec.msgpack.encode(card), type=CardState)
    assert (read.at, read.at.tzinfo) == (AT, UTC)
