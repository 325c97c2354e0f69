"""`sandbox.json`: everything that somebody who tries the sandbox needs to know."""

from pathlib import Path
from typing import Final

import msgspec

from engine.sandbox.load import SandboxCaller, SandboxCard
from engine.sandbox.offices import SandboxLoginClient
from engine.web.channels.wire import ChannelView
from engine.web.wire_participants import SecretView

FILE_NAME: Final = "sandbox.json"


class SandboxSftp(msgspec.Struct, frozen=True, kw_only=True):
    """Where the SFTP server is; `host_key` is its public key in one line, as OpenSSH writes it."""

    host: str
    port: int
    host_key: str


class SandboxGuide(msgspec.Struct, frozen=True, kw_only=True):
    """Where the sandbox is, who calls it with which key, and whose cards there are."""

    base_url: str
    callers: tuple[SandboxCaller, ...]
    cards: tuple[SandboxCard, ...]
    login_clients: tuple[SandboxLoginClient, ...] = ()
    sftp: SandboxSftp | None = None

    def caller(self, name: str) -> SandboxCaller:
        """The caller of that name.

        Raises:
            KeyError: nobody has it.
        """
        for caller in self.callers:
            if caller.name == name:
                return caller
        raise KeyError(name)


def write_guide(data_dir: Path, guide: SandboxGuide) -> Path:
    """Write the guide, readable by its owner only: it holds keys, if only those of invented callers."""
    path = data_dir / FILE_NAME
    fresh = path.with_suffix(".new")
    fresh.touch(mode=0o600)
    fresh.write_bytes(msgspec.json.format(msgspec.json.encode(guide), indent=1))
    fresh.replace(path)
    return path


def keep_channel(data_dir: Path, name: str, channel: ChannelView) -> None:
    """List a channel that has just applied under *name*, with the key that its answer shows only once.

    Raises:
        ValueError: the answer shows no key, or nothing is written of the sandbox yet.
    """
    guide, secret = read_guide(data_dir), channel.secret
    if guide is None or not isinstance(secret, SecretView):
        raise ValueError("no sandbox, or no key")
    kept = SandboxCaller(
        name=name,
        kind="channel",
        id=channel.id,
        keyid=secret.keyid,
        alg=secret.alg,
        key=secret.key,
        region=channel.region,
    )
    write_guide(data_dir, msgspec.structs.replace(guide, callers=(*guide.callers, kept)))


def read_guide(data_dir: Path) -> SandboxGuide | None:
    """The guide of a data folder; None if there is none, or one that is not complete."""
    try:
        return msgspec.json.decode((data_dir / FILE_NAME).read_bytes(), type=SandboxGuide)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None
