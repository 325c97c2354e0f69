"""A key is good for one command, for ever: what was answered to it is answered again, and nothing is done twice."""

import asyncio

import msgspec
import pytest

from engine.core.ids import IdKind
from tests.web.api import PERSONAL_ACCOUNT, Api, Json, Reply, a_key, nobodys_id

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAY = "/v1/payments"
NO_PAYMENT = f"{PAY}/{nobodys_id(IdKind.PAYMENT)}"
NO_CARD = f"/v1/cards/{nobodys_id(IdKind.CARD)}"
REUSED = (422, "idempotency-key-reused")


def is_first_and_again(first: Reply, second: Reply) -> bool:
    """Whether the second answer is the first one again, and says so."""
    answers = [(reply.status, reply.body, reply.headers["Content-Type"]) for reply in (first, second)]
    return answers[0] == answers[1] and (first.is_replay, second.is_replay) == (False, True)


@pytest.mark.parametrize(
    ("caller", "path", "body"),
    [
        ("merchant-0", PAY, None),
        ("merchant-0", f"{NO_PAYMENT}/capture", {}),
        ("merchant-0", f"{NO_PAYMENT}/void", {}),
        ("merchant-0", f"{NO_PAYMENT}/refunds", {"refund_no": "R", "amount": 1}),
        ("merchant-0", f"{PAY}/cancel", {"order_no": "A"}),
        ("channel", f"{NO_CARD}/loss-report", {}),
        ("channel", f"{NO_CARD}/reinstate", {}),
        ("merchant-0", "/v1/sandbox/clock", {"advance_s": 1}),
    ],
)
async def test_every_change_needs_a_key(city: Api, caller: str, path: str, body: Json | None) -> None:
    content = msgspec.json.encode(body if body is not None else city.payment())
    headers = city.signed("POST", path, caller=caller, body=content)
    reply = await city.send("POST", path, headers=headers, body=content)
    assert reply.refused == (400, "idempotency-key-missing")


async def test_what_is_wrong_with_the_body_comes_before_a_missing_key(city: Api) -> None:
    headers = city.signed("POST", PAY, body=b"{")
    assert (await city.send("POST", PAY, headers=headers, body=b"{")).refused == (400, "malformed-json")


@pytest.mark.parametrize("header", ['""', "a b", '"a', "x" * 129, f'"{"x" * 129}"', '"a", "b"', "a, b", '"a";p=1'])
async def test_header_that_is_no_key_is_refused(city: Api, header: str) -> None:
    reply = await city.post(PAY, city.payment(), key_header=header)
    assert (reply.refused, reply.pointers) == ((400, "field-invalid"), ["/idempotency-key"])


@pytest.mark.parametrize("quote", ['"', ""])
async def test_key_of_128_characters_is_a_key(city: Api, quote: str) -> None:
    key = quote + a_key() + "x" * (128 - len(a_key())) + quote
    sent = city.payment()
    first, second = [await city.post(PAY, sent, key_header=key) for _ in range(2)]
    assert is_first_and_again(first, second)


async def test_quoted_and_bare_key_are_the_same(city: Api) -> None:
    key, sent = a_key(), city.payment()
    assert is_first_and_again(
        await city.post(PAY, sent, key_header=f'"{key}"'), await city.post(PAY, sent, key_header=key)
    )


async def test_payment_is_replayed_byte_for_byte(city: Api) -> None:
    key, sent = a_key(), city.payment(description="一盒药", hold_s=60, capture=False)
    assert is_first_and_again(await city.pay(sent, key=key), await city.pay(sent, key=key))


async def test_fields_in_another_order_and_defaults_are_the_same_command(city: Api) -> None:
    key, sent = a_key(), city.payment()
    again = dict(reversed(sent.items())) | {"capture": True, "hold_s": 900, "description": None}
    assert is_first_and_again(await city.pay(sent, key=key), await city.pay(again, key=key))


async def test_payment_is_replayed_as_it_was_answered_though_it_was_refunded_since(city: Api) -> None:
    key, sent = a_key(), city.payment()
    first = await city.pay(sent, key=key)
    refund = await city.post(f"{PAY}/{first['id']}/refunds", {"refund_no": "R-1", "amount": 500})
    assert refund.status == 201
    assert is_first_and_again(first, await city.pay(sent, key=key))
    assert (await city.get(f"{PAY}/{first['id']}"))["status"] == "refunded"


