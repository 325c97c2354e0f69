"""Cards that are stopped and reinstated, and balances that are brought in."""

import pytest

from engine.core.accounts import opening, personal_account
from engine.core.answers import Answer, CardState, EventKind
from engine.core.payer import CardStatus, IssueLevel
from engine.core.postings import Phase, Posting, PostingKind
from engine.core.refusals import Refusal
from tests.core.books_builders import (
    CARD,
    NOON,
    UNKNOWN_CARD,
    a_loss_report,
    a_payer,
    a_reinstatement,
    an_authorize,
    an_opening,
    carry_out,
    outcome_of,
    payer_in,
    refusal_of,
    snapshot_of,
    some_books,
)

LOST, ACTIVE = CardStatus.LOST, CardStatus.ACTIVE


@pytest.mark.parametrize("before", [ACTIVE, LOST])
@pytest.mark.parametrize(("after", "kind"), [(LOST, EventKind.CARD_REPORTED_LOST), (ACTIVE, EventKind.CARD_REINSTATED)])
def test_card_is_as_it_was_last_said_to_be(before: CardStatus, after: CardStatus, kind: EventKind) -> None:
    books = some_books(a_payer(status=before))
    decision = carry_out(books, a_loss_report() if after is LOST else a_reinstatement())
    assert decision.answer == Answer(card=CardState(CARD, after, IssueLevel.PAYMENT, NOON))
    assert (decision.kind, payer_in(books).status) == (kind, after)


def test_lost_card_pays_nothing_until_it_is_reinstated() -> None:
    books = some_books()
    commands = (a_loss_report(), an_authorize(), a_reinstatement(), an_authorize())
    assert [refusal_of(carry_out(books, command)) for command in commands] == [
        None,
        Refusal.CARD_REPORTED_LOST,
        None,
        None,
    ]


@pytest.mark.parametrize("status", [CardStatus.SUSPENDED, CardStatus.CANCELLED, CardStatus.EXPIRED])
@pytest.mark.parametrize("is_loss", [True, False], ids=["loss report", "reinstatement"])
def test_card_that_is_out_of_use_stays_so(is_loss: bool, status: CardStatus) -> None:
    books = some_books(a_payer(status=status))
    untouched = snapshot_of(books)
    decision = carry_out(books, a_loss_report() if is_loss else a_reinstatement())
    assert outcome_of(decision) == ("card_not_usable", None)
    assert snapshot_of(books) == untouched


def test_card_that_nobody_knows_is_not_found() -> None:
    books = some_books()
    commands = (a_loss_report(UNKNOWN_CARD), a_reinstatement(UNKNOWN_CARD), an_opening(100, UNKNOWN_CARD))
    assert [outcome_of(carry_out(books, command)) for command in commands] == [("not_found", None)] * 3


def test_loss_report_changes_nothing_but_the_status() -> None:
    books = some_books()
    before = payer_in(books)
    carry_out(books, a_loss_report())
    carry_out(books, a_reinstatement())
    assert payer_in(books) == before


def test_balance_is_brought_in_against_the_areas_opening_account() -> None:
    books = some_books(a_payer(personal=0))
    decision = carry_out(books, an_opening(12_345))
    assert decision.postings == (
        Posting(CARD, Phase.POST, PostingKind.OPENING, opening(110100), personal_account(CARD), 12_345),
    )
    assert payer_in(books).personal_account_available == 12_345
    assert (decision.kind, decision.answer) == (EventKind.ACCOUNT_OPENED, Answer())


def test_balances_add_up() -> None:
    books = some_books(a_payer(personal=0))
    carry_out(books, an_opening(100))
    carry_out(books, an_opening(20))
    assert payer_in(books).credits_posted == 120
