"""Whether something is stopped because of the channel that asks for it, as a batch sees it."""

from engine.core.books import Books
from engine.core.commands import PresentedCode
from engine.core.refusals import Refusal


def channel_refusal(books: Books, caller: bytes, code: PresentedCode | None, region: int) -> Refusal | None:
    """Why nothing new is paid through the channel that asks, or by the phone that a channel has registered.

    A ride that a gate has let somebody take without a network is owed, whatever was stopped meanwhile.
    """
    stopped = books.seen.rules.stopped
    if not stopped:
        return None
    registered_by = None
    if code is not None and code.device_no is not None and code.ticket is None:
        registered_by = books.seen.device_channels.get(code.device_no)
    is_stopped = stopped.includes(caller, region) or stopped.includes(registered_by, region)
    return Refusal.CHANNEL_SUSPENDED if is_stopped else None
