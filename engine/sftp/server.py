"""The SFTP server of a node: banks come in with the keys that they sign requests with, each into its own tree."""

import asyncio
import socket
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Final

import asyncpg
import asyncssh
import msgspec
import structlog

from engine.codes.keys import CALLER_KEY_PLACE, Keyring
from engine.core.ids import BankId, id_text
from engine.flows.clock import Clock, IdSource
from engine.flows.receive_upload import UploadHandlers
from engine.sftp.channel import PacketChannel
from engine.sftp.gate import Gate
from engine.sftp.host_key import host_key, public_key_line, ssh_key_of
from engine.sftp.inbox import Inbox
from engine.sftp.judging import Judging, Title
from engine.sftp.outbox import Manifest, Outbox
from engine.sftp.packets import BadPacket
from engine.sftp.requests import Requests
from engine.store.faults import Fault
from engine.store.inboxes import Inboxes
from engine.store.sftp_access import SftpAccess

LOGIN_S: Final = 20
FRESH_S: Final = 5.0  # a key that is suspended does no more after this
KEEPALIVE_S: Final = 30
TRIES_MAX: Final = 12  # of one connection; a key is asked about before it is used, so this is six keys or more
CHANNELS_MAX: Final = 4  # of one connection
WINDOW_BYTES: Final = 1 << 20
DUE_EVERY_S: Final = 30.0
DRAIN_S: Final = 30.0

_CNAPS_DIGITS: Final = 12
_KEX: Final = (
    *("curve25519-sha256", "curve25519-sha256@libssh.org", "ecdh-sha2-nistp256", "ecdh-sha2-nistp384"),
    *("diffie-hellman-group16-sha512", "diffie-hellman-group14-sha256"),
)
_CIPHERS: Final = (
    *("aes256-gcm@openssh.com", "aes128-gcm@openssh.com", "chacha20-poly1305@openssh.com"),
    *("aes256-ctr", "aes128-ctr"),
)
_MACS: Final = ("hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com", "hmac-sha2-256", "hmac-sha2-512")
_SIGNATURES: Final = ("ssh-ed25519", "ecdsa-sha2-nistp256")

log = structlog.get_logger("engine.sftp")


class SftpParts(msgspec.Struct, frozen=True, kw_only=True):
    """What the server works with."""

    pool: asyncpg.Pool
    keyring: Keyring
    clock: Clock
    ids: IdSource
    uploads: UploadHandlers  # by kind
    manifest: Manifest
    title: Title


class SftpAddress(msgspec.Struct, frozen=True):
    """Where the server is, and how it is known: its public key in one line, as OpenSSH writes it."""

    host: str
    port: int
    host_key: str


class Guest(msgspec.Struct, frozen=True):
    """A bank that has logged in, by one of its keys."""

    bank: BankId
    keyid: str


@asynccontextmanager
async def open_sftp(parts: SftpParts, listener: socket.socket) -> AsyncIterator[SftpAddress]:
    """The server on a bound socket. On the way out nobody new comes in, and what was asked for is done.

    Raises:
        Fault: the database cannot answer.
        SealBroken: the database belongs to another master secret.
    """
    key = await host_key(SftpAccess(parts.pool), parts.keyring, parts.ids)
    house = House(parts)
    acceptor = await asyncssh.listen(
        sock=listener,
        server_factory=lambda: Door(house),
        server_host_keys=[key],
        encoding=None,
        public_key_auth=True,
        password_auth=False,
        kbdint_auth=False,
        host_based_auth=False,
        gss_host=None,
        x509_trusted_certs=None,
        allow_pty=False,
        line_editor=False,
        agent_forwarding=False,
        x11_forwarding=False,
        compression_algs=None,
        kex_algs=_KEX,
        encryption_algs=_CIPHERS,
        mac_algs=_MACS,
        signature_algs=_SIGNATURES,
        login_timeout=LOGIN_S,
        keepalive_interval=KEEPALIVE_S,
        window=WINDOW_BYTES,
        server_version="engine",
    )
    host, port = listener.getsockname()[:2]
    keeping = house.spawn(house.judge_due())
    try:
        yield SftpAddress(host, port, public_key_line(key))
    finally:
        acceptor.close()
        keeping.cancel()
        await house.close()
        await acceptor.wait_closed()


