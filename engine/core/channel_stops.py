"""Whether something is stopped because of the channel that asks for it, as a batch sees it."""

from engine.core.books import Books
from engine.core.commands import PresentedCode
from engine.core.payments import Payment
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


def why_stopped(books: Books, caller: bytes, payment: Payment) -> Refusal | None:
    """Why a payment that waits does not go on: the channel that asks is stopped, or the one that has begun it."""
    begun_by = payment.details.channel if payment.details is not None else None
    return channel_refusal(books, caller, None, payment.region) or (
        channel_refusal(books, begun_by, None, payment.region) if begun_by is not None else None
    )
