"""What can go wrong with the database, by what has to be done about it.

Fault
├── ConnectionLost        the session is gone: nobody knows yet what became of its transaction
├── StoreUnavailable      nothing was decided: the same request with the same key may succeed
├── RunAgain              a deadlock, a lock time-out, a lost race: roll back and run the batch again
├── PoisonedBatch         one command of the batch cannot be written: split until it is alone
└── Fenced                another session holds the lane: stop
"""

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg


class Fault(Exception):
    """Something around the engine failed; no rule said no."""


class ConnectionLost(Fault):
    """The session to the database is gone."""


class StoreUnavailable(Fault):
    """The database cannot take the request now; nothing was decided."""


class RunAgain(Fault):
    """The transaction lost a race and was rolled back; running it again may succeed."""


class PoisonedBatch(Fault):
    """The database refused a value: one of the batch's commands cannot be written."""


class Fenced(Fault):
    """The lane belongs to another session: this one must stop."""


_RUN_AGAIN = ("40", "55P03")
_POISON = ("22", "23")  # the driver's own complaints about a value are 22000
_SESSION_IS_OVER = ("08", "25", "57P")  # 25: read-only, or in a transaction that it cannot go on with
_UNAVAILABLE = ("28", "3D", "53", "57", "58")


@contextmanager
def translated() -> Iterator[None]:
    """Raise our faults in place of the driver's errors, by SQLSTATE.

    A time-out of a statement (57014), a shutdown (57P) or a full disk (53) leaves nothing committed before COMMIT, so
    it is a reason to be unavailable, not to doubt.

    Raises:
        Fault: one of its kinds.
    """
    try:
        yield
    except asyncpg.PostgresError as error:
        state = error.sqlstate or ""
        if state.startswith(_RUN_AGAIN):
            raise RunAgain(state) from error
        if state.startswith(_POISON):
            raise PoisonedBatch(state) from error
        if state.startswith(_SESSION_IS_OVER):
            raise ConnectionLost(state) from error
        if state.startswith(_UNAVAILABLE):
            raise StoreUnavailable(state) from error
        raise
    except (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        # Time-outs are OSErrors; what the driver's own code trips over (a standby where a primary was wanted, a type
        # that changed) is over with a new session as well.
        raise ConnectionLost(type(error).__name__) from error