async def test_every_other_change_is_replayed_as_well(city: Api) -> None:
    payment = await city.paid(capture=False)
    for path, body, caller in (
        (f"{payment}/capture", {"amount": 400, "final": False}, "merchant-0"),
        (f"{payment}/void", {}, "merchant-0"),
        (f"{payment}/refunds", {"refund_no": "R-1", "amount": 400}, "merchant-0"),
        (f"{PAY}/cancel", {"order_no": a_key()}, "merchant-0"),
        (f"{city.card_path(7)}/loss-report", {}, "channel"),
        (f"{city.card_path(7)}/reinstate", {}, "channel"),
    ):
        key = a_key()
        first, second = [await city.post(path, body, key=key, caller=caller) for _ in range(2)]
        assert first.status in (200, 201), path
        assert is_first_and_again(first, second), path


async def a_refused_payment(city: Api, slug: str) -> Json:
    """A body that is refused for this reason."""
    match slug:
        case "insufficient-funds":
            return city.payment(amount=10 * PERSONAL_ACCOUNT)
        case "pay-code-expired":
            return city.payment(pay_code=city.pay_code(age_s=90))
        case "pay-code-used":
            used = city.payment()
            await city.pay(used)
            return used | {"order_no": a_key()}
        case "order-already-paid":
            paid = city.payment()
            await city.pay(paid)
            return city.payment(order_no=paid["order_no"])
        case "pay-code-foreign":
            return city.payment(pay_code="134567890123456789")
        case "pay-code-malformed":
            return city.payment(pay_code="1")
        case _:
            return city.payment(terminal_id="T-99")


@pytest.mark.parametrize(
    ("status", "slug"),
    [
        (402, "insufficient-funds"),
        (403, "terminal-unknown"),
        (409, "order-already-paid"),
        (409, "pay-code-used"),
        (410, "pay-code-expired"),
        (422, "pay-code-foreign"),
        (422, "pay-code-malformed"),
    ],
)
async def test_refusal_is_replayed_byte_for_byte(city: Api, status: int, slug: str) -> None:
    key, sent = a_key(), await a_refused_payment(city, slug)
    first = await city.pay(sent, key=key)
    assert first.refused == (status, slug)
    assert is_first_and_again(first, await city.pay(sent, key=key))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("order_no", "another"),
        ("amount", 501),
        ("scenario", "outpatient"),
        ("terminal_id", "T-02"),
        ("capture", False),
        ("hold_s", 901),
        ("description", "another"),
    ],
)
async def test_another_payment_under_the_same_key_names_the_field_that_differs(
    city: Api, field: str, value: object
) -> None:
    key, sent = a_key(), city.payment()
    first = await city.pay(sent, key=key)
    reused = await city.pay(sent | {field: value}, key=key)
    assert (reused.refused, reused.pointers) == (REUSED, [f"/{field}"])
    assert is_first_and_again(first, await city.pay(sent, key=key))


async def test_another_code_under_the_same_key_is_named(city: Api) -> None:
    key, sent = a_key(), city.payment()
    await city.pay(sent, key=key)
    reused = await city.pay(sent | {"pay_code": city.pay_code()}, key=key)
    assert (reused.refused, reused.pointers) == (REUSED, ["/pay_code"])


async def test_only_the_first_field_that_differs_is_named(city: Api) -> None:
    key, sent = a_key(), city.payment()
    await city.pay(sent, key=key)
    reused = await city.pay(sent | {"description": "another", "amount": 501, "order_no": "another"}, key=key)
    assert reused.pointers == ["/order_no"]


