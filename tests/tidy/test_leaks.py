"""What is looked for in every test is found, and nothing else."""

import pytest

from tests.leaks import leaks
from tests.people import person

SOMEBODY = person(7)


@pytest.mark.parametrize(
    "secret", [SOMEBODY.name, SOMEBODY.id_number, SOMEBODY.phone, SOMEBODY.account, "34052419800101001x"]
)
def test_what_is_known_of_a_person_is_found_wherever_it_stands(secret: str) -> None:
    for text in (secret, f'{{"id":"{secret}"}}', f"path=/v1/x/{secret}?a=1", f"名{secret}字"):
        assert len(leaks(text)) == 1, text
        assert secret not in leaks(text)[0]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "110101199003079973",  # another check digit
        "110101199002309974",  # no such day
        "1101011990030799720",
        "trace_id=4d98e705c9e389fe6794015332846a95",
        "card_01m7q5cqg00w21nrar00000004",
        "2026-11-24T18:30:03.123456Z 91 00012345678 123456789 1",
        "1****2",
    ],
)
def test_nothing_else_is(text: str) -> None:
    assert leaks(text) == []
