"""A hospital's counter over HTTP: insured cardholders with passwords and physical cards, and what they are billed."""

from collections.abc import Sequence

import msgspec

from engine.client.passwords import PasswordSealer
from engine.codes.password_hash import SALT_BYTES, hash_password
from engine.core.accounts import account_text
from engine.core.benefits import BillLine, MedicalBill, Plan
from engine.core.ids import IdKind, PaymentId, id_text, parse_id
from engine.core.payer import LIMIT_UNCONFIRMED_A_DAY_FEN, NO_PASSWORD_UP_TO_FEN
from engine.core.postings import Phase, PostingKind
from engine.flows.verify_books import verify_books
from engine.sandbox.card_secrets import SANDBOX_COST
from engine.store.card_numbers import card_number_index
from engine.store.plans import advance_rules, insert_plans
from tests.core.medical import EXAMPLE_LINES, a_plan
from tests.web.api import Api, Json, Reply

PASSWORD, WRONG = "704192", "704193"
QUOTES = "/v1/medical/quotes"

Posting = tuple[str, str, str, str, int]  # phase, kind, debit, credit, fen


class Used(msgspec.Struct, frozen=True):
    """What a cardholder has used of a benefit year. Units: fen."""

    year: int
    deductible: int
    fund: int


async def open_counter(api: Api, *plans: Plan) -> None:
    """Both merchants are hospitals of the third level; the plans are *plans*, or that of the worked examples."""
    await api.sql.execute("UPDATE merchant SET level = 3, scenarios = '{1,2,3,12}'")
    await change_plans(api, *(plans or (year_round(),)))


async def change_plans(api: Api, *plans: Plan) -> None:
    """From the next batch on these are the plans, and no others."""
    async with api.sql.transaction():
        await api.sql.execute("DELETE FROM benefit_plan")
        await insert_plans(api.sql, plans, now=(await api.node.reads.business_now()).now)
        await advance_rules(api.sql)


def year_round(**changes: object) -> Plan:
    """The plan of the worked examples, whatever day it is."""
    plan = a_plan(valid_from=a_plan().valid_from.replace(year=2000), valid_to=None)
    return msgspec.structs.replace(plan, **changes)


async def use(api: Api, card: int, *, deductible: int = 0, fund: int = 0) -> None:
    """So much of this year was used before."""
    await api.sql.execute(
        "UPDATE payer SET benefit_year = extract(year FROM (SELECT business_date FROM control)),"
        " deductible_used = $2, fund_paid = $3 WHERE id = $1",
        api.world.cards[card],
        deductible,
        fund,
    )


async def used(api: Api, card: int = 0) -> Used:
    """What the cardholder's row says."""
    row = await api.sql.fetchrow(
        "SELECT benefit_year, deductible_used, fund_paid FROM payer WHERE id = $1", api.world.cards[card]
    )
    assert row is not None
    return Used(*row)


async def give_password(api: Api, card: int = 0, password: str = PASSWORD) -> None:
    """The card has a password, and cardholders are asked for it where most people are."""
    await api.sql.execute(
        "INSERT INTO card_password VALUES ($1, 1, $2, now())",
        api.world.cards[card],
        hash_password(
            password,
            card=api.world.cards[card],
            pepper=api.node.keyring.password_pepper,
            salt=bytes(SALT_BYTES),
            cost=SANDBOX_COST,
        ),
    )
    await api.sql.execute(
        "UPDATE payer SET password_version = 1, no_password_up_to = $2, limit_unconfirmed = $3 WHERE id = $1",
        api.world.cards[card],
        NO_PASSWORD_UP_TO_FEN,
        LIMIT_UNCONFIRMED_A_DAY_FEN,
    )


async def give_number(api: Api, card: int = 0) -> str:
    """The number printed on the card."""
    number = f"A1B2C3D4{card}"
    await api.sql.execute(
        "INSERT INTO card_number VALUES ($1, $2)", card_number_index(api.node.keyring, number), api.world.cards[card]
    )
    return number


async def sealer(api: Api) -> PasswordSealer:
    """What a terminal seals passwords with."""
    return PasswordSealer((await api.send("GET", "/v1/keys")).body, clock=api.clock)


