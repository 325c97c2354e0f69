"""The life of a card as a table, and the lane's decisions that follow it."""

from itertools import product

import msgspec
import pytest

from engine.core.answers import Answer, CardState, EventKind
from engine.core.cards import CARD_TRANSITIONS, CardMove, after_move, is_card_number, why_not_issued
from engine.core.commands import ChangeCard, ChangeFamily, CheckPassword, PasswordProof
from engine.core.ids import CallerId, CardId, IdKind
from engine.core.masking import masked_id_number, masked_name, masked_number
from engine.core.payer import PASSWORD_TRIES_MAX, CardStatus, IssueLevel
from engine.core.refusals import Refusal
from engine.sandbox.numbers import card_number
from tests.core.books_builders import (
    CARD,
    NOON,
    UNKNOWN_CARD,
    a_payer,
    an_authorize,
    an_id,
    carry_out,
    outcome_of,
    payer_in,
    refusal_of,
    snapshot_of,
    some_books,
)

RELATIVE, OTHER = (CardId(an_id(IdKind.CARD, n)) for n in (91, 92))


def a_change(move: CardMove, card: CardId = CARD) -> ChangeCard:
    """A move of a card."""
    return ChangeCard(caller=CallerId(CARD), key=f"{move}", card=card, move=move, reason=None)


def a_family(relative: CardId, *, is_linked: bool) -> ChangeFamily:
    """A link or its end."""
    return ChangeFamily(caller=CallerId(CARD), key=None, card=CARD, relative=relative, is_linked=is_linked)


@pytest.mark.parametrize(("status", "move"), list(product(CardStatus, CardMove)))
def test_every_pair_is_allowed_with_its_end_or_refused_and_changes_nothing(status: CardStatus, move: CardMove) -> None:
    books = some_books(a_payer(status=status))
    untouched = snapshot_of(books)
    decision = carry_out(books, a_change(move))
    after = CARD_TRANSITIONS.get((status, move))
    if after is None:
        expected = Refusal.CARD_REPORTED_LOST if status is CardStatus.LOST else Refusal.CARD_NOT_USABLE
        assert (refusal_of(decision), after_move(status, move)) == (expected, expected)
        assert snapshot_of(books) == untouched
    else:
        level = IssueLevel.QUERY if move is CardMove.DISABLE_PAYMENT else IssueLevel.PAYMENT
        assert decision.answer == Answer(card=CardState(CARD, after, level, NOON))
        assert (payer_in(books).status, payer_in(books).issue_level) == (after, level)
        assert decision.about == CARD


def test_nothing_leads_back_from_the_end() -> None:
    assert {after for (before, _), after in CARD_TRANSITIONS.items() if before is CardStatus.CANCELLED} == {
        CardStatus.CANCELLED
    }


def test_every_move_may_be_made_twice_and_every_status_is_reached() -> None:
    for (_, move), after in CARD_TRANSITIONS.items():
        assert (after, move) in CARD_TRANSITIONS or move is CardMove.REPLACE
    assert set(CARD_TRANSITIONS.values()) == set(CardStatus)


def test_card_pays_from_its_second_level_on() -> None:
    books = some_books(msgspec.structs.replace(a_payer(), issue_level=IssueLevel.QUERY))
    commands = (an_authorize(), a_change(CardMove.ENABLE_PAYMENT), an_authorize(), a_change(CardMove.DISABLE_PAYMENT))
    refusals = [refusal_of(carry_out(books, command)) for command in (*commands, an_authorize())]
    assert refusals == [Refusal.PAYMENT_NOT_ENABLED, None, None, None, Refusal.PAYMENT_NOT_ENABLED]


def test_later_helper_helps_and_the_end_of_the_earlier_one_ends_nothing() -> None:
    books = some_books()
    steps = [(RELATIVE, True), (OTHER, True), (RELATIVE, False), (OTHER, False)]
    helpers = []
    for relative, is_linked in steps:
        decision = carry_out(books, a_family(relative, is_linked=is_linked))
        assert decision.kind is EventKind.FAMILY_CHANGED
        helpers.append(payer_in(books).family)
    assert helpers == [RELATIVE, OTHER, OTHER, None]


def test_cancelled_card_is_helped_by_nobody() -> None:
    books = some_books(a_payer(status=CardStatus.CANCELLED))
    assert outcome_of(carry_out(books, a_family(RELATIVE, is_linked=True))) == ("card_not_usable", None)


def test_password_agrees_or_costs_a_try() -> None:
    books = some_books(msgspec.structs.replace(a_payer(), password_version=1))

    def check(*, is_right: bool) -> object:
        """What is answered."""
        proof = PasswordProof(is_right, 1)
        command = CheckPassword(caller=CallerId(CARD), key=None, card=CARD, act="an act", password=proof)
        return refusal_of(carry_out(books, command))

    assert [check(is_right=False), payer_in(books).password_tries] == [Refusal.PASSWORD_INCORRECT, 1]
    assert [check(is_right=True), payer_in(books).password_tries] == [None, 0]
    for _ in range(PASSWORD_TRIES_MAX):
        check(is_right=False)
    assert check(is_right=True) is Refusal.PASSWORD_LOCKED


def test_card_that_nobody_knows_is_not_found() -> None:
    proof = PasswordProof(True, 1)
    commands = (
        a_change(CardMove.SUSPEND, UNKNOWN_CARD),
        msgspec.structs.replace(a_family(RELATIVE, is_linked=True), card=UNKNOWN_CARD),
        CheckPassword(caller=CallerId(CARD), key=None, card=UNKNOWN_CARD, act="an act", password=proof),
    )
    assert [outcome_of(carry_out(some_books(), command)) for command in commands] == [("not_found", None)] * 3


@pytest.mark.parametrize("status", CardStatus)
def test_only_an_active_card_is_issued(status: CardStatus) -> None:
    assert (why_not_issued(status) is None) == (status is CardStatus.ACTIVE)


def test_card_numbers_bear_their_check() -> None:
    number = card_number("Z1234567")
    assert is_card_number(number)
    wrong = [number[:-1] + ("1" if number[-1] != "1" else "2"), number.lower(), number[:-1], number + "0", "", "１" * 9]
    assert not any(map(is_card_number, wrong))


@pytest.mark.parametrize(
    ("name", "shown"),
    [("张三", "张*"), ("欧阳测试", "欧***"), ("A", "A*"), ("Alexander von Humboldt", "A***"), ("", "*")],
)
def test_names_are_masked(name: str, shown: str) -> None:
    assert masked_name(name) == shown


def test_numbers_are_masked() -> None:
    assert masked_id_number("11010519491231002X") == "1****X"
    assert [masked_number(number) for number in ("Z12345676", "1234", "")] == ["****5676", "****", "****"]
