"""Where the unix socket of an embedded server lies: a short path, in a folder closed to others."""

import hashlib
import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import Final

from engine.embedded.faults import ServiceMissing
from engine.embedded.identity import Identity, can_enter, own

# sun_path holds 108 bytes with its terminating zero; the longest name in the folder is PostgreSQL's lock.
_FOLDER_BYTES_MAX: Final = 107 - len("/.s.PGSQL.5432.lock")
_NAME_BYTES: Final = len("/engine-123456789012")


def socket_folder(data_dir: Path, stem: str, identity: Identity) -> Path:
    """The folder for the sockets of *data_dir*'s server *stem*; only *identity* (and root) can enter it.

    It is the same at every start, so pools of other processes find a restarted server at the address they know
    and crashes do not litter. Somebody who has taken its name only makes us use another one.

    Raises:
        ServiceMissing: there is no temporary folder with a short path that *identity* can reach.
        OSError: the folder could not be made.
    """
    status = data_dir.stat()
    key = hashlib.sha256(f"{stem}:{status.st_dev}:{status.st_ino}".encode()).hexdigest()[:12]
    root = _root(identity)
    folder = root / f"engine-{key}"
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        if _is_private(folder, identity):
            return folder
        folder = Path(tempfile.mkdtemp(prefix="engine-", dir=root))
    own(folder, identity)
    return folder


def empty(folder: Path) -> None:
    """Nothing of an earlier server is in *folder*."""
    for left in folder.iterdir():
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left)
        else:
            left.unlink()


def _root(identity: Identity) -> Path:
    for root in (Path(tempfile.gettempdir()), Path("/tmp"), Path("/run")):  # noqa: S108  # never a fixed file in it
        # PostgreSQL's programs take a comma for the end of a host.
        is_fit = len(os.fsencode(root)) + _NAME_BYTES <= _FOLDER_BYTES_MAX and "," not in str(root)
        if is_fit and root.is_dir() and os.access(root, os.W_OK | os.X_OK) and can_enter(root, identity):
            return root
    raise ServiceMissing(
        "unix sockets",
        f"uid {identity.uid} can reach no temporary folder with a short path without commas",
        f"Set TMPDIR to a folder that everybody may enter, its path at most {_FOLDER_BYTES_MAX - _NAME_BYTES} bytes",
    )


def _is_private(folder: Path, identity: Identity) -> bool:
    status = folder.lstat()
    return stat.S_ISDIR(status.st_mode) and status.st_uid == identity.uid and status.st_mode & 0o077 == 0