async def entered(api: Api, order_no: str, password: str = PASSWORD, *, merchant: int = 0) -> str:
    """What a terminal makes of a password for an order."""
    seal = (await sealer(api)).seal
    return seal(password, order_no=order_no, merchant_id=id_text(api.world.merchants[merchant]))


async def confirm(
    api: Api, payment_id: object, password: str = PASSWORD, *, caller: str = "merchant-0", key: str | None = None
) -> Reply:
    """The cardholder enters a password for a payment that waits."""
    block = (await sealer(api)).seal(password, payment_id=str(payment_id))
    target = f"/v1/payments/{payment_id}/confirmation"
    return await api.post(target, {"password_block": block}, caller=caller, key=key)


async def advance(api: Api, seconds: int) -> None:
    """Business time moves on, and this test's codes with it."""
    reply = await api.post("/v1/sandbox/clock", {"advance_s": seconds}, caller="operator")
    assert reply.status == 200, reply.body
    api.clock.offset_s = (await api.node.reads.business_now()).offset_us / 1e6


def wire_bill(lines: Sequence[BillLine] = EXAMPLE_LINES, *, visit_no: str | None = None) -> Json:
    """A bill as it is sent."""
    sent: Json = {"lines": [wire_line(line) for line in lines]}
    return sent if visit_no is None else sent | {"visit_no": visit_no}


def wire_line(line: BillLine) -> Json:
    """A line of it."""
    return {
        "item": line.item,
        "quantity": f"{line.quantity_e4 // 10_000}.{line.quantity_e4 % 10_000:04d}",
        "price": f"{line.price_e6 // 1_000_000}.{line.price_e6 % 1_000_000:06d}",
        "amount": line.amount,
    }


def total_of(bill: MedicalBill | Sequence[BillLine]) -> int:
    """Fen."""
    lines = bill.lines if isinstance(bill, MedicalBill) else bill
    return sum(line.amount for line in lines)


def a_bill_payment(api: Api, lines: Sequence[BillLine] = EXAMPLE_LINES, **changes: object) -> Json:
    """The body of a payment for a bill; `visit_no` and `card` may be among the changes."""
    visit_no = changes.pop("visit_no", None)
    assert visit_no is None or isinstance(visit_no, str)
    bill = wire_bill(lines, visit_no=visit_no)
    return api.payment(**({"amount": total_of(lines), "scenario": "outpatient", "bill": bill} | changes))


def a_quote(api: Api, lines: Sequence[BillLine] = EXAMPLE_LINES, **changes: object) -> Json:
    """The body of a request for a pre-settlement."""
    card = changes.pop("card", 0)
    assert isinstance(card, int)
    body: Json = {"scenario": "outpatient", "terminal_id": "T-01", "bill": wire_bill(lines)}
    if "card_no" not in changes and "pay_code" not in changes:
        body["pay_code"] = api.pay_code(card=card)
    return body | changes


def tenders_of(reply: Reply) -> dict[str, int]:
    """Fen by kind of tender."""
    return {tender.kind: tender.amount for tender in msgspec.convert(reply["tenders"], list[_Tender])}


class _Tender(msgspec.Struct):
    kind: str
    amount: int


def payment_id(reply: Reply) -> PaymentId:
    """The id as the books have it."""
    return PaymentId(parse_id(str(reply["id"]), IdKind.PAYMENT))


async def postings_of(api: Api, payment: PaymentId) -> list[Posting]:
    """What was posted for a payment, in the order in which it was."""
    rows = await api.sql.fetch(
        "SELECT p.phase, p.kind, p.debit, p.credit, p.amount FROM posting p"
        " JOIN batch b ON (b.lane, b.seq) = (p.lane, p.seq) WHERE p.payment = $1 ORDER BY b.at, p.n",
        payment,
    )
    return [
        (Phase(phase).name, PostingKind(kind).name, account_text(debit), account_text(credit), amount)
        for phase, kind, debit, credit, amount in rows
    ]


async def verified(api: Api) -> None:
    """The books prove themselves."""
    report = await verify_books(api.node.database_url, public_keys=None, progress=lambda *_: None)
    assert report.violation is None, report.violation
