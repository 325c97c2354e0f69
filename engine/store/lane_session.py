"""One session that holds one lane: the statements of a batch, and the fence around them."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import date, datetime
from typing import Any, Final

import asyncpg
import msgspec

from engine.core.calendar import CycleNumber
from engine.core.pay_orders import PayOrder
from engine.store.books_reader import BooksReader
from engine.store.connection import LANE_SETTINGS, connect
from engine.store.faults import ConnectionLost, Fault, Fenced, RunAgain, StoreUnavailable, translated
from engine.store.orders import hold_pay_orders
from engine.store.rows import Row
from engine.store.sql import Sql

LANE_LOCK_CLASS: Final = 7_201  # of the advisory locks; any number that nothing else here uses
LANE_ID_MAX: Final = 1_000
LEAVE_S: Final = 5.0
SILENCE_S_MAX: Final = 30.0  # a network that died without a word is noticed by nothing else on our side
_PREPARED: Final = (
    "lock_and_claim",
    "read_books",
    "read_earlier",
    "read_bills",
    "read_orders",
    "read_rides",
    "read_visits",
    "read_device_channels",
    "write_bills",
    "write_rides",
    "write_visits",
    "write_changes",
    "write_books",
)


class LaneWrite(msgspec.Struct, frozen=True, kw_only=True):
    """What a batch has to write, as rows; those of `0004_lane_rows.sql` lack what is the same for the whole batch."""

    orders: Sequence[Row]
    codes: Sequence[Row]
    payments: Sequence[Row]
    payments_changed: Sequence[Row]
    refunds: Sequence[Row]
    holds: Sequence[Row]
    holds_ended: Sequence[Row]
    bills: Sequence[Row]
    rides_unpaid: Sequence[Row]
    rides_paid: Sequence[Row]
    visits_begun: Sequence[Row]
    visits_ended: Sequence[Row]
    postings: Sequence[Row]
    events: Sequence[Row]
    payers: Sequence[Row]
    balances: Sequence[Row]
    at: datetime
    business_date: date
    cycle: CycleNumber
    hash: bytes


class LaneSessions:
    """Opens the sessions of one node's lanes, never on a server that is behind what was seen before."""

    def __init__(self, dsn: str, *, node: str) -> None:
        """Sessions to *dsn*; *node* is written on the lanes that they hold, and no other node has that name."""
        self._dsn = dsn
        self._node = node
        self._timeline = ""

    async def open_any(self) -> "LaneSession":
        """Take the lowest lane that is free.

        Raises:
            Fault: the database cannot be reached, or is not a primary of the newest timeline.
        """
        connection = await connect(self._dsn, LANE_SETTINGS, application_name="lane ?")
        try:
            with translated():
                for lane in range(1, LANE_ID_MAX + 1):
                    session = LaneSession(connection, lane)
                    if await session.try_lock():
                        await self._take(session)
                        return session
            raise StoreUnavailable("every lane is taken")
        except BaseException:
            connection.terminate()
            raise

    async def open_same(self, lane: int) -> "LaneSession":
        """Take one lane again after its session was lost; the earlier session is over once this returns.

        A backend of the earlier session is ended, unless it waits for its standby: that commit is only waited for.

        Raises:
            Fenced: another node has taken the lane meanwhile.
            Fault: the database cannot be reached, or the earlier session is not over yet.
        """
        connection = await connect(self._dsn, LANE_SETTINGS, application_name=f"lane {lane}")
        session = LaneSession(connection, lane)
        try:
            with translated():
                await session.end_earlier(self._node)
                if not await session.try_lock():
                    raise StoreUnavailable("the lane's earlier session is not over")
                await self._take(session)
        except BaseException:
            session.close()
            raise
        return session

    async def _take(self, session: "LaneSession") -> None:
        silence = asyncio.get_running_loop().call_later(SILENCE_S_MAX, session.close)
        try:
            await session.take(self._node, self._timeline)
        finally:
            silence.cancel()
        self._timeline = session.timeline


