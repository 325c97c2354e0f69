"""For how long a payment code is good, and that nothing near it is."""

import math

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from engine.codes.pay_code import (
    DEVICE_NO_MAX,
    PayCode,
    device_key,
    judge_pay_code,
    parse_pay_code,
    pay_code_at,
    step_at,
)
from engine.core.refusals import Refusal
from tests.codes.pay_code_builders import (
    DEVICE_NO,
    KEY,
    MASTER,
    NOON_S,
    NOON_STEP,
    SHOWN_AT_NOON,
    a_code,
    shown_at,
    with_check_digit,
)

PROPERTY = settings(deadline=None)


@pytest.mark.parametrize("epoch_s", [0.0, NOON_S], ids=["at the epoch", "today"])
@pytest.mark.parametrize(
    ("made_s", "judged_s", "expected"),
    [
        (0.0, 0.0, 0),
        (0.0, 29.999, 0),
        (0.0, 30.0, 0),
        (0.0, 59.999, 0),
        (0.0, 60.0, Refusal.PAY_CODE_EXPIRED),
        (29.999, 30.0, 0),
        (29.999, 59.999, 0),
        (29.999, 60.0, Refusal.PAY_CODE_EXPIRED),
        (30.0, 29.999, Refusal.PAY_CODE_WRONG),  # of the next step: the phone's clock is ahead
        (30.0, 30.0, 1),
        (30.0, 60.0, 1),
        (30.0, 89.999, 1),
        (30.0, 90.0, Refusal.PAY_CODE_EXPIRED),
        (60.0, 0.0, Refusal.PAY_CODE_WRONG),
        (60.0, 60.0, 2),
        (0.0, 359.999, Refusal.PAY_CODE_EXPIRED),
        (0.0, 360.0, Refusal.PAY_CODE_WRONG),
    ],
)
def test_code_lives_for_its_step_and_the_next(
    epoch_s: float, made_s: float, judged_s: float, expected: int | Refusal
) -> None:
    if isinstance(expected, int):
        expected += step_at(epoch_s)
    assert judge_pay_code(shown_at(epoch_s + made_s), KEY, epoch_s + judged_s) == expected


@PROPERTY
@given(
    made_s=st.floats(0, 4e9),
    waited_s=st.floats(-60, 600),
    refresh=st.integers(0, 9),
    device_no=st.integers(0, DEVICE_NO_MAX),
)
def test_age_of_a_code_in_steps_decides(made_s: float, waited_s: float, refresh: int, device_no: int) -> None:
    assume(made_s + waited_s >= 0)
    key = device_key(MASTER, 1, device_no)
    code = a_code(pay_code_at(key, device_no, refresh, made_s))
    judged = judge_pay_code(code, key, made_s + waited_s)
    match step_at(made_s + waited_s) - step_at(made_s):
        case 0 | 1:
            assert judged == step_at(made_s)
        case age if 2 <= age <= 11:
            assert judged is Refusal.PAY_CODE_EXPIRED
        case _:
            assert judged is Refusal.PAY_CODE_WRONG


@pytest.mark.parametrize(
    ("at_s", "step"),
    [(0.0, 0), (29.999999, 0), (30.0, 1), (59.999999, 1), (60.0, 2), (NOON_S, NOON_STEP), (60, 2)],
)
def test_step_is_thirty_seconds(at_s: float, step: int) -> None:
    assert step_at(at_s) == step


@pytest.mark.parametrize("start_s", [30, 1_699_999_980, 2_147_483_640, 4_294_967_280])
def test_step_starts_exactly_on_time(start_s: int) -> None:
    before_s = math.nextafter(start_s, 0)
    assert (step_at(before_s), step_at(float(start_s))) == (start_s // 30 - 1, start_s // 30)


@pytest.mark.parametrize("at_s", [-0.001, float("nan")])
def test_time_before_the_epoch_is_a_bug(at_s: float) -> None:
    with pytest.raises(AssertionError, match="a Unix time is not negative"):
        step_at(at_s)


@pytest.mark.parametrize("refresh", [digit for digit in range(10) if digit != 7])
def test_refresh_digit_cannot_be_changed_by_an_onlooker(refresh: int) -> None:
    forged = a_code(with_check_digit(f"91{refresh}{SHOWN_AT_NOON[3:23]}"))
    assert judge_pay_code(forged, KEY, NOON_S) is Refusal.PAY_CODE_WRONG


def test_two_codes_of_one_step_are_both_good() -> None:
    first, second = shown_at(NOON_S, refresh=0), shown_at(NOON_S, refresh=1)
    assert first.otp != second.otp
    assert [judge_pay_code(code, KEY, NOON_S) for code in (first, second)] == [NOON_STEP, NOON_STEP]


@pytest.mark.parametrize(
    "key", [device_key(MASTER, 2, DEVICE_NO), device_key(MASTER, 1, DEVICE_NO + 1), device_key(KEY, 1, DEVICE_NO)]
)
def test_code_of_another_key_is_wrong(key: bytes) -> None:
    assert judge_pay_code(a_code(), key, NOON_S) is Refusal.PAY_CODE_WRONG


def test_code_is_judged_with_the_digest_that_made_it() -> None:
    with_sm3 = a_code(pay_code_at(KEY, DEVICE_NO, 7, NOON_S, "sm3"))
    assert judge_pay_code(with_sm3, KEY, NOON_S + 30, "sm3") == NOON_STEP
    assert judge_pay_code(with_sm3, KEY, NOON_S + 60, "sm3") is Refusal.PAY_CODE_EXPIRED
    assert judge_pay_code(with_sm3, KEY, NOON_S, "sha256") is Refusal.PAY_CODE_WRONG
    assert judge_pay_code(a_code(), KEY, NOON_S, "sm3") is Refusal.PAY_CODE_WRONG


def assert_never_accepted(presented: str, at_s: float) -> None:
    """Judge it as the engine would: with the key of the device that the code names."""
    code = parse_pay_code(presented)
    if isinstance(code, PayCode):
        assert judge_pay_code(code, device_key(MASTER, 1, code.device_no), at_s) is Refusal.PAY_CODE_WRONG
    else:
        assert code is Refusal.PAY_CODE_MALFORMED


CODES = st.builds(
    lambda device_no, refresh: pay_code_at(device_key(MASTER, 1, device_no), device_no, refresh, NOON_S),
    st.integers(0, DEVICE_NO_MAX),
    st.integers(0, 9),
)


@PROPERTY
@given(text=CODES)
def test_code_is_good_until_a_digit_is_changed(text: str) -> None:
    code = a_code(text)
    assert judge_pay_code(code, device_key(MASTER, 1, code.device_no), NOON_S) == NOON_STEP
    for position, digit in enumerate(text):
        for other in "0123456789".replace(digit, ""):
            changed = text[:position] + other + text[position + 1 :]
            assert parse_pay_code(changed) is Refusal.PAY_CODE_MALFORMED


@PROPERTY
@given(text=CODES)
def test_code_with_two_neighbours_swapped_is_not_accepted(text: str) -> None:
    for position in range(23):
        swapped = text[:position] + text[position + 1] + text[position] + text[position + 2 :]
        if swapped != text:
            assert_never_accepted(swapped, NOON_S)


def test_swap_that_the_check_digit_misses_is_wrong() -> None:
    device_no = 10_900_000_000  # 09 and 90 have the same Luhn sum
    text = pay_code_at(device_key(MASTER, 1, device_no), device_no, 0, NOON_S)
    swapped = text[:4] + "90" + text[6:]
    assert a_code(swapped).device_no == 19_000_000_000
    assert_never_accepted(swapped, NOON_S)
