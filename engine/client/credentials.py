"""Who signs: a caller's name, its key id and its key."""

import json
import os
from pathlib import Path
from typing import Final

import msgspec

from engine.codes.http_signature import Algorithm, SigningKey, load_signing_key

BASE_URL_DEFAULT: Final = "http://127.0.0.1:8080"


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller signs its requests with. The key's repr shows nothing."""

    keyid: str
    key: SigningKey

    @classmethod
    def load(cls, *, keyid: str, alg: str, key: str) -> "Credentials":
        """Credentials from text: *key* is Base64 of a shared secret, or a private key as PEM.

        Raises:
            ValueError: the text is no key of this algorithm.
        """
        return cls(keyid=keyid, key=load_signing_key(Algorithm(alg), key))

    @classmethod
    def from_sandbox(cls, path: Path, name: str) -> "Credentials":
        """The credentials that `sandbox.json` lists under *name*.

        Raises:
            KeyError: nobody has that name.
            FileNotFoundError: there is no such file.
        """
        for caller in json.loads(path.read_text())["callers"]:
            if caller["name"] == name:
                return cls.load(keyid=caller["keyid"], alg=caller["alg"], key=caller["key"])
        raise KeyError(name)


class CallerFile(msgspec.Struct, frozen=True, kw_only=True):
    """A caller's key as it is handed over, and where it calls. `key` is Base64 of a shared secret, or PKCS 8 PEM.

    The `secret` of an approval, as the engine answers it, is such a file already.
    """

    keyid: str
    alg: str
    key: str
    name: str = ""
    id: str = ""
    base_url: str = BASE_URL_DEFAULT

    def __repr__(self) -> str:
        return f"CallerFile(name={self.name!r}, keyid={self.keyid!r}, ***)"

    @property
    def credentials(self) -> Credentials:
        """What the caller signs with.

        Raises:
            ValueError: the key is none of its algorithm.
        """
        return Credentials.load(keyid=self.keyid, alg=self.alg, key=self.key)

    @property
    def content(self) -> bytes:
        """The file's bytes."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n"


def write_caller_file(path: Path, file: CallerFile) -> None:
    """Write a new file that only its owner can read.

    Raises:
        FileExistsError: there is one, which may hold somebody's key.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(file.content)


def read_caller_file(path: Path) -> CallerFile:
    """Read a file that `write_caller_file` wrote; further fields are left alone.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is no such file; the message shows nothing of it.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=CallerFile)
    except msgspec.MsgspecError:
        raise ValueError(f"{path} does not hold a caller's key") from None
