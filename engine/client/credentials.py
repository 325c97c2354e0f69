"""Who signs: a caller's name, its key id and its key."""

import json
from pathlib import Path

import msgspec

from engine.codes.http_signature import Algorithm, SigningKey, load_signing_key


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
