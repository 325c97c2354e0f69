"""The course of an application: where it can go, who may take it there, and where it ends."""

import pytest

from engine.core.applications import (
    APPLICATION_TRANSITIONS,
    OFFICE_MOVES,
    OPEN_STATES,
    SAYS_WHY,
    ApplicationMove,
    ApplicationState,
    media_type_of,
)

ALLOWED = {
    "DRAFT": {"CHANGE": "DRAFT", "SUBMIT": "SUBMITTED", "WITHDRAW": "WITHDRAWN"},
    "SUBMITTED": {"ACCEPT": "ACCEPTED", "WITHDRAW": "WITHDRAWN"},
    "ACCEPTED": {"REVIEW": "IN_REVIEW", "WITHDRAW": "WITHDRAWN"},
    "IN_REVIEW": {
        "NEED_MORE_INFO": "NEED_MORE_INFO",
        "APPROVE": "APPROVED",
        "REJECT": "REJECTED",
        "WITHDRAW": "WITHDRAWN",
    },
    "NEED_MORE_INFO": {"CHANGE": "NEED_MORE_INFO", "SUBMIT": "SUBMITTED", "WITHDRAW": "WITHDRAWN"},
    "APPROVED": {"ARCHIVE": "ARCHIVED"},
    "REJECTED": {"ARCHIVE": "ARCHIVED"},
    "ARCHIVED": {},
    "WITHDRAWN": {},
}


def test_every_pair_of_state_and_move_is_allowed_or_not_as_agreed() -> None:
    for state in ApplicationState:
        found = {
            move.name: APPLICATION_TRANSITIONS[state, move].name
            for move in ApplicationMove
            if (state, move) in APPLICATION_TRANSITIONS
        }
        assert found == ALLOWED[state.name]


def test_what_is_open_is_what_can_be_taken_back() -> None:
    can_be_taken_back = {state for state, move in APPLICATION_TRANSITIONS if move is ApplicationMove.WITHDRAW}
    assert can_be_taken_back == OPEN_STATES == {state for state in ApplicationState if state <= 5}  # as the index says


def test_offices_and_channels_share_no_move() -> None:
    of_channels = {
        ApplicationMove.DRAFT,
        ApplicationMove.CHANGE,
        ApplicationMove.SUBMIT,
        ApplicationMove.WITHDRAW,
    }
    assert of_channels | OFFICE_MOVES == set(ApplicationMove)
    assert not of_channels & OFFICE_MOVES
    assert SAYS_WHY < OFFICE_MOVES


@pytest.mark.parametrize(
    ("first", "media_type"),
    [
        (b"%PDF-1.7", "application/pdf"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b" %PDF-1.7", None),
        (b"\x89PNG\n\x1a\n", None),
        (b"<svg", None),
        (b"", None),
    ],
)
def test_file_is_what_its_first_bytes_say(first: bytes, media_type: str | None) -> None:
    assert media_type_of(first) == media_type
