"""Bodies within bodies are read as strictly: what is given twice is found however deep it is."""

import msgspec
import pytest

from engine.core.refusals import Refusal
from engine.web import body
from engine.web.body import Refused, read_body
from engine.web.wire import PaymentRequest

LINE = '{"item":"XA01","quantity":"1","price":"2.5"}'


def a_body(lines: str = LINE, *, rest: str = "") -> bytes:
    return (
        '{"pay_code":"1","order_no":"A","amount":250,"scenario":"outpatient","terminal_id":"T-01",'
        f'"bill":{{"lines":[{lines}]{rest}}}}}'
    ).encode()


@pytest.mark.parametrize(
    "twice",
    [
        a_body(LINE.replace('"1"', '"1","quantity":"2"')),
        a_body(f"{LINE},{LINE.replace('{', '{' + chr(34) + 'price' + chr(34) + ':' + chr(34) + '9' + chr(34) + ',')}"),
        a_body(rest=',"visit_no":"V-1","visit_no":"V-2"'),
        a_body(rest=f',"lines":[{LINE}]'),
        a_body(LINE.replace("}", ',"amount":null,"amount":250}')),
    ],
)
def test_a_field_that_is_given_twice_is_found(twice: bytes) -> None:
    with pytest.raises(Refused) as caught:
        read_body(twice, PaymentRequest)
    assert caught.value.refusal is Refusal.DUPLICATE_FIELD


@pytest.mark.parametrize(
    "plain",
    [
        a_body(),
        a_body(f"{LINE},{LINE}", rest=',"visit_no":"V-1"'),
        a_body(LINE.replace("}", ',"amount":250}')),
    ],
)
def test_what_most_clients_send_is_not_looked_at_twice(plain: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    def look(_: bytes) -> None:
        raise AssertionError("looked at in full")

    monkeypatch.setattr(body, "_refuse_duplicates", look)
    read = read_body(plain, PaymentRequest)
    assert msgspec.json.decode(plain, type=PaymentRequest) == read


def test_a_colon_in_a_text_is_looked_at_and_is_all_right() -> None:
    assert read_body(a_body().replace(b"T-01", b"T:01"), PaymentRequest).terminal_id == "T:01"
