"""What a node is told from outside: environment and data folder, read once at the start."""

import base64
import binascii
import ipaddress
import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from engine.codes.crypto_profile import CRYPTO_PROFILES, CryptoProfile
from engine.codes.keys import MASTER_BYTES
from engine.hints.read_limits import READS_A_SECOND

DATA_DIR_DEFAULT: Final = Path(".engine")
LANE_COUNT: Final = 4
"""Measured on two cores, payments/s with 2, 3, 4 and 6 lanes from 512 callers: 8,950, 10,200, 11,000 and 10,200. With
fewer, a core is idle while batches are committed; with more, batches are small.
"""
CROWD: Final = 160
"""Commands that wait before one more lane is used. Below it one lane is best: from 16 callers, 1, 2 and 4 lanes made
4,360, 3,230 and 2,300 payments/s.
"""
_MASTER_FILE: Final = "master.key"
_PUBLIC_URL: Final = re.compile(r"https?://(?:[0-9A-Za-z.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")


class WrongSetting(ValueError):
    """A setting that cannot be used; the message says which and why, and never its value."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """A node's settings."""

    data_dir: Path
    environ: Mapping[str, str]
    is_sandbox: bool = False
    host: str = "127.0.0.1"
    port: int = 8080
    sftp_port: int = 0  # 0: no SFTP, or in the sandbox whichever port is free
    lane_count: int = LANE_COUNT
    reads_a_second: float = READS_A_SECOND  # of one caller, in each process
    batch_max: int | None = None  # a benchmark's; None is the engine's own


def master_secret(data_dir: Path, environ: Mapping[str, str]) -> bytes:
    """The secret that every key follows from: ``ENGINE_MASTER_KEY`` (Base64 of 32 bytes), or the data folder's own.

    A folder without one gets a new one, readable by its owner only. Nodes that share a database must share the secret.

    Raises:
        WrongSetting: it is not Base64 of 32 bytes.
    """
    given = environ.get("ENGINE_MASTER_KEY")
    if given:
        return _decoded(given, "ENGINE_MASTER_KEY")
    path = data_dir / _MASTER_FILE
    try:
        return _decoded(path.read_text().strip(), str(path))
    except FileNotFoundError:
        pass
    data_dir.mkdir(parents=True, exist_ok=True)
    fresh = base64.b64encode(secrets.token_bytes(MASTER_BYTES)).decode()
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _decoded(path.read_text().strip(), str(path))
    with os.fdopen(descriptor, "w") as file:
        file.write(fresh)
    return _decoded(fresh, str(path))


def crypto_profile(environ: Mapping[str, str]) -> CryptoProfile | None:
    """What is sealed and hashed with from now on: ``ENGINE_CRYPTO``, ``international`` or ``sm``. None: not set, and
    the database goes on as before.

    Raises:
        WrongSetting: it is neither.
    """
    given = environ.get("ENGINE_CRYPTO", "")
    if given and given not in CRYPTO_PROFILES:
        raise WrongSetting(f"ENGINE_CRYPTO is none of {', '.join(CRYPTO_PROFILES)}")
    return CRYPTO_PROFILES.get(given)


def public_url(environ: Mapping[str, str]) -> str:
    """Where everybody else reaches the engine, such as ``https://pay.example``: ``ENGINE_PUBLIC_URL``.

    Empty if it is not set: links then lead to wherever the request that asks for them has come.

    Raises:
        WrongSetting: it is no such address. Links to orders are secrets, so only a machine's own may do without TLS.
    """
    given = environ.get("ENGINE_PUBLIC_URL", "").removesuffix("/")
    if not given:
        return ""
    if not _PUBLIC_URL.fullmatch(given):
        raise WrongSetting("ENGINE_PUBLIC_URL is not https:// and a host, without a path, such as https://pay.example")
    try:
        parts = urlsplit(given)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise WrongSetting("ENGINE_PUBLIC_URL names no host and port that there can be") from None
    if parts.scheme != "https" and not _is_loopback(host):
        raise WrongSetting("ENGINE_PUBLIC_URL is not https; only an address of this machine may be without")
    return given


def rp_id(environ: Mapping[str, str]) -> str:
    """The name that passkeys are made for: ``ENGINE_RP_ID``, or the host of the public address, or ``localhost``.

    Raises:
        WrongSetting: browsers would not make passkeys for it: it is neither the host of ``ENGINE_PUBLIC_URL`` nor one
            that this is below.
    """
    host = urlsplit(public_url(environ)).hostname or "localhost"
    given = environ.get("ENGINE_RP_ID", "")
    if given and host != given and not host.endswith(f".{given}"):
        raise WrongSetting("ENGINE_RP_ID is not the host of ENGINE_PUBLIC_URL, nor a name that this is below")
    return given or host


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _decoded(text: str, where: str) -> bytes:
    try:
        master = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        master = b""
    if len(master) != MASTER_BYTES:
        raise WrongSetting(f"{where} is not Base64 of {MASTER_BYTES} bytes")
    return master
