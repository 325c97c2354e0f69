"""Signatures of notifications, against the standard's own example, and against everything that is not one."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.client.webhooks import verify_webhook
from engine.codes.webhook_signature import (
    SIGNATURES_MAX,
    MalformedSecret,
    WebhookRejected,
    check_webhook,
    read_secret,
    secret_text,
    webhook_headers,
)

# The example that the standard's libraries are tested with.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MESSAGE_ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
TIMESTAMP_S = 1_614_265_330
BODY = b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
HEADERS = {"webhook-id": MESSAGE_ID, "webhook-timestamp": str(TIMESTAMP_S), "webhook-signature": SIGNATURE}
KEY = read_secret(SECRET)
OTHER = bytes(range(32))


def check(headers: dict[str, str], body: bytes = BODY, *, now_s: float = TIMESTAMP_S) -> str:
    """The id of what is genuine now."""
    return check_webhook(headers, body, [KEY], now_s=now_s, tolerance_s=300)


def test_example_of_the_standard() -> None:
    made = webhook_headers([KEY], message_id=MESSAGE_ID, timestamp_s=TIMESTAMP_S, body=BODY)
    assert made == HEADERS
    assert check(HEADERS) == MESSAGE_ID


def test_both_secrets_sign_and_one_is_enough() -> None:
    made = webhook_headers([OTHER, KEY], message_id=MESSAGE_ID, timestamp_s=TIMESTAMP_S, body=BODY)
    assert made["webhook-signature"].split(" ")[1] == SIGNATURE
    assert check(made) == MESSAGE_ID
    assert check_webhook(HEADERS, BODY, [OTHER, KEY], now_s=TIMESTAMP_S, tolerance_s=300) == MESSAGE_ID


@pytest.mark.parametrize("off_s", [-300, 0, 300])
def test_what_is_of_this_moment_is_taken(off_s: int) -> None:
    assert check(HEADERS, now_s=TIMESTAMP_S + off_s) == MESSAGE_ID


@pytest.mark.parametrize("off_s", [-301, 301])
def test_what_is_too_old_or_too_new_is_not(off_s: int) -> None:
    with pytest.raises(WebhookRejected, match="300 s off"):
        check(HEADERS, now_s=TIMESTAMP_S + off_s)


@pytest.mark.parametrize("name", HEADERS)
def test_header_that_is_missing_is_named(name: str) -> None:
    with pytest.raises(WebhookRejected, match=name):
        check({known: value for known, value in HEADERS.items() if known != name})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("webhook-id", "msg_other"),
        ("webhook-timestamp", str(TIMESTAMP_S + 1)),
        ("webhook-timestamp", f"+{TIMESTAMP_S}"),
        ("webhook-timestamp", f"{TIMESTAMP_S}.0"),
        ("webhook-timestamp", "\u0661" * 10),
        ("webhook-timestamp", "9" * 400),
        ("webhook-signature", SIGNATURE[3:]),
        ("webhook-signature", SIGNATURE.replace("v1,", "v1a,")),
        ("webhook-signature", "v1,"),
        ("webhook-signature", "\udcff"),
        ("webhook-id", "\udcff"),
        ("webhook-signature", " ".join(["v1,x"] * SIGNATURES_MAX) + f" {SIGNATURE}"),
    ],
)
def test_header_that_was_changed_is_noticed(name: str, value: str) -> None:
    with pytest.raises(WebhookRejected):
        check(HEADERS | {name: value})


@given(at=st.integers(0, len(BODY) * 8 - 1))
def test_every_bit_of_the_body_counts(at: int) -> None:
    changed = bytearray(BODY)
    changed[at // 8] ^= 1 << at % 8
    with pytest.raises(WebhookRejected, match="nobody's"):
        check(HEADERS, bytes(changed))


def test_secret_of_another_signs_nothing() -> None:
    with pytest.raises(WebhookRejected, match="nobody's"):
        check_webhook(HEADERS, BODY, [OTHER], now_s=TIMESTAMP_S, tolerance_s=300)


@given(secret=st.binary(min_size=24, max_size=64))
def test_secret_is_read_as_it_was_written(secret: bytes) -> None:
    assert read_secret(secret_text(secret)) == secret


@pytest.mark.parametrize(
    "text",
    [
        "",
        "whsec_",
        SECRET.removeprefix("whsec_"),
        SECRET[:-1],
        SECRET + "=",
        SECRET.replace("M", "-", 1),
        "whsec_" + base64.b64encode(bytes(23)).decode(),
        "whsec_" + base64.b64encode(bytes(65)).decode(),
    ],
)
def test_what_is_no_secret_is_not_shown(text: str) -> None:
    with pytest.raises(MalformedSecret) as caught:
        read_secret(text)
    assert len(text) < 8 or text not in str(caught.value)


def test_receiver_need_not_care_how_names_are_written() -> None:
    shouted = {name.title(): value for name, value in HEADERS.items()}
    assert verify_webhook(shouted, BODY, [SECRET], TIMESTAMP_S) == MESSAGE_ID