class LaneSession(BooksReader):
    """A connection that holds a lane: its advisory lock is the fence, its epoch catches what the lock cannot.

    `seq` and `head` are those of the lane's last committed batch.
    """

    def __init__(self, connection: asyncpg.Connection, lane: int) -> None:
        """Use `LaneSessions`."""
        super().__init__(connection)
        self.lane = lane
        self.epoch = 0
        self.seq = 0
        self.head = b""
        self.business_date = date.min  # what the next claim is filed under
        self.timeline = ""
        self._prepared: dict[str, Any] = {}
        self._has_warned = False
        self._is_begun = False

    async def lock_and_claim(self, claims: Sequence[Row]) -> list[asyncpg.Record]:
        """S0 and S1: the lane's own row, then payers and keys.

        Shape: one row a claim, in order of n: is_locked, is_claimed, the payer's row or None.

        Raises:
            Fenced: the lane's row is not as this session left it.
            Fault: one of `translated`.
        """
        assert claims, "no claim, no batch"
        if not self._is_begun:
            await self._execute(self._queries["begin"])
            self._is_begun = True
        with translated():
            rows: list[asyncpg.Record] = await self._prepared["lock_and_claim"].fetch(
                claims, self.business_date, self.lane, self.seq + 1, self.epoch
            )
        if not rows:
            raise Fenced(f"lane {self.lane}")
        return rows

    async def hold_orders(self, orders: Sequence[PayOrder]) -> None:
        """S3 of a batch that pays orders: nobody shows another version of them until the batch ends.

        Raises:
            RunAgain: somebody has, since they were read.
        """
        if not await hold_pay_orders(self._connection, orders):
            raise RunAgain("an order was shown anew")

    async def write_books(self, write: LaneWrite) -> None:
        """S3: everything that was decided.

        Raises:
            RunAgain: a unique key was taken by somebody else meanwhile.
            Fault: one of `translated`.
        """
        if write.bills:
            await self._write("write_bills", write.bills, counts=(len(write.bills),))
        if write.rides_unpaid or write.rides_paid:
            rides = (write.rides_unpaid, write.rides_paid)
            await self._write("write_rides", *rides, counts=(len(write.rides_unpaid), len(write.rides_paid)))
        if write.visits_begun or write.visits_ended:
            visits = (write.visits_begun, write.visits_ended)
            await self._write("write_visits", *visits, counts=(len(write.visits_begun), len(write.visits_ended)))
        if write.payments_changed or write.refunds or write.holds or write.holds_ended:
            await self._write(
                "write_changes",
                write.payments_changed,
                [row[0] for row in write.payments_changed],
                write.refunds,
                write.holds,
                write.holds_ended,
                counts=(len(write.payments_changed), len(write.refunds), len(write.holds), len(write.holds_ended)),
            )
        rows = (write.orders, write.codes, write.payments, write.postings, write.events, write.payers, write.balances)
        await self._write(
            "write_books",
            *rows[:-1],
            [row[0] for row in write.payers],
            write.balances,
            self.lane,
            self.seq + 1,
            write.at,
            write.business_date,
            write.cycle,
            self.head,
            write.hash,
            self.epoch,
            counts=(*map(len, rows), 1, 1),
        )

    async def _rows(self, name: str, *arguments: object) -> list[asyncpg.Record]:
        rows: list[asyncpg.Record] = await self._prepared[name].fetch(*arguments)
        return rows

    async def _write(self, name: str, *arguments: object, counts: tuple[int, ...]) -> None:
        with translated():
            counted = await self._prepared[name].fetchrow(*arguments)
        if tuple(counted) != counts:
            raise RunAgain("a row was not as it was read")

    async def commit(self, batch_hash: bytes) -> None:
        """S4: make it durable. Nothing cancels or times this.

        Raises:
            RunAgain: the transaction had failed, and is rolled back.
            ConnectionLost: anything else: `open_same` tells whether the batch is in the books.
        """
        self._has_warned = False
        tag = await self._end_transaction("commit")
        if tag != "COMMIT":
            raise RunAgain(f"the transaction had failed: {tag}")
        if self._has_warned:
            # A commit that a standby did not confirm is not safe, though the server calls it done.
            self.close()
            raise ConnectionLost("COMMIT came with a warning")
        self.seq += 1
        self.head = batch_hash

    async def roll_back(self) -> None:
        """Give up the transaction; the lane's seq is as before.

        Raises:
            ConnectionLost: the session is over, and the transaction with it.
        """
        await self._end_transaction("roll_back")

    async def rest(self) -> None:
        """There is no batch for a while: leave no transaction open.

        Raises:
            ConnectionLost: the session is over.
        """
        if self._is_begun:
            await self._end_transaction("rest")
            self._is_begun = False

    def close(self) -> None:
        """End the session at once."""
        self._connection.terminate()

    async def leave(self) -> None:
        """End the session politely; the lane is free for others."""
        with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            await self._connection.close(timeout=LEAVE_S)

    async def try_lock(self) -> bool:
        """True if the lane is this session's from now on."""
        locked: bool = await self._connection.fetchval(self._queries["try_lock"], LANE_LOCK_CLASS, self.lane)
        return locked

    async def end_earlier(self, node: str) -> None:
        """End what is left of the earlier session of the lane, which was *node*'s.

        Raises:
            Fenced: another node's session took the lane after it.
        """
        holder = await self._connection.fetchrow(self._queries["holder"], self.lane)
        assert holder is not None, "whoever took a lane has left its row"
        if holder["node"] != node:
            raise Fenced(f"lane {self.lane} was taken by another node")
        for row in await self._connection.fetch(self._queries["backends_of"], self.lane, holder["epoch"]):
            if not row["is_waiting_for_standby"]:
                await self._connection.execute(self._queries["terminate"], row["pid"])

    async def take(self, node: str, timeline_min: str) -> None:
        """Raise the epoch; that this commits proves that everything before it is as durable as it can be.

        Raises:
            StoreUnavailable: the server is no primary, or behind *timeline_min*, or its standby did not confirm.
        """
        server = await self._connection.fetchrow(self._queries["server_state"])
        assert server is not None
        self.timeline = server["timeline"]
        if server["is_standby"] or self.timeline < timeline_min:
            raise StoreUnavailable("not the primary of the newest timeline")
        self._connection.add_log_listener(self._on_notice)
        row = await self._connection.fetchrow(self._queries["take_lane"], self.lane, node)
        assert row is not None
        if self._has_warned:
            raise StoreUnavailable("taking the lane was not confirmed by the standby")
        self.epoch, self.seq, self.head = row["epoch"], row["seq"], row["head"]
        self.business_date = await self._connection.fetchval(self._queries["today"]) or date.min
        for name in _PREPARED:
            self._prepared[name] = await self._connection.prepare(self._queries[name])

    async def _end_transaction(self, how: str) -> str:
        """Send COMMIT or ROLLBACK. Whatever goes wrong with it leaves its outcome open, so the session ends."""
        try:
            return await self._execute(self._queries[how])
        except (Fault, asyncpg.PostgresError) as error:
            self.close()
            raise ConnectionLost(f"{how} was not answered") from error

    async def _execute(self, statement: Sql) -> str:
        with translated():
            tag: str = await self._connection.execute(statement)
        return tag

    def _on_notice(self, _connection: object, message: asyncpg.PostgresLogMessage) -> None:
        if message.sqlstate == "01000":
            self._has_warned = True
