"""The books check on payments that waited, were raised, billed at the end, helped by a relative or taken at a gate."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

import asyncpg
import msgspec

from engine.core.commands import AnyCommand, Authorize, Capture, Concern, PresentedCode, Quoted, Raise
from engine.core.ids import CallerId, IdKind, PaymentId
from engine.core.payments import Claim, Details, Mode, State
from engine.core.violations import Violation, ViolationKind, name_of
from engine.flows.verify_books import verify_books
from engine.ledger.router import Ledger
from tests.builders import REGION, RIGHT_PASSWORD, WRONG_PASSWORD, World, a_world, an_id
from tests.core.medical import split_of
from tests.flows.busy_books import PUBLIC_KEYS, a_ledger, publish
from tests.insured import bill_of, plan_of_area

SECOND_US = 1_000_000
CONFIRM_S = 120
FAR_OFF = datetime(2100, 1, 1, tzinfo=UTC)


class EveryWay(msgspec.Struct, kw_only=True):
    """The payments of these books, by how they came about."""

    world: World
    waiting: PaymentId
    confirmed: PaymentId
    confirmed_hold: PaymentId
    too_late: PaymentId
    voided: PaymentId
    declined: PaymentId
    raised: PaymentId
    billed: PaymentId
    part_refunded: PaymentId
    by_family: PaymentId


def a_raise(world: World, payment: PaymentId, *, amount: int) -> Raise:
    """Another code of the first card puts more on hold."""
    code = world.authorize(card=0).code
    assert code is not None
    return Raise(
        caller=CallerId(world.merchants[0]), key=f"raise-{payment.hex()}", payment=payment, code=code, amount=amount
    )


def a_final_bill(world: World, payment: PaymentId, *, amount: int, insured: int) -> Capture:
    """The bill of a stay comes to *amount*."""
    captured = world.capture(payment)
    return msgspec.structs.replace(captured, bill=bill_of(amount, insured=insured), bill_digest="the final bill")


async def every_way(dsn: str, sql: asyncpg.Connection) -> EveryWay:
    """One payment each way, over two cycles, through two lanes."""
    world = await a_world(sql)
    await sql.execute("UPDATE merchant SET scenarios = '{1,2,3,7}'")
    await sql.execute("UPDATE payer SET family = $1 WHERE id = $2", world.cards[3], world.cards[2])
    async with a_ledger(dsn) as ledger:

        async def made(command: AnyCommand, *, refusal: str | None = None) -> PaymentId:
            answer = (await ledger.submit(command)).answer
            assert answer.refusal == refusal
            assert answer.payment is not None
            return answer.payment.id

        def asked(*, card: int = 0, capture: bool = True, insured: int = 0) -> Authorize:
            return world.authorize(card=card, capture=capture, insured=insured, concern=Concern.CHALLENGE)

        for card in range(4):
            await ledger.submit(world.open_account(card=card, amount=1_000))
        confirmed = await made(asked(insured=100))
        await ledger.submit(world.confirm(confirmed, password=WRONG_PASSWORD))
        await made(world.confirm(confirmed))
        confirmed_hold = await made(asked(card=1, capture=False))
        await made(world.confirm(confirmed_hold))
        too_late = await made(asked(card=1, insured=100))
        await made(world.void(await made(asked(card=1))))
        voided = await made(world.authorize(card=1, capture=False))
        await made(world.void(voided))
        raised = await made(world.authorize(capture=False, amount=300))
        await made(a_raise(world, raised, amount=400))
        billed = await made(world.authorize(capture=False, amount=900))
        await made(a_raise(world, billed, amount=200))
        await publish(dsn)

        await made(a_final_bill(world, billed, amount=1_200, insured=500))
        await sql.execute("UPDATE control SET sandbox_offset_us = sandbox_offset_us + $1", CONFIRM_S * SECOND_US)
        await made(world.expire(too_late))
        part_refunded = await made(world.authorize(card=1, amount=800, insured=300))
        await made(world.refund(part_refunded, amount=200))
        whole = await made(world.authorize(card=1, amount=800, insured=300))
        await made(world.refund(whole, amount=800))
        by_family = await made(world.authorize(card=2, amount=2_500, insured=100))
        await _ride(ledger, world, sql)
        await made(_card_read(world))
        await made(_quoted(world, await _deductible_and_fund(sql, world)))
        waiting = await made(asked(card=3, insured=50))
        declined = await made(world.authorize(card=3, password=WRONG_PASSWORD), refusal="password_incorrect")
    return EveryWay(
        world=world,
        waiting=waiting,
        confirmed=confirmed,
        confirmed_hold=confirmed_hold,
        too_late=too_late,
        voided=voided,
        declined=declined,
        raised=raised,
        billed=billed,
        part_refunded=part_refunded,
        by_family=by_family,
    )


async def _ride(ledger: Ledger, world: World, sql: asyncpg.Connection) -> None:
    """A ride that cannot be taken at first, and is paid later by its order number."""
    ride = world.authorize(card=3, amount=100, scenario=7, order_no="ride-1")
    assert isinstance(ride.code, PresentedCode)
    ride = msgspec.structs.replace(ride, code=msgspec.structs.replace(ride.code, ticket="ticket-1"))
    await sql.execute("UPDATE payer SET limit_offline = 99 WHERE id = $1", world.cards[3])
    assert (await ledger.submit(ride)).answer.refusal == "limit_exceeded"
    assert await sql.fetchval("SELECT count(*) FROM unpaid_ride") == 1
    assert (await ledger.submit(world.authorize(card=3, scenario=7))).answer.refusal == "unpaid_ride"
    held = (
        await ledger.submit(world.authorize(card=3, amount=100, scenario=7, order_no="ride-1", capture=False))
    ).answer
    assert held.payment is not None
    assert (await ledger.submit(world.capture(held.payment.id))).answer.refusal is None
    assert await sql.fetchval("SELECT count(*) FROM unpaid_ride") == 0
    assert await sql.fetchval("SELECT blocked_scenarios FROM payer WHERE id = $1", world.cards[3]) == 0


def _card_read(world: World) -> Authorize:
    command = world.authorize(card=3, password=RIGHT_PASSWORD)
    return msgspec.structs.replace(command, code=None, card=world.cards[3], mode=Mode.CARD_READ)


async def _deductible_and_fund(sql: asyncpg.Connection, world: World) -> tuple[int, int]:
    row = await sql.fetchrow("SELECT deductible_used, fund_paid FROM payer WHERE id = $1", world.cards[0])
    assert row is not None
    return row[0], row[1]


def _quoted(world: World, used: tuple[int, int]) -> Authorize:
    command = world.authorize(card=0, amount=600, insured=200)
    assert command.bill is not None
    split = split_of(
        plan_of_area(REGION // 100 * 100),
        command.bill,
        hospital_level=0,
        deductible_used=used[0],
        fund_paid=used[1],
    )
    return msgspec.structs.replace(
        command, quoted=Quoted(quote=an_id(IdKind.EVENT), payer=world.cards[0], split=split, expires_at=FAR_OFF)
    )


async def violation_in(dsn: str) -> Violation | None:
    # Slices of three rows put every seam between slices somewhere in these books.
    report = await verify_books(dsn, public_keys=PUBLIC_KEYS, progress=lambda *_: None, slice_rows=3)
    return report.violation


def details_with(**changes: object) -> Callable[[bytes | None], bytes]:
    """The column of details once something in them was edited."""

    def edited(column: bytes | None) -> bytes:
        details = msgspec.msgpack.decode(column, type=Details) if column is not None else Details()
        return msgspec.msgpack.encode(msgspec.structs.replace(details, **changes))

    return edited


def claim_with(**changes: object) -> Callable[[bytes], bytes]:
    """The column of details once its claim was edited."""

    def edited(column: bytes) -> bytes:
        details = msgspec.msgpack.decode(column, type=Details)
        assert details.claim is not None
        claim = msgspec.structs.replace(details.claim, **changes)
        return msgspec.msgpack.encode(msgspec.structs.replace(details, claim=claim))

    return edited


def another(value: object) -> Callable[[object], object]:
    """The column once it was overwritten."""
    return lambda _: value


CLAIM = Claim("another", 2026, 500, 0, 0, 0, 500, 0, 500)
ALTERED, STATE_WRONG = ViolationKind.PAYMENT_ALTERED, ViolationKind.PAYMENT_STATE_WRONG
DAMAGES: Final[Sequence[tuple[str, str, str, Callable[..., object], ViolationKind]]] = (
    ("waiting, and called authorized", "waiting", "expires_at", another(None), ViolationKind.HOLD_WRONG),
    ("confirmed without its event", "waiting", "state", another(State.CAPTURED), ViolationKind.PAYMENT_SUMS_WRONG),
    ("void that nobody waited for", "voided", "refusal", another("confirmation_timeout"), ALTERED),
    ("too late, and yet captured", "confirmed", "refusal", another("confirmation_timeout"), STATE_WRONG),
    ("too late, and called expired", "too_late", "state", another(State.EXPIRED), STATE_WRONG),
    ("hold for longer than confirmed", "confirmed_hold", "expires_at", another(FAR_OFF), ViolationKind.HOLD_WRONG),
    ("raised by another amount", "raised", "details", details_with(raised=401), ViolationKind.TENDERS_WRONG),
    ("never raised", "raised", "details", another(None), ViolationKind.TENDERS_WRONG),
    ("another figure of the claim", "confirmed", "details", claim_with(deductible=1), ALTERED),
    ("claim forgotten", "part_refunded", "details", another(None), ALTERED),
    ("claim invented", "confirmed_hold", "details", details_with(claim=CLAIM), ALTERED),
    ("final bill of another amount", "billed", "details", claim_with(total=1_201), ALTERED),
    ("final bill of which the fund pays more", "billed", "details", claim_with(pool=501), ALTERED),
    ("other amount that was declined", "declined", "amount", lambda amount: amount + 1, ALTERED),
    ("another class of limits", "confirmed", "limit_class", another(2), ALTERED),
    ("another relative", "by_family", "family", another(None), ALTERED),
    ("another channel", "confirmed", "details", details_with(channel=bytes(16)), ALTERED),
)


async def test_payments_of_every_way_are_right_and_damage_to_them_is_found(dsn: str, sql: asyncpg.Connection) -> None:
    books = await every_way(dsn, sql)
    violation = await violation_in(dsn)
    assert violation is None, violation.text
    states = {row[0] for row in await sql.fetch("SELECT DISTINCT state FROM payment")}
    assert states == {state.value for state in State} - {State.EXPIRED.value}
    for name, payment, column, change, kind in DAMAGES:
        of = getattr(books, payment)
        value = await sql.fetchval(_sql("SELECT {} FROM payment WHERE id = $1", column), of)
        await sql.execute(_sql("UPDATE payment SET {} = $2 WHERE id = $1", column), of, change(value))
        violation = await violation_in(dsn)
        assert violation is not None, name
        assert (violation.kind, violation.where.payment) == (kind, name_of(of)), (name, violation.text)
        await sql.execute(_sql("UPDATE payment SET {} = $2 WHERE id = $1", column), of, value)
    assert await violation_in(dsn) is None


def _sql(statement: str, column: str) -> str:
    """A statement about one column of the table above."""
    return statement.format(column)
