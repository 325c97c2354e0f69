"""Payment codes of one phone, valid by default."""

from stdnum import luhn

from engine.codes.pay_code import PayCode, device_key, parse_pay_code, pay_code_at

MASTER = bytes(range(32))
DEVICE_NO = 12_345_678_901
KEY = device_key(MASTER, 1, DEVICE_NO)
NOON_S = 1_699_999_980.0  # the first instant of step 56,666,666
NOON_STEP = 56_666_666

# Fixed for ever: phones in the field derive the same.
SHOWN_AT_NOON = "917123456789010615873392"


def a_code(text: str = SHOWN_AT_NOON) -> PayCode:
    code = parse_pay_code(text)
    assert isinstance(code, PayCode)
    return code


def shown_at(at_s: float, refresh: int = 7) -> PayCode:
    return a_code(pay_code_at(KEY, DEVICE_NO, refresh, at_s))


def with_check_digit(body: str) -> str:
    return body + luhn.calc_check_digit(body)
