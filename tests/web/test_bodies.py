"""A body is read strictly: what is wrong is named, nothing is guessed, and nothing is done."""

import gzip
import zlib
from collections.abc import AsyncIterator

import aiohttp
import msgspec
import pytest

from engine.codes.http_signature import content_digest
from engine.web import boundary
from engine.web.boundary import BODY_BYTES_MAX
from tests.web.api import Api, Json, Reply, a_key

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAY = "/v1/payments"
NOT_MONEY = [
    "500.0",
    "5e2",
    "500.5",
    "-1",
    "-0",
    "0",
    str(2**63),
    str(2**64),
    "9" * 5_000,
    "1e400",
    "10000000001",
    "true",
    "null",
    '"500"',
    "[500]",
    "{}",
]


def with_amount(body: Json, amount: str) -> bytes:
    """The body with an amount as it is written here."""
    return msgspec.json.encode(body | {"amount": "amount"}).replace(b'"amount":"amount"', f'"amount":{amount}'.encode())


async def send_raw(api: Api, content: bytes, *, key: str | None = None) -> Reply:
    """These bytes as the body of a signed payment."""
    return await api.post(PAY, content, key=key)


@pytest.mark.parametrize("amount", NOT_MONEY)
async def test_what_is_not_a_whole_number_of_fen_is_no_amount(city: Api, amount: str) -> None:
    before = await city.books()
    reply = await send_raw(city, with_amount(city.payment(), amount))
    assert (reply.refused, reply.pointers) == ((400, "amount-invalid"), ["/amount"])
    assert before == await city.books()


async def test_missing_amount_is_no_amount(city: Api) -> None:
    body = city.payment()
    del body["amount"]
    reply = await city.pay(body)
    assert (reply.refused, reply.pointers) == ((400, "amount-invalid"), ["/amount"])


@pytest.mark.parametrize("amount", ["0", "-1", "1.0", str(2**64), "true"])
@pytest.mark.parametrize("operation", ["capture", "refunds"])
async def test_amounts_of_captures_and_refunds_are_read_as_strictly(city: Api, operation: str, amount: str) -> None:
    payment = await city.paid(capture=operation != "capture")
    body = with_amount({"refund_no": "R-1"} if operation == "refunds" else {}, amount)
    reply = await city.post(f"{payment}/{operation}", body)
    assert (reply.refused, reply.pointers) == ((400, "amount-invalid"), ["/amount"])


@pytest.mark.parametrize("amount", [1, 10_000_000_000])
async def test_amounts_at_their_bounds_are_amounts(city: Api, amount: int) -> None:
    assert (await city.pay(amount=amount)).status in (201, 402)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xef\xbb\xbf{}",
        '{"amount":1}'.encode("utf-16"),
        b'{"order_no":"\xff"}',
        b'{"description":"\\ud800"}',
        b'{"description":"\xed\xa0\x80"}',
        b'{"amount":NaN}',
        b'{"amount":01}',
        b"{'amount':1}",
        b'{"amount":1,}',
        b"{} {}",
        b'{"amount":1}\n{"amount":1}\n',
        b"pay_code=9&amount=1",
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 40_000 + b"1" + b"}" * 40_000,
    ],
    ids=lambda content: repr(content[:24]),
)
async def test_what_is_not_one_json_document_is_refused(city: Api, content: bytes) -> None:
    assert (await send_raw(city, content)).refused == (400, "malformed-json")


@pytest.mark.parametrize("content", [b"null", b"[]", b'"text"', b"1", b"true"])
async def test_json_that_is_no_object_is_refused(city: Api, content: bytes) -> None:
    assert (await send_raw(city, content)).refused == (400, "field-invalid")


@pytest.mark.parametrize(
    ("pointer", "twice"),
    [
        ("/amount", '"amount":500'),
        ("/amount", '"\\u0061mount":500'),
        ("/capture", '"capture":false,"capture":true'),
        ("/capture", '"capture":true,"capture":false'),
        ("/hold_s", '"hold_s":60,"hold_s":null'),
        ("/hold_s", '"hold_s":null,"hold_s":900'),
        ("/description", '"description":"a:b","description":null'),
        ("/description", '"description":"x" , "description" : "x"'),
    ],
)
async def test_field_that_is_given_twice_is_refused(city: Api, pointer: str, twice: str) -> None:
    content = msgspec.json.encode(city.payment())[:-1] + f",{twice}}}".encode()
    reply = await send_raw(city, content)
    assert (reply.refused, reply.pointers) == ((400, "duplicate-field"), [pointer])


