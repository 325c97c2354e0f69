"""Prepared requests: genuine, distinct, and within what the city's cards can pay."""

import base64
from collections import Counter
from collections.abc import Sequence
from functools import cache

import msgspec
import pytest

from engine.bench.signed_payments import (
    AMOUNT_FEN_MAX,
    LINES,
    PAYMENTS_PER_CARD_MAX,
    CardsUsedUp,
    Phone,
    SignedPayments,
    Till,
    phones_of,
    tills_of,
)
from engine.client.credentials import Credentials
from engine.codes.http_signature import (
    CoveredRequest,
    HmacKey,
    ParsedSignature,
    check_content_digest,
    judge_signature,
    parse_signature,
)
from engine.codes.keys import Keyring
from engine.codes.pay_code import PayCode, judge_pay_code, parse_pay_code
from engine.core.benefits import Split, split
from engine.flows.clock import Clock, IdSource
from engine.sandbox.city import sample_city
from engine.sandbox.guide import SandboxGuide
from engine.sandbox.load import CityLoader
from engine.sandbox.plans import PLANS
from engine.web.medical_bill import bill_in
from engine.web.wire_medical import MedicalBillRequest

MASTER = bytes(range(32))
KEY = HmacKey(bytes(32))
AT_S = 1_800_000_010.0  # ten seconds into a step


class StillClock(Clock):
    """A clock that a test moves."""

    now_s = AT_S

    def wall_s(self) -> float:
        return self.now_s


def a_till(name: str) -> Till:
    return Till(credentials=Credentials(keyid=name, key=KEY), terminal_id="T-01", scenario="pharmacy")


def payments(
    phone_count: int = 3, *, tills: Sequence[str] = ("a", "b", "c"), clock: Clock | None = None
) -> SignedPayments:
    phones = [Phone(n, bytes([n]) * 32) for n in range(1, phone_count + 1)]
    return SignedPayments(phones, [a_till(name) for name in tills], clock or StillClock(), IdSource())


def parsed(request: bytes) -> tuple[dict[str, str], dict[str, str], bytes]:
    """Headers by lower-case name, body as an object, body as bytes."""
    head, _, body = request.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /v1/payments HTTP/1.1"
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
    return headers, msgspec.json.decode(body), body


async def test_a_request_is_signed() -> None:
    (request,) = await payments().make(1)
    headers, _, body = parsed(request)
    covered = CoveredRequest(
        method="POST",
        target="/v1/payments",
        content_digest=headers["content-digest"],
        idempotency_key=headers["idempotency-key"],
    )
    signature = parse_signature(covered, headers["signature-input"], headers["signature"])
    assert isinstance(signature, ParsedSignature)
    assert judge_signature(signature, KEY, now_s=AT_S) is None
    assert check_content_digest(headers["content-digest"], body) is None
    assert headers["content-length"] == str(len(body))


async def test_nothing_comes_twice() -> None:
    made = [parsed(request) for request in await payments().make(30)]
    for field in ("pay_code", "order_no"):
        assert len({body[field] for _, body, _ in made}) == 30
    assert len({headers["idempotency-key"] for headers, _, _ in made}) == 30
    assert len({headers["signature-input"] for headers, _, _ in made}) == 30


async def test_codes_are_good_for_their_step_and_the_next() -> None:
    for request in await payments(phone_count=2).make(20):
        code = parse_pay_code(parsed(request)[1]["pay_code"])
        assert isinstance(code, PayCode)
        for at_s in (AT_S, AT_S + 30):
            assert isinstance(judge_pay_code(code, bytes([code.device_no]) * 32, at_s), int)


async def test_a_card_shows_ten_codes_in_a_step() -> None:
    clock = StillClock()
    maker = payments(phone_count=2, clock=clock)
    assert maker.step_capacity == 20
    first = [parsed(request)[1]["pay_code"] for request in await maker.make(1_000)]
    assert len(first) == 20
    clock.now_s += 30
    second = [parsed(request)[1]["pay_code"] for request in await maker.make(20)]
    assert not set(first) & set(second)


async def test_codes_that_are_used_up_are_waited_for() -> None:
    clock = StillClock()
    clock.now_s = AT_S - AT_S % 30 + 29.99
    maker = payments(phone_count=1, clock=clock)
    first = [parsed(request)[1]["pay_code"] for request in await maker.make(6)]
    second = [parsed(request)[1]["pay_code"] for request in await maker.make(6)]
    assert len(set(first + second)) == 12


async def test_cards_are_not_asked_for_more_than_they_have() -> None:
    clock = StillClock()
    maker = payments(phone_count=1, clock=clock)
    for _ in range(PAYMENTS_PER_CARD_MAX // 10):
        clock.now_s += 30
        await maker.make(10)
    clock.now_s += 30
    with pytest.raises(CardsUsedUp):
        await maker.make(10)


async def test_bill_adds_up_and_the_account_may_pay_what_the_fund_does_not() -> None:
    for request in await payments().make(30, has_bill=True):
        body = parsed(request)[1]
        bill = bill_in(msgspec.convert(body["bill"], MedicalBillRequest))
        assert len(bill.lines) == LINES
        assert sum(line.amount for line in bill.lines) == int(body["amount"])
        found = split(PLANS[0], bill, hospital_level=3, person_type=11, deductible_used=180_000, fund_paid=0)
        assert isinstance(found, Split)
        assert found.account_eligible == found.person_part
        assert found.fund_shares


async def test_no_phones_holder_is_asked_for_the_password() -> None:
    asked = {holder.index for holder in sample_city().cardholders(300) if holder.no_password_up_to_fen < AMOUNT_FEN_MAX}
    assert asked
    assert not asked & {phone.device_no % 10**8 for phone in phones_of(the_guide(), sample_city())}


async def test_hot_means_half_to_the_first_merchant() -> None:
    keyids: Counter[str] = Counter()
    for request in await payments(tills=("hot", "b", "c")).make(24, is_hot=True):
        keyids[parsed(request)[0]["signature-input"].partition('keyid="')[2].partition('"')[0]] += 1
    assert keyids == {"hot": 12, "b": 6, "c": 6}


async def test_otherwise_every_merchant_gets_the_same() -> None:
    keyids: Counter[str] = Counter()
    for request in await payments(tills=("a", "b", "c")).make(24):
        keyids[parsed(request)[0]["signature-input"].partition('keyid="')[2].partition('"')[0]] += 1
    assert keyids == {"a": 8, "b": 8, "c": 8}


@cache
def the_guide() -> SandboxGuide:
    loaded = CityLoader(sample_city(), Keyring(MASTER), master=MASTER, card_count=300).describe()
    return SandboxGuide(base_url="", callers=loaded.callers, cards=loaded.cards)


def test_phones_are_of_cards_that_can_spend() -> None:
    guide = the_guide()
    phones = phones_of(guide, sample_city())
    keys = {int(card.device_no): base64.b64decode(card.totp_key) for card in guide.cards}
    unable = [holder for holder in sample_city().cardholders(300) if holder.spendable_fen < 100_000]
    assert unable
    assert 200 < len(phones) < 300
    assert all(keys[phone.device_no] == phone.key for phone in phones)
    assert not {holder.index for holder in unable} & {phone.device_no % 10**8 for phone in phones}


def test_tills_are_of_merchants_that_may_take_payments() -> None:
    tills = tills_of(the_guide(), sample_city())
    merchants = [merchant for merchant in sample_city().merchants if merchant.kind in ("hospital", "pharmacy")]
    assert len(tills) == sum(not merchant.is_suspended for merchant in merchants)
    assert tills[0].credentials.keyid.startswith("hospital")
