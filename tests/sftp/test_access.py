"""Who comes in over SFTP: a bank with one of its keys, for files and nothing else."""

import asyncio
from contextlib import AsyncExitStack

import asyncssh
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from engine.sftp.gate import CONNECTIONS_MAX, FAILED_MAX, OF_BANK_MAX, UNPROVEN_MAX, WINDOW_S, Gate
from engine.sftp.host_key import host_key, public_key_line
from engine.sftp.server import FRESH_S, TRIES_MAX
from engine.sftp.sockets import listening_socket
from engine.store.sftp_access import SftpAccess
from engine.wiring import open_sftp_server
from tests.sftp.harbour import Harbour, PrivateKey, add_key, open_harbour, openssh_of
from tests.web.api import Api, bank_number


class ShownKey(asyncssh.SSHKeyPair):
    """One key to be shown, and another to sign with."""

    def __init__(self, shown: asyncssh.SSHKey, own: ed25519.Ed25519PrivateKey) -> None:
        super().__init__(b"ssh-ed25519", b"ssh-ed25519", (b"ssh-ed25519",), (b"ssh-ed25519",), shown.public_data, None)
        self._own = asyncssh.import_private_key(openssh_of(own))

    def sign(self, data: bytes) -> bytes:
        """Sign with the other key."""
        return self._own.sign(data, b"ssh-ed25519")


async def test_every_bank_comes_in_with_its_own_kind_of_key(lone_harbour: Harbour) -> None:
    for bank in range(3):
        async with lone_harbour.client(bank) as client:
            assert await client.listdir("/inbox") == []


@pytest.mark.parametrize(
    ("username", "key_of"),
    [
        (bank_number(0), 1),
        (bank_number(0), None),
        ("999999999999", 0),
        ("root", 0),
        ("", 0),
        ("1" * 200, 0),
        (f"{bank_number(0)} ", 0),
        (f"0{bank_number(0)}", 0),
    ],
)
async def test_nobody_else_comes_in(lone_harbour: Harbour, username: str, key_of: int | None) -> None:
    key = lone_harbour.keys[key_of] if key_of is not None else ed25519.Ed25519PrivateKey.generate()
    with pytest.raises(asyncssh.Error):
        async with lone_harbour.connection(0, key=key, username=username):
            pass


async def test_no_other_proof_is_taken(lone_harbour: Harbour) -> None:
    for password in ("", "secret"):
        with pytest.raises(asyncssh.PermissionDenied):
            await asyncssh.connect(
                lone_harbour.address.host,
                lone_harbour.address.port,
                username=bank_number(0),
                password=password,
                client_keys=None,
                known_hosts=None,
                agent_path=None,
                config=None,
            )


async def test_a_key_must_be_proven_not_only_shown(lone_harbour: Harbour) -> None:
    """Whoever shows another bank's public key and signs with a key of its own stays outside."""

    genuine = asyncssh.import_private_key(openssh_of(lone_harbour.keys[0]))
    with pytest.raises(asyncssh.PermissionDenied):
        await asyncssh.connect(
            lone_harbour.address.host,
            lone_harbour.address.port,
            username=bank_number(0),
            client_keys=[ShownKey(genuine, ed25519.Ed25519PrivateKey.generate())],
            known_hosts=None,
            agent_path=None,
            config=None,
        )


async def test_there_is_no_shell_no_command_and_no_way_through(lone_harbour: Harbour) -> None:
    async with lone_harbour.connection(0) as connection:
        for ask in (
            lambda: connection.create_process(),
            lambda: connection.create_process("ls"),
            lambda: connection.create_process(subsystem="netconf"),
            lambda: connection.create_process(term_type="xterm"),
            lambda: connection.open_connection("127.0.0.1", lone_harbour.api.base_url.port or 0),
            lambda: connection.open_unix_connection("/tmp/socket"),  # noqa: S108  # never opened
            lambda: connection.forward_remote_port("", 0, "127.0.0.1", 1),
        ):
            with pytest.raises((asyncssh.ChannelOpenError, asyncssh.ChannelListenError)):
                await ask()
        async with connection.start_sftp_client() as client:
            assert await client.exists("/outbox")


async def test_a_suspended_bank_is_shown_out_and_stays_out(lone_harbour: Harbour) -> None:
    api = lone_harbour.api
    async with lone_harbour.client() as client:
        assert await client.exists("/outbox")
        await api.sql.execute("UPDATE caller_key SET is_suspended = true WHERE caller = $1", api.world.banks[0])
        api.clock.ahead_s += FRESH_S
        with pytest.raises(asyncssh.Error):
            await client.stat("/outbox")
    with pytest.raises(asyncssh.PermissionDenied):
        async with lone_harbour.connection(0):
            pass
    async with lone_harbour.client(1) as client:
        assert await client.exists("/outbox")


async def test_a_revoked_key_is_shut_out_and_the_banks_other_key_is_not(lone_harbour: Harbour) -> None:
    api = lone_harbour.api
    other: PrivateKey = ed25519.Ed25519PrivateKey.generate()
    await add_key(api, api.world.banks[0], other, keyid="ssh-0-next")
    async with lone_harbour.client() as client, lone_harbour.connection(0, key=other) as connection:
        await api.sql.execute("DELETE FROM caller_key WHERE keyid = 'ssh-0'")
        api.clock.ahead_s += FRESH_S
        with pytest.raises(asyncssh.Error):
            await client.stat("/outbox")
        async with connection.start_sftp_client() as still:
            assert await still.exists("/outbox")


