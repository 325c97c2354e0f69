"""What goes over the wire about corrections by hand."""

from typing import Annotated, Literal

import msgspec

from engine.web.wire import Amount
from engine.web.wire_participants import Reason

AccountText = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
HandlingName = Literal[
    "close", "suspend_long", "await_next_statement", "suspend_rest", "correct_at_bank", "decide", "write_off"
]


class PostingRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Post from one account to another by hand; another operator has to approve it."""

    debit: AccountText
    credit: AccountText
    amount: Amount
    reason: Reason


class ResolutionRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Do something about a difference; another operator has to approve it."""

    handling: HandlingName
    reason: Reason
