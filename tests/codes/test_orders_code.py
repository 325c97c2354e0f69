"""What leads to an order: its token, its link, its QR code; and nothing that merely looks like one of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.codes.merchant_qr import OrderQr, merchant_qr_text
from engine.codes.order_code import OrderCode, read_order_code, read_token, token_text
from engine.core.refusals import Refusal

TOKEN = bytes(range(16))
TEXT = "AAECAwQFBgcICQoLDA0ODw"
QR = merchant_qr_text(
    OrderQr(order=TEXT, merchant_code="P11010100001", merchant_name="Pharmacy", city="110101", mcc="5912", amount=500)
)


@given(st.binary(min_size=16, max_size=16))
def test_token_is_read_as_it_was_written(token: bytes) -> None:
    assert read_token(token_text(token)) == token
    assert read_order_code(f"https://pay.example/q/o/{token_text(token)}") == OrderCode(token=token)


@pytest.mark.parametrize("text", [TEXT, f" {TEXT}\r\n", f"http://127.0.0.1:8080/q/o/{TEXT}?lang=en"])
def test_token_is_found_in_its_link(text: str) -> None:
    assert read_order_code(text) == OrderCode(token=TOKEN)


def test_qr_code_names_its_merchant_as_well() -> None:
    assert read_order_code(f"{QR}\n") == OrderCode(token=TOKEN, merchant_code="P11010100001")


@pytest.mark.parametrize(
    "text",
    [
        "",
        TEXT[:-1],
        TEXT + "A",
        TEXT[:-1] + "x",  # bits behind the last byte
        TEXT.replace("A", "+", 1),
        "Ａ" + TEXT[1:],
        f"https://pay.example/q/l/{TEXT}",
        f"https://pay.example/q/o/{TEXT}/pay",
        f"https://pay.example/q/o/{TEXT}#x",
        f"javascript:/q/o/{TEXT}",
        f"https:///q/o/{TEXT}",
        f"{TEXT} {TEXT}",
        QR[:-1] + "0",
        QR + "0",
        "0002",
        "6" * 513,
        merchant_qr_text(
            OrderQr(order="A-1", merchant_code="P1", merchant_name="Pharmacy", city="110101", mcc="5912", amount=500)
        ),
    ],
)
def test_whatever_leads_to_no_order_is_malformed(text: str) -> None:
    assert read_order_code(text) is Refusal.ORDER_CODE_MALFORMED


@given(st.text(max_size=600))
def test_no_text_makes_it_fail(text: str) -> None:
    assert read_order_code(text) is Refusal.ORDER_CODE_MALFORMED or isinstance(read_order_code(text), OrderCode)
