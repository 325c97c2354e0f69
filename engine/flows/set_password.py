"""Setting a card's password: the old one is checked, the new one written down, and then taken into use by the ledger.

Which one is right is in the payer's row alone, so that whatever happens in between changes nothing.
"""

import hashlib

import msgspec

from engine.codes.password_block import BoundTo
from engine.core.commands import PasswordProof, SetPassword
from engine.core.ids import CallerId, CardId, id_text
from engine.core.participants import WrongField
from engine.core.passwords import Weakness
from engine.core.refusals import Refusal
from engine.flows.answer_once import NotDone
from engine.flows.check_password import PasswordDesk
from engine.ledger.queue import Outcome
from engine.ledger.router import Ledger

NEW, OLD = "new_password_block", "password_block"


class PasswordWish(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for. Blocks are sealed, and bound to the card."""

    caller: CallerId
    key: str
    trace_id: str
    card: CardId  # one that there is
    new: str
    old: str | None
    may_do_without: bool  # the old one: whoever asks answers for the cardholder


async def set_password(
    wish: PasswordWish, *, desk: PasswordDesk, ledger: Ledger, salt: bytes, now_s: float
) -> Outcome | NotDone:
    """From the answer on only the new password is right. A repeat under the same key gets the same answer.

    Not done, and never remembered: what cannot be opened, and a password that is too easily guessed.
    Units: *salt* 16 fresh bytes, *now_s* unix seconds of wall time.

    Raises:
        Fault: the database cannot answer.
        Overloaded: the ledger has no room.
    """
    bound_to = BoundTo(card_id=id_text(wish.card))
    proof: PasswordProof | None = None
    if wish.old is not None:
        checked = await desk.check_password(wish.card, wish.old, bound_to, now_s=now_s)
        if isinstance(checked, Refusal):
            return NotDone(checked, (WrongField(OLD, "cannot be checked"),))
        proof = checked
    version = 0
    if proof is None or proof.is_right:
        written = await desk.write_sealed(wish.card, wish.new, bound_to, salt=salt, now_s=now_s)
        if isinstance(written, Weakness):
            return NotDone(Refusal.FIELD_INVALID, (WrongField(NEW, written.value),))
        if isinstance(written, Refusal):
            return NotDone(written, (WrongField(NEW, "cannot be taken"),))
        version = written
    command = SetPassword(
        caller=wish.caller,
        key=wish.key,
        trace_id=wish.trace_id,
        card=wish.card,
        version=version,
        password=proof,
        is_first=wish.old is None and not wish.may_do_without,
        digest=hashlib.blake2b(wish.new.encode(), digest_size=8).hexdigest(),
    )
    return await ledger.submit(command)
