"""Requests that change something and are no ledger commands: done once a key, and answered the same ever after."""

from collections.abc import Awaitable, Callable
from typing import Final

import asyncpg
import msgspec

from engine.codes.keys import FIELD_KEY_ID, Keyring
from engine.core.participants import WrongField
from engine.core.refusals import Refusal
from engine.flows.clock import IdSource
from engine.ledger.router import KeyInProgress
from engine.store.approvals import EarlierRequest, answer_request, claim_request, load_earlier_request
from engine.store.connection import AnyConnection
from engine.store.faults import RunAgain, translated

ANSWER_PLACE: Final = "request_answer.body"


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for under one key. `facts` is canonical JSON of an object: what makes two requests the same."""

    caller: bytes
    operation: str
    key: str
    facts: bytes


class Done(msgspec.Struct, frozen=True):
    """What is answered."""

    status: int
    body: bytes
    is_replay: bool = False


class NotDone(msgspec.Struct, frozen=True):
    """Why nothing was done, and the fields that are to blame. Never remembered: the key stays free."""

    refusal: Refusal
    fields: tuple[WrongField, ...] = ()


Work = Callable[[AnyConnection], Awaitable[Done | NotDone]]
"""Does what is asked for, in the transaction of the connection that it is given."""


class _UndoneError(Exception):
    """Carries a refusal out of a transaction, which is rolled back by it."""

    def __init__(self, why: NotDone) -> None:
        super().__init__(why.refusal.slug)
        self.why = why


async def answer_once(pool: asyncpg.Pool, keyring: Keyring, ids: IdSource, wish: Wish, work: Work) -> Done | NotDone:
    """Do *work* and keep its answer, both in one transaction; or give the answer that the key has got before.

    Whoever comes with the same key meanwhile waits until the first is done.

    Raises:
        KeyInProgress: the first takes longer than the database's lock time-out.
        Fault: the database cannot do it. What became of it shows when the same request is made again.
    """
    try:
        with translated():
            async with pool.acquire() as connection, connection.transaction():
                if not await _claim(connection, wish):
                    return await _repeated(connection, keyring, wish)
                answer = await work(connection)
                if isinstance(answer, NotDone):
                    raise _UndoneError(answer)
                await keep_answer(connection, keyring, ids, wish, answer)
                return answer
    except _UndoneError as undone:
        return undone.why


async def keep_answer(
    source: "AnyConnection | asyncpg.Pool", keyring: Keyring, ids: IdSource, wish: Wish, answer: Done
) -> None:
    """Keep the answer of a claimed key, or a later one in its place."""
    await answer_request(
        source,
        caller=wish.caller,
        operation=wish.operation,
        key=wish.key,
        status=answer.status,
        sealed=keyring.seal(answer.body, place=ANSWER_PLACE, nonce=ids.nonce()),
    )


async def _claim(connection: AnyConnection, wish: Wish) -> bool:
    try:
        return await claim_request(
            connection,
            caller=wish.caller,
            operation=wish.operation,
            key=wish.key,
            facts=wish.facts,
            field_key_id=FIELD_KEY_ID,
        )
    except RunAgain as error:
        raise KeyInProgress from error


async def _repeated(connection: AnyConnection, keyring: Keyring, wish: Wish) -> Done | NotDone:
    earlier = await load_earlier_request(connection, caller=wish.caller, operation=wish.operation, key=wish.key)
    assert earlier is not None, "a key that cannot be claimed has been"
    if earlier.facts != wish.facts:
        return NotDone(Refusal.IDEMPOTENCY_KEY_REUSED, (WrongField(_first_difference(earlier, wish), "differs"),))
    assert earlier.status is not None, "a key is claimed and answered in one transaction"
    assert earlier.body is not None
    return Done(earlier.status, keyring.unseal(earlier.body, place=ANSWER_PLACE), is_replay=True)


def _first_difference(earlier: EarlierRequest, wish: Wish) -> str:
    before, now = (msgspec.json.decode(facts, type=dict[str, object]) for facts in (earlier.facts, wish.facts))
    return next(name for name in sorted(before.keys() | now.keys()) if before.get(name) != now.get(name))