@pytest.mark.parametrize(
    ("operation", "content"),
    [
        ("capture", b'{"amount":100,"amount":500}'),
        ("capture", b'{"amount":100,"amount":null}'),
        ("capture", b'{"final":false,"final":true}'),
        ("refunds", b'{"refund_no":"R","amount":1,"reason":"x","reason":null}'),
    ],
)
async def test_field_that_is_given_twice_in_a_change_is_refused(city: Api, operation: str, content: bytes) -> None:
    payment = await city.paid(capture=operation != "capture")
    before = (await city.get(payment)).json
    assert (await city.post(f"{payment}/{operation}", content)).refused == (400, "duplicate-field")
    assert (await city.get(payment)).json == before


@pytest.mark.parametrize(
    ("name", "pointer"), [("tip", "/tip"), ("Amount", "/Amount"), ("a/b~c", "/a~1b~0c"), ("k" * 1_000, "/" + "k" * 64)]
)
async def test_unknown_field_is_named(city: Api, name: str, pointer: str) -> None:
    reply = await city.pay(city.payment() | {name: 1})
    assert (reply.refused, reply.pointers) == ((400, "unknown-field"), [pointer])


@pytest.mark.parametrize("missing", ["pay_code", "order_no", "scenario", "terminal_id"])
async def test_missing_field_is_named(city: Api, missing: str) -> None:
    body = city.payment()
    del body[missing]
    reply = await city.pay(body)
    assert (reply.refused, reply.pointers) == ((400, "field-invalid"), [f"/{missing}"])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("pay_code", 9),
        ("pay_code", None),
        ("pay_code", ""),
        ("pay_code", "9" * 1_025),
        ("order_no", 1),
        ("order_no", ""),
        ("order_no", "A 1"),
        ("order_no", "A-1\n"),
        ("order_no", "Ａ－１"),
        ("order_no", "１２３"),
        ("order_no", "x" * 65),
        ("scenario", "teleport"),
        ("scenario", "Pharmacy"),
        ("scenario", 2),
        ("terminal_id", "T 01"),
        ("terminal_id", "T" * 33),
        ("capture", 1),
        ("capture", "true"),
        ("capture", None),
        ("hold_s", 0),
        ("hold_s", -1),
        ("hold_s", 60.0),
        ("hold_s", True),
        ("hold_s", 7 * 86_400 + 1),
        ("description", "a\0b"),
        ("description", "two\nlines"),
        ("description", "x" * 201),
        ("description", ["x"]),
    ],
)
async def test_field_out_of_its_bounds_is_named(city: Api, field: str, value: object) -> None:
    reply = await city.pay(city.payment() | {field: value})
    assert (reply.refused, reply.pointers) == ((400, "field-invalid"), [f"/{field}"])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("order_no", "x" * 64),
        ("hold_s", 7 * 86_400),
        ("description", "中" * 200),
        ("description", "一盒药 😀 | \u2028"),
        ("description", ""),
    ],
)
async def test_field_at_its_bounds_is_taken_as_it_is(city: Api, field: str, value: object) -> None:
    reply = await city.pay(city.payment() | {field: value})
    assert reply.status == 201
    assert field == "hold_s" or reply[field] == value


@pytest.mark.parametrize(
    ("content", "status"), [(b"", 200), (b"{}", 200), (b" ", 400), (b"[]", 400), (b'{"a":1}', 400)]
)
async def test_void_takes_nothing_or_an_empty_object(city: Api, content: bytes, status: int) -> None:
    assert (await city.post(f"{await city.paid(capture=False)}/void", content)).status == status


async def test_capture_without_a_body_takes_everything(city: Api) -> None:
    assert (await city.post(f"{await city.paid(capture=False)}/capture", b""))["captured_amount"] == 500


async def test_body_of_the_full_size_is_read(city: Api) -> None:
    content = msgspec.json.encode(city.payment())
    assert (await send_raw(city, content + b" " * (BODY_BYTES_MAX - len(content)))).status == 201


