"""Bank file formats, one module each; a module that exports `FORMAT` is found by walking this package."""

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache

from engine.formats.bank_file import BankFileFormat


@cache
def bank_file_formats() -> Mapping[str, BankFileFormat]:
    """Every format that the engine writes, by name. Names and suffixes are unique."""
    found: dict[str, BankFileFormat] = {}
    for module in sorted(module.name for module in pkgutil.iter_modules(__path__)):
        file_format = getattr(importlib.import_module(f"{__name__}.{module}"), "FORMAT", None)
        if isinstance(file_format, BankFileFormat):
            assert file_format.name not in found, "two formats of one name"
            found[file_format.name] = file_format
    assert len({file_format.suffix for file_format in found.values()}) == len(found), "two formats of one suffix"
    return found
