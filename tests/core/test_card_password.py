"""Setting a card's password: by whoever has the old one, or may do without; judged under the payer's lock."""

import msgspec
import pytest

from engine.core.answers import EventKind
from engine.core.commands import PasswordProof, SetPassword
from engine.core.ids import CallerId
from engine.core.payer import PASSWORD_TRIES_MAX
from engine.core.refusals import Refusal
from tests.core.books_builders import BANK, CARD, UNKNOWN_CARD, a_payer, carry_out, payer_in, refusal_of, some_books
from tests.core.ways import RIGHT, WRONG


def a_change(**changes: object) -> SetPassword:
    """Version 2, by whoever has the old one."""
    command = SetPassword(caller=CallerId(BANK), key="set", card=CARD, version=2, password=RIGHT)
    return msgspec.structs.replace(command, **changes)


@pytest.mark.parametrize(
    ("tries", "version", "changes", "refusal", "after"),
    [
        pytest.param(3, 1, {}, None, (2, 0), id="right"),
        pytest.param(0, 1, {"password": WRONG, "version": 0}, Refusal.PASSWORD_INCORRECT, (1, 1), id="wrong"),
        pytest.param(4, 1, {"password": WRONG, "version": 0}, Refusal.PASSWORD_INCORRECT, (1, 5), id="wrong at last"),
        pytest.param(PASSWORD_TRIES_MAX, 1, {}, Refusal.PASSWORD_LOCKED, (1, 5), id="locked"),
        pytest.param(1, 3, {}, Refusal.PASSWORD_INCORRECT, (3, 1), id="changed meanwhile"),
        pytest.param(PASSWORD_TRIES_MAX, 1, {"password": None}, None, (2, 0), id="done without"),
        pytest.param(0, 1, {"password": None, "is_first": True}, Refusal.PASSWORD_INCORRECT, (1, 0), id="not first"),
        pytest.param(0, 0, {"password": None, "is_first": True, "version": 1}, None, (1, 0), id="first"),
        pytest.param(0, 0, {"password": PasswordProof(False, 0)}, Refusal.PASSWORD_INCORRECT, (0, 0), id="none yet"),
        pytest.param(0, 3, {"password": None}, None, (3, 0), id="a newer one was first"),
    ],
)
def test_password_is_set(
    tries: int, version: int, changes: dict[str, object], refusal: Refusal | None, after: tuple[int, int]
) -> None:
    payer = msgspec.structs.replace(a_payer(), password_tries=tries, password_version=version)
    books = some_books(payer)
    decision = carry_out(books, a_change(**changes))
    assert refusal_of(decision) is refusal
    assert decision.kind is (EventKind.REFUSED if refusal else EventKind.PASSWORD_SET)
    assert (payer_in(books).password_version, payer_in(books).password_tries) == after
    rest = msgspec.structs.replace(payer_in(books), password_version=version, password_tries=tries)
    assert rest == payer


def test_card_that_there_is_not() -> None:
    assert refusal_of(carry_out(some_books(), a_change(card=UNKNOWN_CARD))) is Refusal.NOT_FOUND
