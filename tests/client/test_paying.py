"""Every way to pay, through the client: what it sends is what the engine takes, and what comes back is typed."""

from collections.abc import AsyncIterator
from decimal import Decimal

import msgspec
import pytest
import pytest_asyncio

from engine.client import EngineClient, PasswordSealer, Refused, bill_request
from engine.core.ids import id_text
from engine.web.wire import PaymentRequest, PaymentView
from tests.core.medical import a_bill
from tests.web.api import Api, a_key, credentials
from tests.web.counter import PASSWORD, WRONG, give_number, give_password, open_counter, total_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

DEAR = 150_000  # more than most people let be paid without their password
BILL = bill_request(a_bill())
TOTAL = total_of(a_bill())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hospital(city: Api) -> AsyncIterator[EngineClient]:
    """A hospital's client; two cardholders have a password."""
    await open_counter(city)
    await give_password(city, 0)
    await give_password(city, 1)
    async with EngineClient(str(city.base_url), credentials("merchant-0")) as client:
        yield client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def app(city: Api) -> AsyncIterator[EngineClient]:
    """The client of a cardholder's app."""
    async with EngineClient(str(city.base_url), credentials("channel")) as client:
        yield client


async def pay(client: EngineClient, city: Api, amount: int, **changes: object) -> PaymentView:
    """Pay by the first cardholder's code; with *changes*."""
    asked = {
        "pay_code": city.pay_code(),
        "order_no": a_key(),
        "amount": amount,
        "scenario": "inpatient",
        "terminal_id": "T-01",
    }
    return await client.pay(**(asked | changes))  # type: ignore[arg-type]  # each is of its type


async def sealer(client: EngineClient) -> PasswordSealer:
    """What a terminal seals passwords with."""
    return PasswordSealer(await client.request("GET", "/v1/keys"))


async def test_bill_keeps_its_numbers() -> None:
    bill = msgspec.structs.replace(a_bill(), visit_no="V-1")
    sent = bill_request(bill)
    assert sent.visit_no == "V-1"
    assert [line.amount for line in sent.lines] == [line.amount for line in bill.lines]
    assert [
        (line.item, int(Decimal(line.quantity).scaleb(4)), int(Decimal(line.price).scaleb(6))) for line in sent.lines
    ] == [(line.item, line.quantity_e4, line.price_e6) for line in bill.lines]


async def test_bill_is_quoted_and_paid_by_the_quote(city: Api, hospital: EngineClient) -> None:
    code = city.pay_code()
    quote = await hospital.quote(pay_code=code, scenario="outpatient", terminal_id="T-01", bill=BILL)
    assert quote.amount == quote.split.total == TOTAL
    paid = await pay(hospital, city, TOTAL, pay_code=code, scenario="outpatient", quote_id=quote.id)
    assert (paid.status, paid.medical) == ("captured", quote.split)


async def test_preview_stores_nothing(city: Api, hospital: EngineClient) -> None:
    wish = PaymentRequest(
        pay_code=city.pay_code(),
        order_no=a_key(),
        amount=TOTAL,
        scenario="outpatient",
        terminal_id="T-01",
        bill=BILL,
    )
    before = await city.books()
    shown = await hospital.preview(wish)
    assert isinstance(shown.payment, PaymentView)
    assert (shown.would_be_refused, shown.payment.amount) == (False, TOTAL)
    assert await city.books() == before


async def test_payment_that_waits_is_confirmed_and_the_till_hears_of_it(city: Api, hospital: EngineClient) -> None:
    waiting = await pay(hospital, city, DEAR, pay_code=city.pay_code(card=1))
    assert waiting.status == "awaiting_user"
    seal = (await sealer(hospital)).seal
    with pytest.raises(Refused, match="password-incorrect"):
        await hospital.confirm(waiting.id, password_block=seal(WRONG, payment_id=waiting.id))
    confirmed = await hospital.confirm(waiting.id, password_block=seal(PASSWORD, payment_id=waiting.id))
    assert confirmed.status == "captured"
    assert (await hospital.payment(waiting.id, wait_s=10)).status == "captured"


async def test_card_is_read_with_its_password(city: Api, hospital: EngineClient) -> None:
    number, order_no = await give_number(city), a_key()
    block = (await sealer(hospital)).seal(PASSWORD, order_no=order_no, merchant_id=id_text(city.world.merchants[0]))
    quote = await hospital.quote(card_no=number, scenario="outpatient", terminal_id="T-01", bill=BILL)
    assert quote.amount == TOTAL
    paid = await pay(hospital, city, 500, pay_code=None, card_no=number, password_block=block, order_no=order_no)
    assert (paid.status, paid.mode) == ("captured", "card_read")


async def test_deposit_is_raised_and_finally_billed(city: Api, hospital: EngineClient) -> None:
    # The first bill of the year has the deductible, which a personal account may not pay.
    await pay(hospital, city, TOTAL, pay_code=city.pay_code(card=2), scenario="outpatient", bill=BILL)
    held = await pay(
        hospital, city, TOTAL, pay_code=city.pay_code(card=2), capture=False, hold_s=600, description="押金"
    )
    raised = await hospital.raise_deposit(held.id, pay_code=city.pay_code(card=2), amount=10_000)
    assert (raised.status, raised.amount) == ("authorized", TOTAL + 10_000)
    billed = await hospital.capture(held.id, bill=BILL)
    assert (billed.status, billed.captured_amount) == ("captured", TOTAL)
    assert isinstance(billed.medical, msgspec.Struct)


async def test_order_is_shown_scanned_agreed_to_and_seen_paid(
    city: Api, hospital: EngineClient, app: EngineClient
) -> None:
    order = await hospital.show_order(order_no=a_key(), amount=700, scenario="pharmacy", terminal_id="T-01")
    shown = await app.look_up_order(order.qr_text)
    assert (shown.amount, shown.status) == (700, "open")
    card_id = id_text(city.world.cards[0])
    paid = await app.pay_order(shown.token, card_id=card_id, amount=shown.amount)
    assert (paid.status, paid.mode) == ("captured", "scan_order")
    seen = await hospital.order(order.id)
    assert isinstance(seen.payment, PaymentView)
    assert (seen.status, seen.payment.id) == ("paid", paid.id)
