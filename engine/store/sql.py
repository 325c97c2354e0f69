"""The SQL of the engine: named blocks in `queries/*.sql`, and nowhere else."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final, NewType

Sql = NewType("Sql", str)
"""A statement that came out of a file. Made only here, so a concatenated string does not type-check."""

QUERIES: Final = Path(__file__).parent / "queries"
_NAME: Final = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


@cache
def load_queries(module: str) -> Mapping[str, Sql]:
    """The blocks of one file, by name.

    Raises:
        FileNotFoundError: there is no such file.
    """
    text = (QUERIES / f"{module}.sql").read_text()
    pieces = _NAME.split(text)
    return {name: Sql(body.strip()) for name, body in zip(pieces[1::2], pieces[2::2], strict=True)}


def with_integers(statement: Sql, **values: int) -> Sql:
    """Put whole numbers in place of ``:name``, for statements that cannot be prepared."""
    text: str = statement
    for name, value in values.items():
        text = text.replace(f":{name}", str(int(value)))
    return Sql(text)
