"""Deciding what is asked about a card and its holder's settings, and moves no payment."""

import msgspec

from engine.core.answers import Answer, CardState, EventKind
from engine.core.authorization import judge_password, refuse_password
from engine.core.books import Books, Decision, refuse
from engine.core.cards import LEVELS, CardMove, after_move
from engine.core.channel_stops import channel_refusal
from engine.core.commands import ChangeCard, ChangeFamily, CheckPassword, Reinstate, ReportLoss
from engine.core.ids import region_of
from engine.core.payer import CardStatus, Payer
from engine.core.refusals import Refusal

_LETS_PAY = frozenset({CardMove.ENABLE_PAYMENT, CardMove.REINSTATE})
_KINDS = {CardMove.REPORT_LOSS: EventKind.CARD_REPORTED_LOST, CardMove.REINSTATE: EventKind.CARD_REINSTATED}


def decide_status(books: Books, command: ReportLoss | Reinstate | ChangeCard) -> Decision:
    """Move a card on, or name the rule that forbids it. To be asked twice is no mistake."""
    payer = books.seen.payers.get(command.card)
    if payer is None:
        return refuse(Refusal.NOT_FOUND)
    move = _move_of(command)
    if move in _LETS_PAY:
        stopped = channel_refusal(books, command.caller, None, region_of(payer.id))
        if stopped is not None:
            return refuse(stopped)
    status = after_move(payer.status, move)
    if isinstance(status, Refusal):
        return refuse(status if isinstance(command, ChangeCard) else Refusal.CARD_NOT_USABLE)
    after = msgspec.structs.replace(payer, status=status, issue_level=LEVELS.get(move, payer.issue_level))
    return _told(books, after, _KINDS.get(move, EventKind.CARD_CHANGED))


def decide_change_family(books: Books, command: ChangeFamily) -> Decision:
    """Let a relative help, or not any more; of two who were linked the later one helps."""
    payer = books.seen.payers.get(command.card)
    if payer is None:
        return refuse(Refusal.NOT_FOUND)
    family = payer.family
    if command.is_linked:
        if payer.status is CardStatus.CANCELLED:
            return refuse(Refusal.CARD_NOT_USABLE)
        family = command.relative
    elif family == command.relative:
        family = None
    return _told(books, msgspec.structs.replace(payer, family=family), EventKind.FAMILY_CHANGED)


def decide_check_password(books: Books, command: CheckPassword) -> Decision:
    """Yes if the password is the cardholder's; a wrong one is counted as it is at a till."""
    payer = books.seen.payers.get(command.card)
    if payer is None:
        return refuse(Refusal.NOT_FOUND)
    wrong = judge_password(payer, command.password)
    if wrong is not None:
        return refuse_password(wrong)
    return _told(books, msgspec.structs.replace(payer, password_tries=0), EventKind.PASSWORD_CHECKED)


def _move_of(command: ReportLoss | Reinstate | ChangeCard) -> CardMove:
    if isinstance(command, ChangeCard):
        return command.move
    return CardMove.REPORT_LOSS if isinstance(command, ReportLoss) else CardMove.REINSTATE


def _told(books: Books, after: Payer, kind: EventKind) -> Decision:
    card = CardState(after.id, after.status, after.issue_level, books.now)
    return Decision(kind=kind, answer=Answer(card=card), payer=after, about=after.id)
