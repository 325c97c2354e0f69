"""Passwords: what may be set."""

import pytest

from engine.core.passwords import Weakness, weakness_of

ID_NUMBER = "11010119900307704X"


@pytest.mark.parametrize(
    ("password", "weakness"),
    [
        ("", Weakness.NOT_SIX_DIGITS),
        ("12345", Weakness.NOT_SIX_DIGITS),
        ("7041920", Weakness.NOT_SIX_DIGITS),
        ("70419a", Weakness.NOT_SIX_DIGITS),
        ("70419２", Weakness.NOT_SIX_DIGITS),
        ("70419²", Weakness.NOT_SIX_DIGITS),
        ("000000", Weakness.ONE_DIGIT),
        ("999999", Weakness.ONE_DIGIT),
        ("123456", Weakness.STRAIGHT_RUN),
        ("654321", Weakness.STRAIGHT_RUN),
        ("789012", Weakness.STRAIGHT_RUN),
        ("210987", Weakness.STRAIGHT_RUN),
        ("307704", Weakness.OF_ID_NUMBER),
        ("123457", None),
        ("111112", None),
        ("123321", None),
        ("135791", None),
        ("704192", None),
    ],
)
def test_weak_passwords_are_not_set(password: str, weakness: Weakness | None) -> None:
    assert weakness_of(password, id_number=ID_NUMBER) is weakness


@pytest.mark.parametrize(("id_number", "password"), [("110101199003077045", "077045"), (ID_NUMBER, "307704")])
def test_end_of_an_id_number_is_weak_for_its_owner_only(id_number: str, password: str) -> None:
    assert weakness_of(password, id_number=id_number) is Weakness.OF_ID_NUMBER
    assert weakness_of(password) is None
    assert weakness_of(password, id_number="110101199003079999") is None


def test_nearly_every_password_may_be_set() -> None:
    assert sum(weakness_of(f"{n:06d}") is not None for n in range(10**6)) == 30
