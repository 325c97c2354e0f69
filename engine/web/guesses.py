"""Wrong codes and card numbers at a merchant's terminals: whoever shows too many is told nothing more for a while,
whatever is asked.
"""

from engine.core.refusals import Refusal
from engine.web.body import Refused
from engine.web.node import Node


def refuse_guesser(node: Node, merchant: bytes, terminal_id: str) -> None:
    """Go on only if the terminal has not shown too many wrong codes or card numbers.

    Raises:
        Refused: it has.
    """
    if node.wrong_codes.are_too_many(merchant, terminal_id, now_s=node.clock.steady_s()):
        raise Refused(Refusal.TOO_MANY_ATTEMPTS)


def count_guess(node: Node, merchant: bytes, terminal_id: str, refusal: str | None, field: str | None) -> None:
    """Count what was answered, if it was that the code is wrong, or that there is no such card."""
    is_no_card = refusal == Refusal.NOT_FOUND.value and field == "card_no"
    if is_no_card or refusal == Refusal.PAY_CODE_WRONG.value:
        node.wrong_codes.count(merchant, terminal_id, now_s=node.clock.steady_s())