class House:
    """What all connections share."""

    def __init__(self, parts: SftpParts) -> None:
        """Nobody is in."""
        self.parts = parts
        self.gate = Gate()
        self.access = SftpAccess(parts.pool)
        self.inboxes = Inboxes(parts.pool)
        self.judging = Judging(parts.pool, parts.uploads, parts.ids, title=parts.title, spawn=self.spawn)
        self.connections: set[asyncssh.SSHServerConnection] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[None, None, None]) -> "asyncio.Task[None]":
        """Work that goes on until it is done, whatever becomes of the connection that it came by."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("sftp.failed", exc_info=error)  # a bug; it ends the session that it is in, and no other

    async def judge_due(self) -> None:
        """Again and again, read what a node has left unread."""
        while True:
            try:
                await self.judging.judge_due()
            except Fault as fault:
                log.warning("inbox.not_judged", fault=str(fault))
            await asyncio.sleep(DUE_EVERY_S)

    async def close(self) -> None:
        """Every connection ends, and everything that was begun is done or left for another node."""
        for connection in list(self.connections):
            connection.close()
        if self._tasks:
            _, late = await asyncio.wait(set(self._tasks), timeout=DRAIN_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def guest(self, username: str, offered: bytes) -> Guest | None:
        """The bank that has this number and this key; None if there is none that may come in."""
        if len(username) != _CNAPS_DIGITS or not (username.isascii() and username.isdigit()):
            return None
        for key in await self.access.keys_of(int(username)):
            if ssh_key_of(key, self.parts.keyring, place=CALLER_KEY_PLACE) == offered:
                return Guest(key.bank, key.keyid)
        return None

    async def serve(self, channel: PacketChannel, guest: Guest) -> None:
        """Answer one session until it ends."""
        parts = self.parts
        requests = Requests(
            Outbox(parts.pool, guest.bank, parts.manifest),
            Inbox(self.inboxes, guest.bank, self.judging.judge),
            parts.clock,
        )
        checked_s = parts.clock.steady_s()
        try:
            while (packet := await channel.packet()) is not None:
                if parts.clock.steady_s() - checked_s >= FRESH_S:
                    if not await self._is_welcome(guest):
                        log.info("sftp.shown_out", bank=id_text(guest.bank), keyid=guest.keyid)
                        return
                    checked_s = parts.clock.steady_s()
                await channel.send(await requests.answer(packet))
                await requests.after()
        except BadPacket as error:
            log.info("sftp.bad_packet", bank=id_text(guest.bank), why=str(error))
        finally:
            await requests.end()
            channel.close()

    async def _is_welcome(self, guest: Guest) -> bool:
        try:
            return await self.access.has_key(guest.bank, guest.keyid)
        except Fault:
            return True  # without a database nothing can be done anyway, and the answer should say so


class Door(asyncssh.SSHServer):
    """One connection: who it is, and what it may open."""

    def __init__(self, house: House) -> None:
        """Nobody yet."""
        self._house = house
        self._connection: asyncssh.SSHServerConnection | None = None
        self._address = ""
        self._is_counted = False
        self._offered: dict[str, Guest] = {}
        self._guest: Guest | None = None
        self._tries = 0
        self._channels = 0

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        """Somebody is at the door; if there are too many, or too many of there have failed, it stays closed."""
        self._connection = conn
        peer = conn.get_extra_info("peername")
        self._address = str(peer[0]) if peer else ""
        self._is_counted = self._house.gate.enter(self._address, now_s=self._house.parts.clock.steady_s())
        if self._is_counted:
            self._house.connections.add(conn)
        else:
            log.info("sftp.turned_away", address=self._address)
            conn.abort()

    def connection_lost(self, _exc: Exception | None) -> None:
        """Whoever it was has gone."""
        if self._connection is not None:
            self._house.connections.discard(self._connection)
        if self._guest is not None:
            self._house.gate.leave(self._guest.bank)
        elif self._is_counted:
            self._house.gate.fail(self._address, now_s=self._house.parts.clock.steady_s())

    def begin_auth(self, _username: str) -> bool:
        """Everybody has to prove who they are, whoever they say they are by now."""
        self._may_try()
        return True

    def public_key_auth_supported(self) -> bool:
        """By a key, and in no other way."""
        return True

    async def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        """True if the key is one of the bank's; that the caller has its private half is checked after this."""
        if not self._may_try():
            return False
        try:
            guest = await self._house.guest(username, key.public_data)
        except Fault as fault:
            log.error("sftp.store_unavailable", fault=str(fault))
            return False
        if guest is not None:
            self._offered[username] = guest
        return guest is not None

    def auth_completed(self) -> None:
        """Whoever it is has proven it."""
        assert self._connection is not None
        username: str = self._connection.get_extra_info("username")
        self._guest = self._offered[username]
        log.info("sftp.logged_in", bank=id_text(self._guest.bank), keyid=self._guest.keyid)
        if not self._house.gate.log_in(self._guest.bank):
            self._connection.disconnect(asyncssh.DISC_TOO_MANY_CONNECTIONS, "Too many connections of this bank")

    def session_requested(self) -> "PacketChannel | bool":
        """A channel, while there are not too many."""
        guest = self._guest
        if guest is None or self._channels >= CHANNELS_MAX:
            return False
        self._channels += 1
        return PacketChannel(lambda channel: self._serve(channel, guest), self._leave)

    def _serve(self, channel: PacketChannel, guest: Guest) -> None:
        self._house.spawn(self._house.serve(channel, guest))

    def _leave(self) -> None:
        self._channels -= 1

    def _may_try(self) -> bool:
        """Count one more try. False, and the connection ends, if it is one too many."""
        self._tries += 1
        if self._tries > TRIES_MAX and self._connection is not None:
            self._connection.abort()
        return self._tries <= TRIES_MAX
