"""Which account an embedded server runs as, and what that account can reach."""

import os
import shutil
import stat
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

from engine.embedded.faults import ServiceMissing


class Identity(NamedTuple):
    """An account as the kernel knows it."""

    uid: int
    gid: int


UNPRIVILEGED: Final = Identity(uid=65534, gid=65534)  # `nobody` wherever it has a name

# sun_path holds 108 bytes with its terminating zero; the longest name in the folder is `.s.PGSQL.5432.lock`.
SOCKET_FOLDER_BYTES_MAX: Final = 107 - len("/.s.PGSQL.5432.lock")


def identity_for(folders: Iterable[Path]) -> Identity:
    """The account for a server that keeps its data in the first of *folders* that exists.

    It is our own account, but servers do not run as root: root hands over to the first owner that is not root,
    so that what an operator starts with more rights still works with fewer afterwards.
    """
    if os.geteuid() != 0:
        return Identity(os.geteuid(), os.getegid())
    for folder in folders:
        if folder.exists() and folder.stat().st_uid != 0:
            return Identity(folder.stat().st_uid, folder.stat().st_gid)
    return UNPRIVILEGED


def can_execute(program: Path, identity: Identity) -> bool:
    """True if the mode bits let *identity* walk to *program*, read it and execute it."""
    if identity.uid == os.geteuid():
        return os.access(program, os.R_OK | os.X_OK)
    real = program.resolve()
    return _grants(real, identity, 0o5) and all(_grants(folder, identity, 0o1) for folder in real.parents)


def _grants(path: Path, identity: Identity, wanted: int) -> bool:
    status = path.stat()
    shift = 6 if status.st_uid == identity.uid else 3 if status.st_gid == identity.gid else 0
    return (status.st_mode >> shift) & wanted == wanted


def own(path: Path, identity: Identity) -> None:
    """*path* belongs to *identity*; only root can and needs to give it away."""
    if os.geteuid() == 0:
        os.chown(path, *identity)


def own_like_folder(path: Path) -> None:
    """*path* belongs to the owner of its folder, so that root leaves nothing behind that the owner cannot use."""
    status = path.parent.stat()
    own(path, Identity(status.st_uid, status.st_gid))


def socket_folder(identity: Identity, earlier: Path | None) -> Path:
    """A folder for unix sockets that *identity* owns and nobody else (but root) can enter.

    *earlier*, the folder of the previous start, is used again if it can be: pools of other processes then find
    the restarted server at the address they know.
    """
    if earlier is not None:
        if not os.path.lexists(earlier) and earlier.parent.is_dir():
            earlier.mkdir(mode=0o700)
            own(earlier, identity)
        if _is_private(earlier, identity):
            return earlier
    for root in (Path(tempfile.gettempdir()), Path("/tmp"), Path("/run")):  # noqa: S108  # mkdtemp below
        if _is_usable_root(root, identity):
            made = Path(tempfile.mkdtemp(prefix="engine-", dir=root))
            own(made, identity)
            return made
    raise ServiceMissing(
        "unix sockets",
        f"uid {identity.uid} can reach no temporary folder with a short path",
        "Set TMPDIR to a folder with a path of at most 70 bytes that everybody may enter, such as /tmp",
    )


def _is_private(folder: Path, identity: Identity) -> bool:
    if not os.path.lexists(folder):
        return False
    status = folder.lstat()
    return stat.S_ISDIR(status.st_mode) and status.st_uid == identity.uid and status.st_mode & 0o077 == 0


def _is_usable_root(root: Path, identity: Identity) -> bool:
    name_bytes = len(os.fsencode(root)) + len("/engine-12345678")
    if not root.is_dir() or not os.access(root, os.W_OK | os.X_OK) or name_bytes > SOCKET_FOLDER_BYTES_MAX:
        return False
    if identity.uid == os.geteuid():
        return True
    real = root.resolve()
    return all(_grants(folder, identity, 0o1) for folder in (real, *real.parents))


def remove_socket_folder(folder: Path) -> None:
    """The folder and the sockets in it are gone; it may have been gone before."""
    shutil.rmtree(folder, ignore_errors=True)
