"""Which account an embedded server runs as, and what that account can reach."""

import os
import pwd
from pathlib import Path
from typing import Final, NamedTuple

from engine.embedded.faults import ServiceMissing


class Identity(NamedTuple):
    """An account as the kernel knows it."""

    uid: int
    gid: int


UNPRIVILEGED: Final = Identity(uid=65534, gid=65534)  # `nobody` wherever it has a name


def identity_for(kept: Path, data_dir: Path) -> Identity:
    """The account for a server whose files lie, or will lie, in *kept* inside of *data_dir*.

    It is our own account, but servers do not run as root: root hands over to the owner of the files, or of the
    folder for them, so that what an operator starts with more rights still works with fewer afterwards. An owner
    without a name (a folder mounted into a container) is taken only if files are there: initdb needs a name.
    """
    if os.geteuid() != 0:
        return Identity(os.geteuid(), os.getegid())
    if kept.exists() and kept.stat().st_uid != 0:
        return Identity(kept.stat().st_uid, kept.stat().st_gid)
    status = data_dir.stat()
    if status.st_uid != 0 and _has_name(status.st_uid):
        return Identity(status.st_uid, status.st_gid)
    return UNPRIVILEGED


def _has_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def can_execute(program: Path, identity: Identity) -> bool:
    """True if the mode bits let *identity* walk to *program*, read it and execute it."""
    if identity.uid == os.geteuid():
        return os.access(program, os.R_OK | os.X_OK)
    real = program.resolve()
    return _grants(real, identity, 0o5) and can_enter(real.parent, identity)


def can_enter(folder: Path, identity: Identity) -> bool:
    """True if the mode bits let *identity* walk to *folder* and into it."""
    if identity.uid == os.geteuid():
        return os.access(folder, os.X_OK)
    real = folder.resolve()
    return all(_grants(step, identity, 0o1) for step in (real, *real.parents))


def _grants(path: Path, identity: Identity, wanted: int) -> bool:
    status = path.stat()
    shift = 6 if status.st_uid == identity.uid else 3 if status.st_gid == identity.gid else 0
    return (status.st_mode >> shift) & wanted == wanted


def own(path: Path, identity: Identity) -> None:
    """*path* belongs to *identity*; only root can and needs to give it away.

    Raises:
        ServiceMissing: root may not: in a container or user namespace without that account, on some mounts.
    """
    if os.geteuid() != 0:
        return
    try:
        os.chown(path, *identity)
    except OSError as error:
        raise ServiceMissing(
            "embedded servers",
            f"root may not give {path} to uid {identity.uid} ({error.strerror}), and servers do not run as root",
            "Run the engine as an ordinary user, choose another --data-dir, or set DATABASE_URL and REDIS_URL",
        ) from error


def own_like_folder(path: Path) -> None:
    """*path* belongs to the owner of its folder, so that root leaves nothing behind that the owner cannot use."""
    status = path.parent.stat()
    own(path, Identity(status.st_uid, status.st_gid))