async def test_guessing_is_stopped_whatever_comes_after_it(lone_harbour: Harbour) -> None:
    for _ in range(FAILED_MAX):
        with pytest.raises(asyncssh.PermissionDenied):
            async with lone_harbour.connection(0, key=lone_harbour.keys[2]):
                pass
    with pytest.raises((asyncssh.Error, OSError)):
        async with lone_harbour.connection(0):
            pass
    lone_harbour.api.clock.ahead_s += WINDOW_S
    async with lone_harbour.client() as client:
        assert await client.exists("/outbox")


async def test_a_connection_tries_only_so_many_keys(lone_harbour: Harbour) -> None:
    strange = [asyncssh.import_private_key(openssh_of(ed25519.Ed25519PrivateKey.generate())) for _ in range(TRIES_MAX)]
    genuine = asyncssh.import_private_key(openssh_of(lone_harbour.keys[0]))
    with pytest.raises((asyncssh.Error, OSError)):
        await asyncssh.connect(
            lone_harbour.address.host,
            lone_harbour.address.port,
            username=bank_number(0),
            client_keys=[*strange, genuine],
            known_hosts=None,
            agent_path=None,
            config=None,
        )


async def test_a_bank_has_only_so_many_connections(lone_harbour: Harbour) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(OF_BANK_MAX):
            await stack.enter_async_context(lone_harbour.connection(0))
        with pytest.raises(asyncssh.Error):
            async with lone_harbour.client(0):
                pass
        async with lone_harbour.client(1) as client:
            assert await client.exists("/outbox")


async def test_a_node_that_stops_keeps_what_came_and_the_next_goes_on(api: Api) -> None:
    async with open_harbour(api) as first:
        connection = await asyncssh.connect(
            first.address.host,
            first.address.port,
            username=bank_number(0),
            client_keys=[asyncssh.import_private_key(openssh_of(first.keys[0]))],
            known_hosts=None,
            agent_path=None,
            config=None,
        )
        client = await connection.start_sftp_client()
        opened = await client.open("/inbox/halfway.part", "wb")
        await opened.write(b"half")
    await connection.wait_closed()
    async with open_sftp_server(api.node, listening_socket("127.0.0.1", 0)) as address:
        assert address.host_key == first.address.host_key
        second = msgspec.structs.replace(first, address=address)
        async with second.client() as again, again.open("/inbox/halfway.part", "ab") as goes_on:
            await goes_on.write(b" and half")
            assert (await goes_on.stat()).size == len(b"half and half")


async def test_every_node_of_a_database_has_the_same_host_key(lone_harbour: Harbour) -> None:
    node = lone_harbour.api.node
    access = SftpAccess(node.pool)
    found = await asyncio.gather(*(host_key(access, node.keyring, node.ids) for _ in range(4)))
    assert {public_key_line(key) for key in found} == {lone_harbour.address.host_key}
    await lone_harbour.api.sql.execute("DELETE FROM sftp_host_key")
    fresh = await asyncio.gather(*(host_key(access, node.keyring, node.ids) for _ in range(4)))
    assert len({public_key_line(key) for key in fresh}) == 1


async def test_a_bank_that_signs_with_a_shared_secret_only_has_no_way_in(
    lone_harbour: Harbour,
) -> None:
    api = lone_harbour.api
    await api.sql.execute("DELETE FROM caller_key WHERE caller = $1 AND alg <> 'hmac-sha256'", api.world.banks[1])
    with pytest.raises(asyncssh.PermissionDenied):
        async with lone_harbour.connection(1):
            pass


def test_the_gate_counts_who_is_in_and_who_failed() -> None:
    gate = Gate()
    assert all(gate.enter("a", now_s=0) for _ in range(UNPROVEN_MAX))
    assert not gate.enter("b", now_s=0)
    for _ in range(UNPROVEN_MAX):
        gate.fail("a", now_s=0)
    assert not gate.enter("a", now_s=WINDOW_S - 1)
    assert gate.enter("b", now_s=0)
    assert gate.enter("a", now_s=WINDOW_S)
    assert gate.log_in(b"A")
    for _ in range(OF_BANK_MAX - 1):
        assert gate.enter("b", now_s=0)
        assert gate.log_in(b"A")
    assert gate.enter("b", now_s=0)
    assert not gate.log_in(b"A")
    gate.leave(b"A")
    gate.leave(b"A")
    assert gate.enter("b", now_s=0)
    assert gate.log_in(b"A")


def test_the_gate_lets_in_only_so_many_at_once() -> None:
    gate = Gate()
    for n in range(CONNECTIONS_MAX):
        assert gate.enter("a", now_s=0)
        gate.log_in(n.to_bytes(2))
    assert not gate.enter("a", now_s=0)
    gate.leave((0).to_bytes(2))
    assert gate.enter("a", now_s=0)