@pytest.mark.parametrize(
    ("operation", "body", "change", "pointer"),
    [
        ("capture", {"amount": 100, "final": False}, {"amount": 101}, "/amount"),
        ("capture", {"amount": 100, "final": False}, {"amount": None}, "/amount"),
        ("capture", {"amount": 100, "final": False}, {"final": True}, "/final"),
        ("refunds", {"refund_no": "R-1", "amount": 100}, {"refund_no": "R-2"}, "/refund_no"),
        ("refunds", {"refund_no": "R-1", "amount": 100}, {"amount": 101}, "/amount"),
        ("refunds", {"refund_no": "R-1", "amount": 100}, {"reason": "broken"}, "/reason"),
    ],
)
async def test_another_change_of_a_payment_under_the_same_key_names_the_field(
    city: Api, operation: str, body: Json, change: Json, pointer: str
) -> None:
    path = f"{await city.paid(capture=operation != 'capture')}/{operation}"
    key = a_key()
    assert (await city.post(path, body, key=key)).status in (200, 201)
    reused = await city.post(path, body | change, key=key)
    assert (reused.refused, reused.pointers) == (REUSED, [pointer])


@pytest.mark.parametrize("operation", ["capture", "void", "refunds"])
async def test_same_key_for_two_payments_is_refused(city: Api, operation: str) -> None:
    body = {"refund_no": "R-1", "amount": 100} if operation == "refunds" else {}
    one, another = [await city.paid(capture=operation == "refunds") for _ in range(2)]
    key = a_key()
    assert (await city.post(f"{one}/{operation}", body, key=key)).status in (200, 201)
    reused = await city.post(f"{another}/{operation}", body, key=key)
    assert (reused.refused, reused.pointers) == (REUSED, ["/id"])


async def test_same_key_for_two_orders_to_cancel_is_refused(city: Api) -> None:
    key = a_key()
    await city.post(f"{PAY}/cancel", {"order_no": "one"}, key=key)
    reused = await city.post(f"{PAY}/cancel", {"order_no": "two"}, key=key)
    assert (reused.refused, reused.pointers) == (REUSED, ["/order_no"])


async def test_key_belongs_to_its_operation(city: Api) -> None:
    key = a_key()
    payment = (await city.pay(capture=False, key=key))["id"]
    captured = await city.post(f"{PAY}/{payment}/capture", {}, key=key)
    refunded = await city.post(f"{PAY}/{payment}/refunds", {"refund_no": "R", "amount": 1}, key=key)
    assert [(reply.status, reply.is_replay) for reply in (captured, refunded)] == [(200, False), (201, False)]


async def test_key_belongs_to_its_caller(city: Api) -> None:
    key = a_key()
    replies = [await city.pay(key=key, caller=caller) for caller in ("merchant-0", "merchant-1")]
    assert [(reply.status, reply.is_replay) for reply in replies] == [(201, False), (201, False)]


async def test_same_key_on_many_connections_at_once_pays_once(city: Api) -> None:
    key, sent = a_key(), city.payment()
    replies = await asyncio.gather(*(city.pay(sent, key=key) for _ in range(16)))
    assert {201} == {reply.status for reply in replies}
    assert len({reply.body for reply in replies}) == 1
    assert sorted(reply.is_replay for reply in replies) == [False] + [True] * 15
    assert len((await city.get(f"{PAY}?order_no={sent['order_no']}")).items) == 1


async def test_same_key_at_once_for_two_amounts_pays_one_of_them(city: Api) -> None:
    key, sent = a_key(), city.payment()
    replies = await asyncio.gather(*(city.pay(sent | {"amount": 500 + n % 2}, key=key) for n in range(8)))
    assert sorted(reply.status for reply in replies) == [201] * 4 + [422] * 4
    assert len((await city.get(f"{PAY}?order_no={sent['order_no']}")).items) == 1


async def test_key_of_a_malformed_request_may_be_used_again(city: Api) -> None:
    key, sent = a_key(), city.payment()
    assert (await city.pay(sent | {"amount": 0}, key=key)).status == 400
    mended = await city.pay(sent, key=key)
    assert (mended.status, mended.is_replay) == (201, False)


async def test_key_of_a_request_that_was_not_signed_right_may_be_used_again(city: Api) -> None:
    key, sent = a_key(), city.payment()
    assert (await city.pay(sent, key=key, headers={"Signature": "sig1=:AAAA:"})).status == 401
    mended = await city.pay(sent, key=key)
    assert (mended.status, mended.is_replay) == (201, False)