async def test_one_byte_more_is_too_large(city: Api) -> None:
    sent = city.payment()
    content = msgspec.json.encode(sent)
    reply = await send_raw(city, content + b" " * (BODY_BYTES_MAX - len(content) + 1))
    assert reply.refused == (413, "body-too-large")
    assert (await city.get(f"{PAY}?order_no={sent['order_no']}")).items == []


async def test_size_is_told_before_the_signature_and_without_reading_on(city: Api) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(8 * BODY_BYTES_MAX // 4096):
            yield b" " * 4096

    async with aiohttp.ClientSession() as session, session.post(city.base_url / PAY[1:], data=endless()) as response:
        assert response.status == 413
        assert (await response.json(content_type="application/problem+json"))["code"] == "body-too-large"


@pytest.mark.parametrize("coding", ["gzip", "deflate", "identity, gzip"])
@pytest.mark.parametrize("signs", ["what is sent", "what is meant"])
async def test_coded_body_is_not_read(city: Api, coding: str, signs: str) -> None:
    sent = city.payment()
    plain = msgspec.json.encode(sent)
    coded = zlib.compress(plain) if coding == "deflate" else gzip.compress(plain)
    headers = city.signed("POST", PAY, body=coded if signs == "what is sent" else plain, key_header=a_key())
    reply = await city.send("POST", PAY, headers={**headers, "Content-Encoding": coding}, body=coded)
    assert (reply.status, reply.headers["Accept-Encoding"]) == (415, "identity")
    assert (await city.get(f"{PAY}?order_no={sent['order_no']}")).items == []


async def test_body_that_is_not_what_its_coding_says_is_no_bug_of_ours(city: Api) -> None:
    reply = await city.send("POST", PAY, headers={"Content-Encoding": "gzip"}, body=b"no gzip")
    assert (reply.status, reply.headers["Content-Type"]) == (415, "application/problem+json")


async def test_body_in_pieces_is_read_as_one(city: Api) -> None:
    content = msgspec.json.encode(city.payment())

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(content), 7):
            yield content[start : start + 7]

    headers = city.signed("POST", PAY, body=content, key_header=a_key())
    async with city.session.post(city.base_url / PAY[1:], data=pieces(), headers=headers) as response:
        assert response.status == 201


async def test_body_that_trickles_in_is_not_waited_for(city: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boundary, "BODY_S_MAX", 0.01)
    head = b"POST /v1/payments HTTP/1.1\r\nHost: engine\r\nContent-Length: 50\r\n\r\n{"
    assert b" 408 " in (await city.exchange(head)).partition(b"\r\n")[0]


@pytest.mark.parametrize(
    "framing", [b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\nzz\r\n", b"Content-Length: -1\r\n\r\n{"]
)
async def test_body_that_is_not_framed_as_http_frames_it_is_a_bad_request(city: Api, framing: bytes) -> None:
    head = b"POST /v1/payments HTTP/1.1\r\nHost: engine\r\n"
    assert b" 400 " in (await city.exchange(head + framing)).partition(b"\r\n")[0]


async def test_body_of_a_get_is_signed_like_any_other(city: Api) -> None:
    headers = city.signed("GET", PAY, body=b"{}")
    assert (await city.send("GET", PAY, headers=headers, body=b"{}")).status == 200
    assert (await city.send("GET", PAY, headers=city.signed("GET", PAY), body=b"{}")).status == 401


@pytest.mark.parametrize("query", ["dry_run=1&x=2", "wait=5", "amount=1", "=", "a=1&a=2"])
async def test_query_of_a_payment_is_refused_and_nothing_is_paid(city: Api, query: str) -> None:
    sent = city.payment()
    content = msgspec.json.encode(sent)
    target = f"{PAY}?{query}"
    headers = city.signed("POST", target, body=content, key_header=a_key())
    reply = await city.send("POST", target, headers=headers, body=content)
    assert reply.refused == (400, "unknown-field")
    assert (await city.get(f"{PAY}?order_no={sent['order_no']}")).items == []


async def test_digests_beside_the_known_one_do_no_harm(city: Api) -> None:
    content = b'{"order_no":"A-1"}'
    digest = f"{content_digest(content)}, unixsum=:AAAA:"
    assert content_digest(content) in digest
    path = f"{PAY}/cancel"
    headers = city.signed("POST", path, body=content, key_header=a_key(), digest=digest)
    assert (await city.send("POST", path, headers=headers, body=content)).status == 200
